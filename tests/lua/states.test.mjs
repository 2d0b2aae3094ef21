// The cells of the table state × event that do without queue, request and takeover (those: transfers.test.mjs): each row of `CELLS` is one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causes, DOC, has, START, useRedis, World } from './world.mjs';

useRedis();

// [event, state, what happens (w, {ann, bob, token}) => reply, what it answers, causes of the events, more checks]
const acquire = (who, options) => (w, p) => w.s.acquire(DOC, p[who], options);
// Somebody new joins to edit.
const edits = (user, number, options = {}) => (w, p) => w.s.join(DOC, w.tab(user, number, options),
    { edit: true, token: options.right ? p.token : options.token ?? 0 });
const HELD_BY = (user) => ({ lock: { state: 'held', user } });
const FREE = { lock: { state: 'free' } };
const KEEPS = (r, p) => assert.equal(r.lock.token, p.token);
const NEWER = (r, p) => {
    assert.ok(r.lock.token > p.token);
    assert.equal(r.lock.token, r.events.at(-1).rev);
    has(r.events.at(-1), { ended: { token: p.token, reason: 'MOVED', user: 'ann' } });
};

// Both tabs there without a clientId of their own: ann's lock in grace, under a clientId that the server made.
async function madeGrace(w) {
    const ann = w.tab('ann', 1, { made: true });
    const { lock } = await w.s.join(DOC, ann, { edit: true });
    await w.s.disconnect(DOC, ann, 'SERVER');
    return { ann, token: lock.token };
}

