'use strict';
/* The demo page in a real browser: what it looks like, by keyboard alone, for assistive technology, and with hostile names. */
const assert = require('node:assert');
const fs = require('node:fs');
const { test } = require('node:test');
const h = require('./harness');

const POLICY = { lockTtl: '5m', heartbeatInterval: h.ms(800) };
const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

test('the looks of the demo page', { timeout: 300_000 * h.SLOW, concurrency: 3 }, async (top) => {
  const launched = await h.browser(top);
  await h.together(top, {
    'by keyboard alone, on a narrow screen': (t) => keyboard(t, launched),
    'WCAG 2.2 AA in each main state': (t) => accessible(t, launched),
    'both colour schemes can be read': (t) => schemes(t, launched),
    'a user named like an element': (t) => hostile(t, launched),
  });
});

async function keyboard(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, gracePeriod: h.ms(3000) } } });
  const options = { viewport: { width: 390, height: 844 }, hasTouch: true, reducedMotion: 'reduce' };
  const { page, problems, anna, bruno, context } = await h.openDemo(launched, d, options);
  const isFocused = (locator) => locator.evaluate((element) => element === document.activeElement);
  const tabTo = async (locator) => {
    for (let i = 0; i < 60; i++) {
      if (await isFocused(locator)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`no way to ${locator}`);
  };
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  const focused = (locator, what) => h.eventually(() => isFocused(locator), what);

  for (const pane of [anna, bruno]) await pane.connected();
  assert.strictEqual(await wide(), 0, 'no scrolling sideways');
  const edit = await anna.button('Edit').boundingBox();
  assert.ok(edit.y + edit.height <= 664, `the first Edit button is seen at once, also below a browser's bars: ${edit.y}`);
  await page.evaluate(() => document.activeElement.blur());
  await tabTo(anna.button('Edit'));
  const outline = await anna.button('Edit').evaluate((element) => getComputedStyle(element).outlineStyle);
  assert.notStrictEqual(outline, 'none', 'the focus is seen');
  await page.keyboard.press('Enter');
  await anna.edits();
  await focused(anna.text, 'the text has the focus');
  await page.keyboard.press('End');
  await page.keyboard.type(' Typed without a mouse.');
  await anna.says('Not saved yet');
  await tabTo(anna.button('Save'));
  await page.keyboard.press('Space');
  await anna.says('All saved');
  await focused(anna.button('Save'), 'and has it after saving');
  await h.eventually(async () => /Typed without a mouse/.test(await bruno.text.inputValue()));
  await tabTo(anna.button('Same user, second tab'));
  await page.keyboard.press('Enter');
  const twin = new h.Pane(page, 'Dr. Anna Rossi', 2);
  await twin.stands('You are editing in another tab.');
  await tabTo(twin.button('Edit here instead'));
  await page.keyboard.press('Enter');
  await twin.edits();
  await anna.answer('You went on editing', 'Dismiss');
  await focused(anna.button('Edit here instead'), 'the message is gone, the focus is not');
  await tabTo(twin.button('Stop editing'));
  await page.keyboard.press('Enter');
  await focused(twin.button('Edit'), 'the way back');
  await bruno.free();
  await twin.box.locator('summary').focus();
  await page.keyboard.press('Enter');
  await twin.box.locator('.frames li').first().waitFor();
  assert.strictEqual(await wide(), 0, 'nor with everything open');
  const small = await page.evaluate(() => [...document.querySelectorAll('button, a.button, select, summary')]
    .filter((b) => b.offsetParent && b.getBoundingClientRect().height < 24).map((b) => b.textContent));
  assert.deepStrictEqual(small, [], 'buttons that a finger finds');
  const moving = await page.evaluate(() => [...document.querySelectorAll('*')]
    .filter((e) => getComputedStyle(e).animationName !== 'none' || getComputedStyle(e).transitionDuration !== '0s').map((e) => e.className));
  assert.deepStrictEqual(moving, [], 'nothing moves for who does not want it');
  assert.deepStrictEqual(problems, []);
  await context.close();
}

