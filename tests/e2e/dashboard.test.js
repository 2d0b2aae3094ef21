'use strict';
/* The dashboard of the operations endpoint in a real browser. */
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const TOKEN = 'the-operations-token';
const CTL = process.env.WSLOCKCTL || path.join(h.ROOT, 'build/wslockctl');
const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const POLICY = { lockTtl: '5m', heartbeatInterval: '60s', maxConcurrentTabLocksPerUser: null };

async function start(t, { ops, ...config } = {}) {
  const tokenFile = path.join(h.tempDir(t), 'token');
  fs.writeFileSync(tokenFile, `${TOKEN}\n`);
  return h.lockDaemon(t, {
    config: { ops: { tokenFile, port: await h.freePort(), ...ops }, resourceTypes: { document: POLICY, line: { ...POLICY, upgrade: 'queue' } }, ...config },
  });
}

/* The page, as an operator sees it. */
class Dashboard {
  constructor(page, d) {
    Object.assign(this, { page, d, dialog: page.locator('dialog#lock'), question: page.locator('dialog#act') });
  }
  button(name, within = this.page) {
    return within.getByRole('button', { name, exact: true });
  }
  press(name, within) {
    return this.button(name, within).click();
  }
  says(text, within = this.page) {
    return within.getByText(text).filter({ visible: true }).first().waitFor();
  }
  silent(text) {
    return h.eventually(async () => await this.page.getByText(text).filter({ visible: true }).count() === 0, `no ${text}`);
  }
  async signIn(token = TOKEN, name = 'j.doe') {
    await this.page.getByLabel('Your name').fill(name);
    await this.page.getByLabel('Operator\'s token').fill(token);
    await this.press('Sign in');
  }
  view(name) {
    return this.page.getByRole('link', { name, exact: true }).click();
  }
  /* The value of a tile becomes so. */
  async number(name, wanted) {
    const value = this.page.locator('.tile', { has: this.page.getByText(name, { exact: true }) }).locator('.value');
    await h.eventually(async () => wanted.test(await value.textContent()), `${name} is ${wanted}`);
  }
  row(name) {
    return this.page.getByRole('row').filter({ has: this.page.getByRole('rowheader', { name, exact: true }) });
  }
  async open(resource) {
    await this.press(resource);
    await this.says('As of', this.dialog);
  }
  async act(label, fields) {
    for (const [name, value] of Object.entries(fields)) await this.question.getByLabel(name).fill(value);
    await this.press(label, this.question);
  }
  /* In the file, and in the page. */
  async audited(predicate, text) {
    const record = await this.d.waitForAudit(predicate);
    await this.view('Audit');
    await this.page.locator(`#audit-records li[data-seq="${record.seq}"]`).getByText(text).waitFor();
    return record;
  }
}

async function open(launched, d, options = {}) {
  const { query = '', ...given } = options;
  const context = await launched.newContext({ viewport: { width: 1280, height: 900 }, ...given });
  context.setDefaultTimeout(h.TIMEOUT);
  const problems = [];
  const requests = [];
  context.on('page', (page) => {
    /* The browser reports each answer that is an error; those that are expected are asserted on. */
    page.on('console', (m) => m.type() === 'error' && !/^Failed to load resource/.test(m.text()) && problems.push(m.text()));
    page.on('pageerror', (error) => problems.push(error.stack));
    page.on('request', (request) => requests.push(request));
  });
  const page = await context.newPage();
  const response = await page.goto(d.opsUrl(`/${query}`));
  return Object.assign(new Dashboard(page, d), { context, problems, requests, response });
}

async function signedIn(launched, d, options) {
  const b = await open(launched, d, options);
  await b.signIn();
  await b.says('Signed in as j.doe');
  return b;
}

async function finish(b) {
  assert.deepStrictEqual(b.problems, []);
  await b.context.close();
}

test('the dashboard', { timeout: 600_000 * h.SLOW, concurrency: 2 }, async (top) => {
  const launched = await h.browser(top);
  await h.together(top, {
    'the token': (t) => token(t, launched),
    'without a token file only the numbers': (t) => withoutToken(t, launched),
    'numbers, locks, filters and pages': (t) => look(t, launched),
    'sentences and lines are those of wslockctl': (t) => sentences(t, launched),
    'release, takeover and the end of a session': (t) => changes(t, launched),
    'following the audit': (t) => audit(t, launched),
    'hostile names stay text': (t) => hostile(t, launched),
    'a page of another origin can do nothing': (t) => foreign(t, launched),
    'the store is away, the daemon is silent': (t) => away(t, launched),
    'by keyboard alone, on a narrow screen': (t) => keyboard(t, launched),
    'axe finds nothing': (t) => accessible(t, launched),
  });
});

