'use strict';
/* The pages of a tab: a duplicated one has the clientId and the token of the first, but never its pageId. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const verdict = async (d, resourceId, token) => (await h.opsCall(d, 'POST', `/v1/locks/${resourceId}/verify`, { token })).json;

/* What keeps the document: a token below the highest seen is refused. */
class Application {
  highest = 0;
  text = '';
  register(token) {
    this.highest = Math.max(this.highest, token);
  }
  save(token, text) {
    if (token < this.highest) return false;
    this.text = text;
    return true;
  }
}

let pages = 0;
const page = () => `page-${process.pid}-${String(++pages).padStart(6, '0')}`;

test('pages of one tab', { concurrency: 12 }, async (t) => {
  const config = (instance) => ({
    instance, default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: '25s', takeoverTimeout: '25s' },
    resourceTypes: { asked: { upgrade: 'request' } },
  });
  const one = await h.lockDaemon(t, { config: config('one') });
  const two = await h.lockDaemon(t, { redis: one.redis, config: config('two') });
  /* Opens connections of one tab, each on the page that it is given; the second on the other instance. */
  const tabOf = (user) => {
    const clientId = h.tab();
    let next = 0;
    return (pageId) => [one, two][next++ % 2].client({ user, name: `N ${user}`, clientId, pageId });
  };
  const watcher = async (name, r) => {
    const client = await one.client({ user: `${name}-watch`, clientId: h.tab() });
    await h.view(client, r);
    return client;
  };
  const cut = async (client, watch) => {
    await client.terminate();
    await watch.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
  };

  await h.together(t, {
    'a duplicated tab: the late save of the first is refused, and the first is told': async () => {
      const r = 'document:page-twin';
      const connect = tabOf('twin');
      const application = new Application();
      const watch = await watcher('twin', r);
      const first = await connect(page());
      const { token } = await h.take(first, r);
      application.register(token);
      assert.ok(application.save(token, 'by the first'));
      const copy = await connect(page()); // with the clientId and the token that were copied
      const { joined, answer } = await h.edit(copy, r, { token });
      assert.strictEqual(answer.event, 'lock:acquired');
      assert.strictEqual(answer.data.resumed, true);
      assert.strictEqual(joined.mode, 'editor');
      assert.strictEqual(joined.lost, undefined, 'the token that it named was right');
      assert.ok(answer.data.token > token);
      application.register(answer.data.token);
      assert.strictEqual(application.save(token, 'late, by the first'), false);
      assert.ok(application.save(answer.data.token, 'by the copy'));
      assert.strictEqual(application.text, 'by the copy');
      assert.deepStrictEqual((await first.waitFor('session:closed')).data, { code: 4409, reason: 'SUPERSEDED', reconnect: false });
      assert.strictEqual((await first.end()).code, 4409);
      // Whoever asks the server is told the same.
      const answers = [await verdict(two, r, token), await verdict(one, r, answer.data.token)];
      assert.deepStrictEqual(answers.map((a) => [a.valid, a.reason]), [[false, 'MOVED'], [true, undefined]]);
      await copy.expect('lock:heartbeat', { resourceId: r, token: answer.data.token }, 'lock:renewed');
      assert.strictEqual((await copy.expect('lock:heartbeat', { resourceId: r, token }, 'lock:lost')).reason, 'STALE_TOKEN');
      const { data: state } = await watch.waitFor('lock:state', (s) => s.cause === 'RESUMED');
      assert.strictEqual(state.lock.state, 'held');
      assert.strictEqual(watch.received('lock:released').length, 0);
      const record = await two.waitForAudit((a) => a.action === 'LOCK_RESUMED' && a.resourceId === `${r}:main`);
      assert.deepStrictEqual([record.fence, record.sessionId], [answer.data.token, copy.welcome.sessionId]);
    },
    'the same page on another connection keeps the token, from held and from grace': async () => {
      const r = 'document:page-same';
      const [connect, pageId] = [tabOf('same'), page()];
      const watch = await watcher('same', r);
      let client = await connect(pageId);
      const { token } = await h.take(client, r);
      for (const from of ['held', 'grace', 'held', 'grace']) {
        if (from === 'grace') await cut(client, watch);
        client = await connect(pageId);
        const got = await h.take(client, r, { token });
        assert.deepStrictEqual([got.token, got.resumed], [token, true], from);
      }
    },
    'from held a connection without a pageId has a new token; so has the next': async () => {
      for (const [before, after] of [[page(), ''], ['', page()], ['', '']]) {
        const r = `document:page-held-${Boolean(before)}-${Boolean(after)}`;
        const connect = tabOf(`held-${Boolean(before)}-${Boolean(after)}`);
        const first = await connect(before);
        const { token } = await h.take(first, r);
        await h.take(first, r, { token }); // its own connection
        assert.strictEqual((await first.expect('lock:acquire', { resourceId: r }, 'lock:acquired')).token, token);
        const got = await h.take(await connect(after), r, { token });
        assert.strictEqual(got.resumed, true);
        assert.ok(got.token > token);
        assert.strictEqual((await first.end()).code, 4409);
      }
    },
    'from grace: a new token only where both have a pageId, and another one': async () => {
      for (const [before, after, keeps] of [[page(), page(), false], [page(), '', true], ['', page(), true], ['', '', true]]) {
        for (const by of ['join', 'heartbeat']) {
          const name = `grace-${Boolean(before)}-${Boolean(after)}-${by}`;
          const r = `document:page-${name}`;
          const connect = tabOf(name);
          const watch = await watcher(name, r);
          const first = await connect(before);
          const { token } = await h.take(first, r);
          await cut(first, watch);
          const back = await connect(after);
          if (by === 'heartbeat') await h.view(back, r, { token });
          const got = by === 'join' ? await h.take(back, r, { token })
            : await back.expect('lock:heartbeat', { resourceId: r, token }, 'lock:renewed');
          assert.strictEqual(got.resumed, true, name);
          assert.ok(keeps ? got.token === token : got.token > token, name);
          await watch.waitFor('lock:state', (s) => s.cause === 'RESUMED');
          await back.expect('lock:heartbeat', { resourceId: r, token: got.token }, 'lock:renewed');
        }
      }
    },
    'another page that only views: grace, and a heartbeat there brings a new token': async () => {
      const r = 'document:page-view';
      const connect = tabOf('views');
      const watch = await watcher('views', r);
      const first = await connect(page());
      const { token } = await h.take(first, r);
      const copy = await connect(page());
      await h.view(copy, r, { token });
      assert.strictEqual((await first.end()).code, 4409);
      await watch.waitFor('lock:state', (s) => s.cause === 'GRACE_STARTED');
      const renewed = await copy.expect('lock:heartbeat', { resourceId: r, token }, 'lock:renewed');
      assert.strictEqual(renewed.resumed, true);
      assert.ok(renewed.token > token);
    },
    'an answer to a request from grace takes the lock up on this page, and says under which token': async () => {
      const r = 'asked:page';
      const [connect, pageId] = [tabOf('asked'), page()];
      const watch = await watcher('asked', r);
      let client = await connect(pageId);
      let { token } = await h.take(client, r);
      for (const other of [false, true]) {
        const { requestId } = await watch.expect('lock:request', { resourceId: r, message: 'please' }, 'lock:requested');
        await cut(client, watch);
        client = await connect(other ? page() : pageId);
        await h.view(client, r);
        await client.waitFor('lock:request_received');
        await client.expect('lock:request_reply', { requestId, action: 'DENY' }, 'lock:request_replied');
        const { data } = await client.waitFor('lock:acquired');
        assert.strictEqual(data.resumed, true);
        assert.ok(other ? data.token > token : data.token === token);
        ({ token } = data);
        await client.expect('lock:heartbeat', { resourceId: r, token }, 'lock:renewed');
        await watch.waitFor('lock:request_timeout', (x) => x.requestId === requestId);
      }
    },
    'an administrator who came on another page meanwhile has the lock on that one': async () => {
      const r = 'document:page-admin';
      const ann = await one.client({ user: 'padm-ann', clientId: h.tab() });
      await h.take(ann, r);
      const clientId = h.tab();
      const admin = (pageId) => two.client({ user: 'padm', roles: ['lock-admin'], clientId, pageId });
      const root = await admin(page());
      await h.view(root, r);
      await root.expect('lock:takeover', { resourceId: r, reason: 'must' }, 'lock:takeover_pending');
      const pageId = page();
      const again = await admin(pageId);
      await h.view(again, r);
      assert.strictEqual((await root.end()).code, 4409);
      await ann.expect('lock:release', { resourceId: r }, 'lock:released');
      const { data: got } = await again.waitFor('lock:acquired');
      const back = await h.take(await admin(pageId), r, { token: got.token });
      assert.deepStrictEqual([back.token, back.resumed], [got.token, true]);
      assert.ok((await h.take(await admin(page()), r, { token: got.token })).token > got.token);
    },
    'a connection has one pageId, given by its first join at the latest': async () => {
      const open = (more) => one.client({ user: 'names', clientId: h.tab(), ...more });
      const refusedOn = async (client, data) =>
        (await h.refused(client, 'resource:join', { resourceId: 'document:page-names', ...data }, 'INVALID_ARGUMENT')).field;
      const named = await open({ pageId: 'page-of-auth' });
      assert.strictEqual(await refusedOn(named, { pageId: 'page-other' }), 'pageId');
      await h.view(named, 'document:page-names', { pageId: 'page-of-auth' });
      await h.view(named, 'document:page-names-2');
      assert.strictEqual(await refusedOn(named, { pageId: 'page-other' }), 'pageId');
      const late = await open({ pageId: '' });
      await h.view(late, 'document:page-names', { pageId: 'page-of-join' });
      assert.strictEqual(await refusedOn(late, { pageId: 'page-other' }), 'pageId');
      await h.view(late, 'document:page-names-2', { pageId: 'page-of-join' });
      const unnamed = await open({ pageId: '' });
      await h.view(unnamed, 'document:page-names');
      assert.strictEqual(await refusedOn(unnamed, { pageId: 'page-of-join' }), 'pageId');
      for (const pageId of ['seven77', 'x'.repeat(65), 'with space', 'umläut-page', 17]) {
        assert.strictEqual(await refusedOn(unnamed, { pageId }), 'pageId');
        const silent = await (await one.newClient({ silent: true })).start();
        const token = await h.token({ user: 'names' });
        assert.strictEqual((await h.refused(silent, 'auth', { token, pageId }, 'INVALID_ARGUMENT')).field, 'pageId');
      }
      // A join that is refused for its pageId settles nothing else.
      const fresh = await one.client({ user: 'names', pageId: 'page-of-auth' });
      assert.strictEqual(await refusedOn(fresh, { clientId: 'tab-refused', pageId: 'page-other' }), 'pageId');
      assert.strictEqual((await h.view(fresh, 'document:page-names', { clientId: 'tab-of-join' })).clientId, 'tab-of-join');
    },
  });
  await h.checkAll(one, two);
});

