'use strict';
/*
 * Judges two editors by what their pages wrote down (editor/journal.mjs) and by what the application was asked and answered
 * (application.js): that no text was lost, that nobody edited without a lock, that no save with a stale fence was accepted,
 * that both worked in the end.
 */

const words = (text) => text.split(/\s+/).filter(Boolean);
/* Between the look at the section and the note of what was typed. */
const LATE_MS = 100;
/* Who takes a lock so need not wait until its holder knows (docs/protocol.md, "What a client may believe"). */
const UNASKED = new Set(['TAKEN_BY_ADMIN', 'MOVED', 'ADMIN_RELEASED']);

/* {page, user, from, to, fence}: each once; one that was still open may have been written down several times. */
function beliefs(journal) {
  const found = new Map();
  for (const { what, page, user, from, to, fence } of journal) {
    if (what !== 'believed') continue;
    const key = `${page} ${from}`;
    if (!(found.get(key)?.to >= to)) found.set(key, { page, user, from, to, fence });
  }
  return [...found.values()].sort((a, b) => a.from - b.from);
}

function* lostText({ journal, text, drafts }) {
  const kept = new Set([text, ...drafts].flatMap(words));
  const discarded = new Set(journal.filter(({ what }) => what === 'discarded').flatMap((entry) => words(entry.text)));
  for (const entry of journal) {
    if (entry.what !== 'typed') continue;
    for (const word of words(entry.text)) {
      if (!kept.has(word) && !discarded.has(word)) yield { kind: 'text lost', word, entry };
    }
  }
}

function* overwritten({ journal, log }) {
  const discarded = new Set(journal.filter(({ what }) => what === 'discarded').flatMap((entry) => words(entry.text)));
  let before = [];
  for (const entry of log) {
    if (entry.what !== 'save' || !entry.ok) continue;
    const now = words(entry.text);
    const has = new Set(now);
    for (const word of before) if (!has.has(word) && !discarded.has(word)) yield { kind: 'text overwritten', word, entry };
    before = now;
  }
}

/* An administrator who has asked for the lock gets it also when its holder is cut off, who still believes for a while. */
function isTakeover(journal, grant) {
  if (!grant) return false;
  const asked = journal.findLast(({ what, page, method, at }) => page === grant.page && at <= grant.at && what === 'called' &&
    ['takeOver', 'edit', 'claim'].includes(method));
  return asked?.method === 'takeOver' && asked.outcome === 'pending';
}

function* believedTogether({ journal }) {
  const granted = new Map(journal.filter(({ what }) => what === 'granted').map((entry) => [`${entry.page} ${entry.fence}`, entry]));
  const all = beliefs(journal);
  for (const [at, one] of all.entries()) {
    for (const other of all.slice(at + 1)) {
      if (other.from >= one.to || other.page === one.page) continue;
      const grant = granted.get(`${other.page} ${other.fence}`);
      if (!UNASKED.has(grant?.previous?.reason) && !isTakeover(journal, grant)) yield { kind: 'believed together', ms: Math.min(one.to, other.to) - other.from, one, other };
    }
  }
}

function* editedWithoutLock({ journal }) {
  const all = beliefs(journal);
  for (const entry of journal) {
    if (entry.what !== 'typed') continue;
    const isCovered = all.some(({ page, fence, from, to }) => page === entry.page && fence === entry.fence &&
      from <= entry.at && entry.at <= to + LATE_MS);
    if (!isCovered) yield { kind: 'edited without a lock', entry };
  }
}

function* staleSaves({ log }) {
  let highest = 0;
  for (const entry of log) {
    if (entry.ok && entry.fence < highest) yield { kind: 'stale fence accepted', highest, entry };
    if (entry.ok) highest = Math.max(highest, entry.fence);
  }
}

function* stuck({ log, users, healedAt }) {
  for (const user of users) {
    const works = log.some((entry) => entry.what === 'save' && entry.ok && entry.user === user && entry.at >= healedAt);
    if (!works) yield { kind: 'does not work again', user };
  }
}

/* What was wrong: [] if nothing. {journal, log, text (stored in the end), drafts (texts), users, healedAt}. */
function judge(record) {
  return [lostText, overwritten, believedTogether, editedWithoutLock, staleSaves, stuck].flatMap((rule) => [...rule(record)]);
}

module.exports = { beliefs, believedTogether, judge };
