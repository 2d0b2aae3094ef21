/*
 * The check of a lock ticket: a JWT (RFC 7519) signed with ES256, as docs/protocol.md describes it.
 */
import { verify } from 'node:crypto';

import { TicketError } from './errors.js';
import { KeySet } from './keys.js';

const MAX_TICKET_LENGTH = 8192;

const DEFAULTS = {
  refreshMs: 300_000,
  maxAgeMs: 3_600_000,
  cooldownMs: 5_000,
  timeoutMs: 5_000,
  maxBytes: 65_536,
  clockToleranceMs: 60_000,
};

const invalid = (why) => new TicketError('TICKET_INVALID', `the ticket is not valid: ${why}`);

function decode(part) {
  const bytes = Buffer.from(part, 'base64url');
  if (bytes.toString('base64url') !== part) throw invalid('it is not base64url');
  return bytes;
}

function decodeObject(part) {
  let value;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(decode(part)));
  } catch {
    value = null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('it is not a JWT');
  return value;
}

/* {kid, signed, signature, claims}; nothing is verified yet. */
function parse(ticket) {
  if (typeof ticket !== 'string' || ticket === '') throw new TicketError('TICKET_INVALID', 'there is no ticket');
  const parts = ticket.length <= MAX_TICKET_LENGTH ? ticket.split('.') : [];
  if (parts.length !== 3) throw invalid('it is not a JWT');
  const { alg, kid, typ = 'JWT', crit } = decodeObject(parts[0]);
  if (alg !== 'ES256' || typ !== 'JWT' || crit !== undefined || typeof kid !== 'string') {
    throw invalid('its header is not the one of a ticket');
  }
  return { kid, signed: `${parts[0]}.${parts[1]}`, signature: decode(parts[2]), claims: decodeObject(parts[1]) };
}

function checkTypes({ sub, res, fence, iat, exp }) {
  const integer = (value) => Number.isSafeInteger(value) && value >= 0;
  if (typeof sub !== 'string' || sub === '' || typeof res !== 'string' || ![fence, iat, exp].every(integer)) {
    throw invalid('a claim is missing or has a wrong type');
  }
}

/* The application's id in the three-part form of tickets. */
function fullResourceId(id) {
  if (typeof id !== 'string' || id === '') throw new TypeError('resourceId must be a string, such as "document:42"');
  return id.split(':').length === 2 ? `${id}:main` : id;
}

/* The decimal digits of an integer are its user id. */
function userIdText(id) {
  if (typeof id === 'string' && id !== '') return id;
  if (Number.isSafeInteger(id)) return String(id);
  throw new TypeError('userId must be a string or an integer, or left out');
}

function checkOptions(options) {
  const { keysUrl, onError, agent, ...numbers } = options;
  for (const [name, value] of Object.entries(numbers)) {
    if (!Object.hasOwn(DEFAULTS, name)) throw new TypeError(`there is no option ${name}`);
    if (!(Number.isFinite(value) && value >= 0 && value < 2 ** 31)) throw new TypeError(`${name} must be from 0 to 2^31 - 1`);
  }
  if (numbers.maxAgeMs < numbers.refreshMs) throw new TypeError('maxAgeMs must not be less than refreshMs');
  if (typeof onError !== 'function') throw new TypeError('onError must be a function');
  const url = new URL(keysUrl);
  if (url.username || url.password) throw new TypeError('keysUrl must have no user and no password: it is logged');
  if (!['https:', 'http:'].includes(url.protocol)) throw new TypeError('keysUrl must begin with https:// or http://');
  return url;
}

/** Checks tickets. One for each application: it keeps the keys. */
export class TicketVerifier {
  #options;
  #keys;

  constructor(options) {
    this.#options = { onError: console.error, agent: false, ...DEFAULTS, ...options };
    this.#keys = new KeySet(checkOptions(this.#options), this.#options);
  }

  /** Fetches the keys, so that the first save does not wait for them. Fails with UnavailableError. */
  prefetch() {
    return this.#keys.fetch();
  }

  /** Resolves to {userId, resourceId, fence, issuedAt, expiresAt}. Fails with TicketError or UnavailableError. */
  async verify(ticket, expected) {
    const resourceId = fullResourceId(expected?.resourceId);
    const userId = expected.userId === undefined ? undefined : userIdText(expected.userId);
    const { kid, signed, signature, claims } = parse(ticket);
    const key = await this.#keys.find(kid);
    if (!verify('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }, signature)) {
      throw invalid('its signature is wrong');
    }
    checkTypes(claims);
    if (claims.res !== resourceId) throw new TicketError('OTHER_RESOURCE', 'the ticket is for another resource');
    if (userId !== undefined && claims.sub !== userId) throw new TicketError('OTHER_USER', 'the ticket is for another user');
    if (claims.exp * 1000 + this.#options.clockToleranceMs <= Date.now()) {
      throw new TicketError('TICKET_EXPIRED', 'the ticket has expired');
    }
    return {
      userId: claims.sub, resourceId, fence: claims.fence, issuedAt: claims.iat * 1000, expiresAt: claims.exp * 1000,
    };
  }
}
