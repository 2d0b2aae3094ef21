'use strict';
/*
 * Says from a history what went wrong: [{rule, text}]. Each rule is a promise of docs/protocol.md or docs/lock-states.md. Times at
 * which something was sent or heard are those of the clients, so a rule never asks for more order than they could see.
 */

const { audited, deniedMeansNot, endsOnce, grantsGrow, group, nothingMissed, replicasHaveIt } = require('./judge_store');

/* A lock's end that others cause, or the type's rules do: whoever comes back in time may find it. */
const CAUSED = new Set(['TAKEN_BY_ADMIN', 'TRANSFERRED', 'CLAIMED', 'MOVED', 'ADMIN_RELEASED', 'SESSION_TERMINATED', 'RELEASED']);

const byResource = (entries) => group(entries, ({ resourceId }) => resourceId);
const told = (history) => history.entries.filter(({ kind }) => kind === 'granted' || kind === 'renewed');
const name = ({ tab, token }) => `${tab} with ${token}`;

/* A token belongs to one tab. */
function oneTabForAToken(history, find) {
  for (const [resourceId, entries] of byResource(told(history))) {
    const owner = new Map();
    for (const { token, tab } of entries) {
      if (!owner.has(token)) owner.set(token, tab);
      else if (owner.get(token) !== tab) find(`${resourceId}: ${token} was granted to ${owner.get(token)} and to ${tab}`);
    }
  }
}

/* What is asked for after a grant was told brings no lower token, but from the other one of two masters. */
function tokensGrow(history, find, { split }) {
  for (const [resourceId, entries] of byResource(told(history))) {
    const points = entries.flatMap((entry) => [{ time: entry.at, entry, isEnd: true }, ...(entry.sentAt === null ? [] : [{ time: entry.sentAt, entry }])]);
    points.sort((a, b) => a.time - b.time);
    let highest = null; // that had been told
    for (const { entry, isEnd } of points) {
      if (!isEnd && highest && entry.token < highest.token && !split(highest.at) && !split(entry.sentAt)) {
        find(`${resourceId}: ${name(entry)} was asked for ${ms(entry.sentAt - highest.at)} after ${name(highest)} was told`);
      }
      if (isEnd && (!highest || entry.token > highest.token)) highest = entry;
    }
  }
}

/* Nothing is granted or renewed under a token that its holder was told is over. STORE_LOST is over only once the store is back: until
   then its tab may ask for it again (docs/protocol.md). The other one of two masters does not know what has ended. */
function overIsOver(history, find, { split }) {
  const over = new Map(); // "resource token" → entry
  for (const entry of history.entries) {
    const key = `${entry.resourceId} ${entry.token}`;
    if (entry.kind === 'lost' || entry.kind === 'released') {
      if (entry.token && entry.reason !== 'STORE_LOST' && !over.has(key)) over.set(key, entry);
    } else if ((entry.kind === 'granted' || entry.kind === 'renewed') && entry.sentAt !== null) {
      const end = over.get(key);
      if (end && entry.sentAt > end.at && !split(end.at) && !split(entry.sentAt)) find(`${entry.resourceId}: ${name(entry)} goes on ${ms(entry.sentAt - end.at)} after ${end.kind} ${end.reason ?? ''}`);
      const named = entry.request !== 'resource:join' && over.get(`${entry.resourceId} ${entry.named}`);
      if (named && entry.sentAt > named.at && !split(named.at) && !split(entry.sentAt)) find(`${entry.resourceId}: ${name(entry)} was confirmed to who named ${entry.named}, which is over`);
    }
  }
}

/* Two who rightly believe that they may edit: never at once, but for administrators and one's own tabs, and on two masters. */
function oneBelieves(history, find, { split }) {
  // What comes without having been asked for is a takeover, too, that waited for the holder. Some are over before they are told.
  const takeovers = byResource([
    ...history.of('granted').filter((g) => g.request === 'lock:takeover' || g.previous === 'TAKEN_BY_ADMIN' || (g.request === null && !g.resumed)),
    ...history.of('store').filter((e) => e.cause === 'TAKEN_BY_ADMIN').map(({ resourceId, lock }) => ({ resourceId, token: lock.token })),
  ]);
  for (const [resourceId, beliefs] of byResource(history.of('belief'))) {
    const open = [...beliefs].sort((a, b) => a.from - b.from);
    open.forEach((later, i) => {
      for (const earlier of open.slice(0, i)) {
        if (earlier.tab === later.tab || earlier.user === later.user || earlier.to <= later.from) continue;
        const [lower, higher] = [earlier.token, later.token].sort((a, b) => a - b);
        // Whom an administrator has taken it from does not know yet.
        if (takeovers.get(resourceId)?.some(({ token }) => token > lower && token <= higher)) continue;
        if (split(later.from)) continue;
        find(`${resourceId}: ${name(earlier)} and ${name(later)} both for ${ms(Math.min(earlier.to, later.to) - later.from)}`);
      }
    });
  }
}

/* No save is accepted below a token that the application has seen. */
function savesInOrder(history, find) {
  const highest = new Map();
  for (const entry of history.entries) {
    if (entry.kind !== 'saved' && entry.kind !== 'granted') continue;
    const seen = highest.get(entry.resourceId);
    if (entry.kind === 'saved' && entry.accepted && seen && entry.token < seen.token) {
      find(`${entry.resourceId}: a save of ${name(entry)} was accepted after ${name(seen)}`);
    }
    if (!seen || entry.token > seen.token) highest.set(entry.resourceId, entry);
  }
}

