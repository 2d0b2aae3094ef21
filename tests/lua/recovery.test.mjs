// Recovery windows, reports, leases and the sweeper.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causes, DOC, has, START, useRedis, World } from './world.mjs';

useRedis();

const member = (t, joined = START) => ({ user: t.user, name: t.name, client: t.client, session: t.session, joined, page: t.page });
const lockOf = (t, l) => ({
    token: l.token, state: 'held', user: t.user, name: t.name, client: t.client, made: t.made, since: l.since,
    expires: l.expires, until: l.until, dirty: l.dirty, page: t.page,
});
// The store is not the one that it was: as after a restart or a promotion.
const replaced = (w) => w.redis.command('HSET', w.s.key('meta'), 'replid', 'f'.repeat(40));

async function shared(options = {}) {
    const w = await World.create({ isPrivate: false, ...options });
    await w.s.advance(3000);
    has(await w.s.renew('i1'), { window: 0 });
    w.start = w.s.ms;
    return w;
}

test('a window at the first start: at once for a private server, 3 s for a shared one', async () => {
    const w = await World.create();
    has(await w.s.status(DOC), { window: 0 });
    await w.redis.command('FLUSHALL');
    await w.s.setClock(START);
    w.s.isPrivate = false;
    const { window } = await w.s.open();
    assert.equal(window, START);
    await w.s.renew('i1');
    has(await w.s.reportDone('i1', window), { window, next: START + 10000 });
    await w.s.advance(2999);
    has(await w.s.renew('i1'), { window });
    await w.s.advance(1);
    has(await w.s.renew('i1'), { window: 0 });
});

test('another layout is refused', async () => {
    const w = await World.create();
    has(await w.s.open(8), { status: 'SHARDS', rev: 16 });
    has(await w.s.open(16, 3, 3), { status: 'SCHEMA', rev: 2 });
    has(await w.s.open(16, 1, 1), { status: 'SCHEMA', rev: 2 });
    w.s.shards = 8;
    has(await w.s.renew('i2'), { status: 'SHARDS', rev: 16 });
    assert.equal(await w.redis.command('ZSCORE', w.s.key('due'), 'i:i2'), null);
});

test('the window stays open for every instance whose editors may still believe, and no longer than lease + longest grace', async () => {
    const w = await shared();
    await w.s.renew('i2');
    await replaced(w);
    const { window } = await w.s.status(DOC);
    assert.equal(window, w.start);
    await w.s.reportDone('i1', window);
    await w.s.advance(4000);
    has(await w.s.renew('i1'), { window });
    await w.s.renew('i2');
    has(await w.s.reportDone('i2', window - 1), { window }); // of another window
    has(await w.s.reportDone('i2', window), { window: 0 });

    await replaced(w);
    const second = (await w.s.status(DOC)).window;
    assert.ok(second > window);
    await w.s.reportDone('i1', second);
    await w.pass(10001); // i2 has died, but its editors may believe in their locks for the grace
    has(await w.s.renew('i1'), { window: second });
    await w.pass(25000);
    has(await w.s.renew('i1'), { window: second });
    await w.s.advance(5000);
    has(await w.s.renew('i1'), { window: 0 });

    await replaced(w);
    const third = (await w.s.status(DOC)).window;
    for (let i = 0; i < 13; i++) { // i3 never reports
        await w.s.advance(3000);
        await w.s.renew('i3');
        has(await w.s.renew('i1'), { window: third });
    }
    await w.s.advance(1000);
    has(await w.s.renew('i1'), { window: 0 });
});

test('a clock that is set back: an open window begins anew, and who reported afterwards need not again', async () => {
    const w = await shared();
    await replaced(w);
    const { window } = await w.s.status(DOC);
    await w.s.setClock(w.s.ms - 120000);
    await w.s.renew('i1');
    const again = (await w.s.reportDone('i1', window)).window;
    assert.equal(again, w.s.ms);
    await w.s.reportDone('i1', again);
    await w.s.advance(3000);
    has(await w.s.renew('i1'), { window: 0 });

    await w.s.setClock(w.s.ms - 600000);
    const third = (await w.s.renew('i1')).window;
    assert.equal(third, w.s.ms);
    await w.s.renew('i2'); // late: it is new
    await w.s.reportDone('i2', third);
    await w.s.reportDone('i1', third);
    await w.s.advance(3000);
    has(await w.s.renew('i1'), { late: false, window: 0 });
    has(await w.s.renew('i2'), { late: false, window: 0 });
});

test('peers that an instance knows are waited for', async () => {
    const w = await shared();
    await w.redis.command('FLUSHALL');
    await w.s.setClock(w.s.ms);
    await w.s.renew('i1');
    const { window } = await w.s.status(DOC);
    await w.s.reportDone('i1', window, { peers: { i2: w.s.ms - 5000, i3: w.s.ms - 30000 } });
    await w.s.advance(4000);
    has(await w.s.renew('i1'), { window });
    has(await w.s.reportDone('i2', window), { window: 0 });
    assert.deepEqual((await w.redis.command('HKEYS', w.s.key('instances'))).sort(), ['i1', 'i2']); // i3's editors have stopped
});

test('a silent peer is waited for until its last lease and the longest grace are over', async () => {
    const w = await shared();
    await w.redis.command('FLUSHALL');
    await w.s.setClock(w.s.ms);
    await w.s.renew('i1');
    const { window } = await w.s.status(DOC);
    await w.s.reportDone('i1', window, { peers: { i2: w.s.ms + 2000 } });
    await w.pass(30000);
    has(await w.s.renew('i1'), { window });
    await w.s.advance(1999);
    has(await w.s.renew('i1'), { window });
    await w.s.advance(1);
    has(await w.s.renew('i1'), { window: 0 });
});

test('where the store has lost nothing a dead instance is waited for no longer than its lease', async () => {
    const w = await shared();
    await w.s.renew('i2');
    await w.s.advance(6667);
    const { window } = await w.s.renew('i1'); // a gap
    assert.equal(window, w.s.ms);
    await w.s.reportDone('i1', window);
    await w.s.advance(3332);
    has(await w.s.renew('i1'), { window });
    await w.s.advance(1);
    has(await w.s.renew('i1'), { window: 0 });
});

test('no lease renewed for two intervals opens a window', async () => {
    const w = await shared();
    await w.s.advance(6666);
    has(await w.s.status(DOC), { window: 0 });
    await w.s.advance(1);
    has(await w.s.status(DOC), { window: w.s.ms });
});

test('inside a window nothing is granted or settled; what is one’s own goes on', async () => {
    const w = await shared();
    const { ann, bob, token } = await w.given('held');
    await replaced(w);
    const { window } = await w.s.status(DOC);
    has(await w.s.acquire(DOC, bob), { outcome: 'RECOVERING' });
    has(await w.s.join(DOC, w.tab('cy'), { edit: true, token: token + 7 }), { outcome: 'RECOVERING', joined: true, lost: null });
    has(await w.s.join('doc:2:main', w.tab('cy'), { edit: true }), { outcome: 'RECOVERING', joined: true });
    has(await w.s.join(DOC, w.tab('dan')), { outcome: 'NONE', joined: true });
    has(await w.s.release(DOC, ann), { outcome: 'RECOVERING' });
    has(await w.s.acquire(DOC, w.tab('eve')), { outcome: 'NOT_JOINED' });
    has(await w.s.acquire(DOC, ann), { outcome: 'RECOVERING', lock: { token } }); // the store may have lost its end
    has(await w.s.heartbeat(DOC, ann), { outcome: 'RENEWED', window });
    const back = w.again(ann);
    has(await w.s.join(DOC, back, { edit: true, token }), { outcome: 'GRANTED', resumed: true, lock: { token } });
    await w.s.reportDone('i1', window);
    has(await w.s.disconnect(DOC, back, 'LOST'), { lock: { state: 'grace' } });
    const viewing = w.again(ann);
    has(await w.s.join(DOC, viewing), { joined: true });
    has(await w.s.heartbeat(DOC, viewing), { outcome: 'RECOVERING', lock: { state: 'grace' } }); // a new token is a grant
    has(await w.s.heartbeat(DOC, viewing, { token }), { outcome: 'RENEWED', resumed: true });
    await w.s.advance(400000);
    has(await w.s.status(DOC), { lock: { state: 'held' }, events: [] });
    has(await w.s.sweep(), { events: [], window, next: w.s.ms + 1000 });
    has(await w.s.leave(DOC, viewing), { outcome: 'NONE', lock: { state: 'free' } });
});

