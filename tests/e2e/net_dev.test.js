'use strict';
/* --dev: a private Redis, the page, tokens for it. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const CTL = process.env.WSLOCKCTL || path.join(path.dirname(h.PROGRAM), 'wslockctl');

/* A port of our own, so that tests may run beside a developer's daemon. */
async function devDaemon(t, options = {}) {
  const dir = h.tempDir(t);
  const over = path.join(dir, 'over.yaml');
  fs.writeFileSync(over, 'listen: [{address: 127.0.0.1, port: 0, plaintext: true}]\nops: {address: 127.0.0.1, port: 0}\nallowedOrigins: ["*"]\n');
  const d = await h.newDaemon(t, { args: ['--dev', '--state-dir', path.join(dir, 'state'), '--config', over], ...options });
  d.stateDir = path.join(dir, 'state');
  await d.start();
  d.get = (p, headers = {}, more = {}) => h.httpGet(`http://127.0.0.1:${d.port}${p}`, { headers, ...more });
  return d;
}

test('the page, its files, and nothing else', async (t) => {
  const d = await devDaemon(t);
  await h.eventually(() => d.stdout.includes('token --user'), 'the hints');
  assert.match(d.stdout, new RegExp(`http://127\\.0\\.0\\.1:${d.port}/`));
  assert.match(d.stdout, /wslockctl .*token --user/);
  const web = path.join(h.ROOT, 'src/web');
  const names = [...fs.readdirSync(web), ...fs.readdirSync(path.join(web, 'demo')).map((n) => `demo/${n}`)];
  for (const name of names.filter((n) => /\.(html|js|css|svg)$/.test(n))) {
    const answer = await d.get(name === 'index.html' ? '/' : `/${name}`);
    assert.strictEqual(answer.status, 200, name);
    assert.strictEqual(answer.body, fs.readFileSync(path.join(web, name), 'utf8'), `${name}, byte for byte`);
    assert.match(answer.headers['content-security-policy'], /default-src 'self'/);
    assert.strictEqual(answer.headers['x-content-type-options'], 'nosniff');
    assert.match(answer.headers['content-type'], /^(text\/(html|javascript|css); charset=utf-8|image\/svg\+xml)$/);
    const again = await d.get(name === 'index.html' ? '/' : `/${name}`, { 'If-None-Match': answer.headers.etag });
    assert.strictEqual(again.status, 304);
    assert.strictEqual(again.body, '');
  }
  for (const [p, kept] of [['/', 'close'], ['/dev/token?user=ann', 'close'], ['/.well-known/wslock-jwks.json', undefined]]) {
    const raw = await h.rawConnect(t, d.port);
    raw.write(`GET ${p} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.strictEqual((await raw.response()).headers.connection, kept, p);
  }
  for (const p of ['/index.htm', '/nothing', '/../etc/passwd', '/metrics', '/healthz']) {
    assert.ok([403, 404].includes((await d.get(p)).status), p);
  }
});

test('wslockctl status: of the daemon that is named, or else of --dev', async (t) => {
  const d = await devDaemon(t);
  const status = await h.run(['--state-dir', d.stateDir, 'status'], { program: CTL });
  assert.strictEqual(status.code, 0, status.stderr);
  const dir = h.tempDir(t);
  const lost = await h.run(['status'], { program: CTL, env: { XDG_STATE_HOME: dir } });
  assert.strictEqual(lost.code, 3);
  assert.strictEqual(lost.stderr, `wslockctl: no answer from wslockd at ${dir}/wslockd/ops.sock: No such file or directory
wslockctl: only wslockd --dev listens there: name another daemon's configuration (--config /etc/wslockd/wslockd.yaml) or its --socket
`);
  const named = await h.run(['--state-dir', dir, 'status'], { program: CTL });
  assert.strictEqual(named.stderr, `wslockctl: no answer from wslockd at ${dir}/ops.sock: No such file or directory\n`);
});

test('the page on an IPv6 address', async (t) => {
  const dir = h.tempDir(t);
  const over = path.join(dir, 'over.yaml');
  fs.writeFileSync(over, 'listen: [{address: "::1", port: 0, plaintext: true}]\nops: {address: 127.0.0.1, port: 0}\n');
  const d = await h.newDaemon(t, { args: ['--dev', '--state-dir', path.join(dir, 'state'), '--config', over] });
  await d.start();
  const [, url] = await h.eventually(() => /^Demo page: +(.*)\n/m.exec(d.stdout), 'the hints');
  assert.strictEqual(url, `http://[::1]:${d.port}/`);
});

test('tokens for the page', async (t) => {
  const d = await devDaemon(t);
  await t.test('one that the daemon takes', async () => {
    const { status, json, headers } = await d.get('/dev/token?user=ann&name=Ann%20%C3%84.&admin=1');
    assert.strictEqual(status, 200);
    assert.strictEqual(headers['cache-control'], 'no-store');
    const c = await d.client({ token: json.token });
    assert.strictEqual(c.welcome.userId, 'ann');
    assert.strictEqual(c.welcome.username, 'Ann Ä.');
    assert.strictEqual(c.welcome.admin, true);
    const plain = await d.client({ token: (await d.get('/dev/token?user=bob')).json.token });
    assert.strictEqual(plain.welcome.admin, false);
  });
  await t.test('for our own page only', async () => {
    const p = '/dev/token?user=ann';
    const own = `127.0.0.1:${d.port}`;
    assert.strictEqual((await d.get(p, { Host: `localhost:${d.port}` })).status, 200);
    assert.strictEqual((await d.get(p, { Host: own, Origin: `http://${own}` })).status, 200);
    assert.strictEqual((await d.get(p, { 'Sec-Fetch-Site': 'same-origin' })).status, 200);
    for (const headers of [
      { Host: 'evil.example.org' },
      { Host: `evil.example.org:${d.port}` },
      { Host: '127.0.0.1.evil.example.org' },
      { Host: 'localhost.evil.example.org' },
      { 'Sec-Fetch-Site': 'cross-site' },
      { 'Sec-Fetch-Site': 'same-site' },
      { Origin: 'https://evil.example.org' },
      { Origin: 'null' },
    ]) {
      assert.strictEqual((await d.get(p, headers)).status, 403, JSON.stringify(headers));
    }
  });
  await t.test('not without a user', async () => {
    assert.strictEqual((await d.get('/dev/token')).status, 400);
    assert.strictEqual((await d.get('/dev/token?user=')).status, 400);
    assert.strictEqual((await d.get(`/dev/token?user=${'x'.repeat(300)}`)).status, 400);
    assert.strictEqual((await d.get('/dev/token?user=ann', {}, { method: 'POST' })).status, 405);
  });
});

test('any free port: its page may connect; wslockctl finds what the environment places', async (t) => {
  const dir = h.tempDir(t);
  const over = path.join(dir, 'over.yaml');
  fs.writeFileSync(over, 'listen: [{address: 127.0.0.1, port: 0, plaintext: true}]\nops: {address: 127.0.0.1, port: 0}\n');
  const env = { STATE_DIRECTORY: path.join(dir, 'state'), XDG_STATE_HOME: path.join(dir, 'other') };
  const d = await h.newDaemon(t, { args: ['--dev', '--config', over], env });
  await d.start();
  const made = await h.run(['token', '--user', 'ann'], { program: CTL, env });
  assert.strictEqual(made.code, 0, made.stderr);
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    const c = await d.client({ token: made.stdout.trim(), headers: { Origin: `http://${host}:${d.port}` } });
    assert.strictEqual(c.welcome.userId, 'ann');
  }
  for (const origin of ['http://127.0.0.1:0', `https://127.0.0.1:${d.port}`, 'http://evil.example.org']) {
    const c = await d.newClient({ headers: { Origin: origin } });
    await assert.rejects(c.open(), { status: 403 }, origin);
  }
});

test('the private Redis ends with the daemon', async (t) => {
  const d = await devDaemon(t);
  const line = d.log.find((l) => l.startsWith('embedded_redis_started'));
  const pid = Number(/pid=(\d+)/.exec(line)[1]);
  process.kill(pid, 0);
  assert.deepStrictEqual(await d.stop(), { code: 0, signal: null });
  await h.eventually(() => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  }, 'redis-server is gone');
});

