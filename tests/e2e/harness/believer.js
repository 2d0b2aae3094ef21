'use strict';
/*
 * The rules of docs/protocol.md, "What a client may believe": what a client sends, when it stops, and when it goes on.
 * The base of clients that keep to them. All times are of this process's monotonic clock, in ms.
 */
const ANSWER_MS = 5000;
const TICK_MS = 25;

class Believer {
  constructor() {
    this.held = null; // {answered, expires, confirmed, here}: what the belief stands on
    this.token = undefined;
    this.policy = undefined;
    this.opened(null);
  }
  /* There is a new connection; null: none. */
  opened(socket) {
    this.socket = socket;
    this.sent = new Map(); // id → {at, event, token}, without an answer
    this.answered = null; // when the last message was sent that has been answered on this connection
  }
  /* Until when it believes, by what it knows now; 0: not at all. */
  get until() {
    if (!this.held) return 0;
    return Math.min(this.held.answered + this.policy.gracePeriodMs, this.held.expires, this.held.confirmed);
  }
  /* The lock is known to be this tab's, by an answer to what was sent at `at`. */
  confirm(at, data) {
    this.lastBeat ??= at;
    this.held = { answered: at, expires: at + (data.expiresAt - data.serverTime), confirmed: Infinity, here: true };
  }
  /* The connection is gone. */
  unconfirmed() {
    if (this.held) this.held.here = false;
    if (this.held && this.policy.disconnect !== 'grace') this.held = null;
  }
  forget() {
    this.held = null;
    this.token = undefined;
    this.lastBeat = undefined;
  }
  send(event, data) {
    const id = this.nextId = (this.nextId ?? 0) + 1;
    this.lastSent = performance.now();
    this.sent.set(id, { at: this.lastSent, event, token: data?.token });
    this.socket.send(JSON.stringify({ event, id, data }));
  }
  about(event, more) {
    this.send(event, { resourceId: this.resourceId, ...more });
  }
  /* The request that is answered; undefined: the server speaks by itself. */
  take({ id, data }) {
    const request = this.sent.get(id);
    this.sent.delete(id);
    if (!request) return undefined;
    this.answered = request.at;
    // Only where this connection has been told that it has the lock: a new one may have been too late for it.
    if (this.held?.here) this.held.answered = request.at;
    if (data.serverTime) this.clock = { at: request.at, serverTime: data.serverTime };
    return request;
  }
  /* system:degraded */
  degraded({ confirmedUntil }) {
    if (!this.held || !this.clock || confirmedUntil === null) return;
    this.held.confirmed = this.clock.at + (confirmedUntil - this.clock.serverTime);
  }
  /* Something has had no answer for too long. Who asks for a takeover may wait for the holder. */
  isUnanswered(now) {
    for (const { at, event } of this.sent.values()) if (now - at > ANSWER_MS && event !== 'lock:takeover') return true;
    return false;
  }
  /* What has stopped is started again by the server's word about the lock alone. */
  keepAlive(now) {
    const live = this.policy.livenessMs - 2 * TICK_MS;
    if (now - (this.lastBeat ?? 0) >= (this.held ? this.policy.heartbeatIntervalMs : live)) this.beat();
    else if (now - this.lastSent >= live) this.send('session:ping', {});
  }
  beat(more) {
    this.lastBeat = performance.now();
    this.about('lock:heartbeat', { token: this.token, ...more });
  }
}

module.exports = { ANSWER_MS, Believer, TICK_MS };
