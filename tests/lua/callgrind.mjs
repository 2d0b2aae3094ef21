// What the scripts cost: instructions of redis-server per call, counted by callgrind, beside a bare
// HMGET + INCR + HSET. Prints a table; with --check it fails where a script costs more than its budget, which is what it
// costs now and a little more.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from './redis.mjs';
import { POLICY, Scripts } from './scripts.mjs';

const CALLS = 400;
const BARE = `local v = redis.call('HMGET', KEYS[1], 'user', 'client', 'name', 'token', 'expires')
if v[1] then return v end
local t = redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], 'user', ARGV[1], 'client', ARGV[2], 'name', ARGV[3], 'token', t, 'expires', ARGV[4])
return t`;
const BUDGETS = { acquire: 3.8, heartbeat: 2.3, release: 3.8 };

function dump(redis) {
    execFileSync('callgrind_control', ['-d', String(redis.child.pid)], { stdio: 'ignore' });
}

let dumps = 0;
function instructions(redis) {
    dump(redis);
    dumps += 1;
    const file = join(redis.folder, `out.${dumps}`);
    if (!existsSync(file)) {
        throw new Error(`no dump ${file}`);
    }
    return Number(/^(?:totals|summary): (\d+)/m.exec(readFileSync(file, 'utf8'))[1]);
}

async function cost(redis, calls, one) {
    instructions(redis);
    for (let i = 0; i < calls; i++) {
        await one(i);
    }
    return instructions(redis) / calls;
}

const redis = await Redis.start(['--hz','1','--dynamic-hz','no','--activerehashing','no'], ['valgrind', '--tool=callgrind', '-q', '--callgrind-out-file=out']);
try {
    const scripts = new Scripts(redis, { testClock: false, isPrivate: true, lease: 3600000 });
    await scripts.load();
    await scripts.open();
    const { window } = await scripts.renew('i1');
    await scripts.reportDone('i1', window);
    const tab = (i) => ({
        user: `user-${i}`, name: `User Number ${i}`, client: `client-${i}-0000`, made: false,
        session: `session${i}`, instance: 'i1', policy: POLICY,
    });
    const resource = (i) => `document:${i}:main`;
    const sha = createHash('sha1').update(BARE).digest('hex');
    await redis.command('SCRIPT', 'LOAD', BARE);
    const bare = (i) => redis.command('EVALSHA', sha, 2, `{wslock:3}:bare:document:${i}:main`,
        '{wslock:3}:counter', `user-${i}`, `client-${i}-0000`, `User Number ${i}`, 1763953000000);
    for (let i = 0; i < CALLS; i++) {
        await scripts.join(resource(i), tab(i));
    }
    const told = (i) => ({ ...tab(i), policy: { ...POLICY, heartbeat: 0 } });
    const expect = (outcome) => (r) => {
        if (r.outcome !== outcome) {
            throw new Error(`${r.outcome} instead of ${outcome}`);
        }
    };
    const rows = [
        ['bare', (i) => bare(i)],
        ['acquire', (i) => scripts.acquire(resource(i), tab(i)).then(expect('GRANTED'))],
        ['heartbeat', (i) => scripts.heartbeat(resource(i), tab(i)).then(expect('RENEWED'))],
        ['heartbeat, told', (i) => scripts.heartbeat(resource(i), told(i)).then(expect('RENEWED'))],
        ['status', (i) => scripts.status(resource(i)).then(expect('NONE'))],
        ['release', (i) => scripts.release(resource(i), tab(i)).then(expect('RELEASED'))],
        ['acquire again', (i) => scripts.acquire(resource(i), tab(i)).then(expect('GRANTED'))],
        ['disconnect', (i) => scripts.disconnect(resource(i), tab(i), 'LOST').then(expect('NONE'))],
        ['join, resumes', (i) => scripts.join(resource(i), tab(i), { edit: true }).then(expect('GRANTED'))],
        ['leave', (i) => scripts.leave(resource(i), tab(i)).then(expect('NONE'))],
        ['join as viewer', (i) => scripts.join(resource(i), tab(i)).then(expect('NONE'))],
        ['lease', () => scripts.renew('i1')],
        ['sweep', () => scripts.sweep()],
    ];
    let base = 0;
    let missed = 0;
    console.log('script               kIr  x bare');
    for (const [name, one] of rows) {
        const each = await cost(redis, CALLS, one);
        base = base || each;
        const budget = BUDGETS[name];
        missed += budget && each / base > budget ? 1 : 0;
        console.log(name.padEnd(18), (each / 1000).toFixed(1).padStart(6), (each / base).toFixed(2).padStart(7),
            budget ? `(budget ${budget})` : '');
    }
    process.exitCode = process.argv.includes('--check') && missed > 0 ? 1 : 0;
} finally {
    await redis.stop();
}
