'use strict';
/* Three instances on a store, a proxy before each instance and between it and the store, tabs, probes, and an observer of the store. */
const fs = require('node:fs');
const h = require('../e2e/harness');
const { Documents, History } = require('./history');
const { unaudited } = require('./judge_store');
const { Link } = require('./link');
const { Observer } = require('./observer');
const { Probe } = require('./probe');
const { Tab } = require('./tab');

const INSTANCES = 3;
const GRACE_MS = 4000;
const LEASE_MS = 2000;
const TYPES = {
  deny: { upgrade: 'deny', disconnect: 'grace', takeover: 'immediate' },
  queue: { upgrade: 'queue', disconnect: 'grace', takeover: 'request' },
  ask: { upgrade: 'request', disconnect: 'prompt', takeover: 'never' },
  release: { upgrade: 'deny', requests: true, disconnect: 'release', takeover: 'request', urgentTakeover: true },
  both: { upgrade: 'queue', requests: true, disconnect: 'prompt', takeover: 'immediate' },
};
const CONFIG = {
  default: {
    lockTtl: '12s', heartbeatInterval: '2s', gracePeriod: `${GRACE_MS}ms`, claimWindow: '2s', requestTimeout: '2s', takeoverTimeout: '1500ms',
    maxConcurrentTabLocksPerUser: 20,
  },
  resourceTypes: TYPES,
  auth: { adminRoles: ['lock-admin'] },
  redis: { lease: `${LEASE_MS}ms`, commandTimeout: '800ms' },
  limits: { pingInterval: '2500ms', pongTimeout: '2500ms', messagesPerSecond: 1000, messageBurst: 1000, maxConnectionsPerUser: 1000 },
  log: { level: 'info' },
};

/* The records that are new in an audit log. What a killed writer has left of a line is none. */
class Tail {
  constructor(file) {
    Object.assign(this, { file, read: 0 });
  }
  records() {
    const bytes = fs.readFileSync(this.file).subarray(this.read);
    const end = bytes.lastIndexOf('\n') + 1;
    this.read += end;
    return bytes.toString('utf8', 0, end).split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  }
}

class World {
  /* store: of store_*.js. */
  constructor(t, seed, store) {
    Object.assign(this, { t, store, rnd: h.random(seed), history: new History(), instances: INSTANCES, tabs: [], probes: [], daemons: [] });
    this.documents = new Documents(this.history);
    this.keyPrefix = `chaos-${seed}`; // if an instance reaches another round's store, it changes nothing there
  }
  async start(tabs) {
    await this.store.start(this.keyPrefix);
    this.observer = new Observer(this.history, (shard) => this.store.where(shard), this.keyPrefix);
    h.cleanup(this.t, () => this.observer.end());
    await Promise.all(Array.from({ length: INSTANCES }, (_, i) => this.startInstance(i)));
    for (let i = 0; i < INSTANCES; i++) this.probes.push(new Probe(this.history, () => this.url(i), `acquirer-${i}`));
    for (let i = 0; i < tabs; i++) this.addTab(i);
  }
  async startInstance(i) {
    const { config, link } = await this.store.connect();
    const daemon = await h.newDaemon(this.t, {
      redis: null, config: { ...CONFIG, instance: `chaos-${i}`, redis: { ...CONFIG.redis, keyPrefix: this.keyPrefix, ...config } },
    });
    daemon.config.ops.port = await h.freePort(); // started again it listens where it did
    daemon.writeConfig();
    await daemon.start();
    this.daemons[i] = { daemon, audit: new Tail(daemon.auditFile), store: link, wire: new Link([await h.proxy(this.t, daemon.port)]) };
    await h.granting(daemon);
  }
  addTab(i) {
    const types = Object.keys(TYPES);
    const type = types[i % types.length];
    const resourceId = `${type}:chaos${Math.floor(i / types.length) % 2}:main`;
    // One in six is an administrator, one in five the second tab of somebody.
    const user = i % 5 === 4 && i >= 10 ? this.tabs[i - 10].user : `user-${i}`;
    this.tabs.push(new Tab(this, { name: `tab-${i}`, type, user, admin: i % 6 === 5, resourceId, rnd: h.random(this.rnd.below(1e9)) }));
  }
  /* That of this number; without one any. */
  instance(rnd, on) {
    return on === undefined ? rnd.pick(this.daemons) : this.daemons[on];
  }
  url(instance) {
    return `ws://127.0.0.1:${this.daemons[instance].wire.proxies[0].port}/ws`;
  }
  get resources() {
    return [...new Set(this.tabs.map(({ resourceId }) => resourceId))];
  }

