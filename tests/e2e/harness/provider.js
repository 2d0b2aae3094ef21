'use strict';
/* An identity provider of the tests' own: signing keys, and a server of their public part that can misbehave. */
const http = require('node:http');
const https = require('node:https');
const { cleanup, eventually, freePort } = require('./basics');
const { keyPair } = require('./tokens');

let made = 0;
/* A key to sign tokens with: {alg, kid, key} are what token() takes, jwk is the public part. */
function signingKey(alg = 'ES256', kid = `key-${++made}`) {
  const { privateKey, publicKey } = keyPair(alg);
  return { alg, kid, key: privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' } };
}

class KeyServer {
  constructor() {
    this.requests = 0;
    this.keys = [];
    this.answer = null; // in place of the set: (request, response) => …
    this.gate = null; // a promise: answers wait for it
  }
  async handle(request, response) {
    this.requests++;
    const answer = this.answer || ((_, r) => r.end(JSON.stringify({ keys: this.keys.map((k) => k.jwk) })));
    await this.gate;
    answer(request, response);
  }
  publish(...keys) {
    this.keys = keys;
  }
  /* Answers wait until release(). */
  hold() {
    this.gate = new Promise((resolve) => (this.release = () => {
      this.gate = null;
      resolve();
    }));
  }
  fail(status) {
    this.answer = (_, response) => response.writeHead(status).end();
  }
  heal() {
    this.answer = null;
  }
  /* Until that many requests have come. */
  asked(count) {
    return eventually(() => this.requests >= count, `${count} requests for keys`);
  }
  url(pathname = '/certs', host = this.host) {
    return `${this.scheme}://${host.includes(':') ? `[${host}]` : host}:${this.port}${pathname}`;
  }
  /* Once more at the port that it had. */
  async listen() {
    this.port ??= await freePort();
    await new Promise((resolve, reject) => {
      this.server.on('error', reject).listen(this.port, this.host, resolve);
    });
  }
  /* From here on connections are refused; listen() ends that. */
  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/* options: {host, tls: {cert, key}, keys}. */
async function keyServer(t, options = {}) {
  const s = new KeyServer();
  const handle = (request, response) => s.handle(request, response);
  s.server = options.tls ? https.createServer(options.tls, handle) : http.createServer(handle);
  s.scheme = options.tls ? 'https' : 'http';
  s.host = options.host || '127.0.0.1';
  s.server.on('tlsClientError', () => {});
  await s.listen();
  s.publish(...(options.keys || []));
  cleanup(t, () => s.close());
  return s;
}

module.exports = { keyServer, signingKey };
