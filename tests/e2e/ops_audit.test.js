'use strict';
/* The audit records of an instance over the operations endpoint. */
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const { test } = require('node:test');
const h = require('./harness');

const get = (d, path, options) => h.opsCall(d, 'GET', path, undefined, options);
async function read(d, path) {
  const answer = await get(d, path);
  assert.strictEqual(answer.status, 200, answer.body);
  assert.strictEqual(answer.headers['content-type'], 'application/x-ndjson');
  return answer.body.split('\n').filter(Boolean).map((line) => JSON.parse(line));
}
const seqs = (records) => records.map((a) => a.seq);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/* An answer that goes on: {records, waitFor(predicate), ended, destroy()}. */
function follow(t, d, path) {
  const s = { records: [], rest: '' };
  const ask = http.get({ socketPath: d.ops.socket, path, agent: false }, (response) => {
    s.status = response.statusCode;
    response.on('data', (data) => {
      const parts = (s.rest + data).split('\n');
      s.rest = parts.pop();
      for (const line of parts) s.records.push(JSON.parse(line));
    });
    s.ended = new Promise((resolve) => { response.on('close', () => resolve(response.complete)); });
  });
  ask.on('error', () => {});
  s.destroy = () => ask.destroy();
  s.waitFor = (predicate) => h.eventually(() => s.records.find(predicate), 'a record that is followed');
  t.after(() => ask.destroy());
  return s;
}
async function fill(d, count) {
  for (let i = 0; i < count; i++) await get(d, `/v1/sessions?user=${'f'.repeat(200)}`);
}

test('all records, and those after one', async (t) => {
  const d = await h.lockDaemon(t);
  await h.take(await d.client({ user: 'ann' }), 'document:1');
  const all = await read(d, '/v1/audit?actor=j.doe');
  assert.deepStrictEqual(all.slice(0, -1).map((a) => a.seq), range(1, all.length - 1));
  assert.strictEqual(all[0].action, 'AUDIT_STARTED');
  assert.ok(all.some((a) => a.action === 'LOCK_ACQUIRED'));
  const last = all.at(-1);
  assert.deepStrictEqual([last.action, last.admin, last.detail], ['ADMIN_QUERY', { id: 'j.doe' }, `uid ${process.getuid()}; audit`], 'this question is the last');
  assert.deepStrictEqual(all, d.audit().slice(0, all.length), 'as they are in the file');
  assert.deepStrictEqual(seqs(await read(d, `/v1/audit?after=${all.length - 2}`)).slice(0, 2), [all.length - 1, all.length]);
  assert.deepStrictEqual(await read(d, '/v1/audit?after=999999999999999999'), []);
  assert.strictEqual((await read(d, '/v1/audit?after=0&follow=0')).length, d.audit().length);
});

test('the newest records', async (t) => {
  const d = await h.lockDaemon(t);
  await fill(d, 20);
  const total = (await read(d, '/v1/audit')).length;
  for (const [query, first] of [['limit=1', total + 1], ['limit=5', total - 2], [`limit=5&after=${total}`, total + 1], ['limit=1000', 1]]) {
    const found = await read(d, `/v1/audit?${query}`);
    assert.strictEqual(found[0].seq, first, query);
    assert.deepStrictEqual(seqs(found), range(first, first + found.length - 1));
  }
  const s = follow(t, d, '/v1/audit?limit=2&follow=1');
  await s.waitFor((a) => a.detail?.includes('limit=2'));
  await fill(d, 3);
  await s.waitFor((a) => a.seq === total + 8);
  assert.deepStrictEqual(seqs(s.records), range(total + 4, total + 8), 'two, and those that came');
});

