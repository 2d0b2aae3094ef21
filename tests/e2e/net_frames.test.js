'use strict';
/* WebSocket frames: pieces, sizes, kinds, closes, pings. */
const assert = require('node:assert');
const { test } = require('node:test');
const h = require('./harness');

const TEXT = 1;
const BINARY = 2;
const CONTINUATION = 0;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

async function open(t, d, headers = {}) {
  const raw = await h.rawConnect(t, d.port);
  raw.write(h.upgradeText({ headers: { Authorization: `Bearer ${await h.token({ user: 'ann' })}`, ...headers } }));
  assert.strictEqual((await raw.response()).status, 101);
  const welcome = await raw.frame();
  assert.strictEqual(JSON.parse(welcome.payload).event, 'welcome');
  return raw;
}

async function reply(raw) {
  for (;;) {
    const frame = await raw.frame();
    if (!frame || frame.opcode === TEXT) return frame && JSON.parse(frame.payload);
  }
}

function message(size) {
  const empty = JSON.stringify({ event: 'test:sync', id: 1, data: { pad: '' } });
  return JSON.stringify({ event: 'test:sync', id: 1, data: { pad: 'x'.repeat(size - empty.length) } });
}

test('message size', async (t) => {
  const d = await h.daemon(t, { config: { limits: { maxMessageBytes: '4KiB' } } });
  await t.test('as much as is allowed, in one frame', async (st) => {
    const raw = await open(st, d);
    raw.write(h.wsFrame(TEXT, message(4096)));
    assert.strictEqual((await reply(raw)).id, 1);
  });
  await t.test('as much as is allowed, in many pieces', async (st) => {
    const raw = await open(st, d);
    const text = message(4096);
    raw.write(h.wsFrame(TEXT, text.slice(0, 1), false));
    for (let i = 1; i < 4000; i += 500) {
      raw.write(h.wsFrame(CONTINUATION, text.slice(i, i + 500), false));
      raw.write(h.wsFrame(PING, 'between'));
    }
    raw.write(h.wsFrame(CONTINUATION, '', false));
    raw.write(h.wsFrame(CONTINUATION, text.slice(4001), true));
    assert.strictEqual((await reply(raw)).id, 1);
  });
  await t.test('byte by byte over the network', async (st) => {
    const raw = await open(st, d);
    for (const byte of h.wsFrame(TEXT, message(300))) raw.write(Buffer.from([byte]));
    assert.strictEqual((await reply(raw)).id, 1);
  });
  for (const [name, send] of [
    ['one frame', (raw) => raw.write(h.wsFrame(TEXT, message(4097)))],
    ['announced only', (raw) => raw.write(h.wsFrame(TEXT, message(60000)).subarray(0, 20))],
    ['many pieces', (raw) => {
      raw.write(h.wsFrame(TEXT, 'x'.repeat(1000), false));
      for (let i = 0; i < 10; i++) raw.write(h.wsFrame(CONTINUATION, 'x'.repeat(1000), false));
    }],
  ]) {
    await t.test(`a byte too much: ${name}`, async (st) => {
      const raw = await open(st, d);
      send(raw);
      const told = await reply(raw);
      assert.strictEqual(told.event, 'session:closed');
      assert.deepStrictEqual(told.data, { code: 1009, reason: 'MESSAGE_TOO_BIG', reconnect: false });
      assert.strictEqual((await raw.closeFrame()).code, 1009);
    });
  }
  await t.test('the next message starts anew', async (st) => {
    const raw = await open(st, d);
    for (let i = 0; i < 3; i++) {
      const text = message(3000);
      raw.write(h.wsFrame(TEXT, text.slice(0, 1500), false));
      raw.write(h.wsFrame(CONTINUATION, text.slice(1500), true));
      assert.strictEqual((await reply(raw)).id, 1);
    }
  });
});

