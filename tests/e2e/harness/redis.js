'use strict';
/* A redis-server of the test's own, and a look into it. */
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const tls = require('node:tls');
const { ROOT, cleanup, deadline, eventually, freePort, start, tempDir } = require('./basics');

/* The few lines of RESP2 that tests need to look into a store. Errors of Redis reject. where: as of net.connect, with a
 * certificate as of tls.connect. encoding: of texts, 'latin1' for binary values. */
class RedisClient {
  constructor(where, encoding = 'utf8') {
    this.encoding = encoding;
    this.waiting = [];
    this.buffer = Buffer.alloc(0);
    this.socket = where.cert ? tls.connect(where) : net.connect(where);
    this.socket.on('data', (data) => this.feed(data));
    const fail = (error) => {
      for (const { reject } of this.waiting.splice(0)) reject(error);
    };
    this.socket.on('error', fail);
    this.socket.on('close', () => fail(new Error('redis connection closed')));
  }
  async command(...args) {
    if (this.socket.destroyed) throw new Error('redis connection closed');
    const parts = args.map((arg) => Buffer.from(String(arg)));
    const out = [Buffer.from(`*${parts.length}\r\n`)];
    for (const part of parts) out.push(Buffer.from(`$${part.length}\r\n`), part, Buffer.from('\r\n'));
    return deadline(
      new Promise((resolve, reject) => {
        this.waiting.push({ resolve, reject });
        this.socket.write(Buffer.concat(out));
      }),
      `redis ${args[0]}`,
    );
  }
  feed(data) {
    this.buffer = Buffer.concat([this.buffer, data]);
    for (;;) {
      const parsed = this.parse(0);
      if (!parsed) return;
      this.buffer = this.buffer.subarray(parsed.end);
      const { resolve, reject } = this.waiting.shift();
      if (parsed.value instanceof Error) reject(parsed.value);
      else resolve(parsed.value);
    }
  }
  parse(at) {
    const eol = this.buffer.indexOf('\r\n', at);
    if (eol < 0) return null;
    const line = this.buffer.toString('utf8', at + 1, eol);
    let end = eol + 2;
    switch (this.buffer[at]) {
      case 0x2b: // +
        return { value: line, end };
      case 0x2d: // -
        return { value: new Error(line), end };
      case 0x3a: // :
        return { value: Number(line), end };
      case 0x24: { // $
        const length = Number(line);
        if (length < 0) return { value: null, end };
        if (this.buffer.length < end + length + 2) return null;
        return { value: this.buffer.toString(this.encoding, end, end + length), end: end + length + 2 };
      }
      case 0x2a: { // *
        if (Number(line) < 0) return { value: null, end };
        const value = [];
        for (let i = 0; i < Number(line); i++) {
          const item = this.parse(end);
          if (!item) return null;
          value.push(item.value);
          end = item.end;
        }
        return { value, end };
      }
      default:
        throw new Error('not RESP');
    }
  }
  close() {
    this.socket.destroy();
  }
}

class Redis {
  constructor(dir, port) {
    this.dir = dir;
    this.port = port;
    this.socket = path.join(dir, 'redis.sock');
    this.url = port ? `redis://127.0.0.1:${port}/0` : `unix:${this.socket}`;
    this.extra = [];
  }
  async start() {
    const where = this.port ? { port: this.port, host: '127.0.0.1' } : { path: this.socket };
    this.child = start(process.env.WSLOCK_TEST_REDIS || 'redis-server', [
      ...(this.file ? [this.file] : []), '--port', String(this.port || 0), '--bind', '127.0.0.1', '--unixsocket', this.socket,
      ...(this.file ? [] : ['--save', '', '--appendonly', 'no']), '--dir', this.dir, ...this.extra,
    ], { env: { ...process.env, ...this.env } });
    this.child.stdout.resume();
    this.child.stderr.resume();
    this.exited = this.child.ended;
    await eventually(async () => {
      const probe = new RedisClient(where);
      try {
        return (await probe.command('PING')) === 'PONG';
      } finally {
        probe.close();
      }
    }, 'redis-server answers');
    this.client = new RedisClient(where);
  }
  /* SCAN, GET, … as the test sees the store. */
  command(...args) {
    return this.client.command(...args);
  }
  async keys(pattern = '*') {
    return (await this.command('KEYS', pattern)).sort();
  }
  async hash(key) {
    const flat = await this.command('HGETALL', key);
    const result = {};
    for (let i = 0; i < flat.length; i += 2) result[flat[i]] = flat[i + 1];
    return result;
  }
  /* SIGSTOP and SIGCONT: alive but silent. */
  pause() {
    this.child.kill('SIGSTOP');
  }
  resume() {
    this.child.kill('SIGCONT');
  }
  /* Its clock is off by so many ms from now on; only with {steppable: true}. */
  setClock(ms) {
    fs.writeFileSync(this.clock, String(ms));
  }
  async stop(signal = 'SIGTERM') {
    if (!this.child) return;
    if (this.client) this.client.close();
    this.child.kill('SIGCONT');
    this.child.kill(signal);
    await deadline(this.exited, 'redis-server ends').catch(() => this.child.kill('SIGKILL'));
    this.child = null;
  }
  async restart(signal) {
    await this.stop(signal);
    await this.start();
  }
}

/* options: {tcp: true} for a TCP port (kept over restart), {args: […]} for redis-server, {file: true} for a
 * configuration file that CONFIG REWRITE writes, {steppable: true} for a clock that the test sets. */
async function redis(t, options = {}) {
  const server = new Redis(tempDir(t), options.tcp ? await freePort() : 0);
  server.extra = options.args || [];
  if (options.file) {
    server.file = path.join(server.dir, 'redis.conf');
    fs.writeFileSync(server.file, 'save ""\n');
  }
  if (options.steppable) {
    const build = process.env.WSLOCK_BUILD_DIR || path.join(ROOT, 'build');
    server.clock = path.join(server.dir, 'clock');
    server.env = { LD_PRELOAD: path.join(build, 'tests/step-clock.so'), WSLOCK_TEST_CLOCK_FILE: server.clock };
  }
  cleanup(t, () => server.stop('SIGKILL'));
  await server.start();
  return server;
}

/*
 * A store that no one has used opens a recovery window of 3 s: it cannot be told from one that was emptied. Makes
 * this one look as if a daemon had just been there. Only saves time.
 */
async function layOut(server, { shards = 16, keyPrefix = 'wslock' } = {}) {
  const replid = /master_replid:(\w+)/.exec(await server.command('INFO', 'replication'))[1];
  for (let n = 0; n < shards; n++) {
    await server.command('HSET', `{${keyPrefix}:${n}}:meta`, 'replid', replid, 'valid', Date.now() + 20_000,
      'window', 1, 'from', 1, 'to', 1);
  }
}

/*
 * TLS for servers of a test, all with one certificate of the authority's: {lines(port) for a configuration file, client (as of
 * RedisClient)}. options: {files (of the servers), authClients: false if clients need no certificate}.
 */
function serverTls(authority, { files = authority.sign('server'), authClients = true } = {}) {
  const own = authority.sign('look');
  return {
    lines: (port) => ['port 0', `tls-port ${port}`, `tls-cert-file ${files.certificate}`, `tls-key-file ${files.key}`,
      `tls-ca-cert-file ${authority.ca}`, `tls-auth-clients ${authClients ? 'yes' : 'no'}`, 'tls-replication yes'],
    client: { rejectUnauthorized: false, cert: fs.readFileSync(own.certificate), key: fs.readFileSync(own.key) },
  };
}

module.exports = { RedisClient, layOut, redis, serverTls };