test('somewhere in a large file', async (t) => {
  const d = await h.lockDaemon(t);
  const raw = await h.rawConnect(t, d.ops.socket);
  const one = `GET /v1/sessions?user=${'f'.repeat(200)} HTTP/1.1\r\nHost: x\r\n\r\n`;
  for (let i = 0; i < 3000; i += 100) {
    raw.write(one.repeat(100));
    for (let k = 0; k < 100; k++) assert.strictEqual((await raw.response()).status, 200);
  }
  const total = (await read(d, '/v1/audit')).length;
  assert.ok(fs.statSync(d.auditFile).size > 1_000_000);
  assert.ok(total > 3000);
  for (const after of [1, 2, 700, 1500, 2222, total - 1]) {
    const found = await read(d, `/v1/audit?after=${after}`);
    assert.deepStrictEqual(seqs(found), range(after + 1, after + found.length), `after ${after}`);
    assert.ok(found.length >= total - after);
  }
  const old = await h.rawConnect(t, d.ops.socket);
  old.write(`GET /v1/audit?after=${total - 10} HTTP/1.0\r\n\r\n`);
  const answer = await old.response();
  assert.strictEqual(answer.headers['transfer-encoding'], undefined, 'HTTP/1.0 knows no chunks');
  assert.deepStrictEqual(seqs(answer.body.trim().split('\n').slice(0, 10).map((l) => JSON.parse(l))), range(total - 9, total));
});

test('records as they come, also over a rotation', async (t) => {
  const d = await h.lockDaemon(t);
  const s = follow(t, d, '/v1/audit?follow=1');
  await s.waitFor((a) => a.action === 'ADMIN_QUERY');
  const ann = await d.client({ user: 'ann' });
  const { token } = await h.take(ann, 'document:1');
  await s.waitFor((a) => a.action === 'LOCK_ACQUIRED' && a.fence === token);
  await ann.expect('lock:release', { resourceId: 'document:1' }, 'lock:released');
  await s.waitFor((a) => a.action === 'LOCK_RELEASED' && a.fence === token);
  fs.renameSync(d.auditFile, `${d.auditFile}.1`);
  await h.take(ann, 'document:2');
  await s.waitFor((a) => a.resourceId === 'document:2:main' && a.action === 'LOCK_ACQUIRED');
  d.signal('SIGHUP');
  await s.waitFor((a) => a.action === 'AUDIT_ROTATED');
  await h.take(ann, 'document:3');
  await s.waitFor((a) => a.resourceId === 'document:3:main' && a.action === 'LOCK_ACQUIRED');
  assert.deepStrictEqual(seqs(s.records), range(1, s.records.length), 'each once, in order');
  const later = follow(t, d, `/v1/audit?after=${s.records.length}&follow=1`);
  await h.take(ann, 'document:4');
  await later.waitFor((a) => a.resourceId === 'document:4:main' && a.action === 'LOCK_ACQUIRED');
  assert.strictEqual(later.records[0].seq, s.records.findLast((a) => a.seq < later.records[0].seq).seq + 1);
  const before = await read(d, '/v1/audit?after=1');
  assert.strictEqual(before[0].action, 'AUDIT_ROTATED', 'only what is in the file in force');
  await d.stop();
  await h.deadline(Promise.all([s.ended, later.ended]), 'they end with the daemon');
});

