'use strict';
/* The judge of the random faults (harness/judge.js) finds each kind of violation, and nothing where there is none. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

/* Ann types and saves, lets go, Bob goes on; Ann knowingly throws a word away, and another is in a draft. */
function record() {
  const ann = { page: 'ann-1', user: 'ann' };
  const bob = { page: 'bob-1', user: 'bob' };
  return {
    users: ['ann', 'bob'],
    healedAt: 100,
    text: 'a1 b1',
    drafts: ['a1 a2'],
    journal: [
      { what: 'granted', at: 100, fence: 7, previous: null, ...ann },
      { what: 'typed', at: 110, text: 'a1 ', fence: 7, ...ann },
      { what: 'typed', at: 120, text: 'a2 ', fence: 7, ...ann },
      { what: 'typed', at: 130, text: 'a3 ', fence: 7, ...ann },
      { what: 'discarded', at: 400, text: 'a1 a3 ', ...ann },
      { what: 'believed', at: 150, from: 100, to: 140, fence: 7, ...ann }, // as it was written down while it was open
      { what: 'believed', at: 210, from: 100, to: 200, fence: 7, ...ann },
      { what: 'granted', at: 200, fence: 8, previous: { reason: 'RELEASED' }, ...bob },
      { what: 'typed', at: 250, text: 'b1 ', fence: 8, ...bob },
      { what: 'believed', at: 300, from: 200, to: 300, fence: 8, ...bob },
    ],
    log: [
      { what: 'open', at: 105, user: 'ann', fence: 7, ok: true },
      { what: 'save', at: 150, user: 'ann', fence: 7, ok: true, text: 'a1' },
      { what: 'open', at: 205, user: 'bob', fence: 8, ok: true },
      { what: 'save', at: 260, user: 'ann', fence: 7, ok: false, text: 'a1 a2' },
      { what: 'save', at: 270, user: 'bob', fence: 8, ok: true, text: 'a1 b1' },
    ],
  };
}

const kinds = (changed) => [...new Set(h.judge(changed).map(({ kind }) => kind))];
const entry = (it, what, at) => it.journal.find((one) => one.what === what && one.at === at);

test('nothing is wrong', () => assert.deepStrictEqual(h.judge(record()), []));

for (const [name, change, ...expected] of [
  ['a word is neither stored, nor in a draft, nor discarded', (it) => { it.drafts = []; }, 'text lost'],
  ['a word was stored, and another save has taken it away', (it) => { it.log[4].text = 'b1'; it.journal.splice(4, 1); it.drafts.push('a3'); }, 'text overwritten'],
  ['two pages believe at once', (it) => { entry(it, 'believed', 210).to = 201; }, 'believed together'],
  ['one page believes the whole time that another does', (it) => { entry(it, 'believed', 210).to = 900; }, 'believed together'],
  ['a page types after it has stopped to believe', (it) => { entry(it, 'typed', 250).at = 500; }, 'edited without a lock'],
  ['a page types under another fence than the one that it believes in', (it) => { entry(it, 'typed', 250).fence = 7; }, 'edited without a lock'],
  ['a page that never believed types', (it) => { it.journal.pop(); }, 'edited without a lock'],
  ['a save with a stale fence is accepted', (it) => { Object.assign(it.log[3], { what: 'open', ok: true }); }, 'stale fence accepted'],
  ['one does not work any more when all is well again', (it) => { it.healedAt = 200; }, 'does not work again'],
]) {
  test(name, () => {
    const it = record();
    change(it);
    assert.deepStrictEqual(kinds(it), expected);
  });
}

test('an administrator does not wait until the holder knows, nor does another tab of the same user', () => {
  for (const reason of ['TAKEN_BY_ADMIN', 'MOVED']) {
    const it = record();
    entry(it, 'believed', 210).to = 250;
    entry(it, 'granted', 200).previous.reason = reason;
    assert.deepStrictEqual(h.judge(it), []);
  }
});

test('an administrator who has asked gets the lock of a holder who was cut off, and nobody else', () => {
  const it = record();
  entry(it, 'believed', 210).to = 250;
  it.journal.splice(7, 0, { what: 'called', at: 190, method: 'takeOver', outcome: 'pending', page: 'bob-1', user: 'bob' });
  assert.deepStrictEqual(h.judge(it), []);
  it.journal.splice(8, 0, { what: 'called', at: 195, method: 'edit', outcome: 'granted', page: 'bob-1', user: 'bob' });
  assert.deepStrictEqual(kinds(it), ['believed together']);
});