const CELLS = [
    // The owner's tab.
    ['acquire by the owner', 'free', acquire('ann'), { outcome: 'GRANTED', resumed: false, ...HELD_BY('ann') }, ['ACQUIRED']],
    ['acquire by the owner', 'held', acquire('ann'), { outcome: 'GRANTED', resumed: false }, [], KEEPS],
    ['join as editor, same connection', 'held', (w, p) => w.s.join(DOC, p.ann, { edit: true }),
        { outcome: 'GRANTED', resumed: false, joined: true, lost: null }, [], KEEPS],
    ['join as editor, new connection, right token', 'held', edits('ann', 1, { right: true }),
        { outcome: 'GRANTED', resumed: true, lost: null, previous: null }, ['JOIN', 'RESUMED'], (r, p) => {
            KEEPS(r, p);
            has(r.events[0], { oldSession: p.ann.session, oldInstance: 'i1' });
            assert.equal(r.events[1].ended, null);
        }],
    ['join as editor, new connection, no token', 'held', edits('ann', 1), { outcome: 'GRANTED', resumed: true, lost: null },
        ['JOIN', 'RESUMED'], NEWER],
    ['join as editor, new connection, wrong token', 'held', edits('ann', 1, { token: 7 }),
        { outcome: 'GRANTED', resumed: true, lost: { token: 7, reason: 'NOT_HELD', ended: 0 } }, ['JOIN', 'RESUMED'], NEWER],
    ['join as editor, right token', 'grace', edits('ann', 1, { right: true }),
        { outcome: 'GRANTED', resumed: true, lost: null, ...HELD_BY('ann') }, ['JOIN', 'RESUMED'], KEEPS],
    ['join as editor, no token', 'grace', edits('ann', 1), { outcome: 'GRANTED', resumed: true, ...HELD_BY('ann') },
        ['JOIN', 'RESUMED'], NEWER],
    ['acquire after viewing', 'grace', async (w, p) => {
        const again = w.again(p.ann);
        await w.s.join(DOC, again);
        return w.s.acquire(DOC, again);
    }, { outcome: 'GRANTED', resumed: true }, ['RESUMED'], NEWER],

    // No clientId ever named.
    ['editor without clientId, same user', 'free', edits('ann', 1, { made: true }), { outcome: 'GRANTED', resumed: false },
        ['JOIN', 'ACQUIRED']],
    ['editor without clientId, same user', 'held', edits('ann', 1, { made: true }), { outcome: 'HELD_BY_YOU', joined: true },
        ['JOIN'], KEEPS],
    ['editor without clientId, a named lock', 'grace', edits('ann', 1, { made: true }), { outcome: 'HELD_BY_YOU' }, ['JOIN']],
    ['editor without clientId, a lock without', 'grace', async (w, p) => {
        await w.s.leave(DOC, p.ann);
        await w.pass(30000);
        Object.assign(p, await madeGrace(w));
        return edits('ann', 1, { made: true })(w, p);
    }, { outcome: 'GRANTED', resumed: true, ...HELD_BY('ann') }, ['JOIN', 'RESUMED'], NEWER],
    ['a named tab, a lock without clientId', 'grace', async (w, p) => {
        await w.pass(30000);
        Object.assign(p, await madeGrace(w));
        return edits('ann', 1)(w, p);
    }, { outcome: 'HELD_BY_YOU' }, ['JOIN']],

    // Another tab of the same user.
    ['other tab', 'free', edits('ann', 2), { outcome: 'GRANTED' }, ['JOIN', 'ACQUIRED']],
    ['other tab', 'held', edits('ann', 2), { outcome: 'HELD_BY_YOU', joined: true }, ['JOIN'], KEEPS],
    ['other tab', 'grace', edits('ann', 2), { outcome: 'HELD_BY_YOU', lock: { state: 'grace' } }, ['JOIN'], KEEPS],
    ['other tab with the right token', 'held', edits('ann', 2, { right: true }),
        { outcome: 'HELD_BY_YOU', lost: { reason: 'NOT_HELD' } }, ['JOIN'], KEEPS],
    ['takeOwn', 'free', (w, p) => w.s.acquire(DOC, p.ann, { takeOwn: true }), { outcome: 'GRANTED', resumed: false, ...HELD_BY('ann') },
        ['ACQUIRED']],
    ...['held', 'grace'].map((state) => ['other tab, takeOwn', state, async (w, p) => {
        const other = w.tab('ann', 2);
        await w.s.join(DOC, other);
        return w.s.acquire(DOC, other, { takeOwn: true });
    }, { outcome: 'GRANTED', resumed: false, previous: { reason: 'MOVED' }, lock: { state: 'held', client: 'tab-ann-2' } },
    ['MOVED'], NEWER]),

    // Another user.
    ['other user', 'free', edits('cy', 1), { outcome: 'GRANTED', ...HELD_BY('cy') }, ['JOIN', 'ACQUIRED']],
    ['other user', 'held', edits('cy', 1), { outcome: 'HELD', joined: true, ...HELD_BY('ann') }, ['JOIN'], KEEPS],
    ['other user', 'grace', edits('cy', 1), { outcome: 'GRACE', joined: true, lock: { state: 'grace' } }, ['JOIN'], KEEPS],
    ['other user, takeOwn', 'held', acquire('bob', { takeOwn: true }), { outcome: 'HELD' }, [], KEEPS],

    // Heartbeat.
    ['heartbeat by the owner, right token', 'held', (w, p) => w.s.heartbeat(DOC, p.ann, { token: p.token }),
        { outcome: 'RENEWED', resumed: false }, [], KEEPS],
    ['heartbeat by the owner, no token', 'held', (w, p) => w.s.heartbeat(DOC, p.ann), { outcome: 'RENEWED' }, [], KEEPS],
    ['heartbeat by the owner, old token', 'held', (w, p) => w.s.heartbeat(DOC, p.ann, { token: 7 }),
        { outcome: 'LOST', lost: { reason: 'STALE_TOKEN', token: 7 } }, [], KEEPS],
    ...['held', 'grace'].map((state) => ['heartbeat by another', state, (w, p) => w.s.heartbeat(DOC, p.bob, { token: p.token }),
        { outcome: 'LOST', lost: { reason: 'NOT_HELD' }, lock: { state } }, [], KEEPS]),
    ['heartbeat', 'free', (w, p) => w.s.heartbeat(DOC, p.ann, { token: 7 }),
        { outcome: 'LOST', lost: { reason: 'NOT_HELD', token: 7 } }, []],
    ['heartbeat, right token', 'grace', async (w, p) => {
        p.ann = w.again(p.ann);
        await w.s.join(DOC, p.ann);
        return w.s.heartbeat(DOC, p.ann, { token: p.token });
    }, { outcome: 'RENEWED', resumed: true, ...HELD_BY('ann') }, ['RESUMED'], KEEPS],
    ['heartbeat, no token', 'grace', async (w, p) => {
        p.ann = w.again(p.ann);
        await w.s.join(DOC, p.ann);
        return w.s.heartbeat(DOC, p.ann);
    }, { outcome: 'RENEWED', resumed: true }, ['RESUMED'], NEWER],
    ['heartbeat, old token', 'grace', async (w, p) => {
        p.ann = w.again(p.ann);
        await w.s.join(DOC, p.ann);
        return w.s.heartbeat(DOC, p.ann, { token: 7 });
    }, { outcome: 'LOST', lost: { reason: 'STALE_TOKEN' }, lock: { state: 'grace' } }, []],

    // Release.
    ['release', 'free', (w, p) => w.s.release(DOC, p.ann), { outcome: 'NOT_HOLDER' }, []],
    ['release by the owner', 'held', (w, p) => w.s.release(DOC, p.ann, { token: p.token, revision: 'v7' }),
        { outcome: 'RELEASED', ...FREE }, ['RELEASED'], (r, p) => has(r.events[0].ended,
            { token: p.token, reason: 'RELEASED', revision: 'v7', since: START, user: 'ann', dirty: 0 })],
    ['given up for an owner who was told STORE_LOST', 'held', (w, p) => w.s.release(DOC, p.ann, { token: p.token, why: 'STORE_LOST' }),
        { outcome: 'RELEASED', ...FREE }, ['STORE_LOST'], (r, p) => has(r.events[0].ended, { token: p.token, reason: 'STORE_LOST' })],
    ['release by another', 'held', (w, p) => w.s.release(DOC, p.bob), { outcome: 'NOT_HOLDER' }, [], KEEPS],
    ['release with an old token', 'held', (w, p) => w.s.release(DOC, p.ann, { token: 7 }), { outcome: 'NOT_HOLDER' }, [], KEEPS],
    ['release, repeated', 'held', async (w, p) => {
        await w.s.release(DOC, p.ann, { token: p.token });
        return w.s.release(DOC, p.ann, { token: p.token });
    }, { outcome: 'RELEASED', ...FREE }, []],
    ['release, repeated after acquiring again', 'held', async (w, p) => {
        await w.s.release(DOC, p.ann, { token: p.token });
        await w.s.acquire(DOC, p.ann);
        return w.s.release(DOC, p.ann, { token: p.token });
    }, { outcome: 'RELEASED', ...HELD_BY('ann') }, []],
    ['release of what expired', 'held', async (w, p) => {
        await w.pass(300000);
        return w.s.release(DOC, p.ann, { token: p.token });
    }, { outcome: 'NOT_HOLDER', ...FREE }, ['EXPIRED']],
    ['release by the owner, back as a viewer', 'grace', async (w, p) => {
        p.ann = w.again(p.ann);
        await w.s.join(DOC, p.ann);
        return w.s.release(DOC, p.ann);
    }, { outcome: 'RELEASED', ...FREE }, ['RELEASED']],

    // Leave, and ends of connections.
    ['leave', 'free', (w, p) => w.s.leave(DOC, p.ann), { outcome: 'NONE', ...FREE }, ['LEAVE']],
    ['leave by the owner', 'held', (w, p) => w.s.leave(DOC, p.ann), { outcome: 'NONE', ...FREE }, ['RELEASED', 'LEAVE']],
    ['leave by another', 'held', (w, p) => w.s.leave(DOC, p.bob), { outcome: 'NONE', ...HELD_BY('ann') }, ['LEAVE'], KEEPS],
    ['leave by the owner, back as a viewer', 'grace', async (w, p) => {
        p.ann = w.again(p.ann);
        await w.s.join(DOC, p.ann);
        return w.s.leave(DOC, p.ann);
    }, { outcome: 'NONE', ...FREE }, ['RELEASED', 'LEAVE']],
    ['close 1000 of the owner', 'held', (w, p) => w.s.disconnect(DOC, p.ann, 'LEFT'), FREE, ['DISCONNECT', 'LEAVE']],
    ['close 1000 of the owner, back as a viewer', 'grace', async (w, p) => {
        p.ann = w.again(p.ann);
        await w.s.join(DOC, p.ann);
        return w.s.disconnect(DOC, p.ann, 'LEFT');
    }, FREE, ['DISCONNECT', 'LEAVE']],
    ['lost connection of the owner', 'held', (w, p) => w.s.disconnect(DOC, p.ann, 'LOST'),
        { lock: { state: 'grace', until: START + 30000, expires: START + 300000 }, next: START + 30000 },
        ['GRACE_STARTED', 'LEAVE'], KEEPS],
    ['server end of the owner', 'held', (w, p) => w.s.disconnect(DOC, p.ann, 'SERVER'), { lock: { state: 'grace' } },
        ['GRACE_STARTED', 'LEAVE'], KEEPS],
    ['lost connection of a viewer', 'held', (w, p) => w.s.disconnect(DOC, p.bob, 'LOST'), HELD_BY('ann'), ['LEAVE'], KEEPS],
    ['lost connection of the owner, back as a viewer', 'grace', async (w, p) => {
        p.ann = w.again(p.ann);
        await w.s.join(DOC, p.ann);
        return w.s.disconnect(DOC, p.ann, 'LOST');
    }, { lock: { state: 'grace', until: START + 30000 } }, ['LEAVE'], KEEPS],
    ['end of a connection whose place another has', 'held', async (w, p) => {
        await w.s.join(DOC, w.again(p.ann), { edit: true, token: p.token });
        return w.s.disconnect(DOC, p.ann, 'LEFT');
    }, HELD_BY('ann'), [], KEEPS],
    ['end of a connection, repeated', 'held', async (w, p) => {
        await w.s.disconnect(DOC, p.ann, 'LOST');
        await w.pass(1000);
        return w.s.disconnect(DOC, p.ann, 'LOST');
    }, { lock: { state: 'grace', until: START + 30000 } }, []],

    // Viewing.
    ["owner's tab joins as viewer, same connection", 'held', (w, p) => w.s.join(DOC, p.ann),
        { outcome: 'NONE', joined: true, ...HELD_BY('ann') }, [], KEEPS],
    ["owner's tab joins as viewer, new connection", 'held', (w, p) => w.s.join(DOC, w.again(p.ann), { token: p.token }),
        { outcome: 'NONE', lost: null, lock: { state: 'grace', until: START + 30000 } }, ['JOIN', 'GRACE_STARTED'], (r, p) => {
            KEEPS(r, p);
            has(r.events[0], { oldSession: p.ann.session });
        }],
    ["owner's tab joins as viewer", 'grace', (w, p) => w.s.join(DOC, w.again(p.ann), { token: p.token }),
        { outcome: 'NONE', lost: null, lock: { state: 'grace' } }, ['JOIN'], KEEPS],
    ['viewer with a token that is over', 'free', (w, p) => w.s.join(DOC, w.again(p.bob), { token: 7 }),
        { lost: { token: 7, reason: 'NOT_HELD' } }, ['JOIN']],

    // Time.
    ['TTL ends', 'held', async (w) => { await w.pass(300000); return w.s.status(DOC); }, FREE, ['EXPIRED'],
        (r, p) => has(r.events[0], { actor: '', ended: { token: p.token, reason: 'EXPIRED', ended: START + 300000 } })],
    ['a millisecond before', 'held', async (w) => { await w.pass(299999); return w.s.status(DOC); }, HELD_BY('ann'), [], KEEPS],
    ['TTL ends', 'grace', async (w, p) => {
        w.policy.ttl = 20000;
        await w.pass(30000);
        p.ann = w.again(p.ann);
        await w.s.join(DOC, p.ann, { edit: true });
        w.policy.grace = 60000;
        await w.s.disconnect(DOC, p.ann, 'LOST');
        p.token = (await w.s.status(DOC)).lock.token;
        await w.pass(25000);
        return w.s.status(DOC);
    }, { lock: { state: 'grace' } }, [], KEEPS],
    ['graceUntil', 'grace', async (w) => { await w.pass(30000); return w.s.status(DOC); }, FREE, ['GRACE_PERIOD_EXPIRED']],
    ['a millisecond before graceUntil', 'grace', async (w) => { await w.pass(29999); return w.s.status(DOC); },
        { lock: { state: 'grace' } }, []],
    ['lease ends', 'held', async (w) => { await w.s.renew('i2'); await w.s.advance(6000); await w.s.renew('i2');
        await w.s.advance(4000); return w.s.sweep(); }, {}, ['GRACE_STARTED', 'LEAVE', 'LEAVE'], async (r, p, w) => {
        has(await w.s.status(DOC), { lock: { state: 'grace', until: START + 40000, token: p.token } });
        assert.deepEqual(r.events.map((e) => e.actor), ['', '', '']);
    }],
    ['lease ends', 'grace', async (w) => { await w.s.renew('i2'); await w.s.advance(6000); await w.s.renew('i2');
        await w.s.advance(4000); return w.s.sweep(); }, {}, ['LEAVE'], async (r, p, w) => {
        has(await w.s.status(DOC), { lock: { state: 'grace', until: START + 30000, token: p.token } });
    }],
];

