'use strict';
/* The proxy that tests put between two ends: what it is told to do to the bytes never changes their order. */
const assert = require('node:assert');
const net = require('node:net');
const { test } = require('node:test');
const { once } = require('node:events');
const h = require('./harness');

/* A server that keeps what it gets, a proxy before it, and a connection through both. */
async function scene(t) {
  let got = '';
  const server = net.createServer((socket) => socket.on('error', () => {}).on('data', (data) => { got += data; }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  h.cleanup(t, () => new Promise((resolve) => { server.close(resolve); }));
  const proxy = await h.proxy(t, server.address().port);
  const socket = net.connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  h.cleanup(t, () => socket.destroy());
  const passed = (text) => h.eventually(() => got.length >= text.length, `${text} comes`).then(() => assert.strictEqual(got, text));
  /* Resolves when the proxy has it. */
  const send = async (text) => {
    const [pair] = await h.eventually(() => proxy.pairs.size > 0 && [...proxy.pairs], 'the proxy has a connection');
    const before = pair.said.length;
    socket.write(text);
    await h.eventually(() => pair.said.length >= before + text.length, `the proxy has ${text}`);
  };
  return { proxy, send, passed };
}

test('the delay changes while bytes wait', async (t) => {
  const { proxy, send, passed } = await scene(t);
  for (const [delay, text] of [[300, 'one '], [20, 'two '], [0, 'three '], [100, 'four '], [0, 'five']]) {
    proxy.delay(delay);
    await send(text);
  }
  await passed('one two three four five');
});

test('bytes come in pieces while others wait', async (t) => {
  const { proxy, send, passed } = await scene(t);
  proxy.delay(200);
  await send('whole ');
  proxy.delay(0);
  proxy.rewrite = { request: (bytes) => [...bytes].map((byte) => Buffer.from([byte])) };
  await send('in pieces');
  await passed('whole in pieces');
});

/* In a process of its own: where Node fails to close a socket, the process does not end. */
const RESET = `
  const net = require('node:net');
  const { reset } = require('./harness');
  const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).on('close', () => server.close()).resume());
  server.listen(0, '127.0.0.1', () => {
    const socket = net.connect({ port: server.address().port, host: '127.0.0.1' });
    socket.on('error', (error) => { throw error; });
    socket.on('connect', () => {
      socket.end('x');
      reset(socket);
    });
    server.on('connection', (other) => other.on('end', () => other.end()));
  });
`;

test('a connection is cut while its end is being sent, and the process ends', async () => {
  const child = h.start(process.execPath, ['-e', RESET], { cwd: __dirname, env: { PATH: process.env.PATH } });
  let complaint = '';
  child.stderr.on('data', (data) => { complaint += data; });
  try {
    assert.strictEqual((await h.deadline(child.ended, 'the process ends')).code, 0, complaint);
  } finally {
    child.kill('SIGKILL');
  }
});
