// Whether the scripts notice that the server is another one, or that its data is older than what it has answered: real
// restarts, replicas and promotions. A recovery window is open then at the latest after SAME_SERVER_MS of the store's
// clock (prelude.lua), and at once where Lua's state is new.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import basics from '../e2e/harness/basics.js';
import { Redis } from './redis.mjs';
import { POLICY, Scripts } from './scripts.mjs';
import { DOC, World } from './world.mjs';

const SAME_SERVER_MS = 100;

// A server on a port, in a folder that outlives it.
async function start(t, dir, ...options) {
    const port = await basics.freePort();
    const redis = await Redis.start(['--port', port, '--bind', '127.0.0.1', '--dir', dir, '--enable-debug-command', 'yes',
        '--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1', ...options]);
    Object.assign(redis, { port, dir });
    t.after(() => redis.folder && redis.stop());
    await until('it has loaded its data', async () => (await redis.command('INFO', 'persistence')).includes('\nloading:0'));
    return redis;
}

function folder(t) {
    const dir = mkdtempSync(join(tmpdir(), 'wslock-failover-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    return dir;
}

async function stop(redis) {
    await redis.stop();
    redis.folder = null;
}

async function info(redis) {
    const lines = (await redis.command('INFO', 'replication')).split('\r\n');
    return Object.fromEntries(lines.map((line) => line.split(':')));
}

async function until(what, condition) {
    const end = Date.now() + 20000;
    while (!await condition()) {
        assert.ok(Date.now() < end, what);
        await new Promise((resolve) => { setTimeout(resolve, 10); });
    }
}

async function follow(replica, master) {
    await replica.command('REPLICAOF', '127.0.0.1', master.port);
    await inStep(replica, master);
}

function inStep(replica, master) {
    return until('the replica is in step', async () => {
        const [r, m] = [await info(replica), await info(master)];
        return r.master_link_status === 'up' && r.slave_repl_offset === m.master_repl_offset;
    });
}

const promote = (redis) => redis.command('REPLICAOF', 'NO', 'ONE');

// A served store with a lock of ann's in it.
async function served(redis) {
    const w = new World();
    Object.assign(w, { redis, policy: POLICY, next: 1, s: new Scripts(redis, { isPrivate: true }) });
    await w.s.load();
    await w.s.open();
    await w.report('i1');
    await w.given('held');
    return w;
}

async function windowOf(w, redis = w.redis) {
    w.s.redis = redis;
    return (await w.s.status(DOC)).window;
}

// The window of a store whose id was asked for before: open at the latest now.
async function lateWindowOf(w, redis = w.redis) {
    w.s.redis = redis;
    await w.s.advance(SAME_SERVER_MS);
    return windowOf(w, redis);
}

async function lostWrites(w) {
    return await w.s.redis.command('HGET', w.s.key('meta'), 'lost') === '1';
}

test('a restart with all data: at once', async (t) => {
    const dir = folder(t);
    const aof = ['--appendonly', 'yes', '--appendfsync', 'always'];
    const first = await start(t, dir, ...aof);
    const w = await served(first);
    await stop(first);
    const second = await start(t, dir, ...aof);
    assert.ok(await windowOf(w, second) > 0);
    assert.ok(await lostWrites(w));
});

test('a restart with an old snapshot: at once', async (t) => {
    const dir = folder(t);
    const first = await start(t, dir);
    const w = await served(first);
    await first.command('SAVE');
    copyFileSync(join(dir, 'dump.rdb'), join(dir, 'old.rdb'));
    await w.s.join(DOC, w.tab('cyd'));
    await stop(first);
    const second = await start(t, dir, '--dbfilename', 'old.rdb');
    assert.ok(await windowOf(w, second) > 0);
    assert.ok(await lostWrites(w));
});

test('all keys are removed: at once', async (t) => {
    const redis = await start(t, folder(t));
    const w = await served(redis);
    await redis.command('FLUSHALL');
    await w.s.setClock(w.s.ms);
    assert.ok(await windowOf(w) > 0);
    assert.ok(await lostWrites(w));
});

test('the data is loaded again, or the scripts: the same server', async (t) => {
    const redis = await start(t, folder(t), '--appendonly', 'yes');
    const w = await served(redis);
    for (const command of [['DEBUG', 'RELOAD'], ['DEBUG', 'LOADAOF']]) {
        await redis.command(...command);
        assert.equal(await lateWindowOf(w), 0, command.join(' '));
    }
    await w.s.load();
    assert.equal(await lateWindowOf(w), 0);
});

test('another id of the same server: in time', async (t) => {
    const redis = await start(t, folder(t));
    const w = await served(redis);
    await redis.command('DEBUG', 'CHANGE-REPL-ID');
    assert.ok(await lateWindowOf(w) > 0);
    assert.ok(await lostWrites(w));
});

test('the first replica attaches, which gives the server another id: in time', async (t) => {
    const master = await start(t, folder(t));
    const replica = await start(t, folder(t));
    const w = await served(master);
    await follow(replica, master);
    assert.ok(await lateWindowOf(w) > 0);
});

// A pair in step, and its served store.
async function pair(t) {
    const one = await start(t, folder(t));
    const two = await start(t, folder(t));
    await follow(two, one);
    const w = await served(one);
    await inStep(two, one);
    return { one, two, w };
}

test('a replica is promoted: at once', async (t) => {
    const { two, w } = await pair(t);
    await promote(two);
    assert.ok(await windowOf(w, two) > 0);
    assert.ok(await lostWrites(w));
});

test('promoted, and back without what the other has written: in time', async (t) => {
    const { one, two, w } = await pair(t);
    assert.equal(await windowOf(w, one), 0);
    await promote(two);
    await follow(one, two);
    assert.match(await two.command('INFO', 'stats'), /sync_partial_ok:1/, 'Lua’s state is kept');
    await one.command('REPLICAOF', '127.0.0.1', 1);
    // The other serves, and gives the lock to somebody else.
    w.s.redis = two;
    await w.report('i1');
    const bob = w.tab('bob');
    await w.s.join(DOC, bob);
    await w.s.operate(DOC, 'RELEASE', '', POLICY);
    assert.equal((await w.s.acquire(DOC, bob)).outcome, 'GRANTED');
    await promote(one);
    assert.ok(await lateWindowOf(w, one) > 0);
    assert.ok(await lostWrites(w));
    assert.equal((await w.s.status(DOC)).lock.user, 'ann', 'the grant is lost');
});

test('promoted, and back with all that the other has written: at once', async (t) => {
    const { one, two, w } = await pair(t);
    await promote(two);
    await follow(one, two);
    w.s.redis = two;
    await w.report('i1');
    await inStep(one, two);
    await promote(one);
    assert.ok(await windowOf(w, one) > 0);
});

test('a replica of a server with other data, and promoted: at once', async (t) => {
    const one = await start(t, folder(t));
    const w = await served(one);
    // The other has an older copy of the same data.
    await one.command('SAVE');
    const dir = folder(t);
    copyFileSync(join(one.dir, 'dump.rdb'), join(dir, 'dump.rdb'));
    const two = await start(t, dir);
    await w.s.join(DOC, w.tab('cyd'));
    await follow(one, two);
    assert.match(await two.command('INFO', 'stats'), /sync_full:1/);
    await promote(one);
    assert.ok(await windowOf(w, one) > 0);
    assert.ok(await lostWrites(w));
});

test('demoted and promoted without having been a replica of anybody: in time', async (t) => {
    const one = await start(t, folder(t));
    const w = await served(one);
    await one.command('REPLICAOF', '127.0.0.1', 1);
    await promote(one);
    assert.ok(await lateWindowOf(w, one) > 0);
});

test('libraries of two versions serve one store side by side', async (t) => {
    const redis = await start(t, folder(t));
    const w = await served(redis);
    const other = new Scripts(redis, { testClock: false, isPrivate: true });
    await other.load();
    assert.equal((await redis.command('FUNCTION', 'LIST')).length, 2);
    await w.s.setClock(Date.now());
    await w.report('i1');
    const bob = w.tab('bob');
    await other.join(DOC, bob);
    assert.equal((await w.s.status(DOC)).lock.user, 'ann');
    assert.equal((await other.status(DOC)).lock.user, 'ann');
    await redis.command('FUNCTION', 'DELETE', other.loaded.name);
    assert.equal((await w.s.status(DOC)).lock.user, 'ann');
});
