'use strict';
/* The rules that compare what clients and audits say with what the store itself says that has changed (entries `store`). */

/* An instance that loses a reply reads what it has missed when the call can no longer be under way. */
const LATE_MS = 15_000;
/* What was on its way when a replica was stopped may still be acknowledged. */
const STOPPED_MS = 50;
const GRANTS = new Set(['ACQUIRED', 'CLAIMED', 'MOVED', 'TAKEN_BY_ADMIN']);
const LOCK_ACTIONS = new Set(['ACQUIRED', 'RELEASED', 'DISCONNECT', 'SESSION_TERMINATED', 'STORE_LOST', 'EXPIRED', 'GRACE_STARTED',
  'GRACE_PERIOD_EXPIRED', 'RESUMED', 'MOVED', 'RECOVERED', 'CLAIMED', 'TRANSFERRED']);
const WAITER_ACTIONS = new Set(['QUEUED', 'REQUESTED', 'DENIED', 'TIMEOUT', 'CANCELLED', 'LEFT', 'GONE', 'CLAIM_EXPIRED', 'ADMIN_RELEASED']);

const isOwned = ({ state }) => state === 'held' || state === 'grace';
const isGrant = (e) => e.event === 'lock' && GRANTS.has(e.cause) && isOwned(e.lock);

/* Whether its tab was told so. */
const wasReleased = ({ kind, reason }) => kind === 'released' || (kind === 'lost' && reason === 'RELEASED');

/* Whether a change has a record of its own (docs/audit.md). */
function hasRecord(e) {
  switch (e.event) {
    case 'lock':
      if (e.taken || (e.lock.state === 'reserved' && e.cause !== 'RECOVERED')) return true;
      return LOCK_ACTIONS.has(e.cause) && Boolean(isOwned(e.lock) || e.ended);
    case 'join':
      return e.actor !== ''; // else it is restored by a report
    case 'waiter':
      return WAITER_ACTIONS.has(e.cause);
    case 'takeover':
      return e.cause !== 'RECOVERED';
    default:
      return true;
  }
}

const idOf = (e) => `${e.resourceId} ${e.tick}-0`;

/* The changes up to `until` without a record in any audit. */
function unaudited(history, until = Infinity) {
  const ids = new Set(history.of('audit').map(({ record }) => `${record.resourceId} ${record.eventId}`));
  return history.of('store').filter((e) => e.at <= until && hasRecord(e) && !ids.has(idOf(e)));
}

/* Whether the store has forgotten a change: one that came soon after it in its shard was made on what was before it. */
function forgetting(history) {
  const shards = group(history.of('store'), ({ shard }) => shard);
  return (e) => shards.get(e.shard).some(({ at, tick, prev }) => prev < e.tick && tick > e.tick && at < e.at + LATE_MS);
}

/* Every change, and every grant and release that was told, stands in the merged audits, and none stands there twice. */
function audited(history, find, { storeLost, auditLost }) {
  const BEGINS = new Set(['LOCK_ACQUIRED', 'LOCK_CLAIMED', 'LOCK_TAKEOVER', 'LOCK_MOVED', 'LOCK_RESUMED', 'LOCK_RECOVERED']);
  const begun = new Set();
  const released = new Set();
  const ids = new Map(); // "eventId action" → record
  for (const { record } of history.of('audit')) {
    const id = `${record.resourceId} ${record.eventId} ${record.action} ${record.outcome}`;
    // What an instance may not have written, another one writes as well, and says so.
    const twin = record.eventId === undefined ? undefined : ids.get(id);
    if (twin && !twin.recovered && !record.recovered) find(`${record.resourceId}: ${record.action} ${record.eventId} stands twice`);
    if (record.eventId !== undefined) ids.set(id, record);
    if (record.outcome !== 'failure' && record.fence && BEGINS.has(record.action)) begun.add(`${record.resourceId} ${record.fence}`);
    if (record.action === 'LOCK_RELEASED') released.add(`${record.resourceId} ${record.fence}`);
    // Who gives up what an administrator waits for.
    if (record.action === 'LOCK_TAKEOVER') released.add(`${record.resourceId} ${record.previousHolder?.id}`);
  }
  if (ids.size === 0) return; // no audit was read
  const mayBeLost = ({ at }) => auditLost(at, at + LATE_MS);
  for (const e of history.of('granted')) {
    const { resourceId, token, tab } = e;
    if (!begun.has(`${resourceId} ${token}`) && !mayBeLost(e)) find(`${resourceId}: the grant of ${token} to ${tab} is in no audit`);
  }
  for (const e of history.entries.filter(wasReleased)) {
    const { resourceId, token, tab, user } = e;
    if (token && !mayBeLost(e) && !released.has(`${resourceId} ${token}`) && !released.has(`${resourceId} ${user}`)) find(`${resourceId}: the release of ${token} by ${tab} is in no audit`);
  }
  const isForgotten = forgetting(history);
  for (const e of unaudited(history)) {
    if (!storeLost(e.at, e.at + LATE_MS) && !isForgotten(e)) find(`${e.resourceId}: ${e.event} ${e.cause} ${e.tick} is in no audit`);
  }
}