test('a member departs inside a window only once its instance has reported: the store may have a lock again that has ended', async () => {
    const w = await shared();
    const { ann, bob, token } = await w.given('held');
    await w.s.renew('i2');
    const other = w.tab('cy', 1, { instance: 'i2' });
    await w.s.join(DOC, other);
    await replaced(w);
    const members = await w.keys();
    for (const how of ['LEFT', 'LOST', 'SERVER', 'TERMINATED', 'STRAY']) {
        has(await w.s.disconnect(DOC, ann, how), { outcome: 'RECOVERING', lock: { state: 'held', token }, events: [] });
    }
    for (const t of [ann, bob, other]) has(await w.s.leave(DOC, t), { outcome: 'RECOVERING', lock: { state: 'held', token }, events: [] });
    assert.deepEqual((await w.keys()).sort(), members.sort());
    const { window } = await w.s.status(DOC);
    await w.s.reportDone('i1', window);
    has(await w.s.leave(DOC, other), { outcome: 'RECOVERING' }); // i2 has not reported
    has(await w.s.leave(DOC, bob), { outcome: 'NONE', lock: { state: 'held' } });
    has(await w.s.leave(DOC, ann), { outcome: 'NONE', lock: { state: 'free' } });
    await w.s.reportDone('i2', window);
    has(await w.s.disconnect(DOC, other, 'LOST'), { outcome: 'NONE' });
    // What it has reported in an earlier window counts for nothing in the next.
    await w.s.join('doc:2:main', ann, { edit: true });
    await w.pass(3000);
    has(await w.s.renew('i1'), { window: 0 });
    await replaced(w);
    has(await w.s.leave('doc:2:main', ann), { outcome: 'RECOVERING' });
});

test('an end that is known is told to whoever joins inside a window, one that is not is told afterwards', async () => {
    const w = await shared();
    const { ann, token } = await w.given('held');
    await w.s.release(DOC, ann);
    await replaced(w);
    const back = w.again(ann);
    const joined = await w.s.join(DOC, back, { token });
    assert.notEqual(joined.window, 0);
    has(joined, { outcome: 'NONE', joined: true, lost: { token, reason: 'RELEASED' } });
    has(await w.s.join(DOC, w.again(ann), { token: token + 1 }), { lost: null });
});

test('a token below that of the lock is over: whoever joins with it inside a window is told, also the owner of the later one', async () => {
    const w = await shared();
    const { ann, bob, token } = await w.given('held');
    await replaced(w);
    for (const tab of [w.again(ann), bob, w.tab('cy')]) {
        const joined = await w.s.join(DOC, tab, { token: token - 1, edit: tab !== bob });
        assert.notEqual(joined.window, 0);
        has(joined, { joined: true, lost: { token: token - 1, reason: 'NOT_HELD' }, lock: { token } });
    }
});

test('a heartbeat under a token that the store has lost is not told that the lock is lost before all have reported', async () => {
    const w = await shared();
    const { ann, bob } = await w.given('held');
    const { lock } = await w.s.status(DOC);
    await w.redis.command('FLUSHALL');
    await w.s.advance(1000);
    const back = { ...w.again(ann), instance: 'i2' }; // i1 still has the connection, for all it knows
    await w.s.renew('i2');
    await w.s.join(DOC, back);
    has(await w.s.heartbeat(DOC, back, { token: lock.token }), { outcome: 'RECOVERING' });
    await w.s.endings('i1', [[DOC, { user: 'ann', name: 'Ann', client: ann.client, token: lock.token, reason: 'RELEASED', dirty: 0,
        revision: null, since: START, ended: START, by: '', request: '' }]]);
    has(await w.s.heartbeat(DOC, back, { token: lock.token }), { outcome: 'LOST', lost: { reason: 'NOT_HELD' } });
    await w.s.join(DOC, bob);
    has(await w.s.heartbeat(DOC, bob, { token: lock.token }), { outcome: 'RECOVERING' }); // whose it was is lost too
    await closed(w, 'i2');
    has(await w.s.heartbeat(DOC, bob, { token: lock.token }), { outcome: 'LOST', lost: { reason: 'NOT_HELD' } });
});

test('a lock that is resumed in a window without its token waits as a viewer, in grace', async () => {
    const w = await shared();
    const { ann, token } = await w.given('held');
    await replaced(w);
    has(await w.s.join(DOC, w.again(ann), { edit: true }), { outcome: 'RECOVERING', joined: true, lock: { state: 'grace', token } });
});

test('deadlines that fell into the gap count from its end, a TTL with what was left of it', async () => {
    const w = await shared();
    await w.pass(6000);
    w.start = w.s.ms;
    const { ann, token } = await w.given('grace'); // graceUntil: start + 30 s
    const cy = w.tab('cy');
    await w.s.join('doc:2:main', cy, { edit: true });
    const short = { ...w.tab('dan'), policy: { ...w.policy, ttl: 40000 } };
    await w.s.join('doc:3:main', short, { edit: true });
    await w.s.advance(60000); // the daemon is dead, with everything
    const { window } = await w.s.renew('i9');
    assert.equal(window, w.start + 60000);
    await w.s.reportDone('i9', window);
    await w.s.advance(4000);
    has(await w.s.renew('i9'), { window: 0 });
    const end = w.s.ms;
    const r = await w.s.sweep();
    assert.deepEqual(r.events.map((e) => [e.resource, e.cause]).sort(), [[DOC, 'RECOVERED'], ['doc:3:main', 'RECOVERED']]);
    has(await w.s.status('doc:3:main'), { lock: { state: 'held', expires: end + 40000 } });
    has(await w.s.status(DOC), { lock: { state: 'grace', until: end + 30000, token } });
    // The dead instance's lease counts from the gap's end too.
    has(await w.s.status('doc:2:main'), { lock: { state: 'held' } });
    for (const ms of [5000, 4999]) {
        await w.s.advance(ms);
        has(await w.s.renew('i9'), { window: 0 });
    }
    assert.deepEqual(causes(await w.s.sweep()), []);
    await w.s.advance(1);
    assert.deepEqual(causes(await w.s.sweep()).sort(), ['GRACE_STARTED', 'GRACE_STARTED', 'LEAVE', 'LEAVE', 'LEAVE']);
    has(await w.s.status('doc:2:main'), { lock: { state: 'grace', until: end + 40000 } });
    has(await w.s.join(DOC, w.again(ann), { edit: true, token }), { resumed: true, lock: { token } });
});

test('two gaps with less than 5 s between them are one', async () => {
    const w = await shared();
    const { token } = await w.given('grace'); // graceUntil: start + 30 s
    await w.s.advance(31000);
    const gap = async () => {
        const { window } = await w.s.renew('i1');
        assert.equal(window, w.s.ms);
        await w.s.reportDone('i1', window);
        await w.s.advance(3000);
        has(await w.s.renew('i1'), { window: 0 });
    };
    await gap();
    await replaced(w); // before anything was settled
    await gap();
    const end = w.s.ms;
    await w.s.sweep();
    has(await w.s.status(DOC), { lock: { state: 'grace', until: end + 30000, token } });
    await w.pass(20000);
    await replaced(w);
    await gap(); // far enough behind: nothing of the first counts again
    await w.pass(7000);
    has(await w.s.status(DOC), { lock: { state: 'free' } });
});

test('an idle release that fell into the gap counts from its end', async () => {
    const w = await shared({ policy: { idle: 20000 } });
    await w.given('held');
    await w.s.advance(60000);
    const { window } = await w.s.renew('i1');
    await w.s.advance(4000);
    await w.s.renew('i1');
    has(await w.s.reportDone('i1', window), { window: 0 });
    has(await w.s.status(DOC), { lock: { state: 'held', idle: w.s.ms + 20000 } });
});

test('a heartbeat is the first to see an idle release that fell into the gap: the lock goes on, token or none', async () => {
    for (const named of [true, false]) {
        const w = await shared({ policy: { idle: 20000 } });
        const { ann, token } = await w.given('held');
        await w.s.advance(60000);
        const { window } = await w.s.renew('i1');
        await w.s.advance(4000);
        await w.s.renew('i1');
        has(await w.s.reportDone('i1', window), { window: 0 });
        const end = w.s.ms;
        await w.s.advance(1000);
        const r = await w.s.heartbeat(DOC, ann, { token: named ? token : 0, active: false });
        has(r, {
            outcome: 'RENEWED', resumed: false, next: end + 20000,
            lock: { state: 'held', token, since: w.start, expires: w.s.ms + 300000, idle: end + 20000 },
        });
        assert.deepEqual(causes(r), ['RECOVERED']);
    }
});

test('an emptied store is restored from reports, the highest token winning', async () => {
    const w = await shared();
    const { ann, bob, token } = await w.given('held');
    const lock = { token, since: w.start, expires: w.start + 300000, until: 0, dirty: 1 };
    await w.redis.command('FLUSHALL');
    await w.s.advance(1000);
    has(await w.s.renew('i1'), { window: w.s.ms, late: true });
    const before = await w.s.report(DOC, 'i1', [member(bob)], null, w.policy, { highest: token + 500 });
    has(before, { status: 'OK', count: 1, lock: { state: 'free' }, lost: null });
    assert.ok(before.rev > token + 500);
    const r = await w.s.report(DOC, 'i1', [member(ann), member(bob)], lockOf(ann, lock), w.policy);
    assert.deepEqual(causes(r), ['JOIN', 'RECOVERED']);
    has(r, { lost: null, count: 2, lock: { state: 'held', ...lock, user: 'ann', name: 'Ann', client: ann.client } });
    has(await w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, lock), w.policy), { lock: { token }, names: [] });

    // Another instance knows of a later grant.
    const cy = w.tab('cy', 1, { instance: 'i2' });
    const later = { ...lock, token: token + 1000, dirty: 0 };
    const better = await w.s.report(DOC, 'i2', [member(cy)], lockOf(cy, later), w.policy);
    assert.deepEqual(causes(better), ['JOIN', 'RECOVERED']);
    has(better.events[1], { lock: { user: 'cy', token: later.token }, ended: { user: 'ann', token, reason: 'STORE_LOST' } });
    // The older one is not restored any more.
    has(await w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, lock), w.policy),
        { lost: { token, reason: 'STORE_LOST' }, lock: { user: 'cy' } });
    has(await w.s.report(DOC, 'i1', [member(bob)], lockOf(bob, { ...lock, token: token + 3 }), w.policy),
        { lost: { token: token + 3, reason: 'STALE_TOKEN' } });
    assert.deepEqual(await w.redis.command('HKEYS', w.s.key('held:doc:1:cy')), ['main']);
    assert.deepEqual(await w.redis.command('HKEYS', w.s.key('held:doc:1:ann')), []);

    const { window } = better;
    await w.s.renew('i2');
    await w.s.reportDone('i2', window);
    await w.s.advance(3000);
    await w.s.reportDone('i1', window);
    const { lock: next } = await w.s.join('doc:2:main', bob, { edit: true });
    assert.ok(next.token > later.token);
});

