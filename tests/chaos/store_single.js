'use strict';
/* One redis-server as the store. It listens on a socket of the file system: while it is dead nobody else can get its place. */
const h = require('../e2e/harness');
const { nothing } = require('./faults');
const { Link } = require('./link');

/* Of the user of the daemons; the tests ask as another one. */
const RIGHTS = ['xadd', 'hset', 'zadd', 'xread', 'fcall'];
const OBSERVER = ['--user', 'observer', 'on', 'nopass', '~*', '&*', '+@all'];
const STEPS_MS = [-30_000, -2000, 3000, 60_000];

const FAULTS = {
  'store stopped': async ({ store }) => {
    store.redis.pause();
    return () => store.redis.child && store.redis.resume();
  },
  'store killed': async ({ store }) => {
    if (store.redis.child) await store.redis.stop('SIGKILL');
    return () => store.redis.child ?? store.redis.start();
  },
  'store emptied': async ({ store }) => {
    await store.redis.command('FLUSHALL');
    return nothing;
  },
  'functions forgotten': async ({ store }) => {
    await store.redis.command('FUNCTION', 'FLUSH');
    return nothing;
  },
  'scripts forgotten': async ({ store }) => {
    await store.redis.command('SCRIPT', 'FLUSH');
    return nothing;
  },
  'store out of memory': async ({ store }) => {
    await store.redis.command('CONFIG', 'SET', 'maxmemory', '1');
    return () => store.redis.command('CONFIG', 'SET', 'maxmemory', '0');
  },
  'right withdrawn': async ({ store, history }, rnd) => {
    const right = rnd.pick(RIGHTS);
    history.add('detail', { text: `without ${right}` });
    await store.redis.command('ACL', 'SETUSER', 'default', `-${right}`);
    return () => store.redis.command('ACL', 'SETUSER', 'default', '+@all');
  },
  'store clock stepped': async ({ store }, rnd) => {
    store.redis.setClock(rnd.pick(STEPS_MS));
    return nothing;
  },
};

class SingleStore {
  constructor(t) {
    this.t = t;
    this.faults = FAULTS;
  }
  async start(keyPrefix) {
    this.redis = await h.redis(this.t, { steppable: true, args: OBSERVER });
    await h.layOut(this.redis, { keyPrefix });
  }
  /* For one instance: {config: of `redis`, link}. */
  async connect() {
    const proxy = await h.proxy(this.t, { path: this.redis.socket });
    return { config: { url: `redis://127.0.0.1:${proxy.port}/0` }, link: new Link([proxy]) };
  }
  /* Where the observer reads; null: nowhere now. */
  where() {
    return this.redis.child ? { path: this.redis.socket, user: 'observer' } : null;
  }
  async heal() {
    if (!this.redis.child) await this.redis.start();
    this.redis.resume();
    await this.redis.command('CONFIG', 'SET', 'maxmemory', '0');
    await this.redis.command('ACL', 'SETUSER', 'default', '+@all');
  }
  keys() {
    return this.redis.keys('*');
  }
}

module.exports = { SingleStore };
