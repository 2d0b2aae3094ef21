'use strict';
/*
 * What waits for a tab is told once, whatever brought it: its own join, another tab, a connection that is
 * still closing, a daemon that missed the events. Two daemons; the second one's way to the store can be cut.
 */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const QUIET = h.ms(600); // in which something would have come

const config = (instance, more = {}) => ({
  instance,
  default: {
    upgrade: 'queue', requests: true, claimWindow: '30s', gracePeriod: h.ms(20_000), takeoverTimeout: '30s', lockTtl: '10m', heartbeatInterval: '1m',
    ...more.default,
  },
  auth: { adminRoles: ['lock-admin'] },
  resourceTypes: {
    ask: { upgrade: 'request', takeover: 'immediate' }, hasty: { requestTimeout: h.ms(700) }, prompt: { upgrade: 'deny', disconnect: 'prompt' },
  },
  ...(more.redis && { redis: more.redis }),
});

const open = h.person;
const room = async (d, user, r, more) => {
  const c = await open(d, user, more);
  await h.view(c, r);
  return c;
};
const holder = async (d, r) => {
  const c = await open(d, 'ann');
  await h.take(c, r);
  return c;
};
const ADMIN = { roles: ['lock-admin'] };
const queue = (c, resourceId) => c.expect('lock:acquire', { resourceId }, 'lock:queued');
const ask = async (c, resourceId) => (await c.expect('lock:request', { resourceId, message: c.options.user }, 'lock:requested')).requestId;
const takeOver = (c, resourceId, reply = 'lock:takeover_pending') => c.expect('lock:takeover', { resourceId, reason: 'x' }, reply);
const pending = async (c, r) => (await c.expect('lock:status', { resourceId: r }, 'lock:state')).pending;
/* The events of these names that came by themselves, from frame `from` on: when there are as many as wanted, and
 * nothing more comes. */
const told = async (c, names, wanted, from = 0) => {
  const list = () => c.frames.slice(from).filter((f) => f.dir === 'in' && f.message.id === undefined && names.includes(f.message.event))
    .map(({ message: { event, data } }) => [event, data.position ?? data.requestId ?? data.reason].filter((x) => x !== undefined).join(' '));
  await h.eventually(() => list().length >= wanted, `${wanted} of ${names}`);
  await new Promise((resolve) => setTimeout(resolve, QUIET));
  return list();
};
/* Just these, in this order. */
const justTold = async (c, names, wanted, from = 0, why = undefined) => {
  assert.deepStrictEqual(await told(c, names, wanted.length, from), wanted, why);
};
const WAITING = ['lock:queued', 'lock:your_turn', 'lock:available', 'lock:acquired', 'lock:queue_left', 'lock:request_received', 'lock:requested'];

