// The lock of this page in one section: its token, what may be believed, heartbeats, and what a join brings back.

import { Belief } from "./belief.js";

const DIRTY_MS = 2000; // the others are told of unsaved changes no more often

export class Holding {
  #core;
  #id;
  #known = false; // granted to this page, and not only found in the storage
  #lastBeat = -Infinity;
  #askedAt = -Infinity;
  #dirtySent = null;
  fence = null;
  ticket = null;
  expiring = false;
  dirty = null;

  constructor(core, id) {
    this.#core = core;
    this.#id = id;
    this.belief = new Belief(core.clock);
  }

  // A page that was reloaded has its predecessor's token.
  load() {
    this.fence ??= this.#core.loadFence(this.#id);
  }

  get state() {
    const { alive, here, policy } = this.belief;
    if (!alive) return "reading";
    if (here && !this.#core.connection.silent) return "editing";
    return policy.disconnect === "grace" ? "unconfirmed" : "reading";
  }

  // By this page's clock the lock's time is over: a join must not ask for it.
  get isOver() {
    return this.#known && this.belief.expires <= this.#core.clock.now();
  }

  // resource:joined says that the lock is this tab's; on another page it may get another token.
  confirmJoined({ lock, serverTime }, at, policy) {
    if (!lock.mine || lock.state !== "held" || !this.#known || this.fence === null) return;
    this.belief.confirm(at, policy, lock.expiresAt - serverTime);
  }

  // lock:acquired and lock:renewed. Told without being asked, the lock is known as long as the last answer is old.
  grant(data, at, policy) {
    const isNew = data.token !== this.fence || !this.#known;
    if (isNew || data.ticket !== undefined) this.ticket = data.ticket ?? null;
    this.#set(data.token);
    this.#known = true;
    this.expiring = false;
    this.belief.confirm(at ?? this.#core.connection.answered ?? -Infinity, policy, data.expiresAt - data.serverTime);
    if (isNew) this.#lastBeat = this.#core.clock.now();
    return isNew;
  }

  // The lock is gone. Null: there was none, or it is about an earlier one.
  lose({ token, reason, by }) {
    if (this.fence === null || (token && token < this.fence)) return null;
    const fence = this.fence;
    this.end();
    return { fence, reason, by: by ?? null };
  }

  end() {
    this.#set(null);
    this.ticket = null;
    this.#known = this.expiring = false;
    this.belief.end();
  }

  // The user is there, or has been since the last heartbeat.
  get isUsed() {
    return this.#core.isActive() || this.#core.lastTouch > this.#lastBeat;
  }

  // When to send something of its own accord; Infinity: not by the clock.
  nextBeat() {
    if (this.fence === null || !this.belief.policy) return Infinity;
    const { heartbeatIntervalMs, livenessMs } = this.belief.policy;
    const { isUsed } = this;
    if (!this.belief.held) {
      // While the store is away nothing is confirmed; when it is back, the core asks.
      const wanted = this.belief.stopped && !this.#core.degraded && (isUsed || this.#core.isVisible());
      return wanted ? this.#askedAt + livenessMs : Infinity;
    }
    if (!this.belief.here) return Infinity;
    if (isUsed && this.expiring) return this.#lastBeat + Math.min(1000, heartbeatIntervalMs);
    const dirtyAt = this.dirty === this.#dirtySent ? Infinity : this.#lastBeat + Math.min(DIRTY_MS, heartbeatIntervalMs);
    return Math.min(dirtyAt, isUsed ? this.#lastBeat + heartbeatIntervalMs : Infinity);
  }

  // The data of a heartbeat that is sent now.
  beat() {
    const data = { resourceId: this.#id, token: this.fence, active: this.isUsed };
    this.#lastBeat = this.#askedAt = this.#core.clock.now();
    this.#dirtySent = this.dirty;
    if (this.dirty !== null) data.dirty = this.dirty;
    return data;
  }

  // A heartbeat was refused, with a time after which it makes sense again.
  beatLater(retryAfterMs) {
    const interval = this.belief.policy?.heartbeatIntervalMs ?? 0;
    this.#lastBeat = Math.min(this.#lastBeat, this.#core.clock.now() - interval + retryAfterMs);
  }

  #set(fence) {
    if (fence !== this.fence) this.dirty = this.#dirtySent = null; // of another lock's text
    this.fence = fence;
    this.#core.saveFence(this.#id, fence);
  }
}
