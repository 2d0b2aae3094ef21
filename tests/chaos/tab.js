'use strict';
/*
 * A tab of a user that edits one resource, and does at random what users do. It keeps to docs/protocol.md, "What a client
 * may believe", and writes what it sends, hears and believes into the history.
 */
const h = require('../e2e/harness');

const { WebSocket } = h;

const ANSWER_MS = 5000;
const TICK_MS = 25;
const AGAIN_MS = 150;
const MAY_ASK = new Set(['lock:acquire', 'lock:request']);

class Tab {
  /* world: {history, documents, url(instance), instances}; options: {name, user, admin, resourceId, rnd}. */
  constructor(world, options) {
    Object.assign(this, options, { world });
    this.clientId = `chaos-${this.name}`;
    this.pageId = `page-${this.name}`;
    this.token = null; // that it believes to have, or will ask for when it is back
    this.held = null; // {answered, expires, confirmed, here}
    this.believing = null; // the open interval
    this.lock = null; // its view of the lock, by rev
    this.frozen = false;
    this.quiet = false; // keeps what it has, and starts nothing
    this.instance = this.rnd.below(world.instances);
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.nextAct = 0;
    this.connect();
  }
  get live() {
    return this.joined && this.socket?.readyState === WebSocket.OPEN;
  }
  note(kind, entry) {
    return this.world.history.add(kind, { tab: this.name, user: this.user, resourceId: this.resourceId, ...entry });
  }

  // ---- what it believes ----

  get until() {
    if (!this.held) return 0;
    return Math.min(this.held.answered + this.policy.gracePeriodMs, this.held.expires, this.held.confirmed);
  }
  look(now = performance.now()) {
    const { until } = this;
    if (now < until) {
      if (this.believing?.token !== this.token) {
        this.endBelief(now);
        this.believing = this.note('belief', { token: this.token, from: now });
      }
      this.believing.to = until;
    } else {
      this.endBelief(now);
      this.held = null;
    }
    return now < until;
  }
  endBelief(now) {
    if (!this.believing) return;
    this.believing.to = Math.min(this.believing.to, now);
    this.believing = null;
  }
  confirm(at, data) {
    this.lastBeat ??= at;
    this.held = { answered: at, expires: at + (data.expiresAt - data.serverTime), confirmed: Infinity, here: true };
  }
  forget() {
    this.held = null;
    this.token = null;
    this.lastBeat = undefined;
  }

  // ---- the connection ----

  async connect() {
    if (this.socket || this.ended) return;
    const socket = new WebSocket(this.world.url(this.instance), 'wslock.v1', { handshakeTimeout: ANSWER_MS, perMessageDeflate: false });
    this.socket = socket;
    this.sent = new Map();
    this.answered = null;
    this.joined = false;
    this.rev = -1;
    this.position = this.turn = false;
    this.asked = null;
    this.takeover = null;
    const mine = (fn) => (...args) => {
      if (this.socket !== socket) return;
      this.look();
      fn(...args);
      this.look();
    };
    const token = await h.token({ user: this.user, name: this.user, roles: this.admin ? ['lock-admin'] : [] });
    socket.on('error', () => {});
    const hello = mine(() => this.send('auth', { token, clientId: this.clientId, pageId: this.pageId }));
    socket.on('message', mine((text) => this.receive(JSON.parse(text))));
    socket.on('close', mine((code) => this.gone(code)));
    if (socket.readyState === WebSocket.OPEN) hello();
    else if (socket.readyState === WebSocket.CONNECTING) socket.on('open', hello);
    else mine(() => this.gone(1006))();
  }
  gone(how) {
    this.note('gone', { how, token: this.token, answered: this.answered });
    if (this.held) this.held.here = false;
    if (this.held && this.policy.disconnect !== 'grace') this.held = null;
    this.socket = null;
    this.joined = false;
    if (how === 1000) this.forget();
    if (this.ended) return;
    if (this.rnd.chance(0.4)) this.instance = this.rnd.below(this.world.instances);
    setTimeout(() => this.connect(), this.rnd.between(50, 400));
  }
  /* Ends the connection: 1000 on purpose, undefined without a word. */
  leave(code) {
    const { socket } = this;
    if (!socket) return;
    this.look();
    this.gone(code ?? 'cut');
    if (code) socket.close(code);
    else socket.terminate();
    this.look();
  }
  freeze(on) {
    this.frozen = on;
    if (on) this.socket?._socket?.pause();
    else this.socket?._socket?.resume();
  }
  end() {
    this.ended = true;
    clearInterval(this.timer);
    this.leave(1000);
  }

