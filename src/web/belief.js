// What this tab may believe of its lock: docs/protocol.md, "What a client may believe".

let slept = 0;
let last = { wall: Date.now(), ticks: performance.now() };

// Milliseconds that never go back, and go on while the computer sleeps: performance.now() stands still then in some
// browsers, and the wall clock may be set. A leap of the wall clock is taken for sleep: that ends a belief early, not late.
export function now() {
  const next = { wall: Date.now(), ticks: performance.now() };
  const leap = (next.wall - last.wall) - (next.ticks - last.ticks);
  if (leap > 1000) slept += leap;
  last = next;
  return next.ticks + slept;
}

// Everything is a comparison of times when it is asked, and never the count of a timer: a hidden tab's timers run once a
// minute, and after a sleep all of them are late.
export class Belief {
  constructor() { this.end(); }

  // Until when this tab may go on as things stand; 0: not at all.
  get until() {
    return this.held ? Math.min(this.answered + this.policy.gracePeriodMs, this.expires, this.bound) : 0;
  }

  // The server has said, in answer to what was sent at `at`, that the lock is this tab's.
  confirm(at, policy, lengthMs) {
    Object.assign(this, { held: true, here: true, policy, answered: at, expires: at + lengthMs, bound: Infinity, silent: false });
    if (now() >= this.until) this.stop(); // told without being asked, and the last answer is too old: it asks first
  }

  // The policy changes. A lock keeps its terms until it is confirmed under the new ones, which may be so already: until
  // then the stricter ones count.
  adopt(policy) {
    if (!this.held) return;
    const gracePeriodMs = Math.min(policy.gracePeriodMs, this.policy.gracePeriodMs);
    const disconnect = this.policy.disconnect === "grace" ? policy.disconnect : this.policy.disconnect;
    this.policy = { ...policy, gracePeriodMs, disconnect };
  }

  // Some message, sent at `at`, was answered. On a connection that has not been told yet that it has the lock that says
  // nothing: it may have come too late for it.
  hear(at) {
    if (this.here) this.answered = at;
  }

  // The server cannot vouch for the lock beyond this.
  limit(at) { this.bound = at; }

  // The connection is gone, or answers nothing.
  doubt() {
    this.here = false;
    if (this.held && this.policy.disconnect !== "grace") this.stop();
  }

  // True once, when the time is over. What has stopped only confirm() starts again.
  look() {
    if (!this.held || now() < this.until) return false;
    this.stop();
    return true;
  }

  stop() {
    this.silent = this.expires > now(); // else the lock is over: nothing to ask for
    this.held = this.here = false;
  }

  end() {
    Object.assign(this, { held: false, here: false, policy: null, answered: 0, expires: 0, bound: Infinity, silent: false });
  }
}
