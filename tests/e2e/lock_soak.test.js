'use strict';
/*
 * Editors who come and go, cut cables, reloads, a daemon that is killed or stalls, a store that falls silent. In the end:
 * no two had one lock at a time, no stale save was taken, and nobody lost a lock without a word.
 * WSLOCK_TEST_SEED repeats a walk, WSLOCK_TEST_SOAK_S lengthens it.
 */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const SOAK_MS = Number(process.env.WSLOCK_TEST_SOAK_S || 14) * 1000;
const GRACE = 9000 * h.SLOW;
const RESOURCES = ['document:soak:a', 'document:soak:b', 'document:soak2:a', 'document:soak3:a'];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* An application's store: takes no save under a fencing token lower than the highest it has seen. */
class Documents {
  constructor() {
    this.highest = new Map();
    this.taken = 0;
    this.refused = 0;
  }
  save(resourceId, token) {
    const highest = this.highest.get(resourceId) || 0;
    if (token < highest) {
      this.refused++;
      return false;
    }
    this.highest.set(resourceId, token);
    this.taken++;
    return true;
  }
}

/* What all clients together have seen of grants, by the store's clock. */
class Ledger {
  constructor() {
    this.owner = new Map(); // "resource token" → tab
    this.confirmed = new Map(); // resource → [{token, tab, at}]
    RESOURCES.forEach((r) => this.confirmed.set(r, []));
  }
  saw(tab, { resourceId, token, serverTime }) {
    const key = `${resourceId} ${token}`;
    assert.ok(!this.owner.has(key) || this.owner.get(key) === tab, `${key} belongs to two tabs`);
    this.owner.set(key, tab);
    this.confirmed.get(resourceId).push({ token, tab, at: serverTime });
  }
  /* Once a token has been granted, no lower one is confirmed any more. */
  check() {
    for (const [resourceId, list] of this.confirmed) {
      const granted = new Map();
      for (const { token, at } of list) granted.set(token, Math.min(at, granted.get(token) || Infinity));
      for (const { token, tab, at } of list) {
        for (const [higher, since] of granted) {
          assert.ok(higher <= token || at <= since, `${tab} was confirmed ${token} of ${resourceId} at ${at}, ${higher} had been granted at ${since}`);
        }
      }
    }
  }
}

class Editor {
  constructor(world, index) {
    this.world = world;
    this.rnd = h.random(h.SEED + 1000 + index);
    this.user = `soak-${index % 8}`; // some have two tabs in one document
    this.clientId = h.tab();
    this.resourceId = RESOURCES[index % RESOURCES.length];
    this.token = 0; // what it believes to hold
    this.mustKeep = 0; // until then (our clock) its return must find the lock as it was
    this.counts = { granted: 0, resumed: 0, lost: 0, released: 0 };
  }
  get name() {
    return `${this.user} ${this.clientId} ${this.resourceId}`;
  }

  believe({ event, data }) {
    if (data.resourceId !== this.resourceId) return;
    if (event === 'lock:acquired' || event === 'lock:renewed') {
      this.world.ledger.saw(this.clientId, data);
      if (data.resumed) this.counts.resumed++;
      else if (data.token !== this.token) this.counts.granted++;
      this.token = data.token;
      if (event === 'lock:acquired') this.world.documents.save(this.resourceId, this.token); // registers before it loads
    } else if (event === 'lock:lost' && data.token === this.token) {
      assert.ok(['MOVED', 'EXPIRED', 'STORE_LOST', 'GRACE_PERIOD_EXPIRED', 'DISCONNECT', 'NOT_HELD'].includes(data.reason), data.reason);
      this.counts.lost++;
      this.token = 0;
    } else if (event === 'resource:joined' && data.lost && data.lost.token === this.token) {
      this.counts.lost++;
      this.token = 0;
    }
  }

  async connect() {
    for (;;) {
      try {
        const client = await this.world.daemon.newClient({ user: this.user, clientId: this.clientId });
        client.ws.on('message', (text) => this.noted(JSON.parse(text)));
        this.client = await client.start();
        return;
      } catch {
        assert.ok(!this.world.over(20_000), 'nobody can connect');
        await sleep(50);
      }
    }
  }
  noted(message) {
    try {
      this.believe(message);
    } catch (error) {
      this.world.failed = this.world.failed || error;
    }
  }

  /* Joins as editor with its token; asks again while the store cannot say. True: it has the lock. */
  async join() {
    const had = this.token;
    const deadline = this.mustKeep;
    for (;;) {
      const data = { resourceId: this.resourceId, mode: 'editor', ...(had && { token: had }) };
      const reply = await this.client.request('resource:join', data);
      if (reply.event === 'resource:joined') {
        const answer = await this.client.inbox.take(
          (m) => m.id === undefined && m.data.resourceId === this.resourceId && /^lock:(acquired|denied)$|^error$/.test(m.event),
          'what the join brought',
        );
        const acquired = answer.event === 'lock:acquired';
        if (acquired && answer.data.token === had) return true;
        if (acquired || answer.data.reason !== 'RECOVERING') {
          const context = `${this.name} returned with ${had}: ${JSON.stringify(reply.data)} ${JSON.stringify(answer.data)}`;
          if (had) assert.strictEqual(reply.data.lost?.token, had, `not told what became of it: ${context}`);
          if (had && Date.now() < deadline) assert.strictEqual(reply.data.lost.reason, 'MOVED', `in time: ${context}`);
          return acquired;
        }
      } else {
        assert.strictEqual(reply.data.code, 'BACKEND_UNAVAILABLE', JSON.stringify(reply));
      }
      await sleep(100);
    }
  }

