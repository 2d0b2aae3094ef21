'use strict';
/* The store behind Sentinels: found by name, failed over, demoted; Sentinels that are away, refuse or lie. */
const assert = require('node:assert');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const LEASE = 3000 * h.SLOW;

function config(sentinel, more = {}) {
  return {
    default: { lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: h.ms(8000) },
    ...more,
    ops: { readyGrace: '100ms' },
    redis: { sentinel, lease: `${LEASE}ms`, commandTimeout: h.ms(1000), ...more.redis },
  };
}

const start = (t, sentinel, more) => h.lockDaemon(t, { redis: null, config: config(sentinel, more) });
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const sees = (d, pattern) => h.eventually(async () => pattern.test((await h.httpGet(d.opsUrl('/readyz'))).body), `/readyz says ${pattern}`);

/* No daemon is connected to this server. */
const unused = (server) => h.eventually(async () => !/ name=wslockd:/.test(await server.command('CLIENT', 'LIST')), 'nobody uses it');
const used = (server) => h.eventually(async () => / name=wslockd:/.test(await server.command('CLIENT', 'LIST')), 'it is used');

/* Whichever is the master by now: a machine that is slow for a second has another failover. */
const onlyMasterUsed = (group) => h.eventually(async () => {
  const master = await group.master();
  const clients = await Promise.all(group.servers.map((server) => server.command('CLIENT', 'LIST')));
  return group.servers.every((server, i) => / name=wslockd:/.test(clients[i]) === (server === master));
}, 'the master is used, the others are not');

/* Somebody has subscribed at this Sentinel. */
const watched = async (sentinel) => / sub=1 /.test(await sentinel.command('CLIENT', 'LIST'));

/* The daemon does not become ready, ends with exit 3, and says why. */
async function unreachable(t, sentinel, pattern, more) {
  const d = await h.newDaemon(t, { redis: null, config: config(sentinel, { ...more, redis: { startTimeout: '2s' } }) });
  const began = Date.now();
  d.spawn();
  assert.deepStrictEqual(await d.end(), { code: 3, signal: null }, d.tail());
  assert.ok(Date.now() - began >= 2000, 'not before redis.startTimeout');
  assert.match(d.log.find((line) => line.startsWith('store_unreachable ')) || d.tail(), pattern);
}

/* ---- real Sentinels ---- */

test('a failover', { concurrency: 2 }, async (t) => {
  await h.together(t, {
    'kill -9 of the master under traffic: no lock is lost; it comes back as a replica and is not used': async (st) => {
      const group = await h.sentinelGroup(st);
      const daemons = [await start(st, group.config, { instance: 'one' }), await start(st, group.config, { instance: 'two' })];
      const old = await group.master();
      const run = await h.traffic(st, daemons);
      await old.kill();
      const next = await group.switched(old);
      await Promise.all(run.everyone.map((client) => client.waitFor('system:recovered')));
      await run.granted(5);
      st.diagnostic(`kill -9: ${await h.judgeTraffic(run, daemons)} ms without grants, down-after ${h.DOWN_AFTER} ms`);
      for (const d of daemons) {
        await d.waitForLog(new RegExp(`master_found master=wslock host=127.0.0.1 port=${next.port}`));
        assert.ok(await d.metric('wslock_store_master_switches_total') >= 1);
      }
      await group.comesBack(old);
      await group.settled();
      await onlyMasterUsed(group);
      for (const d of daemons) await h.granting(d);
      const [ann, bob] = [await h.person(daemons[0], 'ann'), await h.person(daemons[1], 'bob')];
      await h.take(ann, 'document:after');
      await h.view(bob, 'document:after');
      await h.checkAll(...daemons);
    },

    'a failover that an operator asks for; users and passwords, one for Sentinels, another for Redis': async (st) => {
      const group = await h.sentinelGroup(st, {
        password: 'of-redis', // and the rights that docs/operations.md names
        sentinelLines: ['user wslockd on >of-sentinel &+switch-master -@all +auth +ping +subscribe +sentinel|get-master-addr-by-name'],
      });
      const dir = h.tempDir(st);
      const file = (name, text) => {
        fs.writeFileSync(path.join(dir, name), text, { mode: 0o600 });
        return path.join(dir, name);
      };
      const redis = { passwordFile: file('redis', 'of-redis\n') };
      const sentinel = { ...group.config, username: 'wslockd', passwordFile: file('sentinel', 'of-sentinel\n') };
      const daemons = [await start(st, sentinel, { instance: 'one', redis }), await start(st, sentinel, { instance: 'two', redis })];
      const old = await group.master();
      const run = await h.traffic(st, daemons);
      await old.command('CLIENT', 'PAUSE', 5000, 'WRITE'); // as docs/operations.md says
      await group.sentinels[1].command('SENTINEL', 'FAILOVER', 'wslock');
      await group.switched(old);
      await Promise.all(run.everyone.map((client) => client.waitFor('system:recovered')));
      await run.granted(5);
      st.diagnostic(`SENTINEL FAILOVER after a pause: ${await h.judgeTraffic(run, daemons)} ms without grants`);
      await group.settled(); // the old one is a replica
      await onlyMasterUsed(group);

      await unreachable(st, { ...sentinel, passwordFile: file('wrong', 'wrong\n') },
        /master wslock: no Sentinel tells where the master .*127\.0\.0\.1:\d+: WRONGPASS/, { instance: 'three' });
    },
  });
});