test('with both daemons at the store', { concurrency: 12 }, async (t) => {
  const one = await h.lockDaemon(t, { config: config('one') });
  const two = await h.lockDaemon(t, { redis: one.redis, config: config('two') });
  const back = (d, c, more) => open(d, c.options.user, { clientId: c.options.clientId, ...more });

  await h.together(t, {
    'a waiter comes back to a lock that became free, on the daemon that knows the room': async () => {
      for (const [mode, wanted] of [['viewer', ['lock:your_turn']], ['editor', ['lock:acquired']]]) {
        const r = `document:w-back-${mode}:main`;
        const ann = await holder(one, r);
        const bob = await room(one, 'bob', r);
        await queue(bob, r);
        await bob.terminate();
        await ann.waitFor('presence:diff', (p) => p.left.some((u) => u.userId === 'bob'));
        await ann.expect('lock:release', { resourceId: r }, 'lock:released');
        const again = await back(one, bob);
        const joined = await again.expect('resource:join', { resourceId: r, mode }, 'resource:joined');
        assert.strictEqual(joined.pending?.position, undefined);
        await justTold(again, WAITING, wanted, 0, mode);
      }
    },
    'the turn is taken by joining to edit': async () => {
      const r = 'document:w-claim:main';
      const ann = await holder(one, r);
      const bob = await room(one, 'bob', r);
      await queue(bob, r);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:your_turn');
      await bob.terminate();
      await ann.waitFor('presence:diff', (p) => p.left.some((u) => u.userId === 'bob'));
      const again = await back(one, bob);
      await again.expect('resource:join', { resourceId: r, mode: 'editor' }, 'resource:joined');
      await justTold(again, WAITING, ['lock:acquired']);
    },
    'a holder who comes back is asked once for each request, and by a later one once more': async () => {
      const r = 'ask:w-holder:main';
      const ann = await holder(one, r);
      const ids = [];
      for (const user of ['bob', 'cy', 'dan']) ids.push(await ask(await room(one, user, r), r));
      for (const id of ids) await ann.waitFor('lock:request_received', (x) => x.requestId === id);
      const again = await back(one, ann);
      await again.expect('resource:join', { resourceId: r, mode: 'editor' }, 'resource:joined');
      await justTold(again, ['lock:request_received'], ids.map((id) => `lock:request_received ${id}`));
    },
    'requests that a new holder finds have the rev of its grant: one change brought them': async () => {
      const r = 'ask:w-revs:main';
      const ann = await holder(one, r);
      const [bob, cy, dan] = [await room(two, 'bob', r), await room(one, 'cy', r), await room(one, 'dan', r)];
      const id = await ask(bob, r);
      for (const c of [cy, dan]) await ask(c, r);
      await ann.waitFor('lock:request_received', (x) => x.requestId === id);
      await ann.expect('lock:request_reply', { requestId: id, action: 'APPROVE' }, 'lock:request_replied');
      await bob.waitFor('lock:available');
      const { rev } = await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      assert.strictEqual((await told(bob, ['lock:request_received'], 2)).length, 2);
      assert.deepStrictEqual(bob.received('lock:request_received').map((m) => m.data.rev), [rev, rev]);
    },
    'a holder who has the lock once more is asked once more': async () => {
      const r = 'ask:w-more:main';
      const ann = await holder(one, r);
      const [bob, cy] = [await room(two, 'bob', r), await room(two, 'cy', r)];
      const approve = async (c, requestId) => {
        await c.waitFor('lock:request_received', (x) => x.requestId === requestId);
        await c.expect('lock:request_reply', { requestId, action: 'APPROVE' }, 'lock:request_replied');
      };
      const [first, open2] = [await ask(bob, r), await ask(cy, r)];
      await ann.waitFor('lock:request_received', (x) => x.requestId === open2);
      await approve(ann, first);
      await bob.waitFor('lock:available');
      await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      await approve(bob, await ask(ann, r));
      await ann.waitFor('lock:available');
      await ann.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      await ann.waitFor('lock:request_received', (x) => x.requestId === open2);
    },
    'approved while an administrator comes first: told so': async () => {
      const r = 'hasty:w-behind:main';
      const ann = await holder(one, r);
      const [bob, root] = [await room(two, 'bob', r), await room(one, 'root', r, ADMIN)];
      const requestId = await ask(bob, r);
      await ann.waitFor('lock:request_received');
      await takeOver(root, r);
      await ann.waitFor('lock:takeover_requested');
      await ann.expect('lock:request_reply', { requestId, action: 'APPROVE' }, 'lock:request_replied');
      await root.waitFor('lock:acquired');
      assert.strictEqual((await bob.waitFor('lock:requested')).data.expiresAt, null);
    },
    'a turn that an operator gave ends once, and one’s own place stands': async () => {
      const r = 'document:w-operator:main';
      const ann = await holder(one, r);
      const [bob, cy] = [await room(two, 'bob', r), await room(one, 'cy', r)];
      await queue(cy, r);
      await queue(bob, r);
      const operate = async (method, path, body) => {
        const answer = await h.opsCall(one, method, `/v1/locks/${r}${path}`, { reason: 'x', actor: 'ops', ...body });
        assert.strictEqual(answer.status, 200, answer.body);
      };
      await operate('POST', '/takeover', { userId: 'bob' });
      await ann.waitFor('lock:lost');
      await bob.waitFor('lock:your_turn');
      const from = bob.frames.length;
      await operate('DELETE', '', {});
      await cy.waitFor('lock:your_turn');
      await justTold(bob, ['lock:your_turn', 'lock:queue_left', 'lock:queued'], ['lock:queue_left ADMIN_RELEASED', 'lock:queued 2', 'lock:queued 1'], from);
    },
    'a request of who queues too: its end is told to the holder': async () => {
      const r = 'hasty:w-both:main';
      const ann = await holder(one, r);
      const bob = await room(two, 'bob', r);
      await queue(bob, r);
      const first = await ask(bob, r);
      await ann.waitFor('lock:request_received');
      await bob.expect('lock:request_cancel', { requestId: first }, 'lock:request_cancelled');
      assert.deepStrictEqual((await ann.waitFor('lock:request_closed')).data, { requestId: first, outcome: 'CANCELLED' });
      const second = await ask(bob, r);
      assert.deepStrictEqual((await ann.waitFor('lock:request_closed')).data, { requestId: second, outcome: 'TIMEOUT' });
    },
    'a connection that is still closing takes no message from the one that follows it': async () => {
      const r = 'document:w-stuck:main';
      await holder(one, r);
      const cy = await room(one, 'cy', r);
      const bob = await room(one, 'bob', r);
      await queue(cy, r);
      await queue(bob, r);
      bob.pause();
      const again = await back(one, bob);
      await h.view(again, r);
      await cy.expect('lock:queue_leave', { resourceId: r }, 'lock:queue_left');
      await again.waitFor('lock:queued', (x) => x.position === 1);
      await bob.terminate();
    },
    'called off from another tab of the same user: told to the tab that asked': async () => {
      const r = 'document:w-tabs:main';
      const ann = await holder(two, r); // what she has heard of, her daemon has
      const tab = await room(one, 'root', r, ADMIN);
      const other = await room(two, 'root', r, ADMIN);
      const { requestId } = await takeOver(tab, r);
      await ann.waitFor('lock:takeover_requested');
      await other.expect('lock:takeover_cancel', { requestId }, 'lock:takeover_cancelled');
      assert.deepStrictEqual((await tab.waitFor('lock:takeover_closed')).data, { requestId, outcome: 'CANCELLED' });
      const asked = await ask(tab, r);
      await ann.waitFor('lock:request_received');
      await other.expect('lock:request_cancel', { requestId: asked }, 'lock:request_cancelled');
      assert.deepStrictEqual((await tab.waitFor('lock:request_cancelled')).data, { requestId: asked });
      const again = await takeOver(tab, r);
      await ann.waitFor('lock:takeover_requested');
      await tab.expect('lock:takeover_cancel', { requestId: again.requestId }, 'lock:takeover_cancelled');
      await justTold(tab, ['lock:takeover_closed'], [`lock:takeover_closed ${requestId}`], 0, 'one’s own is answered, and that is all');
    },
    'a turn that the user’s other tab takes': async () => {
      const r = 'document:w-other:main';
      const ann = await holder(one, r);
      const [bob, tab] = [await room(one, 'bob', r), await room(two, 'bob', r)];
      await queue(bob, r);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:your_turn');
      await tab.expect('lock:claim', { resourceId: r }, 'lock:acquired');
      assert.strictEqual((await bob.waitFor('lock:queue_left')).data.reason, 'LEFT');
    },
    'who has it reserved by request and loses it to a takeover waits on, and is told so': async () => {
      const r = 'ask:w-taken:main';
      const ann = await holder(one, r);
      const bob = await room(two, 'bob', r);
      const requestId = await ask(bob, r);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:available');
      const root = await room(one, 'root', r, ADMIN);
      await takeOver(root, r, 'lock:acquired');
      const { data } = await bob.waitFor('lock:requested');
      assert.deepStrictEqual([data.requestId, data.expiresAt], [requestId, null]);
      const again = await back(two, bob);
      await h.view(again, r);
      assert.strictEqual((await again.waitFor('lock:requested')).data.expiresAt, null);
      await root.expect('lock:release', { resourceId: r }, 'lock:released');
      await again.waitFor('lock:available');
    },
    'an administrator on a new connection hears of the no again': async () => {
      const r = 'document:w-no:main';
      const ann = await holder(one, r);
      const root = await room(two, 'root', r, ADMIN);
      const { requestId } = await takeOver(root, r);
      await ann.waitFor('lock:takeover_requested');
      await ann.expect('lock:takeover_reply', { requestId, action: 'DENY' }, 'lock:takeover_replied');
      await root.waitFor('lock:takeover_denied');
      const again = await back(two, root, ADMIN);
      await h.view(again, r);
      await again.waitFor('lock:takeover_pending');
      assert.strictEqual((await again.waitFor('lock:takeover_denied')).data.by, 'Ann');
    },
    'who comes into a room whose holder has vanished is asked too': async () => {
      const r = 'prompt:w-vanished:main';
      const ann = await holder(one, r);
      const bob = await room(two, 'bob', r);
      await ann.terminate();
      await bob.waitFor('lock:holder_disconnected');
      const cy = await room(one, 'cy', r);
      assert.strictEqual((await cy.waitFor('lock:holder_disconnected')).data.holder, 'ann');
      await cy.expect('lock:claim', { resourceId: r }, 'lock:acquired');
    },
  });
  await h.checkAll(one, two);
});

