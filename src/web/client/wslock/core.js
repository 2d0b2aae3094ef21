// What the client and its sections share: clocks, connection, storage, the timer that looks at all of them.

import { FIRST_MS } from "./backoff.js";
import { Clock } from "./clock.js";
import { Connection } from "./connection.js";
import { Drafts } from "./drafts.js";
import { Emitter } from "./emitter.js";
import { closedError } from "./error.js";
import { CLIENT_EVENTS, SECTION_EVENTS } from "./events.js";
import { limit, settle } from "./limit.js";
import { watchPage } from "./page.js";
import { SafeStorage, makePlatform, randomId } from "./platform.js";
import { Tab } from "./tab.js";
import { Tokens } from "./tokens.js";

const PING_MS = 25_000; // of a connection without locks: notices a link that swallows everything

export class Core {
  #timer;
  #waiters = new Set();
  #endPage;
  #retries = new Set();
  lastTouch = -Infinity;
  user = null;
  degraded = false;
  asleep = false; // the page was put aside while it was connected
  sections = new Map(); // id → Membership, of those that are in use

  constructor(options) {
    this.options = options;
    this.platform = makePlatform(options.platform);
    this.clock = new Clock(this.platform);
    this.pageId = randomId(this.platform);
    this.problem = (error) => {
      const told = this.emit("problem", { error: error instanceof Error ? error : new Error(String(error)) });
      if (!told) console.error(error);
    };
    this.emitter = new Emitter([...CLIENT_EVENTS, ...SECTION_EVENTS, "connection", "problem", "frame", "change"], this.problem);
    const { session, local } = options.storage ?? (options.storage === null ? { session: null, local: null } : {});
    this.key = options.storageKey;
    this.session = new SafeStorage(session, "sessionStorage");
    this.drafts = new Drafts(this, new SafeStorage(local, "localStorage"));
    this.tab = new Tab(this);
    this.tokens = new Tokens(this);
    this.connection = new Connection(this);
  }

  get joined() { return [...this.sections.values()].filter((section) => section.joined); }

  get #beliefs() { return [...this.sections.values()].map(({ holding }) => holding.belief); }

  isActive() {
    return this.options.activity === "always" || this.clock.now() - this.lastTouch < this.options.idleAfterMs;
  }

  isVisible() {
    return this.platform.document?.visibilityState !== "hidden";
  }