async function token(t, launched) {
  const d = await start(t);
  await h.take(await d.client({ user: 'ann', name: 'Ann' }), 'document:1:a');
  const b = await open(launched, d);
  const { page } = b;
  const headers = b.response.headers();
  assert.strictEqual(headers['content-security-policy'], 'default-src \'none\'; script-src \'self\'; style-src \'self\'; img-src \'self\'; '
    + 'connect-src \'self\'; frame-ancestors \'none\'; base-uri \'none\'; form-action \'none\'; require-trusted-types-for \'script\'');
  assert.strictEqual(headers['x-content-type-options'], 'nosniff');
  await b.number('Locks', /^1$/);
  assert.ok(!(await page.getByText('document:1:a').count()), 'numbers only');
  await b.press('Sign in');
  await b.says('Say who you are: your name goes into the audit.');
  for (const wrong of ['not-the-token', `${TOKEN}x`, 'ünïcode', TOKEN.slice(1)]) {
    await b.signIn(wrong);
    await b.says(/The daemon does not accept this token/);
    assert.ok(await page.getByLabel('Operator\'s token').evaluate((e) => e === document.activeElement));
  }
  await b.signIn();
  await b.row('document:1:a').waitFor();
  await d.waitForAudit((a) => a.action === 'ADMIN_QUERY' && a.admin.id === 'j.doe' && a.address === '127.0.0.1');
  const kept = () => page.evaluate(async () => JSON.stringify({
    url: location.href, cookie: document.cookie, name: window.name, state: history.state,
    local: { ...localStorage }, session: { ...sessionStorage }, databases: await indexedDB.databases(), caches: await caches.keys(),
    fields: [...document.querySelectorAll('input')].map((e) => e.value), markup: document.documentElement.outerHTML,
  }));
  assert.ok(!(await kept()).includes(TOKEN));
  assert.match(await kept(), /"cookie":"".*"local":\{\},"session":\{\},"databases":\[\],"caches":\[\]/);
  for (const request of b.requests) {
    assert.strictEqual(new URL(request.url()).origin, new URL(d.opsUrl('/')).origin, 'no request to elsewhere');
    assert.ok(!request.url().includes(TOKEN) && !(request.postData() ?? '').includes(TOKEN));
  }
  await page.reload();
  await page.getByLabel('Operator\'s token').waitFor();
  await b.number('Locks', /^1$/);
  assert.strictEqual(await page.getByLabel('Operator\'s token').inputValue(), '');
  assert.ok(!(await page.getByText('document:1:a').filter({ visible: true }).count()));
  await b.signIn();
  await b.row('document:1:a').waitFor();
  await page.goto('about:blank');
  await page.goBack();
  await page.getByLabel('Operator\'s token').waitFor();
  await b.signIn();
  await b.row('document:1:a').waitFor();
  const names = async () => /document:1:a|Ann/.exec(await page.content())?.[0] ?? null;
  await b.open('document:1:a');
  await b.says('Ann (ann) has had it', b.dialog);
  await b.press('Release …', b.dialog);
  await b.act('Release', { Reason: 'Ann has left' });
  await b.says('document:1:a is released.');
  await b.press('Close', b.dialog);
  await b.press('Sign out');
  await page.getByLabel('Operator\'s token').waitFor();
  assert.strictEqual(await names(), null, 'nor is anything left of it');

  /* Signed out while a list is read: the next operator's list is read at once. */
  await h.take(await d.client({ user: 'bob', name: 'Bob' }), 'document:2:b');
  await b.signIn();
  await b.row('document:2:b').waitFor();
  let answer;
  const held = new Promise((resolve) => { answer = resolve; });
  await page.route('**/v1/locks?**', async (route) => {
    await held;
    await route.continue();
  }, { times: 1 });
  await Promise.all([page.waitForRequest('**/v1/locks?**'), b.press('Refresh', page.locator('#locks'))]);
  await b.press('Sign out');
  await b.signIn();
  await page.getByText('Signed in as').waitFor();
  answer();
  await b.row('document:2:b').waitFor();
  await finish(b);
}

