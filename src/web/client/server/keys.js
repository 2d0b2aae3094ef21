/*
 * The daemon's public keys, fetched from /.well-known/wslock-jwks.json and kept.
 *
 * At most one request runs at a time. Keys older than refreshMs are used while newer ones are fetched; keys older than
 * maxAgeMs are not used. After an unknown kid or a failed request the next request begins cooldownMs after the last one
 * began, or later. Only keys that were requested after a ticket came say that its kid is unknown: older ones may lack a key
 * that has been published since.
 */
import { createPublicKey } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

import { TicketError, UnavailableError } from './errors.js';

/* Resolves to the body of a reply with status 200. Redirects are not followed. */
function download(url, { timeoutMs, maxBytes, agent }) {
  return new Promise((resolve, reject) => {
    const lib = url.protocol === 'https:' ? https : http;
    const request = lib.get(url, { agent, headers: { accept: 'application/json' } });
    const fail = (message) => {
      reject(new Error(message));
      request.destroy();
    };
    const timer = setTimeout(fail, timeoutMs, `no complete reply within ${timeoutMs} ms`);
    request.on('error', reject);
    request.on('close', () => {
      clearTimeout(timer);
      reject(new Error('the reply was cut off')); // without effect after a complete one
    });
    request.on('response', (response) => {
      if (response.statusCode !== 200) {
        fail(`status ${response.statusCode}`);
        return;
      }
      const parts = [];
      let size = 0;
      response.on('data', (part) => {
        size += part.length;
        if (size > maxBytes) fail(`the reply is longer than ${maxBytes} bytes`);
        else parts.push(part);
      });
      response.on('end', () => resolve(Buffer.concat(parts).toString()));
    });
  });
}

/* [kid, KeyObject]; null for a key that cannot verify ES256 (RFC 7517, section 5: such keys are ignored). */
function readKey(jwk) {
  const { kty, crv, x, y, kid, use = 'sig', alg = 'ES256' } = jwk ?? {};
  if (kty !== 'EC' || crv !== 'P-256' || use !== 'sig' || alg !== 'ES256' || typeof kid !== 'string') return null;
  try {
    return [kid, createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' })];
  } catch {
    return null; // not a point on the curve
  }
}

/* A Map from kid to KeyObject, not empty. */
function readKeySet(text) {
  let entries;
  try {
    entries = JSON.parse(text).keys.map(readKey).filter((entry) => entry !== null);
  } catch {
    throw new Error('the reply is not a key set');
  }
  if (entries.length === 0) throw new Error('the reply has no key for ES256');
  return new Map(entries);
}

export class KeySet {
  #options;
  #url;
  #keys = null;
  #fetchedAt = -Infinity; // when the request for #keys began; by performance.now(), as all times here
  #askedAt = -Infinity; // when the last request began
  #failure = null; // of the last request
  #running = null; // the promise of the request that runs

  constructor(url, options) {
    this.#url = url;
    this.#options = options;
  }

  /* The key of this kid. Fails with TicketError if there is none, with UnavailableError if that is unknown. */
  async find(kid) {
    const cameAt = performance.now();
    if (this.#age() >= this.#options.refreshMs) await this.#refresh();
    // Twice at most: the request that runs may have begun before.
    while (!this.#keys.has(kid) && this.#fetchedAt < cameAt && !this.#cooling()) await this.fetch();
    const key = this.#keys.get(kid);
    if (key !== undefined) return key;
    if (this.#fetchedAt < cameAt) throw this.#unavailable();
    throw new TicketError('TICKET_INVALID', 'the ticket is signed with an unknown key');
  }

  /* Fetches the keys, or waits for the request that runs. Fails with UnavailableError. */
  fetch() {
    this.#running ??= this.#request().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  #age() {
    return performance.now() - this.#fetchedAt;
  }

  #cooling() {
    return this.#running === null && performance.now() - this.#askedAt < this.#options.cooldownMs;
  }

  /* Waits only if the present keys are too old to be used. */
  async #refresh() {
    const usable = this.#age() < this.#options.maxAgeMs;
    if (this.#cooling()) {
      if (!usable) throw this.#unavailable();
      return;
    }
    const fetched = this.fetch();
    if (usable) fetched.catch(() => {}); // onError has been told
    else await fetched;
  }

  async #request() {
    const startedAt = performance.now();
    this.#askedAt = startedAt;
    try {
      this.#keys = readKeySet(await download(this.#url, this.#options));
      this.#fetchedAt = startedAt;
      this.#failure = null;
    } catch (error) {
      this.#failure = error;
      this.#options.onError(new Error(`${this.#url}: ${error.message}`, { cause: error }));
      throw this.#unavailable();
    }
  }

  #unavailable() {
    const pauseMs = this.#askedAt + this.#options.cooldownMs - performance.now();
    const why = this.#failure === null ? 'are too old to say that a key is unknown' : 'cannot be fetched';
    return new UnavailableError(`the lock server's public keys ${why}`, Math.max(0, Math.ceil(pauseMs)), this.#failure);
  }
}