/* The second daemon's way to the store; `gap`: while it is cut, the streams lose what they have. */
async function apart(t, more = {}) {
  const redis = await h.redis(t, { tcp: true });
  await h.layOut(redis);
  const wire = await h.proxy(t, redis.port);
  const lease = { lease: h.ms(8000), commandTimeout: h.ms(2000), ...more.redis };
  const one = await h.lockDaemon(t, { redis, config: config('one', { ...more, redis: lease }) });
  const two = await h.lockDaemon(t, { redis, config: config('two', { ...more, redis: { ...lease, url: `redis://127.0.0.1:${wire.port}/0` } }) });
  const gap = async (during) => {
    wire.refuse();
    await two.waitForLog(/^store_lost/);
    await during();
    for (let n = 0; n < 16; n++) await redis.command('XTRIM', `{wslock:${n}}:events`, 'MAXLEN', '0');
    wire.refuse(false);
    await two.waitForLog(/^store_recovered/);
  };
  return { redis, wire, one, two, gap };
}

/* Joining again, and losing the lock, in each order in which the second daemon can hear of them. */
test('a holder who joins again is told once that the lock is lost', { concurrency: 3 }, async (top) => {
  const lost = (c) => c.received('lock:lost').map(({ id, data }) => [id, data.token, data.reason]);
  const scene = async (t) => {
    const { one, two, wire } = await apart(t, { redis: { lease: h.ms(20_000), commandTimeout: h.ms(10_000) } });
    const r = 'prompt:m-again:main';
    const ann = await open(two, 'ann');
    const { token } = await h.take(ann, r);
    const bob = await room(two, 'bob', r);
    const move = async () => {
      const twin = await room(one, 'ann', r);
      await twin.expect('lock:acquire', { resourceId: r, takeOwn: true }, 'lock:acquired');
    };
    /* The event comes while the join is under way. */
    const during = async (data) => {
      wire.hold('wslockd:two\r\n');
      const reply = ann.request('resource:join', { resourceId: r, ...data });
      await ann.sync(); // the daemon has taken it
      await move();
      await bob.waitFor('lock:state', (s) => s.cause === 'MOVED');
      assert.deepStrictEqual(lost(ann), []);
      wire.release();
      return (await reply).data;
    };
    const end = async () => {
      await new Promise((resolve) => setTimeout(resolve, QUIET));
      await h.checkAll(one, two);
    };
    return { wire, r, ann, bob, token, move, during, end };
  };
  const once = (token) => [[undefined, token, 'MOVED']];

  await Promise.all([
    top.test('by an event, before the reply', async (t) => {
      const { ann, token, during, end } = await scene(t);
      const joined = await during({});
      assert.deepStrictEqual([joined.lock.state, joined.lock.mine, joined.lost], ['held', false, undefined]);
      await end();
      assert.deepStrictEqual(lost(ann), once(token));
      const order = ann.frames.filter((f) => f.dir === 'in').map((f) => f.message.event);
      assert.ok(order.indexOf('lock:lost') < order.lastIndexOf('resource:joined'));
    }),
    top.test('by the reply, where it named its token', async (t) => {
      const { ann, token, during, end } = await scene(t);
      const joined = await during({ mode: 'editor', token });
      assert.deepStrictEqual([joined.lost.token, joined.lost.reason], [token, 'MOVED']);
      await end();
      assert.deepStrictEqual(lost(ann), []);
    }),
    top.test('by an event, which the reply came before', async (t) => {
      const { wire, r, ann, bob, token, move, end } = await scene(t);
      wire.hold(':feed');
      await move();
      const joined = await h.view(ann, r);
      assert.deepStrictEqual([joined.lock.state, joined.lock.mine], ['held', false]);
      assert.deepStrictEqual(lost(ann), []);
      wire.release();
      await bob.waitFor('lock:state', (s) => s.cause === 'MOVED');
      await end();
      assert.deepStrictEqual(lost(ann), once(token));
    }),
  ]);
});

