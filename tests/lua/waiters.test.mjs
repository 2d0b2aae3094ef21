// Those who wait: queue, requests, takeovers, claims. What the scripts decide, what they tell, what they leave behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causes, DOC, has, useRedis, World } from './world.mjs';

useRedis();

const member = (t, joined) => ({ user: t.user, name: t.name, client: t.client, session: t.session, joined, page: t.page });
const lockOf = (t, l) => ({
    token: l.token, state: l.state, user: l.user, name: l.name, client: l.client, made: l.made, since: l.since,
    expires: l.expires, until: l.until, dirty: l.dirty, prompt: l.prompt, page: t.page,
});

// ann holds DOC; bob and cy are in the room. A type with a queue of at most two places.
async function queue(policy = {}) {
    const w = await World.create({ policy: { waiters: 2, ...policy } });
    const people = { ann: w.tab('ann'), bob: w.tab('bob'), cy: w.tab('cy'), dan: w.tab('dan') };
    for (const t of Object.values(people)) {
        await w.s.join(DOC, t);
    }
    const { lock } = await w.s.acquire(DOC, people.ann);
    return { w, ...people, token: lock.token };
}

const keys = async (w) => (await w.keys()).map((k) => k.replace(/^.*\}:/, '')).filter((k) => /^(queue|waiter|lock):/.test(k));

test('places in order, once a tab, no more than there are', async () => {
    const { w, ann, bob, cy, dan, token } = await queue();
    const first = await w.s.acquire(DOC, bob);
    has(first, { outcome: 'QUEUED', place: { position: 1, request: '', ends: 0 }, median: -1 });
    has(first.events[0], { kind: 'WAITER', cause: 'QUEUED', there: true, queued: 1, waiter: { user: 'bob', kind: 1, until: 0 } });
    has(await w.s.acquire(DOC, bob), { outcome: 'QUEUED', place: { position: 1 }, events: [] });
    has(await w.s.acquire(DOC, cy), { outcome: 'QUEUED', place: { position: 2 } });
    has(await w.s.acquire(DOC, dan), { outcome: 'QUEUE_FULL', events: [] });
    has(await w.s.claim(DOC, cy), { outcome: 'HELD', events: [] });
    has(await w.s.heartbeat(DOC, ann, { token }), { outcome: 'RENEWED', lock: { queued: 2 } });
    const released = await w.s.release(DOC, ann);
    assert.deepEqual(causes(released), ['RELEASED']);
    has(released, { lock: { state: 'reserved', user: 'bob', queued: 1, until: w.s.ms + 30000, token: 0 } });
    has(await w.s.claim(DOC, cy), { outcome: 'RESERVED' });
    has(await w.s.acquire(DOC, dan), { outcome: 'QUEUED', place: { position: 2 } });
    const claimed = await w.s.claim(DOC, bob);
    has(claimed, { outcome: 'GRANTED', previous: { user: 'ann', reason: 'RELEASED' }, lock: { state: 'held', user: 'bob', queued: 2 } });
    assert.deepEqual(causes(claimed), ['CLAIMED']);
    assert.ok(claimed.lock.token > token);
});

test('a turn that nobody takes goes on, in its time and no earlier', async () => {
    const { w, ann, bob, cy } = await queue();
    await w.s.acquire(DOC, bob);
    await w.s.acquire(DOC, cy);
    await w.s.release(DOC, ann);
    await w.pass(29999);
    has(await w.s.sweep(), { events: [] });
    await w.pass(1);
    const swept = await w.s.sweep();
    assert.deepEqual(causes(swept), ['WAITER', 'RESERVATION_EXPIRED']);
    has(swept.events[0], { cause: 'CLAIM_EXPIRED', there: false, waiter: { user: 'bob' } });
    has(await w.s.status(DOC), { lock: { state: 'reserved', user: 'cy', queued: 0 } });
    has(await w.s.claim(DOC, bob), { outcome: 'RESERVED' });
    await w.pass(30000);
    await w.s.sweep();
    has(await w.s.status(DOC), { lock: { state: 'free' } });
    assert.deepEqual(await keys(w), []);
});

