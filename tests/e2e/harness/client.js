'use strict';
/* A client of the native framing, over the package `ws`. */
const assert = require('node:assert');
const WebSocket = require('ws');
const { Inbox, deadline } = require('./basics');
const { token } = require('./tokens');

/*
 * One WebSocket. options: {url, token | user…, headers, protocols, ws (further options of `ws`),
 * clientId, pageId (unless given, the same for the same clientId: a page that connects again; '': none),
 * silent (no auth message)}.
 */
class Client {
  constructor(options) {
    this.options = options;
    this.frames = []; // {dir: 'in' | 'out', at, text, message?}
    this.inbox = new Inbox();
    this.nextId = 1;
    this.pings = 0;
    const protocols = options.protocols === undefined ? ['wslock.v1'] : options.protocols;
    this.ws = new WebSocket(options.url, protocols, {
      perMessageDeflate: false,
      rejectUnauthorized: false,
      headers: options.headers,
      ...options.ws,
    });
    this.ws.on('ping', () => this.pings++);
    this.ws.on('message', (data, binary) => this.receive(data, binary));
    this.closed = new Promise((resolve) => {
      this.ws.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.inbox.end(new Error(`connection closed with ${code}`));
      });
    });
    const opened = new Promise((resolve, reject) => {
      this.ws.on('open', resolve);
      this.ws.on('error', reject);
      this.ws.on('unexpected-response', (request, response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('close', () => reject(new Error(`an answer ${response.statusCode} that was cut off`)));
        response.on('end', () => {
          const error = new Error(`upgrade refused with ${response.statusCode}`);
          error.status = response.statusCode;
          error.headers = response.headers;
          error.body = Buffer.concat(parts).toString();
          reject(error);
          request.destroy();
        });
      });
    });
    this.opened = deadline(opened, 'the WebSocket opens');
    this.opened.catch(() => {});
  }
  receive(data, binary) {
    const frame = { dir: 'in', at: Date.now(), text: data.toString(), binary };
    this.frames.push(frame);
    frame.message = JSON.parse(frame.text);
    this.inbox.push(frame.message);
  }
  async open() {
    await this.opened;
    return this;
  }
  /* Opens and authenticates: with the message `auth` unless the token went into a header. */
  async start() {
    await this.open();
    if (this.options.silent) return this;
    if (this.options.inHeader) {
      this.welcome = (await this.waitFor('welcome')).data;
      return this;
    }
    const data = { token: this.options.token || (await token(this.options)) };
    const { clientId, pageId = clientId && `page-${clientId}`.slice(0, 64) } = this.options;
    if (clientId) data.clientId = clientId;
    if (pageId) data.pageId = pageId;
    const reply = await this.request('auth', data);
    assert.strictEqual(reply.event, 'welcome', JSON.stringify(reply));
    this.welcome = reply.data;
    return this;
  }
  sendText(text) {
    this.frames.push({ dir: 'out', at: Date.now(), text: String(text) });
    this.ws.send(text);
  }
  /* Fire and forget; gives the id used. */
  send(event, data, id = this.nextId++) {
    this.sendText(JSON.stringify({ event, id, ...(data !== undefined && { data }) }));
    return id;
  }
  /* The one direct reply to a request: {event, id, data}. */
  request(event, data, options = {}) {
    const id = this.send(event, data, options.id);
    return this.inbox.take((m) => m.id === id, `the reply to ${event}`, options.timeout);
  }
  /* The same, and the reply must be this event; gives its data. */
  async expect(event, data, replyEvent) {
    const reply = await this.request(event, data);
    assert.strictEqual(reply.event, replyEvent, JSON.stringify(reply));
    return reply.data;
  }
  /* The first event of that name (no reply) that has come or comes, taken out: {event, data}. predicate
   * sees its data. */
  waitFor(event, predicate = () => true, options = {}) {
    const matches = (m) => m.event === event && m.id === undefined && predicate(m.data);
    return this.inbox.take(matches, event, options.timeout);
  }
  /* A round trip: everything that the server had sent before is in `frames` and the inbox now. */
  async sync() {
    await this.expect('test:sync', {}, 'error');
  }
  /* Every event of that name received so far, oldest first, taken or not. */
  received(event) {
    return this.frames.filter((f) => f.dir === 'in' && f.message.event === event).map((f) => f.message);
  }
  /* With a close code: deliberately (1000), or any other; without one: a close frame without a code. */
  close(code, reason) {
    this.ws.close(code, reason);
    return this.end();
  }
  /* No close frame: the TCP connection just ends. */
  terminate() {
    this.ws.terminate();
    return this.closed;
  }
  /* Stops and goes on reading: what a slow reader does. */
  pause() {
    this.ws._socket.pause();
  }
  resume() {
    this.ws._socket.resume();
  }
  end() {
    return deadline(this.closed, 'the connection closes');
  }
}

module.exports = { Client, WebSocket };
