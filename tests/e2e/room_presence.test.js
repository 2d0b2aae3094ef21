'use strict';
/* Who is here, as the others are told. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

/* What a client shows that keeps its list by resource:joined and presence:diff alone. */
class Watcher {
  constructor(client, joined) {
    this.client = client;
    this.users = new Map(joined.users.map((u) => [u.userId, u]));
    this.viewers = joined.viewers;
  }
  async until(predicate) {
    while (!predicate(this)) {
      const { data } = await this.client.waitFor('presence:diff');
      data.left.forEach((u) => this.users.delete(u.userId));
      [...data.joined, ...data.changed].forEach((u) => this.users.set(u.userId, u));
      this.viewers = data.viewers;
    }
  }
}

test('presence', { concurrency: 12 }, async (t) => {
  const d = await h.lockDaemon(t, {
    config: {
      auth: { adminRoles: ['lock-admin'] },
      default: { gracePeriod: '20s' },
      resourceTypes: { quiet: { presence: 'minimal', takeover: 'immediate' }, large: { presenceMaxListed: 3 }, brief: { gracePeriod: h.ms(300) } },
    },
  });

  await h.together(t, {
    'diff: joined, changed, left, with the count of viewers': async () => {
      const ann = await d.client({ user: 'diff-ann', name: 'Ann' });
      await h.view(ann, 'document:diff');
      const bob = await d.client({ user: 'diff-bob', name: 'Bob', clientId: h.tab() });
      await h.view(bob, 'document:diff');
      const { data: came } = await ann.waitFor('presence:diff', (p) => p.joined.some((u) => u.userId === 'diff-bob'));
      const user = came.joined.find((u) => u.userId === 'diff-bob');
      assert.deepStrictEqual(user, {
        userId: 'diff-bob', username: 'Bob', mode: 'viewer', hasLock: false, connections: 1, since: user.since,
      });
      assert.strictEqual(came.viewers, 2);
      assert.deepStrictEqual(came.left, []);
      const { expiresAt } = await bob.expect('lock:acquire', { resourceId: 'document:diff' }, 'lock:acquired');
      const { data: edits } = await ann.waitFor('presence:diff', (p) => p.changed.some((u) => u.userId === 'diff-bob'));
      assert.deepStrictEqual(edits.changed, [{ ...user, mode: 'editor', hasLock: true, lockExpiresAt: expiresAt }]);
      assert.strictEqual(edits.viewers, 1);
      await bob.expect('lock:release', { resourceId: 'document:diff' }, 'lock:released');
      const { data: back } = await ann.waitFor('presence:diff', (p) => p.changed.some((u) => u.userId === 'diff-bob'));
      assert.deepStrictEqual(back.changed, [user]);
      await bob.close(1000);
      const { data: went } = await ann.waitFor('presence:diff', (p) => p.left.length > 0);
      assert.deepStrictEqual(went.left, [{ userId: 'diff-bob' }]);
      assert.strictEqual(went.viewers, 1);
    },
    'full: the list; none: nothing': async () => {
      const full = await d.client({ user: 'full-ann' });
      const none = await d.client({ user: 'full-none' });
      await h.view(full, 'document:full', { presence: 'full' });
      await h.view(none, 'document:full', { presence: 'none' });
      const bob = await d.client({ user: 'full-bob' });
      await h.take(bob, 'document:full', { presence: 'none' });
      const { data } = await full.waitFor('presence:update', (p) => p.users.some((u) => u.hasLock));
      assert.deepStrictEqual(data.users.map((u) => [u.userId, u.mode]).sort(), [
        ['full-ann', 'viewer'], ['full-bob', 'editor'], ['full-none', 'viewer'],
      ]);
      assert.strictEqual(data.viewers, 2);
      await bob.close(1000);
      await full.waitFor('presence:update', (p) => p.users.length === 2);
      await none.waitFor('lock:released');
      assert.strictEqual(full.received('presence:diff').length, 0);
      assert.strictEqual(none.received('presence:diff').length + none.received('presence:update').length, 0);
      const again = await h.view(full, 'document:full', { presence: 'diff' }); // joining again may choose anew
      const seen = new Watcher(full, again);
      await none.close(1000);
      await seen.until((w) => !w.users.has('full-none'));
    },
    'one entry a user, however many tabs': async () => {
      const watch = await d.client({ user: 'tabs-watch' });
      const seen = new Watcher(watch, await h.view(watch, 'document:tabs'));
      const tabs = [];
      for (let i = 0; i < 3; i++) {
        const c = await d.client({ user: 'tabs-ann', name: 'Ann', clientId: h.tab() });
        const joined = await h.view(c, 'document:tabs');
        assert.deepStrictEqual(joined.users.map((u) => u.userId).sort(), ['tabs-ann', 'tabs-watch']);
        assert.strictEqual(joined.users.find((u) => u.userId === 'tabs-ann').connections, i + 1);
        tabs.push(c);
      }
      await seen.until((w) => w.users.get('tabs-ann')?.connections === 3);
      assert.strictEqual(seen.viewers, 4);
      await tabs[1].expect('lock:acquire', { resourceId: 'document:tabs' }, 'lock:acquired');
      await seen.until((w) => w.users.get('tabs-ann').mode === 'editor');
      assert.strictEqual(seen.viewers, 3, "the user's other tabs are viewers");
      await tabs[0].close(1000);
      await tabs[2].terminate();
      await seen.until((w) => w.users.get('tabs-ann').connections === 1);
      await tabs[1].expect('resource:leave', { resourceId: 'document:tabs' }, 'resource:left');
      await seen.until((w) => !w.users.has('tabs-ann'));
      assert.strictEqual(seen.viewers, 1);
    },
    'a holder in grace is gone from the list, and back when it returns': async () => {
      const watch = await d.client({ user: 'grace-watch' });
      const seen = new Watcher(watch, await h.view(watch, 'document:grace-list'));
      const clientId = h.tab();
      const ann = await d.client({ user: 'grace-ann', clientId });
      const { token } = await h.take(ann, 'document:grace-list');
      await seen.until((w) => w.users.get('grace-ann')?.hasLock);
      await ann.terminate();
      await watch.waitFor('lock:state', (s) => s.lock.state === 'grace');
      await seen.until((w) => !w.users.has('grace-ann'));
      const back = await d.client({ user: 'grace-ann', clientId });
      await h.take(back, 'document:grace-list', { token });
      await seen.until((w) => w.users.get('grace-ann')?.mode === 'editor');
    },
    'a renewed lock is no change of presence': async () => {
      const watch = await d.client({ user: 'renew-watch' });
      await h.view(watch, 'document:renew');
      const ann = await d.client({ user: 'renew-ann' });
      await h.take(ann, 'document:renew');
      await watch.waitFor('presence:diff', (p) => [...p.joined, ...p.changed].some((u) => u.hasLock));
      const before = watch.received('presence:diff').length;
      for (const dirty of [true, false, true]) await ann.expect('lock:heartbeat', { resourceId: 'document:renew', dirty }, 'lock:renewed');
      await watch.waitFor('lock:state', (s) => s.lock.dirty === true);
      const carl = await d.client({ user: 'renew-carl' });
      await h.view(carl, 'document:renew');
      await watch.waitFor('presence:diff', (p) => p.joined.some((u) => u.userId === 'renew-carl'));
      assert.strictEqual(watch.received('presence:diff').length, before + 1);
    },
    'changes are gathered: many joins, few diffs': async () => {
      const watch = await d.client({ user: 'many-watch' });
      const seen = new Watcher(watch, await h.view(watch, 'document:many'));
      const others = await Promise.all(Array.from({ length: 30 }, (_, i) => d.client({ user: `many-${i}` })));
      for (const c of others) c.send('resource:join', { resourceId: 'document:many' });
      await seen.until((w) => w.users.size === 31);
      assert.strictEqual(seen.viewers, 31);
      const diffs = watch.received('presence:diff').length;
      assert.ok(diffs <= 10 * h.SLOW, `${diffs} diffs for 30 joins`);
      for (const c of others) c.ws.close(1000);
      await seen.until((w) => w.users.size === 1);
      assert.strictEqual(seen.viewers, 1);
    },
    'minimal: no display names, no lockExpiresAt': async () => {
      const ann = await d.client({ user: 'min-ann', name: 'Ann Secret', clientId: h.tab() });
      const bob = await d.client({ user: 'min-bob', name: 'Bob Secret' });
      assert.strictEqual(bob.welcome.username, 'Bob Secret', "one's own name stays");
      const full = await d.client({ user: 'min-full', name: 'Full Secret' });
      await h.view(full, 'quiet:1', { presence: 'full' });
      await h.view(bob, 'quiet:1');
      await h.take(ann, 'quiet:1');
      const { answer } = await h.edit(bob, 'quiet:1');
      assert.strictEqual(answer.data.reason, 'HELD');
      assert.strictEqual(answer.data.currentHolder, 'min-ann');
      assert.deepStrictEqual(answer.data.holder, { userId: 'min-ann' });
      await full.waitFor('presence:update', (p) => p.users.some((u) => u.userId === 'min-ann' && u.hasLock));
      await ann.expect('lock:release', { resourceId: 'quiet:1' }, 'lock:released');
      await bob.waitFor('lock:released', (r) => r.previousHolder === 'min-ann');
      const got = await bob.expect('lock:acquire', { resourceId: 'quiet:1' }, 'lock:acquired');
      assert.strictEqual(got.previous.userId, 'min-ann');
      assert.strictEqual(got.previous.username, undefined);
      const twin = await d.client({ user: 'min-bob', name: 'Bob Secret', clientId: h.tab() });
      await h.view(twin, 'quiet:1');
      await twin.expect('lock:acquire', { resourceId: 'quiet:1', takeOwn: true }, 'lock:acquired');
      const { data: lost } = await bob.waitFor('lock:lost');
      assert.strictEqual(lost.reason, 'MOVED');
      assert.ok(lost.by === undefined || lost.by === 'min-bob');
      const root = await d.client({ user: 'min-root', name: 'Root Secret', roles: ['lock-admin'] });
      await h.view(root, 'quiet:1');
      await root.expect('lock:takeover', { resourceId: 'quiet:1', reason: 'why' }, 'lock:acquired');
      assert.strictEqual((await twin.waitFor('lock:lost', (x) => x.reason === 'TAKEN_BY_ADMIN')).data.by, 'min-root');
      await h.status(bob, 'quiet:1');
      for (const c of [ann, bob, full, twin, root]) {
        await c.sync();
        const told = c.frames.filter((f) => f.dir === 'in' && f.message.event !== 'welcome').map((f) => f.text).join('\n');
        assert.ok(!told.includes('Secret'), told);
        assert.ok(!told.includes('lockExpiresAt'));
      }
    },
    'a large room lists the holder and the newest, and counts all': async () => {
      const holder = await d.client({ user: 'large-holder' });
      await h.take(holder, 'large:1');
      for (let i = 0; i < 5; i++) await h.view(await d.client({ user: `large-${i}` }), 'large:1');
      const last = await d.client({ user: 'large-last' });
      const joined = await h.view(last, 'large:1');
      const names = joined.users.map((u) => u.userId);
      assert.strictEqual(names.length, 3);
      assert.ok(names.includes('large-holder') && names.includes('large-last') && names.includes('large-4'), names.join());
      assert.strictEqual(joined.viewers, 6);
      const full = await d.client({ user: 'large-full' });
      await h.view(full, 'large:1', { presence: 'full' });
      await h.view(await d.client({ user: 'large-more' }), 'large:1');
      const { data } = await full.waitFor('presence:update', (p) => p.users.some((u) => u.userId === 'large-more'));
      const listed = data.users.map((u) => u.userId);
      assert.ok(listed.includes('large-holder') && listed.includes('large-more') && listed.includes('large-full'), listed.join());
      assert.ok(listed.length <= 3, `3 at most: ${listed}`);
      assert.strictEqual(data.viewers, 8);
    },
  });
  await h.checkAll(d);
});