test('a lease is renewed where the books know of no window', async () => {
    const w = await shared();
    await w.redis.command('HDEL', w.s.key('meta'), 'window');
    has(await w.s.renew('i1'), { status: 'OK', window: 0, late: false });
});

test('a grace lock is restored from a report, and so is one whose owner is not there', async () => {
    const w = await shared();
    const ann = w.tab('ann');
    const lock = { token: w.s.ms * 1000, since: START, expires: START + 300000, until: w.s.ms + 20000, dirty: 0 };
    await replaced(w);
    has(await w.s.report(DOC, 'i1', [], { ...lockOf(ann, lock), state: 'grace' }, w.policy),
        { lock: { state: 'grace', until: lock.until, token: lock.token } });
    has(await w.s.report('doc:2:main', 'i1', [], lockOf(ann, { ...lock, until: 0 }), w.policy),
        { lock: { state: 'grace', until: w.s.ms + 30000 } });
    // Its owner's connection turns up elsewhere.
    has(await w.s.report(DOC, 'i2', [member({ ...ann, instance: 'i2' })], lockOf(ann, { ...lock, until: 0 }), w.policy),
        { lock: { state: 'held', until: 0, token: lock.token } });
    has(await w.s.report(DOC, 'i1', [], { ...lockOf(ann, lock), state: 'grace' }, w.policy), { lock: { state: 'held' } });
});

test('a lock that is known to have ended is not restored', async () => {
    const w = await shared();
    const { ann, token } = await w.given('held');
    await w.s.release(DOC, ann, { token });
    await replaced(w);
    has(await w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, { token, since: START, expires: START + 900000, until: 0, dirty: 0 }),
        w.policy), { lost: { token, reason: 'RELEASED' }, lock: { state: 'free' } });
});

test('a report from the far future is refused', async () => {
    const w = await shared();
    const { ann } = await w.given('free');
    await replaced(w);
    const ahead = w.s.ms * 1000 + 86400000001;
    has(await w.s.report(DOC, 'i1', [member(ann)], null, w.policy, { highest: ahead }), { status: 'AHEAD' });
    has(await w.s.report(DOC, 'i1', [member(ann)], null, w.policy, { highest: ahead - 1 }), { status: 'OK', rev: ahead - 1 });
    // What the shard's clock has reached already is not refused, whatever TIME says.
    await w.s.advance(-86400000);
    has(await w.s.report(DOC, 'i1', [member(ann)], null, w.policy, { highest: ahead - 1 }), { status: 'OK', rev: ahead - 1 });
});

test('a report outside a window: members again, a grace lock goes on, nothing else', async () => {
    const w = await shared();
    const { ann, bob, token } = await w.given('held');
    await w.s.renew('i2');
    await w.s.advance(6000);
    await w.s.renew('i2');
    await w.s.advance(4000);
    await w.s.sweep(); // i1 stalled, and its members went
    has(await w.s.renew('i1'), { late: true, window: 0 });
    const lock = { token, since: w.start, expires: w.start + 300000, until: 0, dirty: 0 };
    const r = await w.s.report(DOC, 'i1', [member(ann), member(bob)], lockOf(ann, lock), w.policy);
    assert.deepEqual(causes(r), ['JOIN', 'JOIN', 'RESUMED']);
    has(r, { lost: null, lock: { state: 'held', token, expires: w.s.ms + 300000 } });
    const twice = await w.s.report(DOC, 'i1', [member(ann), member(bob)], lockOf(ann, lock), w.policy);
    assert.deepEqual(causes(twice), ['RECOVERED']); // confirmed
    has(twice, { lost: null, lock: { ...r.lock } });
    has(await w.s.renew('i1'), { late: false });
    await w.s.release(DOC, ann, { token });
    await w.s.acquire(DOC, bob);
    has(await w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, lock), w.policy),
        { lost: { reason: 'RELEASED' }, lock: { user: 'bob' }, events: [] });
    has(await w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, { ...lock, token: token + 5 }), w.policy),
        { lost: { reason: 'NOT_HELD' }, lock: { user: 'bob' } });
});

test('a grace lock that goes on by a report has the deadlines of the policy that it is reported with', async () => {
    const w = await shared({ policy: { ttl: 20000 } });
    const { ann, token } = await w.given('grace');
    w.policy = { ...w.policy, ttl: 90000, idle: 40000 };
    const lock = { token, since: w.start, expires: w.start + 20000, until: 0, dirty: 0 };
    const r = await w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, lock), w.policy);
    has(r, { lock: { state: 'held', expires: w.s.ms + 90000, idle: w.s.ms + 40000, policy: '90000 40000 30000 30000 grace' } });
});

test('a reported session whose tab has a newer connection is named', async () => {
    const w = await shared();
    const { ann } = await w.given('free');
    await w.s.advance(1000);
    const newer = { ...w.again(ann), instance: 'i2' };
    await w.s.join(DOC, newer);
    const r = await w.s.report(DOC, 'i1', [member(ann, w.start)], null, w.policy);
    has(r, { names: [ann.session], events: [] });
    const newest = w.again(ann);
    has(await w.s.report(DOC, 'i1', [member(newest, w.s.ms + 5)], null, w.policy), { names: [] });
    has((await w.s.stream()).at(-1), { kind: 'JOIN', oldSession: newer.session, oldInstance: 'i2', member: { session: newest.session } });
    assert.deepEqual(await w.redis.command('SMEMBERS', w.s.key('instance:i2')), []);
});

test('a dead instance is reaped 100 members a call', async () => {
    const w = await shared();
    for (let i = 0; i < 250; i++) {
        await w.s.join(`doc:${i % 3}:main`, w.tab(`user-${i}`, 1, { instance: 'dead' }), { edit: i < 3 });
    }
    await w.s.renew('dead');
    await w.s.advance(5000);
    await w.s.renew('i1');
    await w.s.advance(5000);
    const sizes = [];
    let r;
    do {
        r = await w.s.sweep();
        sizes.push(r.events.filter((e) => e.kind === 'LEAVE').length);
    } while (r.more);
    assert.deepEqual(sizes, [100, 100, 50]);
    has(await w.s.status('doc:0:main'), { lock: { state: 'grace', until: w.s.ms + 30000 } });
    assert.deepEqual(await w.redis.command('HKEYS', w.s.key('instances')), ['i1']);
    assert.equal(await w.redis.command('EXISTS', w.s.key('instance:dead'), w.s.key('room:doc:0:main')), 0);
});

test('a lease counts from when it was sent; given up, what is left is reaped at once', async () => {
    const w = await shared();
    has(await w.s.renew('i1', { sent: w.s.ms - 4000 }), { late: false });
    assert.equal(+await w.redis.command('ZSCORE', w.s.key('due'), 'i:i1'), w.s.ms + 6000);
    await w.s.advance(6000);
    has(await w.s.renew('i1'), { late: true });
    await w.given('held');
    has(await w.s.renew('i1', { lease: 0 }), { next: w.s.ms });
    assert.deepEqual(causes(await w.s.sweep()).sort(), ['GRACE_STARTED', 'LEAVE', 'LEAVE']);
    await w.s.renew('i2');
    await w.s.renew('i2', { lease: 0 });
    assert.deepEqual(await w.redis.command('HKEYS', w.s.key('instances')), []);
});

test('the sweeper takes what is due and moves the rest on', async () => {
    const w = await shared();
    const tabs = [];
    for (let i = 0; i < 5; i++) {
        tabs.push(w.tab(`user-${i}`));
        await w.s.join(`doc:${i}:main`, tabs[i], { edit: true });
    }
    await w.pass(200000);
    await w.s.heartbeat('doc:4:main', tabs[4]);
    await w.pass(100000);
    has(await w.s.sweep({ limit: 2 }), { more: true });
    has(await w.s.sweep({ limit: 2 }), { more: true });
    const r = await w.s.sweep({ limit: 2 });
    has(r, { more: false, events: [], next: w.s.ms + 10000 });
    assert.equal(+await w.redis.command('ZSCORE', w.s.key('due'), 'r:doc:4:main'), w.s.ms + 200000);
    await w.redis.command('ZADD', w.s.key('due'), 1, 'r:doc:9:main'); // nobody's
    await w.s.sweep();
    assert.equal(await w.redis.command('ZSCORE', w.s.key('due'), 'r:doc:9:main'), null);
});