async function withoutToken(t, launched) {
  const d = await start(t, { ops: { tokenFile: null } });
  const b = await open(launched, d);
  await b.number('Connections', /^0$/);
  await b.says(/This daemon has no operator's token/);
  assert.ok(!(await b.button('Sign in').isVisible()), 'what would be refused is not offered');
  await finish(b);
}

async function look(t, launched) {
  const d = await start(t);
  const b = await signedIn(launched, d);
  await b.says('There is no lock.');
  await b.number('Connections', /^0$/);
  const ann = await h.person(d, 'ann');
  const bob = await h.person(d, 'bob');
  await b.number('Connections', /^2$/);

  await t.test('a lock appears, is waited for, and goes', async () => {
    await h.take(ann, 'line:1:a');
    await b.row('line:1:a').getByText('Ann (ann)').waitFor();
    await b.row('line:1:a').getByText('Held').waitFor();
    await b.number('Locks', /^1$/);
    await h.edit(bob, 'line:1:a');
    await b.row('line:1:a').getByRole('cell', { name: '1', exact: true }).waitFor();
    await b.says('1 user waiting');
    await b.number('Requests a second', /^[1-9.]|^0\.\d/);
    await b.number('Latency', /s$/);
    await bob.request('resource:leave', { resourceId: 'line:1:a' });
    await ann.request('lock:release', { resourceId: 'line:1:a' });
    await b.says('There is no lock.');
    await b.number('Locks', /^0$/);
  });

  await t.test('pages', async () => {
    for (let i = 0; i < 70; i++) await h.take(i % 2 ? ann : bob, `${i < 60 ? 'document' : 'line'}:${100 + i}:a`);
    await b.press('Refresh');
    await b.says('Page 1, 50 locks');
    await b.row('document:100:a').waitFor();
    assert.ok(await b.button('Previous').isDisabled());
    await b.press('Next');
    await b.says('Page 2, 20 locks');
    await b.row('line:169:a').waitFor();
    assert.ok(await b.button('Next').isDisabled());
    await b.press('Previous');
    await b.row('document:100:a').waitFor();
    assert.ok(await b.button('Next').isEnabled());
    await b.press('Sign out');
    let answer;
    const held = new Promise((resolve) => { answer = resolve; });
    await b.page.route('**/v1/locks?*limit=50*', async (route) => {
      await held;
      await route.continue();
    }, { times: 1 });
    await Promise.all([b.page.waitForRequest('**/v1/locks?*limit=50*'), b.signIn()]);
    await b.says('Signed in as j.doe');
    assert.ok(await b.button('Next').isDisabled(), 'before the first answer');
    answer();
    await b.row('document:100:a').waitFor();
    assert.ok(await b.button('Next').isEnabled());
  });

  await t.test('filters', async () => {
    const locks = b.page.locator('#locks');
    await locks.getByLabel('Type').fill('line');
    await b.press('Filter', locks);
    await b.says('Page 1, 10 locks');
    await locks.getByLabel('User\'s id').fill('ann');
    await b.press('Filter', locks);
    await b.says('Page 1, 5 locks');
    await locks.getByLabel('User\'s id').fill('nobody');
    await b.press('Filter', locks);
    await b.says('No lock fits the filter.');
    await b.press('Show all', locks);
    await locks.getByLabel('Search', { exact: true }).fill('ANN');
    await b.press('Filter', locks);
    await b.says('Page 1, 35 locks');
    const found = await locks.locator('tbody tr').allInnerTexts();
    assert.deepStrictEqual([found.length, found.filter((text) => !/ann/i.test(text))], [35, []]);
    await locks.getByLabel('Type').fill('Not a type');
    await b.press('Filter', locks);
    await b.says(/Type must be a resource type/);
    await b.press('Show all', locks);
    await b.says('Page 1, 50 locks');
    await b.silent(/Type must be/);
  });

  await t.test('one resource', async () => {
    const ask = async (resource) => {
      await b.page.getByLabel('One resource', { exact: true }).fill(resource);
      await b.press('Explain', b.page.locator('#locks-open'));
    };
    await ask('document:nobody');
    await b.says('document:nobody:main is free.', b.dialog);
    assert.deepStrictEqual(await Promise.all(['Release …', 'Reserve for …', 'Sessions of the holder'].map((name) => b.button(name, b.dialog).isVisible())),
      [false, true, false], 'only what can be done is offered');
    await b.press('Close', b.dialog);
    await ask('no resource');
    await b.says('The resource must be type:id or type:id:child.', b.dialog);
    assert.ok(!(await b.button('Reserve for …', b.dialog).isVisible()));
    await b.press('Close', b.dialog);
  });

  await t.test('sessions', async () => {
    await b.view('Sessions');
    await b.says('Page 1, 2 sessions');
    await b.row('Ann (ann)').getByRole('cell', { name: '35', exact: true }).first().waitFor();
    await b.page.locator('#sessions').getByLabel('User\'s id').fill('bob');
    await b.press('Filter', b.page.locator('#sessions'));
    await b.says('Page 1, 1 session');
    await b.press('Show all', b.page.locator('#sessions'));
    bob.ws.close();
    await b.says('Page 1, 1 session');
    await b.number('Connections', /^1$/);
  });
  await finish(b);
}

function ctl(...args) {
  return h.run(args, { program: CTL, env: { COLUMNS: '1000' } });
}

async function sentences(t, launched) {
  const d = await start(t, {
    resourceTypes: {
      document: POLICY, line: { ...POLICY, upgrade: 'queue', claimWindow: '5m' }, open: { disconnect: 'prompt', gracePeriod: '5m', editorRoles: ['editor'] },
      ask: { upgrade: 'request', requests: true, requestTimeout: '5m', idleRelease: '3m', heartbeatInterval: '1m', takeoverTimeout: '5m', takeover: 'request' },
      quick: { takeover: 'immediate' }, fixed: { takeover: 'never' },
    },
  });
  const [ann, bob, cy] = await Promise.all(['ann', 'bob', 'cy'].map((user) => h.person(d, user, { roles: ['editor'] })));
  const admin = await h.person(d, 'root', { admin: true });
  await h.take(ann, 'document:1:a');
  await h.take(ann, 'line:1:a');
  await h.edit(bob, 'line:1:a');
  await h.edit(cy, 'line:1:a');
  await h.take(ann, 'line:2:a');
  await h.edit(bob, 'line:2:a');
  await h.edit(cy, 'line:2:a');
  await ann.request('lock:release', { resourceId: 'line:2:a' });
  await h.take(ann, 'ask:1:a');
  await h.view(bob, 'ask:1:a');
  await bob.request('lock:request', { resourceId: 'ask:1:a', message: 'please' });
  await h.take(ann, 'ask:2:a');
  await ann.expect('lock:heartbeat', { resourceId: 'ask:2:a', token: (await h.status(ann, 'ask:2:a')).token ?? 1, dirty: true }).catch(() => {});
  await h.view(admin, 'ask:2:a');
  await admin.request('lock:takeover', { resourceId: 'ask:2:a', reason: 'ward round' });
  for (const type of ['quick', 'fixed']) await h.take(ann, `${type}:1:a`);
  const gone = await h.person(d, 'gone', { roles: ['editor'] });
  await h.take(gone, 'open:1:a');
  gone.ws.terminate();
  await d.waitForAudit((a) => a.action === 'LOCK_GRACE_STARTED');
  await h.opsCall(d, 'DELETE', '/v1/locks/document:1:a', { reason: 'left', actor: 'boss' });
  await h.take(bob, 'document:1:a');

  const b = await signedIn(launched, d);
  await t.test('explain', async () => {
    const plain = (text) => text.replace(/\((in [^)]*|[^)]* ago|now)\)/g, '(…)').replace(/, the next is overdue/, '');
    for (const [resource, user] of [['document:1:a', 'ann'], ['document:1:a', 'bob'], ['line:1:a', 'cy'], ['line:2:a', ''], ['line:2:a', 'ann'],
      ['ask:1:a', ''], ['ask:2:a', 'bob'], ['open:1:a', 'bob'], ['document:9:a', 'ann'], ['open:9:a', ''], ['quick:1:a', ''], ['fixed:1:a', 'bob']]) {
      await b.page.getByLabel('One resource', { exact: true }).fill(resource);
      await b.press('Explain', b.page.locator('#locks-open'));
      await b.says(/ (is|is in) (held|free|grace|reserved)\./, b.dialog);
      if (user) {
        await b.dialog.getByLabel(/Why can this user not edit/).fill(user);
        await b.press('Explain', b.dialog);
        await b.says(`An acquire by ${user} from a new tab`, b.dialog);
      }
      const shown = await b.dialog.locator('#lock-explained').locator('p, li').allTextContents();
      const told = await ctl('--config', d.configFile, 'explain', resource, ...(user ? ['--user', user] : []));
      const lines = told.stdout.split('The rules of its type:')[0].trim().split('\n').map((line) => line.trim());
      assert.deepStrictEqual(shown.map(plain), lines.map(plain), `${resource} ${user}`);
      await b.press('Close', b.dialog);
    }
  });

  await t.test('the settings of the type', async () => {
    await b.open('line:1:a');
    await b.dialog.getByText('Settings of the type').click();
    const row = b.dialog.getByRole('row').filter({ hasText: 'claimWindow' });
    await row.getByText(`resourceTypes.line.claimWindow, ${d.configFile}:`).waitFor();
    await b.press('Close', b.dialog);
  });

  await t.test('the audit', async () => {
    await b.view('Audit');
    await b.page.getByLabel('Reads by operators').check();
    const { stdout } = await ctl('--config', d.configFile, 'audit', 'tail', '--since', '1h');
    const told = stdout.trim().split('\n').map((line) => line.slice(line.indexOf(' ') + 1)).filter((line) => !/^ADMIN_QUERY/.test(line));
    assert.ok(told.length > 20 && told.some((line) => /from .* by .*: /.test(line)));
    const shown = async () => (await b.page.locator('#audit-records .record').allTextContents()).filter((line) => !/^ADMIN_QUERY/.test(line)).reverse();
    await h.eventually(async () => (await shown()).length >= told.length, 'all are there');
    assert.deepStrictEqual((await shown()).slice(0, told.length), told);
  });
  await finish(b);
}

