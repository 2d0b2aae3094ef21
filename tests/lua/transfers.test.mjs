// The cells of the table state × event that are about those who wait, requests, claims and takeovers: each row of
// `CELLS` is one, and each of `RACES` is one order of two events. Beside waiters.test.mjs, which tells stories.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOC, has, START, useRedis, World } from './world.mjs';

useRedis();

const told = (r) => r.events.map((e) => e.cause ?? e.kind);
const idOf = (t) => `${t.client}:${t.user}`;
const keys = async (w) => (await w.keys()).map((k) => k.replace(/^.*\}:/, ''));
const waitingKeys = async (w) => (await keys(w)).filter((k) => /^(queue|waiter|lock):/.test(k));
const order = (w) => w.redis.command('ZRANGE', w.s.key(`queue:${DOC}`), 0, -1);

// All that the store holds.
async function contents(w) {
    const names = (await w.keys()).sort();
    return Promise.all(names.map(async (name) => [name, await w.redis.command('DUMP', name)]));
}

// ann had DOC first; bob, cy and dee are in the room, dee is the administrator. Who waits, waits in that order; under
// `reserved` it is the turn of the first.
async function party(state, { waits = state === 'reserved' ? ['bob'] : [], ...policy } = {}) {
    const w = await World.create({ policy: { waiters: 3, ...policy } });
    const p = { w };
    for (const user of ['bob', 'cy', 'dee', 'ann']) {
        p[user] = w.tab(user);
        await w.s.join(DOC, p[user]);
    }
    if (state === 'free') {
        return p;
    }
    p.token = (await w.s.acquire(DOC, p.ann)).lock.token;
    for (const user of waits) {
        has(await w.s.acquire(DOC, p[user]), { outcome: 'QUEUED' });
    }
    if (state === 'grace') {
        await w.s.disconnect(DOC, p.ann, policy.disconnect === 'prompt' ? 'LOST' : 'SERVER');
    } else if (state === 'reserved') {
        await w.s.release(DOC, p.ann, { token: p.token });
    }
    return p;
}

// A connection of ann's is back to view, her lock still in grace.
async function annViews(w, p) {
    p.ann = w.again(p.ann);
    has(await w.s.join(DOC, p.ann), { lock: { state: 'grace' } });
}

// The store is not the one that it was: a window is open, with all there that was.
const openWindow = (w) => w.redis.command('HSET', w.s.key('meta'), 'replid', 'f'.repeat(40));

async function closeWindow(w) {
    const { window } = await w.s.renew('i1');
    has(await w.s.reportDone('i1', window), { window: 0 });
}

const LOCK = (state, user, more = {}) => ({ lock: { state, user, ...more } });
const FREE = LOCK('free', '');
const acquire = (who, options) => (w, p) => w.s.acquire(DOC, p[who], options);
const claim = (who) => (w, p) => w.s.claim(DOC, p[who]);
const joins = (user, number, options) => (w) => w.s.join(DOC, w.tab(user, number, options), { edit: true });
const ask = async (w, p, who = 'bob') => has(await w.s.request(DOC, p[who], 'r1', { message: 'please' }), { outcome: 'REQUESTED' });
const pend = async (w, p, id = 't1') => has(await w.s.takeover(DOC, p.dee, id), { outcome: 'PENDING' });
const OF_DEE = (ended) => ({ cause: 'TAKEN_BY_ADMIN', takeover: { request: 't1', user: 'dee', ended } });
// dee has the lock, by a takeover.
const toDee = (ended, reason) => (r, p) => {
    const e = r.events.find((x) => x.kind === 'LOCK');
    has(e, { takeover: { user: 'dee', ended }, lock: { state: 'held', user: 'dee', token: e.rev, takeover: null } });
    has(e, { ended: { token: p.token, reason, user: 'ann' } });
    assert.ok(e.rev > p.token);
};

const operate = (w, what, user = '', { policy = w.policy, ...options } = {}) => w.s.operate(DOC, what, user, policy, options);
const terminate = (who) => (w, p) => w.s.disconnect(DOC, p[who], 'TERMINATED');

