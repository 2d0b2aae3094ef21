// Recovery windows, reports, leases and the sweeper.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causes, DOC, has, START, useRedis, World } from './world.mjs';

useRedis();

const member = (t, joined = START) => ({ user: t.user, name: t.name, client: t.client, session: t.session, joined });
const lockOf = (t, l) => ({
    token: l.token, state: 'held', user: t.user, name: t.name, client: t.client, made: t.made, since: l.since,
    expires: l.expires, until: l.until, dirty: l.dirty,
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
    has(await w.s.open(16, 2), { status: 'SCHEMA', rev: 1 });
    w.s.shards = 8;
    has(await w.s.renew('i2'), { status: 'SHARDS', rev: 16 });
    assert.equal(await w.redis.command('ZSCORE', w.s.key('due'), 'i:i2'), null);
});

test('the window stays open for every live instance, and no longer than lease + longest grace', async () => {
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
    await w.s.advance(10001); // i2 has died
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
    await w.s.renew('i1');
    await w.s.renew('i2'); // late: it is new
    await w.s.reportDone('i2', 0);
    await w.s.reportDone('i1', 0);
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
    await w.s.reportDone('i1', window, { peers: ['i2'] });
    await w.s.advance(4000);
    has(await w.s.renew('i1'), { window });
    has(await w.s.reportDone('i2', window), { window: 0 });
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
    has(await w.s.join(DOC, w.tab('cy'), { edit: true, token: 7 }), { outcome: 'RECOVERING', joined: true, lost: null });
    has(await w.s.join('doc:2:main', w.tab('cy'), { edit: true }), { outcome: 'RECOVERING', joined: true });
    has(await w.s.join(DOC, w.tab('dan')), { outcome: 'NONE', joined: true });
    has(await w.s.release(DOC, ann), { outcome: 'RECOVERING' });
    has(await w.s.acquire(DOC, w.tab('eve')), { outcome: 'NOT_JOINED' });
    has(await w.s.acquire(DOC, ann), { outcome: 'GRANTED', lock: { token } });
    has(await w.s.heartbeat(DOC, ann), { outcome: 'RENEWED', window });
    const back = w.again(ann);
    has(await w.s.join(DOC, back, { edit: true, token }), { outcome: 'GRANTED', resumed: true, lock: { token } });
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

test('a lock that is resumed in a window without its token waits as a viewer, in grace', async () => {
    const w = await shared();
    const { ann, token } = await w.given('held');
    await replaced(w);
    has(await w.s.join(DOC, w.again(ann), { edit: true }), { outcome: 'RECOVERING', joined: true, lock: { state: 'grace', token } });
});

test('deadlines that fell into the gap count from its end, but a TTL does not', async () => {
    const w = await shared();
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
    assert.deepEqual(r.events.map((e) => [e.resource, e.cause]).sort(), [[DOC, 'RECOVERED'], ['doc:3:main', 'EXPIRED']]);
    has(await w.s.status(DOC), { lock: { state: 'grace', until: end + 30000, token } });
    // The dead instance's lease counts from the gap's end too.
    has(await w.s.status('doc:2:main'), { lock: { state: 'held' } });
    for (const ms of [5000, 4999]) {
        await w.s.advance(ms);
        has(await w.s.renew('i9'), { window: 0 });
    }
    assert.deepEqual(causes(await w.s.sweep()), []);
    await w.s.advance(1);
    assert.deepEqual(causes(await w.s.sweep()).sort(), ['GRACE_STARTED', 'LEAVE', 'LEAVE', 'LEAVE']);
    has(await w.s.status('doc:2:main'), { lock: { state: 'grace', until: end + 40000 } });
    has(await w.s.join(DOC, w.again(ann), { edit: true, token }), { resumed: true, lock: { token } });
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
    await w.redis.command('HDEL', w.s.key('written'), 'i2');
    await w.pass(10000);
    assert.deepEqual((await w.s.sweep()).names, []);
    assert.equal(await due(w, 'a:i2'), null);
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
