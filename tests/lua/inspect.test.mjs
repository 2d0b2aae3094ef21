// What operators read: a lock with all that belongs to it, what an acquire would get, and lists of locks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOC, START, World, causes, useRedis } from './world.mjs';

useRedis();

const outcome = async (w, user, policy = w.policy, resource = DOC) => (await w.s.inspect(resource, user, policy)).outcome;
const dump = async (w) => {
    const keys = (await w.keys()).sort();
    return Promise.all(keys.map(async (key) => [key, await w.redis.command('DUMP', key)]));
};

// What the script says for a new tab of the user, and what that tab then gets.
async function agrees(w, user, expected, policy = w.policy) {
    assert.equal(await outcome(w, user, policy), expected);
    const tab = { ...w.tab(user, w.next), policy };
    await w.s.join(DOC, tab);
    assert.equal((await w.s.acquire(DOC, tab)).outcome, expected);
}

test('a free lock, and one that another has', async () => {
    const w = await World.create();
    assert.equal(await outcome(w, ''), 'NONE');
    await agrees(w, 'ann', 'GRANTED');
    await agrees(w, 'bob', 'HELD');
    await agrees(w, 'ann', 'HELD_BY_YOU');
});

test('a lock in grace, also under prompt', async () => {
    for (const disconnect of ['grace', 'prompt']) {
        const w = await World.create({ policy: { disconnect } });
        const { ann } = await w.given('held');
        await w.s.disconnect(DOC, ann, 'LOST');
        await agrees(w, 'bob', 'GRACE');
        await agrees(w, 'ann', 'HELD_BY_YOU');
    }
});

test('with a queue: a place, until it is full', async () => {
    const w = await World.create({ policy: { waiters: 1 } });
    await w.given('held');
    await agrees(w, 'bob', 'QUEUED');
    await agrees(w, 'cy', 'QUEUE_FULL');
    assert.equal(await outcome(w, 'cy', { ...w.policy, waiters: -1 }), 'QUEUED');
    assert.equal(await outcome(w, 'cy', { ...w.policy, waiters: 0 }), 'HELD');
});

test('a reserved lock', async () => {
    const w = await World.create({ policy: { waiters: 1 } });
    const { ann, bob } = await w.given('held');
    await w.s.acquire(DOC, bob);
    await w.s.release(DOC, ann);
    assert.equal(await outcome(w, 'cy', { ...w.policy, waiters: 0 }), 'RESERVED');
    await agrees(w, 'cy', 'QUEUED');
    await agrees(w, 'bob', 'GRANTED');
});

test('at the limit of tabs', async () => {
    const w = await World.create({ policy: { tabs: 2 } });
    const ann = w.tab('ann');
    for (const child of ['a', 'b']) {
        await w.s.join(`doc:1:${child}`, ann, { edit: true });
    }
    await agrees(w, 'ann', 'TAB_LIMIT');
    assert.equal((await w.s.inspect(DOC, 'ann', w.policy)).limit, 2);
    assert.equal(await outcome(w, 'ann', w.policy, 'doc:1:b'), 'HELD_BY_YOU');
    assert.equal(await outcome(w, 'ann', { ...w.policy, tabs: -1 }), 'GRANTED');
    await w.pass(299999);
    assert.equal(await outcome(w, 'ann'), 'TAB_LIMIT');
    await w.pass(1);
    assert.equal(await outcome(w, 'ann'), 'GRANTED', 'those have expired, swept or not');
});

test('inside a recovery window nobody can say', async () => {
    const w = await World.create();
    await w.given('held');
    await w.redis.command('HSET', w.s.key('meta'), 'replid', 'another');
    for (const user of ['ann', 'bob']) assert.equal(await outcome(w, user), 'RECOVERING');
    const reply = await w.s.inspect(DOC, '', w.policy);
    assert.deepEqual([reply.outcome, reply.lock.user], ['NONE', 'ann']);
});