// [event, state, options of the party, what happens, what it answers, causes of the events, more checks (reply, p, w)]
const CELLS = [
    // ---- acquire, and joining as an editor ----
    ['editor without clientId, the beneficiary’s user', 'reserved', { waits: [] }, async (w, p) => {
        const made = w.tab('eve', 1, { made: true });
        await w.s.join(DOC, made);
        await w.s.acquire(DOC, p.ann);
        await w.s.acquire(DOC, made);
        await w.s.release(DOC, p.ann);
        return joins('eve', 1, { made: true })(w);
    }, { outcome: 'GRANTED', resumed: false, ...LOCK('held', 'eve') }, ['JOIN', 'CLAIMED'],
    async (r, p, w) => assert.deepEqual(await waitingKeys(w), [`lock:${DOC}`])],
    ['other tab of the beneficiary’s user', 'reserved', {}, joins('bob', 2),
        { outcome: 'GRANTED', ...LOCK('held', 'bob', { client: 'tab-bob-2' }) },
        ['JOIN', 'CLAIMED'], async (r, p, w) => assert.deepEqual(await waitingKeys(w), [`lock:${DOC}`])],
    ['takeOwn by the beneficiary’s user', 'reserved', {}, async (w) => {
        const other = w.tab('bob', 2);
        await w.s.join(DOC, other);
        return w.s.acquire(DOC, other, { takeOwn: true });
    }, { outcome: 'GRANTED', ...LOCK('held', 'bob') }, ['CLAIMED']],
    ['takeOwn while a takeover is pending', 'held', {}, async (w, p) => {
        await pend(w, p);
        const other = w.tab('ann', 2);
        await w.s.join(DOC, other);
        return w.s.acquire(DOC, other, { takeOwn: true });
    }, { outcome: 'GRANTED', ...LOCK('held', 'ann', { client: 'tab-ann-2', takeover: { request: 't1' } }) },
        ['MOVED']],
    ['the owner’s tab back while a takeover is pending', 'held', {}, async (w, p) => {
        await pend(w, p);
        return joins('ann', 1)(w);
    }, { outcome: 'GRANTED', resumed: true, ...LOCK('held', 'ann', { takeover: { request: 't1' } }) }, ['JOIN', 'RESUMED']],
    ['other user, a type without a queue', 'reserved', {},
        async (w, p) => w.s.acquire(DOC, { ...p.cy, policy: { ...w.policy, waiters: 0 } }),
        { outcome: 'RESERVED', ...LOCK('reserved', 'bob') }, []],
    ...['held', 'grace', 'reserved'].flatMap((state) => [
        ['other user, a type with a queue', state, {}, acquire('cy'), { outcome: 'QUEUED', place: { position: 1 } }, ['QUEUED']],
        ['other user joins, a type with a queue', state, {}, joins('eve', 1),
            { outcome: 'QUEUED', joined: true, place: { position: 1 } }, ['JOIN', 'QUEUED']],
        ['other user, takeOwn, a type with a queue', state, {}, acquire('cy', { takeOwn: true }), { outcome: 'QUEUED' },
            ['QUEUED']],
        ['other user, a full queue', state, { waits: ['bob', 'cy'], waiters: 2 }, async (w, p) => {
            if (state === 'reserved') {
                await w.s.acquire(DOC, p.ann);
            }
            const before = await contents(w);
            const r = await w.s.acquire(DOC, p.dee);
            assert.deepEqual(await contents(w), before);
            return r;
        }, { outcome: 'QUEUE_FULL' }, []],
    ]),
    ['other user joins, a full queue', 'held', { waits: ['bob'], waiters: 1 }, joins('eve', 1),
        { outcome: 'QUEUE_FULL', joined: true }, ['JOIN']],
    ['the beneficiary acquires', 'reserved', {}, acquire('bob'),
        { outcome: 'GRANTED', ...LOCK('held', 'bob', { queued: 0 }), previous: { user: 'ann' } },
        ['CLAIMED'], (r) => assert.equal(r.lock.token, r.events[0].rev)],
    ['the beneficiary joins to edit', 'reserved', {}, joins('bob', 1), { outcome: 'GRANTED', ...LOCK('held', 'bob') },
        ['JOIN', 'CLAIMED']],
    ['another acquires, absent waiters are left', 'free', {}, async (w, p) => {
        await w.s.acquire(DOC, p.ann);
        await w.s.acquire(DOC, p.bob);
        await w.s.disconnect(DOC, p.bob, 'LOST');
        has(await w.s.release(DOC, p.ann), FREE);
        return w.s.acquire(DOC, p.cy);
    }, { outcome: 'GRANTED', ...LOCK('held', 'cy', { queued: 1 }) }, ['ACQUIRED']],
    ...['free', 'held', 'reserved'].map((state) =>
        ['over the tab limit', state, { tabs: 1, waits: state === 'reserved' ? ['bob', 'cy'] : [] },
        async (w, p) => {
            await w.s.join('doc:1:other', p.bob, { edit: true });
            return w.s.acquire(DOC, p.bob);
        }, { outcome: 'TAB_LIMIT', limit: 1, names: ['doc:1:other'], ...(state === 'reserved' ? LOCK('reserved', 'cy') : {}) },
        state === 'reserved' ? ['LEFT', 'RESERVATION_EXPIRED'] : []]),
    ['over the tab limit, joining', 'reserved', { tabs: 1 }, async (w, p) => {
        await w.s.join('doc:1:other', p.bob, { edit: true });
        return w.s.join(DOC, w.again(p.bob), { edit: true });
    }, { outcome: 'TAB_LIMIT', joined: true, ...FREE }, ['JOIN', 'LEFT', 'RESERVATION_EXPIRED']],

    // ---- heartbeat, release, leave, close 1000 ----
    ...['bob', 'ann', 'cy'].map((who) =>
        [`heartbeat by ${who}`, 'reserved', {}, (w, p) => w.s.heartbeat(DOC, p[who], { token: p.token }),
        { outcome: 'LOST', lost: { reason: 'NOT_HELD' }, ...LOCK('reserved', 'bob') }, []]),
    ['release', 'held', { waits: ['bob', 'cy'] }, (w, p) => w.s.release(DOC, p.ann, { token: p.token, revision: 'v1' }),
        { outcome: 'RELEASED', ...LOCK('reserved', 'bob', { queued: 1, until: START + 30000, token: 0, dirty: 0 }),
            next: START + 30000 }, ['RELEASED'],
        (r, p) => has(r.events[0], { ended: { token: p.token, revision: 'v1' } })],
    ['release', 'grace', { waits: ['bob'] }, async (w, p) => { await annViews(w, p); return w.s.release(DOC, p.ann); },
        { outcome: 'RELEASED', ...LOCK('reserved', 'bob') }, ['RELEASED']],
    ['release by the beneficiary', 'reserved', { waits: ['bob', 'cy'] }, (w, p) => w.s.release(DOC, p.bob),
        { outcome: 'RELEASED', ...LOCK('reserved', 'cy', { queued: 0 }) }, ['LEFT', 'RESERVATION_EXPIRED']],
    ['given up', 'held', { waits: ['bob'] }, (w, p) => w.s.release(DOC, p.ann, { token: p.token, why: 'STORE_LOST' }),
        { outcome: 'RELEASED', ...LOCK('reserved', 'bob') }, ['STORE_LOST']],
    ['given up where it is one’s own turn', 'reserved', {}, (w, p) => w.s.release(DOC, p.bob, { token: p.token, why: 'STORE_LOST' }),
        { outcome: 'NOT_HOLDER', ...LOCK('reserved', 'bob') }, []],
    ['release by another', 'reserved', {}, (w, p) => w.s.release(DOC, p.cy), { outcome: 'NOT_HOLDER', ...LOCK('reserved', 'bob') },
        []],
    ['release by the last holder, repeated', 'reserved', {}, (w, p) => w.s.release(DOC, p.ann, { token: p.token }),
        { outcome: 'RELEASED' }, []],
    ['leave by the owner', 'held', { waits: ['bob'] }, (w, p) => w.s.leave(DOC, p.ann), LOCK('reserved', 'bob'),
        ['RELEASED', 'LEAVE']],
    ['leave by the owner', 'grace', { waits: ['bob'] }, async (w, p) => { await annViews(w, p); return w.s.leave(DOC, p.ann); },
        LOCK('reserved', 'bob'), ['RELEASED', 'LEAVE']],
    ['close 1000 of the owner', 'held', { waits: ['bob'] }, (w, p) => w.s.disconnect(DOC, p.ann, 'LEFT'), LOCK('reserved', 'bob'),
        ['DISCONNECT', 'LEAVE']],
    ...['leave', 'close 1000'].map((how) => [`${how} of the beneficiary`, 'reserved', { waits: ['bob', 'cy'] },
        (w, p) => (how === 'leave' ? w.s.leave(DOC, p.bob) : w.s.disconnect(DOC, p.bob, 'LEFT')),
            LOCK('reserved', 'cy', { queued: 0 }),
        ['LEFT', 'RESERVATION_EXPIRED', 'LEAVE']]),
    ...['held', 'grace', 'reserved'].map((state) =>
        ['leave of a waiter', state, { waits: ['bob', 'cy'] }, (w, p) => w.s.leave(DOC, p.cy),
        { lock: { state, queued: state === 'reserved' ? 0 : 1 } }, ['LEFT', 'LEAVE']]),

    // ---- the owner's connection ends otherwise ----
    ...['LOST', 'SERVER'].flatMap((how) => [
        [`the owner’s connection ends, ${how}, takeover pending`, 'held', {},
            async (w, p) => { await pend(w, p); return w.s.disconnect(DOC, p.ann, how); },
            LOCK('held', 'dee'), ['TAKEN_BY_ADMIN', 'LEAVE'], toDee('HOLDER_GONE', 'DISCONNECT')],
        [`the owner’s connection ends, ${how}, prompt`, 'held', { disconnect: 'prompt' }, (w, p) => w.s.disconnect(DOC, p.ann, how),
            LOCK('grace', 'ann', { prompt: how === 'LOST' ? 1 : 0, until: START + 30000 }), ['GRACE_STARTED', 'LEAVE']],
        [`the owner’s connection ends, ${how}, somebody waits`, 'held', { waits: ['bob'] },
            (w, p) => w.s.disconnect(DOC, p.ann, how),
            LOCK('grace', 'ann', { queued: 1 }), ['GRACE_STARTED', 'LEAVE']],
        [`the beneficiary’s connection ends, ${how}`, 'reserved', {}, (w, p) => w.s.disconnect(DOC, p.bob, how),
            LOCK('reserved', 'bob', { until: START + 30000 }), ['LEAVE']],
        ...['held', 'grace'].map((state) => [`a waiter’s connection ends, ${how}`, state, { waits: ['bob'] },
            (w, p) => w.s.disconnect(DOC, p.bob, how),
            { ...LOCK(state, 'ann', { queued: 1 }), next: START + 30000 }, ['ABSENT', 'LEAVE']]),
        [`a waiter’s connection ends, ${how}`, 'reserved', { waits: ['bob', 'cy'] }, (w, p) => w.s.disconnect(DOC, p.cy, how),
            { ...LOCK('reserved', 'bob', { queued: 1 }), next: START + 30000 }, ['ABSENT', 'LEAVE']],
    ]),
    ['the owner’s connection ends, a type that releases', 'held', { disconnect: 'release', waits: ['bob'] },
        (w, p) => w.s.disconnect(DOC, p.ann, 'LOST'),
        LOCK('reserved', 'bob'), ['DISCONNECT', 'LEAVE']],
    ['the end of an owner’s connection whose place another has', 'held', {}, async (w, p) => {
        await pend(w, p);
        await w.s.join(DOC, w.again(p.ann), { edit: true, token: p.token });
        return w.s.disconnect(DOC, p.ann, 'LOST');
    }, LOCK('held', 'ann', { takeover: { request: 't1' } }), []],
    ['the owner’s tab joins as viewer, takeover pending', 'held', {},
        async (w, p) => { await pend(w, p); return w.s.join(DOC, w.again(p.ann)); },
        { joined: true, ...LOCK('held', 'dee') }, ['JOIN', 'TAKEN_BY_ADMIN'], toDee('HOLDER_GONE', 'DISCONNECT')],
    ['the owner’s tab joins as viewer', 'held', { disconnect: 'prompt' }, (w, p) => w.s.join(DOC, w.again(p.ann)),
        LOCK('grace', 'ann', { prompt: 0 }),
        ['JOIN', 'GRACE_STARTED']],
    ['lease of the owner’s instance ends, takeover pending', 'held', {}, async (w, p) => {
        const ann = w.tab('ann', 1, { instance: 'i2' });
        await w.s.renew('i2');
        await w.s.join(DOC, ann, { edit: true, token: p.token });
        await pend(w, p);
        await w.pass(10000);
        return w.s.sweep();
    }, {}, ['TAKEN_BY_ADMIN', 'LEAVE'], toDee('HOLDER_GONE', 'DISCONNECT')],
    ['lease of the beneficiary’s instance ends', 'reserved', {}, async (w) => {
        await w.s.renew('i2');
        await w.s.join(DOC, w.tab('bob', 1, { instance: 'i2' }));
        await w.pass(10000);
        return w.s.sweep();
    }, {}, ['LEAVE'], async (r, p, w) => has(await w.s.status(DOC), LOCK('reserved', 'bob', { until: START + 30000 }))],

    // ---- claim ----
    ['claim', 'free', {}, claim('bob'), { outcome: 'GRANTED' }, ['ACQUIRED']],
    ['claim by the owner', 'held', {}, claim('ann'), { outcome: 'GRANTED', resumed: false }, [],
        (r, p) => assert.equal(r.lock.token, p.token)],
    ['claim by another', 'held', { waits: ['bob'] }, claim('bob'), { outcome: 'HELD' }, []],
    ['claim by the owner’s other tab', 'held', {}, async (w) => {
        const other = w.tab('ann', 2);
        await w.s.join(DOC, other);
        return w.s.claim(DOC, other);
    }, { outcome: 'HELD' }, []],
    ['claim under prompt', 'grace', { disconnect: 'prompt' }, claim('bob'),
        { outcome: 'GRANTED', ...LOCK('held', 'bob', { prompt: 0, until: 0 }), previous: { reason: 'CLAIMED', by: 'Bob' } },
        ['CLAIMED'], (r, p) => has(r.events[0], { ended: { token: p.token, user: 'ann', reason: 'CLAIMED' } })],
    ['claim under prompt by the owner’s other tab', 'grace', { disconnect: 'prompt' }, async (w) => {
        const other = w.tab('ann', 2);
        await w.s.join(DOC, other);
        return w.s.claim(DOC, other);
    }, { outcome: 'GRANTED', ...LOCK('held', 'ann', { client: 'tab-ann-2' }) }, ['CLAIMED'], async (r, p, w) => {
        assert.deepEqual(await w.redis.command('HKEYS', w.s.key('held:doc:1:ann')), ['main']);
    }],
    ['claim under prompt by the owner, back', 'grace', { disconnect: 'prompt' },
        async (w, p) => { await annViews(w, p); return w.s.claim(DOC, p.ann); },
        { outcome: 'GRANTED', resumed: true, ...LOCK('held', 'ann') }, ['RESUMED']],
    ['claim under prompt, by the head of the queue', 'grace', { disconnect: 'prompt', waits: ['bob', 'cy'] }, claim('bob'),
        { outcome: 'GRANTED', ...LOCK('held', 'bob', { queued: 1 }) }, ['CLAIMED']],
    ['claim under prompt, by another than the head', 'grace', { disconnect: 'prompt', waits: ['bob', 'cy'] }, claim('cy'),
        { outcome: 'GRACE' }, []],
    ['claim under prompt, the head is absent', 'grace', { disconnect: 'prompt', waits: ['bob', 'cy'] }, async (w, p) => {
        await w.s.disconnect(DOC, p.bob, 'LOST');
        return w.s.claim(DOC, p.cy);
    }, { outcome: 'GRANTED', ...LOCK('held', 'cy', { queued: 1 }) }, ['CLAIMED']],
    ['claim under prompt, all who wait are absent', 'grace', { disconnect: 'prompt', waits: ['bob'] }, async (w, p) => {
        await w.s.disconnect(DOC, p.bob, 'LOST');
        return w.s.claim(DOC, p.cy);
    }, { outcome: 'GRANTED', ...LOCK('held', 'cy', { queued: 1 }) }, ['CLAIMED']],
    ['claim under prompt over the tab limit', 'grace', { disconnect: 'prompt', tabs: 1 }, async (w, p) => {
        await w.s.join('doc:1:other', p.bob, { edit: true });
        return w.s.claim(DOC, p.bob);
    }, { outcome: 'TAB_LIMIT', ...LOCK('grace', 'ann') }, []],
    ['claim', 'grace', { waits: ['bob'] }, claim('bob'), { outcome: 'GRACE', ...LOCK('grace', 'ann') }, []],
    ['claim by the beneficiary', 'reserved', {}, claim('bob'), { outcome: 'GRANTED', ...LOCK('held', 'bob') }, ['CLAIMED']],
    ['claim by another', 'reserved', { waits: ['bob', 'cy'] }, claim('cy'), { outcome: 'RESERVED', ...LOCK('reserved', 'bob') },
        []],

    // ---- a waiter reconnects; leaves the queue ----
    ...['held', 'grace', 'reserved'].map((state) => ['a waiter reconnects', state, { waits: ['bob', 'cy'] }, async (w, p) => {
        const who = state === 'reserved' ? 'cy' : 'bob';
        await w.s.disconnect(DOC, p[who], 'LOST');
        p.back = w.again(p[who]);
        return w.s.join(DOC, p.back);
    }, { place: { position: 1 }, lock: { state } }, ['JOIN', 'BACK'], async (r, p, w) => {
        await w.pass(29999); // nothing ends its place any more
        await w.s.heartbeat(DOC, p.ann);
        has(await w.s.join(DOC, p.back), { place: { position: 1 } });
    }]),
    ['a waiter reconnects', 'free', {}, async (w, p) => {
        await w.s.acquire(DOC, p.ann);
        await w.s.acquire(DOC, p.bob);
        await w.s.disconnect(DOC, p.bob, 'LOST');
        await w.s.release(DOC, p.ann);
        return w.s.join(DOC, w.again(p.bob));
    }, { place: { position: 0 }, ...LOCK('reserved', 'bob', { until: START + 30000 }) }, ['JOIN', 'BACK', 'RESERVED']],
    ['a waiter comes on a second connection', 'held', { waits: ['bob'] }, (w, p) => w.s.join(DOC, w.again(p.bob)),
        { place: { position: 1 } }, ['JOIN']],
    ['the beneficiary reconnects', 'reserved', {}, async (w, p) => {
        await w.s.disconnect(DOC, p.bob, 'LOST');
        return w.s.join(DOC, w.again(p.bob));
    }, { place: { position: 0 }, ...LOCK('reserved', 'bob', { until: START + 30000 }) }, ['JOIN']],
    ['queue_leave', 'free', {}, (w, p) => w.s.withdraw(DOC, p.bob, 'QUEUE'), { outcome: 'NOT_QUEUED' }, []],
    ...['held', 'grace'].flatMap((state) => [
        ['queue_leave', state, { waits: ['bob', 'cy'] }, (w, p) => w.s.withdraw(DOC, p.bob, 'QUEUE'),
            { outcome: 'WITHDRAWN', lock: { state, queued: 1 } }, ['LEFT'],
            async (r, p, w) => assert.deepEqual(await order(w), [idOf(p.cy)])],
        ['queue_leave by who does not wait', state, { waits: ['bob'] }, (w, p) => w.s.withdraw(DOC, p.cy, 'QUEUE'),
            { outcome: 'NOT_QUEUED' }, []],
    ]),
    ['queue_leave by who only asks', 'held', {}, async (w, p) => { await ask(w, p); return w.s.withdraw(DOC, p.bob, 'QUEUE'); },
        { outcome: 'NOT_QUEUED' }, []],
    ['queue_leave by who asks too', 'held', { waits: ['bob'] },
        async (w, p) => { await ask(w, p); return w.s.withdraw(DOC, p.bob, 'QUEUE'); },
        { outcome: 'WITHDRAWN', lock: { queued: 1 } }, ['LEFT'],
            (r) => has(r.events[0], { there: true, waiter: { kind: 2, request: 'r1' } })],
    ['queue_leave by the beneficiary', 'reserved', { waits: ['bob', 'cy'] }, (w, p) => w.s.withdraw(DOC, p.bob, 'QUEUE'),
        { outcome: 'WITHDRAWN', ...LOCK('reserved', 'cy') }, ['LEFT', 'RESERVATION_EXPIRED']],
    ['queue_leave by who has it reserved by request', 'held', {}, async (w, p) => {
        await ask(w, p);
        await w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'APPROVE');
        return w.s.withdraw(DOC, p.bob, 'QUEUE');
    }, { outcome: 'WITHDRAWN', ...FREE }, ['LEFT', 'RESERVATION_EXPIRED']],

    // ---- requests ----
    ['request', 'free', {}, (w, p) => w.s.request(DOC, p.bob, 'r1'),
        { outcome: 'REQUESTED', place: { request: 'r1', position: 0 }, ...LOCK('reserved', 'bob') },
        ['REQUESTED', 'RESERVED']],
    ['request, absent waiters are left', 'free', {}, async (w, p) => {
        await w.s.acquire(DOC, p.ann);
        await w.s.acquire(DOC, p.bob);
        await w.s.disconnect(DOC, p.bob, 'LOST');
        await w.s.release(DOC, p.ann);
        return w.s.request(DOC, p.cy, 'r1');
    }, { outcome: 'REQUESTED', ...LOCK('reserved', 'cy', { queued: 1 }) }, ['REQUESTED', 'RESERVED']],
    ...['held', 'grace', 'reserved'].map((state) =>
        ['request', state, {}, (w, p) => w.s.request(DOC, p.cy, 'r1', { message: 'please' }),
        { outcome: 'REQUESTED', place: { request: 'r1', position: 1, ends: START + 120000 }, lock: { state, queued: 1 } },
            ['REQUESTED'],
        (r) => has(r.events[0], { waiter: { message: 'please', kind: 2, ends: START + 120000 } })]),
    ['a second request of the same tab', 'held', {}, async (w, p) => { await ask(w, p); return w.s.request(DOC, p.bob, 'r2'); },
        { outcome: 'REQUESTED', place: { request: 'r1' } }, []],
    ['a second request of the user’s other tab', 'held', {}, async (w, p) => {
        await ask(w, p);
        const other = w.tab('bob', 2);
        await w.s.join(DOC, other);
        return w.s.request(DOC, other, 'r2');
    }, { outcome: 'REQUESTED', place: { request: 'r1', position: 1 } }, []],
    ['request by who waits in the queue', 'held', { waits: ['bob', 'cy'] }, (w, p) => w.s.request(DOC, p.bob, 'r1'),
        { outcome: 'REQUESTED', place: { request: 'r1', position: 1 } }, ['REQUESTED'],
            (r) => has(r.events[0], { queued: 2, waiter: { kind: 3 } })],
    ['request by the holder', 'held', {}, (w, p) => w.s.request(DOC, p.ann, 'r1'), { outcome: 'OWN' }, []],
    ['request by the holder’s other tab', 'held', {}, async (w) => {
        const other = w.tab('ann', 2);
        await w.s.join(DOC, other);
        return w.s.request(DOC, other, 'r1');
    }, { outcome: 'OWN' }, []],
    ['request by the beneficiary', 'reserved', {}, (w, p) => w.s.request(DOC, p.bob, 'r1'), { outcome: 'OWN' }, []],
    ['request, no place left', 'held', { waits: ['bob'] }, (w, p) => w.s.request(DOC, p.cy, 'r1', { most: 1 }),
        { outcome: 'QUEUE_FULL' }, []],
    ['APPROVE', 'held', { waits: ['cy'] },
        async (w, p) => { await ask(w, p); return w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'APPROVE', 'v2'); },
        { outcome: 'REPLIED', ...LOCK('reserved', 'bob', { queued: 1 }) }, ['TRANSFERRED'],
        (r, p) => has(r.events[0], { ended: { token: p.token, reason: 'TRANSFERRED', by: 'Bob', revision: 'v2', request: 'r1' } })],
    ['APPROVE while a takeover is pending', 'held', { waits: ['cy'] }, async (w, p) => {
        await ask(w, p);
        await pend(w, p);
        return w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'APPROVE');
    }, { outcome: 'REPLIED', ...LOCK('held', 'dee', { queued: 2 }) }, ['APPROVED', 'TRANSFERRED'], async (r, p, w) => {
        has(r.events[1], { takeover: { request: 't1', ended: 'HOLDER_RELEASED' }, ended: { reason: 'TRANSFERRED', by: 'Dee' } });
        assert.deepEqual(await order(w), [idOf(p.bob), idOf(p.cy)]);
        // Repeated, though another has the lock now; and it is told once.
        has(await w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'APPROVE'), { outcome: 'REPLIED', events: [] });
        await w.pass(119999);
        await w.s.heartbeat(DOC, p.dee);
        await w.pass(120000); // an approved request has no end
        has(await w.s.release(DOC, p.dee), LOCK('reserved', 'bob'));
    }],
    ['APPROVE, somebody approved earlier waits too', 'held', {}, async (w, p) => {
        await ask(w, p);
        await pend(w, p);
        await w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'APPROVE');
        await w.pass(1000);
        await w.s.request(DOC, p.cy, 'r2');
        return w.s.reply(DOC, p.dee, 'REQUEST', 'r2', 'APPROVE');
    }, { outcome: 'REPLIED', ...LOCK('reserved', 'bob', { queued: 1 }) }, ['APPROVED', 'TRANSFERRED'],
    (r) => has(r.events[0], { waiter: { user: 'cy', ends: 0 } })],
    ['APPROVE', 'grace', {},
        async (w, p) => { await ask(w, p); await annViews(w, p); return w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'APPROVE'); },
        { outcome: 'REPLIED', ...LOCK('reserved', 'bob') }, ['RESUMED', 'TRANSFERRED'],
            (r, p) => has(r.events[0], { lock: { token: p.token } })],
    ['DENY', 'grace', {},
        async (w, p) => { await ask(w, p); await annViews(w, p); return w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'DENY'); },
        { outcome: 'REPLIED', ...LOCK('held', 'ann') }, ['RESUMED', 'DENIED']],
    ['DENY to who waits in the queue too', 'held', { waits: ['bob'] },
        async (w, p) => { await ask(w, p); return w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'DENY'); },
        { outcome: 'REPLIED', lock: { queued: 1 } }, ['DENIED'],
            (r) => has(r.events[0], { there: true, waiter: { kind: 1, request: 'r1' } })],
    ...['free', 'reserved'].map((state) => ['APPROVE', state, {}, async (w, p) => {
        if (state === 'reserved') {
            await w.s.request(DOC, p.cy, 'r1');
        }
        return w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'APPROVE');
    }, { outcome: 'UNKNOWN_REQUEST', lock: { state } }, []]),
    ...['held', 'grace', 'reserved'].map((state) =>
        ['a request’s time is up', state, { waits: state === 'reserved' ? ['bob'] : [], grace: 200000, claim: 200000 },
        async (w, p) => {
            await ask(w, p, 'cy');
            await w.pass(119999);
            has(await w.s.status(DOC), { events: [] });
            await w.pass(1);
            return w.s.sweep();
        }, {}, ['TIMEOUT'], async (r, p, w) => {
            has(r.events[0], { there: false, queued: 0, waiter: { user: 'cy', request: 'r1' } });
            has(await w.s.status(DOC), { lock: { state } });
        }]),
    ['a request’s time is up', 'free', { request: 10000 }, async (w, p) => {
        await w.s.acquire(DOC, p.ann);
        await ask(w, p);
        await w.s.disconnect(DOC, p.bob, 'LOST');
        has(await w.s.release(DOC, p.ann), LOCK('free', '', { queued: 1 }));
        await w.pass(10000);
        return w.s.sweep();
    }, {}, ['TIMEOUT'], async (r, p, w) => assert.deepEqual(await waitingKeys(w), [])],
    ['the time of a request that came to its turn is up', 'held', { request: 10000 }, async (w, p) => {
        await ask(w, p);
        await w.s.release(DOC, p.ann);
        await w.pass(10000);
        return w.s.status(DOC);
    }, LOCK('reserved', 'bob'), []],
    ['request_cancel', 'held', { waits: ['bob'] },
        async (w, p) => { await ask(w, p); return w.s.withdraw(DOC, p.bob, 'REQUEST', 'r1'); },
        { outcome: 'WITHDRAWN', lock: { queued: 1 } }, ['CANCELLED'],
            (r) => has(r.events[0], { there: true, waiter: { kind: 1 } })],
    ['request_cancel', 'grace', {}, async (w, p) => {
        await ask(w, p);
        await w.s.disconnect(DOC, p.ann, 'SERVER');
        return w.s.withdraw(DOC, p.bob, 'REQUEST', 'r1');
    }, { outcome: 'WITHDRAWN', ...LOCK('grace', 'ann', { queued: 0 }) }, ['CANCELLED']],
    ['request_cancel', 'free', {}, async (w, p) => {
        p.token = (await w.s.acquire(DOC, p.ann)).lock.token;
        await ask(w, p);
        const other = w.tab('bob', 2);
        await w.s.join(DOC, other);
        await w.s.disconnect(DOC, p.bob, 'LOST'); // absent: passed over
        has(await w.s.release(DOC, p.ann), FREE);
        return w.s.withdraw(DOC, other, 'REQUEST', 'r1');
    }, { outcome: 'WITHDRAWN', ...FREE }, ['CANCELLED']],
    ['request_cancel by the user’s other tab', 'held', {}, async (w, p) => {
        await ask(w, p);
        const other = w.tab('bob', 2);
        await w.s.join(DOC, other);
        return w.s.withdraw(DOC, other, 'REQUEST', 'r1');
    }, { outcome: 'WITHDRAWN', lock: { queued: 0 } }, ['CANCELLED']],
    ['request_cancel by the beneficiary', 'held', {}, async (w, p) => {
        await ask(w, p);
        await w.s.release(DOC, p.ann);
        return w.s.withdraw(DOC, p.bob, 'REQUEST', 'r1');
    }, { outcome: 'WITHDRAWN', ...FREE }, ['CANCELLED', 'RESERVATION_EXPIRED']],

    // ---- takeover ----
    ['takeover', 'free', {}, (w, p) => w.s.takeover(DOC, p.dee, 't1'), { outcome: 'GRANTED', ...LOCK('held', 'dee') },
        ['ACQUIRED']],
    ['takeover, immediate', 'held', { waits: ['bob', 'dee'] }, (w, p) => w.s.takeover(DOC, p.dee, 't1', { length: 0 }),
        { outcome: 'GRANTED', ...LOCK('held', 'dee', { queued: 1, expires: START + 300000 }),
            previous: { user: 'ann', reason: 'TAKEN_BY_ADMIN', by: 'Dee', request: 't1' } },
        ['TAKEN_BY_ADMIN'], (r, p) => { has(r.events[0], OF_DEE('IMMEDIATE')); toDee('IMMEDIATE', 'TAKEN_BY_ADMIN')(r, p); }],
    ['takeover, request', 'held', {}, (w, p) => w.s.takeover(DOC, p.dee, 't1', { reason: 'must' }),
        { outcome: 'PENDING',
            ...LOCK('held', 'ann', { takeover: { request: 't1', reason: 'must', forceAt: START + 30000, client: 'tab-dee-1' } }),
            next: START + 30000 },
        ['REQUESTED'], (r, p) =>
            has(r.events[0], { kind: 'TAKEOVER', token: p.token, takeover: { user: 'dee', denied: 0, ended: '' } })],
    ['takeover, urgent', 'held', {}, (w, p) => w.s.takeover(DOC, p.dee, 't1', { urgent: true }),
        { outcome: 'GRANTED', ...LOCK('held', 'dee') },
        ['TAKEN_BY_ADMIN'], (r) => has(r.events[0], { takeover: { urgent: 1, ended: 'URGENT' } })],
    ['takeover by the owner’s tab', 'held', {}, (w, p) => w.s.takeover(DOC, p.ann, 't1'), { outcome: 'GRANTED', resumed: false },
        [],
        (r, p) => assert.equal(r.lock.token, p.token)],
    ['takeover by the owner’s other tab', 'held', { tabs: 1 }, async (w) => {
        const other = w.tab('ann', 2);
        await w.s.join(DOC, other);
        return w.s.takeover(DOC, other, 't1');
    }, { outcome: 'GRANTED', ...LOCK('held', 'ann', { client: 'tab-ann-2' }) }, ['MOVED']],
    ['takeover, request', 'grace', {}, (w, p) => w.s.takeover(DOC, p.dee, 't1'),
        { outcome: 'GRANTED', ...LOCK('held', 'dee', { until: 0 }) },
        ['TAKEN_BY_ADMIN'], toDee('IMMEDIATE', 'TAKEN_BY_ADMIN')],
    ['takeover, request', 'reserved', { waits: ['bob', 'cy'] }, (w, p) => w.s.takeover(DOC, p.dee, 't1'),
        { outcome: 'GRANTED', ...LOCK('held', 'dee', { queued: 2 }), previous: { user: 'ann' } },
        ['QUEUED', 'TAKEN_BY_ADMIN'], async (r, p, w) => {
            has(r.events[0], { waiter: { user: 'bob', ends: 0, until: 0 } });
            assert.equal(r.events[1].ended, null);
            assert.deepEqual(await order(w), [idOf(p.bob), idOf(p.cy)]);
        }],
    ['takeover, the beneficiary is absent', 'reserved', {}, async (w, p) => {
        await w.s.disconnect(DOC, p.bob, 'LOST');
        return w.s.takeover(DOC, p.dee, 't1');
    }, { outcome: 'GRANTED', ...LOCK('held', 'dee', { queued: 1 }) }, ['QUEUED', 'TAKEN_BY_ADMIN'], async (r, p, w) => {
        has(r.events[0], { waiter: { until: START + 30000 } });
        await w.pass(30000);
        has(await w.s.status(DOC), LOCK('held', 'dee', { queued: 0 })); // its place does not stay for ever
    }],
    ['takeover by the beneficiary', 'reserved', {}, (w, p) => w.s.takeover(DOC, p.bob, 't1'),
        { outcome: 'GRANTED', ...LOCK('held', 'bob', { queued: 0 }) }, ['CLAIMED']],
    ['takeover over the tab limit', 'held', { tabs: 1 }, async (w, p) => {
        await w.s.join('doc:1:other', p.dee, { edit: true });
        return w.s.takeover(DOC, p.dee, 't1', { length: 0 });
    }, { outcome: 'GRANTED' }, ['TAKEN_BY_ADMIN']],
    ['second takeover', 'held', {}, async (w, p) => { await pend(w, p); return w.s.takeover(DOC, p.cy, 't2'); },
        { outcome: 'TAKEOVER_IN_PROGRESS', ...LOCK('held', 'ann', { takeover: { request: 't1' } }) }, []],
    ['second takeover, urgent', 'held', {},
        async (w, p) => { await pend(w, p); return w.s.takeover(DOC, p.cy, 't2', { urgent: true }); },
        { outcome: 'GRANTED', ...LOCK('held', 'cy', { takeover: null }) }, ['CANCELLED', 'TAKEN_BY_ADMIN'],
        (r) => { has(r.events[0], { takeover: { request: 't1', ended: 'OVERTAKEN' } }); has(r.events[1],
            { takeover: { request: 't2', ended: 'URGENT' } }); }],
    ['takeover_cancel', 'held', {}, async (w, p) => { await pend(w, p); return w.s.withdraw(DOC, p.dee, 'TAKEOVER', 't1'); },
        { outcome: 'WITHDRAWN', ...LOCK('held', 'ann', { takeover: null, other: 0 }) }, ['CANCELLED'],
            (r) => has(r.events[0], { takeover: { ended: 'CANCELLED' } })],
    ...['leave', 'LOST', 'SERVER', 'LEFT'].map((how) => [`the admin goes: ${how}`, 'held', {}, async (w, p) => {
        await pend(w, p);
        return how === 'leave' ? w.s.leave(DOC, p.dee) : w.s.disconnect(DOC, p.dee, how);
    }, LOCK('held', 'ann', { takeover: null }), ['CANCELLED', 'LEAVE'],
        (r) => has(r.events[0], { takeover: { ended: 'ADMIN_GONE' } })]),
    ['the admin comes on a second connection', 'held', {}, async (w, p) => {
        await pend(w, p);
        await w.s.join(DOC, w.again(p.dee));
        return w.s.disconnect(DOC, p.dee, 'LOST');
    }, LOCK('held', 'ann', { takeover: { request: 't1' } }), []],
    ['APPROVE of a takeover', 'held', {},
        async (w, p) => { await pend(w, p); return w.s.reply(DOC, p.ann, 'TAKEOVER', 't1', 'APPROVE', 'v3'); },
        { outcome: 'REPLIED', ...LOCK('held', 'dee') }, ['TRANSFERRED'], async (r, p, w) => {
            toDee('APPROVED', 'TRANSFERRED')(r, p);
            has(r.events[0], { ended: { revision: 'v3', request: 't1' } });
            has(await w.s.reply(DOC, p.ann, 'TAKEOVER', 't1', 'APPROVE'), { outcome: 'REPLIED', events: [] });
        }],
    ['DENY of a takeover', 'held', {},
        async (w, p) => { await pend(w, p); return w.s.reply(DOC, p.ann, 'TAKEOVER', 't1', 'DENY'); },
        { outcome: 'REPLIED', ...LOCK('held', 'ann', { takeover: { denied: 1, forceAt: START + 30000 } }) }, ['DENIED'],
        async (r, p, w) => has(await w.s.reply(DOC, p.ann, 'TAKEOVER', 't1', 'DENY'), { outcome: 'REPLIED', events: [] })],
    ['the holder releases, takeover pending', 'held', { waits: ['bob'] },
        async (w, p) => { await pend(w, p); return w.s.release(DOC, p.ann); },
        { outcome: 'RELEASED', ...LOCK('held', 'dee', { queued: 1 }) }, ['TAKEN_BY_ADMIN'], toDee('HOLDER_RELEASED', 'RELEASED')],
    ['the holder leaves, takeover pending', 'held', {}, async (w, p) => { await pend(w, p); return w.s.leave(DOC, p.ann); },
        LOCK('held', 'dee'),
        ['TAKEN_BY_ADMIN', 'LEAVE'], toDee('HOLDER_RELEASED', 'RELEASED')],
    ['TTL ends, takeover pending', 'held', { ttl: 20000 },
        async (w, p) => { await pend(w, p); await w.pass(20000); return w.s.status(DOC); },
        LOCK('held', 'dee'), ['TAKEN_BY_ADMIN'], toDee('HOLDER_GONE', 'EXPIRED')],
    ...[false, true].map((denied) => [`forceAt${denied ? ', denied' : ''}`, 'held', { waits: ['bob'] }, async (w, p) => {
        await pend(w, p);
        if (denied) {
            await w.s.reply(DOC, p.ann, 'TAKEOVER', 't1', 'DENY');
        }
        await w.pass(29999);
        has(await w.s.status(DOC), LOCK('held', 'ann'));
        await w.pass(1);
        return w.s.status(DOC);
    }, LOCK('held', 'dee', { queued: 1 }), ['TAKEN_BY_ADMIN'], toDee(denied ? 'DENIED' : 'TIMED_OUT', 'TAKEN_BY_ADMIN')]),

    // ---- an operator ----
    ['operator’s release', 'held', { waits: ['bob', 'cy'] },
        (w) => operate(w, 'RELEASE', '', { reason: 'left for the day', address: '10.0.0.7', uid: 1000 }),
        { outcome: 'RELEASED', ...LOCK('reserved', 'bob', { queued: 1, until: START + 30000, token: 0 }),
            previous: { user: 'ann', reason: 'ADMIN_RELEASED', by: 'op' } },
        ['ADMIN_RELEASED', 'ADMIN_RELEASED'], async (r, p, w) => {
            has(r.events[0], {
                kind: 'OPERATION', actor: '', operator: { actor: 'op', reason: 'left for the day', address: '10.0.0.7', uid: 1000 },
                ended: { user: 'ann', token: p.token }, user: '',
            });
            has(r.events[1], { kind: 'LOCK', ended: { user: 'ann', token: p.token, reason: 'ADMIN_RELEASED' } });
            has(await w.s.heartbeat(DOC, p.ann, { token: p.token }), { outcome: 'LOST' });
            assert.deepEqual(await w.redis.command('HKEYS', w.s.key('held:doc:1:ann')), []);
        }],
    ['operator’s release, nobody waits', 'held', {}, (w) => operate(w, 'RELEASE'), { outcome: 'RELEASED', ...FREE },
        ['ADMIN_RELEASED', 'ADMIN_RELEASED'], async (r, p, w) => assert.deepEqual(await waitingKeys(w), [])],
    ['operator’s release, takeover pending', 'held', { waits: ['bob'] },
        async (w, p) => { await pend(w, p); return operate(w, 'RELEASE'); },
        { outcome: 'RELEASED', ...LOCK('held', 'dee', { queued: 1 }), previous: { user: 'ann' } },
        ['ADMIN_RELEASED', 'TAKEN_BY_ADMIN'], toDee('HOLDER_GONE', 'ADMIN_RELEASED')],
    ['operator’s release, the head is absent', 'held', { waits: ['bob', 'cy'] }, async (w, p) => {
        await w.s.disconnect(DOC, p.bob, 'LOST');
        return operate(w, 'RELEASE');
    }, { outcome: 'RELEASED', ...LOCK('reserved', 'cy', { queued: 1 }) }, ['ADMIN_RELEASED', 'ADMIN_RELEASED']],
    ['operator’s release', 'grace', { waits: ['bob'] }, (w) => operate(w, 'RELEASE'),
        { outcome: 'RELEASED', ...LOCK('reserved', 'bob'), previous: { user: 'ann', reason: 'ADMIN_RELEASED' } },
        ['ADMIN_RELEASED', 'ADMIN_RELEASED']],
    ['operator’s release', 'reserved', { waits: ['bob', 'cy'] }, (w) => operate(w, 'RELEASE'),
        { outcome: 'RELEASED', ...LOCK('reserved', 'cy', { queued: 0 }), previous: null },
        ['ADMIN_RELEASED', 'ADMIN_RELEASED', 'ADMIN_RELEASED'], (r) => {
            has(r.events[0], { kind: 'OPERATION', user: 'bob', name: 'Bob', ended: null });
            has(r.events[1], { kind: 'WAITER', waiter: { user: 'bob' }, there: false });
            has(r.events[2], { kind: 'LOCK', ended: null });
        }],
    ['operator’s takeover for another', 'free', {}, (w) => operate(w, 'TAKEOVER', 'bob'),
        { outcome: 'RESERVED', joined: true, ...LOCK('reserved', 'bob', { name: 'Bob', client: '', until: START + 30000 }),
            previous: null, next: START + 30000 },
        ['TAKEN_BY_ADMIN', 'RESERVED'], (r) => has(r.events[0], { kind: 'OPERATION', user: 'bob', name: 'Bob', ended: null })],
    ['operator’s takeover, absent waiters are left', 'free', {}, async (w, p) => {
        await w.s.acquire(DOC, p.ann);
        await w.s.acquire(DOC, p.bob);
        await w.s.disconnect(DOC, p.bob, 'LOST');
        await w.s.release(DOC, p.ann);
        return operate(w, 'TAKEOVER', 'cy');
    }, { outcome: 'RESERVED', ...LOCK('reserved', 'cy', { queued: 1 }) }, ['TAKEN_BY_ADMIN', 'RESERVED'], async (r, p, w) => {
        has(await w.s.join(DOC, w.again(p.bob)), { ...LOCK('reserved', 'cy'), place: { position: 1 } });
    }],
    ...['held', 'grace'].map((state) => ['operator’s takeover for another', state, { waits: ['bob', 'cy'] },
        (w) => operate(w, 'TAKEOVER', 'dee', { policy: { ...w.policy, claim: 9000 } }),
        { outcome: 'RESERVED', ...LOCK('reserved', 'dee', { queued: 2, until: START + 9000, token: 0 }),
            previous: { user: 'ann', reason: 'TAKEN_BY_ADMIN', by: 'op' } },
        ['TAKEN_BY_ADMIN', 'TAKEN_BY_ADMIN'], async (r, p, w) => {
            has(r.events[0], { kind: 'OPERATION', user: 'dee', ended: { token: p.token } });
            has(r.events[1], { kind: 'LOCK', ended: { user: 'ann', token: p.token, reason: 'TAKEN_BY_ADMIN', by: 'op' } });
            assert.deepEqual(await w.redis.command('HKEYS', w.s.key('held:doc:1:ann')), []);
            has(await w.s.acquire(DOC, { ...p.ann, policy: { ...w.policy, waiters: 0 } }),
                { outcome: state === 'held' ? 'RESERVED' : 'NOT_JOINED' });
            has(await w.s.acquire(DOC, p.dee), { outcome: 'GRANTED', ...LOCK('held', 'dee', { queued: 2 }) });
        }]),
    ['operator’s takeover for another', 'reserved', { waits: ['bob', 'cy'] }, (w) => operate(w, 'TAKEOVER', 'dee'),
        { outcome: 'RESERVED', ...LOCK('reserved', 'dee', { queued: 2 }) }, ['QUEUED', 'TAKEN_BY_ADMIN', 'TAKEN_BY_ADMIN'],
        async (r, p, w) => assert.deepEqual(await order(w), [idOf(p.bob), idOf(p.cy)])],
    ['operator’s takeover, takeover pending', 'held', {},
        async (w, p) => { await pend(w, p); return operate(w, 'TAKEOVER', 'bob'); },
        { outcome: 'RESERVED', ...LOCK('reserved', 'bob', { takeover: null }) }, ['CANCELLED', 'TAKEN_BY_ADMIN', 'TAKEN_BY_ADMIN'],
        (r, p) => has(r.events[0], { takeover: { request: 't1', ended: 'OVERTAKEN' }, token: p.token })],
    ['operator’s takeover for the holder’s user', 'held', {}, (w) => operate(w, 'TAKEOVER', 'ann'),
        { outcome: 'RESERVED', ...LOCK('reserved', 'ann', { client: '' }), previous: { user: 'ann' } },
        ['TAKEN_BY_ADMIN', 'TAKEN_BY_ADMIN']],
    ['operator’s takeover for who is not there, who then comes to edit', 'held', {}, async (w) => {
        has(await operate(w, 'TAKEOVER', 'zoe: of the night shift'),
            { outcome: 'RESERVED', joined: false, ...LOCK('reserved', 'zoe: of the night shift', { name: 'zoe: of the night shift' }) });
        return w.s.join(DOC, w.tab('zoe: of the night shift'), { edit: true });
    }, { outcome: 'GRANTED', ...LOCK('held', 'zoe: of the night shift') }, ['JOIN', 'CLAIMED']],
    ['operator’s takeover for who waits: another tab claims', 'held', { waits: ['bob', 'cy'] }, async (w, p) => {
        has(await operate(w, 'TAKEOVER', 'bob'), LOCK('reserved', 'bob', { queued: 2 }));
        const other = w.tab('bob', 2);
        await w.s.join(DOC, other);
        p.other = await w.s.claim(DOC, other);
        return w.s.claim(DOC, p.bob);
    }, { outcome: 'HELD', ...LOCK('held', 'bob', { client: 'tab-bob-2', queued: 2 }) }, [],
    (r, p) => has(p.other, { outcome: 'GRANTED' })],
    ['operator’s takeover for who waits: that tab claims', 'held', { waits: ['bob', 'cy'] }, async (w, p) => {
        await operate(w, 'TAKEOVER', 'bob');
        return w.s.claim(DOC, p.bob);
    }, { outcome: 'GRANTED', ...LOCK('held', 'bob', { queued: 1 }) }, ['CLAIMED']],
    ['what an operator reserved is claimed by another', 'held', {}, async (w, p) => {
        await operate(w, 'TAKEOVER', 'bob');
        return w.s.claim(DOC, p.cy);
    }, { outcome: 'RESERVED' }, []],
    ...[['release', (w, p) => w.s.release(DOC, p.dee), 'RELEASED'],
        ['queue_leave', (w, p) => w.s.withdraw(DOC, p.dee, 'QUEUE'), 'WITHDRAWN']].map(([how, act, outcome]) =>
        [`what an operator reserved is declined: ${how}`, 'held', { waits: ['bob'] },
            async (w, p) => { await operate(w, 'TAKEOVER', 'dee'); return act(w, p); },
            { outcome, ...LOCK('reserved', 'bob') }, ['LEFT', 'RESERVATION_EXPIRED'],
            (r) => has(r.events[0], { waiter: { user: 'dee', client: '' }, there: false })]),
    ['queue_leave of a waiter whose user an operator prefers', 'held', { waits: ['bob'] }, async (w, p) => {
        await operate(w, 'TAKEOVER', 'bob');
        return w.s.withdraw(DOC, p.bob, 'QUEUE');
    }, { outcome: 'WITHDRAWN', ...LOCK('reserved', 'bob', { queued: 0 }) }, ['LEFT']],
    ['what an operator reserved: the user leaves', 'held', { waits: ['bob'] },
        async (w, p) => { await operate(w, 'TAKEOVER', 'dee'); return w.s.leave(DOC, p.dee); },
        LOCK('reserved', 'dee'), ['LEAVE']],
    ['what an operator reserved: claimBy', 'held', { waits: ['bob'] },
        async (w) => { await operate(w, 'TAKEOVER', 'zoe'); await w.pass(30000); return w.s.status(DOC); },
        LOCK('reserved', 'bob', { client: 'tab-bob-1' }), ['CLAIM_EXPIRED', 'RESERVATION_EXPIRED'],
        (r) => has(r.events[0], { waiter: { user: 'zoe', client: '' } })],
    ['what an operator reserved: for another instead', 'held', {},
        async (w) => { await operate(w, 'TAKEOVER', 'bob'); return operate(w, 'TAKEOVER', 'cy'); },
        { ...LOCK('reserved', 'cy', { queued: 0 }) }, ['TAKEN_BY_ADMIN', 'TAKEN_BY_ADMIN']],
    ['what an operator reserved: an administrator takes it', 'held', {},
        async (w, p) => { await operate(w, 'TAKEOVER', 'bob'); return w.s.takeover(DOC, p.dee, 't1'); },
        { outcome: 'GRANTED', ...LOCK('held', 'dee', { queued: 0 }) }, ['TAKEN_BY_ADMIN']],
    ['what an operator reserved: released', 'held', {},
        async (w) => { await operate(w, 'TAKEOVER', 'bob'); return operate(w, 'RELEASE'); },
        FREE, ['ADMIN_RELEASED', 'ADMIN_RELEASED', 'ADMIN_RELEASED'],
        (r) => has(r.events[1], { waiter: { user: 'bob', client: '' }, there: false })],
    ['ended by an administrator', 'held', { waits: ['bob', 'cy'] }, terminate('ann'), LOCK('reserved', 'bob', { queued: 1 }),
        ['SESSION_TERMINATED', 'LEAVE'], (r, p) => has(r.events[0], { ended: { token: p.token, reason: 'SESSION_TERMINATED' } })],
    ['ended by an administrator, a type with prompt', 'held', { disconnect: 'prompt' }, terminate('ann'), FREE,
        ['SESSION_TERMINATED', 'LEAVE']],
    ['ended by an administrator, takeover pending', 'held', {},
        async (w, p) => { await pend(w, p); return terminate('ann')(w, p); }, LOCK('held', 'dee'), ['TAKEN_BY_ADMIN', 'LEAVE'],
        toDee('HOLDER_GONE', 'SESSION_TERMINATED')],
    ['ended by an administrator, another connection has its place', 'held', {}, async (w, p) => {
        await w.s.join(DOC, w.again(p.ann), { edit: true, token: p.token });
        return terminate('ann')(w, p);
    }, LOCK('held', 'ann'), []],
    ['ended by an administrator', 'grace', { waits: ['bob'] },
        async (w, p) => { await annViews(w, p); return terminate('ann')(w, p); }, LOCK('reserved', 'bob'),
        ['SESSION_TERMINATED', 'LEAVE']],
    ['ended by an administrator', 'reserved', { waits: ['bob', 'cy'] }, terminate('bob'), LOCK('reserved', 'cy', { queued: 0 }),
        ['LEFT', 'SESSION_TERMINATED', 'LEAVE']],
    ...['held', 'grace', 'reserved'].map((state) =>
        ['a waiter ended by an administrator', state, { waits: ['bob', 'cy'] }, async (w, p) => {
            has(await w.s.request(DOC, p.cy, 'r1'), { outcome: 'REQUESTED' });
            return terminate('cy')(w, p);
        }, { lock: { state, queued: state === 'reserved' ? 0 : 1 } }, ['LEFT', 'LEAVE']]),
    ['an administrator whose takeover is pending ended by another', 'held', {},
        async (w, p) => { await pend(w, p); return terminate('dee')(w, p); }, LOCK('held', 'ann', { takeover: null }),
        ['CANCELLED', 'LEAVE'], (r) => has(r.events[0], { takeover: { ended: 'ADMIN_GONE' } })],

    // ---- time ----
    ['TTL ends', 'held', { waits: ['bob', 'cy'] }, async (w) => { await w.pass(300000); return w.s.status(DOC); },
        LOCK('reserved', 'bob', { queued: 1, until: START + 330000 }), ['EXPIRED'],
            (r) => has(r.events[0], { ended: { reason: 'EXPIRED' }, actor: '' })],
    ['graceUntil', 'grace', { waits: ['bob'] }, async (w) => { await w.pass(30000); return w.s.status(DOC); },
        LOCK('reserved', 'bob'), ['GRACE_PERIOD_EXPIRED']],
    ['claimBy', 'reserved', { waits: ['bob', 'cy'] }, async (w) => { await w.pass(30000); return w.s.status(DOC); },
        LOCK('reserved', 'cy', { until: START + 60000 }),
        ['CLAIM_EXPIRED', 'RESERVATION_EXPIRED']],
    ['claimBy, nobody else', 'reserved', {}, async (w) => { await w.pass(30000); return w.s.sweep(); }, {},
        ['CLAIM_EXPIRED', 'RESERVATION_EXPIRED'],
        async (r, p, w) => assert.deepEqual(await waitingKeys(w), [])],
    ['an absent waiter’s grace ends', 'held', { waits: ['bob', 'cy'] }, async (w, p) => {
        await w.s.disconnect(DOC, p.bob, 'LOST');
        await w.pass(30000);
        return w.s.status(DOC);
    }, LOCK('held', 'ann', { queued: 1, other: 0 }), ['GONE']],
    ['all that is due, in the order in which it became so', 'held', { waits: ['bob', 'cy'], ttl: 40000 }, async (w, p) => {
        await ask(w, p, 'dee');
        await w.s.disconnect(DOC, p.bob, 'LOST');
        await w.pass(400000);
        return w.s.status(DOC);
    }, LOCK('reserved', 'cy', { until: START + 430000 }), ['GONE', 'EXPIRED', 'TIMEOUT']],
];

