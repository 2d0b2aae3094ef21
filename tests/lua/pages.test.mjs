// The pages of a tab: a lock that goes on on another connection keeps its token only on the same page, or from grace where one of
// the two pages has no name. Otherwise a duplicated tab would have the fence of the one that it was made from.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causes, DOC, has, START, useRedis, World } from './world.mjs';
import { packAll, POLICY } from './scripts.mjs';

useRedis();

const P1 = 'page-0001';
const P2 = 'page-0002';
const member = (t, joined = START) => ({ user: t.user, name: t.name, client: t.client, session: t.session, joined, page: t.page });

// ann's tab on `page` has DOC, or had it until its connection was cut.
async function given(state, page) {
    const w = await World.create();
    const ann = w.tab('ann', 1, { page });
    const { lock } = await w.s.join(DOC, ann, { edit: true });
    has(lock, { state: 'held', page });
    if (state === 'grace') {
        has(await w.s.disconnect(DOC, ann, 'SERVER'), { lock: { state: 'grace', page } });
    }
    return { w, ann, token: lock.token };
}

// Under the old token, or under a new one, the old grant having ended.
function goesOn(r, token, keeps, page) {
    has(r, { resumed: true, lost: null, lock: { state: 'held', user: 'ann', page } });
    const e = r.events.at(-1);
    has(e, { cause: 'RESUMED', lock: { token: r.lock.token, page } });
    if (keeps) {
        assert.equal(r.lock.token, token);
        assert.equal(e.ended, null);
    } else {
        assert.ok(r.lock.token > token);
        assert.equal(r.lock.token, e.rev);
        has(e.ended, { token, reason: 'MOVED', user: 'ann' });
    }
}

// [state, the lock's page, the page that comes with the right token, whether the lock keeps its token]
const CASES = [
    ['held', P1, P1, true], ['held', P1, P2, false], ['held', P1, '', false], ['held', '', P2, false], ['held', '', '', false],
    ['grace', P1, P1, true], ['grace', P1, P2, false], ['grace', P1, '', true], ['grace', '', P2, true], ['grace', '', '', true],
];
const name = (page) => page || 'no page';

for (const [state, before, page, keeps] of CASES) {
    const title = `${name(before)} and then ${name(page)}: ${keeps ? 'the same' : 'a new'} token`;
    test(`${state}: join with the right token, ${title}`, async () => {
        const { w, ann, token } = await given(state, before);
        const r = await w.s.join(DOC, w.tab('ann', 1, { page }), { edit: true, token });
        assert.deepEqual(causes(r), ['JOIN', 'RESUMED']);
        has(r.events[0], { oldSession: state === 'held' ? ann.session : '', member: { page } });
        has(r, { outcome: 'GRANTED' });
        goesOn(r, token, keeps, page);
        // The next connection of the page that has it now.
        const next = await w.s.join(DOC, w.tab('ann', 1, { page }), { edit: true, token: r.lock.token });
        assert.equal(next.lock.token === r.lock.token, page !== '');
    });
    test(`${state}: heartbeat with the right token after viewing, ${title}`, async () => {
        const { w, token } = await given(state, before);
        const back = w.tab('ann', 1, { page });
        has(await w.s.join(DOC, back, { token }), { lost: null, lock: { state: 'grace', page: before } });
        const r = await w.s.heartbeat(DOC, back, { token });
        has(r, { outcome: 'RENEWED' });
        // To view is to let the lock go into grace.
        goesOn(r, token, keeps || before === '' || page === '', page);
    });
}

test('its own connection: acquire, join and heartbeat keep the token, named or not', async () => {
    for (const page of [P1, '']) {
        const { w, ann, token } = await given('held', page);
        has(await w.s.acquire(DOC, ann), { outcome: 'GRANTED', resumed: false, lock: { token, page } });
        has(await w.s.join(DOC, ann, { edit: true, token }), { outcome: 'GRANTED', resumed: false, lock: { token, page } });
        has(await w.s.heartbeat(DOC, ann, { token }), { outcome: 'RENEWED', resumed: false, lock: { token, page } });
        has(await w.s.status(DOC), { lock: { token, page } });
    }
});

