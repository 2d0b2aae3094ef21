// A right that is withdrawn at any time: a call that fails for it has changed nothing that matters. Before each call of a
// random course, one command after another is forbidden and the call tried; the store is then put back as it was.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { POLICY, Scripts } from './scripts.mjs';
import { DOC, useRedis, World } from './world.mjs';

useRedis();

const SOURCE = readFileSync(new URL('../../src/lock/lua/need.lua', import.meta.url), 'utf8');
const COMMANDS = [...SOURCE.matchAll(/\[\[([^\]]+)\]\]/g)].flatMap((m) => m[1].trim().split(/\s+/));
const DUMP = `local out = {}
local keys = redis.call('KEYS', '*')
table.sort(keys)
for _, key in ipairs(keys) do
  out[#out + 1] = key
  out[#out + 1] = redis.sha1hex(redis.call('DUMP', key))
end
return out`;
const KEEP = `for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', 1, 'REPLACE') end`;
// These belong to the instance or the window, not to a lock: written again by the next lease or report.
const MAINTENANCE = new Set([':meta', ':instances', ':written', ':due']);

class Tried extends Scripts {
    failures = new Map();

    async dump() {
        const flat = await this.redis.command('EVAL', DUMP, 0);
        return new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]));
    }

    async restore() {
        await this.redis.command('FLUSHDB');
        await this.redis.command('SWAPDB', 0, 1);
    }

    async run(name, ...rest) {
        for (const right of this.trying ? COMMANDS : []) {
            const before = await this.dump();
            await this.redis.command('EVAL', KEEP, 0);
            await this.redis.command('ACL', 'SETUSER', 'default', `-${right}`);
            const problem = await super.run(name, ...rest).then(() => null, (error) => error.message);
            await this.redis.command('ACL', 'SETUSER', 'default', `+${right}`);
            if (problem !== null) {
                assert.match(problem, /NOPERM|ACL failure|NORIGHT|can't run this command/i, `${name} without ${right}`);
                this.failures.set(`${name} ${right}`, problem);
                const after = await this.dump();
                const ignored = (key) => name === 'lease' || name === 'report_done'
                    ? [...MAINTENANCE].some((end) => key.endsWith(end)) : key.endsWith(':meta') || key.endsWith(':due');
                for (const key of new Set([...before.keys(), ...after.keys()])) {
                    assert.ok(ignored(key) || before.get(key) === after.get(key), `${name} without ${right} changed ${key}: ${problem}`);
                }
            }
            await this.restore();
        }
        return super.run(name, ...rest);
    }
}

async function world(policy) {
    const w = await World.create({ policy });
    const s = new Tried(w.redis, { isPrivate: true });
    s.ms = w.s.ms;
    w.s = s;
    await s.load();
    s.trying = true;
    return w;
}

function check(w, scripts) {
    for (const [script, ...rights] of scripts) {
        for (const right of rights) {
            assert.ok(w.s.failures.has(`${script} ${right}`), `${script} needs ${right}`);
        }
    }
}

test('a lock from join to leave', async () => {
    const w = await world({ disconnect: 'grace', heartbeat: 0 });
    const ann = w.tab('ann');
    const bob = w.tab('bob');
    await w.s.join(DOC, ann);
    await w.s.join(DOC, bob);
    const { lock } = await w.s.acquire(DOC, ann);
    await w.s.acquire(DOC, bob);
    await w.s.heartbeat(DOC, ann, { token: lock.token, dirty: 1 });
    await w.s.heartbeat(DOC, { ...ann, policy: { ...w.policy, ttl: 5000, heartbeat: 60000 } }, { token: lock.token });
    await w.s.disconnect(DOC, ann, 'SERVER');
    const back = w.again(ann);
    await w.s.join(DOC, back, { edit: true, token: lock.token });
    await w.s.acquire(DOC, w.again({ ...back, client: 'tab-ann-9' }), { takeOwn: true });
    const other = w.tab('ann', 2);
    await w.s.join(DOC, other);
    await w.s.acquire(DOC, other, { takeOwn: true });
    await w.s.release(DOC, other);
    await w.s.join(DOC, w.tab('cy'), { edit: true });
    await w.s.disconnect(DOC, bob, 'LOST');
    await w.s.leave(DOC, other);
    await w.s.operate(DOC, 'RELEASE', '', w.policy);
    check(w, [['acquire', 'set', 'xadd', 'zadd', 'hset'], ['release', 'lpush', 'pexpire', 'hdel', 'del', 'hset', 'xadd'],
        ['heartbeat', 'set', 'xadd', 'hset'], ['join', 'hset', 'sadd', 'zadd', 'zcard', 'xadd', 'set', 'lindex'],
        ['disconnect', 'hdel', 'zrem', 'srem', 'xadd'], ['leave', 'hdel', 'zrem', 'srem', 'xadd'], ['operate', 'xadd', 'lpush']]);
});