for (const [event, state, options, act, answers, events, check] of CELLS) {
    test(`${state}: ${event}`, async () => {
        const { w, ...p } = await party(state, options);
        const reply = await act(w, p);
        assert.equal(reply.status, 'OK');
        has(reply, answers);
        assert.deepEqual(told(reply), events);
        await check?.(reply, p, w);
    });
}

// ---- what is refused changes nothing ----

// [what, state, call, outcome]; r1 is bob's request and t1 dee's takeover, where they can be.
const REFUSED = [
    ...['REQUEST', 'TAKEOVER'].flatMap((what) => [
        [`reply to an unknown ${what}`, 'held', (w, p) => w.s.reply(DOC, p.ann, what, 'none', 'APPROVE'), 'UNKNOWN_REQUEST'],
        [`reply to a ${what} by who does not hold`, 'held',
            (w, p) => w.s.reply(DOC, p.cy, what, what === 'REQUEST' ? 'r1' : 't1', 'APPROVE'), 'NOT_HOLDER'],
        [`reply to a ${what} by the asker`, 'held', (w, p) => w.s.reply(DOC, p.bob, what, what === 'REQUEST' ? 'r1' : 't1', 'DENY'),
            'NOT_HOLDER'],
        [`IGNORE of a ${what}`, 'held', (w, p) => w.s.reply(DOC, p.ann, what, what === 'REQUEST' ? 'r1' : 't1', 'IGNORE'),
            'REPLIED'],
        [`cancelling an unknown ${what}`, 'held', (w, p) => w.s.withdraw(DOC, p.bob, what, 'none'), 'UNKNOWN_REQUEST'],
        [`cancelling somebody else's ${what}`, 'held', (w, p) => w.s.withdraw(DOC, p.cy, what, what === 'REQUEST' ? 'r1' : 't1'),
            'UNKNOWN_REQUEST'],
        [`cancelling a ${what} as the holder`, 'held', (w, p) => w.s.withdraw(DOC, p.ann, what, what === 'REQUEST' ? 'r1' : 't1'),
            'UNKNOWN_REQUEST'],
    ]),
    ['a request answered as a takeover', 'held', (w, p) => w.s.reply(DOC, p.ann, 'TAKEOVER', 'r1', 'APPROVE'), 'UNKNOWN_REQUEST'],
    ['a takeover answered as a request', 'held', (w, p) => w.s.reply(DOC, p.ann, 'REQUEST', 't1', 'APPROVE'), 'UNKNOWN_REQUEST'],
    ['a takeover withdrawn as a request', 'held', (w, p) => w.s.withdraw(DOC, p.dee, 'REQUEST', 't1'), 'UNKNOWN_REQUEST'],
    ['queue_leave by who does not wait', 'held', (w, p) => w.s.withdraw(DOC, p.cy, 'QUEUE'), 'NOT_QUEUED'],
    ['claim out of turn', 'reserved', (w, p) => w.s.claim(DOC, p.cy), 'RESERVED'],
    ['claim of what is held', 'held', (w, p) => w.s.claim(DOC, p.bob), 'HELD'],
    ['claim without prompt', 'grace', (w, p) => w.s.claim(DOC, p.bob), 'GRACE'],
    ['a second request', 'held', (w, p) => w.s.request(DOC, p.bob, 'r2'), 'REQUESTED'],
    ["the holder's own request", 'held', (w, p) => w.s.request(DOC, p.ann, 'r2'), 'OWN'],
    ['a second takeover', 'held', (w, p) => w.s.takeover(DOC, p.cy, 't2'), 'TAKEOVER_IN_PROGRESS'],
    ['queueing twice', 'held', async (w, p) => w.s.acquire(DOC, p.eve), 'QUEUED'],
    ['operator’s release of what nobody has', 'free', (w) => operate(w, 'RELEASE'), 'NOT_HOLDER'],
    ['an asker who is absent approved', 'absent', (w, p) => w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'APPROVE'), 'UNKNOWN_REQUEST'],
    ...['acquire', 'claim'].map((call) => [`${call} from outside`, 'held', (w) => w.s[call](DOC, w.tab('zoe')), 'NOT_JOINED']),
    ['request from outside', 'held', (w) => w.s.request(DOC, w.tab('zoe'), 'r2'), 'NOT_JOINED'],
    ['reply from outside', 'held', (w, p) => w.s.reply(DOC, w.again(p.ann), 'REQUEST', 'r1', 'APPROVE'), 'NOT_JOINED'],
    ['withdraw from outside', 'held', (w, p) => w.s.withdraw(DOC, w.again(p.bob), 'REQUEST', 'r1'), 'NOT_JOINED'],
    ['takeover from outside', 'held', (w) => w.s.takeover(DOC, w.tab('zoe'), 't2', { urgent: true }), 'NOT_JOINED'],
    ...[['acquire', (w, p) => w.s.acquire(DOC, p.cy)], ['takeOwn', (w, p) => w.s.acquire(DOC, p.cy, { takeOwn: true })],
        ['claim', (w, p) => w.s.claim(DOC, p.cy)],
        ['request', (w, p) => w.s.request(DOC, p.cy, 'r2')],
            ['APPROVE', (w, p) => w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'APPROVE')],
        ['APPROVE of a takeover', (w, p) => w.s.reply(DOC, p.ann, 'TAKEOVER', 't1', 'APPROVE')],
            ['queue_leave', (w, p) => w.s.withdraw(DOC, p.eve, 'QUEUE')],
        ['request_cancel', (w, p) => w.s.withdraw(DOC, p.bob, 'REQUEST', 'r1')],
            ['takeover_cancel', (w, p) => w.s.withdraw(DOC, p.dee, 'TAKEOVER', 't1')],
        ['takeover', (w, p) => w.s.takeover(DOC, p.dee, 't2', { urgent: true })],
        ['operator’s release', (w) => operate(w, 'RELEASE')], ['operator’s takeover', (w) => operate(w, 'TAKEOVER', 'bob')],
    ].map(([what, act]) => [`${what} in a recovery window`, 'window', act, 'RECOVERING']),
];

