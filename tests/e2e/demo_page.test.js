'use strict';
/* The demo page in a real browser: two people, and what one of them typed. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

/* No lock runs out while a browser stands still for a moment. */
const POLICY = { lockTtl: '5m', heartbeatInterval: h.ms(800), maxConcurrentTabLocksPerUser: 3 };
const KEPT = 'What you typed and did not save is kept.';

test('the demo page', { timeout: 300_000 * h.SLOW, concurrency: 2 }, async (top) => {
  const launched = await h.browser(top);
  await h.together(top, {
    'two people and a third': (t) => people(t, launched),
    'what was typed and not saved': (t) => drafts(t, launched),
  });
});

async function people(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, lockTtl: h.ms(6000), gracePeriod: h.ms(5000) } } });
  const { page, context, problems, anna, bruno } = await h.openDemo(launched, d);
  const steps = page.locator('#steps li.done');

  await t.test('it says what it is about; two people are there', async () => {
    await page.getByRole('heading', { level: 1, name: 'Only one person edits. Everyone sees who.' }).waitFor();
    assert.strictEqual(await page.locator('#steps li').count(), 3);
    assert.strictEqual(await steps.count(), 0);
    for (const pane of [anna, bruno]) {
      await pane.connected();
      await pane.free();
      await pane.offers('Edit');
      await pane.says(/Here: .*(Dr\. Anna Rossi.*Nurse Bruno Weiss|Nurse Bruno Weiss.*Dr\. Anna Rossi)/);
      assert.strictEqual(await pane.text.isEditable(), false);
      assert.strictEqual(await pane.box.getByRole('group', { name: 'Simulate a fault' }).count(), 1);
      assert.strictEqual(await pane.box.locator('details').evaluate((element) => element.open), false, 'folded away');
    }
  });

  await t.test('one edits, the other reads along and is offered nothing that would be refused', async () => {
    await anna.press('Edit');
    await anna.edits();
    await anna.offers('Save', 'Stop editing');
    assert.deepStrictEqual(await anna.box.locator('.main .primary:visible').allTextContents(), ['Save']);
    assert.ok((await anna.token()) > 0);
    await bruno.stands('Dr. Anna Rossi is editing.');
    await bruno.offers();
    for (const pane of [anna, bruno]) assert.match(await pane.number('Time left'), /^\d:\d\d$/);
    assert.strictEqual(await bruno.text.isEditable(), false);
    await anna.text.fill('Heart sounds normal.');
    await anna.says('Not saved yet');
    await bruno.stands('Dr. Anna Rossi is editing (unsaved changes).');
    await anna.press('Save');
    await anna.says('All saved');
    await bruno.stands('Dr. Anna Rossi is editing.');
    await bruno.holds('Heart sounds normal.');
    assert.strictEqual(await steps.count(), 2);
    await anna.press('Stop editing');
    await bruno.free();
    await bruno.press('Edit');
    await bruno.edits();
    await anna.stands('Nurse Bruno Weiss is editing.');
    assert.strictEqual(await bruno.text.inputValue(), 'Heart sounds normal.');
    await bruno.press('Stop editing');
    await anna.free();
  });

  await t.test('the lock is kept while its user is there', async () => {
    await anna.press('Edit');
    const token = await anna.token();
    const renewed = () => anna.box.getByRole('listitem', { includeHidden: true }).filter({ hasText: 'lock:renewed' }).count();
    const before = await renewed();
    await h.eventually(async () => (await renewed()) > before + 7, 'it is renewed beyond its first end');
    assert.strictEqual(await anna.token(), token);
  });

  await t.test('the network is cut and mended: the same lock under the same token', async () => {
    const token = await anna.token();
    await anna.text.fill('Typed before the cut.');
    await anna.press('Cut the network');
    await anna.told('Connection lost: go on, for now.', 'warning');
    const [, left] = /^0:(\d\d) left$/.exec(await anna.message('Connection lost').locator('.left').textContent());
    assert.ok(Number(left) <= Math.ceil(5 * h.SLOW), `no longer than the grace period: ${left} s`);
    await anna.offers('Save'); // to stop would need the server
    await bruno.stands('Dr. Anna Rossi was cut off. The lock is kept.');
    await bruno.says(/\d:\d\d left/);
    await bruno.offers();
    await anna.press('Mend the network');
    await anna.edits();
    await anna.gone('Connection lost');
    assert.strictEqual(await anna.token(), token);
    await anna.holds('Typed before the cut.');
    await anna.press('Save');
    await bruno.stands('Dr. Anna Rossi is editing.');
    assert.strictEqual(await steps.count(), 3);
  });

  await t.test('reload: the text that was not saved is back, under the same lock', async () => {
    const token = await anna.token();
    await anna.text.fill('Typed before the reload.');
    await bruno.stands('Dr. Anna Rossi is editing (unsaved changes).');
    await anna.press('Reload the tab');
    await anna.edits();
    await anna.told('Your unsaved text is back.', 'info');
    await anna.holds('Typed before the reload.');
    const second = await anna.token();
    assert.ok(second > token, 'another page');
    await page.reload(); // all of it
    await anna.edits();
    await anna.told('Your unsaved text is back.');
    await anna.holds('Typed before the reload.');
    assert.ok((await anna.token()) > second);
    await bruno.stands('Dr. Anna Rossi is editing (unsaved changes).');
    await anna.press('Save');
    await anna.gone('Your unsaved text is back.');
    await bruno.holds('Typed before the reload.');
    assert.deepStrictEqual(await bruno.message(KEPT).count(), 0, "nobody is shown another's text");
  });

  await t.test('the same user in another tab: told, and moved when wanted', async () => {
    const token = await anna.token();
    await anna.press('Same user, second tab');
    const twin = new h.Pane(page, 'Dr. Anna Rossi', 2);
    await twin.stands('You are editing in another tab.');
    await bruno.says(/Dr\. Anna Rossi ×2/);
    await twin.offers('Edit here instead');
    await twin.press('Edit here instead');
    await twin.edits();
    assert.ok((await twin.token()) > token);
    await anna.told('You went on editing in another tab.', 'info');
    assert.strictEqual(await anna.text.isEditable(), false);
    await twin.press('Close the tab');
    await twin.stands('This tab is closed.');
    await bruno.free(); // on purpose: no grace
    await anna.press('Edit');
    await anna.edits();
    await anna.gone('You went on editing in another tab.');
  });

  await t.test('away for too long: the lock is gone, the unsaved text is not', async () => {
    await anna.text.fill('Not saved in time.');
    await bruno.stands('Dr. Anna Rossi is editing (unsaved changes).');
    await anna.press('Cut the network');
    await bruno.free();
    await anna.told('Connection lost: editing has stopped.', 'problem');
    assert.strictEqual(await anna.text.isEditable(), false);
    await bruno.press('Edit');
    await bruno.edits();
    await anna.press('Mend the network');
    await anna.told('You were away for too long: your lock has ended.', 'warning');
    await anna.gone('Connection lost');
    await anna.stands('Nurse Bruno Weiss is editing.');
    await anna.holds('Typed before the reload.'); // what the others see
    await anna.told('Not saved in time.');
    assert.strictEqual(await anna.message(KEPT).getByRole('button', { name: 'Put it back' }).count(), 0);
    await page.reload();
    await anna.told('Not saved in time.');
    await bruno.edits();
  });

  await t.test('whoever steps away loses the lock', async () => {
    await bruno.press('Step away');
    await bruno.told('Your lock has run out, because nothing was heard from you.', 'warning');
    await anna.free();
    await bruno.press('Come back');
    await bruno.answer('Your lock has run out', 'Dismiss');
    await bruno.gone('Your lock has run out');
  });

  await t.test('the unsaved text is put back by who edits again', async () => {
    await anna.press('Edit');
    await anna.edits();
    await anna.answer(KEPT, 'Put it back');
    await anna.holds('Not saved in time.');
    await anna.says('Not saved yet');
    await anna.press('Save');
    await bruno.holds('Not saved in time.');
    await anna.gone(KEPT);
    await anna.press('Stop editing');
    await bruno.free();
  });

  await t.test('frames are shown as they pass, without the token', async () => {
    const frames = () => anna.box.locator('.frames li').allTextContents();
    await anna.press('Reload the tab');
    await h.eventually(async () => (await frames()).some((text) => text.includes('"resource:joined"')), 'it has joined again');
    for (const event of ['auth', 'welcome', 'resource:join', 'lock:state']) {
      assert.ok((await frames()).some((text) => text.includes(`"${event}"`)), event);
    }
    assert.ok(!(await frames()).some((text) => text.includes('eyJ')));
  });

  await t.test('a third person in a second window', async () => {
    const [popup] = await Promise.all([context.waitForEvent('page'), page.getByRole('link', { name: /third person/ }).click()]);
    const carla = new h.Pane(popup, 'Dr. Carla Meier');
    await bruno.says(/Dr\. Carla Meier/);
    await carla.press('Edit');
    await carla.edits();
    await bruno.stands('Dr. Carla Meier is editing.');
    await carla.text.fill('Seen by Carla.');
    await carla.press('Save');
    await bruno.holds('Seen by Carla.');
    await carla.page.close(); // as people do
    await bruno.free();
  });

  await t.test('what is shown as recorded is in the audit log', async () => {
    assert.ok((await h.recorded(d, page)).includes('LOCK_ACQUIRED'));
  });

  assert.deepStrictEqual(problems, [], 'the console has nothing to complain of');
  await context.close();
}