test('streams are trimmed by age and by length', async () => {
    const w = await World.create();
    const { ann } = await w.given('held');
    for (let i = 0; i < 300; i++) {
        await w.s.release(DOC, ann);
        await w.s.acquire(DOC, ann);
    }
    await w.pass(60001);
    await w.s.sweep();
    assert.ok(await w.redis.command('XLEN', w.s.key('events')) < 110);
    assert.ok(await w.redis.command('XLEN', w.s.key('audit')) > 500);
    await w.s.sweep({ keep: 100 });
    assert.ok(await w.redis.command('XLEN', w.s.key('audit')) < 210);
    await w.s.release(DOC, ann);
    const [last] = (await w.s.stream()).slice(-1);
    has(last, { id: `${last.rev}-0`, cause: 'RELEASED' });
});

test('after a step back of the clock ticks creep and deadlines go by TIME', async () => {
    const w = await World.create();
    const { ann, token } = await w.given('held');
    await w.s.advance(-3600000);
    await w.s.release(DOC, ann);
    const r = await w.s.acquire(DOC, ann);
    has(r, { lock: { token: token + 2, expires: w.s.ms + 300000 }, rev: token + 2 });
    has(r.events[0], { prev: token + 1, rev: token + 2 });
    const [last] = (await w.s.stream()).slice(-1);
    assert.equal(last.id, `${token + 2}-0`);
});

// ---- what an audit may lack ----

const due = (w, name) => w.redis.command('ZSCORE', w.s.key('due'), name).then((at) => at && Number(at));

test('what a dead instance may not have written is handed out until somebody has seen to it', async () => {
    const w = await World.create();
    const ann = w.tab('ann', 1, { instance: 'i2' });
    await w.report('i2');
    await w.s.join(DOC, ann, { edit: true });
    const { rev } = await w.s.release(DOC, ann);
    await w.s.renew('i2', { written: rev });
    const after = await w.s.acquire(DOC, ann);
    await w.pass(15000);
    const reaped = await w.s.sweep();
    assert.deepEqual(causes(reaped), ['GRACE_STARTED', 'LEAVE']);
    assert.equal(await due(w, 'i:i2'), null);
    const { names } = await w.s.sweep();
    assert.deepEqual(names, ['i2', `${rev}-0`]);
    assert.deepEqual((await w.s.sweep()).names, [], 'somebody is at it');
    const left = (await w.s.stream('audit')).filter((e) => e.instance === 'i2' && e.rev > rev);
    assert.deepEqual(left.map((e) => e.cause), ['ACQUIRED']);
    assert.equal(left[0].rev, after.rev);
    await w.pass(10000);
    assert.deepEqual((await w.s.sweep()).names, ['i2', `${rev}-0`], 'nobody saw to it');
    await w.s.recorded('i1', 'i2');
    assert.deepEqual([await due(w, 'a:i2'), await w.redis.command('HEXISTS', w.s.key('written'), 'i2')], [null, 0]);
    await w.pass(10000);
    assert.deepEqual((await w.s.sweep()).names, []);
});

test('an instance that goes in good order leaves nothing to write, or says from where on', async () => {
    const w = await World.create();
    await w.report('i2');
    await w.report('i3');
    await w.s.renew('i2', { lease: 0, written: -1 });
    await w.s.renew('i3', { lease: 0, written: 77 });
    assert.deepEqual((await w.s.sweep()).names, ['i3', '77-0']);
    assert.deepEqual(await w.redis.command('HGETALL', w.s.key('written')), ['i1', '0', 'i3', '77']);
});

test('the stream keeps what is not written anywhere, and no more; what its cap cuts is said', async () => {
    const w = await World.create();
    await w.report('i2');
    const ann = w.tab('ann');
    await w.s.join(DOC, ann);
    let tick = 0;
    for (let i = 0; i < 400; i++) {
        await w.s.acquire(DOC, ann);
        tick = (await w.s.release(DOC, ann)).rev;
    }
    await w.s.renew('i1', { written: tick });
    await w.s.sweep();
    assert.equal((await w.s.stream('audit')).length, 801, 'i2 has not said that it has everything');
    await w.s.renew('i2', { written: tick });
    await w.s.sweep();
    assert.ok((await w.s.stream('audit')).length < 101, 'less than one node of the stream is left');
    assert.equal(await w.redis.command('HGET', w.s.key('meta'), 'audit_cut'), null);
    for (let i = 0; i < 400; i++) {
        await w.s.acquire(DOC, ann);
        await w.s.release(DOC, ann);
    }
    await w.s.sweep({ keep: 200 });
    const [first] = await w.s.stream('audit');
    assert.equal(await w.redis.command('HGET', w.s.key('meta'), 'audit_cut'), String(first.rev));
});

test('an instance that was taken for dead and is not is not handed out', async () => {
    const w = await World.create();
    await w.report('i2');
    await w.pass(15000);
    await w.s.sweep();
    assert.ok(await due(w, 'a:i2'));
    has(await w.s.renew('i2'), { late: true });
    assert.equal(await due(w, 'a:i2'), null);
    assert.deepEqual((await w.s.sweep()).names, []);
    await w.s.recorded('i1', 'i2'); // whoever was handed it before comes too late
    assert.ok(await w.redis.command('HEXISTS', w.s.key('written'), 'i2'));
    await w.pass(15000);
    await w.s.sweep();
    assert.equal((await w.s.sweep()).names[0], 'i2');
});

test('what is due and cannot be read is put off, and holds up nothing else', async () => {
    const w = await World.create();
    await w.given('grace');
    for (const [resource, value] of [['doc:bad:a', 'garbage'], ['doc:bad:b', null]]) {
        await (value ? w.redis.command('SET', w.s.key(`lock:${resource}`), value) : w.redis.command('LPUSH', w.s.key(`lock:${resource}`), 'x'));
        await w.redis.command('ZADD', w.s.key('due'), w.s.ms, `r:${resource}`);
    }
    await w.pass(30000);
    const r = await w.s.sweep();
    has(r, { unreadable: true, more: false });
    assert.deepEqual(causes(r), ['GRACE_PERIOD_EXPIRED']);
    assert.ok(r.next > w.s.ms);
    has(await w.s.sweep(), { unreadable: false });
    await w.pass(60000);
    has(await w.s.sweep(), { unreadable: true });
});

test('what a dead instance has in a room that cannot be read holds up nothing else', async () => {
    const w = await World.create();
    const ann = w.tab('ann', 1, { instance: 'i2' });
    await w.report('i2');
    const bad = 'doc:bad:a';
    await w.s.join(DOC, ann, { edit: true });
    await w.s.join(bad, ann);
    await w.redis.command('HSET', w.s.key(`lock:${bad}`), 'x', 'y');
    await w.s.renew('i2');
    await w.pass(15000);
    const r = await w.s.sweep();
    has(r, { unreadable: true });
    assert.deepEqual(causes(r), ['GRACE_STARTED', 'LEAVE']);
    assert.equal(await w.redis.command('HLEN', w.s.key(`member:${bad}`)), 0);
    assert.deepEqual(await w.redis.command('HKEYS', w.s.key('instances')), ['i1']);
    has(await w.s.sweep(), { unreadable: false });
});

// ---- the store's clock is set ----

test('a step forward that is noticed opens a window, and no deadline is lost by it', async () => {
    const w = await shared({ policy: { idle: 200000 } });
    const { ann, token } = await w.given('held'); // expires: start + 300 s
    await w.s.join('doc:2:main', w.tab('bob'), { edit: true });
    await w.s.disconnect('doc:2:main', { ...w.tab('bob'), session: 's1' }, 'SERVER');
    await w.s.setClock(w.s.ms + 3600000);
    const { window } = await w.s.renew('i1', { step: 3600000 }); // also past `valid`
    assert.equal(window, w.s.ms);
    has(await w.s.heartbeat(DOC, ann, { token, active: false }), { outcome: 'RENEWED', lock: { token } });
    await w.s.reportDone('i1', window);
    await w.s.advance(3000);
    has(await w.s.renew('i1'), { window: 0 });
    assert.deepEqual([...new Set(causes(await w.s.sweep()))], ['RECOVERED']);
    has(await w.s.heartbeat(DOC, ann, { token }), { outcome: 'RENEWED', lock: { token } });
});

test('a small step forward opens a window when an instance has noticed it, also by the answer to a renewal', async () => {
    for (const first of [true, false]) {
        const w = await shared({ policy: { ttl: 5000, heartbeat: 2000, takeover: 8000 } });
        const { ann, token } = await w.given('held');
        const admin = w.tab('admin');
        await w.s.join(DOC, admin);
        has(await w.s.takeover(DOC, admin, 'k1'), { outcome: 'PENDING' });
        await w.s.setClock(w.s.ms + 1500);
        await w.s.renew('i1');
        await w.s.setClock(w.s.ms + 4000 + 100);
        if (first) {
            has(await w.s.renew('i1'), { window: 0 });
        }
        const { window } = await w.s.renew('i1', { step: 4000 });
        assert.equal(window, w.s.ms);
        await w.s.advance(2000); // the lock's time is up by the new clock
        await w.s.reportDone('i1', window);
        await w.s.advance(1000);
        has(await w.s.renew('i1'), { window: 0 });
        const { lock } = await w.s.heartbeat(DOC, ann, { token });
        has(lock, { state: 'held', token });
        assert.equal(lock.takeover.forceAt, w.s.ms + 8000, `${first}`); // it fell into the gap
    }
});

