'use strict';
/* Waiting with a deadline, things that end with the test, child processes. */
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');

const ROOT = path.resolve(__dirname, '../../..');
const PROGRAM = process.env.WSLOCKD || path.join(ROOT, 'build/wslockd');
const WRAPPER = (process.env.WSLOCKD_WRAPPER || '').split(' ').filter(Boolean);
const SLOW = Number(process.env.WSLOCK_TEST_SLOW || (WRAPPER.length ? 5 : 1));
const TIMEOUT = 20_000 * SLOW; // only bounds a failure

function deadline(promise, what, timeout = TIMEOUT) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`not within ${timeout} ms: ${what}`);
    timer = setTimeout(() => reject(error), timeout);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/* Asks again and again until fn gives something true (or a promise of it); errors count as not yet. */
async function eventually(fn, what = 'a condition', timeout = TIMEOUT, everyMs = 10) {
  const end = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      const value = await fn();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}`, { cause: last });
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/* How long it took, in milliseconds. */
async function elapsed(promise) {
  const start = process.hrtime.bigint();
  await promise;
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/* Items that arrive, taken out by whoever waits for them, in any order. */
class Inbox {
  constructor() {
    this.items = [];
    this.waiters = new Set();
    this.ended = null;
  }
  push(item) {
    for (const waiter of this.waiters) {
      if (!waiter.matches(item)) continue;
      this.waiters.delete(waiter);
      waiter.resolve(item);
      return;
    }
    this.items.push(item);
  }
  end(error) {
    this.ended = error;
    for (const waiter of this.waiters) waiter.reject(error);
    this.waiters.clear();
  }
  take(matches, what, timeout) {
    const at = this.items.findIndex(matches);
    if (at >= 0) return Promise.resolve(this.items.splice(at, 1)[0]);
    if (this.ended) return Promise.reject(new Error(`${this.ended.message} while waiting for ${what}`));
    let waiter;
    const taken = new Promise((resolve, reject) => {
      waiter = { matches, resolve, reject };
      this.waiters.add(waiter);
    });
    return deadline(taken, what, timeout).finally(() => this.waiters.delete(waiter));
  }
}

/* For suites and scripts that have no test context: the same, ended by hand. */
function scope() {
  const jobs = [];
  return {
    after: (fn) => jobs.push(fn),
    end: async () => {
      let first;
      for (const job of jobs.splice(0)) {
        try {
          await job();
        } catch (error) {
          first = first || error;
        }
      }
      if (first) throw first;
    },
  };
}

const scopes = new WeakMap();
/* Undone in reverse order (node:test runs its own hooks forward), each though another failed. */
function cleanup(t, fn) {
  let jobs = scopes.get(t);
  if (!jobs) {
    jobs = [];
    scopes.set(t, jobs);
    t.after(async () => {
      let first;
      while (jobs.length) {
        try {
          await jobs.pop()();
        } catch (error) {
          first = first || error;
        }
      }
      scopes.delete(t);
      if (first) throw first;
    });
  }
  jobs.push(fn);
}

/*
 * Ends a TCP connection with RST. Not while its end is being sent: Node then fails to close the socket (EINVAL), and the process
 * spins when it should end.
 */
function reset(socket) {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

function tempDir(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'wslock-e2e-'));
  cleanup(t, () => fs.rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  return dir;
}

/* Kills children that a crashing test runner would leave behind. */
const alive = new Set();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

function start(command, args, options) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  alive.add(child);
  child.ended = new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: null, signal: null, error }));
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  child.ended.then(() => alive.delete(child));
  return child;
}

const listens = (server, ...where) => new Promise((resolve) => {
  server.on('error', () => resolve(false));
  server.listen(...where, () => resolve(true));
});

/* For this process until its end: an abstract socket stands for the port, also while nobody listens there. */
function reserve(port) {
  return listens(net.createServer().unref(), `\0wslock-test-port-${port}`);
}

async function isFree(port) {
  const server = net.createServer();
  if (!await listens(server, port, '127.0.0.1')) return false;
  await new Promise((resolve) => { server.close(resolve); });
  return true;
}

/* A port that nobody else takes while its server is away: below those that the system gives to connections, and of no other test. `beside`:
 * the port that is so much higher is free too. */
async function freePort(beside = 0) {
  return eventually(async () => {
    const port = 10_100 + Math.floor(Math.random() * 11_900); // browsers refuse 10080
    const all = beside ? [port, port + beside] : [port];
    for (const one of all) if (!await reserve(one) || !await isFree(one)) return false;
    return port;
  }, 'a free port');
}

module.exports = {
  ROOT, PROGRAM, WRAPPER, SLOW, TIMEOUT, Inbox,
  cleanup, deadline, elapsed, eventually, freePort, reset, scope, start, tempDir,
};
