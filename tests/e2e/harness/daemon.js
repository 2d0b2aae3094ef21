'use strict';
/* The daemon under test. */
const fs = require('node:fs');
const path = require('node:path');
const {
  Inbox, PROGRAM, TIMEOUT, WRAPPER, cleanup, deadline, eventually, freePort, start, tempDir,
} = require('./basics');
const { Client } = require('./client');
const { httpGet } = require('./raw');
const { layOut, redis } = require('./redis');
const { SECRET, token } = require('./tokens');

const SANITIZER = /(Address|Leak|UndefinedBehavior)Sanitizer|runtime error:|ERROR SUMMARY: [1-9]/;

// Binds a socket for each name and passes it as systemd does; on a given port with ReusePort=yes.
const PASS = `
import os, socket, sys
names, kind, port, program = sys.argv[1].split(":"), sys.argv[2], sys.argv[3], sys.argv[4:]
sockets = [socket.socket() for _ in names]
for s in sockets:
    if port: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("127.0.0.1", int(port or 0)))
    if kind == "listening": s.listen()
copies = [os.dup2(s.fileno(), 200 + i) for i, s in enumerate(sockets)]
for i, fd in enumerate(copies): os.dup2(fd, 3 + i, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names))
os.execvp(program[0], program)
`;
/* The option `launcher` of a daemon that systemd passes sockets. */
const passing = (names, kind = 'listening', port = '') => ({ launcher: ['python3', '-c', PASS, names, kind, String(port)] });

function merge(base, over) {
  const result = { ...base };
  for (const [key, value] of Object.entries(over || {})) {
    const plain = (v) => v && typeof v === 'object' && !Array.isArray(v);
    result[key] = plain(value) && plain(base[key]) ? merge(base[key], value) : value;
  }
  return result;
}

function field(line, key) {
  const found = line.match(new RegExp(`(?:^|\\s)${key}=("(?:[^"\\\\]|\\\\.)*"|\\S+)`));
  return found && found[1].replace(/^"(.*)"$/, '$1');
}

