'use strict';
/*
 * Every command of docs/operations.md, in the order of the page, in a folder that stands for /. Blocks:
 *
 *   ```sh            run here, as printed
 *   ```sh systemd    run here; `systemctl` starts, reloads and stops the daemon by ExecStart= of the unit
 *   ```sh package    run by tests/package.sh --install (see ELSEWHERE)
 *   ```sh extern     run nowhere; ELSEWHERE has the reason
 *   ```yaml          replaces its keys in the configuration; with a word, only in a copy that is checked
 *
 * runuser, chgrp and `install -g` have no effect here: tests/package.sh --install has the user and the group.
 */
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const { OAuth2Server } = require('oauth2-mock-server');
const h = require('./harness');

const read = (name) => fs.readFileSync(path.join(h.ROOT, name), 'utf8');
const PAGE = read('docs/operations.md');
const REFERENCE = read('docs/operations-reference.md');

/* Blocks that do not run here: a line of the block, and what runs it or why nothing does. */
const ELSEWHERE = {
  'config/dev/install.sh run && apt-get install -y dpkg-dev': 'tests/package.sh makes the package by cpack; config/dev/run.sh runs install.sh',
  'apt-get install -y ./build/wslockd_*.deb redis-server curl openssl logrotate': 'tests/package_install.sh, first_install',
  'cmake --install build': 'tests/package_install.sh, from_source',
  'apt-get install -y ./build/wslockd_*.deb': 'tests/package_install.sh, upgrade',
  'certbot certonly --standalone -d locks.example.org': 'needs a public name; the hook that it calls runs here',
  'systemctl disable --now wslockd.socket wslockd.service': 'tests/package.sh verifies the units; the configuration is checked here',
  'systemctl stop wslockd@2.socket wslockd@2': 'as above',
};

const STUBS = {
  wslockd: 'case " $* " in *" --config "*|*" --version "*) ;; *) set -- --config "$ROOT/etc/wslockd/wslockd.yaml" "$@" ;; esac\nexec $WRAPPER "$WSLOCKD" "$@"',
  wslockctl: 'exec "$WSLOCKCTL" "$@"',
  'redis-cli': 'exec "$REDIS_CLI" -p "$REDIS_PORT" "$@"',
  runuser: '[ "$1 $2 $3" = "-u wslockd --" ] || exit 99\nshift 3\nexec "$@"',
  chgrp: 'exit 0',
  install: 'words=()\nwhile [ $# -gt 0 ]; do case "$1" in -o | -g) shift ;; *) words+=("$1") ;; esac; shift; done\nexec /usr/bin/install "${words[@]}"',
  systemctl: 'exec curl -sf --data-urlencode "words=$*" "$SYSTEMCTL"',
  // In the journal a line begins with its event.
  journalctl: 'sed -E \'s/^[0-9TZ:.-]+ (error|warn|info|debug) //\' "$ROOT/journal"',
  logrotate: 'exec /usr/sbin/logrotate -s "$ROOT/logrotate.state" "$@"',
};

