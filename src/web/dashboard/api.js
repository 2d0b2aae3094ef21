/* Requests to the operations endpoint. The token is in this module's memory only. */

const TIME_MS = 8000;
const LINE_MAX = 1 << 20;

let token = null;
let actor = null;
let onRefused = () => {};

/* code: of the answer, or NETWORK. message: a sentence. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const signedIn = () => token !== null;
export const who = () => actor;

export function signOut() {
  token = null;
  actor = null;
}

/* refused() is called when the daemon no longer takes the token. */
export function signIn(name, secret, refused) {
  actor = name;
  token = secret;
  onRefused = refused;
}

const WORDS = {
  NETWORK: 'The daemon does not answer.',
  UNAUTHENTICATED: 'The daemon does not accept this token.',
  BACKEND_UNAVAILABLE: 'The store is unavailable, or did not answer in time.',
  AUDIT_UNAVAILABLE: 'The audit cannot be written; without it nothing is read or changed.',
  TOO_MANY_REQUESTS: 'Too many requests are pending.',
};

function lost() {
  return new ApiError(0, 'NETWORK', WORDS.NETWORK);
}

async function refusal(response) {
  let error = {};
  try {
    ({ error } = await response.json());
  } catch { /* not from the daemon */ }
  const message = error.message ? `${error.message[0].toUpperCase()}${error.message.slice(1)}.` : `The answer is ${response.status}.`;
  return new ApiError(response.status, error.code ?? 'UNKNOWN', WORDS[error.code] ?? message);
}

async function request(path, { signal, given = token, ...options } = {}) {
  const headers = given === null ? {} : { Authorization: `Bearer ${given}` };
  let response;
  try {
    response = await fetch(path, {
      ...options, headers, cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer', signal,
    });
  } catch (error) {
    if (signal?.aborted && signal.reason?.name !== 'TimeoutError') throw error;
    throw lost();
  }
  if (response.ok) return response;
  const error = await refusal(response);
  if (response.status === 401 && given !== null && given === token) onRefused(error);
  throw error;
}

const query = (params) => {
  const given = Object.entries(params).filter(([, value]) => value !== undefined && value !== '');
  return given.length ? `?${new URLSearchParams(given)}` : '';
};

async function read(promise, how) {
  try {
    return await (await promise)[how]();
  } catch (error) {
    throw error instanceof ApiError ? error : lost();
  }
}

/* What needs no token. */
export const text = (path) => read(request(path, { given: null, signal: AbortSignal.timeout(TIME_MS) }), 'text');

/* {status, body}; the status may be that of an error. */
export async function ready() {
  try {
    const response = await fetch('/readyz', { cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(TIME_MS) });
    return await response.json();
  } catch {
    throw lost();
  }
}

/* Whether there is a token that would be accepted. */
export async function takesToken() {
  try {
    await request('/v1/', { given: null, signal: AbortSignal.timeout(TIME_MS) });
    return true;
  } catch (error) {
    if (error.status === 403) return false;
    return true;
  }
}

/* Tries a token that is not in use yet. */
export const attempt = (secret, name) => read(
  request(`/v1/locks${query({ limit: 1, actor: name })}`, { given: secret, signal: AbortSignal.timeout(TIME_MS) }), 'json',
);

export const get = (path, params = {}) => read(
  request(path + query({ ...params, actor }), { signal: AbortSignal.timeout(TIME_MS) }), 'json',
);

/* A change, with its reason. */
export const change = (method, path, body) => read(
  request(path, { method, body: JSON.stringify({ ...body, actor }), signal: AbortSignal.timeout(TIME_MS) }), 'json',
);

export const lockPath = (resourceId) => `/v1/locks/${encodeURIComponent(resourceId)}`;

/* Calls onRecord for each audit record, until the signal aborts or the answer ends. */
export async function follow(params, signal, onRecord) {
  const response = await request(`/v1/audit${query({ ...params, follow: 1, actor })}`, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    if (rest.length > LINE_MAX) throw new Error('a line of the audit is too long');
    for (const line of lines) {
      if (line) onRecord(JSON.parse(line));
    }
  }
}
