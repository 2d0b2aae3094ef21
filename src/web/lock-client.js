// One connection to wslockd: native framing, reconnecting, one document section. Speaks what
// docs/protocol.md says and keeps no opinion of its own: what it shows is what the server said last.

import { Belief, now } from "./belief.js";

const ANSWER_MS = 5000; // what has had no answer by then: the connection is gone
const SLOW = new Set(["lock:takeover"]); // answered when the audit is on disk
const RECONNECT_FIRST_MS = 300;
const RECONNECT_MAX_MS = 5000;
// Names this page, and lives only as long: what is stored is copied where a tab is duplicated, and two live pages must
// not pass for one.
const PAGE_ID = crypto.randomUUID().replaceAll("-", "");
const NO_RECONNECT = new Set([1000, 1002, 1003, 1007, 1009, 4400, 4403, 4409]);

export class LockClient extends EventTarget {
  constructor({ url, resourceId, clientId, fetchToken, store }) {
    super();
    Object.assign(this, { url, resourceId, clientId, fetchToken, store });
    this.lock = { state: "unknown" };
    this.policy = null;
    this.users = new Map();
    this.viewers = 0;
    this.token = store.load() ?? null; // the fencing token that this tab believes it holds
    this.lastRev = 0; // of the room as events and resource:joined have told it
    this.nextId = 1;
    this.sentAt = new Map();
    this.pause = RECONNECT_FIRST_MS;
    this.wanted = false;
    this.attempt = 0;
    this.belief = new Belief();
  }

  get connected() { return this.socket?.readyState === WebSocket.OPEN && this.welcomed; }
  // Also for a while after the connection was lost; confirmed: not only that.
  get editing() { return this.belief.until > now(); }
  get confirmed() { return this.editing && this.belief.here; }