for (const [event, state, act, answers, events, check] of CELLS) {
    test(`${state}: ${event}`, async () => {
        const w = await World.create();
        const people = await w.given(state);
        const reply = await act(w, people);
        assert.equal(reply.status, 'OK');
        has(reply, answers);
        // The order in which a dead instance's members go is not fixed.
        const told = causes(reply);
        assert.deepEqual([...told].sort(), [...events].sort(), told.join());
        if (event !== 'lease ends') {
            assert.deepEqual(told, events);
        }
        await check?.(reply, people, w);
    });
}

test('whoever is not in the room gets NOT_JOINED, but for status', async () => {
    for (const state of ['free', 'held', 'grace']) {
        const w = await World.create();
        const { ann } = await w.given(state);
        const cy = w.tab('cy');
        const superseded = ann;
        if (state === 'held') {
            await w.s.join(DOC, w.again(ann), { edit: true, token: (await w.s.status(DOC)).lock.token });
        }
        for (const who of state === 'held' ? [cy, superseded] : [cy]) {
            for (const call of ['acquire', 'heartbeat', 'release', 'leave']) {
                has(await w.s[call](DOC, who), { outcome: 'NOT_JOINED', events: [] });
            }
        }
        has(await w.s.status(DOC), { outcome: 'NONE', lock: { state } });
    }
});