for (const [what, state, act, outcome] of REFUSED) {
    test(`nothing changes: ${what}`, async () => {
        const real = { absent: 'held', window: 'held' }[state] ?? state;
        const { w, ...p } = await party(real);
        if (real === 'held') {
            p.eve = w.tab('eve');
            await w.s.join(DOC, p.eve, { edit: true });
            await ask(w, p);
            await pend(w, p);
        }
        if (state === 'absent') {
            await w.s.disconnect(DOC, p.bob, 'LOST');
        } else if (state === 'window') {
            await openWindow(w);
            await w.s.status(DOC);
        }
        const before = await contents(w);
        has(await act(w, p), { status: 'OK', outcome, events: [] });
        assert.deepEqual(await contents(w), before);
    });
}

// ---- two events in either order ----

const at = (ms, act) => async (w, p) => { await w.pass(START + ms - w.s.ms); return act(w, p); };
const reply = (what, id, action) => (w, p) => w.s.reply(DOC, p.ann, what, id, action);
const release = (who) => (w, p) => w.s.release(DOC, p[who]);
const status = (w) => w.s.status(DOC);

// [what, state, options, what comes before, first, second, outcomes of both, the lock in the end]
const RACES = [
    ['the claim comes in time', 'reserved', {}, null, at(29999, claim('bob')), at(30000, status), ['GRANTED', 'NONE'],
        ['held', 'bob']],
    ['the claim comes too late', 'reserved', {}, null, at(30000, claim('bob')), status, ['GRANTED', 'NONE'], ['held', 'bob']],
    ['the claim comes too late for one of two', 'reserved', { waits: ['bob', 'cy'] }, null, at(30000, claim('bob')), claim('cy'),
        ['RESERVED', 'GRANTED'], ['held', 'cy']],
    ['approved in time', 'held', {}, ask, at(119999, reply('REQUEST', 'r1', 'APPROVE')), at(120000, status), ['REPLIED', 'NONE'],
        ['reserved', 'bob']],
    ['approved too late', 'held', {}, ask, at(120000, reply('REQUEST', 'r1', 'APPROVE')), status, ['UNKNOWN_REQUEST', 'NONE'],
        ['held', 'ann']],
    ['approved, then cancelled', 'held', {}, ask, reply('REQUEST', 'r1', 'APPROVE'),
        (w, p) => w.s.withdraw(DOC, p.bob, 'REQUEST', 'r1'), ['REPLIED', 'WITHDRAWN'], ['free', '']],
    ['cancelled, then approved', 'held', {}, ask, (w, p) => w.s.withdraw(DOC, p.bob, 'REQUEST', 'r1'),
        reply('REQUEST', 'r1', 'APPROVE'), ['WITHDRAWN', 'UNKNOWN_REQUEST'], ['held', 'ann']],
    ['approved, then the asker goes', 'held', {}, ask, reply('REQUEST', 'r1', 'APPROVE'),
        (w, p) => w.s.disconnect(DOC, p.bob, 'LOST'), ['REPLIED', 'NONE'], ['reserved', 'bob']],
    ['the asker goes, then approved', 'held', {}, ask, (w, p) => w.s.disconnect(DOC, p.bob, 'LOST'),
        reply('REQUEST', 'r1', 'APPROVE'), ['NONE', 'UNKNOWN_REQUEST'], ['held', 'ann']],
    ['approved, then released', 'held', {}, ask, reply('REQUEST', 'r1', 'APPROVE'), release('ann'), ['REPLIED', 'NOT_HOLDER'],
        ['reserved', 'bob']],
    ['released, then approved', 'held', {}, ask, release('ann'), reply('REQUEST', 'r1', 'APPROVE'), ['RELEASED', 'UNKNOWN_REQUEST'],
        ['reserved', 'bob']],
    ['a takeover approved in time', 'held', {}, pend, at(29999, reply('TAKEOVER', 't1', 'APPROVE')), at(30000, status),
        ['REPLIED', 'NONE'], ['held', 'dee']],
    ['a takeover approved too late', 'held', {}, pend, at(30000, reply('TAKEOVER', 't1', 'APPROVE')), status, ['UNKNOWN_REQUEST', 'NONE'],
        ['held', 'dee']],
    ['a takeover cancelled in time', 'held', {}, pend, at(29999, (w, p) => w.s.withdraw(DOC, p.dee, 'TAKEOVER', 't1')),
        at(30000, status), ['WITHDRAWN', 'NONE'], ['held', 'ann']],
    ['a takeover cancelled too late', 'held', {}, pend, at(30000, (w, p) => w.s.withdraw(DOC, p.dee, 'TAKEOVER', 't1')), status,
        ['UNKNOWN_REQUEST', 'NONE'], ['held', 'dee']],
    ['released before forceAt', 'held', {}, pend, at(29999, release('ann')), at(30000, status), ['RELEASED', 'NONE'],
        ['held', 'dee']],
    ['released after forceAt', 'held', {}, pend, at(30000, release('ann')), status, ['NOT_HOLDER', 'NONE'], ['held', 'dee']],
    ['a heartbeat of the loser at forceAt', 'held', {}, pend, at(30000, (w, p) => w.s.heartbeat(DOC, p.ann, { token: p.token })),
        status, ['LOST', 'NONE'], ['held', 'dee']],
    ['a heartbeat of the admin at forceAt', 'held', {}, pend, at(30000, (w, p) => w.s.heartbeat(DOC, p.dee)), status,
        ['RENEWED', 'NONE'], ['held', 'dee']],
    ['the admin goes, then forceAt', 'held', {}, pend, at(29999, (w, p) => w.s.disconnect(DOC, p.dee, 'LOST')), at(30000, status),
        ['NONE', 'NONE'], ['held', 'ann']],
    ['forceAt, then the admin goes', 'held', {}, pend, at(30000, (w, p) => w.s.disconnect(DOC, p.dee, 'LOST')), status,
        ['NONE', 'NONE'], ['grace', 'dee']],
    ['the holder goes, then the admin', 'held', {}, pend, (w, p) => w.s.disconnect(DOC, p.ann, 'LOST'),
        (w, p) => w.s.disconnect(DOC, p.dee, 'LOST'), ['NONE', 'NONE'], ['grace', 'dee']],
    ['the admin goes, then the holder', 'held', {}, pend, (w, p) => w.s.disconnect(DOC, p.dee, 'LOST'),
        (w, p) => w.s.disconnect(DOC, p.ann, 'LOST'), ['NONE', 'NONE'], ['grace', 'ann']],
    ['two claims: bob, cy', 'grace', { disconnect: 'prompt' }, null, claim('bob'), claim('cy'), ['GRANTED', 'HELD'],
        ['held', 'bob']],
    ['two claims: cy, bob', 'grace', { disconnect: 'prompt' }, null, claim('cy'), claim('bob'), ['GRANTED', 'HELD'],
        ['held', 'cy']],
    ['the holder back, then a claim', 'grace', { disconnect: 'prompt' }, null, joins('ann', 1), claim('bob'), ['GRANTED', 'HELD'],
        ['held', 'ann']],
    ['a claim, then the holder back', 'grace', { disconnect: 'prompt' }, null, claim('bob'), joins('ann', 1), ['GRANTED', 'QUEUED'],
        ['held', 'bob']],
    ['a claim in the grace', 'grace', { disconnect: 'prompt' }, null, at(29999, claim('bob')), at(30000, status),
        ['GRANTED', 'NONE'], ['held', 'bob']],
    ['a claim after the grace', 'grace', { disconnect: 'prompt' }, null, at(30000, claim('bob')), status, ['GRANTED', 'NONE'],
        ['held', 'bob']],
    ['queued, then released', 'held', {}, null, acquire('bob'), release('ann'), ['QUEUED', 'RELEASED'], ['reserved', 'bob']],
    ['released, then acquired', 'held', {}, null, release('ann'), acquire('bob'), ['RELEASED', 'GRANTED'], ['held', 'bob']],
    ['left the queue, then released', 'held', { waits: ['bob'] }, null, (w, p) => w.s.withdraw(DOC, p.bob, 'QUEUE'), release('ann'),
        ['WITHDRAWN', 'RELEASED'], ['free', '']],
    ['released, then left the queue', 'held', { waits: ['bob'] }, null, release('ann'), (w, p) => w.s.withdraw(DOC, p.bob, 'QUEUE'),
        ['RELEASED', 'WITHDRAWN'], ['free', '']],
    ['a waiter back in time', 'held', { waits: ['bob'] }, (w, p) => w.s.disconnect(DOC, p.bob, 'LOST'), at(29999, joins('bob', 1)),
        release('ann'), ['QUEUED', 'RELEASED'], ['reserved', 'bob']],
    ['a waiter back too late', 'held', { waits: ['bob'] }, (w, p) => w.s.disconnect(DOC, p.bob, 'LOST'),
        at(30000, (w, p) => w.s.join(DOC, w.again(p.bob))), release('ann'), ['NONE', 'RELEASED'], ['free', '']],
    ['renewed, then TTL', 'held', { waits: ['bob'] }, null, at(299999, (w, p) => w.s.heartbeat(DOC, p.ann)), at(300000, status),
        ['RENEWED', 'NONE'], ['held', 'ann']],
    ['TTL, then a heartbeat', 'held', { waits: ['bob'] }, null, at(300000, (w, p) => w.s.heartbeat(DOC, p.ann)), status,
        ['LOST', 'NONE'], ['reserved', 'bob']],
    ['operator’s release, then the holder’s', 'held', {}, null, (w) => operate(w, 'RELEASE'), release('ann'),
        ['RELEASED', 'NOT_HOLDER'], ['free', '']],
    ['the holder’s release, then the operator’s', 'held', {}, null, release('ann'), (w) => operate(w, 'RELEASE'),
        ['RELEASED', 'NOT_HOLDER'], ['free', '']],
    ['operator’s takeover, then the claim', 'reserved', {}, null, (w) => operate(w, 'TAKEOVER', 'dee'), claim('bob'),
        ['RESERVED', 'RESERVED'], ['reserved', 'dee']],
    ['the claim, then an operator’s takeover', 'reserved', {}, null, claim('bob'), (w) => operate(w, 'TAKEOVER', 'dee'),
        ['GRANTED', 'RESERVED'], ['reserved', 'dee']],
    ['ended by an administrator, then TTL', 'held', {}, null, at(299999, terminate('ann')), at(300000, status),
        ['NONE', 'NONE'], ['free', '']],
    ['a takeover, then the claim', 'reserved', {}, null, (w, p) => w.s.takeover(DOC, p.dee, 't1'), claim('bob'),
        ['GRANTED', 'HELD'], ['held', 'dee']],
    ['the claim, then a takeover', 'reserved', {}, null, claim('bob'), (w, p) => w.s.takeover(DOC, p.dee, 't1'),
        ['GRANTED', 'PENDING'], ['held', 'bob']],
];