test('a notice is not older than the reply before it, whatever happens beside the room', async (t) => {
  const d = await h.lockDaemon(t, { config: config('one', { default: { lockTtl: h.ms(3000), heartbeatInterval: h.ms(1000) } }) });
  const r = 'document:m-beside:main';
  const ann = await open(d, 'ann');
  const { token } = await h.take(ann, r);
  await room(d, 'bob', 'document:m-beside:other'); // in the same shard
  const { rev } = await ann.expect('lock:heartbeat', { resourceId: r, token }, 'lock:renewed');
  assert.ok(rev > token);
  const { data: warned } = await ann.waitFor('lock:expiring');
  assert.ok(warned.rev >= rev, `${warned.rev} after ${rev}`);
  await h.checkAll(d);
});

test('after events were missed', { concurrency: 4 }, async (top) => {
  await Promise.all([
    top.test('a turn', async (t) => {
      const { one, two, gap } = await apart(t);
      const r = 'document:m-turn:main';
      const ann = await holder(one, r);
      const [bob, cy] = [await room(two, 'bob', r), await room(two, 'cy', r)];
      await queue(bob, r);
      await queue(cy, r);
      await gap(() => ann.expect('lock:release', { resourceId: r }, 'lock:released'));
      await bob.waitFor('lock:your_turn');
      await cy.waitFor('lock:queued', (x) => x.position === 1);
      assert.ok((await pending(bob, r)).claimBy > 0);
      await bob.expect('lock:claim', { resourceId: r }, 'lock:acquired');
    }),
    top.test('how a lock ended, and that somebody else has it', async (t) => {
      const { one, two, wire, redis } = await apart(t);
      const r = 'document:m-lost:main';
      const ann = await holder(two, r);
      const there = await room(one, 'there', r);
      wire.hold(':feed');
      const twin = await one.client({ user: 'ann', clientId: h.tab() });
      await h.view(twin, r);
      await twin.expect('lock:acquire', { resourceId: r, takeOwn: true }, 'lock:acquired');
      await twin.expect('lock:release', { resourceId: r }, 'lock:released');
      await there.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      for (let n = 0; n < 16; n++) await redis.command('XTRIM', `{wslock:${n}}:events`, 'MAXLEN', '0');
      await there.expect('lock:heartbeat', { resourceId: r, dirty: true }, 'lock:renewed');
      wire.release();
      await ann.waitFor('lock:state', (x) => x.lock.holder?.userId === 'there');
      const { data: lost } = await ann.waitFor('lock:lost');
      assert.strictEqual(lost.reason, 'STORE_LOST');
    }),
    top.test('how a lock ended, and that a later holder let go', async (t) => {
      const { one, two, wire, redis } = await apart(t);
      const r = 'document:m-later:main';
      const ann = await holder(two, r);
      wire.hold(':feed');
      const twin = await one.client({ user: 'ann', clientId: h.tab() });
      const there = await room(one, 'there', r);
      await h.view(twin, r);
      await twin.expect('lock:acquire', { resourceId: r, takeOwn: true }, 'lock:acquired');
      await twin.expect('lock:release', { resourceId: r }, 'lock:released');
      await there.expect('lock:acquire', { resourceId: r }, 'lock:acquired');
      for (let n = 0; n < 16; n++) await redis.command('XTRIM', `{wslock:${n}}:events`, 'MAXLEN', '0');
      await there.expect('lock:release', { resourceId: r }, 'lock:released');
      wire.release();
      await ann.waitFor('lock:released', (x) => x.previousHolder === 'there');
      await ann.waitFor('lock:lost');
    }),
    top.test('requests and a takeover', async (t) => {
      const { one, two, gap } = await apart(t);
      const r = 'document:m-asked:main';
      const ann = await holder(two, r);
      const [bob, cy, root] = [await room(one, 'bob', r), await room(one, 'cy', r), await room(one, 'root', r, ADMIN)];
      const old = await ask(cy, r);
      await ann.waitFor('lock:request_received');
      let requestId;
      let takeover;
      await gap(async () => {
        requestId = await ask(bob, r);
        await cy.expect('lock:request_cancel', { requestId: old }, 'lock:request_cancelled');
        takeover = await takeOver(root, r);
      });
      assert.strictEqual((await ann.waitFor('lock:request_closed')).data.requestId, old);
      await ann.waitFor('lock:request_received', (x) => x.requestId === requestId);
      await ann.waitFor('lock:takeover_requested', (x) => x.requestId === takeover.requestId);
      assert.deepStrictEqual((await pending(ann, r)).requests.map((x) => x.requestId), [requestId]);
      await ann.expect('lock:request_reply', { requestId, action: 'DENY' }, 'lock:request_replied');
      await ann.expect('lock:takeover_reply', { requestId: takeover.requestId, action: 'DENY' }, 'lock:takeover_replied');
    }),
    top.test('a takeover that moved the lock, and one that was called off', async (t) => {
      const { one, two, gap } = await apart(t);
      const [r, x] = ['document:m-moved:main', 'document:m-off:main'];
      const ann = await holder(one, r);
      const bob = await open(two, 'bob');
      await h.take(bob, x);
      const root = await room(two, 'root', r, ADMIN);
      const boss = await room(one, 'boss', x, ADMIN);
      await takeOver(root, r);
      const off = await takeOver(boss, x);
      await bob.waitFor('lock:takeover_requested');
      await gap(async () => {
        await ann.expect('lock:release', { resourceId: r }, 'lock:released');
        await boss.expect('lock:takeover_cancel', { requestId: off.requestId }, 'lock:takeover_cancelled');
      });
      const { token } = (await root.waitFor('lock:acquired')).data;
      assert.strictEqual((await bob.waitFor('lock:takeover_closed')).data.requestId, off.requestId);
      await root.waitFor('system:recovered');
      await h.eventually(async () => (await root.request('lock:heartbeat', { resourceId: r, token })).event === 'lock:renewed', 'it counts');
    }),
    top.test('somebody who does not wait any more', async (t) => {
      const { one, two, gap } = await apart(t);
      const r = 'document:m-gone:main';
      await holder(two, r);
      const [bob, cy] = [await room(one, 'bob', r), await room(two, 'cy', r)];
      await queue(bob, r);
      await queue(cy, r);
      await gap(() => bob.expect('lock:queue_leave', { resourceId: r }, 'lock:queue_left'));
      await cy.waitFor('lock:queued', (x) => x.position === 1);
      const dan = await room(one, 'dan', r);
      await queue(dan, r);
      assert.strictEqual((await pending(cy, r)).position, 1);
    }),
    top.test('one’s own place, request and takeover, gone while the daemon was cut off', async (t) => {
      const short = { redis: { lease: h.ms(3000), commandTimeout: h.ms(1000) }, default: { gracePeriod: h.ms(1500) } };
      const { one, two, wire } = await apart(t, short);
      const [r, x] = ['document:m-own:main', 'document:m-own-2:main'];
      const ann = await holder(one, r);
      await h.take(ann, x);
      const bob = await room(two, 'bob', r);
      await queue(bob, r);
      const requestId = await ask(bob, r);
      const root = await room(two, 'root', x, ADMIN);
      const takeover = await takeOver(root, x);
      await ann.waitFor('lock:takeover_requested');
      wire.refuse();
      await ann.waitFor('lock:takeover_closed');
      await ann.waitFor('lock:request_closed');
      await h.eventually(async () => (await h.status(ann, r)).queueLength === 0, 'his place is gone', h.TIMEOUT, 100);
      wire.refuse(false);
      await bob.waitFor('lock:queue_left');
      assert.strictEqual((await bob.waitFor('lock:request_timeout')).data.requestId, requestId);
      assert.strictEqual((await root.waitFor('lock:takeover_closed')).data.requestId, takeover.requestId);
    }),
    top.test('a request to a holder whose daemon was cut off', async (t) => {
      const { one, two, wire } = await apart(t, { redis: { lease: h.ms(3000), commandTimeout: h.ms(1000) } });
      const r = 'document:m-grace:main';
      const ann = await holder(two, r);
      const bob = await room(one, 'bob', r);
      wire.refuse();
      await bob.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      const requestId = await ask(bob, r);
      wire.refuse(false);
      assert.strictEqual((await ann.waitFor('lock:request_received')).data.requestId, requestId);
    }),
    top.test('an emptied store: positions behind a turn', async (t) => {
      const { redis, one, two } = await apart(t);
      const r = 'document:m-flush:main';
      const ann = await holder(one, r);
      const [bob, cy, dan] = [await room(one, 'bob', r), await room(two, 'cy', r), await room(two, 'dan', r)];
      for (const c of [bob, cy, dan]) await queue(c, r);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      await bob.waitFor('lock:your_turn');
      await dan.waitFor('lock:queued', (x) => x.position === 2);
      const from = [cy, dan].map((c) => c.frames.length);
      await redis.command('FLUSHALL');
      await dan.waitFor('lock:state', (s) => s.cause === 'RECOVERED' && s.lock.state === 'reserved');
      assert.deepStrictEqual((await told(cy, ['lock:queued'], 0, from[0])).filter((x) => x !== 'lock:queued 1'), []);
      assert.deepStrictEqual((await told(dan, ['lock:queued'], 0, from[1])).filter((x) => x !== 'lock:queued 2'), []);
    }),
    top.test('what is no place is not taken for one', async (t) => {
      const { redis, one } = await apart(t);
      const r = 'document:m-malformed:main';
      const ann = await holder(one, r);
      const [key] = await redis.keys(`*}:lock:${r}`);
      const tick = Date.now() * 1000;
      await redis.command('EVAL', `local place = cmsgpack.pack({'Bob', ${tick}, 1, '', '', 0, 0, 0, 20000, 0, 1})
        local head = cmsgpack.pack({3, ${tick}, 1, '${r}', '', 'QUEUED', string.rep('c', 400) .. ':bob'})
        return redis.call('XADD', KEYS[1], '${tick}-0', 'e', '\\155' .. string.sub(head, 2) .. place .. cmsgpack.pack(1, 1, 1))`,
      1, key.replace(/}:lock:.*/, '}:events'));
      await one.waitForLog(/^feed_event_malformed/);
      await ann.waitFor('lock:state', (s) => s.cause === 'RECOVERED'); // it goes on
    }),
  ]);
});