  /* Locks are granted, and each instance has granted one. */
  isBusy(grants) {
    return this.history.of('granted').length >= grants && new Set(this.history.of('probed').map(({ name }) => name)).size === INSTANCES;
  }

  /* ---- after the faults ---- */

  /* Everybody keeps what he has. Waits until all views are the store's; notes what is still different then. */
  async settle(timeoutMs) {
    for (const tab of this.tabs) tab.quiet = true;
    let problem = null;
    const end = performance.now() + timeoutMs;
    const before = performance.now();
    do {
      await new Promise((resolve) => { setTimeout(resolve, 100); });
      problem = await this.difference().catch((error) => `the store's view cannot be had: ${error.message}`);
    } while (problem && performance.now() < end);
    if (problem) this.history.add('unsettled', { text: problem });
    for (const tab of this.tabs) tab.note('final', { token: tab.token });
    return performance.now() - before;
  }
  async difference() {
    const probe = await this.daemons[0].daemon.client({ user: 'probe' });
    try {
      for (const resourceId of this.resources) {
        const { lock } = await probe.expect('lock:status', { resourceId }, 'lock:state');
        const different = this.compare(resourceId, lock);
        if (different) return different;
      }
      return null;
    } finally {
      await probe.close(1000);
    }
  }
  compare(resourceId, lock) {
    const tabs = this.tabs.filter((tab) => tab.resourceId === resourceId);
    const show = ({ state, holder, reservedFor, queueLength }) => [state, holder?.userId ?? reservedFor?.userId ?? '', queueLength ?? ''].join(' ').trim();
    for (const tab of tabs) {
      if (!tab.live || !tab.lock) return `${tab.name} is not in ${resourceId}`;
      if (show(tab.lock) !== show(lock)) return `${tab.name} sees ${resourceId} ${show(tab.lock)}, the store has ${show(lock)}`;
    }
    const holders = tabs.filter((tab) => tab.token);
    if (lock.state === 'free') return holders.length > 0 ? `${holders[0].name} believes in ${resourceId}, which is free` : null;
    if (lock.state !== 'held') return `${resourceId} is ${lock.state}`;
    if (holders.length === 1 && holders[0].user === lock.holder.userId) return null;
    return `${resourceId} is held by ${lock.holder.userId}; ${holders.map((tab) => tab.name).join(', ') || 'nobody'} believes in it`;
  }
  /* The records of all instances, as soon as no change up to now lacks one; at the latest after timeoutMs. */
  async readAudit(timeoutMs) {
    const now = performance.now();
    const read = () => {
      for (const { audit } of this.daemons) for (const record of audit.records()) this.history.add('audit', { record });
      return unaudited(this.history, now).length === 0;
    };
    await h.eventually(read, 'a whole audit', timeoutMs, 250).catch(() => {});
  }
  /* Everybody leaves; what is left of a lock or a member in the store then. */
  async empty(timeoutMs) {
    for (const tab of [...this.tabs, ...this.probes]) tab.end();
    const left = async () => (await this.store.keys()).filter((key) => /\}:(lock|member|room|held|queue|waiter):/.test(key));
    await h.eventually(async () => (await left()).length === 0, 'no key is left behind', timeoutMs)
      .catch(async () => this.history.add('unsettled', { text: `left behind: ${(await left()).join(' ')}` }));
  }
}

module.exports = { CONFIG, GRACE_MS, LEASE_MS, World };
