'use strict';
/* The judge finds each kind of fault in a history, and nothing in one that is right. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const { test } = require('node:test');
const { RULES, judge } = require('./judge');
const { History } = require('./history');

const R = 'deny:a:main';
const OPTIONS = { graceMs: 3000, doubtful: () => false, storeLost: () => false, auditLost: () => false, split: () => false, clockBack: false, waits: true,
  calm: () => true };

/* entries: [kind, tab, {…}], one each 100 ms. The user of a tab is its name without digits. */
const look = (...entries) => lookWith({}, ...entries);

function lookWith(options, ...entries) {
  const history = new History();
  entries.forEach(([kind, tab, more], i) => history.add(kind, {
    at: i * 100, tab, user: tab?.replace(/\d/g, ''), resourceId: R, sentAt: i * 100 - 50, request: 'lock:acquire', resumed: false, previous: null,
    named: null, asked: null, sawAt: null, ...more,
  }));
  return judge(history, { ...OPTIONS, ...options }).map(({ rule }) => rule);
}

const granted = (tab, token, more) => ['granted', tab, { token, ...more }];
const belief = (tab, token, from, to) => ['belief', tab, { token, from, to }];
const stored = (cause, token, tab, more) => ['store', null, {
  event: 'lock', cause, tick: token, actor: 's', lock: { state: 'held', token, user: tab, client: `chaos-${tab}` }, ...more,
}];
const ended = (reason, token, tick) => ['store', null, { event: 'lock', cause: reason, tick, actor: 's', lock: { state: 'free' }, ended: { token, reason } }];
const audit = (action, fence, eventId, more) => ['audit', null, { record: { action, fence, eventId, resourceId: R, outcome: 'success', ...more } }];

const WRONG = {
  oneTabForAToken: [granted('ann', 1), granted('bob', 1)],
  tokensGrow: [granted('ann', 2), ['released', 'ann', { token: 2 }], granted('bob', 1)],
  overIsOver: [granted('ann', 1), ['lost', 'ann', { token: 1, reason: 'EXPIRED' }], ['renewed', 'ann', { token: 1 }]],
  oneBelieves: [granted('ann', 1), belief('ann', 1, 100, 900), granted('bob', 2), belief('bob', 2, 800, 1200)],
  savesInOrder: [granted('ann', 1), granted('bob', 2), ['saved', 'ann', { token: 1, accepted: true }]],
  inTime: [granted('ann', 1), ['gone', 'ann', { how: 1006, token: 1, answered: 50 }],
    ['back', 'ann', { token: 1, kept: false, lost: 'NOT_HELD', type: 'deny' }], ['lost', 'ann', { token: 1, reason: 'NOT_HELD' }]],
  lossesTold: [granted('ann', 1), ['final', 'ann', { token: null }]],
  audited: [granted('ann', 1), ['released', 'ann', { token: 1 }], audit('LOCK_RELEASED', 1, '2-0')],
  grantsGrow: [stored('ACQUIRED', 5, 'ann'), stored('ACQUIRED', 4, 'bob')],
  endsOnce: [ended('RELEASED', 1, 5), ended('GRACE_PERIOD_EXPIRED', 1, 9)],
  toldAtJoin: [granted('ann', 1), ['back', 'ann', { token: 1, kept: false, lost: null, type: 'release' }],
    ['lost', 'ann', { token: 1, reason: 'NOT_HELD', asked: 'lock:heartbeat' }]],
  deniedMeansNot: [stored('ACQUIRED', 3, 'ann'), ['denied', 'ann', { reason: 'HELD', alone: true, sentAt: -1 }]],
  replicasHaveIt: [['fault', null, { name: 'replicas stopped', from: -100, to: 500 }], granted('ann', 1)],
  nothingMissed: [['joined', 'ann', { rev: 1 }], stored('RENEWED', 2, 'ann'), stored('RENEWED', 3, 'ann'), ['heard', 'ann', { rev: 3 }]],
  viewsEqual: [['unsettled', null, { text: 'ann sees another lock' }]],
};

test('every rule has a history that breaks it', () => {
  assert.deepStrictEqual(Object.keys(WRONG).sort(), Object.keys(RULES).sort());
});

for (const [rule, entries] of Object.entries(WRONG)) {
  test(`broken: ${rule}`, () => assert.deepStrictEqual(look(...entries), [rule]));
}

const MORE_WRONG = {
  'a token that is over is confirmed': ['overIsOver', [['lost', 'ann', { token: 1, reason: 'MOVED' }], granted('ann', 2), ['renewed', 'ann', { token: 2, named: 1 }]]],
  'a loss is told only to who asks': ['lossesTold', [granted('ann', 1), ['lost', 'ann', { token: 1, reason: 'NOT_HELD', asked: 'lock:heartbeat', sawAt: 30, sentAt: 60 }]]],
  'a release is in no audit': ['audited', [granted('ann', 1), ['released', 'ann', { token: 1 }], audit('LOCK_ACQUIRED', 1, '1-0')]],
  'a change is in no audit': ['audited', [stored('ACQUIRED', 1, 'ann'), ended('RELEASED', 1, 2), audit('LOCK_ACQUIRED', 1, '1-0')]],
};
for (const [what, [rule, entries]] of Object.entries(MORE_WRONG)) {
  test(`broken: ${what}`, () => assert.deepStrictEqual(look(...entries), [rule]));
}

