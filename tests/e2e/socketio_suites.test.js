'use strict';
/* What the public suites of Engine.IO 4 and Socket.IO 5 ask, of the daemon's network side with sessions that echo. */
const assert = require('node:assert');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const SERVER = path.join(process.env.WSLOCK_BUILD_DIR || path.join(h.ROOT, 'build'), 'tests/socketio-suite-server');
/* The suites' times leave 200 ms for an answer, which is too little where many cases run at once. */
const SLOWER = 8 * h.SLOW;
const PING_INTERVAL = 300;
const PING_TIMEOUT = 200;

async function serve(t, slower = SLOWER) {
  const port = await h.freePort();
  const child = h.start(SERVER, [String(port)], { env: { ...process.env, WSLOCK_TEST_SLOW: String(slower) } });
  let log = '';
  await h.deadline(new Promise((resolve) => child.stderr.on('data', (data) => {
    log += data;
    if (/ listening /.test(log)) resolve();
  })), 'the suite server listens');
  h.cleanup(t, async () => {
    child.kill('SIGTERM');
    const { code } = await child.ended;
    assert.strictEqual(code, 0, log);
    assert.doesNotMatch(log, /Sanitizer|runtime error:/);
  });
  return port;
}

/* The cases that both suites have, for a path. */
function engineCases(port, where, slower = SLOWER) {
  const http = (query, options) => h.engineRequest(`http://127.0.0.1:${port}${where}${query}`, options);
  const poll = (sid, options) => http(`?EIO=4&transport=polling&sid=${sid}`, options);
  const post = (sid, body) => poll(sid, { method: 'POST', body });
  const ws = (st, query, options) => h.enginePackets(st, `ws://127.0.0.1:${port}${where}${query}`, options);
  const pinged = (st) => ws(st, '?EIO=4&transport=websocket');
  const socket = (st, sid) => ws(st, `?EIO=4&transport=websocket${sid ? `&sid=${sid}` : ''}`, { answers: true });
  /* The next packets but pings, which are answered. */
  const messages = async (sid) => {
    for (;;) {
      const { status, body } = await poll(sid);
      assert.strictEqual(status, 200);
      const packets = body.split('\x1e');
      if (packets.includes('2')) await post(sid, '3');
      const others = packets.filter((p) => p !== '2');
      if (others.length > 0) return others.join('\x1e');
    }
  };
  const first = async () => JSON.parse((await http('?EIO=4&transport=polling')).body.slice(1)).sid;
  const handshake = (text, upgrades) => {
    assert.strictEqual(text[0], '0');
    const { sid, ...rest } = JSON.parse(text.slice(1));
    assert.strictEqual(typeof sid, 'string');
    assert.deepStrictEqual(rest, { upgrades, pingInterval: PING_INTERVAL * slower, pingTimeout: PING_TIMEOUT * slower, maxPayload: 1000000 });
  };
  const probed = async (st, sid) => {
    const c = await socket(st, sid);
    c.send('2probe');
    assert.strictEqual(await c.next(), '3probe');
    return c;
  };
  return {
    poll, post, messages, socket, first, probed, pinged,
    cases: {
      'polling: a session opens': async () => {
        const { status, body } = await http('?EIO=4&transport=polling');
        assert.strictEqual(status, 200);
        handshake(body, ['websocket']);
      },
      'polling: bad EIO, transport and method': async () => {
        for (const query of ['?transport=polling', '?EIO=abc&transport=polling', '?EIO=3&transport=polling', '?EIO=4', '?EIO=4&transport=abc', '']) {
          assert.strictEqual((await http(query)).status, 400, query);
        }
        for (const method of ['POST', 'PUT']) assert.strictEqual((await http('?EIO=4&transport=polling', { method })).status, 400, method);
      },
      'WebSocket: a session opens': async (st) => handshake(await (await socket(st)).next(), []),
      'WebSocket: bad EIO and transport': async (st) => {
        for (const query of ['?transport=websocket', '?EIO=abc&transport=websocket', '?EIO=4', '?EIO=4&transport=abc']) {
          await assert.rejects(ws(st, query), /400/, query);
        }
      },
      'polling: pings and pongs': async () => {
        const sid = await first();
        for (let i = 0; i < 3; i++) {
          const { status, body } = await poll(sid);
          assert.deepStrictEqual([status, body], [200, '2']);
          assert.strictEqual((await post(sid, '3')).status, 200);
        }
      },
      'polling: a ping that is not answered ends the session': async () => {
        const sid = await first();
        assert.strictEqual((await poll(sid)).body, '2');
        assert.strictEqual((await poll(sid)).body, '1');
        assert.strictEqual((await poll(sid)).status, 400);
      },
      'WebSocket: pings and pongs': async (st) => {
        const c = await pinged(st);
        await c.next();
        for (let i = 0; i < 3; i++) {
          assert.strictEqual(await c.next(), '2');
          c.send('3');
        }
      },
      'WebSocket: a ping that is not answered ends the session': async (st) => (await pinged(st)).closed(),
      'polling: the client closes': async () => {
        const sid = await first();
        const waiting = poll(sid);
        await post(sid, '1');
        assert.deepStrictEqual([(await waiting).status, (await waiting).body], [200, '6']);
        assert.strictEqual((await poll(sid)).status, 400);
      },
      'WebSocket: the client closes': async (st) => {
        const c = await socket(st);
        await c.next();
        c.send('1');
        await c.closed();
      },
      'the change to a WebSocket': async (st) => {
        const sid = await first();
        const c = await probed(st, sid);
        assert.strictEqual(await messages(sid), '6');
        c.send('5');
        c.send('40');
        assert.match(await c.next(), /^40/);
      },
      'a poll that waits is answered when the WebSocket is probed': async (st) => {
        const sid = await first();
        const waiting = poll(sid);
        await probed(st, sid);
        assert.strictEqual((await waiting).body, '6');
      },
      'after the change neither polls nor other WebSockets of the session': async (st) => {
        const sid = await first();
        const c = await probed(st, sid);
        c.send('5');
        c.send('40');
        assert.match(await c.take(/^4/), /^40/, 'the change is complete');
        assert.strictEqual((await poll(sid)).status, 400);
        assert.strictEqual((await post(sid, '3')).status, 400);
        await (await socket(st, sid)).closed();
        c.send('1');
        await c.closed();
      },
      'no change without a probe': async (st) => {
        const sid = await first();
        const c = await socket(st, sid);
        c.send('5');
        await c.closed();
        assert.strictEqual((await poll(sid)).status, 200);
      },
    },
  };
}

