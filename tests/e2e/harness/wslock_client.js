'use strict';
/* The JavaScript client (src/web/client) in Node, with whatever clocks and timers a test gives it. */
const { webcrypto } = require('node:crypto');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const WebSocket = require('ws');
const { ROOT, cleanup, eventually } = require('./basics');
const { Record } = require('./strict');

const CLIENT_DIR = path.join(ROOT, 'src/web/client');

/* A module of the package: wslock.js, react.js, wslock/clock.js, … */
function wslockModule(name) {
  return import(pathToFileURL(path.join(CLIENT_DIR, name)));
}

/* A Storage; two clients with the same one are two pages of one tab. */
class MemoryStorage extends Map {
  get length() { return this.size; }
  key(index) { return [...this.keys()][index] ?? null; }
  getItem(key) { return this.get(key) ?? null; }
  setItem(key, value) { this.set(key, String(value)); }
  removeItem(key) { this.delete(key); }
}

/* Clocks and timers that a test moves: timers run only in wake(), as those of a hidden tab; sleep(): only the wall clock goes on. */
class TestTime {
  constructor() {
    this.timers = new Map();
    this.slept = 0;
    this.wrong = 0; // what the wall clock is off by, from the start
  }
  get platform() {
    return {
      performance, Date: { now: () => Date.now() + this.wrong + this.slept },
      setTimeout: (fn) => {
        const id = {};
        this.timers.set(id, fn);
        return id;
      },
      clearTimeout: (id) => this.timers.delete(id),
    };
  }
  sleep(ms) { this.slept += ms; }
  wake() {
    for (const [id, fn] of [...this.timers]) {
      this.timers.delete(id);
      fn();
    }
  }
}

/* A client that is gone with the test. options: of WslockClient, over a memory storage and activity always; `user` names whom makeToken()
   is for. Events are kept in client.told: [event, data]. */
async function wslockClient(t, { platform, makeToken, ...options }) {
  const { WslockClient } = await wslockModule('wslock.js');
  const storage = { session: new MemoryStorage(), local: new MemoryStorage() };
  const client = new WslockClient({
    storage, activity: 'always', getToken: makeToken, platform: { WebSocket, BroadcastChannel: undefined, crypto: webcrypto, ...platform }, ...options,
  });
  client.problems = [];
  client.states = [];
  client.on('problem', ({ error }) => client.problems.push(error));
  client.on('connection', (data) => client.states.push(data));
  cleanup(t, () => client.close());
  return client;
}

/* For beliefScenarios(): wants the lock as long as it has not got it, where `again` says so. */
class LibraryEditor {
  constructor(client, resourceId, again) {
    Object.assign(this, { client, again, told: [] });
    this.section = client.section(resourceId);
    const { section } = this;
    // What it shows is the library's word, asked all the time; until when it would show it is not asked.
    this.record = new Record(() => (section.mayEdit ? performance.now() + 1 : 0));
    for (const event of ['frame', 'change']) client.on(event, () => this.record.look());
    this.timer = setInterval(() => this.tick(), 5);
    section.on('lost', ({ reason }) => this.told.push(reason));
    section.on('lock:holder_disconnected', () => this.again && section.claim().catch(() => {}));
    this.join = again ? this.edit() : section.view();
    this.join.catch(() => {});
  }
  get believes() { return this.record.look(); }
  get token() { return this.section.fence ?? undefined; }
  get state() {
    const { told, token, client, section } = this;
    return { told, token, section: section.state, lock: section.lock, connection: client.state, problems: client.problems };
  }
  tick() {
    this.record.look();
    if (this.again && !this.trying && !this.section.mayEdit && this.client.state === 'connected') this.edit();
  }
  async edit() {
    this.trying = true;
    await this.section.edit().catch((error) => this.told.push(error.code));
    await new Promise((resolve) => { setTimeout(resolve, 150); });
    this.trying = false;
  }
}

async function wslockEditor(t, { url, resourceId, makeToken, again, platform }) {
  const client = await wslockClient(t, { url, makeToken, platform });
  const editor = new LibraryEditor(client, resourceId, again);
  cleanup(t, () => clearInterval(editor.timer));
  return editor;
}

/* The error that a promise is rejected with. */
async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it was not rejected');
}

/* The next data of an event. */
function next(emitter, event, matches = () => true) {
  return new Promise((resolve) => {
    const off = emitter.on(event, (data) => {
      if (!matches(data)) return;
      off();
      resolve(data);
    });
  });
}

const editing = (section, what = 'it edits') => eventually(() => section.state === 'editing', what);

module.exports = {
  CLIENT_DIR, MemoryStorage, TestTime, editing, wslockClient, wslockEditor, wslockModule, next, rejection,
};