function blocks(page) {
  const found = [];
  let heading;
  for (const [, title, lang, word, text] of page.matchAll(/^#+ (.*)$|^```(\w*)(?: (\w[\w-]*))?\n([^]*?)^```$/gm)) {
    if (title) heading = title;
    else found.push({ heading, lang, word, text });
  }
  return found;
}

/* The top-level keys of a file, each with its lines. */
function keys(text) {
  return new Map([...text.matchAll(/^(\w+):.*\n(?:(?:[ #-].*)?\n)*/gm)].map((m) => [m[1], m[0]]));
}

/* A machine with the package: files, a daemon under systemd, a Redis. */
class Machine {
  constructor(t, redis, ports) {
    this.t = t;
    this.root = h.tempDir(t);
    this.redis = redis;
    this.ports = ports;
    this.journal = this.path('/journal');
    this.replaced = [];
  }
  path(name) {
    return path.join(this.root, name);
  }
  /* A text of the page for this folder and its free ports. */
  local(text) {
    for (const [from, to] of this.replaced) text = text.replaceAll(from, to);
    return text
      .replace(/(?<![\w.])\/(etc|run|root|var\/log|usr\/share)\//g, `${this.root}/$1/`)
      .replaceAll('0.0.0.0', '127.0.0.1')
      .replace(/\b(8080|8443|9464|6379)\b/g, (port) => (port === '6379' ? this.redis.port : this.ports[port]));
  }
  write(name, text, mode = 0o644) {
    fs.mkdirSync(path.dirname(this.path(name)), { recursive: true });
    fs.writeFileSync(this.path(name), text, { mode });
  }
  async install() {
    for (const dir of ['run/wslockd', 'var/log/wslockd', 'root', 'etc/letsencrypt/renewal-hooks/deploy']) {
      fs.mkdirSync(this.path(dir), { recursive: true, mode: 0o750 });
    }
    this.write('journal', '');
    for (const [name, text] of Object.entries(STUBS)) this.write(`bin/${name}`, `#!/bin/bash\n${text}\n`, 0o755);
    this.write('etc/logrotate.d/wslockd', this.rotation(read('config/debian/logrotate')));
    this.config = keys(this.local(read('config/systemd/wslockd.yaml')));
    // The defaults of a package.
    this.config.set('ops', this.local('ops: {port: 9464, socket: /run/wslockd/ops.sock}\n'));
    this.config.set('audit', this.local('audit: {file: /var/log/wslockd/audit.jsonl}\n'));
    this.save();
    await this.serveSystemctl();
    h.cleanup(this.t, () => this.stop());
  }
  rotation(text) {
    const me = (option) => execFileSync('id', [option]).toString().trim();
    return this.local(text).replace('su wslockd wslockd', `su ${me('-un')} ${me('-gn')}`);
  }
  yaml(extra = new Map()) {
    return [...new Map([...this.config, ...extra]).values()].join('\n');
  }
  save() {
    this.write('etc/wslockd/wslockd.yaml', this.yaml());
  }
  /* {code, signal, stdout, stderr} of a block. */
  run(text) {
    return h.run(['-e', '-c', this.local(text)], { program: 'bash', env: this.env });
  }
  get env() {
    const program = h.PROGRAM;
    return {
      PATH: `${this.path('bin')}:${process.env.PATH}:/usr/sbin`,
      ROOT: this.root, WSLOCKD: program, WRAPPER: h.WRAPPER.join(' '),
      WSLOCKCTL: process.env.WSLOCKCTL || path.join(path.dirname(program), 'wslockctl'),
      REDIS_CLI: process.env.WSLOCK_TEST_REDIS?.includes('valkey') ? 'valkey-cli' : '/usr/bin/redis-cli',
      REDIS_PORT: String(this.redis.port), SYSTEMCTL: this.systemctlUrl,
    };
  }
  log() {
    return fs.readFileSync(this.journal, 'utf8');
  }
  /* Until the log since `from` has the pattern. */
  logged(pattern, from = 0) {
    return h.eventually(() => assert.match(this.log().slice(from), pattern) ?? true, `log ${pattern}`);
  }

  /* Until locks can be granted. */
  granting() {
    return h.eventually(async () => {
      const answer = await fetch(`http://127.0.0.1:${this.ports[9464]}/readyz`);
      assert.strictEqual(answer.status, 200, await answer.text());
      return true;
    }, 'it is ready');
  }

  /* ---- systemd ---- */

  async serveSystemctl() {
    const server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (data) => (body += data));
      request.on('end', async () => {
        try {
          response.end(await this.systemctl(...new URLSearchParams(body).get('words').split(' ')));
        } catch (error) {
          this.failure = error;
          response.writeHead(500).end();
        }
      });
    });
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    h.cleanup(this.t, () => server.close());
    this.systemctlUrl = `http://127.0.0.1:${server.address().port}/`;
  }
  async systemctl(verb, ...units) {
    const unit = units.at(-1);
    if (verb === 'enable' && unit === 'wslockd.socket') this.socket = true;
    else if (verb === 'enable' || verb === 'start') await this.start();
    else if (verb === 'stop') await this.stop();
    else if (verb === 'reload' || verb === 'try-reload-or-restart') await this.reload();
    else if (verb === 'status') assert.ok(this.child, 'it runs');
    else if (verb === 'restart') {
      await this.stop();
      await this.start();
    } else throw new Error(`systemctl ${verb}`);
    return '';
  }
  async start() {
    const [, line] = /^\S*ExecStart=(.*)$/m.exec(read('config/systemd/service.in'));
    let [program, ...args] = this.local(line).replace('@WSLOCK_SBINDIR@/wslockd', h.PROGRAM).split(' ');
    if (this.socket) [program, ...args] = [...h.passing(['public']).launcher, program, ...args];
    const from = this.log().length;
    const out = fs.openSync(this.journal, 'a');
    this.child = h.start(program, args, { stdio: ['ignore', out, out] });
    fs.closeSync(out);
    await Promise.race([this.logged(/ ready /, from), this.child.ended.then((end) => {
      if (this.child) throw new Error(`the daemon ended: ${JSON.stringify(end)}\n${this.log().slice(from)}`);
    })]);
    this.port = Number(/ listening .*?port=(\d+)/.exec(this.log().slice(from))[1]);
  }
  async reload() {
    const from = this.log().length;
    this.child.kill('SIGHUP');
    await this.logged(/ (reloaded|reload_failed)/, from);
  }
  async stop() {
    const { child } = this;
    if (!child) return;
    this.child = null;
    child.kill('SIGTERM');
    const { code, signal } = await h.deadline(child.ended, 'the daemon stops');
    assert.deepStrictEqual([code, signal], [0, null], this.log().slice(-3000));
    assert.doesNotMatch(this.log(), /Sanitizer|runtime error:/);
  }
}

async function provider(t) {
  const server = new OAuth2Server();
  await server.issuer.keys.generate('RS256');
  await server.start(0, '127.0.0.1');
  h.cleanup(t, () => server.stop());
  const url = `http://127.0.0.1:${server.address().port}`;
  server.issuer.url = url;
  return {
    url,
    token: (sub, name, roles = []) => server.issuer.buildToken({
      scopesOrTransform: (_, payload) => Object.assign(payload, { sub, name, aud: 'editor', realm_access: { roles } }),
    }),
  };
}

async function connect(t, machine, token) {
  const client = new h.Client({ url: `wss://127.0.0.1:${machine.port}/ws`, token });
  h.cleanup(t, () => client.ws.terminate());
  return client.start();
}

/* What must be there before the first block of a chapter runs. */
function preparations(t, machine, idp) {
  return {
    Certificate: () => {
      machine.write('etc/letsencrypt/live/locks.example.org/x', '');
      const made = h.certificate(machine.root, { cn: 'locks.example.org' });
      fs.copyFileSync(made.certificate, machine.path('etc/letsencrypt/live/locks.example.org/fullchain.pem'));
      fs.copyFileSync(made.key, machine.path('etc/letsencrypt/live/locks.example.org/privkey.pem'));
    },
    'Identity provider': () => {
      machine.replaced = [
        ['https://id.example.org/realms/clinic/protocol/openid-connect/certs', `${idp.url}/jwks`],
        ['https://id.example.org/realms/clinic', idp.url],
      ];
    },
    'Keys in files': () => {
      machine.write('etc/wslockd/idp-2025.pem', h.keyPair('RS256').publicPem);
      machine.write('etc/wslockd/idp-2026.pem', h.keyPair('ES256').publicPem);
    },
    Sentinel: () => machine.write('etc/wslockd/sentinel.password', 'of-the-sentinels\n'),
    Look: async () => {
      const ann = await connect(t, machine, await idp.token('u-1', 'Ada'));
      await h.take(ann, 'document:42:body');
      machine.client = ann;
    },
  };
}

/* What a block must say or have done, by a part of its text; `first`: what is waited for; `code`: its exit code. */
const EXPECTED = [
  ['trial.secret)\nchgrp', { then: (m) => assert.strictEqual(fs.statSync(m.path('etc/wslockd/trial.secret')).mode & 0o777, 0o640) }],
  ['--check-config\n', { out: /configuration ok/ }],
  ["-w '%{http_code}", { code: 28, out: /^101$/m }],
  ['RENEWED_LINEAGE', { then: (m) => assert.strictEqual(fs.statSync(m.path('etc/wslockd/tls/privkey.pem')).mode & 0o777, 0o640) }],
  ['openssl s_client', { out: /subject=CN ?= ?locks.example.org\nnotAfter=/ }],
  ['wslock_tls_certificate_expiry', { out: /^wslock_tls_certificate_expiry_timestamp_seconds \d+$/m }],
  ["grep '^wslock_jwks'", { first: (m) => m.logged(/ jwks_loaded /), out: /^wslock_jwks_keys 1$[^]*jwks_loaded .*keys=1/m }],
  ['CONFIG SET', { then: (m) => assert.match(fs.readFileSync(m.redis.file, 'utf8'), /^appendonly yes$/m) }],
  // A Redis that restarts has them again.
  ['redis.acl', { then: (m) => assert.match(fs.readFileSync(m.redis.file, 'utf8'), /^user wslock on .*~\{wslock:\*/m) }],
  ['wslockctl --socket /run/wslockd/ops.sock status', { first: (m) => m.granting() }],
  ['restart wslockd\n', {
    then: async (m) => m.config.get('redis').includes('wslock@') && assert.match(await m.redis.command('CLIENT', 'LIST'), /user=wslock /),
  }],
  ['explain document', { out: /document:42:body is held\.\nAda \(u-1\)/ }],
  ['release document', { then: (m) => m.client.waitFor('lock:lost') }],
  [' ref qZ3x', { code: 5 }],
  ['/readyz\n', { out: /"ready": ?true[^]*wslock_build_info/ }],
  ['audit tail\n', { out: /document:42:body/ }],
  ['CHECKPOINT=', { out: /: 0 findings/ }],
  ['logrotate --force', {
    then: (m) => assert.strictEqual(fs.readdirSync(m.path('var/log/wslockd')).filter((name) => /^audit\.jsonl-\d+$/.test(name)).length, 1),
  }],
  ['drain --reason', { code: 1, out: /draining/i }],
  ['undrain', { then: (m) => m.granting() }],
  ['tar -czf', {
    then: async (m) => assert.match((await m.run('tar -tzf /root/wslockd-backup.tar.gz')).stdout, /etc\/wslockd\/redis\.password[^]*audit\.jsonl/),
  }],
];

async function runBlock(machine, { heading, text }) {
  const what = `${heading}:\n${text}`;
  const mine = EXPECTED.filter(([part]) => text.includes(part)).map(([, expected]) => expected);
  const from = machine.log().length;
  for (const { first } of mine) await first?.(machine);
  const result = await machine.run(text);
  if (machine.failure) throw machine.failure;
  const code = mine.find((e) => e.code !== undefined)?.code ?? 0;
  assert.deepStrictEqual([result.code, result.signal], [code, null], `${what}${result.stdout}${result.stderr}${machine.log().slice(from)}`);
  for (const { out, then } of mine) {
    if (out) assert.match(result.stdout + result.stderr, out, what);
    await then?.(machine);
  }
}

/* A part of the configuration that is not kept. */
async function checkPart(machine, { word, text }) {
  const name = machine.path('part.yaml');
  fs.writeFileSync(name, machine.yaml(keys(machine.local(text))));
  const option = word === 'keys' ? '--check-config' : '--print-config';
  const result = await h.run(['--config', name, option], { env: { WSLOCKD_INSTANCE: '1' } });
  const noTls = word === 'redis-tls' && /hiredis/.test(result.stderr); // Debian 12's
  assert.ok(result.code === 0 || noTls, result.stderr);
}

async function follow(machine, block) {
  const { lang, word, text } = block;
  if (lang === 'sh') return runBlock(machine, block);
  if (lang === 'hook') return machine.write('etc/letsencrypt/renewal-hooks/deploy/wslockd', machine.local(text));
  if (lang === 'yaml' && (!word || word === 'idp')) {
    for (const [key, lines] of keys(machine.local(text))) machine.config.set(key, lines);
    return machine.save();
  }
  if (lang === 'yaml') return checkPart(machine, block);
  if (text.startsWith('ACL ')) machine.write('etc/wslockd/redis.acl', text.replace('PASSWORD', 'of-the-page'), 0o600);
  return undefined;
}

test('the page, from the first start to the backup', { timeout: 180_000 * h.SLOW }, async (t) => {
  const redis = await h.redis(t, { tcp: true, file: true });
  const ports = Object.fromEntries(await Promise.all([8080, 8443, 9464].map(async (port) => [port, await h.freePort()])));
  const machine = new Machine(t, redis, ports);
  await machine.install();
  const before = preparations(t, machine, await provider(t));
  const left = new Set(EXPECTED.map(([part]) => part));
  for (const block of blocks(PAGE)) {
    await before[block.heading]?.();
    delete before[block.heading];
    if (block.lang === 'sh' && ['package', 'extern'].includes(block.word)) continue;
    await follow(machine, block);
    for (const part of left) if (block.lang === 'sh' && block.text.includes(part)) left.delete(part);
  }
  assert.deepStrictEqual([[...left], Object.keys(before)], [[], []], 'everything was met');
  assert.match(machine.log(), / debug /, 'the level was raised');
});

test('the reference’s configuration for logrotate, and its commands', async (t) => {
  const redis = await h.redis(t, { tcp: true });
  await h.layOut(redis);
  const machine = new Machine(t, redis, { 8080: await h.freePort(), 9464: await h.freePort() });
  await machine.install();
  machine.write('etc/wslockd/idp.pem', h.keyPair('RS256').publicPem);
  machine.config.set('auth', machine.local('auth: {keys: [{kid: k1, alg: RS256, publicKeyFile: /etc/wslockd/idp.pem}]}\n'));
  machine.save();
  await machine.start();
  const found = blocks(REFERENCE);
  machine.write('etc/logrotate.d/wslockd', machine.rotation(found.find((b) => b.lang === 'logrotate').text));
  const { code, stderr } = await machine.run('logrotate --force /etc/logrotate.d/wslockd');
  assert.strictEqual(code, 0, stderr);
  assert.match((await machine.run('head -n 1 /var/log/wslockd/audit.jsonl')).stdout, /AUDIT_ROTATED/);
  assert.ok(fs.existsSync(machine.path('var/log/wslockd/audit.jsonl.1.gz')));
  for (const block of found.filter((b) => b.lang === 'sh')) await runBlock(machine, block);
});

test('each block that does not run here is listed, and no other', () => {
  const named = Object.keys(ELSEWHERE);
  const elsewhere = blocks(PAGE).filter((b) => b.lang === 'sh' && ['package', 'extern'].includes(b.word));
  for (const { text } of elsewhere) assert.ok(named.some((line) => text.split('\n').includes(line)), text);
  for (const line of named) assert.ok(elsewhere.some(({ text }) => text.split('\n').includes(line)), line);
});

test('each alert has a row', () => {
  const [, table] = /^## Alerts\n(.*?)^## /ms.exec(PAGE);
  assert.deepStrictEqual([...table.matchAll(/^\| `(\w+)` \|/gm)].map((m) => m[1]),
    [...read('config/alerts.yaml').matchAll(/^ +- alert: (\w+)$/gm)].map((m) => m[1]));
});

test('each link leads to a heading', () => {
  const anchors = (page) => [...page.matchAll(/^#+ (.*)$/gm)].map((m) => m[1].toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-'));
  for (const page of [PAGE, REFERENCE]) {
    for (const [, file, anchor] of page.matchAll(/\]\(([\w./-]*)(?:#([\w-]+))?\)/g)) {
      const text = file ? read(path.join('docs', file)) : page;
      if (anchor) assert.ok(anchors(text).includes(anchor), `${file}#${anchor}`);
    }
  }
  for (const name of ['README.md', ...fs.readdirSync(path.join(h.ROOT, 'docs')).filter((f) => f.endsWith('.md')).map((f) => `docs/${f}`)]) {
    for (const [, file, anchor] of read(name).matchAll(/(operations[\w-]*)\.md#([\w-]+)/g)) {
      assert.ok(anchors(read(`docs/${file}.md`)).includes(anchor), `${name}: ${file}#${anchor}`);
    }
  }
});
