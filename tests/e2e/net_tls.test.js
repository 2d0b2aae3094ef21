'use strict';
/* TLS listeners, several addresses, IPv6. */
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const h = require('./harness');

const tlsListener = (files, extra) => ({ address: '127.0.0.1', port: 0, tls: { ...files, ...extra } });

test('TLS 1.2 and 1.3, nothing older, HTTP/1.1 only', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.daemon(t, { config: { listen: [tlsListener(h.certificate(dir))] } });
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    await t.test(version, async () => {
      const c = await d.client({ user: 'ann', ws: { minVersion: version, maxVersion: version } });
      assert.strictEqual(c.ws._socket.getProtocol(), version);
      await c.sync();
    });
  }
  for (const version of ['TLSv1', 'TLSv1.1']) {
    await t.test(`${version} is refused`, async (st) => {
      const tls = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' };
      await assert.rejects(h.rawConnect(st, d.port, { tls }), /alert|protocol|ECONNRESET|socket/i);
    });
  }
  await t.test('CBC ciphers are refused', async (st) => {
    const tls = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' };
    await assert.rejects(h.rawConnect(st, d.port, { tls }), /alert|handshake|ECONNRESET|socket/i);
  });
  await t.test('ALPN never chooses h2', async (st) => {
    const both = await h.rawConnect(st, d.port, { tls: { ALPNProtocols: ['h2', 'http/1.1'] } });
    assert.strictEqual(both.socket.alpnProtocol, 'http/1.1');
    const only = await h.rawConnect(st, d.port, { tls: { ALPNProtocols: ['h2'] } }).catch(() => null);
    if (only) assert.notStrictEqual(only.socket.alpnProtocol, 'h2');
  });
  await t.test('plain text on the port gets no answer', async (st) => {
    const raw = await h.rawConnect(st, d.port);
    raw.write(h.upgradeText());
    await h.deadline(raw.closed, 'the end');
    assert.ok(!raw.data.toString('latin1').includes('HTTP'));
  });
  await t.test('large replies and many messages pass', async () => {
    const c = await d.client({ user: 'ann' });
    await Promise.all(Array.from({ length: 50 }, () => c.request('test:sync', { pad: 'x'.repeat(4000) })));
    for (let size = 4000; size < 16300; size += 100) await c.request('test:sync', { pad: 'x'.repeat(size) });
  });
  await t.test('the end of the certificate is a metric', async () => {
    const end = await d.metric('wslock_tls_certificate_expiry_timestamp_seconds');
    assert.ok(Math.abs(end - (Date.now() / 1000 + 2 * 86400)) < 3600, String(end));
  });
});

/* TLS records of application data in what was sent, whole ones. */
function records(bytes) {
  const found = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) found.push(bytes[at]);
  return found.filter((type) => type === 23).length;
}

test('what a connection gets in one turn comes in one record', async (t) => {
  const redis = await h.redis(t);
  const d = await h.lockDaemon(t, { redis, config: { listen: [tlsListener(h.certificate(h.tempDir(t)))] } });
  const wire = await h.proxy(t, d.port);
  const sent = [];
  wire.rewrite.reply = (bytes) => {
    sent.push(bytes);
    return bytes;
  };
  const c = await d.client({ user: 'ann', url: `wss://127.0.0.1:${wire.port}/ws` });
  await c.sync();
  const before = sent.length;
  c.send('resource:join', { resourceId: 'document:1:main', mode: 'editor' });
  await c.waitFor('lock:acquired');
  assert.deepStrictEqual(c.frames.slice(-2).map(({ message }) => message.event), ['resource:joined', 'lock:acquired']);
  assert.strictEqual(records(Buffer.concat(sent.slice(before))), 1);
});

test('minVersion 1.3', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.daemon(t, { config: { listen: [tlsListener(h.certificate(dir), { minVersion: '1.3' })] } });
  const raw = await h.rawConnect(t, d.port, { tls: {} });
  assert.strictEqual(raw.socket.getProtocol(), 'TLSv1.3');
  await assert.rejects(h.rawConnect(t, d.port, { tls: { maxVersion: 'TLSv1.2' } }));
});

test('several listeners: plain, two certificates, IPv6', async (t) => {
  const dir = h.tempDir(t);
  const first = h.certificate(dir, { name: 'first', cn: 'first.example', days: 9 });
  const second = h.certificate(dir, { name: 'second', cn: 'second.example', days: 5 });
  const d = await h.daemon(t, {
    config: {
      listen: [
        { address: '127.0.0.1', port: 0, plaintext: true },
        tlsListener(first),
        tlsListener(second),
        { address: '::1', port: 0, plaintext: true },
        { address: '::1', port: 0, tls: second },
      ],
    },
  });
  assert.strictEqual(d.listeners.length, 5);
  assert.strictEqual(new Set(d.listeners.map((l) => l.port + l.address)).size, 5);
  for (let i = 0; i < 5; i++) {
    const c = await d.client({ user: 'ann', listener: i });
    await c.sync();
  }
  for (const [listener, name] of [[1, 'first.example'], [2, 'second.example']]) {
    const raw = await h.rawConnect(t, d.listeners[listener].port, { tls: { servername: 'localhost' } });
    assert.strictEqual(raw.socket.getPeerCertificate().subject.CN, name);
  }
  const end = await d.metric('wslock_tls_certificate_expiry_timestamp_seconds');
  assert.ok(Math.abs(end - (Date.now() / 1000 + 5 * 86400)) < 3600, 'the earliest counts');
});

