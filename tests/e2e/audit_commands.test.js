'use strict';
/* `wslockctl audit verify`, `tail` and `merge` on files that a daemon wrote. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const zlib = require('node:zlib');
const h = require('./harness');

const CTL = process.env.WSLOCKCTL || path.join(path.dirname(h.PROGRAM), 'wslockctl');
const ENV = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0', UBSAN_OPTIONS: 'halt_on_error=1' };

const ctl = (...args) => h.run(args, { program: CTL, env: ENV });
const verify = (...args) => ctl('audit', 'verify', ...args);
const linesOf = (file) => fs.readFileSync(file, 'latin1').split('\n').slice(0, -1);
const writeLines = (file, lines) => fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(''), 'latin1');

/* Renames the file, and waits until the daemon writes to a new one. */
async function rotate(d, to) {
  fs.renameSync(d.auditFile, to);
  d.signal('SIGHUP');
  await h.eventually(() => d.audit()[0].action === 'AUDIT_ROTATED', 'the new file');
}

/* Three files of one chain, the oldest first, and the checkpoints in the log. */
async function trail(t, config, key) {
  const d = await h.lockDaemon(t, { config });
  const ann = await d.client({ user: 'ann', name: 'Ann' });
  const files = [`${d.auditFile}.2`, `${d.auditFile}.1`, d.auditFile];
  for (const [i, file] of files.entries()) {
    for (const part of 'abc') await h.take(ann, `doc:${i}:${part}`);
    await d.waitForAudit((a) => a.resourceId === `doc:${i}:c` && a.action === 'LOCK_ACQUIRED');
    if (i < 2) await rotate(d, file);
  }
  await d.stop();
  const checkpoints = d.log.flatMap((line) => /^audit_checkpoint seq=(\d+) hash=([0-9a-f]{64})/.exec(line)?.slice(1, 3).join(':') ?? []);
  return { d, files, checkpoints, dir: d.dir, records: h.readChain(files, key) };
}

/* Each finding as [file, line, text]. */
async function findings(files, ...args) {
  const told = await verify('--json', ...args, ...files);
  const { findings: all, summary } = JSON.parse(told.stdout);
  assert.strictEqual(summary.findings, all.length);
  assert.strictEqual(told.code, all.length > 0 ? 1 : 0, told.stdout + told.stderr);
  const plain = await verify(...args, ...files);
  assert.strictEqual(plain.code, told.code);
  const lines = plain.stdout.split('\n').slice(0, -1);
  assert.deepStrictEqual(lines.slice(0, all.length), all.map((f) => `${f.file}${f.line ? `:${f.line}` : ''}: ${f.message}`));
  return all.map((f) => [f.file, f.line, f.message]);
}