test('of two live pages of one tab the first is out, and its token is below the second one’s', async () => {
    const { w, ann, token } = await given('held', P1);
    const copy = w.tab('ann', 1, { page: P2 });
    const r = await w.s.join(DOC, copy, { edit: true, token });
    has(r.events[0], { kind: 'JOIN', oldSession: ann.session });
    has(await w.s.verify(DOC, token), { outcome: 'LOST', lost: { token, reason: 'MOVED' } });
    has(await w.s.verify(DOC, r.lock.token), { outcome: 'NONE' });
    has(await w.s.heartbeat(DOC, ann, { token }), { outcome: 'NOT_JOINED' });
    has(await w.s.heartbeat(DOC, copy, { token }), { outcome: 'LOST', lost: { reason: 'STALE_TOKEN' } });
    // The first asks for it again, by its old token: it is told, and gets a newer one.
    const again = await w.s.join(DOC, w.again(ann), { edit: true, token });
    has(again, { outcome: 'GRANTED', resumed: true, lost: { token, reason: 'MOVED' }, lock: { page: P1 } });
    assert.ok(again.lock.token > r.lock.token);
});

test('a lock has a page while it is held or in grace, that of the connection that has it', async () => {
    const w = await World.create({ policy: { waiters: 3 } });
    const ann = w.tab('ann');
    const bob = w.tab('bob');
    await w.s.join(DOC, bob);
    await w.s.join(DOC, ann, { edit: true });
    has(await w.s.acquire(DOC, bob), { outcome: 'QUEUED', lock: { page: 'page-ann-1' } });
    has(await w.s.release(DOC, ann), { lock: { state: 'reserved', user: 'bob', page: '' } });
    has(await w.s.claim(DOC, bob), { lock: { state: 'held', user: 'bob', page: 'page-bob-1' } });
    const other = w.tab('bob', 2);
    await w.s.join(DOC, other);
    has(await w.s.acquire(DOC, other, { takeOwn: true }), { lock: { state: 'held', page: 'page-bob-2' } });
    has(await w.s.operate(DOC, 'TAKEOVER', 'ann', w.policy), { lock: { state: 'reserved', page: '' } });
    has(await w.s.acquire(DOC, ann), { lock: { state: 'held', page: 'page-ann-1' } });
    await w.s.disconnect(DOC, ann, 'LOST');
    const r = await w.pass(30000).then(() => w.s.status(DOC));
    has(r, { lock: { state: 'free', page: '' } });
});

test('who may claim a lock in grace has it on its own page', async () => {
    const w = await World.create({ policy: { disconnect: 'prompt' } });
    const { ann, bob } = await w.given('held');
    await w.s.disconnect(DOC, ann, 'LOST');
    has(await w.s.claim(DOC, bob), { outcome: 'GRANTED', lock: { page: 'page-bob-1' } });
});

test('an administrator has the lock on the page that is there when it comes', async () => {
    for (const [how, end] of [
        ['at once', null],
        ['after a while', (w) => w.pass(30000).then(() => w.s.status(DOC))],
        ['by release', (w, { ann }) => w.s.release(DOC, ann)],
        ['by APPROVE', (w, { ann }) => w.s.reply(DOC, ann, 'TAKEOVER', 't1', 'APPROVE')],
    ]) {
        const w = await World.create();
        const { ann } = await w.given('held');
        let dee = w.tab('dee', 1, { page: P1 });
        await w.s.join(DOC, dee);
        let r = await w.s.takeover(DOC, dee, 't1', { length: end ? 30000 : 0 });
        let page = P1;
        if (end) {
            has(r, { outcome: 'PENDING' });
            page = P2; // it comes on another page before it is given the lock
            dee = { ...w.again(dee), page };
            await w.s.join(DOC, dee);
            r = await end(w, { ann });
        }
        has(r, { lock: { state: 'held', user: 'dee', page } }, how);
        await w.s.disconnect(DOC, dee, 'LOST');
        const back = await w.s.join(DOC, w.again(dee), { edit: true, token: r.lock.token });
        has(back, { outcome: 'GRANTED', resumed: true, lock: { token: r.lock.token, page } });
    }
});