/* In the order of the store each grant of a resource has a higher token than all before. */
function grantsGrow(history, find, { clockBack }) {
  if (clockBack) return; // promised only while clocks do not step back by more than an outage lasts
  const highest = new Map();
  for (const e of history.of('store').filter((entry) => entry.event === 'lock' && isOwned(entry.lock))) {
    const before = highest.get(e.resourceId) ?? 0;
    if (isGrant(e) && e.lock.token <= before) find(`${e.resourceId}: ${e.cause} under ${e.lock.token}, after ${before}`);
    highest.set(e.resourceId, Math.max(before, e.lock.token));
  }
}

/* A token ends once: it does not come back to end in another way, unless the store has lost its end and its tab knew nothing of it. Of
 * STORE_LOST the store may have known nothing. */
function endsOnce(history, find, { storeLost }) {
  const ends = new Map();
  const told = new Set();
  for (const e of history.entries) {
    if (e.kind === 'lost' || e.kind === 'released') told.add(`${e.resourceId} ${e.token} ${e.reason ?? 'RELEASED'}`);
    if (e.kind !== 'store' || !e.ended || e.ended.reason === 'STORE_LOST') continue;
    const key = `${e.resourceId} ${e.ended.token}`;
    const before = ends.get(key);
    if (before && before.ended.reason !== e.ended.reason && (told.has(`${key} ${before.ended.reason}`) || !storeLost(before.at, e.at))) {
      find(`${key} ended twice: ${before.ended.reason} and ${e.ended.reason}`);
    }
    ends.set(key, e);
  }
}

/* Who is told that it does not get the lock has not been granted it by what it asked for: it may wait for a takeover that another one's end
 * completes. The observer may see an earlier grant late. */
function deniedMeansNot(history, find) {
  const grants = history.of('store').filter(isGrant);
  const sessions = new Map(history.of('store').filter(({ event }) => event === 'join').map(({ actor, cause }) => [actor, cause]));
  const isOfAnother = ({ actor, lock }) => sessions.has(actor) && sessions.get(actor) !== `${lock.client}:${lock.user}`;
  const told = new Map(history.of('granted').map((e) => [`${e.tab} ${e.token}`, e.at]));
  for (const denied of history.of('denied')) {
    if (!denied.alone) continue;
    const grant = grants.find((e) => e.resourceId === denied.resourceId && e.lock.client === `chaos-${denied.tab}`
      && e.lock.user === denied.user && e.actor !== '' && !isOfAnother(e) && e.at > denied.sentAt && e.at <= denied.at
      && !(told.get(`${denied.tab} ${e.lock.token}`) < denied.sentAt));
    if (grant) find(`${denied.resourceId}: ${denied.tab} was denied (${denied.reason}) what the store has granted under ${grant.lock.token}`);
  }
}

/* Who is in a room hears of each change of its lock, in their order. Not where an instance was away from the store, even for a moment:
 * after that it tells the state, at the rev of whatever came last. */
function nothingMissed(history, find, { calm }) {
  const changes = group(history.of('store').filter((e) => e.event === 'lock'), (e) => e.resourceId);
  const away = [...history.of('store').filter(({ cause }) => cause === 'RECOVERED'), ...history.of('error').filter(({ code }) => code === 'BACKEND_UNAVAILABLE')];
  const served = (from, to) => calm(from, to) && !away.some(({ at }) => at > from - LATE_MS && at < to + LATE_MS);
  const last = new Map(); // tab → what it heard last on this connection
  for (const e of history.entries) {
    if (e.kind === 'gone') last.delete(e.tab);
    if (e.kind !== 'heard' && e.kind !== 'joined') continue;
    const before = last.get(e.tab);
    last.set(e.tab, e);
    const list = changes.get(e.resourceId) ?? [];
    if (!before || e.kind === 'joined' || !list.some(({ tick }) => tick === e.rev)) continue;
    const missed = list.find(({ tick }) => tick > before.rev && tick < e.rev);
    if (missed && served(before.at, e.at)) find(`${e.resourceId}: ${e.tab} heard ${e.rev} after ${before.rev}, without ${missed.cause} ${missed.tick} between them`);
  }
}

function group(entries, key) {
  const map = new Map();
  for (const entry of entries) {
    if (!map.has(key(entry))) map.set(key(entry), []);
    map.get(key(entry)).push(entry);
  }
  return map;
}

/* With redis.waitReplicas nobody is told of a grant that was asked for and answered while no replica could have it. */
function replicasHaveIt(history, find, { waits }) {
  const stops = waits ? history.of('fault').filter(({ name }) => name === 'replicas stopped') : [];
  for (const { from, to } of stops) {
    for (const g of history.of('granted').filter((e) => !e.resumed && e.sentAt > from + STOPPED_MS && e.at < to)) {
      find(`${g.resourceId}: ${g.token} was granted to ${g.tab} while no replica could have it`);
    }
  }
}

module.exports = { audited, deniedMeansNot, endsOnce, grantsGrow, group, nothingMissed, replicasHaveIt, unaudited };
