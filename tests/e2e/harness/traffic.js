'use strict';
/* Clients that hold locks and contend for one while a store fails over, and what must hold of it all. */
const assert = require('node:assert');
const { cleanup, eventually } = require('./basics');
const { checkAll, person, settled, take, view } = require('./flows');

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/* Holders renew their own locks; contenders acquire and release the ones that they share. */
async function traffic(t, daemons, { shared = ['document:shared'], own = (i, n) => `document:own-${i}-${n}:main` } = {}) {
  const run = { going: true, intervals: new Map(shared.map((resourceId) => [resourceId, []])), holders: [], jobs: [], everyone: [] };
  for (const [i, d] of daemons.entries()) {
    for (const n of [1, 2]) {
      const client = await person(d, `holder-${i}-${n}`);
      const resourceId = own(i, n);
      run.holders.push({ client, resourceId, token: (await take(client, resourceId)).token });
      run.jobs.push(renew(run, run.holders.at(-1)));
      run.everyone.push(client);
      for (const [s, each] of shared.entries()) {
        const contender = await person(d, `contender-${i}-${n}-${s}`);
        await view(contender, each);
        run.everyone.push(contender);
        run.jobs.push(contend(run, contender, each));
      }
    }
  }
  run.granted = (count, resourceId = shared[0]) => {
    const intervals = run.intervals.get(resourceId);
    const wanted = intervals.length + count;
    return eventually(() => intervals.length >= wanted, `${count} more grants`);
  };
  run.end = () => {
    run.going = false;
    return Promise.all(run.jobs);
  };
  cleanup(t, () => { run.going = false; });
  for (const resourceId of shared) await run.granted(5, resourceId);
  return run;
}

async function renew(run, { client, resourceId, token }) {
  for (; run.going; await pause(200)) {
    const reply = await client.request('lock:heartbeat', { resourceId, token });
    assert.ok(reply.event === 'lock:renewed' || reply.data.code === 'BACKEND_UNAVAILABLE', JSON.stringify(reply));
  }
}

async function contend(run, client, resourceId) {
  for (; run.going; await pause(120)) {
    const { event, data } = await client.request('lock:acquire', { resourceId });
    if (event === 'lock:denied' && data.reason !== 'RECOVERING') {
      assert.match(data.holder.userId, /^contender/, JSON.stringify(data));
    } else if (event === 'error') {
      assert.match(data.code, /^(BACKEND_UNAVAILABLE|RECOVERING)$/, JSON.stringify(data));
    }
    if (event !== 'lock:acquired') continue;
    const interval = { token: data.token, from: performance.now() };
    run.intervals.get(resourceId).push(interval);
    await pause(20);
    interval.to = performance.now(); // from here on it does not believe any more
    await settled(client, 'lock:release', { resourceId, token: data.token });
  }
}

function longestPause(intervals) {
  let longest = 0;
  intervals.sort((a, b) => a.from - b.from).forEach((interval, i) => {
    if (i === 0) return;
    const before = intervals[i - 1];
    assert.ok(interval.token > before.token, `token ${interval.token} after ${before.token}`);
    assert.ok(interval.from >= before.to, 'two holders at once');
    longest = Math.max(longest, interval.from - before.from);
  });
  return Math.round(longest);
}

/* Gives the longest time without a grant, for each of the shared locks. */
async function judgeTraffic(run, daemons) {
  await run.end();
  for (const client of run.everyone) {
    assert.strictEqual(client.received('system:degraded').length, client.received('system:recovered').length);
    assert.ok(client.received('system:degraded').length >= 1);
  }
  for (const { client, resourceId, token } of run.holders) {
    const beat = await settled(client, 'lock:heartbeat', { resourceId, token });
    assert.deepStrictEqual([beat.event, beat.data.token], ['lock:renewed', token], 'the lock is still there');
    assert.strictEqual(client.received('lock:lost').length, 0);
  }
  const longest = [...run.intervals.values()].map(longestPause);
  await checkAll(...daemons);
  return longest;
}

module.exports = { judgeTraffic, traffic };