test('a type that releases', async () => {
    const w = await World.create({ policy: { disconnect: 'release' } });
    const { ann } = await w.given('held');
    const r = await w.s.disconnect(DOC, ann, 'LOST');
    assert.deepEqual(causes(r), ['DISCONNECT', 'LEAVE']);
    const again = await w.s.join(DOC, w.again(ann), { edit: true, token: r.events[0].ended.token });
    has(again, { outcome: 'GRANTED', resumed: false, lost: { reason: 'DISCONNECT', token: r.events[0].ended.token } });
    has(await w.s.disconnect(DOC, { ...ann, session: again.events[0].member.session }, 'SERVER'), { lock: { state: 'grace' } });
});

test('how the last lock ended is told to the next holder, and to whom asks with its token', async () => {
    const w = await World.create();
    const { ann, bob, token } = await w.given('held');
    await w.s.heartbeat(DOC, ann, { dirty: 1 });
    await w.s.release(DOC, ann, { token, revision: 'v7' });
    const r = await w.s.acquire(DOC, bob);
    has(r, { outcome: 'GRANTED', previous: { user: 'ann', name: 'Ann', reason: 'RELEASED', dirty: 1, revision: 'v7', token } });
    has(await w.s.join(DOC, w.again(ann), { token }), { lost: { reason: 'RELEASED', token, ended: START } });
    has(await w.s.join(DOC, w.tab('cy'), { token }), { lost: { reason: 'NOT_HELD', ended: 0 } }); // not hers
    for (let i = 0; i < 20; i++) {
        await w.s.acquire(DOC, bob);
        await w.s.release(DOC, bob);
    }
    assert.equal(await w.redis.command('LLEN', w.s.key(`ended:${DOC}`)), 16);
    has(await w.s.join(DOC, w.again(ann), { token }), { lost: { reason: 'NOT_HELD' } });
    const ttl = await w.redis.command('PTTL', w.s.key(`ended:${DOC}`));
    assert.ok(ttl > 86000000 && ttl <= 86400000);
});

