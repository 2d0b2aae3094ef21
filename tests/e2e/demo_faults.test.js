'use strict';
/* The demo page in a real browser: servers and links that do not answer, duplicated tabs, late saves, the words for every code. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const POLICY = { lockTtl: '5m', heartbeatInterval: h.ms(800), maxConcurrentTabLocksPerUser: 3 };
const KEPT = 'What you typed and did not save is kept.';
const UNCONFIRMED = 'Connection lost: go on, for now.';

test('the demo page and faults', { timeout: 300_000 * h.SLOW, concurrency: 3 }, async (top) => {
  const launched = await h.browser(top);
  await h.together(top, {
    'a server that does not answer': (t) => silence(t, launched),
    'a link that swallows everything, and somebody else who edits': (t) => swallowed(t, launched),
    'a duplicated tab, and a save that comes too late': (t) => duplicated(t, launched),
    'every code has words': (t) => words(t, launched),
  });
});

async function silence(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, gracePeriod: '1m' } } });
  const { page, context, problems, anna, bruno } = await h.openDemo(launched, d);
  const edited = async (text) => {
    await anna.free();
    await anna.press('Edit');
    await anna.edits();
    await anna.text.fill(text);
    await anna.says('Not saved yet');
    await bruno.stands('Dr. Anna Rossi is editing (unsaved changes).');
    return anna.token();
  };
  const keptThrough = async (token, text) => {
    await anna.edits();
    await anna.gone(UNCONFIRMED);
    await anna.holds(text);
    assert.strictEqual(await anna.token(), token);
    await anna.press('Save');
    await anna.press('Stop editing');
  };

  await t.test('the server stands still', async () => {
    const token = await edited('Written before the silence.');
    d.signal('SIGSTOP');
    t.after(() => d.signal('SIGCONT'));
    await anna.told(UNCONFIRMED, 'warning');
    await anna.text.fill('Written before the silence, and in it.');
    d.signal('SIGCONT');
    await keptThrough(token, 'Written before the silence, and in it.');
  });

  await t.test('nor does its store', async () => {
    const token = await edited('Written before the store stood still.');
    await h.withoutStore(d, async () => {
      await bruno.told('The server has lost its store.', 'warning');
      await bruno.offers();
      await anna.told('The server has lost its store.', 'warning');
      await anna.offers('Save');
    });
    await keptThrough(token, 'Written before the store stood still.');
    await bruno.gone('The server has lost its store.');
  });

  await t.test('the network swallows what is sent, and a new connection works', async () => {
    const token = await edited('Written before the network went.');
    await anna.press('Blackhole');
    await anna.says('Nothing goes through, and nobody is told');
    await anna.told(UNCONFIRMED, 'warning');
    assert.ok(await anna.text.isEditable());
    await bruno.stands('Dr. Anna Rossi is editing (unsaved changes).'); // the server has noticed nothing
    await anna.press('End the blackhole');
    await keptThrough(token, 'Written before the network went.');
  });

  await t.test('a request that is not answered keeps what was typed', async () => {
    await page.getByRole('combobox', { name: 'What is edited' }).selectOption({ label: 'Operation report: ask whoever edits' });
    await anna.free();
    await anna.press('Edit');
    await anna.edits();
    await bruno.press('Ask for it…');
    const message = bruno.box.getByRole('textbox', { name: 'Message' });
    await message.fill('The count of swabs');
    await bruno.press('Blackhole');
    await bruno.press('Send');
    await bruno.told(/has not answered|connection was lost/, 'warning');
    assert.strictEqual(await message.inputValue(), 'The count of swabs');
    await bruno.press('End the blackhole');
    await bruno.stands('Dr. Anna Rossi is editing.');
    if (!(await message.isVisible())) await bruno.press('Ask for it…');
    await bruno.press('Send');
    await anna.told('The count of swabs', 'info');
    await bruno.told('You have asked');
    const answers = (pane, text) => pane.message(text).getByRole('button').count();
    const both = async () => [await answers(anna, 'The count of swabs'), await answers(bruno, 'You have asked')].join();
    assert.strictEqual(await both(), '3,1');
    await h.withoutStore(d, () => h.eventually(async () => await both() === '0,0', 'nothing is offered that the server would refuse'));
    await bruno.answer('You have asked', 'Withdraw');
    await bruno.press('Ask for it…');
    assert.strictEqual(await message.inputValue(), '', 'what was sent is not offered again');
  });

  await t.test('a page without a server says so', async () => {
    await d.stop();
    await bruno.told('No connection.', 'warning');
    await bruno.offers();
  });

  assert.deepStrictEqual(problems.filter((text) => !/ERR_CONNECTION_REFUSED/.test(text)), []);
  await context.close();
}

/* When its text could be edited, by the clock that both windows have. */
function recordEditable(window) {
  return window.page.evaluate(() => {
    const spans = globalThis.editableSpans = [];
    const look = () => {
      const open = spans.at(-1)?.to === null;
      const editable = !document.querySelector('textarea').readOnly;
      if (editable && !open) spans.push({ from: Date.now(), to: null });
      if (!editable && open) spans.at(-1).to = Date.now();
    };
    new MutationObserver(look).observe(document.querySelector('textarea'), { attributes: true });
    look();
  });
}

