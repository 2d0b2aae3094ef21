'use strict';
/*
 * A tab of a user that edits one resource, and does at random what users do. It keeps to docs/protocol.md, "What a client
 * may believe", and writes what it sends, hears and believes into the history.
 */
const h = require('../e2e/harness');

const { ANSWER_MS, TICK_MS, WebSocket } = h;

const AGAIN_MS = 150;
const MAY_ASK = new Set(['lock:acquire', 'lock:request']);
/* What may bring the lock. */
const ASKS = new Set(['resource:join', 'lock:acquire', 'lock:claim', 'lock:takeover', 'lock:request', 'lock:heartbeat']);

class Tab extends h.Believer {
  /* world: {history, documents, url(instance), instances}; options: {name, user, admin, resourceId, rnd}. */
  constructor(world, options) {
    super();
    Object.assign(this, options, { world });
    this.clientId = `chaos-${this.name}`;
    this.pageId = `page-${this.name}`;
    this.token = null; // that it believes to have, or will ask for when it is back
    this.past = null; // the last token of which it was told that it is over
    this.believing = null; // the open interval
    this.stopped = 0; // when it last offered to give its lock up
    this.lock = null; // its view of the lock, by rev
    this.frozen = false;
    this.quiet = false; // keeps what it has, and starts nothing
    this.away = false; // does not connect
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
  forget() {
    super.forget();
    this.token = null;
    this.here = false;
    this.sawAt = null;
  }

  // ---- the connection ----

  async connect() {
    if (this.socket || this.ended || this.away) return;
    const socket = new WebSocket(this.world.url(this.instance), 'wslock.v1', { handshakeTimeout: ANSWER_MS, perMessageDeflate: false });
    this.opened(socket);
    this.joined = false;
    this.here = false; // this connection has said that the lock is this tab's ...
    this.sawAt = null; // ... and then, at this time, that somebody else has it, or nobody
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
    this.unconfirmed();
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
  /* Is gone, and comes back by another instance. */
  stayAway(on) {
    if (this.away === on) return;
    this.away = on;
    if (on) {
      this.leave();
      return;
    }
    this.instance = (this.instance + 1) % this.world.instances;
    this.connect();
  }
  end(code = 1000) {
    this.ended = true;
    clearInterval(this.timer);
    this.leave(code);
  }
  die() {
    this.look();
    this.end(null);
  }

  // ---- sending ----

  send(event, data) {
    const open = [...this.sent.values()].filter((request) => ASKS.has(request.event));
    super.send(event, data);
    if (!ASKS.has(event) || open.length === 0) return;
    for (const request of [this.sent.get(this.nextId), ...open]) request.crowded = true;
  }
  /* Who gives the lock up has stopped editing, whatever answers an earlier request. */
  stopFor(event, data) {
    this.stopped = performance.now();
    this.endBelief(this.stopped);
    this.held = null;
    this.send(event, data);
  }
  confirm(at, data) {
    if (at >= this.stopped) super.confirm(at, data);
  }
  giveUp() {
    if (this.live && this.token) this.stopFor('lock:release', { resourceId: this.resourceId, revision: 'r' });
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
    if (this.isUnanswered(now)) {
      this.leave();
      return;
    }
    if (!this.joined) return;
    if (this.token) this.keepAlive(now);
    if (this.socket && now >= this.nextAct) {
      this.nextAct = now + this.rnd.between(100, 1200);
      this.act();
    }
  }
  beat() {
    super.beat({ dirty: this.rnd.chance(0.5) });
  }

  // ---- what a user does ----

  act() {
    if (this.look()) this.edit();
    else if (this.turn) this.about('lock:claim');
    else if (!this.quiet && !this.token) this.want();
    // A page that was restored from before names a token that is over.
    if (!this.quiet && this.past && this.rnd.chance(0.2)) this.about('lock:heartbeat', { token: this.past });
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
      this.giveUp();
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

  receive(message) {
    const { event, data } = message;
    const request = this.take(message);
    this.see(event, data, request);
    this.handle(event, data, request);
  }
  /* The rule of rev: replies do not raise it, but for resource:joined. */
  see(event, data, request) {
    if (event === 'lock:state') this.note('heard', { rev: data.rev });
    if (data.resourceId !== this.resourceId || !(data.rev >= this.rev)) return;
    if (event === 'resource:joined' || event === 'lock:state') this.lock = data.lock;
    if (!request || event === 'resource:joined') this.rev = data.rev;
    const owner = data.lock?.holder?.userId;
    if (event === 'lock:state' && this.here && this.token && data.rev > this.token && owner !== this.user) this.sawAt ??= performance.now();
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
        this.past = this.token;
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
        return this.degraded(data);
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
    this.note('joined', { rev: data.rev });
    const { token } = request;
    if (token) {
      const kept = data.lock.mine === true;
      this.note('back', { token, sentAt: request.at, kept, lost: data.lost?.reason ?? null, lock: data.lock, type: this.type });
    }
    this.here = data.lock.mine === true;
    if (data.lock.mine && data.lock.state === 'held') this.confirm(request.at, { ...data.lock, serverTime: data.serverTime });
    if (data.lost) this.onLost(data.lost.token, data.lost.reason, request);
  }
  onGranted(event, data, request, at) {
    const isNew = data.token !== this.token;
    if (event === 'lock:acquired' || isNew) {
      this.note('granted', {
        token: data.token, sentAt: request?.at ?? null, request: request?.event ?? null, resumed: data.resumed === true,
        previous: data.previous?.reason ?? null, named: request?.token ?? null,
      });
    } else {
      this.note('renewed', { token: data.token, sentAt: request?.at ?? null, named: request?.token ?? null });
    }
    this.token = data.token;
    this.here = true;
    this.sawAt = null;
    this.turn = this.position = false;
    if (isNew) this.world.documents.register(this.resourceId, data.token);
    this.confirm(at, data);
  }
  onLost(token, reason, request) {
    this.note('lost', { token, reason, asked: request?.event ?? null, sentAt: request?.at ?? null, sawAt: this.sawAt });
    if (!this.token || token < this.token) return;
    this.past = token;
    this.forget();
  }
  onDenied({ reason }, request) {
    this.note('denied', { reason, token: this.token, request: request?.event ?? null, sentAt: request?.at ?? null, alone: request && !request.crowded });
    if (request) return;
    if (reason === 'RECOVERING' && this.token) {
      this.later(() => this.join());
      return;
    }
    if (this.token) this.note('lost', { token: this.token, reason: `DENIED ${reason}`, asked: 'resource:join', sentAt: null, sawAt: null });
    this.forget();
  }
  onError({ code }, request) {
    this.note('error', { code, request: request?.event ?? null, sentAt: request?.at ?? null });
    if (request?.event === 'resource:join') this.later(() => this.join());
    else if (!request && this.token) this.later(() => this.join()); // a join's second answer
    else if (code === 'UNKNOWN_REQUEST') this.asked = null;
    else if (code === 'NOT_HOLDER' && request?.event === 'lock:claim') this.turn = false;
    if (MAY_ASK.has(request?.event)) this.turn = false;
  }
}

module.exports = { Tab };