test('the times of the public suites', async (t) => {
  const { cases } = engineCases(await serve(t, 1), '/engine.io/', 1);
  for (const name of ['polling: a session opens', 'WebSocket: a session opens', 'WebSocket: a ping that is not answered ends the session']) {
    await t.test(name, cases[name]);
  }
});

test('the public suite of Engine.IO', { concurrency: 8 }, async (t) => {
  const { cases, first, poll, post, messages, socket, probed } = engineCases(await serve(t), '/engine.io/');
  await h.together(t, {
    ...cases,
    'polling: messages come back': async () => {
      for (const body of ['4hello', '4test1\x1e4test2\x1e4test3', '4hello\x1ebAQIDBA==', 'bAQ==', '4', '4ä😀']) {
        const sid = await first();
        const pushed = await post(sid, body);
        assert.deepStrictEqual([pushed.status, pushed.body], [200, 'ok']);
        assert.strictEqual(await messages(sid), body);
      }
    },
    'polling: bad packets end the session': async () => {
      for (const body of ['abc', '4hello\x1eabc', '\x1e', 'bA', 'b!!!!', '2', Buffer.from([0x34, 0xff])]) {
        const sid = await first();
        assert.strictEqual((await post(sid, body)).status, 400, body.toString());
        const next = await poll(sid);
        if (next.status === 200) assert.strictEqual((await poll(sid)).status, 400, `${body}: what had come before`);
      }
    },
    'polling: one poll at a time': async () => {
      const sid = await first();
      const both = await Promise.all([poll(sid), poll(sid)]);
      assert.deepStrictEqual(both.map((r) => r.status).sort(), [200, 400]);
      assert.strictEqual(both.find((r) => r.status === 200).body, '1');
      assert.strictEqual((await poll(sid)).status, 400);
    },
    'polling: a poll that is cut ends the session': async () => {
      const sid = await first();
      const controller = new AbortController();
      const cut = poll(sid, { signal: controller.signal });
      await post(sid, '6'); // the poll is there
      controller.abort();
      await assert.rejects(cut);
      await h.eventually(async () => (await post(sid, '6')).status === 400, 'the session is gone');
    },
    'polling: a body that is too long, or without a length': async () => {
      const sid = await first();
      assert.strictEqual((await post(sid, `4${'x'.repeat(1_000_000)}`)).status, 413);
      assert.strictEqual((await poll(await first(), { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' }, body: '4x' })).status, 411);
      const long = await first();
      assert.strictEqual((await post(long, `4${'x'.repeat(999_998)}`)).body, 'ok');
      assert.strictEqual((await messages(long)).length, 999_999);
    },
    'WebSocket: messages come back': async (st) => {
      const c = await socket(st);
      await c.next();
      c.send('4hello');
      assert.strictEqual(await c.next(), '4hello');
      c.send(Buffer.from([1, 2, 3, 4]));
      assert.deepStrictEqual(await c.next(), Buffer.from([1, 2, 3, 4]));
      c.ws.send('4in ', { fin: false });
      c.ws.send('parts', { fin: true });
      assert.strictEqual(await c.next(), '4in parts');
      c.send('abc');
      await c.closed();
    },
    'what waits when the transport changes comes over the WebSocket, in order': async (st) => {
      const sid = await first();
      await post(sid, '4one');
      const c = await probed(st, sid);
      c.send('5');
      c.send('4two');
      assert.strictEqual(await c.next(), '4one');
      assert.strictEqual(await c.next(), '4two');
    },
  });
});

test('the public suite of Socket.IO', { concurrency: 8 }, async (t) => {
  const { cases, socket, pinged } = engineCases(await serve(t), '/socket.io/');
  const binary = (c) => c.inbox.take((p) => Buffer.isBuffer(p), 'an attachment');
  const connect = async (st, open = socket) => {
    const c = await open(st);
    assert.match(await c.next(), /^0/);
    c.send('40');
    await c.take(/^40/);
    assert.strictEqual(await c.take(/^42/), '42["auth",{}]');
    return c;
  };
  await h.together(t, {
    ...cases,
    'CONNECT, with and without a payload, to both namespaces': async (st) => {
      for (const [sent, head, auth] of [
        ['40', '40', '42["auth",{}]'], ['40{"token":"123"}', '40', '42["auth",{"token":"123"}]'],
        ['40/custom,', '40/custom,', '42/custom,["auth",{}]'], ['40/custom,{"token":"abc"}', '40/custom,', '42/custom,["auth",{"token":"abc"}]'],
      ]) {
        const c = await socket(st);
        await c.next();
        c.send(sent);
        const answer = await c.next();
        assert.ok(answer.startsWith(head));
        assert.deepStrictEqual(Object.keys(JSON.parse(answer.slice(head.length))), ['sid']);
        assert.strictEqual(await c.next(), auth);
      }
    },
    'an unknown namespace': async (st) => {
      const c = await socket(st);
      await c.next();
      c.send('40/random');
      assert.strictEqual(await c.next(), '44/random,{"message":"Invalid namespace"}');
    },
    'what is no packet ends the connection': async (st) => {
      for (const bad of ['4abc', '42{}', '42abc["message-with-ack",1,"2",{"3":[false]}]', '40abc']) {
        const c = await connect(st);
        c.send(bad);
        await c.closed();
      }
    },
    'DISCONNECT': async (st) => {
      const c = await connect(st, pinged);
      c.send('41');
      assert.strictEqual(await c.next(), '2', 'the transport stays');
      const other = await connect(st);
      other.send('40/custom');
      await other.take(/^42\/custom/);
      other.send('41/custom');
      other.send('42["message","message to main namespace"]');
      assert.strictEqual(await other.take(/^42\[/), '42["message-back","message to main namespace"]');
    },
    'events, acknowledgements and attachments': async (st) => {
      const c = await connect(st);
      c.send('42["message",1,"2",{"3":[true]}]');
      assert.strictEqual(await c.next(), '42["message-back",1,"2",{"3":[true]}]');
      c.send('42456["message-with-ack",1,"2",{"3":[false]}]');
      assert.strictEqual(await c.next(), '43456[1,"2",{"3":[false]}]');
      for (const [sent, back] of [
        ['452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', '452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'],
        ['452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', '462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'],
      ]) {
        c.send(sent);
        c.send(Buffer.from([1, 2, 3]));
        c.send(Buffer.from([4, 5, 6]));
        assert.strictEqual(await c.next(), back);
        assert.deepStrictEqual([await binary(c), await binary(c)], [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])]);
      }
    },
    'socket.io-client talks to it': async (st) => {
      const { io } = require('socket.io-client');
      const [, port] = /:(\d+)/.exec((await socket(st)).ws.url);
      const client = io(`http://127.0.0.1:${port}`, { forceNew: true, auth: { token: 'x' } });
      h.cleanup(st, () => client.disconnect());
      const auth = new Promise((resolve) => client.on('auth', resolve));
      assert.deepStrictEqual(await h.deadline(auth, 'auth'), { token: 'x' });
      const back = new Promise((resolve) => client.on('message-back', resolve));
      client.emit('message', Buffer.from([7, 8]));
      assert.deepStrictEqual(Buffer.from(await h.deadline(back, 'message-back')), Buffer.from([7, 8]));
    },
  });
});
