'use strict';
/* The store over TLS: Redis, Sentinels, a Cluster. Where hiredis has no TLS (Debian 12) it is refused. */
const assert = require('node:assert');
const fs = require('node:fs');
const { spawnSync } = require('node:child_process');
const { test } = require('node:test');
const h = require('./harness');

const HAS_TLS = spawnSync('pkg-config', ['--exists', 'hiredis_ssl']).status === 0;
const LEASE = 3000 * h.SLOW;

function config(redis, more = {}) {
  return {
    default: { lockTtl: '120s', heartbeatInterval: '40s', gracePeriod: h.ms(8000) },
    ...more,
    ops: { readyGrace: '100ms' },
    redis: { lease: `${LEASE}ms`, commandTimeout: h.ms(1000), ...redis },
  };
}
const start = (t, redis, more) => h.lockDaemon(t, { redis: null, config: config(redis, more) });

/* A Redis that speaks only TLS. options: of serverTls. */
async function tlsRedis(t, authority, options) {
  const server = await new h.Server(t, 'redis', ['appendonly yes', 'appendfsync no'], { tls: h.serverTls(authority, options) }).start();
  await h.layOut(server);
  return server;
}
const url = (server, host = '127.0.0.1') => `rediss://${host}:${server.port}/0`;

/* The daemon does not become ready, ends with exit 3, and says why; before that too, at the default level of the log. */
async function unreachable(t, redis, pattern) {
  const d = await h.newDaemon(t, { redis: null, config: config({ startTimeout: '2s', ...redis }, { log: { level: 'info' } }) });
  d.spawn();
  assert.deepStrictEqual(await d.end(), { code: 3, signal: null }, d.tail());
  assert.match(d.log.find((line) => line.startsWith('store_unreachable ')) || d.tail(), pattern);
  assert.ok(d.log.some((line) => !line.startsWith('store_unreachable ') && pattern.test(line)), `before the end too:\n${d.tail()}`);
}

/* What a server says of a client's certificate may be lost: it resets the connection behind it. */
const refusal = (alert) => new RegExp(`TLS alert ${alert}|; the server may have refused redis\\.tls\\.certificate`);

async function keepsItsLock(ann, resourceId, token) {
  assert.strictEqual((await h.settled(ann, 'lock:heartbeat', { resourceId, token })).event, 'lock:renewed');
}

async function refused(t, redis, pattern) {
  const d = await h.newDaemon(t, { redis: null, config: config(redis) });
  d.spawn();
  assert.deepStrictEqual(await d.end(), { code: 1, signal: null }, d.tail());
  assert.match(d.log.join('\n'), pattern);
}