test('what is no message', async (t) => {
  const d = await h.daemon(t, { config: { limits: { messageBurst: 200 } } });
  await t.test('an empty one gets an error', async (st) => {
    const raw = await open(st, d);
    raw.write(h.wsFrame(TEXT, ''));
    const answer = await reply(raw);
    assert.strictEqual(answer.data.code, 'INVALID_MESSAGE');
    raw.write(h.wsFrame(TEXT, message(100)));
    assert.strictEqual((await reply(raw)).id, 1);
  });
  await t.test('one with a NUL byte gets an error, wherever that stands, and nothing is done', async (st) => {
    const raw = await open(st, d);
    const whole = '{"event":"test:sync","id":1,"data":{"a":true,"b":[null,2.5]}}';
    for (let at = 0; at <= whole.length; at++) {
      raw.write(h.wsFrame(TEXT, `${whole.slice(0, at)}\0${whole.slice(at)}`));
      const answer = await reply(raw);
      assert.deepStrictEqual([answer.event, answer.data.code], ['error', 'INVALID_MESSAGE'], `at ${at}`);
    }
    raw.write(h.wsFrame(TEXT, whole));
    assert.strictEqual((await reply(raw)).id, 1);
  });
  await t.test('a binary one closes with 1003', async (st) => {
    const raw = await open(st, d);
    raw.write(h.wsFrame(BINARY, '{}'));
    const told = await reply(raw);
    assert.strictEqual(told.data.reason, 'UNSUPPORTED_DATA');
    assert.strictEqual((await raw.closeFrame()).code, 1003);
  });
  await t.test('bad UTF-8 closes with 1007', async (st) => {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
      const raw = await open(st, d);
      raw.write(h.wsFrame(TEXT, Buffer.from([0x22, ...bytes])));
      const frame = await raw.closeFrame();
      assert.strictEqual(frame && frame.code, 1007, bytes.toString());
    }
  });
  await t.test('bad UTF-8 over two fragments too', async (st) => {
    const raw = await open(st, d);
    raw.write(h.wsFrame(TEXT, Buffer.from([0x22, 0xe2, 0x82]), false));
    raw.write(h.wsFrame(CONTINUATION, Buffer.from([0x22]), true));
    assert.strictEqual((await raw.closeFrame()).code, 1007);
  });
  await t.test('a text that ends inside a character closes with 1007, whatever its last fragment is', async (st) => {
    for (const last of [Buffer.alloc(0), Buffer.from([0x82])]) {
      const raw = await open(st, d);
      raw.write(h.wsFrame(TEXT, Buffer.from([0x22, 0xe2]), false));
      raw.write(h.wsFrame(CONTINUATION, last, true));
      const close = await raw.closeFrame();
      assert.strictEqual(close && close.code, 1007);
    }
  });
  await t.test('a character split over fragments is none, whatever comes between', async (st) => {
    for (const between of [null, h.wsFrame(PING, 'é'), h.wsFrame(PONG, ''), h.wsFrame(PONG, 'zz')]) {
      const raw = await open(st, d);
      const text = Buffer.from(JSON.stringify({ event: 'test:sync', id: 1, data: { clef: '𝄞' } }));
      const at = text.indexOf(0xf0);
      raw.write(h.wsFrame(TEXT, text.subarray(0, at + 1), false));
      for (const i of [1, 2, 3]) {
        if (between) raw.write(between);
        raw.write(h.wsFrame(CONTINUATION, text.subarray(at + i, at + i + 1), false));
      }
      raw.write(h.wsFrame(CONTINUATION, text.subarray(at + 4), true));
      assert.strictEqual((await reply(raw)).id, 1);
    }
  });
  await t.test('a pong may have any bytes', async (st) => {
    const raw = await open(st, d);
    raw.write(h.wsFrame(TEXT, message(100)));
    assert.strictEqual((await reply(raw)).id, 1);
    raw.write(h.wsFrame(PONG, Buffer.from([0xff])));
    raw.write(h.wsFrame(TEXT, message(100)));
    assert.strictEqual((await reply(raw)).id, 1);
  });
  for (const [name, bytes] of [
    ['a reserved opcode', h.wsFrame(3, 'x')],
    ['a reserved bit', Buffer.from(h.wsFrame(TEXT, 'x').map((b, i) => (i ? b : b | 0x40)))],
    ['a continuation of nothing', h.wsFrame(CONTINUATION, 'x')],
    ['a frame without a mask', Buffer.from([0x81, 2, 0x7b, 0x7d])],
    ['an empty frame without a mask', Buffer.from([0x81, 0])],
    ['a ping of 126 bytes', h.wsFrame(PING, 'x'.repeat(126))],
    ['a length in more bytes than it needs', Buffer.from([0x81, 0xfe, 0, 2, 1, 2, 3, 4, 0x7a, 0x7f])],
    ['a length of 2^63', Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])],
    ['a message inside another', Buffer.concat([h.wsFrame(TEXT, '{', false), h.wsFrame(TEXT, '{}')])],
    ['a ping in fragments', h.wsFrame(PING, 'x', false)],
    ['half a close code', h.wsFrame(CLOSE, Buffer.from([3]))],
    ['a close code that may not be sent', h.wsFrame(CLOSE, Buffer.from([3, 0xed]))],
  ]) {
    await t.test(`${name} closes with 1002`, async (st) => {
      const raw = await open(st, d);
      raw.write(bytes);
      const frame = await raw.closeFrame();
      assert.strictEqual(frame && frame.code, 1002);
      raw.write(h.wsFrame(CLOSE, Buffer.from([3, 234])));
      await h.deadline(raw.closed, 'the end');
    });
  }
  await t.test('bad UTF-8 in a close frame closes with 1007', async (st) => {
    const raw = await open(st, d);
    raw.write(h.wsFrame(CLOSE, Buffer.from([3, 232, 0x78, 0xff])));
    const frame = await raw.closeFrame();
    assert.strictEqual(frame && frame.code, 1007);
    await h.deadline(raw.closed, 'the end');
  });
});