test('audit verify: each edit is found, by file and line', async (t) => {
  const { files, checkpoints, records, dir } = await trail(t);
  const [oldest, middle, newest] = files;
  const last = records.at(-1);
  const copies = files.map((file) => path.join(dir, `copy-${path.basename(file)}`));
  const whole = files.map(linesOf);
  const edited = async (edit, ...args) => {
    const lines = whole.map((l) => [...l]);
    edit(...lines);
    copies.forEach((file, i) => writeLines(file, lines[i]));
    return findings(copies, ...args);
  };
  const at = (file, line) => [copies[file], line];
  const places = (found) => found.map(([file, line]) => [file, line]);

  await t.test('a whole chain, in any order', async () => {
    for (const order of [files, [newest, oldest, middle], [middle, newest, oldest], [...files].reverse()]) {
      const told = await verify(...order);
      assert.deepStrictEqual([told.code, told.stderr, told.stdout], [0, '',
        `3 files, ${records.length} records from ${records[0].time} to ${last.time}, the last is ${last.seq}:${last.hash}: 0 findings\n`]);
    }
    assert.strictEqual((await verify(middle)).code, 0, 'begins with AUDIT_ROTATED');
    const told = await verify('--json', newest);
    assert.deepStrictEqual(JSON.parse(told.stdout), { findings: [], summary: {
      files: 1, records: whole[2].length, firstTime: records.at(-whole[2].length).time, lastTime: last.time,
      lastSeq: last.seq, lastHash: last.hash, findings: 0 } });
  });
  await t.test('changed', async () => {
    const change = (lines, i, from, to) => (lines[i] = lines[i].replace(from, to));
    assert.deepStrictEqual(places(await edited((a) => change(a, 2, 'doc:0', 'doc:7'))), [at(0, 3)]);
    assert.deepStrictEqual(places(await edited((a, b) => change(b, 0, 'success', 'failure'))), [at(1, 1)]);
    assert.deepStrictEqual(places(await edited((a, b) => change(b, 1, /"seq":\d+/, '"seq":4000'))), [at(1, 2)]);
    assert.deepStrictEqual(places(await edited((a, b, c) => { change(a, 1, 'ann', 'bob'); change(c, 3, 'ann', 'bob'); })), [at(0, 2), at(2, 4)]);
    const anew = await edited((a, b) => { // with a hash that fits
      const body = b[2].slice(0, b[2].indexOf(',"hash":')).replace('ann', 'eve');
      b[2] = `${body},"hash":"${require('node:crypto').createHash('sha256').update(body, 'latin1').digest('hex')}"}`;
    });
    assert.deepStrictEqual(places(anew), [at(1, 4)]);
    assert.match(anew[0][2], /the line before, or this one, was changed/);
  });
  await t.test('removed', async () => {
    assert.deepStrictEqual(places(await edited((a) => a.splice(2, 1))), [at(0, 3)]);
    const [[, , text], ...more] = await edited((a) => a.splice(1, 3));
    assert.deepStrictEqual([text, more], ['seq is 5 where 2 is due: 3 records before this line are missing or moved', []]);
    assert.deepStrictEqual(places(await edited((a) => a.pop())), [at(1, 1)], 'of the end of a file that is not the last');
    assert.deepStrictEqual(places(await edited((a) => a.shift())), [at(0, 1)]);
    assert.match((await findings([oldest, newest]))[0][2], /records, perhaps whole files, before this line are missing/);
  });
  await t.test('swapped, moved, added', async () => {
    const swap = (l, i, k) => ([l[i], l[k]] = [l[k], l[i]]);
    assert.deepStrictEqual(places(await edited((a) => swap(a, 2, 3))), [at(0, 3), at(0, 4)]);
    assert.deepStrictEqual(places(await edited((a) => a.splice(1, 0, a.splice(5, 1)[0]))), [at(0, 2), at(0, 3)]);
    assert.deepStrictEqual(places(await edited((a, b) => b.splice(2, 0, a[3]))), [at(1, 3)], 'a copy');
    assert.deepStrictEqual(places(await edited((a, b) => b.splice(2, 0, a[0]))), [at(1, 3)], 'a copy of the first');
    assert.deepStrictEqual(places(await edited((a, b) => b.splice(2, 0, b[2].replace('ann', 'eve')))), [at(1, 3)]);
    assert.deepStrictEqual(places(await edited((a, b) => b.splice(2, 0, '{"action":"LOCK_ACQUIRED"}', ''))), [at(1, 3), at(1, 4)]);
    assert.deepStrictEqual(places(await findings([...files, middle])), whole[1].map((_, i) => [middle, i + 1]), 'a file twice');
  });
  await t.test('torn, and cut at the end', async () => {
    await edited(() => {});
    fs.truncateSync(copies[2], fs.statSync(copies[2]).size - 20);
    assert.deepStrictEqual(await findings(copies), [[...at(2, whole[2].length), 'the last line is torn: it has no line end']]);

    const stop = checkpoints.at(-1);
    assert.strictEqual(stop, `${last.seq}:${last.hash}`, 'a stop logs the last record');
    for (const checkpoint of checkpoints) assert.deepStrictEqual(await findings(files, '--expect', checkpoint), []);
    assert.deepStrictEqual(await edited((a, b, c) => c.splice(-2)), [], 'not seen by the chain alone');
    assert.deepStrictEqual(await findings(copies, '--expect', stop), [[copies[2], undefined,
      `record ${last.seq} is expected, but the last one is ${last.seq - 2}: the end was cut off, or the newest file is not among these`]]);
    const other = `3:${'0'.repeat(64)}`;
    assert.deepStrictEqual(places(await findings(files, '--expect', other)), [[oldest, 3]]);
    assert.match((await findings([newest], '--expect', other))[0][2], /older files are not among these/);
  });
  await t.test('compressed', async () => {
    await edited(() => {});
    const packed = `${copies[0]}.gz`;
    const parts = fs.readFileSync(copies[0]);
    fs.writeFileSync(packed, Buffer.concat([zlib.gzipSync(parts.subarray(0, 700)), zlib.gzipSync(parts.subarray(700))]));
    assert.deepStrictEqual(await findings([copies[2], packed, copies[1]]), []);
    const lines = [...whole[0]];
    lines.splice(3, 1);
    fs.writeFileSync(packed, zlib.gzipSync(Buffer.from(`${lines.join('\n')}\n`, 'latin1')));
    assert.deepStrictEqual(places(await findings([copies[2], packed, copies[1]])), [[packed, 4]]);
    fs.writeFileSync(packed, zlib.gzipSync(parts).subarray(0, -9));
    const cut = await verify(packed);
    assert.strictEqual(cut.code, 3);
    assert.match(cut.stdout, /: cannot read on: unexpected end of file\n/);
  });
  await t.test('what no daemon wrote is named, and what follows is checked', async () => {
    const found = await edited((a) => {
      a[1] = 'x'.repeat(70000);
      a[3] = `${a[3].slice(0, 50)}\0${a[3].slice(50)}`;
      a[5] = '\xff\xfe\x1b[2J';
      a[6] = a[6].replace('success', 'failure');
    });
    assert.deepStrictEqual(places(found), [at(0, 2), at(0, 4), at(0, 6), at(0, 7)]);
    const huge = path.join(dir, 'huge');
    fs.writeFileSync(huge, '');
    fs.truncateSync(huge, 2 ** 30); // zeros, without a line end
    const limit = h.SLOW > 1 ? 'unlimited' : '100000'; // KiB; a sanitizer needs more
    const told = await h.run(['-c', `ulimit -v ${limit}; exec "$@"`, 'sh', CTL, 'audit', 'verify', huge], { program: 'bash', env: ENV });
    assert.deepStrictEqual([told.code, told.stdout.split('\n')[0]], [1, `${huge}:1: longer than any audit record`], told.stderr);
  });
  await t.test('exit codes', async () => {
    const none = await verify(path.join(dir, 'none'), newest);
    assert.deepStrictEqual([none.code, none.stdout.split('\n')[0]], [3, `${dir}/none: cannot be read: No such file or directory`]);
    assert.strictEqual((await verify(dir)).code, 3);
    for (const args of [[], ['--expect', '5', newest], ['--expect', `0:${last.hash}`, newest], ['--since', '1h', newest], ['--ttl', '1h', newest],
      ['--socket', 'x', newest]]) {
      const wrong = await verify(...args);
      assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ''], args.join(' '));
    }
    assert.strictEqual((await ctl('audit', 'eat')).code, 2);
    for (const args of [['help', 'audit'], ['audit', '--help']]) assert.match((await ctl(...args)).stdout, /^audit verify /m);
  });
});