test('a step back: nothing lies further ahead than its own length', async () => {
    const w = await shared({ policy: { ttl: 60000, idle: 50000, waiters: 5, disconnect: 'grace' } });
    const { ann, token } = await w.given('held');
    const cy = w.tab('cy');
    await w.s.join(DOC, cy, { edit: true }); // waits
    await w.s.request(DOC, cy, 'r1', { message: 'please' });
    const dan = w.tab('dan');
    await w.s.join(DOC, dan, { edit: true });
    await w.s.disconnect(DOC, dan, 'LOST'); // an absent waiter
    await w.s.join('doc:2:main', ann, { edit: true });
    await w.s.disconnect('doc:2:main', ann, 'LOST'); // grace
    const admin = w.tab('eve');
    await w.s.join('doc:3:main', ann, { edit: true });
    await w.s.join('doc:3:main', admin);
    await w.s.takeover('doc:3:main', admin, 'r2');
    await w.s.operate('doc:4:main', 'TAKEOVER', 'zoe', w.policy); // reserved
    await w.s.join('doc:5:main', w.tab('fay', 1, { instance: 'i2' }), { edit: true });
    await w.s.renew('i2'); // and dies

    await w.s.setClock(w.s.ms - 3600000);
    const { window } = await w.s.renew('i1', { step: -3600000 });
    assert.equal(window, w.s.ms);
    assert.equal(await due(w, 'i:i1'), w.s.ms + 10000);
    await w.s.reportDone('i1', window);
    await w.s.advance(3000);
    await w.s.renew('i1');
    assert.equal(await due(w, 'i:i2'), w.s.ms + 10000, 'a lease counts from now');
    await w.pass(10000);
    has(await w.s.renew('i1'), { window: 0 });
    let r;
    do {
        r = await w.s.sweep({ limit: 2 });
    } while (r.more);
    const end = w.s.ms;
    has(await w.s.status(DOC), { lock: { state: 'held', token, expires: end + 60000, idle: end + 50000 } });
    has(await w.s.status('doc:2:main'), { lock: { state: 'grace', until: end + 30000 } });
    has(await w.s.status('doc:3:main'), { lock: { state: 'held', expires: end + 60000, takeover: { forceAt: end + 30000 } } });
    has(await w.s.status('doc:4:main'), { lock: { state: 'reserved', until: end + 30000 } });
    const { waiters } = await w.s.join(DOC, w.tab('gil'));
    has(waiters.find((v) => v.user === 'cy'), { ends: end + 120000 });
    has(waiters.find((v) => v.user === 'dan'), { until: end + 30000 });
    has(await w.s.status('doc:5:main'), { lock: { state: 'grace', until: end + 30000 } }); // i2 was reaped
    assert.equal(await w.redis.command('HGET', w.s.key('meta'), 'back'), null);
    for (const [name, at] of Object.entries(await dues(w))) {
        assert.ok(at <= end + 120000, `${name} is due at ${at}`);
    }
    await w.pass(31000);
    await w.s.sweep();
    has(await w.s.status('doc:2:main'), { lock: { state: 'free' } });
});

test('a step back that nobody was there to notice is seen by the first lease', async () => {
    const w = await shared();
    await w.given('grace');
    await w.s.setClock(w.s.ms - 3600000);
    const { window } = await w.s.renew('i9');
    assert.equal(window, w.s.ms);
    await w.s.reportDone('i9', window);
    for (let i = 0; i < 4; i++) {
        await w.s.advance(3000);
        await w.s.renew('i9');
    }
    await w.s.advance(1000);
    has(await w.s.renew('i9'), { window: 0 });
    await w.s.sweep();
    has(await w.s.status(DOC), { lock: { state: 'grace', until: w.s.ms + 30000 } });
});

test('a scan after a step back misses nothing that moves while it lasts', async () => {
    const w = await shared({ policy: { waiters: 5, request: 20000 } });
    await w.redis.command('CONFIG', 'SET', 'zset-max-listpack-entries', 0);
    const tabs = [];
    for (let i = 0; i < 40; i++) {
        tabs.push(w.tab(`user-${i}`));
        await w.s.join(`doc:${i}:main`, tabs[i], { edit: true });
        const asker = w.tab(`asker-${i}`);
        await w.s.join(`doc:${i}:main`, asker);
        await w.s.request(`doc:${i}:main`, asker, `r${i}`);
    }
    await w.s.setClock(w.s.ms - 3600000);
    const { window } = await w.s.renew('i1', { step: -3600000 });
    await w.s.reportDone('i1', window);
    await w.s.advance(3000);
    has(await w.s.renew('i1'), { window: 0 });
    let calls = 0;
    for (let r = { more: true }; r.more; calls++) {
        r = await w.s.sweep({ limit: 2 });
        // Other calls move resources to places where the scan may have been.
        const asker = w.tab(`late-${calls}`);
        await w.s.join(`doc:${calls % 40}:main`, asker);
        await w.s.request(`doc:${calls % 40}:main`, asker, `l${calls}`);
        await w.s.heartbeat(`doc:${(calls * 7) % 40}:main`, tabs[(calls * 7) % 40], { active: false });
    }
    await w.redis.command('CONFIG', 'SET', 'zset-max-listpack-entries', 128);
    assert.ok(calls > 5, 'it takes several calls');
    for (let i = 0; i < 40; i++) {
        const { waiters, lock } = await w.s.join(`doc:${i}:main`, w.tab('gil'));
        assert.ok(lock.expires <= w.s.ms + 300000 && lock.lastEvent <= w.s.ms);
        assert.ok(waiters.length > 0 && waiters.every((v) => v.ends <= w.s.ms + 20000), `doc:${i}:main`);
    }
});

test('what is reported from before a step back lies no further ahead than its own length', async () => {
    const w = await shared({ policy: { waiters: 5 } });
    const [ann, bob, cy, dan] = ['ann', 'bob', 'cy', 'dan'].map((user) => w.tab(user));
    const old = w.s.ms;
    const lock = { token: old * 1000, since: old, expires: old + 290000, until: old + 29000, dirty: 0 };
    const waiter = (t, more) => ({
        user: t.user, client: t.client, name: t.name, order: old * 1000, kind: 2, request: `r-${t.user}`, message: '', ends: old + 100000,
        length: 120000, until: 0, grace: 30000, made: 0, since: old, ...more,
    });
    const takeover = { request: 'r9', user: 'eve', name: 'Eve', client: 'tab-eve', reason: '', forceAt: old + 20000, urgent: 0, length: 30000, denied: 0, made: 0 };
    await w.redis.command('FLUSHALL');
    await w.s.setClock(old - 3600000);
    await w.s.renew('i1');
    const held = await w.s.report(DOC, 'i1', [member(ann), member(bob)], lockOf(ann, { ...lock, until: 0 }), w.policy,
        { takeover, waiters: [waiter(bob), waiter(cy, { until: old + 25000 })] });
    has(held, { lock: { state: 'held', expires: w.s.ms + 300000, takeover: { forceAt: w.s.ms + 30000 } } });
    has(held.waiters[0], { ends: w.s.ms + 120000, until: 0 });
    has(held.waiters[1], { ends: w.s.ms + 120000, until: w.s.ms + 30000 });
    has(await w.s.report('doc:2:main', 'i1', [], { ...lockOf(ann, lock), state: 'grace' }, w.policy),
        { lock: { state: 'grace', until: w.s.ms + 30000, expires: w.s.ms + 300000 } });
    has(await w.s.report('doc:3:main', 'i1', [member(dan)], { ...lockOf(dan, lock), token: 0, state: 'reserved' }, w.policy),
        { lock: { state: 'reserved', until: w.s.ms + 30000 } });
});

test('a TTL never gets more than its own length, also where two gaps are one', async () => {
    const w = await shared();
    const { token } = await w.given('held'); // expires: start + 300 s
    const gap = async (ms) => {
        await w.s.advance(ms);
        const { window } = await w.s.renew('i1', { step: 1 });
        await w.s.reportDone('i1', window);
        await w.s.advance(3000);
        has(await w.s.renew('i1'), { window: 0 });
    };
    await gap(3600000);
    const first = w.s.ms;
    has(await w.s.status(DOC), { lock: { state: 'held', token, expires: first + 300000 } });
    await gap(600000); // the new deadline is in the gap that began before the first one
    has(await w.s.status(DOC), { lock: { state: 'held', token, expires: w.s.ms + 300000 } });
});

