'use strict';
/*
 * An application with documents: it serves the page of harness/editor and the client library over HTTPS, gives access
 * tokens, and saves under a fence as docs/saving-safely.md says. `log` has what it was asked and what it answered, with
 * Date.now() of the moment when it was decided.
 */
const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const jose = require('jose');
const { ROOT, cleanup, freePort, tempDir } = require('./basics');
const { certificate, token } = require('./tokens');

const LIBRARY = path.join(ROOT, 'src/web/client');
const PAGE = path.join(__dirname, 'editor');
const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.html': 'text/html' };
const LATE_S = 3600; // the fence decides, not the clock

class Refused extends Error {
  constructor(status, code) {
    super(code);
    this.status = status;
  }
}

function read(request) {
  return new Promise((resolve, reject) => {
    let body = '';
    request.on('data', (data) => { body += data; });
    request.on('end', () => resolve(JSON.parse(body)));
    request.on('error', reject);
  });
}

/* The file of this address, or null. No address leads out of its folder. */
function fileOf(pathname) {
  const inLibrary = pathname.startsWith('/wslock/');
  const folder = inLibrary ? LIBRARY : PAGE;
  const file = path.join(folder, path.normalize(inLibrary ? pathname.slice('/wslock'.length) : pathname));
  return file.startsWith(folder + path.sep) && fs.existsSync(file) ? file : null;
}

class Application {
  constructor({ files, ticketKey }) {
    this.files = files;
    this.ticketKey = ticketKey;
    this.documents = new Map();
    this.log = [];
    this.users = new Map(); // user → what goes into the token, beside the name
    this.tokenSeconds = new Map(); // user → how long a token is good for
    this.tokens = new Map(); // user → how many were given
    this.tokensAway = new Set(); // users
    this.away = new Set(); // '*': for all; pages: their saves do not arrive
    this.daemonUrl = '';
    this.server = https.createServer({ cert: fs.readFileSync(files.certificate), key: fs.readFileSync(files.key) },
      (request, response) => this.answer(request, response));
  }
  listen() {
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => {
      this.origin = `https://127.0.0.1:${this.server.address().port}`;
      resolve(this);
    }));
  }
  /* What a page connects to: the daemon, or a proxy before it. */
  url(user, resource, more = {}) {
    return `${this.origin}/?${new URLSearchParams({ as: user, section: resource, url: this.daemonUrl, ...more })}`;
  }
  document(resource) {
    if (!this.documents.has(resource)) this.documents.set(resource, { fence: 0, seq: 0, revision: 0, text: '' });
    return this.documents.get(resource);
  }
  async answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    try {
      if (request.method === 'POST') {
        this.send(response, 200, await this.post(pathname, await read(request)));
      } else {
        this.serve(pathname === '/' ? '/index.html' : pathname, response);
      }
    } catch (error) {
      this.send(response, error.status ?? 500, { error: error.message });
    }
  }
  send(response, status, body) {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(body));
  }
  serve(pathname, response) {
    const file = fileOf(pathname);
    if (!file) throw new Refused(404, 'NOT_FOUND');
    response.writeHead(200, { 'Content-Type': TYPES[path.extname(file)] ?? 'text/plain' });
    response.end(fs.readFileSync(file));
  }
  async post(pathname, body) {
    if (pathname === '/token') return this.token(body.user);
    const run = { '/open': this.open, '/save': this.save, '/read': this.read }[pathname];
    if (!run) throw new Refused(404, 'NOT_FOUND');
    if (this.away.has('*') || (pathname === '/save' && this.away.has(body.page))) throw new Refused(503, 'AWAY');
    const fence = pathname === '/read' ? 0 : await this.fenceOf(body);
    return run.call(this, { ...body, fence }, this.document(body.resource));
  }
  async token(user) {
    if (this.tokensAway.has(user)) throw new Refused(503, 'AWAY');
    this.tokens.set(user, (this.tokens.get(user) ?? 0) + 1);
    return { token: await token({ user, name: user, ttl: this.tokenSeconds.get(user) ?? 3600, ...this.users.get(user) }) };
  }
  /* The fence of a valid ticket for this user and this document. */
  async fenceOf({ user, resource, ticket }) {
    try {
      const { payload } = await jose.jwtVerify(ticket, this.ticketKey, { algorithms: ['ES256'], clockTolerance: LATE_S });
      if (payload.sub === user && payload.res === resource) return payload.fence;
    } catch {
      // the same answer
    }
    throw new Refused(401, 'TICKET');
  }
  note(what, { user, page, resource, fence, text }, document, ok) {
    this.log.push({ at: Date.now(), what, user, page, resource, fence, ok, text, highest: document.fence, revision: String(document.revision) });
  }
  /* Before a page that was granted the lock loads the text: afterwards no older holder can save. */
  open(body, document) {
    const ok = body.fence >= document.fence;
    this.note('open', body, document, ok);
    if (!ok) throw new Refused(409, 'STALE');
    if (body.fence > document.fence) Object.assign(document, { fence: body.fence, seq: 0 });
    return this.read(body, document);
  }
  read(body, { revision, text }) {
    return { revision: String(revision), text };
  }
  /* seq: counts the saves of a page, since two that are under way may change places. */
  save(body, document) {
    const { fence, seq, text } = body;
    const ok = fence > document.fence || (fence === document.fence && seq > document.seq);
    this.note('save', body, document, ok);
    if (!ok) throw new Refused(409, 'STALE');
    Object.assign(document, { fence, seq, text, revision: document.revision + 1 });
    return { revision: String(document.revision) };
  }
  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => { this.server.close(resolve); });
  }
}

/* The application, and what the daemon's configuration needs for it: {app, tls, config}. */
async function application(t) {
  const dir = tempDir(t);
  const files = certificate(dir);
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signingKeyFile = path.join(dir, 'tickets.pem');
  fs.writeFileSync(signingKeyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const app = new Application({ files, ticketKey: publicKey });
  cleanup(t, () => app.close());
  await app.listen();
  const config = {
    listen: [{ address: '127.0.0.1', port: await freePort(), tls: files }], allowedOrigins: [app.origin], tickets: { signingKeyFile },
  };
  return { app, config };
}

/* What Chromium's --ignore-certificate-errors-spki-list takes. */
function spki({ certificate: file }) {
  const key = new crypto.X509Certificate(fs.readFileSync(file)).publicKey;
  return crypto.createHash('sha256').update(key.export({ type: 'spki', format: 'der' })).digest('base64');
}

module.exports = { application, spki };