async function changes(t, launched) {
  const d = await start(t);
  const ann = await h.person(d, 'ann');
  const bob = await h.person(d, 'bob');
  for (const n of [1, 2, 3]) await h.take(ann, `document:${n}:a`);
  const b = await signedIn(launched, d);

  await t.test('a reason is asked for', async () => {
    await b.open('document:1:a');
    await b.press('Release …', b.dialog);
    await b.says('Release document:1:a?', b.question);
    await b.says(/Ann \(ann\) loses the lock at once/, b.question);
    await b.act('Release', { Reason: '  ' });
    await b.says('Say why: the audit needs a reason.', b.question);
    await b.act('Release', { Reason: 'x'.repeat(501) });
    await b.says(/The reason has 501 characters/, b.question);
    await b.press('Cancel', b.question);
    assert.strictEqual((await h.status(ann, 'document:1:a')).state, 'held');
  });

  await t.test('release', async () => {
    await b.press('Release …', b.dialog);
    await b.act('Release', { Reason: 'left for the day' });
    await ann.waitFor('lock:released', (data) => data.resourceId === 'document:1:a');
    await b.says('document:1:a is free.', b.dialog);
    await h.eventually(async () => !(await b.button('Release …', b.dialog).isVisible()), 'nothing is left to release');
    await b.press('Close', b.dialog);
    await b.says(/document:1:a is released\. Ann \(ann\) has lost it\. It is free\. The audit has it\./);
    assert.strictEqual(await b.row('document:1:a').count(), 0);
    const r = await b.audited((a) => a.action === 'LOCK_ADMIN_RELEASED', /Ann \(ann\).* by j\.doe: left for the day/);
    assert.deepStrictEqual([r.admin.id, r.reason, r.address, r.resourceId], ['j.doe', 'left for the day', '127.0.0.1', 'document:1:a']);
  });

  await t.test('take over for', async () => {
    await b.view('Locks');
    await h.view(bob, 'document:2:a');
    await b.open('document:2:a');
    await b.press('Take over for …', b.dialog);
    await b.act('Take over', { Reason: 'ward round' });
    await b.says('Say for which user: the id, as in the table.', b.question);
    await b.act('Take over', { 'User\'s id': 'bob', Reason: 'ward round' });
    await b.says(/Only Bob \(bob\) can claim it/, b.dialog);
    await b.press('Take over for …', b.dialog);
    await b.says('Bob (bob) loses the turn.', b.question);
    await b.press('Cancel', b.question);
    await bob.expect('lock:acquire', { resourceId: 'document:2:a' }, 'lock:acquired');
    await b.says(/Bob \(bob\) has had it since/, b.dialog);
    await b.press('Close', b.dialog);
    await b.row('document:2:a').getByText('Bob (bob)').waitFor();
    const r = await b.audited((a) => a.action === 'LOCK_TAKEOVER', /by j\.doe: ward round/);
    assert.deepStrictEqual([r.previousHolder.id, r.user.id, r.admin.id], ['ann', 'bob', 'j.doe']);
  });

  await t.test('end a session, from its lock', async () => {
    await b.view('Locks');
    await b.open('document:3:a');
    await b.press('Sessions of the holder', b.dialog);
    await b.says('Page 1, 1 session');
    await b.press('End the session of Ann (ann)');
    await b.says(/Its 1 lock and places/, b.question);
    await b.act('End session', { Reason: 'stolen laptop' });
    assert.strictEqual((await ann.closed).code, 4403);
    await b.says('The session of Ann (ann) has ended. The audit has it.');
    await b.says('No session fits the filter.');
    const r = await b.audited((a) => a.action === 'SESSION_TERMINATED', /Ann \(ann\).* by j\.doe: stolen laptop/);
    assert.strictEqual(r.user.id, 'ann');
  });

  await t.test('what is gone meanwhile is said', async () => {
    await b.view('Locks');
    await b.open('document:2:a');
    await b.press('Release …', b.dialog);
    await bob.request('lock:release', { resourceId: 'document:2:a' });
    await b.act('Release', { Reason: 'too late' });
    await b.says('Nobody has this lock.', b.question);
    await b.press('Cancel', b.question);
    await b.press('Close', b.dialog);
  });
  await finish(b);
}

