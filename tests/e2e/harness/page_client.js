'use strict';
/* The demo's own client (src/web) outside a browser, with whatever clocks and timers a test gives it. */
const { webcrypto } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');
const WebSocket = require('ws');
const { ROOT, cleanup } = require('./basics');
const { Record } = require('./strict');

const SOURCE = ['belief.js', 'lock-client.js']
  .map((name) => fs.readFileSync(path.join(ROOT, 'src/web', name), 'utf8').replace(/^import .*$/gm, '').replace(/^export /gm, ''))
  .join('\n');

class Socket extends WebSocket {
  constructor(...args) {
    super(...args);
    this.on('error', () => {}); // a page sees it in its console
  }
}

/* {LockClient, Belief, now}; globals: what stands in the place of the browser's. */
function pageModules(globals = {}) {
  return vm.runInNewContext(`${SOURCE}\n({ LockClient, Belief, now });`, {
    WebSocket: Socket, EventTarget, CustomEvent, performance, Date, setTimeout, clearTimeout, crypto: webcrypto, ...globals,
  });
}

/* A page around the client: it sends heartbeats, and with `again` wants the lock as long as it has not got it. */
class PageClient {
  constructor({ url, resourceId, clientId, makeToken, again, globals }) {
    const { LockClient } = pageModules(globals);
    this.again = again;
    this.told = [];
    this.client = new LockClient({
      url, resourceId, clientId, fetchToken: makeToken, store: { load: () => null, save: () => {} },
    });
    this.record = new Record(() => this.client.belief.until);
    this.client.addEventListener('frame', () => this.record.look());
    this.client.addEventListener('change', ({ detail }) => this.changed(detail));
    this.timer = setInterval(() => this.record.look(), 25);
    this.client.connect();
  }
  get believes() {
    return this.record.look();
  }
  get token() {
    return this.client.token ?? undefined;
  }
  /* For who reads of a failure. */
  get state() {
    const { told, token, client } = this;
    return { told, token, joined: client.joined, belief: client.belief, socket: client.socket?.readyState, sent: [...client.sentAt.values()] };
  }
  end() {
    for (const timer of [this.timer, this.beat]) clearInterval(timer);
    this.again = false;
    this.client.disconnect(1000);
  }
  changed({ event, data, reply }) {
    this.record.look();
    if (event === 'lock:acquired') {
      clearInterval(this.beat);
      this.beat = setInterval(() => this.client.editing && this.client.heartbeat(), data.heartbeatIntervalMs);
    }
    const reason = { 'lock:denied': data.reason, 'lock:lost': data.reason, error: data.code }[event] ?? data.lost?.reason;
    if (reason) this.told.push(reason);
    if (event === 'lock:holder_disconnected' && this.again) this.client.claim();
    const wants = event === 'resource:joined' ? !data.lock.mine : event === 'lock:lost' || (event === 'lock:denied' && reply) || event === 'error';
    if (wants && this.again) setTimeout(() => this.again && !this.client.editing && this.client.acquire(), 150);
  }
}

function pageClient(t, options) {
  const client = new PageClient(options);
  cleanup(t, () => client.end());
  return client;
}

module.exports = { pageClient, pageModules };
