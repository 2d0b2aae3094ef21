'use strict';
/*
 * How long nobody could acquire: a client of each instance acquires and releases a lock of its own all the time, and writes each
 * success into the history as `probed`. name: at least 8 characters.
 */
const h = require('../e2e/harness');

const { WebSocket } = h;
const EVERY_MS = 100;
const ANSWER_MS = 1500;

class Probe {
  /* url(): where it connects. */
  constructor(history, url, name) {
    Object.assign(this, { history, url, name, resourceId: `deny:${name}:main` });
    this.connect();
  }
  async connect() {
    if (this.ended) return;
    const token = await h.token({ user: this.name });
    const socket = new WebSocket(this.url(), 'wslock.v1', { handshakeTimeout: ANSWER_MS, perMessageDeflate: false });
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('open', () => this.ask('auth', { token, clientId: this.name, pageId: this.name }));
    socket.on('message', (text) => this.receive(JSON.parse(text)));
    socket.on('close', () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.connect(), EVERY_MS);
    });
  }
  /* One request at a time; without an answer the connection is given up. */
  ask(event, data) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.id = (this.id ?? 0) + 1;
    this.socket.send(JSON.stringify({ event, id: this.id, data }));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.socket.terminate(), ANSWER_MS);
  }
  about(event, more) {
    this.ask(event, { resourceId: this.resourceId, ...more });
  }
  later(event, more) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.about(event, more), EVERY_MS);
  }
  receive({ event, id }) {
    if (id !== this.id) return;
    if (event === 'welcome' || event === 'resource:left') this.about('resource:join', { mode: 'viewer' });
    else if (event === 'lock:acquired') {
      this.history.add('probed', { name: this.name });
      this.about('lock:release');
    } else if (event === 'error') this.later('resource:join', { mode: 'viewer' });
    else this.later('lock:acquire');
  }
  end() {
    this.ended = true;
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }
}

/* When the clients were told to end. */
const last = (history) => history.of('final').at(-1)?.at ?? Infinity;

/* For each fault of a history: {name, ms: the longest time without a success that overlaps it, alone: no other fault was there}. */
function outages(history) {
  const faults = history.of('fault');
  const successes = [...history.of('probed').map(({ at }) => at), last(history)];
  return faults.map((fault) => {
    let [longest, end] = [0, fault.to];
    for (let i = 1; i < successes.length; i++) {
      const [from, to] = [successes[i - 1], successes[i]];
      if (to > fault.from && from < fault.to && to - from > longest) [longest, end] = [to - from, to];
    }
    const alone = faults.every((other) => other === fault || other.to < fault.from || other.from > Math.max(end, fault.to));
    return { name: fault.name, ms: Math.round(longest), alone };
  });
}

module.exports = { Probe, outages };
