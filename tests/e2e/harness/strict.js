'use strict';
/*
 * A client that keeps to docs/protocol.md, "What a client may believe", to the letter, and a record of when it
 * believed that it may edit. All times are of this process's monotonic clock.
 */
const WebSocket = require('ws');
const { cleanup } = require('./basics');
const { ANSWER_MS, Believer, TICK_MS } = require('./believer');

/* When something was believed: intervals {from, to}, as long as they can have been. `belief()` gives until when it
   would be believed as things stand, or 0. */
class Record {
  constructor(belief, onLate = () => {}) {
    Object.assign(this, { belief, onLate });
    this.past = [];
    this.open = null;
  }
  /* To be called before anything is learned, and after it. */
  look(now = performance.now()) {
    const until = this.belief();
    if (now < until) {
      this.open ??= { from: now };
      this.open.to = until;
    } else if (this.open) {
      this.past.push({ from: this.open.from, to: Math.min(this.open.to, now) });
      this.open = null;
      this.onLate();
    }
    return now < until;
  }
  get intervals() {
    return this.open ? [...this.past, { from: this.open.from, to: performance.now() }] : this.past;
  }
}

class StrictClient extends Believer {
  /* options: {url, resourceId, clientId, makeToken, again}; again: tries for the lock until it has it, and after a
     loss too. */
  constructor(options) {
    super();
    Object.assign(this, options);
    this.told = []; // reasons why not
    this.record = new Record(() => this.until, () => { this.held = null; });
    this.wanted = true;
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.connect();
  }
  get believes() {
    return this.record.look();
  }
  /* For who reads of a failure. */
  get state() {
    const { told, token, ready, held } = this;
    return { told, token, ready, held, socket: this.socket?.readyState, sent: [...this.sent.values()] };
  }
  end() {
    this.wanted = false;
    clearInterval(this.timer);
    this.socket?.terminate();
  }
  connect() {
    const socket = new WebSocket(this.url, 'wslock.v1', { handshakeTimeout: ANSWER_MS });
    this.opened(socket);
    this.ready = false;
    const mine = (fn) => (...args) => {
      if (this.socket !== socket) return;
      this.record.look();
      fn(...args);
      this.record.look();
    };
    socket.on('error', () => {});
    socket.on('open', mine(async () => {
      const token = await this.makeToken();
      if (this.socket === socket) this.send('auth', { token, clientId: this.clientId });
    }));
    socket.on('message', mine((text) => this.receive(JSON.parse(text))));
    socket.on('close', mine(() => this.closed()));
  }
  closed() {
    this.unconfirmed();
    this.socket = null;
    if (this.wanted) setTimeout(() => this.wanted && this.connect(), 100);
  }
  join() {
    const editor = this.again || this.token;
    this.about('resource:join', { mode: editor ? 'editor' : 'viewer', ...(this.token && { token: this.token }) });
  }
  tick() {
    const now = performance.now();
    this.record.look(now);
    if (!this.socket || this.socket.readyState !== WebSocket.OPEN) return;
    if (this.isUnanswered(now)) {
      const { socket } = this;
      this.closed();
      socket.terminate();
    } else if (this.ready && this.token) {
      this.keepAlive(now);
    }
  }
  /* Tries again, if it is still to have the lock. */
  later(fn) {
    const { socket } = this;
    if (this.again || this.token) setTimeout(() => this.socket === socket && socket.readyState === WebSocket.OPEN && fn(), 150);
  }
  lose(reason) {
    this.told.push(reason);
    this.forget();
    this.later(() => this.about('lock:acquire'));
  }
  receive(message) {
    const { event, data } = message;
    const request = this.take(message);
    const at = request?.at ?? this.answered;
    switch (event) {
      case 'welcome':
        return this.join();
      case 'resource:joined':
        this.ready = true;
        this.policy = data.policy;
        if (data.lock.mine && data.lock.state === 'held') this.confirm(at, { ...data.lock, serverTime: data.serverTime });
        if (data.lost) this.lose(data.lost.reason);
        return undefined;
      case 'lock:acquired':
      case 'lock:renewed':
        this.token = data.token;
        return this.confirm(at, data);
      case 'lock:lost':
        if (!this.token || data.token >= this.token) this.lose(data.reason);
        return undefined;
      case 'lock:denied':
        this.told.push(data.reason);
        if (data.reason === 'RECOVERING' && this.token) return this.later(() => this.join());
        this.held = null;
        this.token = undefined;
        return this.later(() => this.about('lock:acquire'));
      case 'lock:holder_disconnected':
        return this.again && this.about('lock:claim');
      case 'system:degraded':
        return this.degraded(data);
      case 'system:recovered':
        return this.token && this.ready && this.beat();
      case 'error':
        this.told.push(data.code);
        if (request?.event === 'resource:join') return this.later(() => this.join());
        if (request?.event === 'lock:acquire') return this.later(() => this.about('lock:acquire'));
        return undefined;
      default:
        return undefined;
    }
  }
}

function strictClient(t, options) {
  const client = new StrictClient(options);
  cleanup(t, () => client.end());
  return client;
}

module.exports = { Record, strictClient };