test('Sentinels that are away', { concurrency: 2 }, async (t) => {
  await h.together(t, {
    'one is down at the start, the watched one goes: another is watched, and its failover followed': async (st) => {
      const group = await h.sentinelGroup(st);
      const nodes = [`127.0.0.1:${await h.freePort()}`, ...group.config.nodes];
      const d = await start(st, { ...group.config, nodes });
      await d.waitForLog(new RegExp(`sentinel_failed sentinel=${nodes[0]} problem="Connection refused"`));
      const first = group.sentinels[0];
      await d.waitForLog(new RegExp(`master_found .* sentinel=${first.address}`));
      const ann = await h.person(d, 'ann');
      const { token } = await h.take(ann, 'document:1');
      await first.kill();
      await d.waitForLog(new RegExp(`sentinel_failed sentinel=${first.address}`));
      assert.strictEqual(ann.received('system:degraded').length, 0, 'the store itself is there');
      const old = await group.master();
      await h.eventually(async () => (await Promise.all(group.sentinels.slice(1).map(watched))).includes(true), 'another is watched');
      await old.kill();
      await group.switched(old);
      await ann.waitFor('system:recovered');
      assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'document:1', token })).event, 'lock:renewed');
      await h.checkAll(d);
    },

    'all are down, or none knows the master: exit 3 after redis.startTimeout, and why': async (st) => {
      const port = await h.freePort();
      await unreachable(st, { master: 'wslock', nodes: [`127.0.0.1:${port}`] },
        new RegExp(`master wslock: no Sentinel tells where the master .*wslock.* is: 127\\.0\\.0\\.1:${port}: Connection refused`));
      const group = await h.sentinelGroup(st, { replicas: 0, sentinels: 1 });
      await unreachable(st, { ...group.config, master: 'other' },
        new RegExp(`no Sentinel tells where the master .*other.* is: ${group.config.nodes[0]}: it does not know this master`));
    },

    'all go while the store is served: nobody notices; they are asked again': async (st) => {
      const group = await h.sentinelGroup(st, { replicas: 0, sentinels: 1 });
      const d = await start(st, { ...group.config, nodes: [`localhost:${group.sentinels[0].port}`] }); // maybe ::1 first
      const ann = await h.person(d, 'ann');
      const { token } = await h.take(ann, 'document:1');
      await group.sentinels[0].kill();
      await d.waitForLog(/sentinel_failed .*(closed|reset)/);
      await d.waitForLog(/sentinel_failed .*refused/);
      await ann.expect('lock:heartbeat', { resourceId: 'document:1', token }, 'lock:renewed');
      await group.sentinels[0].start();
      await h.eventually(() => watched(group.sentinels[0]), 'it is watched again');
      assert.strictEqual(ann.received('system:degraded').length, 0);
      await h.checkAll(d);
    },

    'the master loads its data: the store is away, and served afterwards': async (st) => {
      const group = await h.sentinelGroup(st, { replicas: 0, sentinels: 1 });
      const [master] = group.servers;
      const d = await start(st, group.config);
      const ann = await h.person(d, 'ann');
      const { token } = await h.take(ann, 'document:1');
      for (let i = 0; i < 300; i++) await master.command('SET', `filler:${i}`, 'x'.repeat(2000));
      await master.command('SAVE');
      fs.appendFileSync(master.file, '\nkey-load-delay 10000\nloading-process-events-interval-bytes 1024\n');
      await master.kill();
      await ann.waitFor('system:degraded');
      const restarted = master.start();
      await sees(d, /PING: LOADING/);
      await restarted.catch(() => {});
      await ann.waitFor('system:recovered');
      assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'document:1', token })).event, 'lock:renewed');
      await h.checkAll(d);
    },
  });
});

/* ---- a Sentinel of the test's own ---- */