test('audit verify: a keyed chain', async (t) => {
  const key = 'an old key of the audit';
  const keyFile = path.join(h.tempDir(t), 'key');
  fs.writeFileSync(keyFile, `${key}\n`);
  const { d, files } = await trail(t, { audit: { hmacKeyFile: keyFile } }, key);
  assert.deepStrictEqual(await findings(files, '--key-file', keyFile), []);
  assert.deepStrictEqual(await findings(files, '--config', d.configFile), []);
  const lines = linesOf(files[1]);
  lines[2] = lines[2].replace('ann', 'eve');
  writeLines(files[1], lines);
  const [[file, line], ...more] = await findings(files, '--key-file', keyFile);
  assert.deepStrictEqual([file, line, more], [files[1], 3, []]);

  const without = await verify(...files);
  assert.strictEqual(without.code, 1);
  assert.match(without.stdout, /^No record verifies: is the chain keyed\? Then give --key-file$/m);
  fs.writeFileSync(keyFile, 'short');
  const unread = await verify('--key-file', keyFile, ...files);
  assert.deepStrictEqual([unread.code, unread.stdout.split('\n')[0]], [3, `${keyFile}: must hold 16 to 4096 bytes`]);
});

const tail = (d, ...args) => ctl('--config', d.configFile, 'audit', 'tail', ...args);

