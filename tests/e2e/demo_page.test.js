'use strict';
/* The demo page in a real browser. */
const assert = require('node:assert');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const POLICY = { lockTtl: h.ms(4000), heartbeatInterval: h.ms(900), gracePeriod: h.ms(4000), maxConcurrentTabLocksPerUser: 3 };

/* One box of the page, as a person sees it. */
class Pane {
  constructor(page, name, tab = 1) {
    this.page = page;
    this.box = page.getByRole('region', { name: `${name}, tab ${tab}` });
    this.text = this.box.getByRole('textbox', { name: 'Findings' });
  }
  button(name) {
    return this.box.getByRole('button', { name, exact: true });
  }
  press(name) {
    return this.button(name).click();
  }
  /* Waits until the box says so. */
  says(text) {
    return this.box.getByText(text).first().waitFor();
  }
  async silent(text) {
    await this.box.getByText(text).first().waitFor({ state: 'hidden' });
  }
  async token() {
    await this.says(/fencing token \d+/);
    return Number(/\d+/.exec(await this.box.getByText(/fencing token \d+/).textContent())[0]);
  }
  edits() {
    return this.says('You are editing.');
  }
  async holds(value) {
    await h.eventually(async () => (await this.text.inputValue()) === value, `the text is ${value}`);
  }
}

async function open(t, launched, d, options) {
  const window = await h.demoWindow(launched, d, options);
  return { ...window, anna: new Pane(window.page, 'Dr. Anna Rossi'), bruno: new Pane(window.page, 'Nurse Bruno Weiss') };
}

test('the demo page', { timeout: 180_000 * h.SLOW }, async (top) => {
  const launched = await h.browser(top);
  await top.test('two people and a third', (t) => people(t, launched));
  await top.test('by keyboard alone, on a narrow screen', (t) => keyboard(t, launched));
  await top.test('both colour schemes can be read', (t) => schemes(t, launched));
});

