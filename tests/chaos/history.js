'use strict';
/* What happened in a run, in the order in which this process learned of it. Times are of its monotonic clock, in ms. */

class History {
  constructor() {
    this.entries = [];
  }
  add(kind, entry) {
    const whole = { kind, at: performance.now(), ...entry };
    this.entries.push(whole);
    return whole;
  }
  of(kind) {
    return this.entries.filter((entry) => entry.kind === kind);
  }
}

/* An application's store: takes no save under a fencing token below the highest that it has seen for the resource. */
class Documents {
  constructor(history) {
    this.history = history;
    this.highest = new Map();
  }
  register(resourceId, token) {
    this.highest.set(resourceId, Math.max(token, this.highest.get(resourceId) ?? 0));
  }
  save(tab, resourceId, token) {
    const highest = this.highest.get(resourceId) ?? 0;
    const accepted = token >= highest;
    if (accepted) this.register(resourceId, token);
    this.history.add('saved', { tab, resourceId, token, highest, accepted });
  }
}

module.exports = { Documents, History };