test('audit tail: the newest records, and filters', async (t) => {
  const d = await h.lockDaemon(t, { config: { resourceTypes: { now: { takeover: 'immediate' } } } });
  const ann = await d.client({ user: 'ann', name: 'Ann B' });
  const adm = await d.client({ user: 'root', name: 'Root', admin: true });
  for (let i = 0; i < 8; i += 1) await h.take(ann, `doc:${i}:a`);
  await h.take(ann, 'now:1:a');
  await h.view(adm, 'now:1:a');
  await adm.expect('lock:takeover', { resourceId: 'now:1:a', reason: 'ward round' }, 'lock:acquired');
  const takeover = await d.waitForAudit((a) => a.action === 'LOCK_TAKEOVER');
  const lines = () => linesOf(d.auditFile);

  const json = await tail(d, '--json');
  assert.deepStrictEqual([json.code, json.stdout, json.stderr], [0, lines().slice(-20).map((l) => `${l}\n`).join(''), '']);
  const text = await h.run(['--config', d.configFile, 'audit', 'tail'], { program: CTL, env: { ...ENV, TZ: 'Asia/Kathmandu' } });
  assert.strictEqual(text.stdout.split('\n').length, 21);
  const local = new Date(Date.parse(takeover.time) + 5.75 * 3600e3).toISOString().replace('Z', '+05:45');
  assert.ok(text.stdout.includes(`\n${local} LOCK_TAKEOVER now:1:a Root (root) from Ann B (ann) by Root (root): ward round [IMMEDIATE]\n`), text.stdout);

  const filtered = async (...args) => {
    const got = await tail(d, '--json', ...args);
    assert.deepStrictEqual([got.code, got.stderr], [0, ''], args.join(' '));
    return got.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  };
  const all = () => d.audit();
  assert.deepStrictEqual(await filtered('--resource', 'doc:3:a'), all().filter((a) => a.resourceId === 'doc:3:a'));
  assert.deepStrictEqual(await filtered('--action', 'LOCK_ACQUIRED'), all().filter((a) => a.action === 'LOCK_ACQUIRED'));
  assert.deepStrictEqual(await filtered('--user', 'root'), all().filter((a) => [a.user, a.previousHolder, a.admin].some((p) => p?.id === 'root')));
  assert.deepStrictEqual(await filtered('--user', 'ann', '--resource', 'now:1:a'),
    all().filter((a) => a.resourceId === 'now:1:a' && [a.user, a.previousHolder].some((p) => p?.id === 'ann')));
  assert.deepStrictEqual(await filtered('--since', '1h'), all(), 'all, not the newest 20');
  assert.deepStrictEqual(await filtered('--since', '2h ago'), all());
  assert.deepStrictEqual(await filtered('--since', takeover.time), all().filter((a) => a.time >= takeover.time));
  assert.deepStrictEqual(await filtered('--since', local), all().filter((a) => new Date(a.time) >= new Date(takeover.time)));
  assert.deepStrictEqual(await filtered('--since', '2199-01-01T00:00:00Z'), []);
  for (const args of [['--since', 'yesterday'], ['--since', '2025-11-24'], ['--action', 'lock_acquired'], ['file'], ['--expect', '1:a']]) {
    const wrong = await tail(d, ...args);
    assert.deepStrictEqual([wrong.code, wrong.stdout], [2, ''], args.join(' '));
  }

  await d.stop();
  const strange = JSON.stringify({ time: 'now\u001b[2J', action: 'LOCK_ACQUIRED', resourceId: 'doc:\u0007', user: { id: 'e\u009bve', name: '\u202eevE\r\n' } });
  fs.appendFileSync(d.auditFile, `${strange}\n\u001b]0;x\u0007 not JSON\n${'x'.repeat(70000)}\n{"torn`);
  const [odd, other, long, end] = (await tail(d)).stdout.split('\n').slice(-4);
  assert.deepStrictEqual([odd, other, long, end], ['now\\x1b[2J LOCK_ACQUIRED doc:\\x07 \\u202eevE\\x0d\\x0a (e\\u009bve)',
    'not an audit record: \\x1b]0;x\\x07 not JSON', 'not an audit record: a line that is too long', '']);
  assert.strictEqual((await tail(d, '--json')).stdout.split('\n').at(-2), strange, 'only records');
});