test('waiters, requests, takeovers, and what is due', async () => {
    const w = await world({ waiters: 5, heartbeat: 0, grace: 10000, claim: 10000 });
    const [ann, bob, root] = ['ann', 'bob', 'root'].map((name) => w.tab(name));
    for (const t of [ann, bob, root]) {
        await w.s.join(DOC, t);
    }
    await w.s.acquire(DOC, ann);
    await w.s.acquire(DOC, bob);
    await w.s.request(DOC, bob, 'r1', { message: 'please' });
    await w.s.reply(DOC, ann, 'REQUEST', 'r1', 'APPROVE');
    await w.s.claim(DOC, bob);
    await w.s.acquire(DOC, ann);
    await w.s.withdraw(DOC, ann, 'QUEUE');
    await w.s.acquire(DOC, ann);
    await w.s.takeover(DOC, root, 't1');
    await w.s.reply(DOC, bob, 'TAKEOVER', 't1', 'DENY');
    await w.s.withdraw(DOC, root, 'TAKEOVER', 't1');
    await w.s.takeover(DOC, root, 't2', { urgent: true });
    await w.s.release(DOC, root);
    await w.pass(15000); // ann's turn is over
    await w.s.status(DOC);
    await w.s.acquire(DOC, bob);
    await w.s.disconnect(DOC, bob, 'LOST');
    await w.pass(15000);
    await w.s.sweep();
    await w.s.join(DOC, bob, { edit: true });
    await w.s.operate(DOC, 'TAKEOVER', 'ann', w.policy);
    await w.s.leave(DOC, ann);
    check(w, [['request', 'xadd', 'hset'], ['request_reply', 'xadd', 'lpush'], ['withdraw', 'zrem'], ['takeover', 'xadd', 'set'],
        ['status', 'xadd'], ['sweep', 'xadd', 'lpush', 'xrange']]);
});

test('the tab limit, an instance that dies, one that gives its lease up, and its audit', async () => {
    const w = await world({ tabs: 1, heartbeat: 0 });
    await w.report('i2');
    const ann = w.tab('ann', 1, { instance: 'i2' });
    for (const child of ['a', 'b']) {
        await w.s.join(`doc:1:${child}`, ann);
    }
    await w.s.acquire('doc:1:a', ann);
    await w.s.acquire('doc:1:b', ann);
    await w.redis.command('DEL', w.s.key('lock:doc:1:a')); // as a store that lost it
    await w.s.acquire('doc:1:b', ann);
    await w.pass(11000);
    for (let i = 0; i < 3; i++) {
        await w.s.sweep();
    }
    await w.s.recorded('i1', 'i2');
    await w.s.renew('i1', { lease: 0, written: -1 });
    check(w, [['acquire', 'hkeys', 'hdel'], ['sweep', 'srandmember', 'srem'], ['recorded', 'hdel'], ['lease', 'hdel', 'zrem']]);
});

test('reports and endings in a recovery window', async () => {
    const w = await world({ heartbeat: 0 });
    const { ann, bob, token } = await w.given('held');
    await w.s.release(DOC, ann);
    const { lock, previous } = await w.s.acquire(DOC, bob);
    assert.equal(previous.token, token);
    const held = { ...lock, page: bob.page, until: 0 };
    await w.s.advance(1000);
    await w.redis.command('DEL', w.s.key('meta'), w.s.key(`lock:${DOC}`));
    const { window } = await w.s.renew('i1');
    assert.ok(window > 0);
    await w.s.endings('i1', [[DOC, previous]]);
    const member = (t) => ({ user: t.user, name: t.name, client: t.client, session: t.session, joined: w.s.ms, page: t.page });
    await w.s.report(DOC, 'i1', [member(ann), member(bob)], held, { ...POLICY, heartbeat: 0 }, { seen: token });
    await w.s.reportDone('i1', window);
    assert.equal((await w.s.status(DOC)).lock.token, lock.token);
    check(w, [['report', 'xadd', 'set'], ['endings', 'linsert', 'lrange']]);
});

test('memory that runs out: a call is refused before its first write, or goes through', async () => {
    const w = await world({});
    w.s.trying = false;
    let refused = 0;
    for (let i = 0; i < 60; i++) {
        const t = { ...w.tab(`user${i}`), name: 'n'.repeat(3000) };
        const before = await w.s.dump();
        const used = Number(/used_memory:(\d+)/.exec(await w.redis.command('INFO', 'memory'))[1]);
        await w.redis.command('CONFIG', 'SET', 'maxmemory', used + (i - 10) * 400);
        const problem = await w.s.join(`doc:${i}:main`, t, { edit: true }).then(() => null, (error) => error.message);
        await w.redis.command('CONFIG', 'SET', 'maxmemory', 0);
        if (problem !== null) {
            refused += 1;
            assert.match(problem, /^OOM /);
            assert.deepEqual(await w.s.dump(), before);
        } else {
            assert.equal((await w.s.stream()).at(-1).cause, 'ACQUIRED');
        }
    }
    assert.ok(refused > 0 && refused < 60, `${refused}`);
});
