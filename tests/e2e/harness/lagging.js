'use strict';
/* A failover to a replica that lacks the last writes. */
const { eventually } = require('./basics');
const { proxy } = require('./proxy');
const { layOut, redis } = require('./redis');

/* A master and its replica; the daemons reach through a wire whichever is the master. */
async function laggingPair(t) {
  const master = await redis(t, { tcp: true });
  const replica = await redis(t, { tcp: true });
  await layOut(master);
  await replica.command('REPLICAOF', '127.0.0.1', master.port);
  await eventually(async () => /master_link_status:up/.test(await replica.command('INFO', 'replication')), 'a copy');
  const wire = await proxy(t, master.port);
  return {
    master,
    replica,
    redis: { url: `redis://127.0.0.1:${wire.port}/0` },
    /* What is written from now on does not reach the replica. */
    async fallBehind(lockCount) {
      await eventually(async () => (await replica.keys('*:lock:*')).length === lockCount, 'all is copied');
      const offset = async (server, name) => new RegExp(`${name}:(\\d+)`).exec(await server.command('INFO', 'replication'))[1];
      await eventually(async () => await offset(master, 'master_repl_offset') === await offset(replica, 'slave_repl_offset'), 'in step');
      await replica.command('REPLICAOF', 'NO', 'ONE');
    },
    async away() {
      wire.refuse();
      await master.stop('SIGKILL');
    },
    async failOver() {
      wire.target = { port: replica.port, host: '127.0.0.1' };
      await master.stop('SIGKILL');
      wire.cut();
      wire.refuse(false);
    },
  };
}

module.exports = { laggingPair };