for (const [what, state, options, before, first, second, outcomes, [end, user]] of RACES) {
    test(`either order: ${what}`, async () => {
        const { w, ...p } = await party(state, options);
        await before?.(w, p);
        const replies = [await first(w, p), await second(w, p)];
        assert.deepEqual(replies.map((r) => r.outcome), outcomes);
        const { lock } = await w.s.status(DOC);
        has(lock, { state: end, user });
        // Whoever came first, the set of what each holds is right.
        for (const who of ['ann', 'bob', 'cy', 'dee']) {
            const held = await w.redis.command('HKEYS', w.s.key(`held:doc:1:${who}`));
            assert.deepEqual(held, (end === 'held' || end === 'grace') && user === who ? ['main'] : []);
        }
    });
}

// ---- windows, gaps, reports ----

const member = (t, joined = START) => ({ user: t.user, name: t.name, client: t.client, session: t.session, joined, page: t.page });

test('in a window nothing is passed on; when it closes, what is left is', async () => {
    for (const [how, act] of [['leave', (w, p) => w.s.leave(DOC, p.ann)],
        ['close 1000', (w, p) => w.s.disconnect(DOC, p.ann, 'LEFT')],
        ['ended by an administrator', (w, p) => w.s.disconnect(DOC, p.ann, 'TERMINATED')]]) {
        const { w, ...p } = await party('held', { waits: ['bob', 'cy'] });
        await openWindow(w);
        const r = await act(w, p);
        has(r, { ...LOCK('free', '', { queued: 2 }), next: 1 }); // due since ever, wherever the clock is set
        assert.deepEqual(told(r), [{ leave: 'RELEASED', 'close 1000': 'DISCONNECT' }[how] ?? 'SESSION_TERMINATED', 'LEAVE']);
        has(await w.s.sweep(), { events: [] });
        await closeWindow(w);
        const swept = await w.s.sweep();
        assert.deepEqual(told(swept), ['RESERVED'], how);
        has(await w.s.status(DOC), LOCK('reserved', 'bob', { queued: 1 }));
    }
    // The beneficiary declines.
    const { w, ...p } = await party('reserved', { waits: ['bob', 'cy'] });
    await openWindow(w);
    has(await w.s.leave(DOC, p.bob), LOCK('free', '', { queued: 1 }));
    await closeWindow(w);
    has(await w.s.claim(DOC, p.cy), { outcome: 'GRANTED', ...LOCK('held', 'cy') });
});

