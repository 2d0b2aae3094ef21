'use strict';
/*
 * An upgrade as `systemctl restart` does it, under editors that reconnect as they are told: the daemon stops, another
 * one starts on the same configuration. No lock is lost, and the reconnects are spread as announced.
 * WSLOCK_TEST_EDITORS sets their number; with it the longest wait is held to what was announced and 2 s.
 */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const EDITORS = Number(process.env.WSLOCK_TEST_EDITORS ?? 150);
const GRACE = (process.env.WSLOCK_TEST_EDITORS ? 30_000 : 10_000) * h.SLOW; // by default it is 30 s

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

class Editor {
  constructor(d, i) {
    this.who = { user: `user-${i}`, clientId: h.tab(), url: d.url() };
    this.resourceId = `document:${i}:main`;
    this.d = d;
  }
  async begin() {
    this.client = await this.d.client(this.who);
    this.token = (await h.take(this.client, this.resourceId)).token;
  }
  /* Follows one restart. */
  async follow() {
    const { data: { reconnectInMs } } = await this.client.waitFor('server:draining', () => true, { timeout: h.TIMEOUT * 3 });
    const told = Date.now();
    this.announced = reconnectInMs;
    await this.client.closed;
    await sleep(told + reconnectInMs - Date.now());
    for (this.tries = 1; ; this.tries++) {
      try {
        this.client = await this.d.client(this.who);
        break;
      } catch (error) {
        assert.ok(/ECONNREFUSED|ECONNRESET|socket hang up|503/.test(error.message), error.stack);
        await sleep(100 + Math.random() * 300);
      }
    }
    const lock = await h.take(this.client, this.resourceId, { token: this.token });
    this.waited = Date.now() - told;
    assert.deepStrictEqual([lock.token, lock.resumed], [this.token, true], `${this.resourceId} is not lost`);
  }
}

test(`${EDITORS} editors over an upgrade`, { timeout: 300_000 * h.SLOW }, async (t) => {
  const d = await h.lockDaemon(t, { config: {
    default: { gracePeriod: `${GRACE}ms`, lockTtl: '2m', heartbeatInterval: '40s' },
    limits: { handshakesPerSecond: 10_000 },
    redis: { commandTimeout: '2s' },
  } });
  const editors = Array.from({ length: EDITORS }, (_, i) => new Editor(d, i));
  for (let i = 0; i < EDITORS; i += 50) {
    await Promise.all(editors.slice(i, i + 50).map((e) => e.begin()));
  }
  const all = Promise.all(editors.map((e) => e.follow()));
  await d.restart();
  await all;
  const announced = editors.map((e) => e.announced).sort((a, b) => a - b);
  const spread = GRACE / 2;
  assert.ok(announced[0] >= 0 && announced.at(-1) < spread, `${announced[0]} … ${announced.at(-1)}`);
  for (let i = 0; i < 5; i++) { // no fifth of the time has more than twice its share
    const there = announced.filter((ms) => ms >= (spread * i) / 5 && ms < (spread * (i + 1)) / 5).length;
    assert.ok(there < (EDITORS * 2) / 5, `${there} of ${EDITORS} in one fifth of the time`);
  }
  const late = Math.max(...editors.map((e) => e.waited - e.announced));
  t.diagnostic(`announced up to ${announced.at(-1)} ms; at most ${late} ms later with the lock; ${Math.max(...editors.map((e) => e.tries))} tries`);
  if (process.env.WSLOCK_TEST_EDITORS) assert.ok(late <= 2000, `${late} ms later than announced`);
  await h.eventually(() => d.audit().filter((a) => a.action === 'LOCK_RESUMED').length === EDITORS, 'each lock is resumed once');
  const lost = d.audit().filter((a) => ['LOCK_GRACE_EXPIRED', 'LOCK_EXPIRED', 'LOCK_RECOVERED', 'LOCK_RELEASED'].includes(a.action));
  assert.deepStrictEqual(lost, []);
});
