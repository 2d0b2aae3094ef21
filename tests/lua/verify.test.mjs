// Whether a fencing token is that of the lock as it stands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOC, START, World, useRedis } from './world.mjs';

useRedis();

// ann has DOC under `token`; bob is in the room.
async function held(options) {
    const w = await World.create(options);
    const ann = w.tab('ann');
    const bob = w.tab('bob');
    await w.s.join(DOC, bob);
    const { lock } = await w.s.join(DOC, ann, { edit: true });
    return { w, ann, bob, token: lock.token };
}

test('the token of the lock as it stands', async () => {
    const { w, ann, token } = await held();
    const reply = await w.s.verify(DOC, token);
    assert.equal(reply.outcome, 'NONE');
    assert.deepEqual([reply.lock.token, reply.lock.user, reply.lock.expires], [token, 'ann', START + 300000]);
    assert.deepEqual(reply.events, []);
    assert.equal((await w.s.verify('doc:1:other', token)).outcome, 'LOST');
    await w.s.disconnect(DOC, ann, 'LOST');
    const grace = await w.s.verify(DOC, token);
    assert.deepEqual([grace.outcome, grace.lock.state], ['NONE', 'grace'], 'nobody else has it yet');
});

test('a grant that is over: how it ended, and who came after', async () => {
    const { w, ann, bob, token } = await held();
    await w.s.release(DOC, ann);
    const released = await w.s.verify(DOC, token);
    assert.equal(released.outcome, 'LOST');
    assert.deepEqual([released.lost.reason, released.lost.ended, released.lost.user], ['RELEASED', w.s.ms, 'ann']);
    assert.equal(released.previous, null, 'nobody came after');
    const second = (await w.s.acquire(DOC, bob)).lock.token;
    assert.equal((await w.s.verify(DOC, second)).outcome, 'NONE');
    const stale = await w.s.verify(DOC, token);
    assert.deepEqual([stale.outcome, stale.lost.reason, stale.lock.token], ['LOST', 'RELEASED', second]);
    await w.s.release(DOC, bob);
    const over = await w.s.verify(DOC, token);
    assert.deepEqual([over.previous.token, over.previous.user, over.lock.state], [second, 'bob', 'free']);
    assert.equal((await w.s.verify(DOC, second)).previous, null, 'the latest is not followed by an earlier one');
});

test('what is due is settled first', async () => {
    const { w, token } = await held();
    await w.pass(300000);
    const reply = await w.s.verify(DOC, token);
    assert.deepEqual([reply.outcome, reply.lost.reason, reply.lost.ended], ['LOST', 'EXPIRED', w.s.ms]);
    assert.deepEqual(reply.events.map((e) => e.cause), ['EXPIRED']);
    assert.deepEqual((await w.s.verify(DOC, token)).events, []);
});

test('a token that nobody remembers', async () => {
    const { w, token } = await held();
    const earlier = await w.s.verify(DOC, token - 1);
    assert.deepEqual([earlier.outcome, earlier.lost.reason, earlier.lost.token], ['LOST', 'STALE_TOKEN', token - 1]);
    const later = await w.s.verify(DOC, token + 1);
    assert.deepEqual([later.outcome, later.lost.reason], ['LOST', 'NOT_HELD']);
    const free = await w.s.verify('doc:1:free', 9007199254740991);
    assert.deepEqual([free.outcome, free.lost.reason, free.lost.token], ['LOST', 'NOT_HELD', 9007199254740991]);
});

test('inside a recovery window nobody can say', async () => {
    const { w, token } = await held();
    await w.s.redis.command('HSET', w.s.key('meta'), 'replid', 'another');
    const reply = await w.s.verify(DOC, token);
    assert.equal(reply.outcome, 'RECOVERING');
    assert.ok(reply.window > 0);
});

test('after notAfter it says nothing', async () => {
    const { w, token } = await held();
    assert.equal((await w.s.verify(DOC, token, { notAfter: w.s.ms - 1 })).status, 'LATE');
});