test('a lock that a window leaves free is given to who waits, wherever the clock is set meanwhile', async () => {
    const w = await shared({ policy: { waiters: 5 } });
    const { ann, bob } = await w.given('held');
    await w.s.acquire(DOC, bob); // waits
    await replaced(w);
    const { window } = await w.s.status(DOC);
    await w.s.reportDone('i1', window);
    has(await w.s.leave(DOC, ann), { lock: { state: 'free', queued: 1 } });
    await w.s.setClock(w.s.ms - 3600000);
    const again = (await w.s.renew('i1', { step: -3600000 })).window;
    assert.ok(again < window);
    await w.s.reportDone('i1', again);
    await w.s.advance(3000);
    has(await w.s.renew('i1'), { window: 0 });
    await w.s.sweep();
    has(await w.s.status(DOC), { lock: { state: 'reserved', user: 'bob' } });
});

test('a step forward inside a window after a loss does not make those who are silent silent for longer', async () => {
    for (const by of [4000, 3600000]) {
        const w = await shared();
        await w.redis.command('FLUSHALL');
        await w.s.setClock(w.s.ms);
        await w.s.renew('i1');
        const { window } = await w.s.status(DOC);
        await w.s.reportDone('i1', window, { peers: { i2: w.s.ms + 2000 } });
        await w.pass(4000);
        await w.s.setClock(w.s.ms + by);
        const r = await w.s.renew('i1', { step: by });
        assert.equal(r.window, by > 10000 ? w.s.ms : window);
        await w.s.reportDone('i1', r.window);
        await w.pass(28000); // 30 s of grace behind a lease that had not ended
        has(await w.s.renew('i1'), { window: r.window });
        await w.pass(13000);
        has(await w.s.renew('i1'), { window: 0 });
    }
});

test('a step forward that nobody has noticed yet closes no window: it begins anew, whoever calls first', async () => {
    for (const first of ['renew', 'reportDone']) {
        const w = await shared();
        await w.s.renew('i2');
        await replaced(w);
        const { window } = await w.s.status(DOC);
        await w.s.renew('i1');
        await w.s.reportDone('i1', window);
        await w.pass(4000);
        await w.s.setClock(w.s.ms + 90000);
        const r = first === 'renew' ? await w.s.renew('i1') : await w.s.reportDone('i1', window);
        has(r, { window: w.s.ms });
        await w.s.renew('i1', { step: 90000 });
        await w.s.reportDone('i1', r.window);
        await w.pass(38000); // a lease and the grace, for which i2's editors may believe in their locks
        has(await w.s.renew('i1'), { window: r.window });
        await w.pass(3000);
        has(await w.s.renew('i1'), { window: 0 });
    }
});

test('an instance that stands still now and then keeps no window open: its own clock says that the time has passed', async () => {
    const w = await shared();
    await w.s.renew('i2'); // dies
    await replaced(w);
    let { window } = await w.s.status(DOC);
    await w.s.reportDone('i1', window);
    for (const still of [7000, 3000, 20000]) {
        await w.s.advance(still);
        has(await w.s.renew('i1', { sent: w.s.ms }), { window });
    }
    await w.s.advance(10000);
    has(await w.s.renew('i1', { sent: w.s.ms }), { window: 0 });

    // not one that knows a clock since the step only, nor one by whose clock less time has passed
    for (const [name, sent] of [['i3', 90000], ['i1', 0]]) {
        await replaced(w);
        ({ window } = await w.s.status(DOC));
        await w.s.reportDone('i1', window);
        await w.s.setClock(w.s.ms + 90000);
        has(await w.s.renew(name, { sent: w.s.ms - 90000 + sent }), { window: w.s.ms });
        await w.s.advance(50000);
        await w.s.renew('i1', { sent: w.s.ms });
        await w.s.reportDone('i1', (await w.s.status(DOC)).window);
    }
});

async function dues(w) {
    const all = await w.redis.command('ZRANGE', w.s.key('due'), 0, -1, 'WITHSCORES');
    return Object.fromEntries(all.flatMap((name, i) => (i % 2 === 0 ? [[name, Number(all[i + 1])]] : [])));
}

// ---- a store without the last writes ----

// ann has released what the store still says is hers; bob had it after her, under a higher token.
async function rolledBack(release = true) {
    const w = await shared();
    const { ann, bob, token } = await w.given('held');
    await w.snapshot();
    await w.s.advance(1000);
    const ended = [];
    const higher = release ? null : token;
    if (release) {
        const released = await w.s.release(DOC, ann, { token, revision: 'v1' });
        ended.push(released.events.find((e) => e.ended).ended);
        const mine = await w.s.acquire(DOC, bob);
        ended.push((await w.s.release(DOC, bob)).events.find((e) => e.ended).ended);
        w.higher = mine.lock.token;
    }
    w.known = (await w.s.status(DOC)).rev;
    await w.s.advance(1000);
    await w.rollBack();
    const { window, lock } = await w.s.status(DOC);
    has(lock, { state: 'held', user: 'ann', token });
    assert.equal(window, w.s.ms);
    return { w, ann, bob, token, window, ended, higher };
}

async function closed(w, instance = 'i1') {
    const { window } = await w.s.status(DOC);
    await w.s.reportDone(instance, window);
    await w.s.advance(3000);
    has(await w.s.renew(instance), { window: 0 });
}

// The same where a lock is below a token that was seen: it has a new one then.
async function closedUnderANewToken(w, instance = 'i1') {
    const { window } = await w.s.status(DOC);
    await w.s.reportDone(instance, window);
    await w.s.advance(3000);
    const r = await w.s.renew(instance);
    assert.deepEqual(causes(r), ['RECOVERED']);
    has(r, { window: 0 });
    return r;
}

test('a lock that its owner has released and the store brings back is not valid: its owner is there and does not report it', async () => {
    const { w, ann, bob, token } = await rolledBack();
    const r = await w.s.report(DOC, 'i1', [member(ann), member(bob)], null, w.policy, { highest: w.known, known: w.known, seen: w.higher });
    assert.deepEqual(causes(r), ['STORE_LOST']);
    has(r, { lock: { state: 'free' } });
    has(r.events[0].ended, { user: 'ann', token, reason: 'STORE_LOST' });
    await closed(w);
    const next = await w.s.acquire(DOC, bob);
    has(next, { outcome: 'GRANTED' });
    assert.ok(next.lock.token > w.higher);
});

test('a grant that an instance has not been told of is not ended because it does not report it', async () => {
    const { w, ann, bob, token } = await rolledBack(false);
    const r = await w.s.report(DOC, 'i1', [member(ann), member(bob)], null, w.policy, { known: token - 1 });
    has(r, { events: [], lock: { state: 'held', token } });
});

test('a lock that another instance has restored is not ended by one that has not read of it, though its owner has come there', async () => {
    const w = await shared();
    const { ann, token } = await w.given('held');
    const known = (await w.s.status(DOC)).rev;
    await w.redis.command('FLUSHALL');
    await w.s.setClock(w.s.ms + 1000);
    await w.s.renew('i1');
    await w.s.renew('i2');
    const back = { ...w.again(ann), instance: 'i2' };
    has(await w.s.join(DOC, back, { edit: true, token }), { outcome: 'RECOVERING' });
    const left = { ...lockOf(ann, { token, since: w.start, expires: w.start + 300000, until: w.s.ms + 20000, dirty: 0 }), state: 'grace' };
    await w.s.advance(5);
    const restored = await w.s.report(DOC, 'i1', [], left, w.policy, { highest: known, known });
    has(restored, { lock: { state: 'grace', token } });
    const unread = { highest: known, known: restored.events[0].prev };
    has(await w.s.report(DOC, 'i2', [member(back, w.s.ms)], null, w.policy, unread), { lock: { state: 'grace', token } });
    has(await w.s.acquire(DOC, back, { token }), { outcome: 'RECOVERING' });
    has(await w.s.join(DOC, w.again(back), { edit: true, token }), { outcome: 'GRANTED', resumed: true, lock: { token } });
});

test('whoever was told how a grant ended reports that, in any order: the lock ends so', async () => {
    const { w, ann, bob, ended } = await rolledBack();
    const r = await w.s.endings('i2', [[DOC, ended[1]], [DOC, ended[0]]], { highest: w.known });
    assert.deepEqual(causes(r), ['RELEASED']);
    assert.deepEqual(causes(await w.s.endings('i1', [[DOC, ended[0]]])), []);
    has(await w.s.report(DOC, 'i1', [member(ann), member(bob)], null, w.policy, { highest: w.known, known: w.known, seen: w.higher }),
        { events: [], lock: { state: 'free' } });
    await closed(w);
    has(await w.s.acquire(DOC, bob), { outcome: 'GRANTED', previous: { user: 'bob', token: w.higher, reason: 'RELEASED' } });
});

test('a later grant was reported before how the earlier one ended: the reason is known afterwards', async () => {
    const { w, ann, bob, ended } = await rolledBack();
    const later = lockOf(bob, { token: w.higher, since: w.s.ms, expires: w.s.ms + 300000, until: 0, dirty: 0 });
    has(await w.s.report(DOC, 'i1', [member(bob)], later, w.policy, { highest: w.known }), { lock: { state: 'held', user: 'bob', token: w.higher } });
    const how = ended.find((e) => e.user === 'ann');
    const asked = { edit: true, token: how.token };
    has(await w.s.join(DOC, ann, asked), { lost: { token: how.token, reason: 'STORE_LOST' } });
    has(await w.s.endings('i2', [[DOC, { ...how, reason: 'TRANSFERRED' }]], { highest: w.known }), { events: [] });
    await w.s.endings('i1', [[DOC, { ...how, reason: 'STORE_LOST' }]], { highest: w.known });
    has(await w.s.join(DOC, w.again(ann), asked), { lost: { token: how.token, reason: 'TRANSFERRED' } });
    const list = await w.redis.command('LRANGE', w.s.key(`ended:${DOC}`), 0, -1);
    assert.equal(list.length, 1);
});