test('a large room on two daemons: the count stays true, also for those that are not listed', async (t) => {
  const config = { resourceTypes: { large: { presenceMaxListed: 2 } } };
  const one = await h.lockDaemon(t, { config: { ...config, instance: 'one' } });
  const two = await h.lockDaemon(t, { redis: one.redis, config: { ...config, instance: 'two' } });
  const old = [];
  for (let i = 0; i < 5; i++) {
    old.push(await one.client({ user: `old-${i}` }));
    await h.view(old[i], 'large:two');
  }
  const [diff, full] = [await two.client({ user: 'new-diff' }), await two.client({ user: 'new-full' })];
  await h.view(diff, 'large:two');
  const joined = await h.view(full, 'large:two', { presence: 'full' });
  assert.strictEqual(joined.users.length, 2, 'the first are not listed');
  assert.strictEqual(joined.viewers, 7);
  await old[0].close(1000);
  await diff.waitFor('presence:diff', (p) => p.viewers === 6);
  await full.waitFor('presence:update', (p) => p.viewers === 6);
  await old[1].expect('lock:acquire', { resourceId: 'large:two' }, 'lock:acquired');
  await diff.waitFor('presence:diff', (p) => p.viewers === 5);
  await old[1].expect('resource:leave', { resourceId: 'large:two' }, 'resource:left');
  await full.waitFor('lock:released');
  assert.strictEqual((await h.view(full, 'large:two', { presence: 'full' })).viewers, 5);
  await h.checkAll(one, two);
});