async function audit(t, launched) {
  const d = await start(t);
  const ann = await h.person(d, 'ann');
  await h.take(ann, 'document:1:a');
  const b = await signedIn(launched, d);
  const records = b.page.locator('#audit-records li');
  const texts = () => b.page.locator('#audit-records .record').allTextContents();
  await b.view('Audit');
  await b.says(/LOCK_ACQUIRED document:1:a Ann \(ann\)/);

  await t.test('new ones stand first', async () => {
    await h.take(ann, 'document:2:a');
    await h.eventually(async () => /^LOCK_ACQUIRED document:2:a/.test((await texts())[0]));
    await records.first().locator('summary').click();
    const { hash } = d.audit().find((a) => a.action === 'LOCK_ACQUIRED' && a.resourceId === 'document:2:a');
    await records.first().getByRole('definition').filter({ hasText: hash }).waitFor();
  });

  await t.test('reads are shown when wanted', async () => {
    assert.ok(!(await texts()).some((text) => /^ADMIN_QUERY/.test(text)));
    await b.page.getByLabel('Reads by operators').check();
    await b.says(/^ADMIN_QUERY/);
    await b.page.getByLabel('Reads by operators').uncheck();
  });

  await t.test('filters', async () => {
    await b.page.getByLabel('Resource contains').fill('1:A');
    assert.ok((await texts()).every((text) => / document:1:a/.test(text)));
    await b.page.getByLabel('Action').selectOption('LOCK_ACQUIRED');
    assert.deepStrictEqual(await texts(), ['LOCK_ACQUIRED document:1:a Ann (ann)']);
    await b.page.getByLabel('Person contains').fill('bob');
    await b.says('No record fits the filter.');
    await b.page.getByLabel('Person contains').fill('ANN');
    await b.says(/^1 record, of the last \d+/);
    await h.take(await h.person(d, 'bob'), 'document:31:a');
    await h.take(ann, 'document:41:a');
    await h.eventually(async () => (await texts()).length === 2, 'also of those that come');
    for (const name of ['Resource contains', 'Person contains']) await b.page.getByLabel(name).fill('');
    await b.page.getByLabel('Action').selectOption('');
  });

  await t.test('a pause', async () => {
    await b.press('Pause');
    const before = await texts();
    await h.take(ann, 'document:5:a');
    await b.says(/new records? since the pause/);
    assert.deepStrictEqual(await texts(), before);
    await b.press('Pause');
    await h.eventually(async () => /^LOCK_ACQUIRED document:5:a/.test((await texts())[0]));
  });

  await t.test('over a rotation, and over a restart', async () => {
    fs.renameSync(d.auditFile, `${d.auditFile}.1`);
    assert.strictEqual((await h.opsCall(d, 'POST', '/v1/reload', { actor: 'x' })).status, 200);
    await h.take(ann, 'document:6:a');
    await b.says(/LOCK_ACQUIRED document:6:a/);
    await d.stop();
    await b.says('Stale: not followed now');
    await d.start();
    await b.says('Following');
    await b.says(/^AUDIT_STARTED/);
    const seqs = await records.evaluateAll((all) => all.map((li) => Number(li.dataset.seq)));
    assert.deepStrictEqual(seqs, [...new Set(seqs)].sort((x, y) => y - x), 'each once, in order');
  });
  await finish(b);
}