test('`::` serves IPv4 too unless it is told not to, or cannot', async (t) => {
  const v4 = (port) => h.rawConnect(t, port, { host: '127.0.0.1' });
  const v6 = (port) => h.rawConnect(t, port, { host: '::1' });
  const address = async (d, raw) => {
    const before = d.audit().length;
    raw.write(h.upgradeText({ headers: { Origin: 'https://evil.example.org' } }));
    assert.strictEqual((await raw.response()).status, 403);
    return (await h.eventually(() => d.audit().slice(before).find((r) => r.action === 'ACCESS_DENIED'), 'the record')).address;
  };
  await t.test('both', async () => {
    const d = await h.daemon(t, { config: { listen: [{ address: '::', port: 0, plaintext: true }], ops: { address: '::' } } });
    assert.strictEqual(await address(d, await v4(d.port)), '127.0.0.1');
    assert.strictEqual(await address(d, await v6(d.port)), '::1');
    assert.strictEqual((await h.httpGet(`http://127.0.0.1:${d.ops.port}/healthz`)).status, 200);
    assert.strictEqual((await h.httpGet(`http://[::1]:${d.ops.port}/healthz`)).status, 200);
  });
  await t.test('with ipv6Only', async () => {
    const d = await h.daemon(t, { config: { listen: [{ address: '::', port: 0, plaintext: true, ipv6Only: true }] } });
    assert.strictEqual(await address(d, await v6(d.port)), '::1');
    await assert.rejects(v4(d.port), /ECONNREFUSED/);
  });
  await t.test('beside a listener for IPv4', async () => {
    const port = await h.freePort();
    const d = await h.daemon(t, {
      config: { listen: [{ address: '::', port, plaintext: true }, { address: '127.0.0.1', port, plaintext: true }] },
    });
    assert.strictEqual(await address(d, await v4(port)), '127.0.0.1');
    assert.strictEqual(await address(d, await v6(port)), '::1');
  });
  for (const other of ['0.0.0.0', '::ffff:127.0.0.1']) {
    await t.test(`ops beside a listener on ${other}`, async () => {
      const port = await h.freePort();
      const d = await h.daemon(t, { config: { listen: [{ address: other, port, plaintext: true }], ops: { address: '::', port } } });
      assert.strictEqual(await address(d, await v4(port)), '127.0.0.1');
      assert.strictEqual((await h.httpGet(`http://[::1]:${port}/healthz`)).status, 200);
    });
  }
});

test('a Host header does not move a connection to another listener', async (t) => {
  const dir = h.tempDir(t);
  const d = await h.daemon(t, { config: { listen: [{ address: '127.0.0.1', port: 0, plaintext: true }, tlsListener(h.certificate(dir))] } });
  for (const host of ['plain', 'tls1', 'ops', 'x.plain', 'x.tls1']) {
    for (const listener of [0, 1]) {
      const { port } = d.listeners[listener];
      const raw = await h.rawConnect(t, port, listener ? { tls: {} } : {});
      raw.write(`GET /metrics HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      assert.strictEqual((await raw.response()).status, 404);
      const ws = await h.rawConnect(t, port, listener ? { tls: {} } : {});
      ws.write(h.upgradeText({ headers: { Host: host } }));
      assert.strictEqual((await ws.response()).status, 101);
    }
  }
});

test('certificates that cannot be served: exit 3, and why', async (t) => {
  const dir = h.tempDir(t);
  const good = h.certificate(dir, { name: 'good' });
  const other = h.certificate(dir, { name: 'other' });
  execFileSync('openssl', ['pkey', '-in', good.key, '-aes128', '-passout', 'pass:secret', '-out', `${dir}/locked.key`]);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:512', '-nodes', '-subj', '/CN=weak', '-keyout', `${dir}/weak.key`, '-out', `${dir}/weak.crt`],
    { stdio: 'ignore' });
  const cases = [
    [{ certificate: `${dir}/none.crt`, key: good.key }, /listen\[0\]\.tls\.certificate: \S*none\.crt: No such file/],
    [{ certificate: good.certificate, key: `${dir}/none.key` }, /listen\[0\]\.tls\.key: \S*none\.key: No such file/],
    [{ certificate: `${dir}/weak.crt`, key: `${dir}/weak.key` }, /listen\[0\]\.tls\.certificate: \S*weak\.crt: ee key too small/],
    [{ certificate: good.key, key: good.key }, /good\.key/],
    [{ certificate: good.certificate, key: other.key }, /other\.key: does not belong/],
    [{ certificate: good.certificate, key: `${dir}/locked.key` }, /locked\.key/],
  ];
  for (const [files, pattern] of cases) {
    const d = await h.newDaemon(t, { config: { listen: [tlsListener(files)] }, redis: null });
    d.spawn();
    assert.deepStrictEqual(await d.end(), { code: 3, signal: null });
    assert.match(d.tail(), pattern);
  }
});
