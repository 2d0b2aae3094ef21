'use strict';
/* docs/saving-safely.md on PostgreSQL: the printed SQL, modules and page, with writers that race, stop and lose their database. */
const assert = require('node:assert');
const { after, before, test } = require('node:test');
const pg = require('pg');
const h = require('./harness');

const scope = h.scope();
let server;
before(async () => {
  server = await h.postgres(scope);
});
after(() => scope.end());

/* The application on an empty table. port: of the database, where it is not the server itself. */
async function stage(t, { port, policy } = {}) {
  server.psql('DROP TABLE IF EXISTS section CASCADE; DROP FUNCTION IF EXISTS save_section');
  server.psql(h.codeOf('saving-safely.md')['section.sql']);
  return h.savingApplication(t, 'postgres', { DATABASE_URL: server.url(port) }, policy);
}

/* A connection of a writer that takes its time between the statements of its transaction. */
async function writer(t) {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  h.cleanup(t, () => client.end());
  const call = async (text, ...values) => (await client.query(text, values)).rows[0];
  await client.query('BEGIN');
  return {
    open: (fence) => call('SELECT * FROM open_section($1, $2)', h.RESOURCE, fence),
    save: (fence, base, body) => call('SELECT * FROM save_section($1, $2, $3, $4, $5)', h.RESOURCE, fence, base, 'paused', body),
    commit: () => client.query('COMMIT'),
    rollback: () => client.query('ROLLBACK'),
  };
}

const waiting = () => h.eventually(
  () => server.psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") === '1', 'a writer waits for the row');

test('a page that was stopped while its lock went to another is refused', async (t) => {
  await h.stoppedPageIsRefused(t, await stage(t, { policy: h.SLEEP }));
});

test('of many writers at once the newest remains', async (t) => {
  await h.newestOfManyWritersRemains(await stage(t));
});

test('saved, stale and conflict', async (t) => {
  const s = await stage(t);
  await h.outcomesAreDistinct(s);
  assert.strictEqual(server.psql(`SELECT * FROM save_section('${h.RESOURCE}', 1, 4, 'psql', 'x')`), 'stale|4', 'from any language');
  const ben = await h.openPage(s, 'ben', { resource: 'document:report:other' });
  assert.strictEqual(ben.opened.code, 'OTHER_RESOURCE');
});

test('a text that PostgreSQL cannot store is a refusal, and no outage', async (t) => {
  const ann = await h.openPage(await stage(t), 'ann');
  assert.deepStrictEqual(await ann.saver.save('a \0 in it'), { outcome: 'refused', code: 'OWN' });
});

test('two writers, one paused in its transaction', async (t) => {
  const { documents } = await stage(t);
  const held = (fence) => ({ resourceId: h.RESOURCE, userId: 'quick', fence });

  await t.test('the newer one is paused: the older one waits, and is stale', async (tt) => {
    assert.strictEqual((await documents.open(held(10))).outcome, 'opened');
    const newer = await writer(tt);
    assert.strictEqual((await newer.open(20)).outcome, 'opened');
    const saving = documents.save(held(10), { base: 0, body: 'old' });
    await waiting();
    await newer.commit();
    assert.deepStrictEqual(await saving, { outcome: 'stale', revision: 0 });
    assert.strictEqual((await documents.open(held(20))).body, '');
  });
  await t.test('the newer one dies before its end: the older one saves', async (tt) => {
    const newer = await writer(tt);
    assert.strictEqual((await newer.open(30)).outcome, 'opened');
    const saving = documents.save(held(20), { base: 0, body: 'one' });
    await waiting();
    await newer.rollback();
    assert.deepStrictEqual(await saving, { outcome: 'saved', revision: 1 });
  });
  await t.test('the older one is paused: the newer one waits, and loads its text', async (tt) => {
    const older = await writer(tt);
    assert.deepStrictEqual(await older.save(20, 1, 'two'), { outcome: 'saved', revision: '2' });
    const opening = documents.open(held(30));
    await waiting();
    await older.commit();
    assert.deepStrictEqual(await opening, { outcome: 'opened', revision: 2, body: 'two' });
    assert.strictEqual((await documents.save(held(20), { base: 2, body: 'old' })).outcome, 'stale');
  });
  await t.test('both save the first text of a section', async (tt) => {
    server.psql('TRUNCATE section');
    const newer = await writer(tt);
    assert.deepStrictEqual(await newer.save(50, 0, 'new'), { outcome: 'saved', revision: '1' });
    const saving = documents.save(held(40), { base: 0, body: 'old' });
    await waiting();
    await newer.commit();
    assert.deepStrictEqual(await saving, { outcome: 'stale', revision: 1 });
  });
});

test('a writer that is paused for too long: 503, and nothing is lost', async (t) => {
  const s = await stage(t);
  const ann = await h.openPage(s, 'ann');
  const paused = await writer(t);
  await paused.open(1);
  const answer = await h.request(s, 'ann', ann.section.ticket, { base: 0, body: 'text' });
  assert.deepStrictEqual([answer.status, answer.code], [503, 'UNAVAILABLE']);
  await paused.rollback();
  assert.deepStrictEqual(await ann.saver.save('text'), { outcome: 'saved', revision: 1 });
});

test('the database is down: 503, and the page saves when it is back', async (t) => {
  await h.outageIsNoRefusal(await stage(t), () => server.stop(), () => server.start());
});

test('the database does not answer: 503, also where it has written the text', async (t) => {
  const wire = await h.proxy(t, server.port);
  const s = await stage(t, { port: wire.port });
  await t.test('nothing arrives', async () => {
    const ann = await h.outageIsNoRefusal(s, () => wire.hold(), () => wire.release());
    await ann.section.release();
  });
  await t.test('its answer is lost', async () => {
    const ben = await h.openPage(s, 'ben');
    wire.swallow('down');
    const saving = ben.saver.save('of Ben');
    await ben.until('waiting');
    assert.strictEqual(server.psql('SELECT revision, editor, body FROM section'), '4|ben|of Ben', 'it is written');
    wire.swallow('none');
    assert.deepStrictEqual(await saving, { outcome: 'saved', revision: 4 });
  });
});

test('an answer that does not reach the page', async (t) => {
  await h.lostAnswerIsRepeated(t, await stage(t));
});