async function hostile(t, launched) {
  const d = await start(t);
  const evil = '<img src=x onerror="window.owned=1">';
  const visible = '<b onclick=1>Ann';
  const ann = await d.client({ user: evil, name: visible, clientId: h.tab() });
  const resource = 'document:x:a';
  await h.take(ann, resource);
  await h.opsCall(d, 'GET', `/v1/locks?actor=${encodeURIComponent('<svg onload=window.owned=1>')}`);
  const b = await open(launched, d);
  await b.signIn(TOKEN, '<i>me</i>');
  await b.says('<i>me</i>');
  await b.row(resource).getByText(`${visible} (${evil})`).waitFor();
  await b.open(resource);
  await b.says(`${visible} (${evil}) has had it`, b.dialog);
  await b.press('Release …', b.dialog);
  await b.says(`${visible} (${evil}) loses`, b.question);
  await b.act('Release', { Reason: '<script>window.owned=1</script> \u202egpj' });
  await b.says(/released\. .*has lost it/);
  await b.press('Close', b.dialog);
  await b.view('Sessions');
  await b.row(`${visible} (${evil})`).waitFor();
  await b.view('Audit');
  await b.page.getByLabel('Reads by operators').check();
  await b.says(/<svg onload=window.owned=1>/);
  await b.says(/: <script>window\.owned=1<\/script> \\u202egpj/);
  for (const summary of (await b.page.locator('#audit-records summary').all()).slice(0, 5)) await summary.click();
  const found = await b.page.evaluate(() => [window.owned, document.querySelectorAll('body img:not(header img), body script, body i, body b[onclick], body svg:not(.chart), iframe').length]);
  assert.deepStrictEqual(found, [undefined, 0]);
  await finish(b);
}