async function swallowed(t, launched) {
  const wire = await h.proxy(t, 1);
  const far = `http://127.0.0.1:${wire.port}`;
  const port = await h.freePort();
  const d = await h.devDaemon(t, {
    listen: [{ address: '127.0.0.1', port, plaintext: true }], allowedOrigins: [far, `http://127.0.0.1:${port}`],
    resourceTypes: { document: { lockTtl: '5m', heartbeatInterval: '60s', gracePeriod: h.ms(6000) } },
    limits: { pingInterval: h.ms(3000), pongTimeout: h.ms(3000) },
  });
  d.page = `http://127.0.0.1:${port}/`;
  wire.target = { port, host: '127.0.0.1' };
  const ann = await h.openDemo(launched, { page: `${far}/` }, { query: '?as=anna' });
  const bob = await h.openDemo(launched, d, { query: '?as=bruno' });
  const { anna } = ann;
  const { bruno } = bob;
  await anna.free();
  await bruno.free();
  for (const window of [ann, bob]) await recordEditable(window);
  await anna.press('Edit');
  await anna.edits();
  await anna.text.fill('Typed while nothing went through.');
  await bruno.stands('Dr. Anna Rossi is editing (unsaved changes).');
  wire.swallow();
  await bruno.free();
  await bruno.press('Edit');
  await bruno.edits();
  assert.ok(!(await anna.text.isEditable()));
  await anna.gone(UNCONFIRMED);
  await anna.told('Connection lost: editing has stopped.', 'problem');
  await anna.offers();
  assert.strictEqual(await anna.text.inputValue(), 'Typed while nothing went through.');
  const spans = (window) => window.page.evaluate(() => globalThis.editableSpans);
  const [hers, his] = [await spans(ann), await spans(bob)];
  assert.ok(hers.at(-1).to !== null && his.length > 0);
  for (const x of hers) for (const y of his) assert.ok(x.to <= y.from, JSON.stringify({ hers, his }));
  wire.swallow('none');
  await anna.told('Typed while nothing went through.');
  await anna.gone('Connection lost');
  await anna.stands('Nurse Bruno Weiss is editing.');
  assert.deepStrictEqual(bob.problems, []);
  await ann.context.close();
  await bob.context.close();
}

/* A window that the page opens begins with a copy of its sessionStorage, as a duplicated tab does. */
async function duplicate(context, page) {
  const [copy] = await Promise.all([context.waitForEvent('page'), page.evaluate(() => { window.open(location.href, '_blank', 'popup'); })]);
  await copy.waitForLoadState();
  return new h.Pane(copy, 'Dr. Anna Rossi');
}

