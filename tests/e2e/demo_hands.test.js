'use strict';
/* The demo page in a real browser: every way a lock changes hands, between four people in three windows. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const KEPT = 'What you typed and did not save is kept.';

test('how a lock changes hands on the demo page', { timeout: 300_000 * h.SLOW }, async (t) => {
  await hands(t, await h.browser(t));
});

/* The main window has Anna and Bruno, the second Carla, the third an administrator. */
async function hands(t, launched) {
  const d = await h.devDaemon(t, { default: { takeoverTimeout: h.ms(15_000), claimWindow: h.ms(30_000) } });
  const main = await h.openDemo(launched, d);
  const { page, context, problems, anna, bruno } = main;
  const choose = (window, label) => window.getByRole('combobox', { name: 'What is edited' }).selectOption({ label });
  await choose(page, 'Patient chart: people queue');
  await page.getByText(/While somebody edits, people queue/).waitFor();
  const carla = await h.openPerson(main, /third person/, 'Dr. Carla Meier');
  const dora = await h.openPerson(main, /administrator/, 'Dora Keller');
  const type = async (label) => {
    for (const window of [page, carla.page, dora.page]) await choose(window, label);
    for (const pane of [anna, bruno, carla, dora]) await pane.free();
  };
  const titled = (window, text) => h.eventually(async () => (await window.title()).includes(text), `the title says ${text}`);
  const untitled = (window) => h.eventually(async () => !(await window.title()).startsWith('(!)'), 'the title says nothing more');
  assert.ok((await carla.page.evaluate('location.search')).includes('type=patient-chart'), 'the same document in each window');

  await t.test('queue: a place, a turn, a turn passed on', async () => {
    await anna.press('Edit');
    await anna.edits();
    await bruno.offers('Join the queue');
    await bruno.press('Join the queue');
    await bruno.told(/You are number 1 in the queue/, 'info');
    await bruno.offers();
    await carla.press('Join the queue');
    await carla.told(/You are number 2 in the queue/);
    await anna.text.fill('Allergic to penicillin and latex.');
    await dora.stands('Dr. Anna Rossi is editing (unsaved changes). 2 waiting.');
    await anna.press('Stop editing'); // saves
    await bruno.told(/It is your turn\.\s*\d:\d\d left/, 'info');
    await titled(page, 'Your turn, Nurse Bruno Weiss');
    await carla.told(/You are number 1 in the queue/);
    await anna.stands('It is the turn of Nurse Bruno Weiss.');
    await bruno.stands('The lock is kept for you.');
    await bruno.answer('It is your turn.', 'Start editing');
    await bruno.edits();
    await bruno.holds('Allergic to penicillin and latex.');
    await bruno.gone('It is your turn.');
    await untitled(page);
    await anna.press('Join the queue');
    await anna.told(/You are number 2 in the queue/);
    await carla.answer('in the queue', 'Leave the queue');
    await carla.gone('in the queue');
    await anna.told(/You are number 1 in the queue/);
    await anna.press('Reload the tab'); // the place is kept
    await anna.told(/You are number 1 in the queue/);
    await bruno.press('Stop editing');
    await anna.answer('It is your turn.', 'No, thanks');
    await carla.free();
    await anna.gone('It is your turn.');
  });

  await t.test('request: refused, withdrawn, granted with what was unsaved', async () => {
    const ask = async (pane, message) => {
      await pane.press('Ask for it…');
      if (message) await pane.box.getByRole('textbox', { name: 'Message' }).fill(message);
      await pane.press('Send');
    };
    await type('Operation report: ask whoever edits');
    await anna.press('Edit');
    await anna.edits();
    await ask(bruno, 'Need to add the count of swabs');
    await bruno.told(/You have asked Dr\. Anna Rossi for the lock\.\s*[12]:\d\d left/, 'info');
    await bruno.offers();
    await anna.told('Need to add the count of swabs', 'info');
    await titled(page, 'Nurse Bruno Weiss asks Dr. Anna Rossi');
    await anna.answer('Nurse Bruno Weiss asks you', 'Not now');
    await bruno.told('Your request was refused.', 'info');
    await bruno.told('Dr. Anna Rossi is still editing');
    await bruno.gone('You have asked');
    await anna.gone('asks you');
    await untitled(page);
    await ask(carla);
    await anna.told('Dr. Carla Meier asks you for the lock.');
    await carla.answer('You have asked', 'Withdraw');
    await anna.told('The request for the lock was withdrawn.');
    await anna.gone('asks you');
    await anna.text.fill('Incision 08:31.');
    await bruno.told('Your request was refused.'); // as long as nothing has changed
    await ask(bruno);
    await bruno.told('You have asked');
    await bruno.gone('Your request was refused.');
    await page.reload(); // a request is asked again of whoever comes back
    await anna.told('Nurse Bruno Weiss asks you for the lock.');
    await anna.told('Your unsaved text is back.');
    await bruno.told('You have asked');
    await anna.answer('asks you', 'Save and hand over');
    await anna.told('You have handed the lock over.', 'info');
    await bruno.told('It is your turn.');
    await bruno.gone('Your request was refused.');
    await bruno.answer('It is your turn.', 'Start editing');
    await bruno.edits();
    await bruno.holds('Incision 08:31.');
    await anna.gone('You have handed the lock over.');
    await bruno.press('Stop editing');
    await anna.free();
  });

  await t.test('prompt: who is cut off may be followed', async () => {
    await type('Care plan: anybody may step in when a connection breaks');
    await anna.press('Edit');
    await anna.edits();
    await anna.text.fill('Room 4: call the doctor.');
    await carla.stands('Dr. Anna Rossi is editing (unsaved changes).');
    await anna.press('Cut the network');
    await bruno.told('Dr. Anna Rossi was cut off. You may take the lock.', 'info');
    await carla.answer('You may take the lock', 'Wait');
    await carla.gone('You may take the lock');
    await bruno.answer('You may take the lock', 'Take the lock');
    await bruno.edits();
    await anna.press('Mend the network');
    await anna.told('You were cut off, and somebody else took the lock.', 'warning');
    await anna.told('Room 4: call the doctor.');
    await anna.answer(KEPT, 'Discard it');
    await anna.gone(KEPT);
    await bruno.press('Stop editing');
    await anna.free();
  });

  await t.test('takeover: asked, refused, cancelled, forced; urgent at once', async () => {
    await type('Document: whoever comes second is told');
    const take = async (reason, urgent) => {
      await dora.press('Take over…');
      await dora.box.getByRole('textbox', { name: 'Reason' }).fill(reason);
      if (urgent) await dora.box.getByRole('checkbox', { name: 'urgent' }).check();
      await dora.press('Take the lock');
    };
    await anna.press('Edit');
    await anna.edits();
    await carla.stands('Dr. Anna Rossi is editing.');
    await carla.offers();
    await dora.offers('Take over…');
    await take('Discharge at noon');
    await dora.told('Whoever edits is told to save.', 'info');
    await anna.told('Discharge at noon', 'warning');
    await titled(page, 'Dora Keller takes over');
    await anna.answer('takes over', 'Refuse');
    await dora.told('Dr. Anna Rossi refuses.', 'warning');
    await anna.told('You have refused.');
    await dora.answer('refuses', 'Cancel the takeover');
    await anna.told('The takeover was cancelled.');
    await anna.gone('You have refused.');
    await anna.text.fill('Saved at the last moment.');
    await take('Discharge at one');
    await anna.answer('takes over', 'Save and hand over');
    await dora.edits();
    await dora.holds('Saved at the last moment.');
    await anna.told('You have handed the lock over.');
    await dora.press('Stop editing');
    await anna.press('Edit');
    await anna.edits();
    await anna.text.fill('Never saved.');
    await take('Nobody answers'); // and so it is forced
    await dora.edits();
    await anna.told('Dora Keller (administrator) has taken the lock.', 'warning');
    await anna.told('Nobody answers');
    await anna.told('Never saved.');
    await anna.answer(KEPT, 'Discard it');
    await dora.press('Stop editing');
    await bruno.press('Edit');
    await bruno.edits();
    await take('Resuscitation', true);
    await dora.edits();
    await bruno.told('Resuscitation');
    await d.waitForAudit((a) => a.action === 'LOCK_TAKEOVER' && a.user.id === 'dora' && JSON.stringify(a).includes('Resuscitation'));
    await dora.press('Stop editing');
  });

  await t.test("the administrator's view: every document, and taking one over from there", async () => {
    await choose(page, 'Prescription: an administrator takes over at once');
    await anna.free();
    const row = dora.page.getByRole('row', { name: /^Prescription/ });
    await row.getByText('nobody').waitFor();
    assert.strictEqual(await row.getByRole('button').count(), 0);
    await anna.press('Edit');
    await anna.edits();
    await row.getByText('Dr. Anna Rossi').waitFor();
    await row.getByRole('button', { name: 'Take over: Prescription' }).click();
    await dora.stands('Dr. Anna Rossi is editing.');
    await dora.box.getByRole('textbox', { name: 'Reason' }).fill('Wrong dose');
    assert.strictEqual(await dora.box.getByRole('checkbox', { name: 'urgent' }).count(), 0, 'a takeover does not wait here');
    await dora.press('Take the lock');
    await dora.edits();
    await row.getByText('Dora Keller').waitFor();
    await anna.told('Wrong dose');
    assert.strictEqual(await page.locator('#admin').isVisible(), false, 'nobody else has this view');
  });

  await t.test('what is shown as recorded is in the audit log', async () => {
    for (const window of [page, carla.page, dora.page]) await h.recorded(d, window);
  });

  assert.deepStrictEqual(problems, [], 'the console has nothing to complain of');
  await context.close();
}
