'use strict';
/* A master, its replicas and their Sentinels, each a process of its own on loopback. */
const fs = require('node:fs');
const path = require('node:path');
const { SLOW, cleanup, deadline, eventually, freePort, start, tempDir } = require('./basics');
const { RedisClient, layOut } = require('./redis');

const PROGRAM = process.env.WSLOCK_TEST_REDIS || 'redis-server';
const DOWN_AFTER = 1000 * SLOW;
/*
 * Sentinel asks a server for its role every 10 s. It corrects a wrong role after 8 s, a wrong master after failover-timeout. A failover
 * that no Sentinel was elected for begins again after twice that.
 */
const FAILOVER_TIMEOUT = 10_000 * SLOW;
const AT_LAST_MS = 6 * FAILOVER_TIMEOUT;

/* Kept over a restart: its port, its data and its configuration file, which Sentinels have rewritten. tls: of serverTls. */
class Server {
  constructor(t, kind, lines, { port, tls } = {}) {
    this.port = port;
    this.tls = tls;
    this.dir = tempDir(t);
    this.kind = kind;
    this.lines = lines;
    this.file = path.join(this.dir, `${kind}.conf`);
    cleanup(t, () => this.kill());
  }
  async start() {
    if (!fs.existsSync(this.file)) {
      this.port ||= await freePort();
      const ports = this.tls ? this.tls.lines(this.port) : [`port ${this.port}`];
      fs.writeFileSync(this.file, [...ports, 'bind 127.0.0.1', 'save ""', `dir ${this.dir}`, ...this.lines, ''].join('\n'));
    }
    this.child = start(PROGRAM, [this.file, ...(this.kind === 'sentinel' ? ['--sentinel'] : [])]);
    this.child.stdout.resume();
    this.child.stderr.resume();
    await eventually(() => this.command('PING'), `${this.kind} answers`);
    return this;
  }
  get address() {
    return `127.0.0.1:${this.port}`;
  }
  /* On a connection of its own: the server may have been restarted, and Sentinels close connections. */
  async command(...args) {
    const client = new RedisClient({ port: this.port, host: '127.0.0.1', ...this.tls?.client });
    try {
      if (this.password) await client.command('AUTH', this.password);
      return await client.command(...args);
    } finally {
      client.close();
    }
  }
  async info(field) {
    return new RegExp(`\r\n${field}:(.*)\r\n`).exec(await this.command('INFO', 'replication'))?.[1];
  }
  /* Alive but silent. */
  pause() {
    this.paused = true;
    this.child.kill('SIGSTOP');
  }
  resume() {
    this.paused = false;
    this.child.kill('SIGCONT');
  }
  async kill(signal = 'SIGKILL') {
    if (!this.child) return;
    const { child } = this;
    this.child = null;
    this.paused = false;
    child.kill('SIGCONT');
    child.kill(signal);
    await deadline(child.ended, `${this.kind} ends`);
  }
}

/* A master, which comes first, and its replicas. tls: of serverTls. */
async function replicated(t, { replicas = 1, password, tls } = {}) {
  const common = ['repl-diskless-sync-delay 0', 'repl-ping-replica-period 1', 'repl-backlog-ttl 0',
    ...(password ? [`requirepass ${password}`, `masterauth ${password}`] : [])];
  const servers = [];
  for (let i = 0; i <= replicas; i++) {
    const server = new Server(t, 'redis', i === 0 ? common : [...common, `replicaof 127.0.0.1 ${servers[0].port}`], { tls });
    server.password = password;
    servers.push(await server.start());
  }
  await layOut({ command: (...args) => servers[0].command(...args) });
  /* Online, and each has said how much it has: before that WAIT does not count it. */
  await eventually(async () => (await servers[0].command('INFO', 'replication')).match(/,state=online,offset=[1-9]/g)?.length === replicas
    || replicas === 0, 'copies');
  return servers;
}

/*
 * options: {replicas, sentinels (numbers), password (of the servers), sentinelLines (for each Sentinel's file), tls (of
 * serverTls, for all)}. Ready for a failover when it is returned. redis-sentinel is redis-server with `--sentinel`.
 */
async function sentinelGroup(t, { replicas = 2, sentinels = 3, password, sentinelLines = [], tls } = {}) {
  const servers = await replicated(t, { replicas, password, tls });
  const group = { name: 'wslock', servers, sentinels: [] };
  for (let i = 0; i < sentinels; i++) {
    group.sentinels.push(new Server(t, 'sentinel', [
      `sentinel monitor wslock 127.0.0.1 ${servers[0].port} ${sentinels > 1 ? 2 : 1}`,
      `sentinel down-after-milliseconds wslock ${DOWN_AFTER}`,
      `sentinel failover-timeout wslock ${FAILOVER_TIMEOUT}`,
      ...(password ? [`sentinel auth-pass wslock ${password}`] : []),
      ...sentinelLines,
    ], { tls }));
  }
  for (const sentinel of group.sentinels) await sentinel.start();
  group.config = { master: 'wslock', nodes: group.sentinels.map((s) => s.address) };
  group.byPort = (port) => servers.find((s) => s.port === Number(port));
  /* Where this Sentinel says that the master is. */
  group.master = async (sentinel = group.sentinels.find((s) => s.child)) => group.byPort((await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'wslock'))[1]);
  group.settled = () => eventually(async () => {
    const master = await group.master();
    const others = servers.filter((s) => s.child && s !== master);
    for (const s of group.sentinels.filter((x) => x.child)) {
      const flat = await s.command('SENTINEL', 'MASTER', 'wslock');
      const field = (name) => flat[flat.indexOf(name) + 1];
      if (field('flags') !== 'master' || Number(field('num-slaves')) < servers.length - 1
        || Number(field('num-other-sentinels')) !== group.sentinels.length - 1 || Number(field('port')) !== master.port) return false;
    }
    for (const s of others) {
      if (await s.info('master_link_status') !== 'up' || Number(await s.info('master_port')) !== master.port) return false;
    }
    return true;
  }, 'the group is settled', AT_LAST_MS);
  /* A master that was replaced comes back, and is a replica when this resolves. */
  group.comesBack = async (old) => {
    await old.start();
    await eventually(async () => await old.info('role') === 'slave' && await old.info('master_link_status') === 'up', 'it is a replica', AT_LAST_MS);
  };
  /* When a Sentinel has told of another master than this one. */
  group.switched = (from) => eventually(async () => {
    const master = await group.master();
    return master && master !== from && master;
  }, 'another master', AT_LAST_MS);
  await group.settled();
  return group;
}

module.exports = { DOWN_AFTER, Server, replicated, sentinelGroup };