test('renewals are told at most once in half a heartbeat interval; a change of dirty at once', async () => {
    const w = await World.create();
    const { ann } = await w.given('held');
    const told = [];
    for (let i = 0; i < 12; i++) {
        await w.pass(10000);
        const r = await w.s.heartbeat(DOC, ann);
        has(r, { outcome: 'RENEWED', lock: { expires: w.s.ms + 300000 } });
        told.push(r.events.length);
    }
    assert.deepEqual(told, [0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
    assert.deepEqual(causes(await w.s.heartbeat(DOC, ann, { dirty: 1 })), ['RENEWED']);
    has(await w.s.heartbeat(DOC, ann, { dirty: 1 }), { events: [], lock: { dirty: 1 } });
    has(await w.s.heartbeat(DOC, ann), { events: [], lock: { dirty: 1 } });
    has(await w.s.acquire(DOC, ann), { events: [] });
    const audited = (await w.s.stream('audit')).map((e) => e.cause);
    assert.ok(audited.includes('ACQUIRED') && !audited.includes('RENEWED'));
});

test('idleRelease: only active heartbeats count', async () => {
    const w = await World.create({ policy: { idle: 100000 } });
    const { ann, token } = await w.given('held');
    await w.pass(60000);
    has(await w.s.heartbeat(DOC, ann, { active: false }), { lock: { idle: START + 100000, expires: START + 360000 }, next: START + 100000 });
    has(await w.s.heartbeat(DOC, ann), { lock: { idle: START + 160000 } });
    await w.pass(99999);
    has(await w.s.heartbeat(DOC, ann, { active: false }), { outcome: 'RENEWED' });
    await w.pass(1);
    const r = await w.s.heartbeat(DOC, ann, { token });
    has(r, { outcome: 'LOST', lost: { reason: 'NOT_HELD', token } });
    assert.deepEqual(causes(r), ['EXPIRED']);
});

test('a reloaded policy counts from the next heartbeat on', async () => {
    const w = await World.create();
    const { ann } = await w.given('held');
    const shorter = { ...ann, policy: { ...w.policy, ttl: 50000, grace: 7000, idle: 40000 } };
    has(await w.s.heartbeat(DOC, shorter), { lock: { expires: START + 50000, idle: START + 40000 } });
    assert.equal(+await w.redis.command('ZSCORE', w.s.key('due'), `r:${DOC}`), START + 40000);
    has(await w.s.disconnect(DOC, shorter, 'LOST'), { lock: { until: START + 7000, idle: 0 } });
});

test('the tab limit', async () => {
    const w = await World.create({ policy: { tabs: 2 } });
    const t = w.tab('ann');
    for (const child of ['a', 'b', 'c']) {
        await w.s.join(`doc:1:${child}`, t);
    }
    await w.s.acquire('doc:1:a', t);
    await w.s.acquire('doc:1:b', t);
    const r = await w.s.acquire('doc:1:c', t);
    has(r, { outcome: 'TAB_LIMIT', limit: 2, lock: { state: 'free' } });
    assert.deepEqual(r.names.sort(), ['doc:1:a', 'doc:1:b']);
    has(await w.s.acquire('doc:1:a', t), { outcome: 'GRANTED' }); // the document's other children count
    has(await w.s.join('doc:2:a', t, { edit: true }), { outcome: 'GRANTED' }); // another document
    has(await w.s.join('doc:1:d', w.tab('ann', 2), { edit: true }), { outcome: 'TAB_LIMIT', joined: true, limit: 2 });
    // Grace locks count.
    await w.s.disconnect('doc:1:b', t, 'LOST');
    has(await w.s.acquire('doc:1:c', t), { outcome: 'TAB_LIMIT' });
    // Another's lock or one's own other tab's: the limit comes first; takeOwn and resumption are exempt.
    const bob = w.tab('bob');
    await w.s.join('doc:1:c', bob, { edit: true });
    has(await w.s.acquire('doc:1:c', t), { outcome: 'TAB_LIMIT' });
    const strict = { ...w.again(t), policy: { ...w.policy, tabs: 1 } };
    has(await w.s.join('doc:1:b', strict, { edit: true }), { outcome: 'GRANTED', resumed: true });
    const other = { ...w.tab('ann', 3), policy: { ...w.policy, tabs: 1 } };
    has(await w.s.join('doc:1:b', other, { edit: true }), { outcome: 'TAB_LIMIT' });
    has(await w.s.acquire('doc:1:b', other, { takeOwn: true }), { outcome: 'GRANTED' });
    // What is due among the others is settled before the refusal.
    await w.s.release('doc:1:b', other);
    await w.pass(299000);
    has(await w.s.acquire('doc:1:b', { ...other, policy: w.policy }), { outcome: 'GRANTED' });
    await w.pass(1000);
    await w.s.leave('doc:1:c', bob);
    const after = await w.s.acquire('doc:1:c', t);
    assert.equal(after.outcome, 'GRANTED');
    assert.deepEqual(after.events.map((e) => [e.resource, e.cause]), [['doc:1:a', 'EXPIRED'], ['doc:1:c', 'ACQUIRED']]);
});

test('what the set of a user’s locks lists without being there is taken out of it', async () => {
    const w = await World.create({ policy: { tabs: 1 } });
    const ann = w.tab('ann');
    const bob = w.tab('bob');
    await w.s.join('doc:1:bobs', bob, { edit: true });
    await w.redis.command('HSET', w.s.key('held:doc:1:ann'), 'gone', '', 'bobs', '');
    has(await w.s.join('doc:1:a', ann, { edit: true }), { outcome: 'GRANTED' });
    assert.deepEqual(await w.redis.command('HKEYS', w.s.key('held:doc:1:ann')), ['a']);
    has(await w.s.join('doc:1:b', ann, { edit: true }), { outcome: 'TAB_LIMIT', names: ['doc:1:a'] });
});

test('viewers are counted as connections whenever a join would leave a viewer', async () => {
    const w = await World.create({ policy: { viewers: 2 } });
    const { ann, bob, token } = await w.given('held'); // bob is the first viewer
    const cy = w.tab('cy');
    await w.s.join(DOC, cy);
    has(await w.s.join(DOC, w.tab('bob', 2)), { outcome: 'VIEWERS_FULL', limit: 2, joined: false, events: [] });
    has(await w.s.join(DOC, w.tab('dan'), { edit: true }), { outcome: 'VIEWERS_FULL', joined: false, events: [] }); // downgrade
    assert.equal(await w.redis.command('ZCARD', w.s.key(`room:${DOC}`)), 3);
    has(await w.s.join(DOC, cy), { joined: true, count: 3 }); // again
    has(await w.s.join(DOC, w.again(bob)), { joined: true, count: 3 }); // in its own place
    has(await w.s.disconnect(DOC, ann, 'LOST'), { lock: { state: 'grace' } });
    has(await w.s.join(DOC, w.tab('ann', 2)), { outcome: 'VIEWERS_FULL' });
    const back = w.again(ann);
    has(await w.s.join(DOC, back), { joined: true, lock: { state: 'grace' } }); // the owner of a grace lock
    has(await w.s.heartbeat(DOC, back, { token }), { resumed: true });
    has(await w.s.release(DOC, back), { outcome: 'RELEASED' }); // who loses a lock stays
    assert.equal(await w.redis.command('ZCARD', w.s.key(`room:${DOC}`)), 3);
    has(await w.s.join(DOC, w.tab('dan'), { edit: true }), { outcome: 'GRANTED', count: 4 });
});

test('the room as it is told', async () => {
    const w = await World.create({ policy: { listed: 3 } });
    const tabs = [];
    for (let i = 0; i < 6; i++) {
        tabs.push(w.tab(`user-${i}`));
        await w.s.join(DOC, tabs[i], { edit: i === 1 });
        await w.pass(1000);
    }
    const r = await w.s.join(DOC, tabs[5]);
    has(r, { count: 6, events: [] });
    assert.deepEqual(r.members.map((m) => m.user), ['user-5', 'user-4', 'user-1']);
    has(r.members[2], { name: 'User-1', client: tabs[1].client, session: tabs[1].session, instance: 'i1', joined: START + 1000 });
    const left = await w.s.leave(DOC, tabs[0]);
    has(left.events[0], { kind: 'LEAVE', count: 5, actor: tabs[0].session, member: { user: 'user-0', session: tabs[0].session } });
});

test('a room of more people than fit on a stack', async () => {
    const w = await World.create({ policy: { listed: 10000 } });
    const ids = Array.from({ length: 9000 }, (_, i) => `client-${i}:user-${i}`);
    await w.redis.command('HSET', w.s.key(`member:${DOC}`), ...ids.flatMap((id, i) => [id, `s-${i} i1 ${START} Name`]));
    await w.redis.command('ZADD', w.s.key(`room:${DOC}`), ...ids.flatMap((id) => [START, id]));
    const r = await w.s.join(DOC, w.tab('ann'), { edit: true });
    has(r, { outcome: 'GRANTED', count: 9001 });
    assert.equal(new Set(r.members.map((m) => m.session)).size, 9001);
});

test('odd names and long ones come through', async () => {
    const w = await World.create();
    const t = { ...w.tab('ann'), user: 'a:b c\nd%', name: ' Dr.  Ünal \n| x '.padEnd(256, 'é') };
    const long = `${'t'.repeat(64)}:${'i'.repeat(128)}:${'c'.repeat(64)}`;
    has(await w.s.join(long, t, { edit: true }), { outcome: 'GRANTED', lock: { user: t.user, name: t.name } });
    const again = { ...t, session: 'next' };
    const r = await w.s.join(long, again, { edit: true });
    has(r.members[0], { user: t.user, name: t.name, session: 'next' });
    has(r.events[0], { resource: long, oldSession: t.session, member: { user: t.user, name: t.name } });
    has(await w.s.release(long, again, { revision: '' }), { outcome: 'RELEASED' });
    has(await w.s.acquire(long, again), { previous: { user: t.user, name: t.name, revision: '' } });
});

test('what comes after its time changes nothing and may be repeated', async () => {
    const w = await World.create();
    const { ann, bob } = await w.given('held');
    const before = await w.s.stream();
    for (const call of ['join', 'acquire', 'heartbeat', 'release', 'leave']) {
        has(await w.s[call](DOC, call === 'join' ? w.tab('cy') : ann, { notAfter: w.s.ms - 1 }), { status: 'LATE' });
    }
    has(await w.s.status(DOC, { notAfter: w.s.ms - 1 }), { status: 'LATE' });
    await w.s.advance(-1);
    assert.deepEqual(await w.s.stream(), before);
    has(await w.s.heartbeat(DOC, ann, { notAfter: w.s.ms }), { status: 'OK', outcome: 'RENEWED' });
    has(await w.s.leave(DOC, bob, { notAfter: w.s.ms }), { status: 'OK' });
});

test('nothing is left behind when everybody has gone', async () => {
    const w = await World.create();
    const { ann, bob } = await w.given('held');
    await w.s.leave(DOC, bob);
    await w.s.disconnect(DOC, ann, 'LOST');
    await w.pass(30000);
    await w.s.sweep();
    const keys = (await w.keys()).map((k) => k.replace(/^.*\}:/, '')).sort();
    assert.deepEqual(keys, ['audit', 'clock', 'due', `ended:${DOC}`, 'events', 'instances', 'meta', 'written']);
    assert.deepEqual(await w.redis.command('ZRANGE', w.s.key('due'), 0, -1), ['i:i1']);
});