  // ---- sending ----

  send(event, data) {
    const id = this.nextId = (this.nextId ?? 0) + 1;
    this.lastSent = performance.now();
    this.sent.set(id, { at: this.lastSent, event, token: data?.token });
    this.socket.send(JSON.stringify({ event, id, data }));
  }
  /* Who gives the lock up has stopped editing. */
  stopFor(event, data) {
    this.endBelief(performance.now());
    this.held = null;
    this.send(event, data);
  }
  about(event, more) {
    this.send(event, { resourceId: this.resourceId, ...more });
  }
  join() {
    this.about('resource:join', { mode: this.token ? 'editor' : 'viewer', ...(this.token && { token: this.token }) });
  }
  later(fn) {
    const { socket } = this;
    setTimeout(() => this.socket === socket && socket.readyState === WebSocket.OPEN && fn(), AGAIN_MS);
  }
  tick() {
    if (this.frozen) return;
    const now = performance.now();
    this.look(now);
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    for (const { at, event } of this.sent.values()) {
      if (now - at > ANSWER_MS && event !== 'lock:takeover') {
        this.leave();
        return;
      }
    }
    if (!this.joined) return;
    if (this.token) this.keepAlive(now);
    if (this.socket && now >= this.nextAct) {
      this.nextAct = now + this.rnd.between(100, 1200);
      this.act();
    }
  }
  keepAlive(now) {
    const live = this.policy.livenessMs - 2 * TICK_MS;
    if (now - (this.lastBeat ?? 0) >= (this.held ? this.policy.heartbeatIntervalMs : live)) this.beat();
    else if (now - this.lastSent >= live) this.send('session:ping', {});
  }
  beat() {
    this.lastBeat = performance.now();
    this.about('lock:heartbeat', { token: this.token, dirty: this.rnd.chance(0.5) });
  }

  // ---- what a user does ----

  act() {
    if (this.look()) this.edit();
    else if (this.turn) this.about('lock:claim');
    else if (!this.quiet && !this.token) this.want();
    if (!this.quiet && this.rnd.chance(0.03)) this.leave(this.rnd.pick([1000, undefined, undefined]));
  }
  edit() {
    const { documents } = this.world;
    documents.save(this.name, this.resourceId, this.token);
    if (this.quiet) return;
    if (this.takeover && this.rnd.chance(0.5)) {
      this.stopFor('lock:takeover_reply', { requestId: this.takeover, action: this.rnd.pick(['APPROVE', 'DENY']) });
      this.takeover = null;
    } else if (this.question && this.rnd.chance(0.5)) {
      this.stopFor('lock:request_reply', { requestId: this.question, action: this.rnd.pick(['APPROVE', 'DENY', 'IGNORE']) });
      this.question = null;
    } else if (this.rnd.chance(0.12)) {
      this.stopFor('lock:release', { resourceId: this.resourceId, revision: 'r' });
    }
  }
  want() {
    const what = this.rnd.below(10);
    if (this.admin && what < 3) this.about('lock:takeover', { reason: 'chaos', urgent: this.rnd.chance(0.2) });
    else if (what < 7) this.about('lock:acquire', { takeOwn: this.rnd.chance(0.3) });
    else if (what < 8 && this.position) this.about('lock:queue_leave');
    else if (what < 9) this.about('lock:request', { message: 'please' });
    else if (this.asked) this.send('lock:request_cancel', { requestId: this.asked });
  }

  // ---- hearing ----

