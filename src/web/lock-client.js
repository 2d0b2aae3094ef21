// One connection to wslockd: native framing, reconnecting, one document section. Speaks what
// docs/protocol.md says and keeps no opinion of its own: what it shows is what the server said last.

const ANSWER_MS = 5000; // a heartbeat that has had no answer by then: the connection is gone
const RECONNECT_FIRST_MS = 300;
const RECONNECT_MAX_MS = 5000;
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
    this.lastRev = new Map();
    this.nextId = 1;
    this.sentAt = new Map();
    this.pause = RECONNECT_FIRST_MS;
    this.wanted = false;
    this.attempt = 0;
  }

  get connected() { return this.socket?.readyState === WebSocket.OPEN && this.welcomed; }
  get editing() { return this.lock.mine === true && this.lock.state === "held"; }

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
    this.welcomed = false;
    socket.onopen = () => this.send("auth", { token: jwt, clientId: this.clientId });
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
    if (!socket) return;
    socket.close(code);
    this.#closed(socket, { code: code ?? 1005, reason: "" });
  }

  // ---- requests about the document ----
  acquire(takeOwn = false) { this.#ask("lock:acquire", takeOwn && { takeOwn }); }
  claim() { this.#ask("lock:claim"); }
  release(revision) { this.#ask("lock:release", revision && { revision }); }
  heartbeat(dirty) {
    const id = this.#ask("lock:heartbeat", { ...(this.token && { token: this.token }), active: true, dirty });
    setTimeout(() => { if (this.sentAt.has(id)) this.#drop(); }, ANSWER_MS);
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
    this.sentAt.set(id, performance.now());
    const text = JSON.stringify({ event, id, data });
    this.socket.send(text);
    this.#tell("frame", { way: "out", text: event.startsWith("auth") ? text.replace(/"token":"[^"]*"/, '"token":"…"') : text });
    return id;
  }

  // What the network swallows without a word is noticed here, minutes before TCP does. Nobody types on meanwhile
  // (the protocol allows it for as long as the grace period); the next connection gets the lock back.
  #drop() {
    const { socket } = this;
    this.#closed(socket, { code: 1006, reason: "no answer" });
    socket.close();
  }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  #setToken(token) {
    this.token = token;
    this.store.save(token);
  }

  #receive(socket, text) {
    if (socket !== this.socket) return;
    this.#tell("frame", { way: "in", text });
    const { event, id, data } = JSON.parse(text);
    const asked = this.sentAt.get(id);
    this.sentAt.delete(id);
    // An event (not a reply) that is older than the last of its kind says nothing new.
    if (id === undefined && data.rev !== undefined && data.resourceId) {
      if (data.rev <= (this.lastRev.get(event) ?? 0)) return;
      this.lastRev.set(event, data.rev);
    }
    const reply = id !== undefined;
    if (event === "lock:lost" && reply && this.token === null) return; // why has been told already
    if (event === "error" && reply && id === this.joining) this.#joinLater(data.retryAfterMs);
    this.#handle(event, data, asked ?? performance.now(), reply);
    this.#tell("change", { event, data, reply });
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
        this.lastRev.clear();
        this.policy = data.policy;
        this.users = new Map(data.users.map((u) => [u.userId, u]));
        this.viewers = data.viewers;
        this.#setLock(data.lock, data.lock.serverTime ?? data.serverTime, asked);
        if (data.lost) this.#setToken(null);
        break;
      case "lock:denied":
        if (!reply) this.#denied(data);
        break;
      case "lock:acquired":
      case "lock:renewed":
        this.#setToken(data.token);
        this.#setLock({ ...this.lock, state: "held", mine: true, expiresAt: data.expiresAt }, data.serverTime, asked);
        break;
      case "lock:state":
        this.#setLock({ ...data.lock, mine: this.#isMine(data.lock) }, data.serverTime ?? data.lock.serverTime, asked);
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

  // Counted from when the request was sent, on this machine's own clock.
  #setLock(lock, serverTime, asked) {
    this.lock = lock;
    const until = lock.graceUntil ?? lock.reservedUntil ?? lock.expiresAt;
    this.endsAt = until && serverTime ? asked + (until - serverTime) : null;
  }

  #closed(socket, event) {
    if (socket !== this.socket) return;
    this.socket = null; // of one that closes slowly nothing more is heard
    this.welcomed = false;
    this.sentAt.clear();
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
