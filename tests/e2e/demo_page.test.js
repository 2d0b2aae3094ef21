'use strict';
/* The demo page in a real browser. */
const assert = require('node:assert');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

/* No lock runs out while a browser stands still for a moment. */
const POLICY = { lockTtl: '5m', heartbeatInterval: h.ms(800), maxConcurrentTabLocksPerUser: 3 };

/* One box of the page, as a person sees it. */
class Pane {
  constructor(page, name, tab = 1) {
    this.page = page;
    this.box = page.getByRole('region', { name: `${name}, tab ${tab}` });
    this.text = this.box.locator('textarea');
  }
  button(name) {
    return this.box.getByRole('button', { name, exact: true });
  }
  press(name) {
    return this.button(name).click();
  }
  /* A question that the box asks, and its answer. */
  prompt(name) {
    return this.box.getByRole('group', { name, exact: true });
  }
  async asks(name, text) {
    await this.prompt(name).getByText(text).waitFor();
  }
  async answers(name, label) {
    await this.prompt(name).getByRole('button', { name: label, exact: true }).click();
  }
  gone(name) {
    return this.prompt(name).waitFor({ state: 'hidden' });
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

test('the demo page', { timeout: 300_000 * h.SLOW, concurrency: 4 }, async (top) => {
  const launched = await h.browser(top);
  await h.together(top, {
    'two people and a third': (t) => people(t, launched),
    'every way a lock changes hands, in three windows': (t) => hands(t, launched),
    'what was typed and not saved': (t) => drafts(t, launched),
    'a server that does not answer': (t) => silence(t, launched),
    'a link that swallows everything, and somebody else who edits': (t) => swallowed(t, launched),
    'a duplicated tab': (t) => duplicated(t, launched),
    'by keyboard alone, on a narrow screen': (t) => keyboard(t, launched),
    'both colour schemes can be read': (t) => schemes(t, launched),
  });
});

async function silence(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, gracePeriod: '1m' } } });
  const { page, context, problems, anna, bruno } = await open(t, launched, d);
  const edited = async (text) => {
    await anna.says('Free: nobody is editing.');
    await anna.press('Edit');
    await anna.edits();
    await anna.text.fill(text);
    await anna.says('unsaved changes');
    return anna.token();
  };
  const keptThrough = async (token, text) => {
    await anna.edits();
    await anna.holds(text);
    assert.strictEqual(await anna.token(), token);
    await anna.press('Save');
    await anna.press('Stop editing');
  };

  await t.test('the server stands still', async () => {
    const token = await edited('Written before the silence.');
    d.signal('SIGSTOP');
    t.after(() => d.signal('SIGCONT'));
    await anna.says('Cut off: the lock is unconfirmed. You may go on for a while.');
    await anna.text.fill('Written before the silence, and in it.');
    d.signal('SIGCONT');
    await keptThrough(token, 'Written before the silence, and in it.');
  });

  await t.test('nor does its store', async () => {
    const token = await edited('Written before the store stood still.');
    const line = d.log.find((l) => l.startsWith('embedded_redis_started'));
    const store = Number(/pid=(\d+)/.exec(line)[1]);
    await anna.press('Go offline');
    await bruno.says('Dr. Anna Rossi was cut off; the lock is kept for a while.');
    process.kill(store, 'SIGSTOP');
    try {
      await anna.press('Go online');
      await anna.says(/^BACKEND_UNAVAILABLE: /);
    } finally {
      process.kill(store, 'SIGCONT');
    }
    await keptThrough(token, 'Written before the store stood still.');
  });

  await t.test('the network swallows what is sent, and a new connection works', async () => {
    let swallows = false;
    await page.routeWebSocket(/\/ws/, (ws) => {
      const server = ws.connectToServer();
      let dead = false;
      const pass = (to) => (message) => {
        dead ||= swallows;
        if (!dead) to.send(message);
      };
      ws.onMessage(pass(server));
      server.onMessage(pass(ws));
      ws.onClose(() => {}); // nor does the server hear that the page has given it up
    });
    await page.reload();
    const token = await edited('Written before the network went.');
    await bruno.says('Dr. Anna Rossi is editing (unsaved changes).');
    swallows = true;
    await anna.says('Cut off: the lock is unconfirmed. You may go on for a while.');
    assert.ok(await anna.text.isEditable());
    assert.ok(await bruno.box.getByText('Dr. Anna Rossi is editing (unsaved changes).').isVisible(), 'the server has noticed nothing');
    swallows = false;
    await keptThrough(token, 'Written before the network went.');
  });

  assert.deepStrictEqual(problems, []);
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
  const ann = await h.demoWindow(launched, { page: `${far}/` }, { query: '?as=anna' });
  const bob = await h.demoWindow(launched, d, { query: '?as=bruno' });
  const [anna, bruno] = [new Pane(ann.page, 'Dr. Anna Rossi'), new Pane(bob.page, 'Nurse Bruno Weiss')];
  await anna.says('Free: nobody is editing.');
  await bruno.says('Free: nobody is editing.');
  for (const window of [ann, bob]) await recordEditable(window);
  await anna.press('Edit');
  await anna.edits();
  await anna.text.fill('Typed while nothing went through.');
  await bruno.says('Dr. Anna Rossi is editing (unsaved changes).');
  wire.swallow();
  await bruno.says('Free: nobody is editing.');
  await bruno.press('Edit');
  await bruno.edits();
  assert.ok(!(await anna.text.isEditable()));
  await anna.silent('You may go on for a while.');
  await anna.says('Cut off: the lock is unconfirmed.');
  assert.strictEqual(await anna.text.inputValue(), 'Typed while nothing went through.');
  const spans = (window) => window.page.evaluate(() => globalThis.editableSpans);
  const [hers, his] = [await spans(ann), await spans(bob)];
  assert.ok(hers.at(-1).to !== null && his.length > 0);
  for (const x of hers) for (const y of his) assert.ok(x.to <= y.from, JSON.stringify({ hers, his }));
  wire.swallow('none');
  await anna.asks('Unsaved text', 'Typed while nothing went through.');
  await anna.says('Nurse Bruno Weiss is editing.');
  assert.deepStrictEqual(bob.problems, []);
  await ann.context.close();
  await bob.context.close();
}

