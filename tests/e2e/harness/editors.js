'use strict';
/* Windows of the test application (application.js, editor/) in Debian's Chromium, over TLS, with a proxy before the daemon. */
const assert = require('node:assert');
const { application, spki } = require('./application');
const { TIMEOUT, cleanup, deadline, eventually } = require('./basics');
const { browser } = require('./browser');
const { lockDaemon, together } = require('./flows');
const { proxy } = require('./proxy');

/* Playwright turns off what pages are put aside, throttled and hidden by. */
const LEFT_OUT = ['--disable-back-forward-cache', '--disable-background-timer-throttling', '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows'];

/* How often a page is asked: that takes the time of both processes. */
const ASK_MS = 50;

/* An application, its daemon, and a browser that knows their certificate. config: of the daemon. */
async function editors(t, { config = {}, redis } = {}) {
  const { app, config: base } = await application(t);
  const d = await lockDaemon(t, { redis, config: { ...base, ...config } });
  app.daemonUrl = `wss://127.0.0.1:${d.port}/ws`;
  const launched = await browser(t, {
    ignoreDefaultArgs: LEFT_OUT,
    args: [`--ignore-certificate-errors-spki-list=${spki(app.files)}`],
  });
  /* Users have a context each; windows and proxies are closed with the test `of`. */
  const contexts = new Map();
  const contextOf = async (user) => {
    if (!contexts.has(user)) contexts.set(user, launched.newContext({ viewport: { width: 700, height: 400 } }));
    return contexts.get(user);
  };
  const openFor = (of) => async (user, resource, options) =>
    openEditor({ t: of, app, d, context: await contextOf(user) }, user, resource, options);
  return { app, d, launched, contextOf, openFor, open: openFor(t) };
}

/* options: {wired: through a proxy of its own (`wire`), or wire: through this one; scripts: to run before the page's own; query}. */
async function openEditor({ t, app, d, context }, user, resource, options = {}) {
  context.setDefaultTimeout(TIMEOUT);
  const wire = options.wire ?? (options.wired ? await proxy(t, d.port) : null);
  const page = await context.newPage();
  cleanup(t, () => page.close());
  for (const script of options.scripts ?? []) await page.addInitScript(script);
  const editor = new Editor(page, {
    url: app.url(user, resource, { ...options.query, ...(wire && { url: `wss://127.0.0.1:${wire.port}/ws` }) }), user, wire,
    resource: resource.split(':').length === 2 ? `${resource}:main` : resource,
  });
  await editor.go();
  return editor;
}

/* What a user's pages wrote down of a resource, taken out of the storage; intervals that are still open stay. */
function takeJournals(resource) {
  const entries = [];
  globalThis.app?.journal.flush();
  for (const key of Object.keys(localStorage)) {
    const [kind, about] = key.split(' ');
    if (!['journal', 'belief'].includes(kind) || about !== resource) continue;
    entries.push(JSON.parse(localStorage.getItem(key)));
    if (kind === 'journal') localStorage.removeItem(key);
  }
  return entries;
}