/* Who is back within the grace, with the right token and page, has the lock, unless the history shows why not. */
function inTime(history, find, { graceMs, doubtful }) {
  const ends = history.of('store').filter(({ ended }) => ended && CAUSED.has(ended.reason));
  for (const back of history.of('back')) {
    if (back.kept || back.type === 'release') continue;
    const gone = last(history.entries, (e) => e.kind === 'gone' && e.tab === back.tab && e.at < back.at);
    const heard = last(history.entries, (e) => e.tab === back.tab && e.token === back.token && (e.kind === 'granted' || e.kind === 'renewed') && e.at < back.at);
    if (!gone || !heard || back.sentAt - (gone.answered ?? 0) > graceMs) continue;
    const other = history.entries.find((e) => e.kind === 'granted' && e.resourceId === back.resourceId && e.token > back.token);
    const ended = ends.some((e) => e.resourceId === back.resourceId && e.ended.token === back.token);
    const cause = CAUSED.has(back.lost) || ended || other !== undefined || history.entries.some((e) => (
      (e.kind === 'lost' || e.kind === 'released') && e.tab === back.tab && e.token === back.token && e.at < back.at));
    if (cause || doubtful(gone.answered ?? gone.at, back.at)) continue;
    // A store that puts its locks together again says so, and the tab asks again.
    if (back.lost === null && !history.entries.some((e) => e.kind === 'lost' && e.tab === back.tab && e.token === back.token && e.at >= back.at)) continue;
    find(`${back.resourceId}: ${name(back)} was back ${ms(back.sentAt - (gone.answered ?? gone.at))} after its last answer: ${back.lost}`);
  }
}

/* Nobody's token ends without a word: what a tab had is what it has, or it was told. Who is connected is told without asking. */
function lossesTold(history, find) {
  for (const [tab, entries] of group(told(history), (e) => e.tab)) {
    const tokens = [...new Set(entries.map(({ token }) => token))].sort((a, b) => a - b);
    const final = last(history.entries, (e) => e.kind === 'final' && e.tab === tab);
    for (const token of tokens.slice(0, -1)) {
      const next = entries.find((e) => e.token > token);
      // Its lock went on, or was moved, under a new token; or it had asked again before it knew of the first grant.
      if (next.resumed || next.kind === 'renewed' || next.previous === 'MOVED') continue;
      if (next.request && next.sentAt < entries.find((e) => e.token === token).at) continue;
      if (!ended(tab, token)) find(`${tab}: nobody said how ${token} ended, before ${next.token}`);
    }
    const token = tokens.at(-1);
    if (final && final.token !== token && !ended(tab, token)) find(`${tab}: nobody said how ${token} ended`);
  }
  for (const [key, [first]] of group(history.of('lost'), (e) => `${e.tab} with ${e.token}`)) {
    if (first.asked === 'lock:heartbeat' && first.sawAt !== null && first.sentAt > first.sawAt) {
      find(`${key} saw its lock go, and was told ${first.reason} only when it asked ${ms(first.sentAt - first.sawAt)} later`);
    }
  }
  function ended(tab, token) {
    return history.entries.some((e) => e.tab === tab && (
      ((e.kind === 'lost' || e.kind === 'released') && e.token === token) || (e.kind === 'gone' && e.how === 1000 && e.token === token)));
  }
}

/* Who comes back with a token that has ended is told so at once, or that the store cannot say yet. */
function toldAtJoin(history, find) {
  const own = group(history.entries, (e) => e.tab);
  for (const back of history.of('back')) {
    if (back.kept || back.lost !== null) continue;
    const after = own.get(back.tab);
    const next = after.slice(after.indexOf(back) + 1).find((e) => ['lost', 'denied', 'error', 'gone', 'granted', 'renewed', 'back', 'final'].includes(e.kind));
    if (next?.kind !== 'lost' || next.asked !== 'lock:heartbeat') continue;
    find(`${back.resourceId}: ${name(back)} joined, and heard nothing of it before its heartbeat: ${next.reason}`);
  }
}

/* In the end every member sees what the store has, and who has a lock lives. */
function viewsEqual(history, find) {
  for (const { text } of history.of('unsettled')) find(text);
}

const RULES = {
  oneTabForAToken, tokensGrow, grantsGrow, overIsOver, endsOnce, oneBelieves, savesInOrder, inTime, lossesTold, toldAtJoin, deniedMeansNot, replicasHaveIt,
  nothingMissed, audited, viewsEqual,
};

/* options: {graceMs: within it a tab is back in time; doubtful(from, to): whether what happened then may have cost a lock;
 * storeLost(from, to): whether the store may have lost then what it had; auditLost(from, to): whether an instance died
 * as well then; split(at): whether the store had two masters then;
 * clockBack: the store's clock was set;
 * waits: redis.waitReplicas is set; calm(from, to): no fault was near that may keep an instance from the store}. */
function judge(history, options) {
  const found = [];
  for (const [rule, look] of Object.entries(RULES)) {
    const seen = new Set();
    look(history, (text) => {
      if (!seen.has(text)) found.push({ rule, text });
      seen.add(text);
    }, options);
  }
  return found;
}

function last(entries, is) {
  for (let i = entries.length - 1; i >= 0; i--) if (is(entries[i])) return entries[i];
  return undefined;
}

function ms(n) {
  return `${Math.round(n)} ms`;
}

module.exports = { RULES, judge };