async function foreign(t, launched) {
  const d = await start(t);
  const ann = await h.person(d, 'ann');
  await h.take(ann, 'document:1:a');
  const site = http.createServer((request, response) => response.end('<!doctype html><title>evil</title>'));
  await new Promise((resolve) => { site.listen(0, '127.0.0.1', resolve); });
  t.after(() => site.close());
  const context = await launched.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  const outcome = await page.evaluate(async ([ops, secret]) => {
    const tried = {};
    const body = JSON.stringify({ reason: 'evil', actor: 'evil', userId: 'evil' });
    const headers = { Authorization: `Bearer ${secret}` };
    const attempt = async (name, url, options) => {
      tried[name] = await fetch(ops + url, options).then((r) => `${r.type} ${r.status}`, () => 'failed');
    };
    await attempt('read', '/v1/locks', { headers });
    await attempt('numbers', '/metrics');
    await attempt('page', '/');
    await attempt('release', '/v1/locks/document:1:a', { method: 'DELETE', headers, body });
    await attempt('take', '/v1/locks/document:1:a/takeover', { method: 'POST', headers, body });
    await attempt('blind', '/v1/locks/document:1:a/takeover', { method: 'POST', mode: 'no-cors', body });
    const frame = document.body.appendChild(document.createElement('iframe'));
    await new Promise((resolve) => { frame.onload = resolve; frame.src = `${ops}/`; });
    return tried;
  }, [d.opsUrl('').replace(/\/$/, ''), TOKEN]);
  assert.deepStrictEqual(outcome, { read: 'failed', numbers: 'failed', page: 'failed', release: 'failed', take: 'failed', blind: 'opaque 0' });
  assert.strictEqual(await page.frames()[1].evaluate(() => document.getElementById('sign-in')), null, 'nor is it shown in a frame');
  /* A name of the page's own that points here; Chromium resolves those below localhost to this machine. */
  const rebound = await page.goto(`http://evil.localhost:${d.ops.port}/`);
  assert.strictEqual(rebound.status(), 403);
  await page.getByText('Host must be an IP address or localhost').waitFor();
  assert.strictEqual((await page.goto(`http://localhost:${d.ops.port}/`)).status(), 200);
  assert.strictEqual((await h.status(ann, 'document:1:a')).state, 'held');
  assert.ok(!d.audit().some((a) => JSON.stringify(a).includes('evil')));
}

async function away(t, launched) {
  const d = await start(t, { redis: { commandTimeout: '500ms', lease: '2s' }, ops: { readyGrace: '500ms' } });
  const ann = await h.person(d, 'ann');
  await h.take(ann, 'document:1:a');
  const b = await signedIn(launched, d);
  await b.row('document:1:a').waitFor();
  await b.number('Store', /^Served$/);

  await t.test('the store', async () => {
    await b.open('document:1:a');
    d.redis.pause();
    await b.number('Store', /^Away$/);
    await b.says('Grants no locks');
    await b.says(/^No lock is granted: /);
    await b.press('Release …', b.dialog);
    await b.act('Release', { Reason: 'while it is away' });
    await b.says(/The store is unavailable.*The change may have been made/, b.question);
    await b.press('Cancel', b.question);
    await b.says(/The store is unavailable.*What is shown is as of/, b.dialog);
    await b.press('Close', b.dialog);
    await b.press('Refresh');
    await b.says(/The store is unavailable.*The list is as of/);
    await b.says(/^Stale: as of/);
    assert.ok(await b.row('document:1:a').isVisible(), 'what was known is still there');
    d.redis.resume();
    await b.number('Store', /^Served$/);
    await b.says('Grants locks');
    await b.silent(/^Stale: as of/);
    await b.silent(/The store is unavailable/);
  });

  await t.test('the daemon', async () => {
    d.signal('SIGSTOP');
    t.after(() => d.signal('SIGCONT'));
    await b.says(/The daemon does not answer since .*What is shown is what it said before/);
    await b.says('No answer');
    await b.says(/^Stale: as of .* ago$/);
    await b.press('Refresh');
    await b.says(/^The daemon does not answer\. The list is as of/);
    d.signal('SIGCONT');
    await b.silent(/The daemon does not answer/);
    await b.silent(/^Stale: as of .* ago$/);
    await b.says('Grants locks');
  });
  await finish(b);
}

