'use strict';
/* Socket.IO: an unmodified socket.io-client, and its packets by hand. */
const http = require('node:http');
const WebSocket = require('ws');
const { io } = require('socket.io-client');
const { Inbox, cleanup, deadline } = require('./basics');
const { token } = require('./tokens');

/*
 * A socket of socket.io-client whose events are kept. who: of token(), and clientId, pageId; options: of io(), and
 * url or port (instead of the daemon's).
 */
class SocketClient {
  constructor(t, d, who, { url, port, ...options } = {}) {
    this.inbox = new Inbox();
    this.events = [];
    this.disconnects = [];
    this.who = who;
    this.socket = io(url ?? `http://127.0.0.1:${port ?? d.port}`, {
      forceNew: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 100,
      auth: (give) => Promise.resolve(who.token ?? token(who)).then((text) => give({
        ...(text && { token: text }), ...(who.clientId && { clientId: who.clientId }), ...(who.pageId && { pageId: who.pageId }),
      })),
      ...options,
    });
    this.socket.onAny((event, data) => {
      this.events.push({ event, data });
      this.inbox.push({ event, data });
    });
    this.socket.on('disconnect', (reason) => {
      this.disconnects.push(reason);
      this.inbox.push({ event: '(disconnect)', data: { reason } });
    });
    this.socket.on('connect_error', (error) => this.inbox.push({ event: '(connect_error)', data: error }));
    this.socket.on('connect', () => this.inbox.push({ event: '(connect)', data: {} }));
    cleanup(t, () => this.socket.disconnect());
  }
  get transport() {
    return this.socket.io.engine?.transport.name;
  }
  /* Waits for `welcome`. */
  async start() {
    this.welcome = await this.waitFor('welcome');
    return this;
  }
  waitFor(event, predicate = () => true, timeout = undefined) {
    return this.inbox.take((m) => m.event === event && predicate(m.data), event, timeout).then((m) => m.data);
  }
  /* The acknowledgement: {event, data}. */
  ask(event, data) {
    return deadline(new Promise((resolve) => this.socket.emit(event, data, resolve)), `the acknowledgement of ${event}`);
  }
  /* Resolves when the transport is a WebSocket. */
  upgraded() {
    const { engine } = this.socket.io;
    return deadline(new Promise((resolve) => {
      if (engine.transport.name === 'websocket') resolve();
      else engine.once('upgrade', resolve);
    }), 'the upgrade');
  }
}

const socketClient = (t, d, who, options) => new SocketClient(t, d, who, options).start();

/* A WebSocket of Engine.IO whose packets are texts. answers: pings are answered, and not shown. */
async function enginePackets(t, url, { answers, ...options } = {}) {
  const ws = new WebSocket(url, options);
  const inbox = new Inbox();
  cleanup(t, () => ws.terminate());
  ws.on('message', (data, binary) => {
    if (answers && !binary && data.toString() === '2') ws.send('3');
    else inbox.push(binary ? data : data.toString());
  });
  const closed = new Promise((resolve) => {
    ws.on('close', (code, reason) => {
      resolve({ code, reason: reason.toString() });
      inbox.end(new Error(`closed with ${code}`));
    });
  });
  await deadline(new Promise((resolve, reject) => {
    ws.on('open', resolve);
    ws.on('error', reject);
  }), 'the WebSocket opens');
  return {
    ws,
    inbox,
    send: (packet) => ws.send(packet),
    next: (timeout) => inbox.take(() => true, 'a packet', timeout),
    take: (pattern, timeout) => inbox.take((p) => pattern.test(p), `a packet ${pattern}`, timeout),
    closed: () => deadline(closed, 'the WebSocket closes'),
  };
}

/* A request over an agent of its own: {status, headers, body, json}. */
function engineRequest(target, { method = 'GET', body, headers, agent, signal } = {}) {
  return deadline(new Promise((resolve, reject) => {
    const request = http.request(target, { method, headers, agent, signal }, (response) => {
      const parts = [];
      response.on('error', reject);
      response.on('data', (part) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        let json;
        try {
          json = JSON.parse(text);
        } catch {
          json = undefined;
        }
        resolve({ status: response.statusCode, headers: response.headers, body: text, json });
      });
    });
    request.on('error', reject);
    request.end(body);
  }), `an answer to ${method} ${target}`);
}

module.exports = { SocketClient, enginePackets, engineRequest, socketClient };