test('in a window a pending takeover waits on: in grace, or on a free lock', async () => {
    for (const how of ['LOST', 'SERVER', 'view', 'LEFT']) {
        const { w, ...p } = await party('held', { disconnect: 'release' });
        await pend(w, p);
        await openWindow(w);
        await w.s.status(DOC);
        const r = how === 'view' ? await w.s.join(DOC, w.again(p.ann)) : await w.s.disconnect(DOC, p.ann, how);
        has(r, { lock: { state: how === 'LEFT' ? 'free' : 'grace', takeover: { request: 't1' } } });
        await closeWindow(w);
        if (how !== 'LEFT') {
            has(await w.s.takeover(DOC, p.cy, 't2'), { outcome: 'TAKEOVER_IN_PROGRESS' });
            await w.pass(29999);
            has(await w.s.status(DOC), { lock: { state: 'grace' } });
            await w.pass(1);
        }
        const after = await w.s.status(DOC);
        has(after, LOCK('held', 'dee'));
        has(after.events.at(-1), OF_DEE(how === 'LEFT' ? 'HOLDER_GONE' : 'TIMED_OUT'));
        assert.equal(after.events.at(-1).ended?.token, how === 'LEFT' ? undefined : p.token);
    }
    // Grace ends before.
    const { w, ...p } = await party('held', { grace: 10000 });
    await pend(w, p);
    await openWindow(w);
    await w.s.disconnect(DOC, p.ann, 'LOST');
    await closeWindow(w);
    await w.pass(10000);
    const r = await w.s.status(DOC);
    has(r, LOCK('held', 'dee'));
    toDee('HOLDER_GONE', 'GRACE_PERIOD_EXPIRED')(r, p);
});