/* A window that the page opens begins with a copy of its sessionStorage, as a duplicated tab does. */
async function duplicate(context, page) {
  const [copy] = await Promise.all([context.waitForEvent('page'), page.evaluate(() => { window.open(location.href); })]);
  await copy.waitForLoadState();
  return copy;
}

async function duplicated(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: POLICY } });
  const { page, context, problems, anna } = await open(t, launched, d, { query: '?as=anna' });
  const TAKEN = 'This tab was opened a second time, and its copy goes on. Reload to take it back.';
  /* One edits, the other is told and cannot. */
  const onlyOne = async (editor, other) => {
    await editor.edits();
    await other.says(TAKEN);
    await other.says('Not connected.');
    assert.deepStrictEqual([await editor.text.isEditable(), await other.text.isEditable()], [true, false]);
    assert.ok(!(await other.button('Save').isVisible()));
  };
  const late = (window, token) => window.evaluate(async (fence) => {
    const { SharedDocument } = await import('./document.js');
    const { KINDS } = await import('./kinds.js');
    return new SharedDocument(KINDS[0].resourceId, '').save('Late, by the first.', fence);
  }, token);

  await anna.says('connected');
  await anna.press('Edit');
  const token = await anna.token();
  await anna.text.fill('Saved by the first.');
  await anna.press('Save');
  await anna.text.fill('Typed in the first, and not saved.');
  const stored = () => page.evaluate(() => JSON.stringify(Object.entries(sessionStorage).sort()));
  const before = await stored();
  const copy = await duplicate(context, page);
  const twin = new Pane(copy, 'Dr. Anna Rossi');

  await t.test('the copy goes on under a new token, the first is told', async () => {
    await onlyOne(twin, anna);
    assert.strictEqual(await stored(), before, 'the first one still has what was copied');
    assert.ok((await twin.token()) > token);
    await twin.holds('Saved by the first.');
  });

  await t.test('what the first saves late is refused, what it had typed is kept', async () => {
    assert.match(await late(page, token), /a newer lock/);
    await twin.holds('Saved by the first.');
    await twin.asks('Unsaved text', 'Typed in the first, and not saved.');
    await twin.answers('Unsaved text', 'Put it back');
    await twin.press('Save');
    assert.match(await late(page, token), /a newer lock/);
    await twin.holds('Typed in the first, and not saved.');
  });

  await t.test('the first takes it back when its user wants so: then the copy is told', async () => {
    const second = await twin.token();
    await anna.press('Reload');
    await onlyOne(anna, twin);
    assert.ok((await anna.token()) > second);
    await anna.holds('Typed in the first, and not saved.');
  });

  await t.test('a copy of the copy that is out has the lock in its turn', async () => {
    const third = await anna.token();
    const last = new Pane(await duplicate(context, copy), 'Dr. Anna Rossi');
    await onlyOne(last, anna);
    assert.ok((await last.token()) > third);
    await last.press('Stop editing');
    await last.says('Free: nobody is editing.');
  });

  assert.deepStrictEqual(problems, []);
  await context.close();
}