test('a configuration that names credentials of the service', async (t) => {
  const d = await h.lockDaemon(t);
  await d.stop();
  d.config.audit.hmacKeyFile = 'credential:audit-key';
  d.writeConfig();
  const told = await tail(d, '--action', 'AUDIT_STOPPED');
  assert.deepStrictEqual([told.code, told.stderr, told.stdout.split('\n').length], [0, '', 2]);
  const unread = await ctl('--config', d.configFile, 'audit', 'verify', d.auditFile);
  assert.strictEqual(unread.code, 3);
  assert.match(unread.stdout, /^\/run\/credentials\/wslockd\.service\/audit-key: No such file or directory\n/);
  const dir = h.tempDir(t);
  fs.writeFileSync(path.join(dir, 'audit-key'), 'the key of another chain');
  const other = await h.run(['--config', d.configFile, 'audit', 'verify', d.auditFile], { program: CTL, env: { ...ENV, CREDENTIALS_DIRECTORY: dir } });
  assert.strictEqual(other.code, 1);
  assert.match(other.stdout, /^No record verifies: is this the key of these files, and are they keyed\?$/m);
});

test('audit tail -f: over rotations, no line lost or twice', async (t) => {
  const limits = { maxRoomsPerConnection: 1000, messagesPerSecond: 100000, messageBurst: 100000 };
  const d = await h.lockDaemon(t, { config: { limits } });
  const ann = await d.client({ user: 'ann' });
  const child = h.start(CTL, ['--config', d.configFile, '--json', 'audit', 'tail', '-f'], { env: { ...process.env, ...ENV } });
  h.cleanup(t, () => child.kill('SIGKILL'));
  let out = '';
  let told = '';
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (told += data));
  const seen = () => out.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  const sees = (resourceId) => h.eventually(() => seen().some((a) => a.resourceId === resourceId), `${resourceId} is printed`);
  const files = [];
  const rotated = async () => {
    files.push(`${d.auditFile}.${files.length + 1}`);
    await rotate(d, files.at(-1));
  };

  await h.take(ann, 'doc:1:a');
  await sees('doc:1:a');
  for (let i = 0; i < 3; i += 1) {
    const load = (async () => {
      for (let k = 0; k < 40; k += 1) await h.take(ann, `load:${i}-${k}:a`);
    })();
    await rotated();
    const live = await verify(...files, d.auditFile); // while the daemon writes
    assert.deepStrictEqual([live.code, live.stdout.split(': ').at(-1)], [0, '0 findings\n']);
    await load;
  }
  await sees('load:2-39:a');
  child.kill('SIGSTOP');
  for (const part of 'bcd') {
    await h.take(ann, `doc:1:${part}`);
    await rotated();
  }
  await h.take(ann, 'doc:1:e');
  child.kill('SIGCONT');
  await sees('doc:1:e');
  await d.stop();
  await h.eventually(() => seen().at(-1).action === 'AUDIT_STOPPED', 'the last record');
  child.kill('SIGTERM');
  assert.deepStrictEqual(await child.ended, { code: 0, signal: null });
  const all = h.readChain([...files, d.auditFile]);
  assert.deepStrictEqual(seen().map((a) => a.seq), all.slice(seen()[0].seq - 1).map((a) => a.seq));
  assert.strictEqual(told, '');
});

test('audit tail: without a file', async (t) => {
  const d = await h.lockDaemon(t);
  await d.stop();
  d.config.audit.file = path.join(d.dir, 'none');
  d.writeConfig();
  const none = await tail(d);
  assert.deepStrictEqual([none.code, none.stderr], [1, `wslockctl: ${d.dir}/none: No such file or directory\n`]);
  const child = h.start(CTL, ['--config', d.configFile, 'audit', 'tail', '--follow'], { env: { ...process.env, ...ENV } });
  h.cleanup(t, () => child.kill('SIGKILL'));
  let out = '';
  let told = '';
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (told += data));
  writeLines(d.config.audit.file, [JSON.stringify({ action: 'LOCK_ACQUIRED', hash: 'a' })]);
  await h.eventually(() => out === ' LOCK_ACQUIRED\n', 'a line');
  fs.renameSync(d.config.audit.file, `${d.config.audit.file}.1`);
  writeLines(d.config.audit.file, [JSON.stringify({ action: 'AUDIT_ROTATED', prev: 'b' })]);
  await h.eventually(() => out === ' LOCK_ACQUIRED\n AUDIT_ROTATED\n', 'a line of the next file');
  const missing = `wslockctl: ${d.dir}/none does not continue the file before: records may be missing here\n`;
  await h.eventually(() => told === missing, 'a message');
  child.kill('SIGINT');
  assert.deepStrictEqual(await child.ended, { code: 0, signal: null });
  d.config.audit.file = '-';
  d.writeConfig();
  const journal = await tail(d);
  assert.strictEqual(journal.code, 1);
  assert.match(journal.stderr, /audit\.file is "-": the records are on the daemon's standard output/);
});