test('what ended a connection is counted and audited by its reason', async (t) => {
  const d = await h.daemon(t);
  const reserved = (bit) => Buffer.from(h.wsFrame(TEXT, 'x').map((b, i) => (i ? b : b | bit)));
  const ends = [
    ['PROTOCOL_ERROR', (raw) => raw.write(h.wsFrame(3, 'x'))],
    ['PROTOCOL_ERROR', (raw) => raw.write(reserved(0x40))],
    ['PROTOCOL_ERROR', (raw) => raw.write(reserved(0x10))],
    ['PROTOCOL_ERROR', (raw) => raw.write(h.wsFrame(CLOSE, Buffer.from([3])))],
    ['BAD_UTF8', (raw) => {
      raw.write(h.wsFrame(TEXT, Buffer.from([0x22, 0xff])));
      raw.write(h.wsFrame(CLOSE, Buffer.from([3, 239]))); /* the client's answer: 1007 */
    }],
    ['CONNECTION_LOST', (raw) => raw.socket.destroy()],
    ['CLIENT', (raw) => raw.write(h.wsFrame(CLOSE, ''))],
  ];
  for (const [i, [reason, end]] of ends.entries()) {
    const raw = await open(t, d);
    end(raw);
    const closed = () => d.audit().filter((r) => r.action === 'SESSION_CLOSED');
    await h.eventually(() => closed().length === i + 1, 'its record');
    const record = closed().at(-1);
    assert.strictEqual(record.reason, reason);
    assert.strictEqual(record.outcome, 'success');
    const before = ends.slice(0, i).filter((e) => e[0] === reason).length;
    assert.strictEqual(await d.metric('wslock_closed_total', `reason="${reason}"`), before + 1);
  }
  const c = await d.client({ user: 'ann' });
  await c.close(1000);
  await d.waitForAudit((r) => r.action === 'SESSION_CLOSED' && r.reason === '1000');
  assert.strictEqual(await d.metric('wslock_closed_total', 'reason="CLIENT"'), 2);
});

test('pings', async (t) => {
  const d = await h.daemon(t, { config: { limits: { pingInterval: '200ms' } } });
  await t.test("the client's are answered", async (st) => {
    const raw = await open(st, d);
    raw.write(h.wsFrame(PING, 'hello'));
    for (;;) {
      const frame = await raw.frame();
      if (frame.opcode !== PONG) continue;
      assert.strictEqual(frame.payload.toString(), 'hello');
      break;
    }
  });
  await t.test('the server sends its own', async () => {
    const c = await d.client({ user: 'ann' });
    await h.eventually(() => c.pings >= 2, 'two pings');
  });
});