async function people(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, lockTtl: h.ms(6000), gracePeriod: h.ms(5000) } } });
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
    await h.eventually(async () => (await renewed()) > before + 7, 'it is renewed beyond its first end');
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

  await t.test('reload: the same, but a page that is loaded again has a new token', async () => {
    const token = await anna.token();
    await anna.press('Reload');
    await anna.edits();
    assert.strictEqual(await anna.token(), token);
    await page.reload(); // the whole page: another one from now on, with the same lock
    await anna.edits();
    assert.ok((await anna.token()) > token);
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
    // A heartbeat under way would be answered with STALE_TOKEN, perhaps before the reason comes.
    const beats = anna.box.getByRole('checkbox', { name: 'sends heartbeats' });
    await beats.uncheck();
    await twin.press('Edit here instead');
    await twin.edits();
    assert.ok((await twin.token()) > token);
    await anna.says('You went on editing in another tab.');
    await beats.check();
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
    await anna.holds('Typed before the cut.'); // what the others see
    await anna.asks('Unsaved text', 'Not saved in time.');
    assert.strictEqual(await anna.prompt('Unsaved text').getByRole('button', { name: 'Put it back' }).count(), 0);
    await page.reload();
    await anna.asks('Unsaved text', 'Not saved in time.');
    await bruno.edits();
  });

  await t.test('no heartbeats: the lock runs out', async () => {
    await bruno.box.getByRole('checkbox', { name: 'sends heartbeats' }).uncheck();
    await bruno.says('The lock ran out, because no heartbeat came in time.');
    await anna.says('Free: nobody is editing.');
    await bruno.box.getByRole('checkbox', { name: 'sends heartbeats' }).check();
  });

  await t.test('the unsaved text is put back by who edits again', async () => {
    await anna.press('Edit');
    await anna.edits();
    await anna.answers('Unsaved text', 'Put it back');
    await anna.holds('Not saved in time.');
    await anna.says('unsaved changes');
    await anna.press('Save');
    await bruno.holds('Not saved in time.');
    await anna.gone('Unsaved text');
    await anna.press('Stop editing');
    await bruno.says('Free: nobody is editing.');
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

/* The main window has Anna and Bruno, the second Carla, the third an administrator. */
async function hands(t, launched) {
  const d = await h.devDaemon(t, { default: { takeoverTimeout: h.ms(6000), claimWindow: h.ms(30_000) } });
  const { page, context, problems, anna, bruno } = await open(t, launched, d);
  const more = async (link, name) => {
    const [popup] = await Promise.all([context.waitForEvent('page'), page.getByRole('link', { name: link }).click()]);
    const pane = new Pane(popup, name);
    await pane.says('connected');
    return pane;
  };
  const choose = (window, label) => window.getByRole('combobox', { name: 'What is edited' }).selectOption({ label });
  const queue = 'Patient chart: people queue';
  await choose(page, queue);
  await page.getByText(/While somebody edits, people queue/).waitFor();
  const carla = await more(/third person/, 'Dr. Carla Meier');
  const dora = await more(/administrator/, 'Dora Keller');
  const all = [anna, bruno, carla, dora];
  const type = async (label) => {
    for (const window of [page, carla.page, dora.page]) await choose(window, label);
    for (const pane of all) await pane.says('Free: nobody is editing.');
  };
  assert.ok((await carla.page.evaluate('location.search')).includes('type=patient-chart'), 'the same document in each window');

  await t.test('queue: a place, a turn, a turn passed on', async () => {
    await anna.press('Edit');
    await anna.edits();
    await bruno.press('Edit');
    await bruno.asks('Queue', /You are number 1 in the queue/);
    await carla.press('Edit');
    await carla.asks('Queue', /You are number 2 in the queue/);
    assert.ok(await bruno.button('Edit').isDisabled());
    await anna.text.fill('Allergic to penicillin and latex.');
    await dora.says('Dr. Anna Rossi is editing (unsaved changes). 2 waiting.');
    await anna.press('Stop editing'); // saves
    await bruno.asks('Your turn', /\d:\d\d left/);
    await carla.asks('Queue', /You are number 1 in the queue/);
    await anna.says('Kept for Nurse Bruno Weiss, whose turn it is.');
    await bruno.says('Kept for you: it is your turn.');
    await bruno.answers('Your turn', 'Take the lock');
    await bruno.edits();
    await bruno.holds('Allergic to penicillin and latex.');
    await bruno.gone('Your turn');
    await anna.press('Edit');
    await anna.asks('Queue', /You are number 2 in the queue/);
    await carla.answers('Queue', 'Leave the queue');
    await carla.gone('Queue');
    await anna.asks('Queue', /You are number 1 in the queue/);
    await anna.press('Reload'); // the place is kept
    await anna.asks('Queue', /You are number 1 in the queue/);
    await bruno.press('Stop editing');
    await anna.answers('Your turn', 'No, thanks');
    await carla.says('Free: nobody is editing.');
    await anna.gone('Your turn');
  });

  await t.test('request: refused, withdrawn, granted with what was unsaved', async () => {
    await type('Operation report: ask whoever edits');
    await anna.press('Edit');
    await anna.edits();
    await bruno.press('Ask for it…');
    await bruno.box.getByRole('textbox', { name: 'Message' }).fill('Need to add the count of swabs');
    await bruno.press('Send');
    await bruno.asks('Your request', /You have asked for the lock/);
    await bruno.asks('Your request', /[12]:\d\d left/);
    await anna.asks('Request from Nurse Bruno Weiss', 'Need to add the count of swabs');
    await anna.answers('Request from Nurse Bruno Weiss', 'Not now');
    await bruno.says('Your request was refused: Dr. Anna Rossi is still editing.');
    await bruno.gone('Your request');
    await anna.gone('Request from Nurse Bruno Weiss');
    await carla.press('Ask for it…');
    await carla.press('Send');
    await anna.asks('Request from Dr. Carla Meier', /asks you for the lock/);
    await carla.answers('Your request', 'Withdraw');
    await anna.says('The request was withdrawn.');
    await anna.gone('Request from Dr. Carla Meier');
    await anna.text.fill('Incision 08:31.');
    await bruno.press('Ask for it…');
    await bruno.press('Send');
    await page.reload(); // a request is asked again of whoever comes back
    await anna.asks('Request from Nurse Bruno Weiss', /asks you for the lock/);
    await bruno.asks('Your request', /You have asked for the lock/);
    await anna.answers('Unsaved text', 'Put it back');
    await anna.answers('Request from Nurse Bruno Weiss', 'Save and hand over');
    await anna.says('You have handed the lock over.');
    await bruno.answers('Your turn', 'Take the lock');
    await bruno.edits();
    await bruno.holds('Incision 08:31.');
    await bruno.press('Stop editing');
    await anna.says('Free: nobody is editing.');
  });

  await t.test('prompt: who is cut off may be followed', async () => {
    await type('Care plan: anybody may step in when a connection breaks');
    await anna.press('Edit');
    await anna.edits();
    await anna.text.fill('Room 4: call the doctor.');
    await carla.says('Dr. Anna Rossi is editing (unsaved changes).');
    await anna.press('Go offline');
    await bruno.asks('Connection lost', 'Dr. Anna Rossi was cut off.');
    await carla.answers('Connection lost', 'Wait');
    await carla.gone('Connection lost');
    await bruno.answers('Connection lost', 'Claim now');
    await bruno.edits();
    await anna.press('Go online');
    await anna.says('You were cut off, and somebody else claimed the lock. What you had not saved is kept below.');
    await anna.asks('Unsaved text', 'Room 4: call the doctor.');
    await anna.answers('Unsaved text', 'Discard it');
    await anna.gone('Unsaved text');
    await bruno.press('Stop editing');
    await anna.says('Free: nobody is editing.');
  });

  await t.test('takeover: asked, refused, cancelled, forced; urgent at once', async () => {
    await type('Document: whoever comes second is told');
    const take = async (reason, urgent) => {
      await dora.press('Take over…');
      await dora.box.getByRole('textbox', { name: 'Reason' }).fill(reason);
      if (urgent) await dora.box.getByRole('checkbox', { name: 'urgent' }).check();
      await dora.press('Take the lock');
    };
    assert.strictEqual(await carla.button('Take over…').isVisible(), false);
    await anna.press('Edit');
    await anna.edits();
    await take('Discharge at noon');
    await dora.asks('Takeover', 'Whoever edits has been told to save.');
    await anna.asks('Takeover by Dora Keller', 'Discharge at noon');
    await anna.answers('Takeover by Dora Keller', 'Refuse');
    await dora.asks('Takeover', 'Dr. Anna Rossi refuses.');
    await anna.asks('Takeover', 'You have refused.');
    await dora.answers('Takeover', 'Cancel the takeover');
    await anna.says('The takeover was withdrawn.');
    await anna.gone('Takeover');
    await anna.text.fill('Saved at the last moment.');
    await take('Discharge at one');
    await anna.answers('Takeover by Dora Keller', 'Save and hand over');
    await dora.edits();
    await dora.holds('Saved at the last moment.');
    await anna.says('You have handed the lock over.');
    await dora.press('Stop editing');
    await anna.press('Edit');
    await anna.edits();
    await anna.text.fill('Never saved.');
    await take('Nobody answers'); // and so it is forced
    await dora.edits();
    await anna.says('Dora Keller (administrator) has taken the lock: “Nobody answers”. What you had not saved is kept below.');
    await anna.asks('Unsaved text', 'Never saved.');
    await anna.answers('Unsaved text', 'Discard it');
    await dora.press('Stop editing');
    await bruno.press('Edit');
    await bruno.edits();
    await take('Resuscitation', true);
    await dora.edits();
    await bruno.says('Dora Keller (administrator) has taken the lock: “Resuscitation”.');
    await d.waitForAudit((a) => a.action === 'LOCK_TAKEOVER' && a.user.id === 'dora' && JSON.stringify(a).includes('Resuscitation'));
    await dora.press('Stop editing');
    await type('Prescription: an administrator takes over at once');
    await anna.press('Edit');
    await anna.edits();
    await take('Wrong dose');
    await dora.edits();
    await anna.says('Dora Keller (administrator) has taken the lock: “Wrong dose”.');
  });

  assert.deepStrictEqual(problems, [], 'the console has nothing to complain of');
  await context.close();
}

async function drafts(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, gracePeriod: h.ms(3000) } } });
  const { page, context, problems, anna, bruno } = await open(t, launched, d);
  const twin = new Pane(page, 'Dr. Anna Rossi', 2);
  const away = async () => {
    await anna.press('Go offline');
    await bruno.says('Free: nobody is editing.');
    await anna.press('Go online');
    await anna.edits(); // at once, for nobody had it meanwhile
    await anna.says(/What you had not saved is kept below\.$/);
  };
  await anna.says('connected');
  await bruno.says('connected');

  await t.test('is not overwritten by what is typed before it is put back', async () => {
    await anna.press('Edit');
    await anna.edits();
    await anna.text.fill('First, unsaved.');
    await away();
    await anna.asks('Unsaved text', 'First, unsaved.');
    await anna.text.fill('Second.');
    await anna.asks('Unsaved text', 'First, unsaved.');
    await anna.answers('Unsaved text', 'Put it back');
    await anna.holds('First, unsaved.');
    await anna.asks('Unsaved text', 'Second.');
    await anna.press('Save');
    await bruno.holds('First, unsaved.');
    await anna.answers('Unsaved text', 'Discard it');
    await anna.gone('Unsaved text');
  });

  await t.test('outlives what another tab saves', async () => {
    await anna.text.fill('Of tab one.');
    await anna.press('Same user in another tab');
    await twin.says('connected');
    await twin.press('Edit');
    await twin.press('Edit here instead');
    await twin.edits();
    await anna.asks('Unsaved text', 'Of tab one.');
    await twin.text.fill('Of tab two.');
    await twin.press('Save');
    await bruno.holds('Of tab two.');
    await twin.answers('Unsaved text', 'Put it back');
    await twin.press('Save');
    await bruno.holds('Of tab one.');
    await anna.gone('Unsaved text');
    await twin.press('Close');
    await bruno.says('Free: nobody is editing.');
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
    await anna.press('Edit');
    await anna.edits();
    await anna.text.fill('Typed while the storage is full.');
    await anna.says(/storage is full/);
    await bruno.says('Dr. Anna Rossi is editing (unsaved changes).');
    await anna.press('Save');
    await anna.says("Not saved: this browser's storage is full. Your text is still here.");
    await away();
    await anna.asks('Unsaved text', 'Typed while the storage is full.');
    await page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith('fill-')).forEach((key) => localStorage.removeItem(key)));
    await anna.answers('Unsaved text', 'Put it back');
    await anna.press('Save');
    await bruno.holds('Typed while the storage is full.');
  });

  await t.test('reloading opens one connection', async () => {
    const opened = () => d.audit().filter((a) => a.action === 'SESSION_OPENED' && a.user.id === 'anna').length;
    const before = opened();
    await anna.press('Reload');
    await anna.edits();
    await anna.press('Stop editing');
    await bruno.says('Free: nobody is editing.');
    await new Promise((resolve) => setTimeout(resolve, 1000)); // a second one would come after 300 ms
    assert.strictEqual(opened(), before + 1);
  });

  assert.deepStrictEqual(problems, []);
  await context.close();
}

async function keyboard(t, launched) {
  const d = await h.devDaemon(t, { resourceTypes: { document: { ...POLICY, gracePeriod: h.ms(3000) } } });
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
  const focused = (locator, what) => h.eventually(() => locator.evaluate((element) => element === document.activeElement), what);
  await focused(anna.text, 'the text has the focus');
  await page.keyboard.press('End');
  await page.keyboard.type(' Typed without a mouse.');
  await anna.says('unsaved changes');
  await tabTo(anna.button('Save'));
  await page.keyboard.press('Space');
  await anna.silent('unsaved changes');
  await focused(anna.text, 'and has it after saving');
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
  await focused(twin.button('Edit'), 'the way back');
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
