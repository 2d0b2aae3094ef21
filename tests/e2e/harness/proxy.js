'use strict';
/* A TCP proxy that cuts, holds, delays and delivers late. */
const net = require('node:net');
const { cleanup, reset } = require('./basics');

/* One way of a connection: what is passed to it goes on after the delay of its moment, and never before what came earlier. */
function line(from, to, pair, delayMs) {
  const waiting = []; // {at, data}
  const write = (data) => {
    if (!to.destroyed && !to.write(data) && to.listenerCount('drain') === 0) {
      from.pause();
      to.once('drain', () => pair.held || from.resume());
    }
  };
  const flush = () => {
    while (waiting.length > 0 && waiting[0].at <= performance.now()) write(waiting.shift().data);
    if (waiting.length > 0) setTimeout(flush, waiting[0].at - performance.now());
  };
  return (data) => {
    const delay = delayMs();
    if (delay === 0 && waiting.length === 0) {
      write(data);
      return;
    }
    waiting.push({ at: performance.now() + delay, data });
    if (waiting.length === 1) setTimeout(flush, delay);
  };
}

class Proxy {
  constructor(target) {
    this.target = target; // {port} or {path}
    this.pairs = new Set();
    this.sockets = new Set(); // all that are open
    this.delayMs = 0;
    this.held = false;
    this.refusing = false;
    this.swallowing = { up: false, down: false };
    this.kept = []; // pairs whose bytes wait for deliver()
    this.rewrite = {}; // {request, reply}: (bytes, pair) => the bytes that go on instead, or pieces of them
    this.server = net.createServer({ noDelay: true }, (near) => this.connect(near));
  }
  listen() {
    return new Promise((resolve) => this.server.listen(0, '127.0.0.1', () => {
      this.port = this.server.address().port;
      resolve(this);
    }));
  }
  connect(near) {
    if (this.refusing) {
      reset(near);
      return;
    }
    const far = net.connect({ ...this.target, noDelay: true });
    const pair = { near, far, said: '', held: this.held, kept: null, swallows: { ...this.swallowing } };
    for (const socket of [near, far]) {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    }
    near.on('data', (data) => {
      if (pair.said.length < 1000) pair.said += data;
    });
    this.pairs.add(pair);
    for (const [from, to, way] of [[near, far, 'up'], [far, near, 'down']]) {
      const drop = () => {
        from.destroy();
        if (!pair.swallows[way] && !(from === near && pair.kept)) to.destroy();
        if (to.destroyed) this.pairs.delete(pair);
      };
      from.on('error', drop);
      from.on('close', drop);
      const pass = line(from, to, pair, () => this.delayMs);
      if (from === near) pair.pass = pass;
      from.on('data', (bytes) => {
        if (pair.swallows[from === near ? 'up' : 'down']) return;
        const change = from === near ? this.rewrite.request : this.rewrite.reply;
        const data = [change ? change(bytes, pair) : bytes].flat();
        if (from === near && this.isKept(pair, Buffer.concat(data))) return;
        for (const piece of data) pass(piece);
      });
      if (pair.held) from.pause();
    }
  }
  isKept(pair, data) {
    if (this.wanted?.test(data.toString('latin1'))) {
      this.wanted = null;
      pair.kept = [];
      this.kept.push(pair);
      this.onKept();
    }
    pair.kept?.push(data);
    return pair.kept !== null;
  }
  /* Once something like this comes, it and what follows on its connection is on its way until deliver(), also when
     the sender's end of the connection is gone. Resolves when it has come. */
  keep(pattern) {
    this.wanted = pattern;
    return new Promise((resolve) => { this.onKept = resolve; });
  }
  /* Resolves when all of it was answered to nobody. */
  async deliver() {
    for (const { far, kept, pass } of this.kept.splice(0)) {
      const answered = new Promise((resolve) => far.once('data', resolve));
      pass(Buffer.concat(kept));
      await answered;
      far.destroy();
    }
  }
  /* Every connection ends at once (RST); new ones are taken unless refuse(). */
  cut() {
    for (const { near, far, kept } of this.pairs) {
      reset(near);
      if (!kept) this.resetFar(far);
    }
  }
  /* Sockets of the file system know no RST. */
  resetFar(far) {
    if (this.target.path) far.destroy();
    else reset(far);
  }
  refuse(on = true) {
    this.refusing = on;
    if (on) this.cut();
  }
  /* Bytes neither way, connections stay: what a dead cable looks like. By name: only of those that began with it
   * somewhere, and of none that comes. */
  hold(name = '') {
    this.held = name === '';
    for (const pair of this.pairs) {
      if (!pair.said.includes(name)) continue;
      pair.held = true;
      pair.near.pause();
      pair.far.pause();
    }
  }
  release() {
    this.held = false;
    for (const pair of this.pairs) {
      pair.held = false;
      pair.near.resume();
      pair.far.resume();
    }
  }
  /* What was sent that way is gone for good, an end of the connection too: of those that are there and, until
   * swallow('none'), of those that come. 'up': what comes from who connects; 'down': what goes there; neither named:
   * both. What it swallows once it swallows for ever. */
  swallow(way = 'both') {
    this.swallowing = { up: way === 'up' || way === 'both', down: way === 'down' || way === 'both' };
    for (const { swallows } of this.pairs) {
      swallows.up ||= this.swallowing.up;
      swallows.down ||= this.swallowing.down;
    }
  }
  delay(ms) {
    this.delayMs = ms;
  }
  close() {
    this.cut();
    for (const socket of this.sockets) socket.destroy(); // also what still has something to write
    return new Promise((resolve) => this.server.close(resolve));
  }
}

async function proxy(t, target) {
  const p = new Proxy(typeof target === 'number' ? { port: target, host: '127.0.0.1' } : target);
  cleanup(t, () => p.close());
  return p.listen();
}

module.exports = { proxy };