test('who is away is passed over, and loses the place after the grace', async () => {
    const { w, ann, bob, cy } = await queue();
    await w.s.acquire(DOC, bob);
    await w.s.acquire(DOC, cy);
    const gone = await w.s.disconnect(DOC, bob, 'LOST');
    has(gone.events[0], { cause: 'ABSENT', there: true, waiter: { until: w.s.ms + 30000 } });
    has(await w.s.release(DOC, ann), { lock: { state: 'reserved', user: 'cy' } });
    const back = w.again(bob);
    const joined = await w.s.join(DOC, back);
    has(joined, { place: { position: 1 } });
    assert.deepEqual(joined.waiters.map((x) => [x.user, x.until]), [['bob', 0], ['cy', 0]], 'in order, the turn at last');
    assert.deepEqual(joined.events.map((e) => e.cause ?? e.kind), ['JOIN', 'BACK']);
    await w.s.disconnect(DOC, back, 'SERVER');
    await w.pass(29999);
    has(await w.s.status(DOC), { lock: { queued: 1 } });
    await w.pass(1);
    const swept = await w.s.sweep();
    assert.ok(swept.events.some((e) => e.cause === 'GONE' && e.waiter.user === 'bob' && !e.there));
    assert.deepEqual(await w.s.redis.command('ZRANGE', w.s.key('due'), 0, -1), ['i:i1']);
    assert.deepEqual(await keys(w), []);
});

test('a lock that is free while somebody is away stays known until that is over', async () => {
    const { w, ann, bob, cy } = await queue();
    await w.s.acquire(DOC, bob);
    await w.s.disconnect(DOC, bob, 'LOST');
    has(await w.s.release(DOC, ann), { lock: { state: 'free', queued: 1 } });
    has(await w.s.acquire(DOC, cy), { outcome: 'GRANTED', lock: { user: 'cy', queued: 1 } });
    await w.s.release(DOC, cy);
    const joined = await w.s.join(DOC, w.again(bob));
    has(joined, { lock: { state: 'reserved', user: 'bob', queued: 0 } });
    assert.deepEqual(joined.events.map((e) => e.cause ?? e.kind), ['JOIN', 'BACK', 'RESERVED']);
    await w.s.disconnect(DOC, { ...bob, session: joined.members.find((m) => m.user === 'bob').session }, 'LEFT');
    has(await w.s.status(DOC), { lock: { state: 'free' } });
    assert.deepEqual(await keys(w), []);
});

test('a request: one a user, denied, timed out, cancelled, approved, and its repeats', async () => {
    const { w, ann, bob, cy, token } = await queue({ waiters: 0 });
    has(await w.s.request(DOC, ann, 'r0'), { outcome: 'OWN', events: [] });
    const asked = await w.s.request(DOC, bob, 'r1', { message: 'please' });
    has(asked, { outcome: 'REQUESTED', place: { request: 'r1', ends: w.s.ms + 120000 } });
    has(asked.events[0], { cause: 'REQUESTED', waiter: { kind: 2, message: 'please' } });
    has(await w.s.request(DOC, w.tab('bob', 2), 'r2'), { outcome: 'NOT_JOINED' });
    has(await w.s.request(DOC, bob, 'r3'), { outcome: 'REQUESTED', place: { request: 'r1' }, events: [] });
    for (const [who, id, outcome] of [[bob, 'r1', 'NOT_HOLDER'], [cy, 'r1', 'NOT_HOLDER'], [ann, 'none', 'UNKNOWN_REQUEST']]) {
        has(await w.s.reply(DOC, who, 'REQUEST', id, 'APPROVE'), { outcome, events: [] });
    }
    has(await w.s.reply(DOC, ann, 'REQUEST', 'r1', 'IGNORE'), { outcome: 'REPLIED', events: [] });
    has((await w.s.reply(DOC, ann, 'REQUEST', 'r1', 'DENY')).events[0], { cause: 'DENIED', there: false });
    await w.s.request(DOC, bob, 'r4');
    has(await w.s.withdraw(DOC, cy, 'REQUEST', 'r4'), { outcome: 'UNKNOWN_REQUEST', events: [] });
    has((await w.s.withdraw(DOC, bob, 'REQUEST', 'r4')).events[0], { cause: 'CANCELLED', there: false });
    await w.s.request(DOC, bob, 'r5');
    await w.pass(120000);
    await w.s.heartbeat(DOC, ann);
    has((await w.s.status(DOC)).lock, { state: 'held', queued: 0 });
    await w.s.request(DOC, bob, 'r6');
    const approved = await w.s.reply(DOC, ann, 'REQUEST', 'r6', 'APPROVE', 'v3');
    assert.deepEqual(causes(approved), ['TRANSFERRED']);
    has(approved.events[0], { lock: { state: 'reserved', user: 'bob' }, ended: { token, reason: 'TRANSFERRED', revision: 'v3', request: 'r6' } });
    has(await w.s.reply(DOC, ann, 'REQUEST', 'r6', 'APPROVE'), { outcome: 'REPLIED', events: [] });
    has(await w.s.reply(DOC, ann, 'REQUEST', 'r6', 'DENY'), { outcome: 'UNKNOWN_REQUEST', events: [] });
    has(await w.s.claim(DOC, bob), { outcome: 'GRANTED' });
});

