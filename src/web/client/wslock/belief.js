// What this page may believe of one lock: docs/protocol.md, "What a client may believe". Everything is a comparison of times when
// it is asked, and never the count of a timer: a hidden tab's timers run once a minute, and after a sleep all of them are late.

export class Belief {
  #clock;

  constructor(clock) {
    this.#clock = clock;
    this.end();
  }

  // Until when this page may go on as things stand; 0: not at all.
  get until() {
    return this.held ? Math.min(this.answered + this.policy.gracePeriodMs, this.expires, this.bound) : 0;
  }

  get alive() {
    return this.until > this.#clock.now();
  }

  // The server has said, in answer to what was sent at `at`, that the lock is this page's.
  confirm(at, policy, lengthMs) {
    Object.assign(this, { held: true, here: true, policy, answered: at, expires: at + lengthMs, bound: Infinity, stopped: false });
    if (!this.alive || at < this.givenAt) this.stop(); // told without being asked, or before it was given away: it asks first
  }

  // The policy changes. A lock keeps its terms until it is confirmed under the new ones, which may be so already: until then the
  // stricter ones count.
  adopt(policy) {
    if (!this.held) return;
    const gracePeriodMs = Math.min(policy.gracePeriodMs, this.policy.gracePeriodMs);
    const disconnect = this.policy.disconnect === "grace" ? policy.disconnect : this.policy.disconnect;
    this.policy = { ...policy, gracePeriodMs, disconnect };
  }

  // Some message, sent at `at`, was answered. On a connection that has not been told yet that it has the lock this says nothing.
  hear(at) {
    if (this.here) this.answered = at;
  }

  // The server cannot vouch for the lock beyond this.
  limit(at) {
    this.bound = at; // until the next confirm()
  }

  // The connection is gone, or answers nothing.
  doubt() {
    this.here = false;
    if (this.held && this.policy.disconnect !== "grace") this.stop();
  }

  // The page says that another may have it.
  giveAway() {
    this.givenAt = this.#clock.now();
    this.stop();
  }

  // When the time is over it stops. What has stopped only confirm() starts again.
  look() {
    if (this.held && !this.alive) this.stop();
  }

  stop() {
    this.stopped = this.expires > this.#clock.now(); // else the lock is over: nothing to ask for
    this.held = this.here = false;
  }

  end() {
    Object.assign(this, { held: false, here: false, policy: null, expires: 0, stopped: false, givenAt: -Infinity });
  }
}