/* No violation of WCAG 2.2 AA that axe can find. */
async function clean(page, state) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`));
  });
  assert.deepStrictEqual(found, [], state);
}

async function accessible(t, launched) {
  const d = await h.devDaemon(t, { default: { takeoverTimeout: '1m' }, resourceTypes: { document: { ...POLICY, gracePeriod: h.ms(3000) } } });
  const main = await h.openDemo(launched, d, { reducedMotion: 'reduce' });
  const { page, context, problems, anna, bruno } = main;
  for (const pane of [anna, bruno]) await pane.free();
  await clean(page, 'first view');
  for (const [role, name] of [['status', 'what stands'], ['log', 'messages']]) {
    assert.ok((await anna.box.getByRole(role, { includeHidden: true }).count()) > 0, `${name} are read out`);
  }
  await anna.press('Edit');
  await anna.edits();
  await anna.text.fill('Unsaved.');
  await bruno.stands('(unsaved changes)');
  await bruno.number('Lock');
  await clean(page, 'one edits, one watches, the numbers are open');
  await anna.press('Cut the network');
  await anna.told('Connection lost');
  await clean(page, 'connection lost');
  await anna.told('editing has stopped');
  await bruno.free();
  await bruno.press('Edit');
  await bruno.text.fill('Newer.');
  await bruno.press('Save');
  await bruno.press('Stop editing');
  await anna.press('Mend the network');
  await anna.press('Edit');
  await anna.answer('is kept', 'Put it back');
  await anna.told('Which text is right?');
  await clean(page, 'conflict of drafts');
  const dora = await h.openPerson(main, /administrator/, 'Dora Keller');
  await dora.press('Take over…');
  await clean(dora.page, "the administrator's view, with the form");
  await dora.box.getByRole('textbox', { name: 'Reason' }).fill('Ward round');
  await dora.press('Take the lock');
  await anna.told('takes over');
  await clean(page, 'a takeover is announced');
  await page.getByRole('combobox', { name: 'What is edited' }).selectOption({ label: 'Operation report: ask whoever edits' });
  await anna.press('Edit');
  await bruno.press('Ask for it…');
  await bruno.press('Send');
  await anna.told('asks you for the lock');
  await clean(page, 'a request');
  await anna.answer('asks you', 'Save and hand over');
  await bruno.told('It is your turn.');
  await clean(page, 'a turn');
  assert.deepStrictEqual(problems, []);
  await context.close();
}

async function schemes(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, gracePeriod: '1m' } } });
  for (const colorScheme of ['light', 'dark']) {
    const { page, context, anna, bruno } = await h.openDemo(launched, d, { colorScheme, reducedMotion: 'reduce' });
    await anna.free();
    await anna.press('Edit');
    await anna.text.fill(`In ${colorScheme}.`);
    await bruno.stands('(unsaved changes)');
    assert.deepStrictEqual(await page.evaluate(poorContrast), [], `${colorScheme}: editing`);
    await anna.press('Cut the network');
    await anna.told('Connection lost');
    await bruno.stands('was cut off');
    assert.deepStrictEqual(await page.evaluate(poorContrast), [], `${colorScheme}: cut off`);
    await anna.press('Mend the network');
    await anna.press('Save');
    await anna.press('Stop editing');
    await bruno.free();
    await context.close();
  }
}

/* Text below 4.5:1, and borders of controls, messages and panes below 3:1. */
function poorContrast() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parse = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const ratio = (a, b) => (Math.max(luminance(a), luminance(b)) + 0.05) / (Math.min(luminance(a), luminance(b)) + 0.05);
  const name = (e) => `${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 20)}`;
  const shown = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.offsetParent && e.getClientRects().length);
  const texts = shown('h1, h2, h3, p, span, b, button, a, li, textarea, summary, legend, time, code, select, strong')
    .filter((e) => e.textContent.trim() || e.value)
    .map((e) => ({ what: name(e), ratio: ratio(parse(getComputedStyle(e).color), behind(e)), least: 4.5 }));
  const bordered = (selector, side, around) => shown(selector)
    .map((e) => ({ what: `${side} of ${name(e)}`, ratio: ratio(parse(getComputedStyle(e)[`border${side}Color`]), behind(around(e))), least: 3 }));
  const outside = (e) => e.parentElement;
  const borders = [
    ...bordered('button:not(.primary), a.button, textarea, select, input, fieldset', 'Bottom', outside), ...bordered('.message', 'Left', outside),
    ...bordered('.pane', 'Top', outside),
  ];
  return [...texts, ...borders].filter((x) => x.ratio < x.least);
}

/* Names, messages and reasons are text, whoever wrote them. */
async function hostile(t, launched) {
  const d = await h.devDaemon(t, { default: { takeoverTimeout: '1m' } });
  const { page, context, problems, anna, bruno } = await h.openDemo(launched, d, { query: '?type=operation-report' });
  const NAME = '<img src=x onerror="globalThis.harmed=1">';
  const TEXT = '<script>globalThis.harmed=1</script><b>bold</b>';
  const resourceId = 'operation-report:op-31:course';
  const guest = async (user, more = '') => {
    const { json } = await h.httpGet(`${d.page}dev/token?user=${user}&name=${encodeURIComponent(NAME)}${more}`);
    return d.client({ token: json.token });
  };
  const eve = await guest('eve');
  await h.view(eve, resourceId);
  await bruno.says(NAME);
  await anna.press('Edit');
  await anna.edits();
  await anna.text.fill(TEXT);
  await eve.request('lock:request', { resourceId, message: TEXT });
  await anna.told(NAME);
  await anna.told(TEXT);
  await h.eventually(async () => (await page.title()).includes(NAME), 'the title is text as well');
  const mallory = await guest('mallory', '&admin=1');
  await h.view(mallory, resourceId);
  await mallory.request('lock:takeover', { resourceId, reason: TEXT });
  await anna.told('(administrator) takes over.');
  await mallory.request('lock:takeover', { resourceId, reason: TEXT, urgent: true });
  await anna.told('has taken the lock.');
  await bruno.stands(`${NAME} is editing.`);
  await page.locator('#records').getByText(NAME).first().waitFor();
  await bruno.number('Lock');
  await bruno.box.locator('.frames li').filter({ hasText: 'onerror' }).first().waitFor();
  assert.deepStrictEqual(await page.evaluate(() => [globalThis.harmed, document.querySelectorAll('img, main script, .message b').length]), [undefined, 0]);
  assert.deepStrictEqual(problems, []);
  await context.close();
}