test('in a window the grace of a takeover under prompt is nobody’s to claim', async () => {
    const { w, ...p } = await party('held', { disconnect: 'prompt' });
    await pend(w, p);
    await openWindow(w);
    has(await w.s.disconnect(DOC, p.ann, 'LOST'), LOCK('grace', 'ann', { prompt: 1 }));
    await closeWindow(w);
    has(await w.s.claim(DOC, p.bob), { outcome: 'GRACE', events: [] });
});

test('the admin goes while the lock is free in a window', async () => {
    const { w, ...p } = await party('held');
    await pend(w, p);
    await openWindow(w);
    await w.s.leave(DOC, p.ann);
    has(await w.s.leave(DOC, p.dee), FREE);
    assert.deepEqual(await waitingKeys(w), []);
});

test('deadlines of those who wait that fell into the gap count from its end', async () => {
    const options = { waits: ['bob'], claim: 20000, request: 25000, takeover: 15000 };
    const { w, ...p } = await party('held', options);
    await ask(w, p, 'cy');
    await pend(w, p);
    await w.s.disconnect(DOC, p.bob, 'LOST');
    await w.s.advance(60000); // nobody lives
    has(await w.s.status(DOC), { window: w.s.ms, events: [] });
    await closeWindow(w);
    const end = w.s.ms;
    const r = await w.s.status(DOC);
    assert.deepEqual(told(r), ['RECOVERED', 'RECOVERED', 'RECOVERED']);
    has(r, LOCK('held', 'ann', { queued: 2, takeover: { forceAt: end + 15000 } }));
    has(r.events.find((e) => e.waiter?.user === 'bob'), { waiter: { until: end + 30000 } });
    has(r.events.find((e) => e.waiter?.user === 'cy'), { waiter: { ends: end + 25000 } });
    await w.pass(14999);
    has(await w.s.status(DOC), LOCK('held', 'ann', { queued: 2 }));
    await w.pass(1);
    has(await w.s.status(DOC), LOCK('held', 'dee', { queued: 2 }));
    await w.pass(10000);
    assert.deepEqual(told(await w.s.status(DOC)), ['TIMEOUT']);
    await w.pass(5000);
    assert.deepEqual(told(await w.s.status(DOC)), ['GONE']);
});

test('a turn that fell into the gap counts from its end', async () => {
    const { w } = await party('reserved');
    await w.s.advance(60000);
    await w.s.status(DOC);
    await closeWindow(w);
    const end = w.s.ms;
    const r = await w.s.status(DOC);
    assert.deepEqual(told(r), ['RECOVERED']);
    has(r, LOCK('reserved', 'bob', { until: end + 30000 }));
    await w.pass(30000);
    has(await w.s.status(DOC), FREE);
});

// What an instance knows of DOC: everything, by a look at it. Then the store forgets.
async function forgotten(w, p) {
    const known = await w.s.join(DOC, p.dee);
    await w.redis.command('FLUSHALL');
    await w.s.setClock(w.s.ms);
    const { window } = await w.s.renew('i1');
    assert.equal(window, w.s.ms);
    return known;
}

const report = (w, known, members, { instance = 'i1', lock = known.lock } = {}) =>
    w.s.report(DOC, instance, members.map((t) => member(t)), lock, w.policy,
    { takeover: known.lock.takeover, waiters: known.waiters, highest: known.rev });

test('restored by reports: places in order, the turn, requests, who is absent', async () => {
    const { w, ...p } = await party('reserved', { waits: ['bob', 'cy'] });
    await w.s.request(DOC, p.dee, 'r1');
    p.eve = w.tab('eve');
    await w.s.join(DOC, p.eve, { edit: true });
    await w.s.disconnect(DOC, p.cy, 'LOST');
    const known = await forgotten(w, p);
    const r = await report(w, known, [p.bob, p.dee]);
    has(r, LOCK('reserved', 'bob', { until: START + 30000, queued: 3 }));
    assert.deepEqual(r.waiters.map((x) => [x.user, x.kind, x.request, x.ends]),
        known.waiters.map((x) => [x.user, x.kind, x.request, x.ends]));
    assert.deepEqual(r.waiters.map((x) => [x.user, x.until]),
        [['cy', START + 30000], ['dee', 0], ['eve', START + 30000], ['bob', 0]], 'eve’s instance has not reported yet');
    assert.deepEqual(told(r).slice(-1), ['RECOVERED']);
    has(r.events.at(-1), { kind: 'LOCK' });
    const second = await report(w, known, [p.eve], { instance: 'i2' });
    assert.deepEqual(told(second), ['JOIN', 'BACK']);
    await closeWindow(w);
    has(await w.s.claim(DOC, p.bob), { outcome: 'GRANTED' });
    has(await w.s.reply(DOC, p.bob, 'REQUEST', 'r1', 'APPROVE'), { outcome: 'REPLIED', ...LOCK('reserved', 'dee') });
    has(await w.s.claim(DOC, p.dee), { outcome: 'GRANTED', lock: { queued: 2 } });
});