test('an asker who is away is not given the lock by approval', async () => {
    const { w, ann, bob, token } = await queue({ waiters: 0 });
    await w.s.request(DOC, bob, 'r1');
    await w.s.disconnect(DOC, bob, 'LOST');
    has(await w.s.reply(DOC, ann, 'REQUEST', 'r1', 'APPROVE'), { outcome: 'UNKNOWN_REQUEST', lock: { token, state: 'held' }, events: [] });
});

test('a takeover: one pending, denied and forced, its administrator goes', async () => {
    const { w, ann, bob, cy, token } = await queue();
    has(await w.s.takeover(DOC, bob, 't1'), { outcome: 'PENDING', lock: { token, takeover: { request: 't1', forceAt: w.s.ms + 30000 } } });
    has(await w.s.takeover(DOC, cy, 't2'), { outcome: 'TAKEOVER_IN_PROGRESS', events: [] });
    has(await w.s.reply(DOC, ann, 'TAKEOVER', 't2', 'APPROVE'), { outcome: 'UNKNOWN_REQUEST' });
    has((await w.s.reply(DOC, ann, 'TAKEOVER', 't1', 'DENY')).events[0], { kind: 'TAKEOVER', cause: 'DENIED' });
    await w.pass(30000);
    const forced = await w.s.sweep();
    has(forced.events[0], { cause: 'TAKEN_BY_ADMIN', lock: { user: 'bob' }, ended: { token, by: 'Bob' }, takeover: { ended: 'DENIED' } });
    has(await w.s.takeover(DOC, cy, 't3'), { outcome: 'PENDING' });
    const gone = await w.s.disconnect(DOC, cy, 'LOST');
    has(gone.events[0], { kind: 'TAKEOVER', cause: 'CANCELLED', takeover: { ended: 'ADMIN_GONE' } });
    await w.pass(30000);
    has((await w.s.status(DOC)).lock, { user: 'bob', state: 'held', takeover: null, other: 0 });
});

test('a holder who goes while a takeover is pending gives it the lock, whatever the type says', async () => {
    for (const how of ['LOST', 'SERVER', 'LEFT']) {
        const { w, ann, bob } = await queue();
        await w.s.takeover(DOC, bob, 't1');
        const gone = await w.s.disconnect(DOC, ann, how);
        has(gone.events[0], { cause: 'TAKEN_BY_ADMIN', lock: { user: 'bob' }, takeover: { ended: 'HOLDER_GONE' }, ended: { reason: 'DISCONNECT' } });
    }
});

test('reserved: a takeover puts its beneficiary at the head again', async () => {
    const { w, ann, bob, cy, dan } = await queue();
    await w.s.acquire(DOC, bob);
    await w.s.acquire(DOC, cy);
    await w.s.release(DOC, ann);
    const taken = await w.s.takeover(DOC, dan, 't1');
    has(taken, { outcome: 'GRANTED', lock: { user: 'dan', queued: 2 } });
    assert.deepEqual(await w.redis.command('ZRANGE', w.s.key(`queue:${DOC}`), 0, -1), ['tab-bob-1:bob', 'tab-cy-1:cy']);
    has(await w.s.release(DOC, dan), { lock: { state: 'reserved', user: 'bob' } });
});