test('who reads nothing holds little, and gets all of it later', async (t) => {
  // A sanitizer keeps freed memory: a little is enough here.
  const ASAN_OPTIONS = 'detect_leaks=1:abort_on_error=0:quarantine_size_mb=1:thread_local_quarantine_size_kb=16';
  const d = await h.lockDaemon(t, { env: { ASAN_OPTIONS } });
  const raw = await h.rawConnect(t, d.ops.socket);
  raw.socket.pause();
  raw.write('GET /v1/audit?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n');
  const memory = () => Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${d.child.pid}/status`, 'latin1'))[1]);
  await fill(d, 20);
  const before = memory();
  const more = await h.rawConnect(t, d.ops.socket);
  const wide = '%01'.repeat(256); // six bytes each in the record
  const one = `GET /v1/sessions?user=${wide}&actor=${wide} HTTP/1.1\r\nHost: x\r\n\r\n`;
  for (let i = 0; i < 10_000; i += 100) {
    more.write(one.repeat(100));
    for (let k = 0; k < 100; k++) await more.response();
  }
  await h.eventually(() => d.audit().at(-1).seq > 10_000, 'all of it is in the file');
  const { size } = fs.statSync(d.auditFile);
  assert.ok(size > 30_000_000, `${size} bytes`);
  assert.ok(memory() - before < size / 1024 / 2, `${memory() - before} KiB more`);
  raw.socket.resume();
  await raw.until((data) => data.length > size, 'all of it');
});

test('who is two rotations behind is cut off, and not told that this is all', async (t) => {
  const d = await h.lockDaemon(t);
  const raw = await h.rawConnect(t, d.ops.socket);
  raw.socket.pause();
  raw.write('GET /v1/audit?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n');
  const more = await h.rawConnect(t, d.ops.socket);
  const wide = '%01'.repeat(256);
  for (let i = 0; i < 600; i += 100) {
    more.write(`GET /v1/sessions?user=${wide}&actor=${wide} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(100));
    for (let k = 0; k < 100; k++) await more.response();
  }
  const ann = await d.client({ user: 'ann' });
  for (const i of [1, 2]) {
    await h.take(ann, `document:${i}`);
    await d.waitForAudit((a) => a.action === 'LOCK_ACQUIRED' && a.resourceId === `document:${i}:main`);
    fs.renameSync(d.auditFile, `${d.auditFile}.${i}`);
    d.signal('SIGHUP');
    await h.eventually(() => fs.existsSync(d.auditFile) && d.audit()[0]?.action === 'AUDIT_ROTATED', 'the new file');
  }
  raw.socket.resume();
  await h.eventually(() => raw.ended, 'it is cut off');
  const text = raw.data.toString('latin1');
  assert.ok(text.includes('document:1:main') && !text.includes('document:2:main'));
  assert.ok(!text.endsWith('0\r\n\r\n'), 'the answer is not complete');
});

test('four may follow; one that ends makes room', async (t) => {
  const d = await h.lockDaemon(t);
  const streams = [];
  for (let i = 0; i < 4; i++) {
    streams.push(follow(t, d, '/v1/audit?follow=1'));
    await streams[i].waitFor((a) => a.action === 'ADMIN_QUERY');
  }
  const answer = await get(d, '/v1/audit');
  assert.deepStrictEqual([answer.status, answer.json.error.code, answer.headers['retry-after']], [503, 'TOO_MANY_REQUESTS', '1']);
  streams[0].destroy();
  await h.eventually(async () => (await get(d, '/v1/audit')).status === 200, 'there is room');
  for (const s of streams.slice(1)) assert.strictEqual(s.status, 200);
});

test('bad questions', async (t) => {
  const d = await h.lockDaemon(t);
  for (const query of ['?after=x', '?after=-1', '?after=1234567890123456789', '?after=1.5', '?follow=yes', '?follow=', '?limit=0', '?limit=1001', '?type=x', '?after=1&after=2']) {
    const answer = await get(d, `/v1/audit${query}`);
    assert.deepStrictEqual([answer.status, answer.json?.error.code], [400, 'INVALID_ARGUMENT'], query);
  }
  const posted = await h.opsCall(d, 'POST', '/v1/audit', {});
  assert.deepStrictEqual([posted.status, posted.headers.allow], [405, 'GET']);
  const head = await h.opsCall(d, 'HEAD', '/v1/audit?follow=1');
  assert.deepStrictEqual([head.status, head.body], [200, '']);
  fs.renameSync(d.auditFile, `${d.auditFile}.1`);
  const gone = await get(d, '/v1/audit');
  assert.deepStrictEqual([gone.status, gone.json.error.code], [500, 'INTERNAL']);
  const out = await h.lockDaemon(t, { config: { audit: { file: '-' } } });
  const answer = await get(out, '/v1/audit');
  assert.deepStrictEqual([answer.status, answer.json.error.code], [404, 'NOT_FOUND']);
  assert.match(answer.json.error.message, /standard output/);
});