test('nothing changes by it', async () => {
    const w = await World.create({ policy: { waiters: 5, tabs: 1 } });
    const { ann, bob } = await w.given('held');
    await w.s.acquire(DOC, bob);
    await w.s.join('doc:1:other', ann, { edit: true });
    await w.s.disconnect(DOC, w.tab('cy'), 'LOST');
    const before = await dump(w);
    for (const user of ['', 'ann', 'bob', 'cy']) {
        for (const waiters of [0, 1, 5, -1]) {
            const reply = await w.s.inspect(DOC, user, { ...w.policy, waiters });
            assert.deepEqual(reply.events, []);
        }
    }
    await w.s.list([DOC, 'doc:1:other', 'doc:1:none']);
    assert.deepEqual(await dump(w), before);
});

test('all that belongs to a lock', async () => {
    const w = await World.create({ policy: { waiters: 5 } });
    const { ann, bob, token } = await w.given('held');
    await w.s.acquire(DOC, bob);
    const cy = w.tab('cy');
    await w.s.join(DOC, cy, { edit: true });
    await w.s.request(DOC, cy, 'r1', { message: 'please' });
    const reply = await w.s.inspect(DOC, '', w.policy);
    assert.deepEqual([reply.lock.user, reply.lock.token, reply.lock.queued], ['ann', token, 2]);
    assert.deepEqual(reply.waiters.map((v) => [v.user, v.kind, v.request]), [['bob', 1, ''], ['cy', 3, 'r1']]);
    assert.deepEqual(reply.members.map((m) => m.user).sort(), ['ann', 'bob', 'cy']);
    assert.equal(reply.count, 3);
    assert.deepEqual(reply.names, []);
    const few = await w.s.inspect(DOC, '', { ...w.policy, listed: 2 });
    assert.deepEqual([few.members.length, few.count], [2, 3]);
    assert.ok(few.members.some((m) => m.user === 'ann'), 'the holder is listed');
    await w.s.release(DOC, ann);
    const turn = await w.s.inspect(DOC, '', w.policy);
    assert.deepEqual(turn.waiters.map((v) => v.user), ['cy', 'bob'], 'who has the turn is last');
    assert.equal(turn.names.length, 1);
});

test('what is due is settled first', async () => {
    const w = await World.create();
    await w.given('held');
    await w.pass(300000);
    const reply = await w.s.inspect(DOC, 'bob', w.policy);
    assert.deepEqual([reply.outcome, reply.lock.state, causes(reply)], ['GRANTED', 'free', ['EXPIRED']]);
    assert.equal(reply.names.length, 1);
});

test('a list has what is not free, of a user if one is asked for', async () => {
    const w = await World.create({ policy: { waiters: 5 } });
    const { ann, bob } = await w.given('held');
    await w.s.join('doc:1:b', bob, { edit: true });
    await w.s.join('doc:1:c', ann, { edit: true });
    await w.s.disconnect('doc:1:c', ann, 'LOST');
    await w.s.acquire(DOC, bob);
    await w.s.release(DOC, ann);
    await w.redis.command('SET', w.s.key('lock:doc:1:bad'), 'not a lock');
    const all = ['doc:1:none', DOC, 'doc:1:bad', 'doc:1:b', 'doc:1:c'];
    const { locks, events } = await w.s.list(all);
    assert.deepEqual(locks.map(([name, l]) => [name, l.state, l.user]),
        [[DOC, 'reserved', 'bob'], ['doc:1:b', 'held', 'bob'], ['doc:1:c', 'grace', 'ann']]);
    assert.deepEqual(events, []);
    assert.deepEqual((await w.s.list(all, 'ann')).locks.map(([name]) => name), ['doc:1:c']);
    assert.deepEqual((await w.s.list(all, 'nobody')).locks, []);
    assert.deepEqual((await w.s.list(all, '', 'DOC:1:C')).locks.map(([name]) => name), ['doc:1:c']);
    assert.deepEqual((await w.s.list(all, '', '.')).locks, []);
    assert.deepEqual((await w.s.list([])).locks, []);
    assert.equal((await w.s.list(['doc:1:b'])).locks[0][1].since, START);
});