test('a real page: what it learns of a cookie that is refused, and of headers like a browser has', async (t) => {
  const d = await h.devDaemon(t, { auth: { cookie: 'wslock' } });
  const launched = await h.browser(t);
  const context = await launched.newContext();
  const page = await context.newPage();
  const token = async (user) => (await h.httpGet(`${d.page}dev/token?user=${user}`)).json.token;
  await page.goto(d.page);
  /* Opens a WebSocket, sends `auth` after an error, and says what came until the welcome or the end. */
  const connect = (protocols, retryWith) => page.evaluate(([names, again]) => new Promise((resolve) => {
    const seen = [];
    const socket = new WebSocket(`${window.location.origin.replace('http', 'ws')}/ws`, names);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      seen.push([message.event, message.data.code || message.data.userId]);
      if (message.event === 'error' && again) socket.send(JSON.stringify({ event: 'auth', id: 1, data: { token: again } }));
      if (message.event === 'welcome') socket.close(1000);
    };
    socket.onclose = ({ code }) => resolve({ seen, code, protocol: socket.protocol });
  }), [protocols, retryWith]);
  const cookie = (value, path) => context.addCookies([{ name: 'wslock', value, domain: '127.0.0.1', path }]);
  const names = [...Array.from({ length: 40 }, (_, i) => `application.subprotocol-${i}`), 'wslock.v1'];
  await cookie('not.a.token', '/');
  assert.deepStrictEqual(await connect('wslock.v1', await token('ann')),
    { seen: [['error', 'TOKEN_INVALID'], ['welcome', 'ann']], code: 1000, protocol: 'wslock.v1' });
  await cookie(await token('bob'), '/ws');
  assert.deepStrictEqual(await connect(names, null), { seen: [['welcome', 'bob']], code: 1000, protocol: 'wslock.v1' });
  await cookie('not.a.token', '/ws');
  await cookie(await token('cid'), '/');
  assert.deepStrictEqual(await connect(names, null), { seen: [['welcome', 'cid']], code: 1000, protocol: 'wslock.v1' });
});