test('restored by reports: what an operator reserved for a user', async () => {
    for (const lockToo of [false, true]) {
        const { w, ...p } = await party('held', { waits: ['bob'] });
        has(await operate(w, 'TAKEOVER', 'cy'), LOCK('reserved', 'cy', { queued: 1 }));
        const known = await forgotten(w, p);
        has(await report(w, known, [p.bob, p.cy]), LOCK('reserved', 'cy', { client: '', until: START + 30000, queued: 1 }));
        if (lockToo) {
            const lock = { ...known.lock, state: 'held', user: 'dee', name: 'Dee', client: p.dee.client, page: p.dee.page,
                token: known.rev + 7, since: START, expires: START + 300000, until: 0 };
            has(await report(w, { ...known, waiters: [] }, [p.dee], { instance: 'i2', lock }), LOCK('held', 'dee', { queued: 1 }));
            assert.deepEqual(await order(w), [idOf(p.bob)]);
        }
        await closeWindow(w);
        has(await w.s.claim(DOC, p.cy), { outcome: lockToo ? 'HELD' : 'GRANTED' });
    }
});

test('restored by reports: the lock of the highest token wins over a turn, whichever comes first', async () => {
    for (const turnFirst of [true, false]) {
        const { w, ...p } = await party('reserved', { waits: ['bob', 'cy'] });
        const known = await forgotten(w, p);
        const lock = { ...known.lock, state: 'held', user: 'dee', name: 'Dee', client: p.dee.client, page: p.dee.page,
            token: known.rev + 7, since: START, expires: START + 300000, until: 0 };
        const turn = () => report(w, known, [p.bob, p.cy], { instance: 'i2' });
        const held = () => report(w, { ...known, waiters: [] }, [p.dee], { lock });
        for (const act of turnFirst ? [turn, held] : [held, turn]) {
            await act();
        }
        has(await w.s.status(DOC), LOCK('held', 'dee', { token: lock.token, queued: 2 }));
        assert.deepEqual(await order(w), [idOf(p.bob), idOf(p.cy)]);
        assert.deepEqual(await w.redis.command('LRANGE', w.s.key(`ended:${DOC}`), 0, -1), [], 'a turn is no grant');
        await closeWindow(w);
        has(await w.s.release(DOC, p.dee), LOCK('reserved', 'bob'));
    }
});

test('restored by reports: who has claimed meanwhile does not wait any more', async () => {
    for (const turnFirst of [true, false]) {
        const { w, ...p } = await party('reserved', { waits: ['bob', 'cy'] });
        const known = await forgotten(w, p); // as an instance knows it that has not heard of the claim
        const lock = { ...known.lock, state: 'held', page: p.bob.page, token: known.rev + 1, since: START, expires: START + 300000, until: 0 };
        const turn = () => report(w, known, [p.cy], { instance: 'i2' });
        const held = () => report(w, { ...known, waiters: [] }, [p.bob], { lock });
        for (const act of turnFirst ? [turn, held] : [held, turn]) {
            await act();
        }
        has(await w.s.status(DOC), LOCK('held', 'bob', { queued: 1 }));
        assert.deepEqual(await w.redis.command('HKEYS', w.s.key(`waiter:${DOC}`)), [idOf(p.cy)]);
    }
});

test('restored by reports: a place whose turn an instance knows, from another that does not', async () => {
    const { w, ...p } = await party('held', { waits: ['bob', 'cy'] });
    const before = await w.s.join(DOC, p.dee);
    await w.s.release(DOC, p.ann);
    const known = await forgotten(w, p);
    await report(w, before, [], { instance: 'i2', lock: null });
    has(await w.s.status(DOC), LOCK('free', '', { queued: 2 }));
    has(await report(w, known, [p.bob, p.cy]), LOCK('reserved', 'bob', { queued: 1 }));
    assert.deepEqual(await order(w), [idOf(p.cy)]);
    await closeWindow(w);
    has(await w.s.claim(DOC, p.bob), { outcome: 'GRANTED' });
});

test('restored by reports: a pending takeover, its deadline, its admin', async () => {
    for (const there of [true, false]) {
        const { w, ...p } = await party('held');
        await pend(w, p);
        const known = await forgotten(w, p);
        const r = await report(w, known, there ? [p.ann, p.dee] : [p.ann]);
        has(r, { ...LOCK('held', 'ann', { token: p.token, takeover: { request: 't1', forceAt: START + 30000, user: 'dee' } }),
            next: START + 30000 });
        await closeWindow(w);
        await w.pass(30000);
        const after = await w.s.status(DOC);
        has(after, LOCK('held', there ? 'dee' : 'ann', { takeover: null }));
        assert.deepEqual(told(after), [there ? 'TAKEN_BY_ADMIN' : 'CANCELLED']);
        assert.equal(after.events[0].takeover.ended, there ? 'TIMED_OUT' : 'ADMIN_GONE');
    }
    // A later grant without one replaces it.
    const { w, ...p } = await party('held');
    await pend(w, p);
    const known = await forgotten(w, p);
    await report(w, known, [p.ann, p.dee]);
    const lock = { ...known.lock, user: 'bob', name: 'Bob', client: p.bob.client, page: p.bob.page, token: p.token + 10 };
    const r = await w.s.report(DOC, 'i2', [member(p.bob)], lock, w.policy);
    has(r, LOCK('held', 'bob', { takeover: null, other: 0 }));
});

test('restored by reports: APPROVE where the admin is not there leaves the lock where it is', async () => {
    const { w, ...p } = await party('held');
    await pend(w, p);
    const known = await forgotten(w, p);
    await report(w, known, [p.ann]);
    await closeWindow(w);
    has(await w.s.reply(DOC, p.ann, 'TAKEOVER', 't1', 'APPROVE'), { outcome: 'UNKNOWN_REQUEST', events: [], ...LOCK('held', 'ann') });
});

test('restored by reports: prompt, and a grace that may be claimed', async () => {
    const { w, ...p } = await party('grace', { disconnect: 'prompt' });
    const known = await forgotten(w, p);
    has(await report(w, known, [p.bob, p.dee]), LOCK('grace', 'ann', { prompt: 1, token: p.token }));
    await closeWindow(w);
    has(await w.s.claim(DOC, p.bob), { outcome: 'GRANTED' });
});

test('a request that was denied does not come back with the place it leaves', async () => {
    const { w, ...p } = await party('held', { waits: ['bob'], request: 10000 });
    await ask(w, p);
    const { events: [denied] } = await w.s.reply(DOC, p.ann, 'REQUEST', 'r1', 'DENY');
    const known = await forgotten(w, p);
    await report(w, { ...known, waiters: [denied.waiter] }, [p.ann, p.bob]); // as the event tells it
    await closeWindow(w);
    await w.pass(10000);
    has(await w.s.status(DOC), { ...LOCK('held', 'ann', { queued: 1 }), events: [] });
});

test('outside a window a report brings nobody a place, but back to the one that there is', async () => {
    const { w, ...p } = await party('held', { waits: ['bob'] });
    const known = await w.s.join(DOC, p.dee);
    await w.s.withdraw(DOC, p.bob, 'QUEUE');
    await report(w, known, [p.ann, p.bob]);
    has(await w.s.status(DOC), LOCK('held', 'ann', { queued: 0 }));
    // An instance stalled: its people went, and come back. Nobody has the lock any more.
    await w.s.acquire(DOC, p.bob);
    await w.s.acquire(DOC, p.cy);
    for (const t of [p.bob, p.cy]) {
        await w.s.disconnect(DOC, t, 'SERVER');
    }
    has(await w.s.release(DOC, p.ann), LOCK('free', '', { queued: 2 }));
    const r = await w.s.report(DOC, 'i1', [member(p.cy), member(p.bob)], null, w.policy);
    assert.deepEqual(told(r), ['JOIN', 'BACK', 'JOIN', 'BACK', 'RESERVED']);
    has(r, LOCK('reserved', 'bob', { queued: 1 })); // the first in the queue, not the first that was reported
});

test('a grace that may be claimed is an ordinary lock when its owner is reported back', async () => {
    const { w, ...p } = await party('grace', { disconnect: 'prompt' });
    const r = await w.s.report(DOC, 'i1', [member(p.ann)], { ...(await w.s.status(DOC)).lock, state: 'held' }, w.policy);
    has(r, LOCK('held', 'ann', { prompt: 0, token: p.token }));
});

// ---- what is left behind ----

test('nothing is left behind of those who waited, asked, took over', async () => {
    const ends = [(w, t) => w.s.leave(DOC, t), (w, t) => w.s.disconnect(DOC, t, 'LEFT'), (w, t) => w.s.disconnect(DOC, t, 'LOST')];
    for (const state of ['held', 'grace', 'reserved']) {
        for (const [i, end] of ends.entries()) {
            const { w, ...p } = await party(state, { waits: ['bob', 'cy'] });
            await w.s.request(DOC, p.cy, 'r1');
            if (state === 'held') {
                await pend(w, p);
            }
            for (const t of [p.cy, p.dee, p.bob, ...(state === 'grace' ? [] : [p.ann])]) {
                await end(w, t);
            }
            for (let n = 0; n < 5; n++) {
                await w.pass(30000);
                await w.s.sweep();
            }
            assert.deepEqual((await keys(w)).sort(),
                ['audit', 'clock', 'due', `ended:${DOC}`, 'events', 'instances', 'meta', 'written'], `${state} ${i}`);
            assert.deepEqual(await w.redis.command('ZRANGE', w.s.key('due'), 0, -1), ['i:i1']);
        }
    }
});

test('a due time whose subject is gone', async () => {
    const { w, ...p } = await party('held', { waits: ['bob'] });
    await ask(w, p, 'cy');
    await w.redis.command('DEL', w.s.key(`queue:${DOC}`), w.s.key(`waiter:${DOC}`)); // a store that lost some of its past
    await w.pass(120000);
    has(await w.s.sweep(), { events: [] });
    has(await w.s.status(DOC), LOCK('held', 'ann', { queued: 0, other: 0 }));
    await w.redis.command('ZADD', w.s.key('due'), 1, `r:${DOC}`);
    await w.redis.command('DEL', w.s.key(`lock:${DOC}`));
    await w.s.sweep();
    assert.deepEqual(await w.redis.command('ZRANGE', w.s.key('due'), 0, -1), ['i:i1']);
});

test('a heartbeat that finds something of those who wait due is told as seldom as any other', async () => {
    const { w, ...p } = await party('held', { request: 1000 });
    await ask(w, p);
    await w.pass(1000);
    const r = await w.s.heartbeat(DOC, p.ann, { token: p.token, active: false });
    assert.deepEqual(told(r), ['TIMEOUT']);
    has(r, { outcome: 'RENEWED', lock: { expires: w.s.ms + 300000, token: p.token } });
});

test('the tab limit does not count what is reserved for the user', async () => {
    const { w, ...p } = await party('held', { tabs: 1, ttl: 10000 });
    // bob holds another child, and his other tab waits there: what he has ends, and is reserved for him.
    const [first, second] = [w.tab('bob', 3), w.tab('bob', 4)];
    await w.s.join('doc:1:x', first, { edit: true });
    await w.s.join('doc:1:x', second);
    await w.s.join('doc:1:x', p.dee);
    await w.s.takeover('doc:1:x', p.dee, 't1', { length: 0 });
    await w.s.request('doc:1:x', second, 'r9');
    await w.s.release('doc:1:x', p.dee);
    has(await w.s.status('doc:1:x'), LOCK('reserved', 'bob'));
    await w.s.release(DOC, p.ann);
    await w.redis.command('HSET', w.s.key('held:doc:1:bob'), 'x', ''); // as after a store that lost some of its past
    has(await w.s.acquire(DOC, p.bob), { outcome: 'GRANTED' });
    assert.deepEqual(await w.redis.command('HKEYS', w.s.key('held:doc:1:bob')), ['main']);
});
