// A section's side of the connection: joining, and what the server's messages do to the room and the lock.

import { backoff } from "./backoff.js";
import { WslockError, closedError, serverError } from "./error.js";
import { Holding } from "./holding.js";
import { settle } from "./limit.js";
import { Room } from "./room.js";
import { Saves } from "./saves.js";

const GIVES = new Set(["lock:release", "resource:leave"]);
const FOLLOW_UPS = new Set(["lock:acquired", "lock:denied", "lock:queued", "error"]); // of a join as editor
// A join that was refused so is not tried again by itself.
const FINAL = /^(INVALID_|UNKNOWN_|FORBIDDEN|MAX_|TOO_)/;

export class Membership {
  #core;
  #id;
  #emitter;
  #section;
  #watching = false; // joins on each connection
  #joining = false;
  #joinAttempt = 0;
  #followUp = false; // what a join as editor brought is still to come
  #waiters = new Set();
  #editWaiters = new Set();
  #newest = {}; // request → the wait of the last one: where it goes on, what comes for an earlier one is wanted after all
  #toldState = "reading";
  joined = false;
  lastLoss = null;
  lastGrant = null;

  constructor(core, id, section, emitter) {
    this.#core = core;
    this.#id = id;
    this.#emitter = emitter;
    this.#section = section;
    this.room = new Room(core);
    this.holding = new Holding(core, id);
    this.saves = new Saves(core);
  }

  // ---- asked by the section ----

  // Until nobody listens and nothing is to be done any more.
  use() { this.#core.sections.set(this.#id, this); }

  // Resolves when joined.
  async join(wait) {
    const wasWatching = this.#watching;
    this.#watching = true;
    this.use();
    if (this.joined) return;
    await this.#core.ready().catch((error) => {
      this.#watching = wasWatching;
      throw error;
    });
    if (this.joined || wait.abandoned) return;
    if (!this.#watching) throw closedError();
    const joined = new Promise((resolve, reject) => this.#waiters.add({ resolve, reject }));
    if (!this.#joining) this.#join();
    await joined;
  }

  // {event, data}: what lock:acquire brings, or would have brought.
  async joinAsEditor(wait) {
    const waiter = { wait };
    const answer = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }));
    answer.catch(() => {}); // the join may fail first
    this.#editWaiters.add(waiter);
    try {
      await this.join(wait);
      if (!this.#editWaiters.has(waiter) || this.#followUp) return await answer;
      return await this.request("lock:acquire", {}, wait); // it was joined, or a join as viewer was under way
    } finally {
      this.#editWaiters.delete(waiter);
    }
  }

  async request(event, data, wait) {
    await this.join(wait);
    return this.#send(event, { resourceId: this.#id, ...data }, wait);
  }

  async requestAbout(event, data, wait) {
    await this.#core.ready();
    return this.#send(event, data, wait);
  }