if (!HAS_TLS) {
  test('without TLS in hiredis it is refused with a sentence', async (t) => {
    const none = (key) => new RegExp(`${key}: this build has no TLS to Redis: it needs hiredis 1\\.0 or later with TLS`);
    const { ca } = h.authority(h.tempDir(t));
    await refused(t, { url: 'rediss://127.0.0.1:6379/0' }, none('redis\\.url'));
    await refused(t, { sentinel: { master: 'wslock', nodes: ['127.0.0.1:26379'] }, tls: { ca } }, none('redis\\.tls'));
    await refused(t, { cluster: { nodes: ['127.0.0.1:6379'] }, tls: { ca } }, none('redis\\.tls'));
  });
} else {
  test('one Redis', { concurrency: 2 }, async (t) => {
    await h.together(t, {
      'with a client certificate: cut connections and a restart are survived': async (st) => {
        const authority = h.authority(h.tempDir(st));
        const server = await tlsRedis(st, authority);
        const wire = await h.proxy(st, server.port);
        const d = await start(st, { url: url(wire), tls: { ca: authority.ca, ...authority.sign('wslockd') } });
        const ann = await h.person(d, 'ann');
        const { token } = await h.take(ann, 'document:1');
        wire.cut();
        await ann.waitFor('system:degraded');
        await ann.waitFor('system:recovered');
        await keepsItsLock(ann, 'document:1', token);
        await server.kill(); // no close_notify
        await d.waitForLog(/^store_lost .*: (Server closed the connection|Connection reset by peer)"/);
        await server.start();
        await ann.waitFor('system:recovered');
        await keepsItsLock(ann, 'document:1', token);
        await h.checkAll(d);
      },

      'without one, by its name: locks, and large replies': async (st) => {
        const authority = h.authority(h.tempDir(st));
        const server = await tlsRedis(st, authority, { authClients: false });
        const daemons = [await start(st, { url: url(server, 'localhost'), tls: { ca: authority.ca } }, { instance: 'one' }),
          await start(st, { url: url(server), tls: { ca: authority.ca } }, { instance: 'two' })];
        const crowd = await Promise.all(Array.from({ length: 60 }, (_, i) => h.person(daemons[i % 2], `viewer-${i}`)));
        await Promise.all(crowd.map((client) => h.view(client, 'document:1')));
        const ann = await h.person(daemons[0], 'ann');
        await h.take(ann, 'document:1');
        await Promise.all(crowd.map((client) => client.waitFor('lock:state', (data) => data.lock.state === 'held')));
        await h.checkAll(...daemons);
      },

      'a certificate that has expired since: the log says so, the store is away, and back with a new one': async (st) => {
        const authority = h.authority(h.tempDir(st));
        const files = authority.sign('server');
        const server = await tlsRedis(st, authority, { files, authClients: false });
        const d = await start(st, { url: url(server), tls: { ca: authority.ca } });
        const ann = await h.person(d, 'ann');
        const { token } = await h.take(ann, 'document:1');
        const good = fs.readFileSync(files.certificate);
        const bad = authority.sign('expired', { days: -1 });
        const goodKey = fs.readFileSync(files.key);
        fs.copyFileSync(bad.certificate, files.certificate);
        fs.copyFileSync(bad.key, files.key);
        await server.kill();
        await server.start();
        await d.waitForLog(/certificate of the server: certificate has expired/);
        await h.eventually(async () => /certificate has expired/.test((await h.httpGet(d.opsUrl('/readyz'))).body), '/readyz says it too');
        fs.writeFileSync(files.certificate, good);
        fs.writeFileSync(files.key, goodKey);
        await server.kill();
        await server.start();
        await ann.waitFor('system:recovered');
        await keepsItsLock(ann, 'document:1', token);
        await h.checkAll(d);
      },
    });
  });

  test('what is wrong is said, in the log and at the end of the start', { concurrency: 2 }, async (t) => {
    const dir = h.tempDir(t);
    const authority = h.authority(dir);
    const other = h.authority(dir, 'other');
    const { ca } = authority;
    const own = authority.sign('wslockd');
    const servers = {
      open: await tlsRedis(t, authority, { authClients: false }),
      strict: await tlsRedis(t, authority, { files: authority.sign('strict') }),
      elsewhere: await tlsRedis(t, authority, { files: authority.sign('elsewhere', { san: 'DNS:redis.example.org' }), authClients: false }),
      expired: await tlsRedis(t, authority, { files: authority.sign('expired', { days: -1 }), authClients: false }),
      plain: await h.redis(t, { tcp: true }),
    };
    await h.together(t, {
      'another authority': (st) => unreachable(st, { url: url(servers.open), tls: { ca: other.ca } },
        /certificate of the server: (unable to get local issuer certificate|self-signed certificate in certificate chain)/),
      'another host': (st) => unreachable(st, { url: url(servers.elsewhere, 'localhost'), tls: { ca } }, /certificate of the server: hostname mismatch/),
      'another address': (st) => unreachable(st, { url: url(servers.elsewhere), tls: { ca } }, /certificate of the server: IP address mismatch/),
      'a certificate that has expired': (st) => unreachable(st, { url: url(servers.expired), tls: { ca } }, /certificate of the server: certificate has expired/),
      'a server without TLS': (st) => unreachable(st, { url: url(servers.plain), tls: { ca } }, /TLS handshake: connecting timed out/),
      'TLS that is not expected': (st) => unreachable(st, { url: url(servers.open).replace('rediss', 'redis') }, /Server closed the connection|Connection reset by peer/),
      'no certificate of the client': (st) => unreachable(st, { url: url(servers.strict), tls: { ca } },
        refusal('116 \\(certificate required\\)')),
      'a certificate of the client from another authority': (st) => unreachable(st,
        { url: url(servers.strict), tls: { ca, ...other.sign('stranger') } }, refusal('48 \\(unknown CA\\)')),
      'a certificate of the client that has expired': (st) => unreachable(st,
        { url: url(servers.strict), tls: { ca, ...authority.sign('old', { days: -1 }) } }, refusal('45 \\(certificate expired\\)')),
      'a file that is not there': (st) => unreachable(st, { url: url(servers.open), tls: { ca: `${dir}/none.crt` } },
        /redis\.tls\.ca: .*none\.crt: No such file/),
      'a key that is of another certificate': (st) => unreachable(st,
        { url: url(servers.open), tls: { ca, certificate: own.certificate, key: other.sign('another').key } }, /redis\.tls\.key: .*another\.key: .*mismatch/),
    });
  });

  test('Sentinels', { concurrency: 2 }, async (t) => {
    await h.together(t, {
      'a failover under traffic, with client certificates: no lock is lost': async (st) => {
        const authority = h.authority(h.tempDir(st));
        const group = await h.sentinelGroup(st, { tls: h.serverTls(authority) });
        const redis = { sentinel: group.config, tls: { ca: authority.ca, ...authority.sign('wslockd') } };
        const daemons = [await start(st, redis, { instance: 'one' }), await start(st, redis, { instance: 'two' })];
        const old = await group.master();
        const run = await h.traffic(st, daemons);
        await old.kill();
        const next = await group.switched(old);
        await Promise.all(run.everyone.map((client) => client.waitFor('system:recovered')));
        await run.granted(5);
        st.diagnostic(`kill -9: ${await h.judgeTraffic(run, daemons)} ms without grants, down-after ${h.DOWN_AFTER} ms`);
        for (const d of daemons) await d.waitForLog(new RegExp(`master_found master=wslock host=127.0.0.1 port=${next.port}`));
        await h.eventually(async () => / name=wslockd:/.test(await (await group.master()).command('CLIENT', 'LIST')), 'it is used');
      },

      'they go while the store is served: nobody notices; they are asked again': async (st) => {
        const authority = h.authority(h.tempDir(st));
        const group = await h.sentinelGroup(st, { replicas: 0, sentinels: 1, tls: h.serverTls(authority, { authClients: false }) });
        const [sentinel] = group.sentinels;
        const d = await start(st, { sentinel: group.config, tls: { ca: authority.ca } });
        const ann = await h.person(d, 'ann');
        const { token } = await h.take(ann, 'document:1');
        await sentinel.kill(); // no close_notify
        await d.waitForLog(/sentinel_failed .*(closed|reset)/);
        await ann.expect('lock:heartbeat', { resourceId: 'document:1', token }, 'lock:renewed');
        await sentinel.start();
        await h.eventually(async () => / sub=1 /.test(await sentinel.command('CLIENT', 'LIST')), 'it is watched again');
        assert.strictEqual(ann.received('system:degraded').length, 0);
        await h.checkAll(d);
      },

      'what is wrong is said: another authority, no certificate of the client': async (st) => {
        const dir = h.tempDir(st);
        const [authority, other] = [h.authority(dir), h.authority(dir, 'other')];
        const group = await h.sentinelGroup(st, { replicas: 0, sentinels: 1, tls: h.serverTls(authority) });
        await unreachable(st, { sentinel: group.config, tls: { ca: other.ca } },
          /no Sentinel tells where the master .* is: 127\.0\.0\.1:\d+: certificate of the server: /);
        await unreachable(st, { sentinel: group.config, tls: { ca: authority.ca } },
          /no Sentinel tells where the master .* is: 127\.0\.0\.1:\d+: (TLS alert 116 \(certificate required\)|.* refused redis\.tls\.certificate)/);
      },
    });
  });

  test('a Cluster', { concurrency: 2 }, async (t) => {
    await h.together(t, {
      'a failover under traffic, with client certificates: no lock is lost, the other shards are served': async (st) => {
        const authority = h.authority(h.tempDir(st));
        const group = await h.cluster(st, { tls: h.serverTls(authority) });
        const tls = { ca: authority.ca, ...authority.sign('wslockd') };
        const daemons = [await start(st, { cluster: { nodes: [group.masters[0].address] }, tls }, { instance: 'one' }),
          await start(st, { url: url(group.replicas[1]), tls }, { instance: 'two' })];
        const owners = await Promise.all(Array.from({ length: 16 }, (_, shard) => group.owner(h.slotOf(shard))));
        assert.strictEqual(new Set(owners).size, 3, 'shards are spread');
        const [old] = group.masters;
        const inShard = (shard, name) => {
          for (let i = 0; ; i++) if (h.shardOf(`document:${name}-${i}:main`) === shard) return `document:${name}-${i}:main`;
        };
        const [here, elsewhere] = [owners.indexOf(old), owners.findIndex((owner) => owner !== old)];
        const run = await h.traffic(st, daemons, {
          shared: [inShard(here, 'shared'), inShard(elsewhere, 'shared')],
          own: (i, n) => inShard(n === 1 ? here : elsewhere, `own-${i}-${n}`),
        });
        await old.kill();
        await group.switched(h.slotOf(here), old);
        await Promise.all(run.everyone.map((client) => client.waitFor('system:recovered')));
        await run.granted(5);
        const [longest, other] = await h.judgeTraffic(run, daemons);
        st.diagnostic(`kill -9: ${longest} ms without grants in its shards, ${other} ms in others, node timeout ${h.NODE_TIMEOUT} ms`);
        assert.ok(other < 1000 * h.SLOW, `${other} ms without grants in other shards`);
      },

      'another authority is not believed': async (st) => {
        const dir = h.tempDir(st);
        const [authority, other] = [h.authority(dir), h.authority(dir, 'other')];
        const group = await h.cluster(st, { replicas: 0, tls: h.serverTls(authority, { authClients: false }) });
        await unreachable(st, { cluster: { nodes: group.nodes }, tls: { ca: other.ca } },
          /certificate of the server: self-signed certificate in certificate chain/);
      },
    });
  });
}
