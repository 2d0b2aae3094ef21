'use strict';
/* The demo page in a real browser: what an administrator is offered, and when. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const POLICY = { lockTtl: '5m', heartbeatInterval: h.ms(800), gracePeriod: '1m', takeoverTimeout: '5m' };

test('the administrator on the demo page', { timeout: 300_000 * h.SLOW, concurrency: 2 }, async (top) => {
  const launched = await h.browser(top);
  await h.together(top, {
    'a takeover that waits': (t) => waiting(t, launched),
    'while the store is away': (t) => away(t, launched),
  });
});

/* Anna's window, on the document that is chosen, and the administrator's. */
async function open(t, launched) {
  const d = await h.devDaemon(t, { default: POLICY });
  const main = await h.openDemo(launched, d);
  const dora = await h.openPerson(main, /administrator/, 'Dora Keller');
  const row = (label) => dora.page.getByRole('row', { name: new RegExp(`^${label}`) });
  return {
    ...main, d, dora, row,
    choose: (pane, type) => pane.page.getByRole('combobox', { name: 'What is edited' }).selectOption(type),
    /* In the administrator's view. */
    offersRow: (label, count) =>
      h.eventually(async () => (await row(label).getByRole('button').count()) === count, `${label}: ${count} controls`),
    take: (label) => row(label).getByRole('button', { name: `Take over: ${label}` }).click(),
    form: {
      isOpen: () => dora.box.locator('.takeover-form').isVisible(),
      hasFocus: () => dora.box.locator('.takeover-reason').evaluate((input) => input === document.activeElement),
    },
  };
}

/* No new connection of the page can sign in, until the returned function is called. */
async function holdTokens(page) {
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  await page.route('**/dev/token?*', async (route) => {
    await released;
    await route.continue();
  });
  return release;
}

async function waiting(t, launched) {
  const { context, problems, anna, bruno, dora, row, form, choose, offersRow, take } = await open(t, launched);
  const edits = async (pane) => {
    await pane.press('Edit');
    await pane.edits();
  };
  await choose(anna, 'prescription');
  await anna.free();
  await edits(anna);

  await t.test('the form opens as soon as it is offered, and once', async () => {
    await offersRow('Prescription', 1);
    const release = await holdTokens(dora.page);
    await take('Prescription');
    await dora.stands('Connecting…');
    await dora.offers();
    assert.strictEqual(await form.isOpen(), false, 'nobody knows yet whether it would be refused');
    release();
    await dora.stands('Dr. Anna Rossi is editing.');
    await h.eventually(form.isOpen, 'the form is open');
    assert.strictEqual(await form.hasFocus(), true);
    await dora.page.keyboard.press('Escape');
    assert.strictEqual(await form.isOpen(), false);
    await anna.text.fill('Ibuprofen 200 mg.');
    await dora.stands('Dr. Anna Rossi is editing (unsaved changes).');
    assert.strictEqual(await form.isOpen(), false, 'who has closed it wants it no more');
    await anna.press('Stop editing');
    await dora.free();
  });

  await t.test('it is forgotten when nobody is left to take the lock from', async () => {
    await edits(anna);
    await choose(dora, 'document');
    await offersRow('Prescription', 1);
    const release = await holdTokens(dora.page);
    await take('Prescription');
    await dora.stands('Connecting…');
    await anna.press('Stop editing');
    await bruno.free();
    release();
    await dora.free();
    await dora.offers('Edit');
    await edits(bruno);
    await dora.stands('Nurse Bruno Weiss is editing.');
    await dora.offers('Take over…');
    assert.deepStrictEqual([await form.isOpen(), await form.hasFocus()], [false, false], 'of him nobody wanted it');
    await bruno.press('Stop editing');
    await dora.free();
  });

  await t.test('while a takeover waits for whoever edits, no second one is offered', async () => {
    await choose(anna, 'document');
    await anna.free();
    await choose(dora, 'document');
    await dora.free();
    await edits(anna);
    await offersRow('Findings', 1);
    await take('Findings');
    await dora.box.getByRole('textbox', { name: 'Reason' }).fill('Discharge');
    await dora.press('Take the lock');
    await dora.told('Whoever edits is told to save.', 'info');
    await anna.told('Discharge', 'warning');
    await dora.offers();
    await offersRow('Findings', 0);
    await row('Findings').getByText('Dr. Anna Rossi').waitFor();
    await dora.answer('told to save', 'Cancel the takeover');
    await anna.told('The takeover was cancelled.');
    await dora.offers('Take over…');
    await offersRow('Findings', 1);
    assert.strictEqual(await form.isOpen(), false, 'what was sent is not asked again');
  });

  assert.deepStrictEqual(problems, []);
  await context.close();
}

async function away(t, launched) {
  const { d, context, problems, anna, dora, row, choose, offersRow } = await open(t, launched);
  await anna.free();
  await anna.press('Edit');
  await anna.edits();
  await dora.offers('Take over…');
  await offersRow('Findings', 1);
  await h.withoutStore(d, async () => {
    await dora.told('The server has lost its store.', 'warning');
    await dora.offers();
    await offersRow('Findings', 0);
    assert.strictEqual(await dora.page.locator('#admin').getByRole('button').count(), 0);
  });
  await dora.gone('The server has lost its store.');
  await row('Findings').getByText('Dr. Anna Rossi').waitFor();
  await offersRow('Findings', 1);
  await dora.offers('Take over…');

  /* Of a document that the administrator has not opened. */
  await anna.press('Stop editing');
  await choose(anna, 'prescription');
  await anna.free();
  await anna.press('Edit');
  await anna.edits();
  await offersRow('Prescription', 1);
  await h.withoutStore(d, async () => {
    await offersRow('Prescription', 0);
    await dora.told('The server has lost its store.');
  });
  await offersRow('Prescription', 1);

  assert.deepStrictEqual(problems, []);
  await context.close();
}