  #send(event, data, wait) {
    if (wait.abandoned) return new Promise(() => {}); // its caller has been told
    const { connection } = this.#core;
    if (!connection.connected) throw new WslockError("CONNECTION_LOST", "connection lost");
    this.#newest[event] = wait;
    if (event === "resource:leave") this.#watching = false; // also where no answer comes
    const reply = connection.request(event, data, { section: this, wait });
    return GIVES.has(event) || data.action === "APPROVE" ? this.#giveAway(reply) : reply;
  }

  // The lock may be another's before the answer comes, if it comes: it has ended here with the message. After an error it is asked for.
  #giveAway(reply) {
    this.holding.belief.giveAway();
    this.#tell();
    return reply.catch((error) => {
      this.#watching ||= this.joined;
      this.ask();
      throw error;
    });
  }

  // The lock is given up here, whatever becomes of it there.
  letGo() {
    this.holding.end();
    this.saves.endAll();
    this.#leaveDraft();
    this.room.disown();
    this.#tell();
  }

  end() {
    this.#watching = this.joined = false;
    this.#reject(closedError());
    this.room.reset();
    this.letGo();
  }

  // ---- told by the core ----

  welcome() {
    if (this.#watching) this.#join();
  }

  disconnected() {
    if (this.joined && !this.#watching) this.end(); // it was leaving
    this.joined = this.#joining = this.#followUp = false;
    this.room.disconnect();
    this.holding.belief.doubt();
    if (this.holding.belief.held && !this.#core.asleep) this.#askSave("connection", this.holding.belief.until);
    this.#tell();
  }

  // Nobody here connects again by itself.
  closed(error, code) {
    this.#reject(error);
    if (code !== 1005) this.holding.belief.end(); // else connect() may come in time
    this.#tell(null, null, code === 4409 && this.#lose({ reason: "MOVED" }));
  }

  // The lock was another user's.
  disown() {
    this.#tell(null, null, this.#lose({ reason: "NOT_HELD" }));
  }

  look() {
    this.holding.belief.look();
    if (this.holding.state !== this.#toldState) this.#tell();
  }

  nextBeat() { return this.joined ? this.holding.nextBeat() : Infinity; }

  // A heartbeat: whether the lock is still this page's.
  ask() {
    const { connection } = this.#core;
    if (this.joined && this.holding.fence !== null) connection.send("lock:heartbeat", this.holding.beat(), { section: this });
  }

  // The same for who waits for the answer, {event, data}.
  async renew(wait) {
    await this.join(wait);
    if (this.holding.fence === null) throw new WslockError("NOT_HOLDER", "no lock");
    return this.#send("lock:heartbeat", this.joined && !wait.abandoned && this.holding.beat(), wait);
  }

  unload() {
    if (this.holding.fence !== null && this.holding.dirty !== false) this.saves.unload(this.#lockOf());
  }

  get livenessMs() {
    const { held, stopped, policy } = this.holding.belief;
    return held || stopped ? policy.livenessMs : Infinity;
  }

  // entry: of the request that this answers; undefined: an event that the server started.
  receive(event, data, entry) {
    if (entry?.wait?.abandoned && this.#newest[entry.event].abandoned && this.#undo(event, data)) return;
    if (!entry && this.#followUp && FOLLOW_UPS.has(event) && this.#takeFollowUp(event, data)) return;
    const more = this.#apply(event, data, entry);
    this.#tell(event, data, more);
  }

  // ---- joining ----

  get #isEditWanted() { return [...this.#editWaiters].some(({ wait }) => !wait.abandoned); }

  #join() {
    const { connection, options } = this.#core;
    this.holding.load();
    const { fence, isOver } = this.holding;
    const mode = this.#isEditWanted || (fence !== null && !isOver) ? "editor" : "viewer";
    const data = { resourceId: this.#id, mode, presence: options.presence };
    if (fence !== null) data.token = fence;
    this.#joining = true;
    connection.send("resource:join", data, { section: this, mode });
  }

  #joined(data, { at, mode }) {
    this.joined = true;
    if (!this.#watching) this.#core.connection.send("resource:leave", { resourceId: this.#id }, { section: this });
    this.#joining = false;
    this.#joinAttempt = 0;
    this.#followUp = mode === "editor";
    this.holding.confirmJoined(data, at, this.room.policy);
    settle(this.#waiters, ({ resolve }) => resolve());
    if (data.lost) return this.#lose(data.lost);
    if (mode === "viewer") this.ask(); // a viewer resumes nothing, a heartbeat does
    return undefined;
  }

  #joinRefused(data) {
    const error = serverError(data);
    const isAwaited = this.#waiters.size + this.#editWaiters.size;
    this.#joining = false;
    this.#reject(error);
    if (!isAwaited) this.#core.problem(error);
    if (!FINAL.test(data.code)) return this.#joinLater(data.retryAfterMs);
    this.#watching = false;
    return this.#lose({ reason: "NOT_HELD" });
  }

  #joinLater(ms = 1000) {
    this.#joining = true;
    this.#core.later(ms + backoff(this.#core.platform, Math.min(this.#joinAttempt++, this.#core.maxPause)), () => {
      this.#joining = false;
      if (this.#watching) this.#join();
      else this.#tell();
    });
  }

  // True: nobody asked for it, for the page has only come back for a lock that it had. What it got instead is given back.
  #takeFollowUp(event, data) {
    this.#followUp = false;
    const isAwaited = this.#isEditWanted;
    settle(this.#editWaiters, ({ resolve, reject }) => (event === "error" ? reject(serverError(data)) : resolve({ event, data })));
    if (this.holding.fence !== null && (event === "error" || event === "lock:denied")) this.#notResumed(data);
    return !isAwaited && this.#giveBack(event, data);
  }

  #notResumed({ reason, retryAfterMs }) {
    if (reason === "RECOVERING" || retryAfterMs !== undefined) this.#joinLater(retryAfterMs);
    else this.disown();
  }

  #giveBack(event, data) {
    if (event === "lock:acquired" && (data.resumed || data.token === this.holding.fence)) return false;
    this.#undo(event, data);
    return event !== "error";
  }

  // What came after its caller had given up. False: it changes nothing that was not so before.
  #undo(event, data) {
    const here = { resourceId: this.#id };
    const { requestId } = data;
    const [undoing, about] = {
      "lock:acquired": this.holding.fence === null && ["lock:release", here],
      "lock:queued": this.room.queue === null && ["lock:queue_leave", here],
      "lock:requested": this.room.asked === null && ["lock:request_cancel", { requestId }],
      "lock:takeover_pending": ["lock:takeover_cancel", { requestId }],
    }[event] || [];
    if (undoing) this.#send(undoing, about, { reason: "RELEASED" }).catch(() => {});
    return Boolean(undoing);
  }

  // ---- what messages do ----

  // Returns what else to tell: {event: data}.
  #apply(event, data, entry) {
    const at = entry?.at ?? null;
    if (event === "error") return this.#refused(data, entry);
    if (event === "lock:lost") return this.#lose(data);
    this.room.take(event, data, { at, userId: this.#core.user?.userId, holder: this.holding.fence !== null });
    return this.#on[event]?.(data, entry);
  }

  #on = {
    "resource:joined": (data, entry) => this.#joined(data, entry),
    "resource:left": () => this.end(),
    "resource:policy": (data) => this.holding.belief.adopt(data.policy),
    "lock:acquired": (data, entry) => this.#granted(data, entry),
    "lock:renewed": (data, entry) => this.#granted(data, entry),
    "lock:released": (data, entry) => entry && (entry.wait.reason ? this.#lose(entry.wait) : this.letGo()),
    "lock:expiring": () => {
      this.holding.expiring = true;
      if (!this.holding.isUsed) this.#askSave("expiry", this.holding.belief.expires);
    },
    "lock:request_received": ({ requestId }) => this.#askSave("request", this.room.requests.get(requestId).until, requestId),
    "lock:request_replied": ({ requestId }) => this.saves.over(`request${requestId}`),
    "lock:request_closed": ({ requestId }) => this.saves.over(`request${requestId}`),
    "lock:takeover_requested": ({ requestId }) => this.#askSave("takeover", this.room.takeover.until, requestId),
    "lock:takeover_closed": ({ requestId }) => this.saves.over(`takeover${requestId}`),
  };

  #refused(data, entry) {
    if (entry?.event === "resource:join") return this.#joinRefused(data);
    if (entry?.event === "lock:heartbeat" && data.retryAfterMs !== undefined) this.holding.beatLater(data.retryAfterMs);
    return undefined;
  }

  #granted(data, entry) {
    const isNew = this.holding.grant(data, entry?.at, this.room.policy);
    if (isNew) this.#leaveDraft(); // what was typed without a lock
    this.room.grant(data, entry?.at ?? null, this.#core.user);
    this.saves.over("connection");
    this.saves.over("expiry");
    const previous = data.previous ?? (isNew ? null : this.lastGrant.previous);
    this.lastGrant = { outcome: "granted", ...this.#lockOf(), resumed: !isNew, previous };
    return isNew ? { granted: this.lastGrant } : undefined;
  }

  #lose(lost) {
    const loss = this.holding.lose(lost);
    if (!loss) return undefined;
    this.room.take("lock:lost", {}, {});
    this.room.disown();
    this.saves.endAll();
    this.#leaveDraft();
    this.lastLoss = loss;
    return { lost: loss };
  }

  #leaveDraft() {
    if (this.#core.user) this.#core.drafts.leave(this.#id);
  }

  // ---- telling ----

  #lockOf() {
    const { fence, ticket } = this.holding;
    return { fence, ticket };
  }

  #askSave(cause, until, requestId) {
    if (this.holding.dirty !== false) this.saves.ask(cause, until ?? Infinity, this.#lockOf(), requestId);
  }

  #tell(event, data, more) {
    const isUsed = this.#watching || this.#joining || this.joined || this.saves.handler || this.#emitter.isUsed;
    if (!isUsed) this.#core.sections.delete(this.#id);
    const { state } = this.holding;
    const previous = this.#toldState;
    this.#toldState = state;
    if (state !== previous) this.#emitter.emit("state", { state, previous });
    if (event) this.#emitter.emit(event, data);
    for (const [name, detail] of Object.entries(more || {})) this.#emitter.emit(name, detail);
    this.#emitter.emit("change", {});
    this.#core.changed(this.#section);
  }

  #reject(error) {
    for (const waiters of [this.#waiters, this.#editWaiters]) settle(waiters, ({ reject }) => reject(error));
  }
}