const bulk = (text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const array = (...items) => `*${items.length}\r\n${items.map(bulk).join('')}`;
const at = (server) => array('127.0.0.1', String(server.port));

/* Answers the question for the master with `says` (text, or a function of the socket), and else as a Sentinel does. */
async function fake(t, says) {
  const sentinel = { says, sockets: new Set(), watching: new Set(), asked: 0 };
  const server = net.createServer((socket) => {
    sentinel.sockets.add(socket);
    socket.on('close', () => {
      sentinel.sockets.delete(socket);
      sentinel.watching.delete(socket);
    });
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const text = String(data);
      if (/GET-MASTER-ADDR-BY-NAME/.test(text)) {
        sentinel.asked++;
        if (typeof sentinel.says === 'function') sentinel.says(socket);
        else socket.write(sentinel.says);
      }
      if (/SUBSCRIBE/.test(text)) {
        sentinel.watching.add(socket);
        socket.write(`*3\r\n${bulk('subscribe')}${bulk('+switch-master')}:1\r\n`);
      }
      if (/PING/.test(text)) socket.write(array('pong', ''));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  h.cleanup(t, () => {
    sentinel.close();
  });
  sentinel.publish = (text) => {
    for (const socket of sentinel.watching) socket.write(text);
  };
  sentinel.close = () => {
    server.close();
    for (const socket of sentinel.sockets) socket.destroy();
  };
  sentinel.config = { master: 'wslock', nodes: [`127.0.0.1:${server.address().port}`] };
  return sentinel;
}

const moved = (server) => array('message', '+switch-master', `wslock 127.0.0.1 1 127.0.0.1 ${server.port}`);

async function pair(t) {
  const servers = [await h.redis(t, { tcp: true }), await h.redis(t, { tcp: true })];
  await h.layOut(servers[0]);
  await servers[1].command('REPLICAOF', '127.0.0.1', servers[0].port);
  await h.eventually(async () => /master_link_status:up/.test(await servers[1].command('INFO', 'replication')), 'a copy');
  return servers;
}

test('a Sentinel that is wrong', { concurrency: 4 }, async (t) => {
  await h.together(t, {
    'a master that is demoted while it answers is left at once, and not taken again': async (st) => {
      const [old, next] = await pair(st);
      const sentinel = await fake(st, at(old));
      const d = await start(st, sentinel.config);
      const ann = await h.person(d, 'ann');
      const { token } = await h.take(ann, 'document:1');
      await next.command('REPLICAOF', 'NO', 'ONE');
      await old.command('REPLICAOF', '127.0.0.1', next.port); // its clients are not closed
      await ann.waitFor('system:degraded');
      await sees(d, new RegExp(`the store is away: master wslock \\(127\\.0\\.0\\.1:${old.port}\\): it is not a master`));
      const { asked } = sentinel;
      await h.eventually(() => sentinel.asked > asked + 1, 'it is asked again and again');
      sentinel.says = at(next); // without a message
      await ann.waitFor('system:recovered');
      assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId: 'document:1', token })).event, 'lock:renewed');
      await unused(old);
      await used(next);
      await h.checkAll(d);
    },

    'a message moves both connections, at once and once; others mean nothing': async (st) => {
      const [old, next] = await pair(st);
      const sentinel = await fake(st, at(old));
      const d = await start(st, sentinel.config);
      const ann = await h.person(d, 'ann');
      await h.take(ann, 'document:1');
      await h.eventually(() => sentinel.watching.size === 1, 'one is watched');
      const wrong = [array('message', '+switch-master', `other 127.0.0.1 1 127.0.0.1 ${next.port}`),
        array('message', '+switch-master', 'wslock 127.0.0.1 1 127.0.0.1 99999'), array('message', '+sdown', 'master wslock'), moved(old)];
      for (const message of wrong) sentinel.publish(message);
      await ann.sync();
      await d.metric('wslock_store_up');
      assert.strictEqual(ann.received('system:degraded').length, 0);
      await next.command('REPLICAOF', 'NO', 'ONE');
      sentinel.says = at(next);
      sentinel.publish(moved(next));
      await ann.waitFor('system:degraded');
      await ann.waitFor('system:recovered');
      await unused(old);
      await h.eventually(async () => (await next.command('CLIENT', 'LIST')).match(/ name=wslockd:/g)?.length === 2, 'both are there');
      assert.strictEqual(await d.metric('wslock_store_master_switches_total'), 1);
      await h.checkAll(d);
    },

    'one that still names an old master does not take a connected daemon away from the new one': async (st) => {
      const [stale, master] = await pair(st);
      await master.command('REPLICAOF', 'NO', 'ONE');
      await h.layOut(master);
      const [first, second, third] = [await fake(st, at(master)), await fake(st, at(stale)), await fake(st, at(master))];
      const nodes = [first, second, third].map((s) => s.config.nodes[0]);
      const d = await start(st, { master: 'wslock', nodes });
      const ann = await h.person(d, 'ann');
      await h.take(ann, 'document:1');
      await h.eventually(() => first.watching.size === 1, 'the first is watched');
      first.close();
      await h.eventually(() => third.watching.size === 1, 'the third is watched');
      assert.ok(second.asked >= 1);
      await ann.sync();
      assert.strictEqual(ann.received('system:degraded').length, 0);
      third.says = at(stale); // and nobody names the master of before any more
      third.close();
      await ann.waitFor('system:degraded');
      await h.checkAll(d);
    },

    'garbage, huge and malformed replies are refused with a reason; the daemon goes on and finds the master later': async (st) => {
      const redis = await h.redis(st, { tcp: true });
      await h.layOut(redis);
      const sentinel = await fake(st, 'HTTP/1.1 400 Bad Request\r\n\r\n');
      const d = h.watch(await h.newDaemon(st, { redis: null, config: config(sentinel.config, { redis: { startTimeout: '5m' } }) }));
      d.spawn();
      await d.waitForLog(/ops_listening address/);
      const endless = (socket) => {
        const chunk = 'x'.repeat(60_000);
        const more = () => { while (!socket.destroyed && socket.write(chunk)); };
        socket.on('drain', more);
        socket.write('+');
        more();
      };
      const cases = [
        [sentinel.says, /no reply of a Sentinel/],
        ['*1152921504606846976\r\n', /no reply of a Sentinel/],
        ['*2\r\n$536870912\r\n', /no reply of a Sentinel/],
        ['*2\r\n*2\r\n', /no reply of a Sentinel/],
        [endless, /no reply of a Sentinel/],
        ['+OK\r\n'.repeat(3000), /not an address/],
        [array('127.0.0.1', '0'), /not an address/],
        [array('127.0.0.1', '65536'), /not an address/],
        [array('a'.repeat(1000), '6379'), /not an address/],
        [array('a b\\n', '6379'), /not an address/],
        ['*-1\r\n', /does not know this master/],
        ['$-1\r\n', /does not know this master/],
        ['-IDONTKNOW I have not enough information\r\n', /IDONTKNOW I have not enough information/],
        ['-NOAUTH Authentication required.\r\n', /NOAUTH Authentication required/],
        [(socket) => socket.destroy(), /Server closed the connection|reset/],
        [() => {}, /no answer|not an address/], // then the reply to SUBSCRIBE stands in its place
      ];
      for (const [says, pattern] of cases) {
        const before = sentinel.asked;
        sentinel.says = says;
        await h.eventually(() => sentinel.asked > before + 1, 'the first answer was handled');
        await sees(d, pattern);
      }
      sentinel.says = at({ port: await h.freePort() });
      await sees(d, /master wslock \(127\.0\.0\.1:\d+\): Connection refused/);
      sentinel.says = at({ port: sentinel.config.nodes[0].split(':')[1] }); // itself: no Redis
      await sees(d, /master wslock \(127\.0\.0\.1:\d+\): (?!Connection refused)/);
      sentinel.says = at(redis);
      await d.ready();
      await h.granting(d);
      const ann = await h.person(d, 'ann');
      await h.take(ann, 'document:1');
      assert.ok(await d.metric('wslock_sentinel_failures_total') >= cases.length);
      for (const says of [array('pong', '').repeat(20_000), 'garbage\r\n', '$9999\r\n', '-ERR no more\r\n']) {
        await h.eventually(() => sentinel.watching.size === 1, 'it is watched');
        const [socket] = sentinel.watching;
        sentinel.publish(says);
        if (!says.startsWith('*')) await h.eventually(() => !sentinel.watching.has(socket), 'it is left');
      }
      assert.strictEqual(ann.received('system:degraded').length, 0, 'the store itself is there');
      await h.checkAll(d);
    },

    'one that moves the master to and fro all the time: attempts have their pause': async (st) => {
      const [one, two] = await pair(st);
      const sentinel = await fake(st, at(one));
      const d = await start(st, sentinel.config);
      const connections = async () => Number(/total_connections_received:(\d+)/.exec(await one.command('INFO', 'stats'))[1]);
      await h.eventually(() => sentinel.watching.size === 1, 'it is watched');
      const [before, began] = [await connections(), performance.now()];
      for (let i = 0; i < 300; i++) {
        sentinel.publish(moved(i % 2 ? one : two));
        await pause(5);
      }
      const [made, took] = [await connections() - before, performance.now() - began];
      assert.ok(made <= 2 * (took / 100 + 2), `${made} connections in ${took} ms`);
      sentinel.publish(moved(one));
      await h.granting(d);
    },
  });
});