async function duplicated(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, gracePeriod: '1m' } } });
  const { page, context, problems, anna } = await h.openDemo(launched, d, { query: '?as=anna' });
  const late = (window, fence) => window.evaluate(async (token) => {
    const { SharedDocument } = await import('./demo/store.js');
    const { KINDS } = await import('./demo/kinds.js');
    return new SharedDocument(KINDS[0].resourceId, '').save({ text: 'Late, by the first.', fence: token, by: 'late' });
  }, fence);

  await anna.connected();
  await anna.press('Edit');
  const token = await anna.token();
  await anna.text.fill('Saved by the first.');
  await anna.press('Save');
  await anna.text.fill('Typed in the first, and not saved.');
  const copy = await duplicate(context, page);

  await t.test('the copy is a tab of its own, and the first goes on', async () => {
    await copy.stands('You are editing in another tab.');
    await copy.offers('Edit here instead');
    assert.strictEqual(await copy.message(KEPT).count(), 0, 'what is being typed is not offered elsewhere');
    await anna.edits();
    assert.strictEqual(await anna.token(), token);
    assert.deepStrictEqual([await anna.text.isEditable(), await copy.text.isEditable()], [true, false]);
    assert.notStrictEqual(await copy.number('Tab (clientId)'), await anna.number('Tab (clientId)'));
  });

  await t.test('the lock is moved while the first is cut off: its late save is refused', async () => {
    await anna.press('Blackhole');
    await copy.press('Edit here instead');
    await copy.edits();
    assert.ok((await copy.token()) > token);
    await copy.holds('Saved by the first.');
    assert.ok(await anna.text.isEditable(), 'it has not heard of it yet');
    await anna.press('Save');
    await anna.told('Not saved.', 'problem');
    await anna.told('The store refuses your fencing token.');
    await anna.holds('Typed in the first, and not saved.');
    await copy.holds('Saved by the first.');
    assert.deepStrictEqual(await late(page, token), { problem: 'STALE_FENCE' });
    await anna.press('End the blackhole');
    await anna.stands('You are editing in another tab.');
    await anna.gone('The store refuses');
    await anna.told('Typed in the first, and not saved.');
  });

  await t.test('what the first had typed is kept, and put back in the copy', async () => {
    await copy.answer(KEPT, 'Put it back');
    await copy.press('Save');
    assert.deepStrictEqual(await late(page, token), { problem: 'STALE_FENCE' });
    await copy.holds('Typed in the first, and not saved.');
    await anna.holds('Typed in the first, and not saved.');
    await anna.gone(KEPT);
  });

  await t.test('the first takes it back when its user wants so: then the copy is told', async () => {
    const second = await copy.token();
    await anna.press('Edit here instead');
    await anna.edits();
    await copy.told('You went on editing in another tab.', 'info');
    assert.ok((await anna.token()) > second);
    await anna.press('Stop editing');
    await copy.free();
  });

  assert.deepStrictEqual(problems, []);
  await context.close();
}

async function words(t, launched) {
  const d = await h.devDaemon(t);
  const { page, context } = await h.openDemo(launched, d);
  const types = fs.readFileSync(path.join(h.ROOT, 'src/web/client/wslock.d.ts'), 'utf8');
  const union = (name) => {
    const [, text] = new RegExp(`export type ${name} =([^;]*);`).exec(types);
    return [...text.matchAll(/"([A-Z_]+)"/g)].map((match) => match[1]);
  };
  const tables = await page.evaluate(async () => {
    const { CLOSES } = await import('./wslock/protocol.js');
    const known = await import('./demo/words.js');
    const keys = (table) => Object.keys(table);
    return {
      loss: keys(known.LOSS), denied: keys(known.DENIED), error: keys(known.ERROR), recorded: keys(known.RECORDED), close: keys(known.CLOSE),
      final: keys(CLOSES).filter((code) => CLOSES[code] === false),
    };
  });
  const same = (a, b, what) => assert.deepStrictEqual([...a].sort(), [...b].sort(), what);
  assert.ok(union('ServerErrorCode').length > 20);
  same(tables.loss, union('LockReason'), 'how a lock ends');
  same(tables.denied, union('DenyReason'), 'why it is not granted');
  same(tables.error, [...union('ServerErrorCode'), ...union('ClientErrorCode')], 'errors');
  same(tables.recorded, union('LockCause'), 'what is recorded');
  same(tables.close, tables.final, 'ends for good');
  await context.close();
}