test('an answer from grace takes the lock up by the same rule, and says so', async () => {
    for (const [page, keeps] of [[P1, true], [P2, false], ['', true]]) {
        for (const action of ['DENY', 'IGNORE']) {
            const { w, token } = await given('grace', P1);
            const bob = w.tab('bob');
            await w.s.join(DOC, bob);
            await w.s.request(DOC, bob, 'r1');
            const back = w.tab('ann', 1, { page });
            await w.s.join(DOC, back);
            const r = await w.s.reply(DOC, back, 'REQUEST', 'r1', action);
            has(r, { outcome: 'REPLIED', resumed: true, lock: { state: 'held', page } });
            assert.equal(r.lock.token === token, keeps);
            has(await w.s.heartbeat(DOC, back, { token: r.lock.token }), { outcome: 'RENEWED' });
        }
        // Who approves has the lock no more.
        const { w, token } = await given('grace', P1);
        const bob = w.tab('bob');
        await w.s.join(DOC, bob);
        await w.s.request(DOC, bob, 'r1');
        const back = w.tab('ann', 1, { page });
        await w.s.join(DOC, back);
        const r = await w.s.reply(DOC, back, 'REQUEST', 'r1', 'APPROVE');
        has(r, { outcome: 'REPLIED', resumed: false, lock: { state: 'reserved', user: 'bob', page: '' } });
        const ended = r.events.filter((e) => e.ended).map((e) => [e.ended.reason, e.ended.token === token]);
        assert.deepEqual(ended, keeps ? [['TRANSFERRED', true]] : [['MOVED', true], ['TRANSFERRED', false]]);
    }
});

// ---- recovery windows ----

const openWindow = (w) => w.redis.command('HSET', w.s.key('meta'), 'replid', 'f'.repeat(40));

test('in a window a lock goes on under its token, but gives no new one', async () => {
    for (const [state, before, page, keeps] of CASES) {
        for (const by of ['join', 'heartbeat']) {
            const { w, token } = await given(state, before);
            await openWindow(w);
            const back = w.tab('ann', 1, { page });
            const joins = by === 'join';
            let r = await w.s.join(DOC, back, { edit: joins, token });
            r = joins ? r : await w.s.heartbeat(DOC, back, { token });
            const goes = keeps || (!joins && (before === '' || page === ''));
            has(r, goes ? { resumed: true, lock: { state: 'held', token, page } }
                : { outcome: 'RECOVERING', resumed: false, lock: { state: 'grace', token, page: before } });
        }
    }
});

// The store forgets everything; ann's instance has told of her lock.
async function forgotten(state, page, { here = true } = {}) {
    const { w, ann, token } = await given(state, page);
    const { lock } = await w.s.status(DOC);
    await w.redis.command('FLUSHALL');
    await w.s.setClock(w.s.ms);
    const { window } = await w.s.renew('i1');
    const r = await w.s.report(DOC, 'i1', state === 'held' && here ? [member(ann)] : [], lock, w.policy);
    has(r, { lock: { state: here ? state : 'grace', token, page } });
    return { w, ann, token, lock, close: () => w.s.reportDone('i1', window) };
}

test('a lock comes back with its page, and a member too', async () => {
    for (const [state, before, page, keeps] of CASES) {
        const { w, token, close } = await forgotten(state, before);
        await close();
        goesOn(await w.s.join(DOC, w.tab('ann', 1, { page }), { edit: true, token }), token, keeps, page);
    }
    // To whom a takeover gives it.
    const { w, ann, close } = await forgotten('held', P1);
    const dee = w.tab('dee', 1, { page: P2 });
    await w.s.report(DOC, 'i1', [member(dee)], null, w.policy);
    await close();
    await w.s.takeover(DOC, dee, 't1', { length: 30000 });
    has(await w.s.release(DOC, ann), { lock: { state: 'held', user: 'dee', page: P2 } });
});

test('a lock is not held by a page of its tab that has not taken it up, whoever reports it', async () => {
    // The other page has come meanwhile, to view, and its instance reports it first.
    for (const page of [P2, '']) {
        const { w, ann, token, lock } = await given('held', P1).then(async (g) => ({ ...g, lock: (await g.w.s.status(DOC)).lock }));
        const copy = w.tab('ann', 1, { page, instance: 'i2' });
        await w.redis.command('FLUSHALL');
        await w.s.setClock(w.s.ms);
        await w.s.renew('i1');
        await w.s.renew('i2');
        await w.s.report(DOC, 'i2', [member(copy, START + 5)], null, w.policy);
        const r = await w.s.report(DOC, 'i1', [member(ann)], lock, w.policy);
        has(r, { names: [ann.session], lock: { state: 'grace', token, page: P1 } });
    }
    // The store was rolled back to before it came.
    const { w, ann, token, lock } = await given('held', P1).then(async (g) => ({ ...g, lock: (await g.w.s.status(DOC)).lock }));
    const copy = w.tab('ann', 1, { page: P2, instance: 'i2' });
    await openWindow(w);
    const r = await w.s.report(DOC, 'i2', [member(copy, START + 5)], { ...lock, state: 'grace', until: START + 30000 }, w.policy);
    has(r.events[0], { kind: 'JOIN', oldSession: ann.session });
    has(r, { lock: { state: 'grace', token, page: P1 } });
    // Outside a window, where an instance was late.
    const late = await given('grace', P1);
    const viewer = late.w.tab('ann', 1, { page: P2 });
    await late.w.s.join(DOC, viewer);
    const held = { ...(await late.w.s.status(DOC)).lock, state: 'held' };
    has(await late.w.s.report(DOC, 'i2', [member(late.ann, START - 1)], held, late.w.policy),
        { names: [late.ann.session], lock: { state: 'grace', token: late.token, page: P1 } });
});

