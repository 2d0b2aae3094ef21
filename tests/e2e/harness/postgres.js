'use strict';
/* A PostgreSQL cluster of the test's own, in a temporary folder, on a free port. */
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync } = require('node:child_process');
const { TIMEOUT, cleanup, deadline, freePort, start, tempDir } = require('./basics');

const VERSIONS = '/usr/lib/postgresql';

/* The folder of the newest version's programs: Debian has them not in PATH. */
function programs() {
  const [newest] = fs.readdirSync(VERSIONS).map(Number).sort((a, b) => b - a);
  return path.join(VERSIONS, String(newest), 'bin');
}

/* PostgreSQL does not run as root, nor as a user without a name. */
function account() {
  if (process.getuid() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, 'nobody'])));
  return { uid, gid };
}

class Postgres {
  constructor(dir, port) {
    this.dir = dir;
    this.port = port;
    this.as = account();
    if (this.as.uid !== undefined) fs.chownSync(dir, this.as.uid, this.as.gid);
    this.run('initdb', '-D', this.data, '-U', 'app', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync');
  }
  url(port = this.port) {
    return `postgresql://app@127.0.0.1:${port}/postgres`;
  }
  get data() {
    return path.join(this.dir, 'data');
  }
  run(program, ...args) {
    return execFileSync(path.join(programs(), program), args, { ...this.as, cwd: this.dir, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  }
  /* Resolves when it takes connections. */
  async start() {
    const args = ['-D', this.data, '-k', this.dir, '-p', String(this.port), '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'];
    this.child = start(path.join(programs(), 'postgres'), args, { ...this.as, cwd: this.dir });
    let log = '';
    const ready = new Promise((resolve) => {
      this.child.stderr.on('data', (data) => {
        log += data;
        if (log.includes('ready to accept connections')) resolve();
      });
    });
    const ended = this.child.ended.then(() => { throw new Error(`PostgreSQL ended:\n${log}`); });
    ended.catch(() => {});
    await deadline(Promise.race([ready, ended]), 'PostgreSQL is ready', 2 * TIMEOUT);
  }
  /* Ends every connection, then the server. */
  async stop() {
    this.child.kill('SIGINT');
    await deadline(this.child.ended, 'PostgreSQL ends', 2 * TIMEOUT);
  }
  /* What psql prints for a statement. */
  psql(sql) {
    return this.run('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', this.url(), '-c', sql).trim();
  }
}

async function postgres(t) {
  const server = new Postgres(tempDir(t), await freePort());
  cleanup(t, () => server.stop());
  await server.start();
  return server;
}

module.exports = { postgres };