  touch() {
    this.lastTouch = this.clock.now();
    if (this.#nextBeat() <= this.lastTouch) this.check();
  }

  // ---- the connection ----

  connect() {
    this.#endPage ??= watchPage(this.platform, this, this.options.activity === "input");
    this.connection.start();
  }

  // Resolves when connected; connects, but not where the client was closed.
  async ready() {
    const { connection } = this;
    if (connection.state === "idle") this.connect();
    if (connection.connected) return;
    if (connection.state === "closed") throw closedError();
    await new Promise((resolve, reject) => this.#waiters.add({ resolve, reject }));
  }

  close() {
    this.sections.forEach((section) => section.end());
    this.connection.stop(1000);
    this.#endPage?.();
    this.#endPage = null;
    this.tab.release();
  }

  limit(options, what, run) {
    return limit(this.platform, { ...options, timeoutMs: options.timeoutMs ?? this.options.timeoutMs }, what, run);
  }

  // Later, unless the connection ends before.
  later(ms, job) {
    const timer = this.platform.setTimeout(() => {
      this.#retries.delete(timer);
      job();
    }, ms);
    this.#retries.add(timer);
  }

  // ---- storage ----

  #fenceKey(id) { return `${this.key}:${this.tab.id}:fence:${id}`; }

  loadFence(id) {
    const fence = Number(this.session.get(this.#fenceKey(id)));
    return Number.isSafeInteger(fence) && fence > 0 ? fence : null;
  }

  saveFence(id, fence) {
    this.session.set(this.#fenceKey(id), fence && String(fence));
  }

  // ---- clocks ----

  // Looks at the clocks: whether to stop, whether the connection answers, what has to be sent.
  check() {
    this.sections.forEach((section) => section.look());
    if (this.connection.silent) this.connection.drop("no answer");
    this.connection.retryIfDue();
    if (this.connection.connected) this.#send();
    this.#schedule();
  }

  #send() {
    const now = this.clock.now();
    for (const section of this.joined) if (section.nextBeat() <= now) section.ask();
    if (this.#nextPing() <= now) this.connection.send("session:ping", {});
  }

  #nextPing() {
    return this.connection.lastSent + Math.min(...this.joined.map((section) => Math.min(PING_MS, section.livenessMs))) * 0.9;
  }

  #nextBeat() {
    return Math.min(...this.joined.map((section) => section.nextBeat()));
  }

  #schedule() {
    this.platform.clearTimeout(this.#timer);
    const { connection } = this;
    const ends = this.#beliefs.map(({ until }) => until || Infinity);
    const sends = connection.connected ? [this.#nextPing(), this.#nextBeat()] : [];
    const at = Math.min(...ends, ...sends, connection.silentAt);
    if (at === Infinity) return;
    this.#timer = this.platform.setTimeout(() => this.check(), Math.max(1, Math.ceil(at - this.clock.now())));
  }

  // The server's time by the clock here.
  toLocal(time) {
    const known = this.connection.serverClock;
    return known ? known.at + (time - known.serverTime) : Infinity;
  }

  // ---- events ----

  emit(event, data) { return this.emitter.emit(event, data); }

  changed(section) { this.emit("change", { section }); }

  // ---- called by the connection ----

  // The attempt up to which pauses grow: a page that goes on without the server has several within the grace.
  get maxPause() {
    return Math.log2(Math.min(...this.#beliefs.map(({ alive, policy }) => (alive ? policy.gracePeriodMs / (4 * FIRST_MS) : Infinity))));
  }

  heard(at) { this.#beliefs.forEach((belief) => belief.hear(at)); }

  connectionChanged(data) {
    if (data.state === "connected") settle(this.#waiters, ({ resolve }) => resolve());
    if (data.state === "closed") this.#finished(data.code);
    this.emit("connection", data);
    this.changed(null);
    this.#schedule();
  }

  // Nobody here comes back by itself.
  #finished(code) {
    const error = closedError();
    settle(this.#waiters, ({ reject }) => reject(error));
    this.sections.forEach((section) => section.closed(error, code));
  }

  welcome(data) {
    const { userId, username, roles, admin } = data;
    if (this.user && this.user.userId !== userId) this.sections.forEach((section) => section.disown());
    this.user = Object.freeze({ userId, username, roles, admin });
    this.sections.forEach((section) => section.welcome());
  }

  lost() {
    this.tokens.stop();
    this.degraded = false;
    settle(this.#retries, (timer) => this.platform.clearTimeout(timer));
    this.sections.forEach((section) => section.disconnected());
  }

  message({ event, data, entry }) {
    if (event === "auth:expiring") this.#refresh(data.expiresAt);
    if (event === "error" && entry?.event === "auth") this.tokens.rejected = true;
    if (event === "system:degraded") this.#degraded(data);
    if (event === "system:recovered") this.#recovered();
    const section = entry?.section ?? this.#sectionOf(data);
    section?.receive(event, data, entry);
    this.emit(event, data);
  }

  #sectionOf({ resourceId, requestId }) {
    if (resourceId !== undefined) return this.sections.get(resourceId);
    return requestId && [...this.sections.values()].find((section) => section.room.has(requestId));
  }

  #refresh(expiresAt) {
    this.tokens.refresh(expiresAt, async (token) => (await this.connection.request("auth:refresh", { token })).data);
  }

  #degraded({ confirmedUntil }) {
    this.degraded = true;
    if (confirmedUntil !== null) this.#beliefs.forEach((belief) => belief.limit(this.toLocal(confirmedUntil)));
    this.changed(null);
  }

  #recovered() {
    this.degraded = false;
    for (const section of this.joined) section.ask();
    this.changed(null);
  }

  // ---- called by the page ----

  // together: many pages may be woken by the same.
  wake(together) {
    this.check();
    this.connection.hurry(together);
  }

  leave() {
    this.sections.forEach((section) => section.unload());
  }

  hide() {
    this.leave();
    this.asleep ||= !["idle", "closed"].includes(this.connection.state);
    if (this.asleep) this.connection.stop(); // an open one keeps the page out of the browser's cache; locks get their grace
    this.tab.release();
  }

  show() {
    this.check();
    this.touch();
    if (this.asleep) this.connection.start();
    this.asleep = false;
  }
}
