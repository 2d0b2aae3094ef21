'use strict';
/*
 * What the end-to-end tests stand on: a daemon with a Redis of its own, clients, tokens, a proxy that
 * cuts and delays, raw sockets. Everything is told to a test (or suite) context `t` and is gone when
 * it ends, also when it failed. Nothing here sleeps for a fixed time; every wait has a deadline.
 *
 *   const h = require('./harness');
 *   test('one edits', async (t) => {
 *     const d = await h.daemon(t, { config: { default: { lockTtl: '10s' } } });
 *     const ann = await d.client({ user: 'ann' });           // open, authenticated, welcomed
 *     const joined = await ann.request('resource:join', { resourceId: 'document:1', mode: 'editor' });
 *     await ann.waitFor('lock:state', (data) => data.lock.state === 'held');
 *   });
 *
 * Environment: WSLOCKD (the program, default build/wslockd), WSLOCKD_WRAPPER (put in front of it, say
 * "valgrind --leak-check=full --error-exitcode=99"), WSLOCK_TEST_SLOW (multiplies every deadline).
 */
module.exports = {
  ...require('./harness/application'),
  ...require('./harness/audit'),
  ...require('./harness/basics'),
  ...require('./harness/belief'),
  ...require('./harness/believer'),
  ...require('./harness/browser'),
  ...require('./harness/client'),
  ...require('./harness/cluster'),
  ...require('./harness/daemon'),
  ...require('./harness/demo'),
  ...require('./harness/editors'),
  ...require('./harness/flows'),
  ...require('./harness/judge'),
  ...require('./harness/node_application'),
  ...require('./harness/postgres'),
  ...require('./harness/provider'),
  ...require('./harness/proxy'),
  ...require('./harness/random'),
  ...require('./harness/raw'),
  ...require('./harness/redis'),
  ...require('./harness/saving'),
  ...require('./harness/lagging'),
  ...require('./harness/sentinel'),
  ...require('./harness/socketio'),
  ...require('./harness/strict'),
  ...require('./harness/tokens'),
  ...require('./harness/traffic'),
  ...require('./harness/wslock_client'),
};