async function drafts(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, gracePeriod: h.ms(3000) } } });
  const { page, context, problems, anna, bruno } = await h.openDemo(launched, d);
  const twin = new h.Pane(page, 'Dr. Anna Rossi', 2);
  const away = async () => {
    await anna.press('Cut the network');
    await bruno.free();
    await anna.press('Mend the network');
    await anna.free();
  };
  const again = async (text) => {
    await anna.press('Edit');
    await anna.edits();
    if (text) await anna.text.fill(text);
  };
  for (const pane of [anna, bruno]) await pane.connected();

  await t.test('is not overwritten by what is typed before it is put back', async () => {
    await again('First, unsaved.');
    await away();
    await again();
    await anna.told('First, unsaved.');
    await anna.text.fill('Second.');
    await anna.told('First, unsaved.');
    await anna.answer(KEPT, 'Put it back');
    await anna.told('You are writing something else now. Which text is right?', 'warning');
    await anna.holds('Second.');
    await anna.answer('Which text is right?', 'Add mine below');
    await anna.holds('Second.\nFirst, unsaved.');
    await anna.press('Save');
    await bruno.holds('Second.\nFirst, unsaved.');
    await anna.gone(KEPT);
  });

  await t.test('over a text that has changed since: both are shown, and the user decides', async () => {
    await anna.text.fill('Written on the old text.');
    await away();
    await bruno.press('Edit');
    await bruno.edits();
    await bruno.text.fill('Saved by Bruno meanwhile.');
    await bruno.press('Save');
    await bruno.press('Stop editing');
    await anna.free();
    await again();
    await anna.holds('Saved by Bruno meanwhile.');
    await anna.answer(KEPT, 'Put it back');
    await anna.told('The text has changed since. Which text is right?', 'warning');
    const both = await anna.message('Which text is right?').locator('figure').allTextContents();
    assert.match(both[0], /^Mine, not saved.*Written on the old text\.$/s);
    assert.match(both[1], /^Saved by Nurse Bruno Weiss.*Saved by Bruno meanwhile\.$/s);
    await anna.holds('Saved by Bruno meanwhile.'); // nothing was overwritten by the click
    await anna.answer('Which text is right?', 'Use mine');
    await anna.holds('Written on the old text.');
    await anna.press('Save');
    await bruno.holds('Written on the old text.');
    await anna.gone('Which text is right?');
  });

  await t.test('outlives what another tab saves', async () => {
    await anna.text.fill('Of tab one.');
    await anna.press('Same user, second tab');
    await twin.stands('You are editing in another tab.');
    assert.strictEqual(await twin.message(KEPT).count(), 0, 'what is being typed elsewhere is not offered');
    await twin.press('Edit here instead');
    await twin.edits();
    await anna.told('Of tab one.');
    await twin.text.fill('Of tab two.');
    await twin.press('Save');
    await bruno.holds('Of tab two.');
    await twin.answer(KEPT, 'Put it back');
    await twin.answer('The text has changed since.', 'Use mine');
    await twin.press('Save');
    await bruno.holds('Of tab one.');
    await anna.gone(KEPT);
    await twin.press('Close the tab');
    await bruno.free();
  });

  await t.test('is kept in the page where the browser has no room for it', async () => {
    /* Before anybody edits, for the page cannot send heartbeats meanwhile. */
    await page.evaluate(() => {
      for (let size = 1 << 22; size >= 1; size >>= 1) {
        try {
          for (let i = 0; ; i++) localStorage.setItem(`fill-${size}-${i}`, 'q'.repeat(size));
        } catch { /* no room for one of that size */ }
      }
    });
    await again('Typed while the storage is full.');
    await anna.told('This browser has no room left', 'warning');
    await bruno.stands('Dr. Anna Rossi is editing (unsaved changes).');
    await anna.press('Save');
    await anna.told('Not saved.', 'problem');
    await anna.told("This browser's storage is full. Your text is still here.");
    await away();
    await anna.gone('Not saved.');
    await again();
    await anna.told('Typed while the storage is full.');
    await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('fill-')).forEach((key) => localStorage.removeItem(key)));
    await anna.answer(KEPT, 'Put it back');
    await anna.press('Save');
    await bruno.holds('Typed while the storage is full.');
  });

  await t.test('reloading opens one connection', async () => {
    const opened = () => d.audit().filter((a) => a.action === 'SESSION_OPENED' && a.user.id === 'anna').length;
    const before = opened();
    await anna.press('Reload the tab');
    await anna.edits();
    await anna.press('Stop editing');
    await bruno.free();
    await new Promise((resolve) => setTimeout(resolve, 1000)); // a second one would come after 300 ms
    assert.strictEqual(opened(), before + 1);
  });

  assert.deepStrictEqual(problems, []);
  await context.close();
}