test('a change that two instances claim to have written first, and one that was recovered', () => {
  const twice = [granted('ann', 1), audit('LOCK_ACQUIRED', 1, '1-0'), audit('LOCK_ACQUIRED', 1, '1-0')];
  assert.deepStrictEqual(look(...twice, ['final', 'ann', { token: 1 }]), ['audited']);
  twice[2] = audit('LOCK_ACQUIRED', 1, '1-0', { recovered: true });
  assert.deepStrictEqual(look(...twice, ['final', 'ann', { token: 1 }]), []);
});

test('the store has lost an end: its tab must not have been told', () => {
  const history = new History();
  const add = (kind, at, more) => history.add(kind, { at, tab: 'ann', resourceId: R, ...more });
  add('store', 1, { event: 'lock', cause: 'RELEASED', actor: 's', lock: { state: 'free' }, ended: { token: 1, reason: 'RELEASED' } });
  add('store', 9, { event: 'lock', cause: 'EXPIRED', actor: 's', lock: { state: 'free' }, ended: { token: 1, reason: 'EXPIRED' } });
  const rules = () => judge(history, { ...OPTIONS, storeLost: () => true }).map(({ rule }) => rule);
  assert.deepStrictEqual(rules(), []);
  history.entries.splice(1, 0, { kind: 'released', at: 2, tab: 'ann', resourceId: R, token: 1 });
  assert.deepStrictEqual(rules(), ['endsOnce']);
});

test('a change that the store has forgotten needs no audit, one that it goes on from does', () => {
  const after = (prev) => look(
    stored('ACQUIRED', 4, 'ann', { shard: 1, prev: 3 }), stored('ACQUIRED', 9, 'bob', { shard: 1, prev }), audit('LOCK_ACQUIRED', 9, '9-0'),
  );
  assert.deepStrictEqual(after(4), ['audited']);
  assert.deepStrictEqual(after(3), []);
});

test('a takeover that another one\'s end completes while its administrator is denied', () => {
  const joined = (actor, tab) => ['store', null, { event: 'join', actor, cause: `chaos-${tab}:${tab}`, tick: 1 }];
  const taken = stored('TAKEN_BY_ADMIN', 3, 'ann', { actor: 's1' });
  const denied = ['denied', 'ann', { reason: 'HELD', alone: true, sentAt: -1 }];
  const rest = [audit('RESOURCE_JOINED', 0, '1-0'), audit('LOCK_TAKEOVER', 3, '3-0')];
  assert.deepStrictEqual(look(joined('s1', 'bob'), taken, denied, ...rest), []);
  assert.deepStrictEqual(look(joined('s1', 'ann'), taken, denied, ...rest), ['deniedMeansNot']);
});

test('a grant that an instance had not written when it died, with a store that lost it', () => {
  const entries = [granted('ann', 1), ['final', 'ann', { token: 1 }], audit('LOCK_ACQUIRED', 2, '2-0')];
  assert.deepStrictEqual(lookWith({ storeLost: () => true }, ...entries), ['audited']);
  assert.deepStrictEqual(lookWith({ storeLost: () => true, auditLost: () => true }, ...entries), []);
});

test('two masters at once: one may confirm what the other one has ended', () => {
  for (const rule of ['tokensGrow', 'overIsOver', 'oneBelieves']) assert.deepStrictEqual(lookWith({ split: () => true }, ...WRONG[rule]), [], rule);
});

test('what is right: a release, one\'s own tabs, an administrator, a return in time, and too late', () => {
  assert.deepStrictEqual(look(
    granted('ann', 1), belief('ann', 1, 100, 300), ['released', 'ann', { token: 1 }], granted('bob', 2), belief('bob', 2, 400, 800),
    ['lost', 'bob', { token: 2, reason: 'MOVED' }], granted('bob2', 3), belief('bob2', 3, 700, 900),
    granted('root', 4, { request: 'lock:takeover' }), belief('root', 4, 800, 1500), ['lost', 'bob2', { token: 3, reason: 'TAKEN_BY_ADMIN' }],
    ['gone', 'root', { how: 1006, token: 4, answered: 1000 }], ['back', 'root', { token: 4, kept: true, lost: null, type: 'deny' }],
    granted('root', 4, { resumed: true }), ['final', 'root', { token: 4 }], ['final', 'ann', { token: null }],
  ), []);
  assert.deepStrictEqual(look(
    granted('ann', 1), ['gone', 'ann', { how: 1006, token: 1, answered: 50 }],
    ['back', 'ann', { token: 1, kept: false, lost: 'GRACE_PERIOD_EXPIRED', type: 'deny', sentAt: 5000 }],
    ['lost', 'ann', { token: 1, reason: 'GRACE_PERIOD_EXPIRED' }],
  ), []);
});

test('every planted bug can be planted', () => {
  const root = path.resolve(__dirname, '../..');
  const folder = path.join(__dirname, 'bugs');
  for (const name of fs.readdirSync(folder)) {
    const { status, stdout } = spawnSync('patch', ['-p1', '--dry-run', '--batch', '--forward', '--reject-file=-'],
      { cwd: root, input: fs.readFileSync(path.join(folder, name)), encoding: 'utf8' });
    assert.strictEqual(status, 0, `${name}: ${stdout}`);
  }
});