  async step() {
    const { rnd, client } = this;
    if (this.token) {
      const { event, data } = await client.request('lock:heartbeat', { resourceId: this.resourceId, token: this.token, dirty: rnd.chance(0.5) });
      if (event === 'lock:renewed') {
        this.mustKeep = Date.now() + GRACE / 2;
        this.world.documents.save(this.resourceId, data.token);
      } else if (event === 'lock:lost') this.mustKeep = 0;
      if (event === 'lock:renewed' && rnd.chance(0.04)) {
        this.mustKeep = 0; // it may be gone without an answer
        const reply = await client.request('lock:release', { resourceId: this.resourceId, revision: 'r' });
        if (reply.event === 'lock:released') {
          this.counts.released++;
          this.token = 0;
        }
      }
    } else if (rnd.chance(0.6)) {
      await client.request('lock:acquire', { resourceId: this.resourceId, takeOwn: rnd.chance(0.1) });
    }
    if (rnd.chance(0.05)) client.ws.terminate(); // a cable
    else if (rnd.chance(0.03)) client.ws.close(rnd.pick([undefined, 1001, 3000])); // a reload
    await sleep(rnd.between(10, 120));
  }

  async run() {
    while (!this.world.over() && !this.world.failed) {
      // Cut off, it may go on for a while, and its saves decide by their fence.
      if (this.token && this.rnd.chance(0.5)) this.world.documents.save(this.resourceId, this.token);
      await this.connect();
      try {
        await this.join();
        while (this.client.ws.readyState === 1 && !this.world.over() && !this.world.failed) await this.step();
      } catch (error) {
        if (error.code === 'ERR_ASSERTION' || !/connection closed|not open|readyState/.test(error.message)) throw error;
      }
    }
  }
  /* At the end everyone comes back once more and learns how things stand. */
  async settle() {
    await this.connect();
    const had = this.token;
    const holds = await this.join();
    if (!holds) assert.strictEqual(this.token, 0, `${this.name} believes in ${had}, which is gone`);
    return holds;
  }
}

async function faults(world) {
  const rnd = h.random(h.SEED + 7);
  while (!world.over() && !world.failed) {
    await sleep(rnd.between(600, 1500));
    const d = world.daemon;
    switch (rnd.below(4)) {
      case 0:
      case 1:
        await d.kill();
        await d.restart();
        break;
      case 2:
        d.signal('SIGSTOP');
        await sleep(rnd.between(200, 2600)); // sometimes past its lease
        d.signal('SIGCONT');
        break;
      default:
        d.redis.pause();
        await sleep(rnd.between(100, 1200));
        d.redis.resume();
    }
  }
}

test(`soak (WSLOCK_TEST_SEED=${h.SEED})`, { timeout: SOAK_MS + 120_000 * h.SLOW }, async (t) => {
  const daemon = await h.lockDaemon(t, {
    config: {
      default: { lockTtl: '120s', heartbeatInterval: '20s', gracePeriod: `${GRACE}ms`, maxConcurrentTabLocksPerUser: null },
      redis: { lease: h.ms(2000), commandTimeout: h.ms(600) },
      limits: { messagesPerSecond: 1000, messageBurst: 1000 },
    },
  });
  const start = Date.now();
  const world = {
    daemon, documents: new Documents(), ledger: new Ledger(), failed: null,
    over: (more = 0) => Date.now() - start > SOAK_MS + more,
  };
  const editors = Array.from({ length: 12 }, (_, i) => new Editor(world, i));
  const stop = (error) => {
    world.failed = world.failed || error;
  };
  await Promise.all([...editors.map((e) => e.run().catch(stop)), faults(world).catch(stop)]);
  if (world.failed) throw world.failed;
  await h.granting(daemon);
  const holders = new Map();
  for (const e of editors) {
    if (!(await e.settle())) continue;
    assert.ok(!holders.has(e.resourceId), `${e.name} and ${holders.get(e.resourceId)} both hold it`);
    holders.set(e.resourceId, e.name);
    assert.ok(world.documents.save(e.resourceId, e.token), 'who holds the lock can save');
  }
  if (world.failed) throw world.failed;
  world.ledger.check();
  await h.checkAll(daemon);
  const sum = (what) => editors.reduce((n, e) => n + e.counts[what], 0);
  t.diagnostic(`granted ${sum('granted')}, resumed ${sum('resumed')}, lost ${sum('lost')}, released ${sum('released')}, `
    + `saves ${world.documents.taken}, refused ${world.documents.refused}`);
  assert.ok(sum('granted') > 0 && sum('resumed') > 0 && world.documents.taken > 20);
});