test('of several pings at least the last is answered, in order', async (t) => {
  const d = await h.daemon(t);
  const raw = await open(t, d);
  const names = Array.from({ length: 50 }, (_, i) => `ping ${i}`);
  raw.write(Buffer.concat(names.map((name) => h.wsFrame(PING, name))));
  let at = -1;
  while (at < 49) {
    const frame = await raw.frame();
    if (frame.opcode !== PONG) continue;
    const next = names.indexOf(frame.payload.toString());
    assert.ok(next > at, `${next} after ${at}`);
    at = next;
  }
});

test('there is one close frame of the server, and nothing behind it', async (t) => {
  const d = await h.daemon(t);
  const close = (code) => h.wsFrame(CLOSE, Buffer.from([code >> 8, code & 255]));
  const bad = h.wsFrame(3, 'x');
  const utf8 = h.wsFrame(TEXT, Buffer.from([0xff]));
  for (const [name, code, sent] of [
    ['a close', 1000, [close(1000)]],
    ['a close and more', 4000, [close(4000), h.wsFrame(TEXT, message(100)), bad, close(1000)]],
    ['a close without a code and more', undefined, [h.wsFrame(CLOSE, ''), bad]],
    ['a broken frame twice', 1002, [bad, bad]],
    ['a broken frame and a close', 1002, [bad, close(1000)]],
    ['bad UTF-8 and a broken frame', 1007, [utf8, bad, utf8]],
    ['bad UTF-8 and a close', 1007, [utf8, close(1007)]],
    ['a binary message and a broken frame', 1003, [h.wsFrame(BINARY, 'x'), bad]],
    ['a binary message and a close', 1003, [h.wsFrame(BINARY, 'x'), close(1003)]],
    ['a binary message and half a close code', 1003, [h.wsFrame(BINARY, 'x'), h.wsFrame(CLOSE, Buffer.from([3]))]],
    ['a close that may not be sent, twice', 1002, [close(1005), close(1005)]],
    ['too much, a ping, and a close', 1009, [h.wsFrame(TEXT, 'x'.repeat(20000)), h.wsFrame(PING, ''), close(1000)]],
  ]) {
    for (const together of [true, false]) {
      const raw = await open(t, d);
      // What comes when the server has closed its socket is answered with RST, behind which its close frame may be lost.
      raw.write(together ? Buffer.concat(sent) : sent[0]);
      const first = await raw.closeFrame();
      assert.strictEqual(first && first.code, code, name);
      if (!together) for (const bytes of sent.slice(1)) raw.write(bytes);
      await h.deadline(raw.closed, 'the end');
      assert.strictEqual(raw.data.length, 0, `${name}: nothing more`);
    }
  }
});

test('closes', async (t) => {
  const d = await h.daemon(t);
  await t.test('are answered with the same code', async () => {
    const c = await d.client({ user: 'ann' });
    assert.strictEqual((await c.close(1000)).code, 1000);
    const other = await d.client({ user: 'ann' });
    assert.strictEqual((await other.close(4000)).code, 4000);
  });
  await t.test('without a code', async (st) => {
    const raw = await open(st, d);
    raw.write(h.wsFrame(CLOSE, ''));
    const frame = await raw.closeFrame();
    assert.ok(frame);
    await h.deadline(raw.closed, 'the end');
  });
  await t.test('the server ends a connection whose client does not answer its close', async (st) => {
    const raw = await open(st, d);
    raw.write(h.wsFrame(BINARY, '{}'));
    assert.strictEqual((await raw.closeFrame()).code, 1003);
    await h.deadline(raw.closed, 'the end', 15_000 * h.SLOW);
  });
  await t.test('and one whose client reads nothing', async () => {
    const c = await d.client({ user: 'ann' });
    c.pause();
    c.ws._socket.write(h.wsFrame(BINARY, '{}'));
    await h.eventually(async () => (await d.metric('wslock_connections', 'framing="native"')) === 0, 'gone', 15_000 * h.SLOW);
  });
});
