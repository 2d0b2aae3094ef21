'use strict';
/* `wslockd --dev` on a machine that has nothing else: what it prints works as it stands, and it keeps what it knew. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const CTL = process.env.WSLOCKCTL || path.join(path.dirname(h.PROGRAM), 'wslockctl');
/* Like a browser's page that gets its token from the daemon. */
async function guest(d, user, more) {
  const { json } = await h.httpGet(`${d.page}dev/token?user=${user}`);
  return d.client({ token: json.token, ...more });
}

test('what it prints works as it stands', async (t) => {
  const d = await h.devDaemon(t);
  const [, line] = await h.eventually(() => /^A token: +(.*)\n/m.exec(d.stdout), 'it prints how to get a token');
  assert.match(d.stdout, new RegExp(`Demo page: +${d.page.replaceAll('.', '\\.')}`));
  const [program, ...args] = line.split(' ');
  assert.strictEqual(path.basename(program), 'wslockctl');
  const made = await h.run(args, { program: CTL });
  assert.strictEqual(made.code, 0, made.stderr);
  assert.match(made.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/, 'a token and nothing else');
  const ann = await d.client({ token: made.stdout.trim() });
  assert.strictEqual(ann.welcome.userId, 'ann');
  assert.strictEqual(ann.welcome.username, 'Ann');
  assert.strictEqual(ann.welcome.admin, false);
  assert.ok((await h.take(ann, 'document:first')).token > 0, 'and locks are granted at once');
  const admin = await h.run([...args, '--admin'], { program: CTL });
  assert.strictEqual((await d.client({ token: admin.stdout.trim() })).welcome.admin, true);
});

test('the state directory is for its user alone, and what it makes is kept', async (t) => {
  const d = await h.devDaemon(t);
  const mode = (name) => fs.statSync(path.join(d.stateDir, name)).mode & 0o777;
  assert.strictEqual(mode('.'), 0o700);
  assert.strictEqual(mode('dev-key'), 0o600);
  const key = fs.readFileSync(path.join(d.stateDir, 'dev-key'));
  await d.restart();
  assert.ok(fs.readFileSync(path.join(d.stateDir, 'dev-key')).equals(key));
});

for (const end of ['stop', 'kill']) {
  test(`locks outlive the daemon and its private Redis: ${end}`, async (t) => {
    const d = await h.devDaemon(t);
    const clientId = h.tab();
    const ann = await guest(d, 'ann', { clientId });
    const { token } = await h.take(ann, 'document:kept');
    const bob = await guest(d, 'bob');
    await h.take(bob, 'document:revision');
    await bob.expect('lock:release', { resourceId: 'document:revision', revision: 'r5' }, 'lock:released');
    if (end === 'kill') await new Promise((resolve) => setTimeout(resolve, 1100)); // the file is synced each second
    await d[end]();
    await d.restart();
    const again = await guest(d, 'bob');
    const { answer } = await h.edit(again, 'document:kept');
    assert.strictEqual(answer.event, 'lock:denied', JSON.stringify(answer));
    const back = await guest(d, 'ann', { clientId });
    const got = await h.take(back, 'document:kept', { token });
    assert.strictEqual(got.token, token);
    assert.strictEqual(got.resumed, true);
    await h.granting(d);
    const next = await h.take(again, 'document:revision');
    assert.strictEqual(next.previous.revision, 'r5');
    await h.checkAll(d);
  });
}

/* run.sh beside stand-ins of what it calls. */
function runScript(t) {
  const dir = h.tempDir(t);
  const write = (name, text) => {
    fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    fs.writeFileSync(path.join(dir, name), text, { mode: 0o755 });
  };
  write('config/dev/run.sh', fs.readFileSync(path.join(h.ROOT, 'config/dev/run.sh')));
  write('config/dev/install.sh', '#!/bin/sh\n');
  // Configures if there is no `broken`; leaves a cache in any case, as cmake does.
  write('bin/cmake', `#!/bin/sh
echo "$*" >>calls
case $1 in
--build) [ -f build/build.ninja ] || exit 1; printf '#!/bin/sh\\necho started "$@"\\n' >build/wslockd; chmod +x build/wslockd ;;
*) mkdir -p build; echo cache >build/CMakeCache.txt; [ ! -f broken ] || exit 1; echo rules >build/build.ninja ;;
esac
`);
  const run = (...args) => h.run(args, { program: path.join(dir, 'config/dev/run.sh'), env: { PATH: `${dir}/bin:${process.env.PATH}` } });
  const configured = () => fs.readFileSync(path.join(dir, 'calls'), 'utf8').split('\n').filter((line) => line.includes('-G Ninja')).length;
  return { dir, run, configured };
}

test('config/dev/run.sh configures anew after a first run that failed, and only then', async (t) => {
  const { dir, run, configured } = runScript(t);
  fs.writeFileSync(path.join(dir, 'broken'), '');
  assert.notStrictEqual((await run()).code, 0);
  assert.ok(fs.existsSync(path.join(dir, 'build/CMakeCache.txt')), 'it has left its cache');
  fs.rmSync(path.join(dir, 'broken'));
  const second = await run('--state-dir', 'here');
  assert.strictEqual(second.stdout, 'started --dev --state-dir here\n', second.stderr);
  assert.strictEqual(configured(), 2);
  assert.strictEqual((await run()).code, 0);
  assert.strictEqual(configured(), 2, 'what is there is built on');
});