test('a lock of which somebody has seen a higher token, and for which nobody stands, ends when the window closes', async () => {
    const { w, token } = await rolledBack();
    await w.redis.command('SET', w.s.key('lock:doc:bad:a'), 'garbage');
    await w.redis.command('HSET', w.s.key('seen'), 'doc:bad:a', token + 1);
    const cy = w.tab('cy', 1, { instance: 'i2' });
    const r = await w.s.report(DOC, 'i2', [member(cy)], null, w.policy, { highest: w.known, known: w.known, seen: w.higher });
    has(r, { lock: { state: 'held', user: 'ann', token } }); // its owner’s instance may still report
    for (let i = 0; i < 1200; i++) { // more than one call looks at
        w.redis.command('HSET', w.s.key('seen'), `doc:${i}:x`, token + 1);
    }
    await w.s.renew('i2');
    await w.s.reportDone('i2', r.window);
    await w.s.reportDone('i1', r.window);
    await w.s.advance(3000);
    const first = await w.s.renew('i1');
    has(first, { window: r.window });
    const second = await w.s.renew('i1');
    has(second, { window: 0 });
    const [end] = [...first.events, ...second.events];
    has(end, { cause: 'STORE_LOST', lock: { state: 'free' }, ended: { user: 'ann', token } });
    has(await w.s.acquire(DOC, cy), { outcome: 'GRANTED' });
});

test('endings come in the order of their tokens: the lock ends as its owner ended it', async () => {
    const { w, bob, ended } = await rolledBack();
    const r = await w.s.endings('i2', ended.map((e) => [DOC, e]), { highest: w.known });
    assert.deepEqual(causes(r), ['RELEASED']);
    has(r.events[0], { lock: { state: 'free' }, ended: { ...ended[0] } });
    await closed(w);
    has(await w.s.acquire(DOC, bob), { outcome: 'GRANTED', previous: { user: 'bob', token: w.higher, reason: 'RELEASED' } });
    const list = await w.redis.command('LRANGE', w.s.key(`ended:${DOC}`), 0, -1);
    assert.equal(list.length, 2);
});

test('a grant after the window has a higher token than every ending reported in it, also if the clock was set back', async () => {
    const w = await shared();
    const { ann, bob, token } = await w.given('held');
    const ending = { user: 'ann', name: 'Ann', client: ann.client, token, reason: 'RELEASED', dirty: 0, revision: null, since: START, ended: START, by: '', request: '' };
    await w.redis.command('FLUSHALL');
    await w.s.setClock(w.s.ms - 60000);
    await w.s.renew('i1');
    has(await w.s.endings('i1', [[DOC, { ...ending, token: (w.s.ms + 86400001) * 1000 }]]), { status: 'AHEAD' });
    await w.s.endings('i1', [[DOC, ending]]);
    await closed(w);
    await w.s.join(DOC, bob);
    const r = await w.s.acquire(DOC, bob);
    has(r, { outcome: 'GRANTED' });
    assert.ok(r.lock.token > token);
});

test('endings count inside a window alone, and not from the far future', async () => {
    const w = await shared();
    const { ann, token } = await w.given('held');
    const ending = { user: 'ann', name: 'Ann', client: ann.client, token, reason: 'RELEASED', dirty: 0, revision: null, since: START, ended: START, by: '', request: '' };
    has(await w.s.endings('i2', [[DOC, ending]]), { status: 'OK', events: [] });
    has(await w.s.status(DOC), { lock: { state: 'held', token } });
    await replaced(w);
    has(await w.s.endings('i2', [[DOC, ending]], { highest: w.s.ms * 1000 + 86400000001 }), { status: 'AHEAD' });
    has(await w.s.status(DOC), { lock: { state: 'held', token } });
});

test('no lock is confirmed below a token that anybody has seen: it goes on under a new one, whoever reports first', async () => {
    for (const order of ['owner first', 'witness first']) {
        const { w, ann, token } = await rolledBack();
        const lock = { token, since: w.start, expires: w.start + 300000, until: 0, dirty: 0 };
        const owner = () => w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, lock), w.policy, { highest: token, known: token });
        const cy = w.tab('cy', 1, { instance: 'i2' });
        const witness = () => w.s.report(DOC, 'i2', [member(cy)], null, w.policy, { highest: w.known, known: w.known, seen: w.higher });
        for (const report of order === 'owner first' ? [owner, witness] : [witness, owner]) {
            has(await report(), { status: 'OK', lost: null });
        }
        await w.s.renew('i2');
        await w.s.reportDone('i2', (await w.s.status(DOC)).window);
        const { events } = await closedUnderANewToken(w);
        has(events[0], { ended: { user: 'ann', token, reason: 'MOVED' } });
        const { lock: now } = await w.s.status(DOC);
        has(now, { state: 'held', user: 'ann' });
        assert.ok(now.token > w.higher, order);
        has(await w.s.heartbeat(DOC, ann, { token }), { outcome: 'LOST', lost: { reason: 'STALE_TOKEN' } });
        has(await w.s.heartbeat(DOC, ann, { token: now.token }), { outcome: 'RENEWED' });
    }
});

test('a token that somebody has seen is below every later one, also where the clock was set back', async () => {
    const w = await shared();
    const { ann, token } = await w.given('free').then(async (g) => ({ ...g, token: (await w.s.acquire(DOC, g.ann)).lock.token }));
    await w.redis.command('FLUSHALL');
    await w.s.setClock(w.s.ms - 3600000);
    await w.s.renew('i1');
    await w.s.report(DOC, 'i1', [member(ann)], null, w.policy, { seen: token });
    await closed(w);
    assert.ok((await w.s.acquire(DOC, ann)).lock.token > token);
});

test('a lock that an emptied store gets back below a token that somebody has seen gets a new one', async () => {
    const w = await shared();
    const { ann, token } = await w.given('held');
    await w.redis.command('FLUSHALL');
    await w.s.advance(1000);
    await w.s.renew('i1');
    const cy = w.tab('cy', 1, { instance: 'i2' });
    await w.s.report(DOC, 'i2', [member(cy)], null, w.policy, { highest: token + 50, seen: token + 50 });
    const lock = { token, since: w.start, expires: w.start + 300000, until: 0, dirty: 0 };
    const r = await w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, lock), w.policy, { highest: token });
    assert.deepEqual(causes(r), ['JOIN', 'RECOVERED']);
    const { events } = await closedUnderANewToken(w);
    assert.ok(events[0].lock.token > token + 50);
    has(events[0].ended, { token, reason: 'MOVED' });
});

test('who has the later grant has it, whoever has reported before: the store brings an older one back, others have seen both', async () => {
    const orders = [['witness', 'owner', 'holder'], ['holder', 'witness', 'owner'], ['witness', 'holder', 'owner'],
        ['unaware', 'witness', 'holder'], ['witness', 'unaware', 'holder'], ['holder', 'unaware', 'witness']];
    for (const names of orders) {
        const w = await shared();
        const { ann, bob, token } = await w.given('held');
        const cy = w.tab('cy', 1, { instance: 'i3' });
        await w.s.renew('i2');
        await w.s.renew('i3');
        await w.snapshot();
        await w.s.advance(1000);
        await w.s.release(DOC, ann, { token });
        const holder = { ...w.again(bob), instance: 'i2' };
        const mine = (await w.s.join(DOC, holder, { edit: true })).lock;
        const known = (await w.s.status(DOC)).rev;
        await w.s.advance(1000);
        await w.rollBack();
        const { window } = await w.s.status(DOC);
        const reports = {
            // Its instance had not read the end of it yet.
            unaware: () => w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, { token, since: w.start, expires: w.start + 300000, until: 0, dirty: 0 }),
                w.policy, { highest: token, known: token, seen: token }),
            owner: () => w.s.report(DOC, 'i1', [member(ann)], null, w.policy, { highest: known, known, seen: mine.token }),
            holder: () => w.s.report(DOC, 'i2', [member(holder, w.s.ms)], lockOf(holder, mine), w.policy, { highest: known, known, seen: mine.token }),
            witness: () => w.s.report(DOC, 'i3', [member(cy)], null, w.policy, { highest: known, known, seen: mine.token }),
        };
        for (const name of names) {
            const { status, lost } = await reports[name]();
            assert.equal(status, 'OK');
            assert.equal(lost?.token ?? null, name === 'unaware' && names[0] === 'holder' ? token : null, `${names}: ${name}`);
        }
        await w.s.reportDone('i2', window);
        await w.s.reportDone('i3', window);
        await closed(w);
        has(await w.s.heartbeat(DOC, holder, { token: mine.token }), { outcome: 'RENEWED', lock: { user: 'bob', token: mine.token } });
    }
});

