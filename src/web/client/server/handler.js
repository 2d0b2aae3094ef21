/*
 * A request handler for Express and for node:http. It checks the ticket, calls the application, and answers so that a
 * refusal (401, 409) and an outage (503) cannot be mistaken for one another.
 */
import { TicketError, UnavailableError } from './errors.js';

const RETRY_AFTER_MS = 5_000; // where nobody knows better

const REFUSALS = {
  stale: ['STALE_FENCE', 'a newer holder of the lock has opened the text'],
  conflict: ['CONFLICT', 'the stored text is not the one that was edited'],
};

function answer(status, body, headers = {}) {
  return { status, headers, text: JSON.stringify(body) };
}

function refusal(status, code, message, more = {}) {
  return answer(status, { error: { code, message }, ...more });
}

/* RFC 9110, section 15.5.2: 401 names a scheme. */
function unauthorized(error) {
  return answer(401, { error: { code: error.code, message: error.message } }, { 'WWW-Authenticate': 'Wslock-Ticket' });
}

function unavailable(message, retryAfterMs) {
  const seconds = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
  return answer(503, { error: { code: 'UNAVAILABLE', message } }, { 'Retry-After': seconds });
}

function answerToResult(result) {
  const { outcome, ...more } = result ?? {};
  if (outcome === 'saved' || outcome === 'opened') return answer(200, { outcome, ...more });
  if (!Object.hasOwn(REFUSALS, outcome)) throw new TypeError(`the action's outcome is ${JSON.stringify(outcome)}`);
  return refusal(409, ...REFUSALS[outcome], more);
}

/*
 * The application's own refusal: an error with a status from 400 to 499 and `expose: true`, as http-errors makes them. The status
 * alone may be what a database has answered over HTTP.
 */
function ownStatus(error) {
  const status = error?.status ?? error?.statusCode;
  return error?.expose === true && status >= 400 && status < 500 ? status : undefined;
}

async function check(req, { tickets, resourceId, userId, ticket }) {
  const expected = { resourceId: resourceId(req) };
  if (userId !== null) {
    expected.userId = userId(req) ?? '';
    if (expected.userId === '') throw new TicketError('OTHER_USER', 'nobody is signed in');
  }
  return tickets.verify(ticket(req), expected);
}

function send(res, { status, headers, text }) {
  if (res.headersSent) return; // the application has answered by itself
  res.writeHead(status, {
    'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text), 'Cache-Control': 'no-store', ...headers,
  });
  res.end(text);
}

function checkOptions({ tickets, resourceId, userId, ticket, onError }, action) {
  if (typeof tickets?.verify !== 'function') throw new TypeError('tickets must be a TicketVerifier');
  for (const [name, value] of Object.entries({ resourceId, ticket, onError, action })) {
    if (typeof value !== 'function') throw new TypeError(`${name} must be a function`);
  }
  if (userId !== null && typeof userId !== 'function') throw new TypeError('userId must be a function, or null');
}

/**
 * (req, res, next?) => Promise. action(lock, req) is called for a valid ticket and returns {outcome, ...}: "saved" and
 * "opened" are answered with 200, "stale" and "conflict" with 409. What it throws is 503, but for errors with a status
 * from 400 to 499 and `expose: true`: those go to `next`, or are answered with that status where there is none.
 */
export function lockHandler(options, action) {
  const all = { ticket: (req) => req.headers['wslock-ticket'], onError: (error) => console.error(error), ...options };
  checkOptions(all, action);

  async function answerTo(req) {
    try {
      return answerToResult(await action(await check(req, all), req));
    } catch (error) {
      if (error instanceof TicketError) return unauthorized(error);
      if (error instanceof UnavailableError) return unavailable(error.message, error.retryAfterMs);
      if (ownStatus(error) !== undefined) throw error;
      all.onError(error, req);
      return unavailable('it is not known whether this was done', RETRY_AFTER_MS);
    }
  }

  return async function handle(req, res, next) {
    try {
      send(res, await answerTo(req));
    } catch (error) {
      if (next !== undefined) next(error);
      else send(res, refusal(ownStatus(error) ?? 500, 'REFUSED', error.message));
    }
  };
}