test('audit merge: the files of two instances', async (t) => {
  const one = await h.lockDaemon(t, { config: { instance: 'one' } });
  const two = await h.lockDaemon(t, { redis: one.redis, config: { instance: 'two' } });
  const [ann, bob] = [await one.client({ user: 'ann' }), await two.client({ user: 'bob' })];
  for (let i = 0; i < 5; i += 1) {
    const { token } = await h.take(ann, 'doc:1:a');
    await ann.expect('lock:release', { resourceId: 'doc:1:a', token }, 'lock:released');
    const other = await h.take(bob, 'doc:1:a');
    await bob.expect('lock:release', { resourceId: 'doc:1:a', token: other.token }, 'lock:released');
  }
  await one.stop();
  await two.stop();
  const files = [one.auditFile, two.auditFile];
  const merge = async (...args) => {
    const got = await ctl('audit', 'merge', ...args);
    return { ...got, lines: got.stdout.split('\n').slice(0, -1) };
  };
  const all = files.flatMap(linesOf);
  const tick = (id) => (id ? id.split('-').map(BigInt) : [0n, 0n]);
  const expected = all.map((line) => [JSON.parse(line), line]).sort(([a], [b]) => {
    if (a.time !== b.time) return a.time < b.time ? -1 : 1;
    const [x, y] = [tick(a.eventId), tick(b.eventId)];
    return Number(x[0] - y[0]) || Number(x[1] - y[1]);
  }).map(([, line]) => line);

  const merged = await merge(...files);
  assert.deepStrictEqual([merged.code, merged.stderr, merged.lines], [0, '', expected], 'each line as it was');
  const acquired = merged.lines.map((line) => JSON.parse(line)).filter((a) => a.action === 'LOCK_ACQUIRED');
  assert.deepStrictEqual(acquired.map((a) => a.instance), Array(5).fill(['one', 'two']).flat());
  const packed = path.join(one.dir, 'packed.gz');
  fs.writeFileSync(packed, zlib.gzipSync(fs.readFileSync(files[0])));
  assert.deepStrictEqual((await merge(files[1], packed, ...files)).lines, expected, 'a file twice');

  // What was read back from the store gives way to what its daemon wrote, wherever it stands.
  const released = linesOf(files[0]).find((line) => line.includes('"LOCK_RELEASED"'));
  const again = path.join(one.dir, 'again');
  const early = { ...JSON.parse(released), time: '2001-01-01T00:00:00.000000Z', recovered: true, instance: 'two', hash: '1' };
  const late = { ...early, time: '2199-01-01T00:00:00.000000Z', hash: '2' };
  const lone = { ...early, eventId: '7-0' };
  writeLines(again, [early, late, lone, { ...lone, time: late.time }].map((record) => JSON.stringify(record)));
  for (const order of [[again, ...files], [...files, again]]) {
    assert.deepStrictEqual((await merge(...order)).lines, [JSON.stringify(lone), ...expected], order[0]);
  }
  // The same change has several records, of different actions or resources.
  writeLines(again, [{ ...lone, time: late.time }, { ...lone, action: 'LOCK_RESERVED' }, { ...lone, resourceId: 'doc:2' }, lone].map((r) => JSON.stringify(r)));
  assert.strictEqual((await merge(again)).lines.length, 3);

  const strange = path.join(one.dir, 'strange');
  fs.writeFileSync(strange, `${'x'.repeat(70000)}\n\0\n{"action":"LOCK_ACQUIRED"}\n${expected[0]}\n{"torn`);
  const odd = await merge(strange);
  assert.deepStrictEqual([odd.code, odd.lines], [1, [expected[0]]]);
  assert.deepStrictEqual(odd.stderr.split('\n').slice(0, -1), [
    'longer than any audit record', 'not an audit record', 'not an audit record', null, 'the last line is torn',
  ].flatMap((text, i) => (text ? [`wslockctl: ${strange}:${i + 1}: ${text}: left out`] : [])));
  const none = await merge(path.join(one.dir, 'none'), ...files);
  assert.deepStrictEqual([none.code, none.lines], [3, expected]);
  for (const args of [[], ['--user', 'ann', ...files], ['-f', ...files]]) assert.strictEqual((await merge(...args)).code, 2, args.join(' '));
});