  receive({ event, id, data }) {
    const request = this.sent.get(id);
    this.sent.delete(id);
    if (request) {
      this.answered = request.at;
      if (this.held?.here) this.held.answered = request.at;
      if (data.serverTime) this.clock = { at: request.at, serverTime: data.serverTime };
    }
    this.see(event, data);
    this.handle(event, data, request);
  }
  /* The rule of rev. */
  see(event, data) {
    if (data.resourceId !== this.resourceId || !(data.rev >= this.rev)) return;
    if (event === 'resource:joined' || event === 'lock:state') this.lock = data.lock;
    if (event !== 'error') this.rev = data.rev;
  }
  handle(event, data, request) {
    const at = request?.at ?? this.answered;
    switch (event) {
      case 'welcome':
        return this.join();
      case 'resource:joined':
        return this.onJoined(data, request);
      case 'resource:policy':
        this.policy = data.policy;
        return undefined;
      case 'lock:acquired':
      case 'lock:renewed':
        return this.onGranted(event, data, request, at);
      case 'lock:lost':
        return this.onLost(data.token, data.reason, request);
      case 'lock:released':
        if (request?.event !== 'lock:release') return undefined;
        this.note('released', { token: this.token });
        return this.forget();
      case 'lock:denied':
        return this.onDenied(data, request);
      case 'lock:queued':
        this.position = true;
        return undefined;
      case 'lock:your_turn':
      case 'lock:available':
        this.turn = true;
        return undefined;
      case 'lock:queue_left':
        this.position = this.turn = false;
        return undefined;
      case 'lock:requested':
        this.asked = data.requestId;
        return undefined;
      case 'lock:request_received':
        this.question = data.requestId;
        return undefined;
      case 'lock:takeover_requested':
        this.takeover = data.requestId;
        return undefined;
      case 'lock:holder_disconnected':
        return !this.quiet && this.rnd.chance(0.5) ? this.about('lock:claim') : undefined;
      case 'system:degraded':
        if (this.held && this.clock && data.confirmedUntil !== null) {
          this.held.confirmed = this.clock.at + (data.confirmedUntil - this.clock.serverTime);
        }
        return undefined;
      case 'system:recovered':
        return this.token && this.joined ? this.beat() : undefined;
      case 'error':
        return this.onError(data, request);
      default:
        return undefined;
    }
  }
  onJoined(data, request) {
    this.policy = data.policy;
    this.joined = true;
    const { token } = request;
    if (token) {
      const kept = data.lock.mine === true;
      this.note('back', { token, sentAt: request.at, kept, lost: data.lost?.reason ?? null, lock: data.lock, type: this.type });
    }
    if (data.lock.mine && data.lock.state === 'held') this.confirm(request.at, { ...data.lock, serverTime: data.serverTime });
    if (data.lost) this.onLost(data.lost.token, data.lost.reason, request);
  }
  onGranted(event, data, request, at) {
    const isNew = data.token !== this.token;
    if (event === 'lock:acquired' || isNew) {
      this.note('granted', {
        token: data.token, sentAt: request?.at ?? null, request: request?.event ?? null, resumed: data.resumed === true,
        previous: data.previous?.reason ?? null,
      });
    } else {
      this.note('renewed', { token: data.token, sentAt: request?.at ?? null });
    }
    this.token = data.token;
    this.turn = this.position = false;
    if (isNew) this.world.documents.register(this.resourceId, data.token);
    this.confirm(at, data);
  }
  onLost(token, reason) {
    this.note('lost', { token, reason });
    if (this.token && token >= this.token) this.forget();
  }
  onDenied({ reason }, request) {
    if (request) return;
    if (reason === 'RECOVERING' && this.token) {
      this.later(() => this.join());
      return;
    }
    if (this.token) this.note('lost', { token: this.token, reason: `DENIED ${reason}` });
    this.forget();
  }
  onError({ code }, request) {
    if (request?.event === 'resource:join') this.later(() => this.join());
    else if (!request && this.token) this.later(() => this.join()); // a join's second answer
    else if (code === 'UNKNOWN_REQUEST') this.asked = null;
    else if (code === 'NOT_HOLDER' && request?.event === 'lock:claim') this.turn = false;
    if (MAY_ASK.has(request?.event)) this.turn = false;
  }
}

module.exports = { Tab };