async function people(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: POLICY } });
  const { page, context, problems, anna, bruno } = await open(t, launched, d);

  await t.test('two people are there, signed in', async () => {
    for (const pane of [anna, bruno]) {
      await pane.says('connected');
      await pane.says('Free: nobody is editing.');
      await pane.says(/Dr\. Anna Rossi.*Nurse Bruno Weiss|Nurse Bruno Weiss.*Dr\. Anna Rossi/);
      assert.strictEqual(await pane.text.isEditable(), false);
    }
  });

  await t.test('one edits, the other reads along', async () => {
    await anna.press('Edit');
    await anna.edits();
    assert.ok((await anna.token()) > 0);
    await anna.says(/\d:\d\d left/);
    await bruno.says('Dr. Anna Rossi is editing.');
    await bruno.says(/\d:\d\d left/);
    assert.strictEqual(await bruno.text.isEditable(), false);
    await anna.text.fill('Heart sounds normal.');
    await anna.says('unsaved changes');
    await bruno.says('Dr. Anna Rossi is editing (unsaved changes).');
    await bruno.press('Edit');
    await bruno.says('Not now: Dr. Anna Rossi is editing.');
    await anna.press('Save');
    await bruno.says('Dr. Anna Rossi is editing.');
    await bruno.holds('Heart sounds normal.');
    await anna.press('Stop editing');
    await bruno.says('Free: nobody is editing.');
    await bruno.press('Edit');
    await bruno.edits();
    await anna.says('Nurse Bruno Weiss is editing.');
    assert.strictEqual(await bruno.text.inputValue(), 'Heart sounds normal.');
    await bruno.press('Stop editing');
    await anna.says('Free: nobody is editing.');
  });

  await t.test('the lock is kept while its user is there, the countdown goes on', async () => {
    await anna.press('Edit');
    const token = await anna.token();
    const renewed = () => anna.box.getByRole('listitem', { includeHidden: true }).filter({ hasText: 'lock:renewed' }).count();
    const before = await renewed();
    await h.eventually(async () => (await renewed()) > before + 5, 'it is renewed beyond its first end');
    assert.strictEqual(await anna.token(), token);
  });

  await t.test('offline and online again: the same lock under the same token', async () => {
    const token = await anna.token();
    await anna.text.fill('Typed before the cut.');
    await anna.press('Go offline');
    await anna.says('Cut off: the lock is unconfirmed.');
    await bruno.says('Dr. Anna Rossi was cut off; the lock is kept for a while.');
    await bruno.press('Edit');
    await bruno.says('Not now: Dr. Anna Rossi was cut off and may come back.');
    await anna.press('Go online');
    await anna.edits();
    assert.strictEqual(await anna.token(), token);
    await anna.holds('Typed before the cut.');
    await anna.press('Save');
    await bruno.says('Dr. Anna Rossi is editing.');
  });

  await t.test('reload: the same', async () => {
    const token = await anna.token();
    await anna.press('Reload');
    await anna.edits();
    assert.strictEqual(await anna.token(), token);
    await page.reload(); // and the whole page
    await anna.edits();
    assert.strictEqual(await anna.token(), token);
    await bruno.says('Dr. Anna Rossi is editing.');
  });

  await t.test('the same user in another tab: told, and moved when wanted', async () => {
    const token = await anna.token();
    await anna.press('Same user in another tab');
    const twin = new Pane(page, 'Dr. Anna Rossi', 2);
    await twin.says('connected');
    await bruno.says(/Dr\. Anna Rossi ×2/);
    await twin.press('Edit');
    await twin.says('You are editing this in another tab.');
    await twin.press('Edit here instead');
    await twin.edits();
    assert.ok((await twin.token()) > token);
    await anna.says('You went on editing in another tab.');
    await anna.silent('You are editing.');
    assert.strictEqual(await anna.text.isEditable(), false);
    await twin.press('Close');
    await twin.says('This tab is closed.');
    await bruno.says('Free: nobody is editing.'); // on purpose: no grace
    await anna.press('Edit');
    await anna.edits();
  });

  await t.test('offline for too long: the lock is gone, the unsaved text is not', async () => {
    await anna.text.fill('Not saved in time.');
    await bruno.says('Dr. Anna Rossi is editing (unsaved changes).');
    await anna.press('Go offline');
    await bruno.says('Free: nobody is editing.');
    await bruno.press('Edit');
    await bruno.edits();
    await anna.press('Go online');
    await anna.says('You were away longer than the grace period.');
    await anna.says('Nurse Bruno Weiss is editing.');
    assert.strictEqual(await anna.text.inputValue(), 'Not saved in time.');
  });

  await t.test('no heartbeats: the lock runs out', async () => {
    await bruno.box.getByRole('checkbox', { name: 'sends heartbeats' }).uncheck();
    await bruno.says('The lock ran out, because no heartbeat came in time.');
    await anna.says('Free: nobody is editing.');
    await bruno.box.getByRole('checkbox', { name: 'sends heartbeats' }).check();
  });

  await t.test('frames are shown as they pass, without the token', async () => {
    await anna.box.getByText(/^Frames/).click();
    const frames = await anna.box.getByRole('listitem').allTextContents();
    for (const event of ['auth', 'welcome', 'resource:join', 'resource:joined', 'lock:state']) {
      assert.ok(frames.some((text) => text.includes(`"${event}"`)), event);
    }
    assert.ok(!frames.some((text) => text.includes('eyJ')));
  });

  await t.test('a third person in a second window', async () => {
    const [popup] = await Promise.all([context.waitForEvent('page'), page.getByRole('link', { name: /third person/ }).click()]);
    const carla = new Pane(popup, 'Dr. Carla Meier');
    await carla.says('connected');
    await bruno.says(/Dr\. Carla Meier/);
    await carla.press('Edit');
    await carla.edits();
    await bruno.says('Dr. Carla Meier is editing.');
    await carla.text.fill('Seen by Carla.');
    await carla.press('Save');
    await bruno.holds('Seen by Carla.');
    await popup.close(); // as people do
    await bruno.says(/Free: nobody is editing\.|Dr\. Carla Meier was cut off; the lock is kept for a while\./);
    await bruno.says('Free: nobody is editing.');
  });

  assert.deepStrictEqual(problems, [], 'the console has nothing to complain of');
  await context.close();
}

