'use strict';
/* Reloads under load: other policies, other certificates and another audit file each time. No connection ends, no
 * record is lost, and nothing is left open or allocated. */
const assert = require('node:assert');
const fs = require('node:fs');
const tls = require('node:tls');
const { test } = require('node:test');
const h = require('./harness');

const WARM_UP = 40;
const RELOADS = 200;
const ALONE = 60;
/* What may be allocated in addition: under load, for what is remembered of it; by reloads alone. */
const RSS_KIB = [3072, 128];
const limits = { messagesPerSecond: 100000, messageBurst: 100000, handshakesPerSecond: 10000 };
/* A sanitizer keeps freed memory: a little is enough here. */
const ASAN_OPTIONS = 'detect_leaks=1:abort_on_error=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=16';

const descriptors = (d) => fs.readdirSync(`/proc/${d.child.pid}/fd`).length;
const rssKib = (d) => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${d.child.pid}/status`, 'utf8'))[1]);

/* Work that goes on until it is told to stop. */
class Load {
  constructor() {
    this.counts = { acquired: 0, handshakes: 0, visits: 0 };
    this.running = [];
  }
  start(step) {
    this.running.push((async () => {
      while (!this.stopping) await step();
    })());
  }
  async stop() {
    this.stopping = true;
    await Promise.all(this.running);
    this.running = [];
    this.stopping = false;
  }
}

/* Takes the lock, renews it, gives it back. */
async function edit(load, client, resourceId) {
  await client.expect('lock:acquire', { resourceId }, 'lock:acquired');
  load.counts.acquired += 1;
  await client.expect('lock:heartbeat', { resourceId }, 'lock:renewed');
  await client.expect('lock:release', { resourceId }, 'lock:released');
}

/* The name in the certificate. */
function handshake(d) {
  const socket = tls.connect({ host: '127.0.0.1', port: d.port, rejectUnauthorized: false });
  const name = new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket.getPeerCertificate().subject.CN));
    socket.once('error', reject);
  });
  return h.deadline(name, 'TLS').finally(() => socket.destroy());
}

async function visit(load, d) {
  const client = await d.client({ user: 'guest' });
  await client.sync();
  await client.close();
  load.counts.visits += 1;
}

/* One reload: by a signal or by the operations endpoint. The file before is in files. */
async function reload(d, i, pairs, files) {
  const pair = pairs[i % pairs.length];
  files.push(`${d.auditFile}.${i}`);
  fs.renameSync(d.auditFile, files.at(-1));
  d.config.resourceTypes.doc = { lockTtl: `${4 + (i % 5)}m`, gracePeriod: `${20 + (i % 3)}s` };
  d.config.listen[0].tls = pair.files;
  d.config.limits.maxConnections = 1000 + i;
  d.writeConfig();
  if (i % 2 === 0) {
    const { status, body } = await h.opsCall(d, 'POST', '/v1/reload', { actor: 'test' });
    assert.strictEqual(status, 200, body);
  } else {
    d.signal('SIGHUP');
    await h.eventually(() => fs.readFileSync(d.auditFile, 'utf8').includes('"CONFIG_RELOADED"'), 'the record of the reload');
  }
  assert.strictEqual(await handshake(d), pair.cn);
}

test('200 reloads under load', async (t) => {
  const dir = h.tempDir(t);
  const pairs = [['first', 'ec'], ['second', 'rsa'], ['third', 'ec']].map(([name, type]) => (
    { cn: name, files: h.certificate(dir, { name, cn: name, type }) }));
  const d = await h.lockDaemon(t, {
    env: { ASAN_OPTIONS },
    config: {
      listen: [{ address: '127.0.0.1', port: 0, tls: pairs[0].files }], limits, resourceTypes: { doc: {} }, log: { level: 'info' },
    },
  });
  const users = Array.from({ length: 8 }, (_, i) => `user${i}`);
  const people = await Promise.all(users.map((user) => d.client({ user })));
  await Promise.all(people.map((client, i) => h.view(client, `doc:${i}:a`)));
  const load = new Load();
  const files = [];
  const startLoad = () => {
    people.forEach((client, i) => load.start(() => edit(load, client, `doc:${i}:a`)));
    load.start(async () => { await handshake(d); load.counts.handshakes += 1; });
    load.start(() => visit(load, d));
  };
  const measure = async () => {
    await load.stop();
    await h.eventually(async () => await d.metric('wslock_connections', 'framing="native"') === people.length, 'only those who stay');
    return { open: descriptors(d), rss: rssKib(d) };
  };

  startLoad();
  for (let i = 0; i < WARM_UP; i += 1) await reload(d, i, pairs, files);
  const before = await measure();
  startLoad();
  for (let i = WARM_UP; i < WARM_UP + RELOADS; i += 1) await reload(d, i, pairs, files);
  const after = await measure();
  for (let i = 0; i < ALONE; i += 1) await reload(d, WARM_UP + RELOADS + i, pairs, files);
  const alone = await measure();
  t.diagnostic(JSON.stringify({ before, after, alone, ...load.counts }));

  await h.eventually(() => descriptors(d) === before.open, `${before.open} descriptors as before; after: ${after.open}`);
  assert.ok(after.rss <= before.rss + RSS_KIB[0], `${before.rss} KiB before, ${after.rss} KiB after`);
  assert.ok(alone.rss <= after.rss + RSS_KIB[1], `${after.rss} KiB before, ${alone.rss} KiB after reloads alone`);
  for (const client of people) {
    assert.strictEqual(client.ws.readyState, 1);
    await client.sync();
  }
  assert.strictEqual(await d.metric('wslock_config_last_reload_successful'), 1);
  assert.strictEqual(await d.metric('wslock_audit_errors_total'), 0);
  assert.ok(load.counts.acquired > RELOADS && load.counts.handshakes > RELOADS && load.counts.visits > RELOADS / 2);
  await h.checkAll(d);
  await d.stop();

  const records = h.readChain([...files, d.auditFile]);
  const count = (action) => records.filter((a) => a.action === action).length;
  assert.deepStrictEqual([count('AUDIT_ROTATED'), count('CONFIG_RELOADED')], Array(2).fill(WARM_UP + RELOADS + ALONE));
  assert.strictEqual(count('LOCK_ACQUIRED'), load.counts.acquired);
  assert.strictEqual(records.filter((a) => a.action === 'LOCK_RELEASED' && a.reason === 'RELEASED').length, load.counts.acquired);
  assert.strictEqual(count('SESSION_OPENED'), people.length + load.counts.visits);
});