/* More than the daemon tells the store at a time. */
test('many connections that are lost at once all leave; the holder is in grace', async (t) => {
  const d = await h.lockDaemon(t, { config: { default: { gracePeriod: '20s' } } });
  const watcher = await d.client({ user: 'lost-watcher' });
  const seen = new Watcher(watcher, await h.view(watcher, 'document:lost'));
  const lost = await Promise.all(Array.from({ length: 150 }, (_, i) => d.client({ user: `lost-${i}` })));
  await Promise.all(lost.map((c) => h.view(c, 'document:lost')));
  await lost[149].expect('lock:acquire', { resourceId: 'document:lost' }, 'lock:acquired');
  await seen.until((s) => s.users.size === 151);
  d.signal('SIGSTOP');
  lost.forEach((c) => c.terminate());
  d.signal('SIGCONT');
  await watcher.waitFor('lock:state', (s) => s.lock.state === 'grace');
  await seen.until((s) => s.users.size === 1);
  assert.strictEqual(seen.viewers, 1);
  await h.checkAll(d);
});

test('large rooms', { concurrency: 5 }, async (t) => {
  const d = await h.lockDaemon(t, {
    config: { default: { gracePeriod: '20s' }, resourceTypes: { small: { presenceMaxListed: 3 }, mid: { presenceMaxListed: 25 } } },
  });
  const clients = (prefix, n) => Promise.all(Array.from({ length: n }, (_, i) => d.client({ user: `${prefix}-${i}`, clientId: `client-${prefix}-${i}` })));
  const inRoom = async (room, prefix, n) => {
    const all = await clients(prefix, n);
    for (const c of all) await h.view(c, room);
    return all;
  };
  const watch = async (room, user) => {
    const client = await d.client({ user });
    return new Watcher(client, await h.view(client, room));
  };

  await h.together(t, {
    'the reply to a join names its own user: another tab, and the same tab again': async () => {
      await inRoom('small:1', 'own', 6);
      for (const clientId of [h.tab(), 'client-own-0']) {
        const joined = await h.view(await d.client({ user: 'own-0', clientId }), 'small:1');
        assert.ok(joined.users.some((u) => u.userId === 'own-0'), joined.users.map((u) => u.userId).join());
        assert.ok(joined.users.length <= 3);
      }
    },
    'a user who joins before others leave is named': async () => {
      const others = await inRoom('mid:1', 'early', 60);
      const late = await d.client({ user: 'late' });
      const seen = await watch('mid:1', 'late-watch');
      await h.view(late, 'mid:1');
      for (const c of others.slice(0, 22)) c.ws.close(1000);
      await seen.until((w) => w.viewers === 40);
      assert.ok(seen.users.has('late'), [...seen.users.keys()].join());
    },
    'the holder is named, however many join after it': async () => {
      await inRoom('mid:2', 'before', 30);
      const holder = await d.client({ user: 'holder' });
      const more = await clients('after', 24);
      const seen = await watch('mid:2', 'holder-watch');
      const taken = h.take(holder, 'mid:2');
      for (const c of more) c.send('resource:join', { resourceId: 'mid:2' });
      await taken;
      await seen.until((w) => w.viewers === 55);
      assert.ok(seen.users.get('holder')?.hasLock, [...seen.users.keys()].join());
    },
    'when a room is small again, all who joined meanwhile are named': async () => {
      const first = await inRoom('mid:3', 'first', 20);
      const more = await clients('more', 24);
      const seen = await watch('mid:3', 'small-again');
      for (const c of more) c.send('resource:join', { resourceId: 'mid:3' });
      await seen.until((w) => w.viewers === 45);
      for (const c of first) c.ws.close(1000);
      await seen.until((w) => w.viewers === 25);
      const expected = ['small-again', ...more.map((_, i) => `more-${i}`)].sort();
      assert.deepStrictEqual([...seen.users.keys()].sort(), expected);
    },
  });
  await h.checkAll(d);
});