test('a store that was emptied: the lock comes back with its page', async (t) => {
  const redis = await h.redis(t);
  await h.layOut(redis);
  const d = await h.lockDaemon(t, { redis, config: { default: { lockTtl: '60s', heartbeatInterval: '20s', gracePeriod: '25s' } } });
  const r = 'document:page-lost';
  const clientId = h.tab();
  const connect = (pageId) => d.client({ user: 'lost', clientId, pageId });
  /* Asks until the store has been told what it has lost. */
  const settled = async (ask) => {
    for (const end = Date.now() + h.TIMEOUT; ;) {
      const reply = await ask();
      if (reply.data.reason !== 'RECOVERING' && reply.data.code !== 'BACKEND_UNAVAILABLE') return reply;
      assert.ok(Date.now() < end, `still ${JSON.stringify(reply)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const edits = async (client, token) => {
    const { event, data } = await settled(async () => {
      const joined = await client.request('resource:join', { resourceId: r, mode: 'editor', token });
      if (joined.event === 'error') return joined;
      return client.inbox.take((m) => m.id === undefined && ['lock:acquired', 'lock:denied'].includes(m.event), 'what the join brought');
    });
    assert.strictEqual(event, 'lock:acquired', JSON.stringify(data));
    return data;
  };
  const mine = page();
  const ann = await connect(mine);
  const { token } = await h.take(ann, r);
  await redis.command('FLUSHALL');
  const beat = await settled(() => ann.request('lock:heartbeat', { resourceId: r, token }));
  assert.deepStrictEqual([beat.event, beat.data.token], ['lock:renewed', token]);
  const again = await edits(await connect(mine), token);
  assert.deepStrictEqual([again.token, again.resumed], [token, true]);
  assert.strictEqual((await ann.end()).code, 4409);
  await redis.command('FLUSHALL');
  const copy = await edits(await connect(page()), token);
  assert.ok(copy.token > token, 'the copy of a page that goes on');
  assert.strictEqual(copy.resumed, true);
  await h.checkAll(d);
});