async function keyboard(t, launched) {
  const d = await start(t);
  await h.take(await h.person(d, 'ann'), 'document:1:a');
  const b = await open(launched, d, { viewport: { width: 390, height: 844 }, reducedMotion: 'reduce' });
  const { page } = b;
  const focused = (locator) => h.eventually(() => locator.evaluate((e) => e === document.activeElement), `the focus is on ${locator}`);
  const tabTo = async (locator) => {
    for (let i = 0; i < 60; i++) {
      if (await locator.evaluate((element) => element === document.activeElement)) {
        assert.notStrictEqual(await locator.evaluate((element) => getComputedStyle(element).outlineStyle), 'none', 'the focus is seen');
        return;
      }
      await page.keyboard.press('Tab');
    }
    assert.fail(`no way to ${locator}`);
  };
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  const enter = async (locator) => {
    await tabTo(locator);
    await page.keyboard.press('Enter');
  };

  await page.getByLabel('Your name').waitFor();
  await page.keyboard.press('Tab');
  await focused(page.getByRole('link', { name: 'To the content' }));
  await tabTo(page.getByLabel('Your name'));
  await page.keyboard.type('j.doe');
  await tabTo(page.getByLabel('Operator\'s token'));
  await page.keyboard.type(TOKEN);
  await page.keyboard.press('Enter');
  await focused(page.getByRole('heading', { name: 'Locks of all instances' }));
  const lock = b.button('document:1:a');
  await lock.waitFor();
  assert.strictEqual(await wide(), 0, 'no scrolling sideways');
  await enter(lock);
  await focused(page.getByRole('heading', { name: 'document:1:a' }));
  await tabTo(b.dialog.getByLabel(/Why can this user/));
  await page.keyboard.type('bob');
  await page.keyboard.press('Enter');
  await b.says('An acquire by bob from a new tab would get HELD now', b.dialog);
  await enter(b.button('Release …', b.dialog));
  await focused(b.question.getByLabel('Reason'));
  await page.keyboard.press('Escape');
  await focused(b.button('Release …', b.dialog));
  await page.keyboard.press('Enter');
  await page.keyboard.type('by keyboard');
  await enter(b.button('Release', b.question));
  await b.says('document:1:a is free.', b.dialog);
  await page.keyboard.press('Escape');
  await h.eventually(async () => !(await b.dialog.isVisible()));
  await b.says('There is no lock.');
  await h.eventually(() => page.evaluate(() => document.activeElement !== document.body), 'the focus is not lost with the row');
  await enter(page.getByRole('link', { name: 'Audit' }));
  await focused(page.getByRole('heading', { name: 'Audit of this instance' }));
  await tabTo(page.locator('#audit-records summary').first());
  await page.keyboard.press('Enter');
  await page.locator('#audit-records dl').first().waitFor();
  assert.strictEqual(await wide(), 0, 'nor with a record open');
  await enter(page.getByRole('link', { name: 'Sessions' }));
  await tabTo(b.button('End the session of Ann (ann)'));
  await page.keyboard.press('Space');
  await b.says('End the session of Ann (ann)?', b.question);
  await page.keyboard.press('Escape');
  const small = await page.evaluate(() => [...document.querySelectorAll('button, input, select, nav a, summary')].filter((e) => e.offsetParent)
    .filter((e) => Math.min(e.getBoundingClientRect().height, e.getBoundingClientRect().width) < 24 && e.type !== 'checkbox').map((e) => e.outerHTML));
  assert.deepStrictEqual(small, [], 'what a finger finds');
  await enter(b.button('Sign out'));
  await focused(page.getByLabel('Your name'));
  await finish(b);
}

async function accessible(t, launched) {
  const d = await start(t, { resourceTypes: { document: { ...POLICY, gracePeriod: '10m' }, line: { ...POLICY, upgrade: 'queue' } } });
  const ann = await h.person(d, 'ann');
  const bob = await h.person(d, 'bob');
  await h.take(ann, 'line:1:a');
  await h.edit(bob, 'line:1:a');
  const gone = await h.person(d, 'gone');
  await h.take(gone, 'document:2:a');
  gone.ws.terminate();
  await d.waitForAudit((a) => a.action === 'LOCK_GRACE_STARTED');
  for (const [colorScheme, width] of [['light', 1280], ['dark', 390]]) {
    const b = await open(launched, d, { colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
    await b.page.evaluate(AXE);
    const clean = async (what) => {
      const { violations } = await b.page.evaluate(() => globalThis.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      }));
      assert.deepStrictEqual(violations.map((v) => [v.id, v.nodes.map((n) => `${n.html} ${n.failureSummary}`)]), [], `${colorScheme} ${width} ${what}`);
    };
    await b.number('Store', /^Served$/);
    await clean('signing in');
    await b.signIn('wrong');
    await b.says(/does not accept/);
    await clean('a wrong token');
    await b.signIn();
    await b.row('line:1:a').waitFor();
    await b.row('document:2:a').getByText('In grace').waitFor();
    await clean('locks');
    await b.open('line:1:a');
    await clean('a lock');
    await b.press('Take over for …', b.dialog);
    await b.act('Take over', { Reason: '' });
    await b.says('Say for which user', b.question);
    await clean('a question');
    await b.press('Cancel', b.question);
    await b.press('Close', b.dialog);
    await b.view('Sessions');
    await b.row('Ann (ann)').waitFor();
    await clean('sessions');
    await b.view('Audit');
    await b.says(/LOCK_ACQUIRED/);
    await b.page.locator('#audit-records summary').first().click();
    await clean('the audit');
    await b.page.locator('#numbers').evaluate((e) => e.classList.add('stale'));
    await clean('stale numbers');
    await finish(b);
  }
}
