'use strict';
/* The demo page in a real browser: a tab that is reloaded on the page leaves nothing behind of the one before it. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const RELOADS = 4;

/* What lives in a page, as Chromium's debugger tells. */
class Inside {
  constructor(debug) {
    this.debug = debug;
  }
  /* The object that an expression gives, or a promise of it. */
  async object(expression) {
    const { result } = await this.debug.send('Runtime.evaluate', { expression, awaitPromise: true });
    assert.ok(result.objectId, expression);
    return result.objectId;
  }
  /* Every object of a class that a module exports, after the garbage was collected. */
  async living(module, name) {
    const prototypeObjectId = await this.object(`import('${module}').then((m) => m.${name}.prototype)`);
    const { objects } = await this.debug.send('Runtime.queryObjects', { prototypeObjectId });
    const { result } = await this.debug.send('Runtime.getProperties', { objectId: objects.objectId, ownProperties: true });
    return result.filter((property) => /^\d+$/.test(property.name)).map(({ value }) => value.objectId);
  }
  async listeners(objectId) {
    const { listeners } = await this.debug.send('DOMDebugger.getEventListeners', { objectId });
    return listeners.map(({ type }) => type).sort();
  }
  /* Calls a function with the object as `this`. */
  async call(objectId, fn) {
    const { result, exceptionDetails } = await this.debug.send('Runtime.callFunctionOn', {
      objectId, functionDeclaration: String(fn), returnByValue: true,
    });
    assert.strictEqual(exceptionDetails, undefined);
    return result.value;
  }
}

/* In a page, before its own scripts: how many intervals run. */
function countIntervals() {
  const running = globalThis.intervals = new Set();
  const { setInterval: begin, clearInterval: end } = globalThis;
  globalThis.setInterval = (...given) => {
    const id = begin(...given);
    running.add(id);
    return id;
  };
  globalThis.clearInterval = (id) => {
    running.delete(id);
    end(id);
  };
}

test('a reloaded tab of the demo page', { timeout: 300_000 * h.SLOW, concurrency: 2 }, async (top) => {
  const launched = await h.browser(top);
  await h.together(top, {
    'beside another': (t) => reloaded(t, launched, { name: 'Dr. Anna Rossi', query: '', tabs: 2 }),
    "of an administrator, who has the view of all documents": (t) =>
      reloaded(t, launched, { name: 'Dora Keller', query: '?as=dora', tabs: 1 }),
  });
});

async function reloaded(t, launched, { name, query, tabs }) {
  const d = await h.devDaemon(t, { default: { lockTtl: '5m' } });
  const { page, context, problems } = await h.openDemo(launched, d, { query });
  await page.addInitScript(countIntervals);
  await page.reload();
  const pane = new h.Pane(page, name);
  const inside = new Inside(await context.newCDPSession(page));
  const listening = async () => {
    const found = { intervals: await page.evaluate(() => globalThis.intervals.size) };
    for (const target of ['document', 'window']) found[target] = await inside.listeners(await inside.object(target));
    for (const [module, type] of [['/demo/tab.js', 'Tab'], ['/demo/store.js', 'SharedDocument']]) {
      found[type] = await Promise.all((await inside.living(module, type)).map((id) => inside.listeners(id)));
    }
    return found;
  };
  const clients = async () => (await inside.living('/wslock.js', 'WslockClient')).length;
  const reload = async () => {
    await pane.press('Reload the tab');
    await pane.connected();
    await pane.free();
  };
  await pane.free();
  const before = await listening();
  assert.strictEqual(before.Tab.length, tabs);
  assert.strictEqual(before.window.filter((type) => type === 'pageshow').length, tabs);
  assert.strictEqual(await clients(), tabs);

  await t.test('as many listeners and timers after many reloads', async () => {
    for (let i = 0; i < RELOADS; i++) await reload();
    assert.deepStrictEqual(await listening(), before);
    assert.ok((await clients()) <= tabs + 1, 'Chromium may keep the last one for a while');
  });

  await t.test('what happens to the page happens to each tab once', async () => {
    for (const tab of await inside.living('/demo/tab.js', 'Tab')) {
      await inside.call(tab, function count() {
        const told = this.counted = [];
        for (const target of [this.window, this.document]) {
          for (const type of ['online', 'focus', 'resume']) target.addEventListener(type, () => told.push(type));
        }
      });
    }
    await page.evaluate(() => {
      for (const type of ['online', 'focus']) window.dispatchEvent(new Event(type));
      document.dispatchEvent(new Event('resume'));
    });
    const told = (id) => inside.call(id, function counted() { return this.counted; });
    const each = await Promise.all((await inside.living('/demo/tab.js', 'Tab')).map(told));
    assert.deepStrictEqual(each, Array(tabs).fill(['online', 'focus', 'resume']));
  });

  await t.test('the client of the page before it has no say any more', async () => {
    const [tab] = await inside.living('/demo/tab.js', 'Tab');
    await inside.call(tab, function keep() {
      globalThis.reloadedTab = this;
      globalThis.formerClient = this.client;
      this.reload();
    });
    await pane.connected();
    const told = await page.evaluate(async () => {
      const { reloadedTab, formerClient } = globalThis;
      const states = [];
      formerClient.on('connection', ({ state }) => states.push(state));
      formerClient.close();
      await new Promise((resolve) => { setTimeout(resolve); });
      return { states, closedBy: reloadedTab.closedBy };
    });
    assert.deepStrictEqual(told, { states: ['closed'], closedBy: null });
  });

  await t.test('one record for what is done once', async () => {
    await pane.press('Edit');
    await pane.edits();
    await pane.press('Stop editing');
    await pane.free();
    await page.locator('#records [data-action="LOCK_RELEASED"]').waitFor();
    const actions = await page.locator('#records li').evaluateAll((items) => items.map(({ dataset }) => dataset.action));
    assert.deepStrictEqual(actions, ['LOCK_RELEASED', 'LOCK_ACQUIRED']);
  });

  assert.deepStrictEqual(problems, []);
  await context.close();
}