test('prompt: any claim, with a queue the first one here; never after a plain grace', async () => {
    const { w, ann, bob, cy } = await queue({ disconnect: 'prompt' });
    has(await w.s.disconnect(DOC, ann, 'LOST'), { lock: { state: 'grace', prompt: 1 } });
    has(await w.s.acquire(DOC, bob), { outcome: 'QUEUED' });
    has(await w.s.claim(DOC, cy), { outcome: 'GRACE', events: [] });
    const claimed = await w.s.claim(DOC, bob);
    has(claimed, { outcome: 'GRANTED', lock: { user: 'bob', prompt: 0, queued: 0 }, previous: { reason: 'CLAIMED' } });
    has(await w.s.disconnect(DOC, bob, 'SERVER'), { lock: { state: 'grace', prompt: 0 } });
    has(await w.s.claim(DOC, cy), { outcome: 'GRACE', events: [] });
});

test('what an emptied store forgot of those who wait is put back by a report', async () => {
    for (const state of ['held', 'reserved']) {
        const { w, ann, bob, cy, dan, token } = await queue();
        await w.s.acquire(DOC, bob);
        await w.s.acquire(DOC, cy);
        if (state === 'held') {
            await w.s.takeover(DOC, dan, 't1');
        } else {
            await w.s.release(DOC, ann);
        }
        const before = await w.s.join(DOC, w.tab('eve'));
        await w.redis.command('FLUSHALL');
        await w.s.setClock(w.s.ms);
        w.s.isPrivate = false;
        const { window } = await w.s.renew('i1');
        assert.ok(window > 0);
        const here = [ann, bob, cy, dan].map((t) => member(t, w.s.ms));
        const told = before.lock;
        const r = await w.s.report(DOC, 'i1', here, lockOf(ann, told), w.policy,
            { takeover: told.takeover, waiters: before.waiters, highest: before.rev });
        has(r.lock, { state, user: state === 'held' ? 'ann' : 'bob', token: state === 'held' ? token : 0, queued: state === 'held' ? 2 : 1 });
        assert.deepEqual(r.waiters.map((x) => x.user).sort(), ['bob', 'cy']);
        assert.equal(r.lock.takeover?.request, state === 'held' ? 't1' : undefined);
        has(await w.s.report(DOC, 'i2', [], lockOf(ann, told), w.policy, { waiters: before.waiters, highest: before.rev }),
            { lock: { queued: state === 'held' ? 2 : 1 } });
        await w.s.advance(3000);
        await w.s.reportDone('i1', window);
        await w.s.renew('i1');
        if (state === 'held') {
            has(await w.s.withdraw(DOC, dan, 'TAKEOVER', 't1'), { outcome: 'WITHDRAWN' });
            has(await w.s.release(DOC, ann), { lock: { state: 'reserved', user: 'bob' } });
        }
        has(await w.s.claim(DOC, bob), { outcome: 'GRANTED', lock: { queued: 1 } });
    }
});

test('inside a window nobody waits, asks or takes over', async () => {
    const { w, ann, bob } = await queue();
    await w.redis.command('HSET', w.s.key('meta'), 'replid', 'f'.repeat(40));
    for (const r of [await w.s.acquire(DOC, bob), await w.s.claim(DOC, bob), await w.s.request(DOC, bob, 'r1'), await w.s.takeover(DOC, bob, 't1'),
        await w.s.reply(DOC, ann, 'REQUEST', 'r1', 'APPROVE'), await w.s.withdraw(DOC, bob, 'QUEUE')]) {
        has(r, { outcome: 'RECOVERING', events: [] });
    }
});

test('a tab that waited and takes the lock from the user’s other tab waits no more', async () => {
    const { w, ann, bob } = await queue();
    const other = w.tab('bob', 2);
    await w.s.join(DOC, other);
    await w.s.acquire(DOC, bob);
    await w.s.release(DOC, ann);
    await w.s.claim(DOC, other); // any tab of whose turn it is
    has(await w.s.status(DOC), { lock: { user: 'bob', client: other.client, queued: 0 } });
    await w.s.release(DOC, other);
    await w.s.acquire(DOC, ann);
    await w.s.acquire(DOC, bob);
    await w.s.takeover(DOC, other, 't1', { length: 0 });
    has(await w.s.acquire(DOC, bob, { takeOwn: true }), { outcome: 'GRANTED', lock: { queued: 0 } });
    has(await w.s.release(DOC, bob), { lock: { state: 'free' } });
    assert.deepEqual(await keys(w), []);
});