class Daemon {
  constructor(t, options) {
    this.t = t;
    this.options = options;
    this.log = []; // lines of standard error of all runs
    this.lines = new Inbox();
  }
  /* Writes the configuration and starts; resolves when the daemon says that it is ready. */
  async start() {
    this.spawn();
    await this.ready();
    return this;
  }
  spawn() {
    const { options } = this;
    const args = options.args || ['--config', this.configFile];
    let command = [...WRAPPER, PROGRAM, ...args, ...(options.extraArgs || [])];
    if (options.nofile) command = ['prlimit', `--nofile=${options.nofile}`, ...command];
    if (options.launcher) command = [...options.launcher, ...command];
    if (options.redirect) command = ['sh', '-c', `exec "$@" ${options.redirect}`, 'sh', ...command];
    if (options.fsize) command = ['prlimit', `--fsize=${options.fsize}`, ...command];
    this.stdout = '';
    this.listeners = [];
    this.ops = {};
    this.lines = new Inbox();
    this.child = start(command[0], command.slice(1), {
      env: {
        ...process.env,
        ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0',
        UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1',
        ...options.env,
      },
    });
    this.running = true;
    this.child.stdout.on('data', (data) => (this.stdout += data));
    let rest = '';
    this.child.stderr.on('data', (data) => {
      const parts = (rest + data).split('\n');
      rest = parts.pop();
      for (const line of parts) this.line(line);
    });
    this.exited = this.child.ended.then((end) => {
      if (rest) this.line(rest);
      this.running = false;
      this.exit = end;
      if (/SIG(SEGV|ABRT|BUS|FPE|ILL)/.test(end.signal || '')) this.crash = end; // also if it is started again
      this.lines.end(new Error(`wslockd ended with ${end.error || end.signal || end.code}:\n${this.tail()}`));
      return end;
    });
  }
  /* Kept and searched without time and level, which stand first. */
  line(whole) {
    const text = whole.replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug) /, '');
    this.log.push(text);
    if (/(^|\s)listening\s/.test(text)) {
      this.listeners.push({ address: field(text, 'address'), port: Number(field(text, 'port')), tls: field(text, 'tls') === 'yes' });
    }
    if (/(^|\s)ops_listening\s/.test(text)) {
      if (field(text, 'socket')) this.ops.socket = field(text, 'socket');
      else this.ops.port = Number(field(text, 'port'));
    }
    this.lines.push(text);
  }
  tail(count = 30) {
    return this.log.slice(-count).join('\n');
  }
  ready() {
    return this.waitForLog(/^ready(\s|$)/, TIMEOUT * 2);
  }
  /* A line of this run's log, past or to come, taken out; pattern: RegExp. */
  waitForLog(pattern, timeout) {
    return this.lines.take((line) => pattern.test(line), `log ${pattern}`, timeout);
  }
  get port() {
    return this.listeners[0].port;
  }
  url(pathname = '/ws', listener = 0) {
    const { address, port, tls: secure } = this.listeners[listener];
    const host = address.includes(':') ? '[::1]' : '127.0.0.1';
    return `${secure ? 'wss' : 'ws'}://${host}:${port}${pathname}`;
  }
  opsUrl(pathname) {
    return `http://127.0.0.1:${this.ops.port}${pathname}`;
  }
  /* The value of one series of /metrics; labels as text, say 'framing="native"'. */
  async metric(name, labels = '') {
    const { body } = await httpGet(this.opsUrl('/metrics'));
    const series = labels ? `${name}{${labels}}` : name;
    const line = body.split('\n').find((l) => l.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }
  token(who) {
    return token(who);
  }
  /* Not yet opened. {user, name, roles, admin} or {token}; {inHeader: true} sends it as Authorization. */
  async newClient(options = {}) {
    const given = { ...options, url: options.url ?? this.url(options.path, options.listener) };
    if (given.inHeader && !given.silent) {
      given.token = given.token || (await token(given));
      given.headers = { Authorization: `Bearer ${given.token}`, ...given.headers };
    }
    const client = new Client(given);
    cleanup(this.t, () => client.ws.terminate());
    return client;
  }
  async client(options) {
    return (await this.newClient(options)).start();
  }
  /* The records written so far. */
  audit() {
    return fs.readFileSync(this.auditFile, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }
  waitForAudit(predicate, timeout) {
    return eventually(() => this.audit().find(predicate), 'an audit record', timeout);
  }
  signal(name) {
    // `prlimit` and wrappers replace themselves by the daemon, so this reaches it.
    this.child.kill(name);
  }
  /* {code, signal} */
  end(timeout = TIMEOUT * 2) {
    return deadline(this.exited, 'wslockd ends', timeout);
  }
  /* SIGTERM; a clean stop exits with 0. */
  async stop() {
    this.signal('SIGTERM');
    return this.end();
  }
  async kill() {
    this.signal('SIGKILL');
    return this.end();
  }
  /* Starts again with the configuration as it is now; a port that is given as 0 becomes another. */
  async restart() {
    if (this.running) await this.stop();
    if (this.config) this.writeConfig();
    await this.start();
  }
  get configText() {
    return fs.readFileSync(this.configFile, 'utf8');
  }
  writeConfig() {
    fs.writeFileSync(this.configFile, JSON.stringify(this.config, null, 1));
  }
  /* What a test may not leave behind. */
  async finish() {
    let end = this.exit;
    if (this.running) {
      this.signal('SIGCONT');
      this.signal('SIGTERM');
      end = await this.end().catch(() => null);
      if (!end) {
        this.signal('SIGKILL');
        await this.exited;
        throw new Error(`wslockd did not end on SIGTERM:\n${this.tail()}`);
      }
      if (end.code !== 0) throw new Error(`wslockd stopped with ${end.signal || end.code}:\n${this.tail(80)}`);
    }
    const report = this.log.findIndex((line) => SANITIZER.test(line));
    if (report >= 0) throw new Error(`sanitizer report:\n${this.log.slice(report, report + 60).join('\n')}`);
    if (end && end.code === 99) throw new Error(`the wrapper reports errors:\n${this.tail(80)}`);
    if (this.crash) throw new Error(`wslockd died of ${this.crash.signal}:\n${this.tail(80)}`);
  }
}

/*
 * A configured daemon, not started. options: {config (merged over the defaults below), redis (of
 * redis(); made if absent; null: none, give config.redis), args (instead of --config FILE), extraArgs,
 * env, nofile (RLIMIT_NOFILE, "soft:hard" or a number), fsize (RLIMIT_FSIZE, bytes)}.
 */
async function newDaemon(t, options = {}) {
  const d = new Daemon(t, options);
  d.dir = tempDir(t);
  cleanup(t, () => d.finish());
  if (options.args) return d;
  d.redis = options.redis;
  if (d.redis === undefined) {
    d.redis = await redis(t);
    await layOut(d.redis, options.config?.redis);
  }
  d.auditFile = path.join(d.dir, 'audit.jsonl');
  d.configFile = path.join(d.dir, 'wslockd.yaml');
  const secretFile = path.join(d.dir, 'jwt.secret');
  fs.writeFileSync(secretFile, SECRET, { mode: 0o600 });
  d.config = merge({
    listen: [{ address: '127.0.0.1', port: await freePort(), plaintext: true }],
    ops: { address: '127.0.0.1', port: 0, socket: path.join(d.dir, 'ops.sock') },
    allowedOrigins: ['https://editor.example.org'],
    instance: 'test',
    drainTimeout: '5s',
    auth: {
      algorithms: ['HS256'],
      keys: [{ kid: 'test', alg: 'HS256', secretFile }],
      claims: { userId: 'sub', username: 'name', roles: 'roles' },
    },
    ...(d.redis && { redis: { url: d.redis.url } }),
    audit: { file: d.auditFile },
    log: { level: 'debug', format: 'text' },
  }, options.config);
  d.writeConfig();
  return d;
}

async function daemon(t, options) {
  return (await newDaemon(t, options)).start();
}

/* Runs the program to its end: {code, signal, stdout, stderr}. */
async function run(args, options = {}) {
  const child = start(options.program || PROGRAM, args, { env: { ...process.env, ...options.env } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => (stdout += data));
  child.stderr.on('data', (data) => (stderr += data));
  try {
    return { ...(await deadline(child.ended, `${args.join(' ')} ends`)), stdout, stderr };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

module.exports = { daemon, newDaemon, passing, run };
