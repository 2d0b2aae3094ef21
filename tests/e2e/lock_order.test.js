'use strict';
/*
 * `rev`: events about one resource reach a connection in order, none before resource:joined, and a client that
 * knows only resource:joined, lock:state and lock:lost is right in the end. Random walks over two daemons.
 */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

/* What a client believes that keeps to resource:joined, lock:state and lock:lost, and ignores as the protocol says. */
function belief(client, resourceId) {
  let lock = null;
  let joined = false;
  let users = new Map();
  let viewers = 0;
  let last = 0;
  for (const { dir, message } of client.frames) {
    if (dir !== 'in' || message.data.resourceId !== resourceId) continue;
    const { event, id, data } = message;
    if (data.rev < last) continue;
    if (id === undefined || event === 'resource:joined') last = data.rev;
    if (event === 'resource:joined') {
      ({ lock, viewers } = data);
      users = new Map(data.users.map((u) => [u.userId, u]));
      joined = true;
    } else if (event === 'resource:left') joined = false;
    else if (event === 'lock:state' && id === undefined) ({ lock } = data);
    else if (event === 'presence:diff') {
      data.left.forEach((u) => users.delete(u.userId));
      [...data.joined, ...data.changed].forEach((u) => users.set(u.userId, u));
      ({ viewers } = data);
    } else if (event === 'presence:update') {
      users = new Map(data.users.map((u) => [u.userId, u]));
      ({ viewers } = data);
    }
  }
  const names = [...users.values()].map((u) => `${u.userId}:${u.mode}:${u.connections}`).sort();
  return { joined, state: lock?.state, holder: lock?.holder?.userId, users: names, viewers };
}

test(`random walks (WSLOCK_TEST_SEED=${h.SEED})`, { timeout: 120_000 * h.SLOW }, async (t) => {
  const config = {
    default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: '60s', maxConcurrentTabLocksPerUser: null },
    resourceTypes: { short: { lockTtl: '400ms', heartbeatInterval: '150ms', gracePeriod: '300ms' } },
    limits: { messagesPerSecond: 100000, messageBurst: 100000 },
  };
  const one = await h.lockDaemon(t, { config: { ...config, instance: 'one' } });
  const two = await h.lockDaemon(t, { config: { ...config, instance: 'two' }, redis: one.redis });
  const rnd = h.random();
  const resources = ['document:walk:a', 'document:walk:b', 'short:walk:a', 'document:walk2:a'];
  const slots = [];
  for (let i = 0; i < 10; i++) slots.push({ user: `w${i % 6}`, clientId: h.tab(), daemon: i % 2 ? one : two, client: null, tokens: {} });
  const tokens = new Map(resources.map((r) => [r, []])); // every fencing token that was granted, with whom

  async function step(slot) {
    const resourceId = rnd.pick(resources);
    if (!slot.client || slot.client.ws.readyState !== 1) {
      if (rnd.chance(0.2)) slot.daemon = rnd.pick([one, two]);
      slot.client = await slot.daemon.client({ user: slot.user, clientId: slot.clientId });
    }
    const c = slot.client;
    const token = slot.tokens[resourceId];
    const presence = rnd.pick(['diff', 'diff', 'full', 'none']);
    switch (rnd.below(14)) {
      case 0:
      case 1:
      case 13:
        c.send('resource:join', { resourceId, presence });
        break;
      case 2:
      case 3:
      case 12:
        c.send('resource:join', { resourceId, mode: 'editor', presence, ...(token && rnd.chance(0.7) && { token }) });
        break;
      case 4:
        c.send('lock:acquire', { resourceId, takeOwn: rnd.chance(0.3) });
        break;
      case 5:
      case 6:
        c.send('lock:heartbeat', { resourceId, ...(token && rnd.chance(0.7) && { token }), dirty: rnd.chance(0.5) });
        break;
      case 7:
        c.send('lock:release', { resourceId, revision: 'r' });
        break;
      case 8:
        c.send('lock:status', { resourceId });
        break;
      case 9:
        if (rnd.chance(0.4)) c.send('resource:leave', { resourceId });
        break;
      case 10:
        if (rnd.chance(0.25)) c.ws.terminate();
        break;
      default:
        if (rnd.chance(0.25)) c.ws.close(rnd.pick([1000, 1001, undefined]));
    }
    if (rnd.chance(0.3)) await c.sync().catch(() => {});
    for (const { dir, message } of c.frames.slice(-6)) {
      if (dir === 'in' && ['lock:acquired', 'lock:renewed'].includes(message.event)) slot.tokens[message.data.resourceId] = message.data.token;
    }
  }

  for (let i = 0; i < 2500; i++) await step(rnd.pick(slots));

  // At rest: everyone who is in a room believes what the store says.
  const probe = await one.client({ user: 'probe' });
  const live = [...one.clients, ...two.clients].filter((c) => c.ws.readyState === 1);
  for (const c of live) await c.sync().catch(() => {});
  for (const resourceId of resources) {
    await h.eventually(async () => {
      const truth = await h.status(probe, resourceId);
      const watcher = await two.client({ user: 'watcher' });
      const room = await h.view(watcher, resourceId);
      await watcher.expect('resource:leave', { resourceId }, 'resource:left');
      await watcher.close(1000);
      const users = room.users.filter((u) => u.userId !== 'watcher').map((u) => `${u.userId}:${u.mode}:${u.connections}`).sort();
      for (const c of live.filter((x) => x.ws.readyState === 1)) {
        const seen = belief(c, resourceId);
        if (!seen.joined) continue;
        const presence = c.frames.filter((f) => f.dir === 'out' && f.text.includes('resource:join"') && f.text.includes(`"${resourceId}"`))
          .map((f) => JSON.parse(f.text).data.presence).at(-1);
        assert.deepStrictEqual([seen.state, seen.holder], [truth.state, truth.holder?.userId], `${c.options.user} in ${resourceId}`);
        if (presence !== 'none') {
          assert.deepStrictEqual(seen.users, users, `${c.options.user} in ${resourceId}`);
          assert.strictEqual(seen.viewers, room.viewers - 1);
        }
      }
      return true;
    }, `all believe the same of ${resourceId}`);
  }
  await h.checkAll(one, two);

  // Over all connections, in the order of time: a token belongs to one tab, and newer grants have higher ones.
  for (const c of [...one.clients, ...two.clients]) {
    for (const { dir, message } of c.frames) {
      if (dir !== 'in' || !['lock:acquired', 'lock:renewed'].includes(message.event)) continue;
      const { resourceId, token, serverTime } = message.data;
      const tab = c.options.clientId;
      tokens.get(resourceId).push({ token, serverTime, tab, event: message.event });
    }
  }
  for (const [resourceId, grants] of tokens) {
    const owner = new Map();
    grants.sort((a, b) => a.serverTime - b.serverTime || a.token - b.token);
    let highest = 0;
    let at = 0;
    for (const g of grants) {
      assert.ok(!owner.has(g.token) || owner.get(g.token) === g.tab, `two tabs had token ${g.token} of ${resourceId}`);
      owner.set(g.token, g.tab);
      assert.ok(g.token >= highest || g.serverTime === at, `${resourceId}: ${g.token} was confirmed after ${highest} had been granted`);
      if (g.token > highest) highest = g.token;
      at = g.serverTime;
    }
    assert.ok(owner.size > 0, `nothing happened to ${resourceId}`);
  }
});