// ---- what was stored before there were pages ----

// As the scripts of schema 1 wrote a lock.
function packLock(items) {
    const byte = (n) => Buffer.from([n]);
    const parts = items.map((item, i) => {
        if (typeof item === 'string') {
            return packAll([item]);
        } else if (i === 8) {
            return Buffer.from([0xcd, item >> 8, item & 255]);
        }
        return [6, 7, 16].includes(i) ? byte(item) : Buffer.concat([byte(0xcf), packAll([item]).subarray(1)]);
    });
    return Buffer.concat(parts);
}

test('a lock and members of schema 1 are read, and nothing is lost', async () => {
    const stored = `${POLICY.ttl} ${POLICY.idle} ${POLICY.grace} ${POLICY.claim} ${POLICY.disconnect}`;
    for (const state of ['held', 'grace']) {
        const w = await World.create();
        await w.redis.command('HSET', w.s.key('meta'), 'schema', 1);
        has(await w.s.open(), { status: 'OK' });
        assert.equal(await w.redis.command('HGET', w.s.key('meta'), 'schema'), '2');
        const ann = w.tab('ann', 1, { page: P1 });
        const token = START * 1000 - 5;
        const items = [token, START - 1, START + 60000, 0, state === 'grace' ? START + 20000 : 0, START - 1, 0, 0, 0, state, 'ann', 'Ann',
            ann.client, stored, '', 0, 0];
        assert.equal(items.length, 17);
        await w.redis.command('SET', w.s.key(`lock:${DOC}`), packLock(items));
        await w.redis.command('HSET', w.s.key(`held:doc:1:ann`), 'main', '');
        const old = w.tab('bob');
        for (const t of [old, ...state === 'held' ? [{ ...ann, session: 's-old' }] : []]) {
            await w.redis.command('HSET', w.s.key(`member:${DOC}`), `${t.client}:${t.user}`, `${t.session} i1 ${START - 1} ${t.name}`);
            await w.redis.command('ZADD', w.s.key(`room:${DOC}`), START - 1, `${t.client}:${t.user}`);
            await w.redis.command('SADD', w.s.key('instance:i1'), `${DOC} ${t.client}:${t.user}`);
        }
        has(await w.s.status(DOC), { lock: { state, user: 'ann', token, page: '', policy: stored } });
        has(await w.s.acquire(DOC, old), { outcome: state === 'held' ? 'HELD' : 'GRACE', lock: { token, page: '' } });
        if (state === 'held') {
            has(await w.s.heartbeat(DOC, { ...ann, session: 's-old' }, { token, dirty: 1 }),
                { outcome: 'RENEWED', lock: { token, page: '', dirty: 1, expires: START + POLICY.ttl } });
        }
        const r = await w.s.join(DOC, ann, { edit: true, token });
        goesOn(r, token, state === 'grace', P1);
        has(r.members.find((m) => m.user === 'bob'), { name: 'Bob', page: '', joined: START - 1 });
        assert.deepEqual(causes(await w.s.disconnect(DOC, old, 'LOST')), ['LEAVE']);
    }
});

test('a heartbeat changes nothing but what it renews', async () => {
    const w = await World.create({ policy: { idle: 60000 } });
    const { ann, bob } = await w.given('held');
    await w.s.takeover(DOC, bob, 't1', { length: 30000 });
    const before = (await w.s.status(DOC)).lock;
    await w.s.advance(1000);
    const { lock } = await w.s.heartbeat(DOC, ann, { dirty: 1 });
    assert.deepEqual(lock, {
        ...before, expires: w.s.ms + POLICY.ttl, idle: w.s.ms + 60000, lastEvent: w.s.ms, dirty: 1,
    });
    assert.deepEqual((await w.s.status(DOC)).lock, lock);
    // Of a policy of another length.
    const longer = { ...ann, policy: { ...w.policy, grace: 1234567 } };
    const after = (await w.s.heartbeat(DOC, longer)).lock;
    assert.deepEqual({ ...after, policy: lock.policy }, lock);
    assert.match(after.policy, /1234567/);
});