  async connect() {
    const attempt = ++this.attempt;
    this.wanted = true;
    clearTimeout(this.retry);
    let jwt;
    try {
      jwt = await this.fetchToken();
    } catch (problem) {
      if (attempt !== this.attempt) return;
      this.#tell("change", { event: "problem", data: { message: `No token: ${problem.message}` } });
      this.#connectLater();
      return;
    }
    if (attempt !== this.attempt) return;
    const socket = new WebSocket(this.url, "wslock.v1");
    this.socket = socket;
    this.welcomed = this.joined = false;
    this.answered = null; // when the last message was sent that was answered on this connection
    this.lastSent = now();
    this.sentAt.set("open", { at: now(), event: "open" });
    this.#watch();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.sentAt.delete("open");
      this.send("auth", { token: jwt, clientId: this.clientId, pageId: PAGE_ID });
    };
    socket.onmessage = (message) => this.#receive(socket, message.data);
    socket.onclose = (event) => this.#closed(socket, event);
  }

  // code undefined: as if the network had gone; 1000: on purpose.
  disconnect(code) {
    const socket = this.socket;
    this.attempt++;
    this.wanted = false;
    clearTimeout(this.retry);
    if (code === 1000) this.#setToken(null);
    if (!socket) {
      this.#watch();
      return;
    }
    socket.close(code);
    this.#closed(socket, { code: code ?? 1005, reason: "" });
  }

  // As a page that is loaded anew: it has the token, and knows nothing of the lock.
  forget() { this.belief.end(); }

  // ---- requests about the document ----
  acquire(takeOwn = false) { this.#ask("lock:acquire", takeOwn && { takeOwn }); }
  claim() { this.#ask("lock:claim"); }
  release(revision) { this.#ask("lock:release", revision && { revision }); }
  heartbeat(dirty) {
    if (this.joined) this.#ask("lock:heartbeat", { ...(this.token && { token: this.token }), active: true, dirty });
  }
  leaveQueue() { this.#ask("lock:queue_leave"); }
  request(message) { this.#ask("lock:request", message && { message }); }
  takeOver(reason, urgent) { this.#ask("lock:takeover", { reason, ...(urgent && { urgent }) }); }

  // ---- and about what is pending ----
  answer(requestId, action, revision) { this.send("lock:request_reply", { requestId, action, ...(revision && { revision }) }); }
  withdraw(requestId) { this.send("lock:request_cancel", { requestId }); }
  answerTakeover(requestId, action, revision) { this.send("lock:takeover_reply", { requestId, action, ...(revision && { revision }) }); }
  cancelTakeover(requestId) { this.send("lock:takeover_cancel", { requestId }); }

  #ask(event, more) { return this.send(event, { resourceId: this.resourceId, ...more }); }

  // Returns the message's id, or undefined when there is no connection.
  send(event, data) {
    if (this.socket?.readyState !== WebSocket.OPEN) return undefined;
    const id = this.nextId++;
    this.lastSent = now();
    this.sentAt.set(id, { at: this.lastSent, event });
    this.#watch();
    const text = JSON.stringify({ event, id, data });
    this.socket.send(text);
    this.#tell("frame", { way: "out", text: event.startsWith("auth") ? text.replace(/"token":"[^"]*"/, '"token":"…"') : text });
    return id;
  }

  // ---- what this tab may believe ----

  // Looks at the clock: whether this tab has to stop, whether the connection answers, whether something has to be sent. Also
  // to be called when the page comes to the front, and before anything is typed: timers may be late.
  check() {
    if (this.belief.look()) this.#tell("change", { event: "stopped", data: {} });
    if (this.#unanswered() + ANSWER_MS <= now()) this.#drop();
    if (this.#nextSign() <= now()) this.#giveSign();
    this.#watch();
  }

  #watch() {
    clearTimeout(this.checkTimer);
    const at = Math.min(this.belief.until || Infinity, this.#unanswered() + ANSWER_MS, this.#nextSign());
    if (at < Infinity) this.checkTimer = setTimeout(() => this.check(), Math.max(1, Math.ceil(at - now())));
  }

  #unanswered() {
    const times = [...this.sentAt.values()].filter(({ event }) => !SLOW.has(event)).map(({ at }) => at);
    return Math.min(Infinity, ...times);
  }

  // When something has to be sent, so that it is heard of often enough.
  #nextSign() {
    const needed = this.joined && (this.belief.held || this.belief.silent);
    return needed ? this.lastSent + this.policy.livenessMs * 0.9 : Infinity;
  }

  // Whoever has stopped for want of an answer goes on only when the server says that the lock is still there.
  #giveSign() {
    if (this.belief.silent) this.#ask("lock:heartbeat", { token: this.token, active: false });
    else this.send("session:ping", {});
  }

  // What the network swallows without a word is noticed here, minutes before TCP does; the next connection gets the lock back.
  #drop() {
    const { socket } = this;
    this.#closed(socket, { code: 1006, reason: "no answer" });
    socket.close();
  }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  #setToken(token) {
    this.token = token;
    this.store.save(token);
    if (token === null) this.belief.end();
  }

  #receive(socket, text) {
    if (socket !== this.socket) return;
    this.check(); // late is late, whatever has come meanwhile
    if (socket !== this.socket) return;
    this.#tell("frame", { way: "in", text });
    const { event, id, data } = JSON.parse(text);
    const asked = this.sentAt.get(id)?.at;
    this.sentAt.delete(id);
    if (asked !== undefined) this.#answered(asked, data.serverTime);
    const reply = id !== undefined;
    if (!reply && data.rev > this.lastRev) this.lastRev = data.rev;
    if (event === "lock:lost" && reply && this.token === null) return; // why has been told already
    if (event === "error" && reply && id === this.joining) this.#joinLater(data.retryAfterMs);
    this.#handle(event, data, asked ?? now(), reply);
    this.#tell("change", { event, data, reply });
    this.#watch();
  }

  #answered(at, serverTime) {
    this.answered = at;
    this.belief.hear(at);
    if (serverTime) this.clock = { at, serverTime };
  }

  // Told without having been asked for it, the lock is known as long as the last answer is old.
  #confirm({ expiresAt, serverTime }) {
    this.belief.confirm(this.answered, this.policy, expiresAt - serverTime);
  }

  #join() {
    this.joining = this.send("resource:join", {
      resourceId: this.resourceId, clientId: this.clientId,
      mode: this.token ? "editor" : "viewer", ...(this.token && { token: this.token }),
    });
  }

  // What a join as editor brought instead of the lock. What became of the token has been told by then, unless
  // the server is putting its locks together again.
  #denied({ reason, retryAfterMs }) {
    if (reason !== "RECOVERING") this.#setToken(null);
    else if (this.token) this.#joinLater(retryAfterMs ?? 1000);
  }

  // pauseMs undefined: asking again would bring the same.
  #joinLater(pauseMs) {
    if (pauseMs !== undefined) this.retry = setTimeout(() => this.#join(), pauseMs);
  }

  #handle(event, data, asked, reply) {
    switch (event) {
      case "welcome":
        this.welcomed = true;
        this.pause = RECONNECT_FIRST_MS;
        this.user = data.userId;
        this.#join();
        break;
      case "resource:joined":
        this.lastRev = data.rev;
        this.joined = true;
        this.policy = data.policy;
        this.users = new Map(data.users.map((u) => [u.userId, u]));
        this.viewers = data.viewers;
        this.#setLock(data.lock, data, asked);
        if (data.lock.mine && data.lock.state === "held") this.#confirm({ ...data.lock, serverTime: data.serverTime });
        if (data.lost) this.#setToken(null);
        break;
      case "resource:policy":
        this.policy = data.policy;
        this.belief.adopt(data.policy);
        break;
      case "lock:denied":
        if (!reply) this.#denied(data);
        break;
      case "lock:acquired":
      case "lock:renewed":
        this.#setToken(data.token);
        this.#confirm(data);
        this.#setLock({ ...this.lock, state: "held", mine: true, expiresAt: data.expiresAt }, data, asked);
        break;
      case "lock:state":
        this.#setLock({ ...data.lock, mine: this.#isMine(data.lock) }, data, asked);
        break;
      case "lock:lost":
        if (!this.token || data.token >= this.token) this.#setToken(null);
        this.lock = { ...this.lock, mine: false };
        break;
      case "lock:released":
        if (data.previousHolder === undefined) this.#setToken(null);
        break;
      case "presence:diff":
        data.left.forEach((u) => this.users.delete(u.userId));
        [...data.joined, ...data.changed].forEach((u) => this.users.set(u.userId, u));
        this.viewers = data.viewers;
        break;
      case "system:degraded":
        if (data.confirmedUntil !== null && this.clock) this.belief.limit(this.clock.at + (data.confirmedUntil - this.clock.serverTime));
        break;
      case "system:recovered":
        if (this.token && this.joined) this.#ask("lock:heartbeat", { token: this.token, active: false });
        break;
      case "auth:expiring":
        this.fetchToken().then((token) => this.send("auth:refresh", { token }), () => {}); // else 4401, and a new try
        break;
      case "server:draining":
        this.pause = data.reconnectInMs;
        break;
    }
  }

  // The lock belongs to (user, tab): a held lock of this user is this tab's if this tab has its token.
  #isMine(lock) {
    return (lock.state === "held" || lock.state === "grace") && lock.holder?.userId === this.user && this.token !== null;
  }

  // Counted from when the request was sent, on this machine's own clock. A reply that is older than what events
  // have told says nothing new of the lock, but its token may show that what they told is this tab's.
  #setLock(lock, { rev, serverTime }, asked) {
    if (rev < this.lastRev) {
      this.lock = { ...this.lock, mine: this.#isMine(this.lock) };
      return;
    }
    this.lock = lock;
    const until = lock.graceUntil ?? lock.reservedUntil ?? lock.expiresAt;
    this.endsAt = until && serverTime ? asked + (until - serverTime) : null;
  }

  #closed(socket, event) {
    if (socket !== this.socket) return;
    this.socket = null; // of one that closes slowly nothing more is heard
    this.welcomed = this.joined = false;
    this.sentAt.clear();
    if (NO_RECONNECT.has(event.code)) this.belief.end(); // nobody here will take the lock up again
    else this.belief.doubt();
    this.#watch();
    this.lock = { ...this.lock, mine: false }; // until the next join says whose it is
    clearTimeout(this.retry);
    this.#tell("frame", { way: "info", text: `closed ${event.code} ${event.reason}` });
    this.#tell("change", { event: "closed", data: { code: event.code, reason: event.reason } });
    if (!this.wanted || NO_RECONNECT.has(event.code)) return;
    this.#connectLater();
  }

  #connectLater() {
    this.retry = setTimeout(() => this.connect(), this.pause);
    this.pause = Math.min(this.pause * 2, RECONNECT_MAX_MS);
  }
}