async function keyboard(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, gracePeriod: h.ms(1000) } } });
  const { page, problems, anna, bruno, context } = await open(t, launched, d, { viewport: { width: 390, height: 844 }, hasTouch: true });
  const tabTo = async (locator) => {
    for (let i = 0; i < 60; i++) {
      if (await locator.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`no way to ${locator}`);
  };
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

  await anna.says('connected');
  await bruno.says('connected');
  assert.strictEqual(await wide(), 0, 'no scrolling sideways');
  await page.evaluate(() => document.activeElement.blur());
  await tabTo(anna.button('Edit'));
  const outline = await anna.button('Edit').evaluate((element) => getComputedStyle(element).outlineStyle);
  assert.notStrictEqual(outline, 'none', 'the focus is seen');
  await page.keyboard.press('Enter');
  await anna.edits();
  await tabTo(anna.text);
  await page.keyboard.press('End');
  await page.keyboard.type(' Typed without a mouse.');
  await anna.says('unsaved changes');
  await tabTo(anna.button('Save'));
  await page.keyboard.press('Space');
  await anna.silent('unsaved changes');
  await h.eventually(async () => /Typed without a mouse/.test(await bruno.text.inputValue()));
  await tabTo(anna.button('Same user in another tab'));
  await page.keyboard.press('Enter');
  const twin = new Pane(page, 'Dr. Anna Rossi', 2);
  await twin.says('connected');
  await tabTo(twin.button('Edit'));
  await page.keyboard.press('Enter');
  await tabTo(twin.button('Edit here instead'));
  await page.keyboard.press('Enter');
  await twin.edits();
  await tabTo(twin.button('Stop editing'));
  await page.keyboard.press('Enter');
  await bruno.says('Free: nobody is editing.');
  await twin.box.getByText(/^Frames/).focus();
  await page.keyboard.press('Enter');
  await twin.box.getByRole('listitem').first().waitFor();
  assert.strictEqual(await wide(), 0, 'nor with everything open');
  const small = await page.evaluate(() => [...document.querySelectorAll('button, a.button')]
    .filter((b) => b.offsetParent && b.getBoundingClientRect().height < 24).map((b) => b.textContent));
  assert.deepStrictEqual(small, [], 'buttons that a finger finds');
  const file = path.join(h.tempDir(t), 'narrow.png');
  await page.screenshot({ path: file, fullPage: true });
  assert.deepStrictEqual(problems, []);
  await context.close();
}

async function schemes(t, launched) {
  const d = await h.devDaemon(t);
  for (const colorScheme of ['light', 'dark']) {
    const { page, context, anna } = await open(t, launched, d, { colorScheme });
    await anna.says('connected');
    const ratios = await page.evaluate(() => {
      const parse = (text) => text.match(/[\d.]+/g).map(Number);
      const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
      };
      const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
          const colour = parse(getComputedStyle(e).backgroundColor);
          if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
      };
      return [...document.querySelectorAll('h1, h2, p, span, button, a, textarea, summary')]
        .filter((e) => e.offsetParent && !e.disabled && (e.textContent.trim() || e.value))
        .map((e) => {
          const [a, b] = [luminance(parse(getComputedStyle(e).color)), luminance(behind(e))];
          return { what: `${e.tagName} ${e.className} ${e.textContent.slice(0, 20)}`, ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
        });
    });
    const poor = ratios.filter((x) => x.ratio < 4.5);
    assert.deepStrictEqual(poor, [], colorScheme);
    await context.close();
  }
}