test('in a window after a loss an acquire on the owner’s own connection names no token, and has to wait', async () => {
    const { w, ann, token } = await rolledBack(false);
    has(await w.s.acquire(DOC, ann), { outcome: 'RECOVERING', lock: { state: 'held', token } });
    has(await w.s.heartbeat(DOC, ann, { token }), { outcome: 'RENEWED' });
    const kept = await shared(); // nothing is lost by a gap alone
    const { ann: holder } = await kept.given('held');
    await kept.s.advance(7000);
    assert.equal((await kept.s.status(DOC)).window, kept.s.ms);
    has(await kept.s.acquire(DOC, holder), { outcome: 'GRANTED' });
});

test('a connection that ended while the store was away is in grace for what is left of it', async () => {
    const { w, ann, token } = await rolledBack(false);
    const grace = { ...lockOf(ann, { token, since: w.start, expires: w.start + 300000, until: w.s.ms + 12000, dirty: 0 }), state: 'grace' };
    const r = await w.s.report(DOC, 'i1', [], grace, w.policy, { known: w.known });
    assert.deepEqual(causes(r), ['GRACE_STARTED', 'LEAVE', 'RECOVERED']);
    has(r, { lock: { state: 'grace', token, until: w.s.ms + 12000 } });
    // The disconnect itself comes late, and says since when.
    const other = await rolledBack(false);
    await other.w.s.reportDone('i1', (await other.w.s.status(DOC)).window);
    has(await other.w.s.disconnect(DOC, other.ann, 'LOST', { ago: 20000 }), { lock: { state: 'grace', until: other.w.s.ms + 10000 } });
});

test('a connection that ended while the store was away leaves a grace that may be claimed, where the type says so', async () => {
    for (const prompt of [1, 0]) {
        const w = await shared({ policy: { disconnect: 'prompt' } });
        const { ann, token } = await w.given('held');
        await replaced(w);
        const grace = { ...lockOf(ann, { token, since: w.start, expires: w.start + 300000, until: w.s.ms + 12000, dirty: 0 }), state: 'grace', prompt };
        const r = await w.s.report(DOC, 'i1', [], grace, w.policy, { known: token });
        assert.deepEqual(causes(r), ['GRACE_STARTED', 'LEAVE', 'RECOVERED']);
        assert.deepEqual([r.events[0].lock.prompt, r.lock.prompt], [prompt, prompt]);
    }
});

test('a lock in grace by an instance that has not the owner’s connection does not end the connection that another has', async () => {
    const { w, ann, token } = await rolledBack(false);
    const grace = { ...lockOf(ann, { token, since: w.start, expires: w.start + 300000, until: w.s.ms + 12000, dirty: 0 }), state: 'grace' };
    has(await w.s.report(DOC, 'i2', [], grace, w.policy, { known: w.known }), { lock: { state: 'held', token } });
});

test('a member that its own instance knows nothing of: its lock is not valid, but not before the window closes', async () => {
    const { w, ann, token } = await rolledBack(false);
    has(await w.s.disconnect(DOC, ann, 'STRAY'), { outcome: 'RECOVERING', lock: { state: 'held', token }, events: [] });
    await closed(w);
    const r = await w.s.disconnect(DOC, ann, 'STRAY');
    assert.deepEqual(causes(r), ['STORE_LOST', 'LEAVE']);
    has(r, { lock: { state: 'free' } });
});

test('a member of which the store has lost one key is none: the others join, are reported, and can be inspected', async () => {
    const w = await shared();
    const [ann, bob, eve] = [w.tab('ann'), w.tab('bob'), w.tab('eve')];
    await w.s.join(DOC, ann, { edit: true });
    await w.s.join(DOC, bob);
    await w.redis.command('HDEL', w.s.key(`member:${DOC}`), `${bob.client}:${bob.user}`);
    const joined = await w.s.join(DOC, eve);
    assert.deepEqual([joined.members.map((m) => m.user), joined.count], [['eve', 'ann'], 2]);
    // Of ann's, all but her lock and her place in the list.
    await w.redis.command('HDEL', w.s.key(`member:${DOC}`), `${ann.client}:${ann.user}`);
    const seen = await w.s.inspect(DOC, '', { ...w.policy, listed: 1 });
    assert.deepEqual([seen.members.map((m) => m.user), seen.lock.state], [[], 'held']);
    assert.deepEqual((await w.s.inspect(DOC, '', { ...w.policy, listed: 2 })).members.map((m) => m.user), ['eve']);
});

test('in a window nobody goes on under a token below one that somebody has seen', async () => {
    const { w, ann, token } = await rolledBack();
    const lock = { token, since: w.start, expires: w.start + 300000, until: 0, dirty: 0 };
    await w.s.report(DOC, 'i1', [member(ann)], lockOf(ann, lock), w.policy, { highest: token, known: token });
    has(await w.s.heartbeat(DOC, ann, { token }), { outcome: 'RENEWED' });
    const cy = w.tab('cy', 1, { instance: 'i2' });
    await w.s.report(DOC, 'i2', [member(cy)], null, w.policy, { highest: w.known, known: w.known, seen: w.higher });
    const again = w.again(ann);
    has(await w.s.heartbeat(DOC, ann, { token }), { outcome: 'RECOVERING', lock: { token } });
    has(await w.s.heartbeat(DOC, cy, { token }), { outcome: 'LOST', lost: { reason: 'NOT_HELD' } });
    has(await w.s.join(DOC, again, { edit: true, token }), { outcome: 'RECOVERING', joined: true, lock: { token } });
    await w.s.renew('i2');
    await w.s.reportDone('i2', (await w.s.status(DOC)).window);
    const { events } = await closedUnderANewToken(w);
    assert.ok(events[0].lock.token > w.higher);
    has(await w.s.heartbeat(DOC, again, { token: events[0].lock.token }), { outcome: 'RENEWED' });
});

test('a token that was seen in an earlier window, or has ended since, still counts in the next one', async () => {
    for (const after of ['seen', 'ended']) {
        const w = await shared();
        const { ann, token } = await w.given('held');
        const cy = w.tab('cy', 1, { instance: 'i1' });
        await w.redis.command('FLUSHALL');
        await w.s.advance(1000);
        await w.s.renew('i1');
        await w.s.report(DOC, 'i1', [member(cy)], null, w.policy, { seen: token + 50 });
        await closed(w);
        const left = await w.redis.command('PTTL', w.s.key(`highest:${DOC}`));
        assert.ok(left > 86000000 && left <= 86400000);
        if (after === 'ended') {
            await w.redis.command('DEL', w.s.key(`highest:${DOC}`));
            const { lock } = await w.s.acquire(DOC, cy);
            assert.ok(lock.token > token + 50);
            await w.s.release(DOC, cy, { token: lock.token });
        }

        await replaced(w); // an instance that was taken for dead is back, with a lock of before
        await w.s.renew('i2');
        const lock = { token, since: w.start, expires: w.start + 300000, until: 0, dirty: 0 };
        has(await w.s.report(DOC, 'i2', [member(ann)], lockOf(ann, lock), w.policy, { highest: token, known: token }), { lock: { token } });
        await w.s.reportDone('i2', (await w.s.status(DOC)).window);
        const { events } = await closedUnderANewToken(w);
        has(events[0], { lock: { user: 'ann' }, ended: { token, reason: 'MOVED' } });
        assert.ok(events[0].lock.token > token + 50, after);
    }
});

test('what is noted of tokens while a window is open goes with it', async () => {
    const { w, ann } = await rolledBack();
    await w.s.report(DOC, 'i1', [member(ann)], null, w.policy, { highest: w.known, known: w.known, seen: w.higher });
    assert.equal(await w.redis.command('EXISTS', w.s.key('seen')), 1);
    await closed(w);
    assert.equal(await w.redis.command('EXISTS', w.s.key('seen')), 0);
});

test('a store without memory to spare: nothing changes, and the sweep comes again', async () => {
    const w = await shared({ policy: { waiters: 5 } });
    const ann = w.tab('ann', 1, { instance: 'i2' });
    const bob = w.tab('bob', 1, { instance: 'i2' });
    await w.s.renew('i2');
    await w.s.join(DOC, ann, { edit: true });
    await w.s.join(DOC, bob, { edit: true }); // waits
    await w.s.join(DOC, w.tab('cy'));
    await w.pass(15000); // i2 has died
    const before = await w.keys();
    const { lock: held } = await w.s.status(DOC);
    await w.redis.command('CONFIG', 'SET', 'maxmemory', 1);
    for (const call of [() => w.s.sweep(), () => w.s.disconnect(DOC, ann, 'LOST'), () => w.s.leave(DOC, bob), () => w.s.release(DOC, ann),
        () => w.s.renew('i1'), () => w.s.withdraw(DOC, bob, 'QUEUE')]) {
        await assert.rejects(call, /OOM/);
    }
    await w.redis.command('CONFIG', 'SET', 'maxmemory', 0);
    assert.deepEqual((await w.keys()).sort(), before.sort());
    has(await w.s.status(DOC), { lock: held });
    assert.deepEqual(causes(await w.s.sweep()).sort(), ['GRACE_STARTED', 'LEAVE', 'LEAVE', 'WAITER']);
    has(await w.s.status(DOC), { lock: { state: 'grace', queued: 1 } });
});