class Editor {
  constructor(page, { url, user, wire, resource }) {
    Object.assign(this, { page, url, user, wire, resource, context: page.context() });
    this.area = page.locator('textarea');
    this.problems = [];
    page.on('pageerror', (error) => this.problems.push(String(error)));
    page.on('requestfailed', (request) => this.problems.push(`${request.url()}: ${request.failure().errorText}`));
  }
  async go() {
    await this.page.goto(this.url);
    await this.ready();
  }
  /* The page's script has run. */
  ready() {
    return eventually(() => this.page.evaluate(() => globalThis.app !== undefined), `${this.user}: the page is there`, TIMEOUT, ASK_MS)
      .catch((error) => { throw new Error(`${error.message}\n${this.problems.join('\n')}`, { cause: error }); });
  }
  joined() {
    return this.until(() => app.section.joined, 'it has joined');
  }
  /* A function of the page, of `app`. */
  get(fn, arg) {
    return this.page.evaluate(fn, arg);
  }
  until(fn, what, arg) {
    return eventually(() => this.page.evaluate(fn, arg), `${this.user}: ${what}`, TIMEOUT, ASK_MS).catch(async (error) => {
      const told = await deadline(this.page.evaluate(() => app.told()), 'what it was told', 2000).catch(String);
      const shown = await deadline(this.text(), 'its text', 2000).catch(String);
      throw new Error([error.message, `text: ${shown}`, ...[told].flat(), ...this.problems].join('\n'), { cause: error });
    });
  }
  call(method, ...args) {
    return this.page.evaluate(([name, given]) => app.call(name, ...given), [method, args]);
  }
  /* An event of the library, past or to come: its data. */
  async event(name, matches = {}) {
    const find = ([wanted, fields]) => app.events.find((event) => event.name === wanted &&
      Object.entries(fields).every(([key, value]) => event.data[key] === value));
    await this.until(find, `${name} ${JSON.stringify(matches)}`, [name, matches]);
    return (await this.page.evaluate(find, [name, matches])).data;
  }
  forget() {
    return this.page.evaluate(() => { app.events.length = 0; });
  }
  async edit(options) {
    const answer = await this.call('edit', options);
    assert.strictEqual(answer.outcome, 'granted', JSON.stringify(answer));
    await this.edits();
    return answer;
  }
  edits() {
    return this.until(() => app.editable() && app.section.state === 'editing', 'it edits');
  }
  reads() {
    return this.until(() => !app.editable() && app.section.state === 'reading', 'it reads');
  }
  unconfirmed() {
    return this.until(() => app.section.state === 'unconfirmed', 'it is unconfirmed');
  }
  /* With the keyboard. */
  async type(text) {
    await this.area.focus();
    await this.page.keyboard.press('Control+End');
    await this.page.keyboard.type(text);
    await this.until((end) => document.querySelector('textarea').value.endsWith(end), `${text} is typed`, text);
  }
  reload() {
    return this.page.reload({ waitUntil: 'commit' }).then(() => this.ready());
  }
  /* Goes to another page, and comes back; `there` happens between. */
  async away(there = () => {}) {
    const { href } = new URL('/blank.html', this.url);
    await this.page.goto(href);
    await there();
    await this.page.goBack({ waitUntil: 'commit' });
    await this.ready();
  }
  /* A window that the page opens begins with a copy of its sessionStorage, as a duplicated tab does. */
  async duplicate() {
    const [page] = await Promise.all([this.context.waitForEvent('page'), this.page.evaluate(() => { globalThis.open(location.href); })]);
    const copy = new Editor(page, this);
    await copy.ready();
    return copy;
  }
  async save() {
    assert.strictEqual(await this.page.evaluate(() => app.save()), 'saved');
  }
  text() {
    return this.area.inputValue();
  }
  holds(text) {
    return eventually(async () => (await this.text()) === text, `${this.user}: the text is ${text}`);
  }
  fence() {
    return this.page.evaluate(() => app.section.fence);
  }
  journal() {
    return this.page.evaluate(takeJournals, this.resource);
  }
  /* Playwright lets each page believe that it has the focus, which keeps it from being hidden; no option turns that off. */
  async unfocus() {
    const internal = this.page._connection.toImpl(this.page).delegate._mainFrameSession._client;
    await internal.send('Emulation.setFocusEmulationEnabled', { enabled: false });
  }
  async hide() {
    await this.unfocus();
    this.cover ??= await this.context.newPage(); // another tab of the same window
    await this.cover.bringToFront();
    await this.until(() => document.visibilityState === 'hidden', 'it is hidden');
  }
  /* Of its many timers a second few run. */
  throttled() {
    return this.until(async () => {
      const [began, before] = [performance.now(), app.looks];
      while (performance.now() - began < 2000) await fetch('/blank.html'); // which is no timer
      return app.looks - before <= 4;
    }, 'its timers are throttled');
  }
  async show() {
    await this.page.bringToFront();
    await this.until(() => document.visibilityState === 'visible', 'it is visible');
  }
  /* Hidden, and nothing in it runs. */
  async freeze() {
    await this.hide();
    this.cdp ??= await this.context.newCDPSession(this.page);
    await this.cdp.send('Page.setWebLifecycleState', { state: 'frozen' });
  }
  async wake() {
    await this.cdp.send('Page.setWebLifecycleState', { state: 'active' });
    await this.show();
  }
}

/* Sub-tests side by side: {name: fn({open, …of the scene})}; what one opens is closed with it. */
function inWindows(t, scene, cases) {
  const run = (fn) => (of) => fn({ ...scene, open: scene.openFor(of) });
  return together(t, Object.fromEntries(Object.entries(cases).map(([name, fn]) => [name, run(fn)])));
}

module.exports = { editors, inWindows };
