'use strict';
/* docs/saving-safely.md on SQLite: the printed modules and page, with writers that race and stop. */
const assert = require('node:assert');
const path = require('node:path');
const { test } = require('node:test');
const Database = require('better-sqlite3');
const h = require('./harness');

/* Takes the database for itself, and says so. */
const HOLDER = `
const db = new (require('better-sqlite3'))(process.env.DATABASE_FILE);
db.exec('BEGIN IMMEDIATE');
console.log('held');
process.stdin.on('data', () => { db.exec('COMMIT'); console.log('released'); });
`;

async function stage(t, policy) {
  const DATABASE_FILE = path.join(h.tempDir(t), 'documents.db');
  return h.savingApplication(t, 'sqlite', { DATABASE_FILE }, policy);
}

/* A process that holds the database's write lock, and is stopped. */
async function holder(t, s) {
  const child = h.start('node', ['-e', HOLDER], { cwd: s.dir, env: { ...process.env, ...s.env }, stdio: ['pipe', 'pipe', 'inherit'] });
  h.cleanup(t, async () => {
    child.kill('SIGKILL');
    await child.ended;
  });
  await h.deadline(new Promise((resolve) => { child.stdout.once('data', resolve); }), 'the database is held');
  child.kill('SIGSTOP');
  return child;
}

test('a page that was stopped while its lock went to another is refused', async (t) => {
  await h.stoppedPageIsRefused(t, await stage(t, h.SLEEP));
});

test('of many writers at once the newest remains', async (t) => {
  await h.newestOfManyWritersRemains(await stage(t));
});

test('nobody writes between the comparison and the write', async (t) => {
  const { prepare } = Database.prototype;
  let between = () => {};
  Database.prototype.prepare = function prepareWatched(sql) {
    const statement = prepare.call(this, sql);
    const { get } = statement;
    if (sql.startsWith('INSERT')) {
      statement.get = (...values) => {
        const row = get.apply(statement, values);
        between();
        return row;
      };
    }
    return statement;
  };
  h.cleanup(t, () => { Database.prototype.prepare = prepare; });
  const { documents, env } = await stage(t);
  const other = new Database(env.DATABASE_FILE, { timeout: 0 });
  h.cleanup(t, () => other.close());
  const codes = [];
  between = () => {
    try {
      codes.push(other.exec('UPDATE section SET fence = fence + 1'));
    } catch ({ code }) {
      codes.push(code);
    }
  };
  const saving = documents.save({ resourceId: h.RESOURCE, userId: 'ann', fence: 10 }, { base: 0, body: 'text' });
  assert.deepStrictEqual(await saving, { outcome: 'saved', revision: 1 });
  assert.deepStrictEqual(codes, ['SQLITE_BUSY']);
});

test('saved, stale and conflict', async (t) => {
  await h.outcomesAreDistinct(await stage(t));
});

test('a writer that is stopped in its transaction: 503, and the page saves when it is gone', async (t) => {
  const s = await stage(t);
  let child;
  await h.outageIsNoRefusal(s, async () => { child = await holder(t, s); }, () => child.kill('SIGKILL'));
});

test('an answer that does not reach the page', async (t) => {
  await h.lostAnswerIsRepeated(t, await stage(t));
});

test('a ticket that has expired is renewed', async (t) => {
  await h.expiredTicketIsRenewed(t, await stage(t));
});

test('what is typed while the page is told of a save is saved', async (t) => {
  await h.savesAgainWhileShowing(await stage(t));
});

test('the editor, from the first key to the next holder', async (t) => {
  await h.editorWorks(await stage(t));
});
