'use strict';
/* Audit records as other systems read them: config/audit/*.jq, the schemas, and the examples of docs/audit.md. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const Ajv = require('ajv/dist/2020');
const addFormats = require('ajv-formats');
const h = require('./harness');

const DOC = path.join(h.ROOT, 'docs/audit.md');
const ACTIONS = [...fs.readFileSync(path.join(h.ROOT, 'include/wslock/audit/actions.def'), 'utf8').matchAll(/^AUDIT_ACTION\((\w+)\)/gm)]
  .map(([, name]) => name);
const FORMATS = { ecs: 'ecs.json', fhir: 'fhir-auditevent.json' };

async function mapped(format, file) {
  const told = await h.run(['-c', '-f', path.join(h.ROOT, `config/audit/${format}.jq`), file], { program: 'jq' });
  assert.strictEqual(told.code, 0, told.stderr);
  return told.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line));
}

function validator(format) {
  const ajv = addFormats(new Ajv({ allErrors: true, strict: true, strictTypes: false }));
  return ajv.compile(JSON.parse(fs.readFileSync(path.join(__dirname, 'schemas', FORMATS[format]), 'utf8')));
}

/* Each document is valid, and none is missing. */
async function check(format, file) {
  const records = fs.readFileSync(file, 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
  const documents = await mapped(format, file);
  const valid = validator(format);
  assert.strictEqual(documents.length, records.length);
  for (const [i, document] of documents.entries()) {
    assert.ok(valid(document), `${JSON.stringify(records[i])}\n${JSON.stringify(document)}\n${JSON.stringify(valid.errors)}`);
  }
  return { records, documents };
}

/* Every value of a record, but constants, is somewhere in the document. */
function keepsAll(record, document) {
  const found = new Set();
  const walk = (value) => {
    if (value !== null && typeof value === 'object') Object.values(value).forEach(walk);
    else found.add(String(value));
  };
  walk(document);
  const look = (value, name) => {
    if (value !== null && typeof value === 'object') Object.entries(value).forEach(([key, v]) => look(v, `${name}.${key}`));
    else assert.ok(found.has(String(value)), `${record.action}: ${name} ${value} is lost`);
  };
  const { v, outcome, ...rest } = record;
  look(rest, 'record');
}

/* One daemon's work: sessions, locks, refusals, takeovers, an operator. */
async function scene(t) {
  const d = await h.lockDaemon(t, { config: {
    auth: { adminRoles: ['lock-admin'] },
    default: { gracePeriod: '1m' },
    resourceTypes: { hasty: { takeover: 'request', takeoverTimeout: '1s' }, instant: { takeover: 'immediate' }, queued: { upgrade: 'queue' } },
  } });
  const ann = await h.person(d, 'ann', { roles: ['nurse'] });
  const bob = await h.person(d, 'bob');
  const root = await h.person(d, 'root', { roles: ['lock-admin'] });
  for (const r of ['hasty:1', 'instant:1', 'queued:1', 'document:1']) {
    await h.take(ann, r);
    await h.view(bob, r);
    await h.view(root, r);
  }
  await bob.request('lock:acquire', { resourceId: 'document:1' });
  await bob.request('lock:acquire', { resourceId: 'queued:1' });
  await bob.request('lock:takeover', { resourceId: 'instant:1', reason: 'none of mine' });
  await root.request('lock:takeover', { resourceId: 'instant:1', reason: 'Cardiac arrest' });
  const { data } = await root.request('lock:takeover', { resourceId: 'hasty:1', reason: 'Ward round' });
  await ann.expect('lock:takeover_reply', { requestId: data.requestId, action: 'DENY' }, 'lock:takeover_replied');
  await root.waitFor('lock:acquired');
  await h.opsCall(d, 'DELETE', '/v1/locks/document:1', { reason: 'Left open over night', actor: 'op' });
  const { token } = ann.received('lock:acquired').find((m) => m.data.resourceId === 'instant:1:main').data;
  await h.opsCall(d, 'POST', '/v1/locks/instant:1/verify', { token });
  const bad = await (await d.newClient({ silent: true })).start();
  bad.send('auth', { token: 'no.token.this' });
  await bad.waitFor('session:closed');
  d.signal('SIGHUP');
  await d.waitForAudit((a) => a.action === 'CONFIG_RELOADED');
  await d.stop();
  return d;
}

test('what a daemon records is valid in each format, and nothing is left out', async (t) => {
  const d = await scene(t);
  for (const format of Object.keys(FORMATS)) {
    const { records, documents } = await check(format, d.auditFile);
    const actions = new Set(records.map((r) => r.action));
    for (const action of ['SESSION_OPENED', 'LOCK_ACQUIRED', 'LOCK_DENIED', 'LOCK_QUEUED', 'LOCK_TAKEOVER', 'LOCK_ADMIN_RELEASED',
      'ACCESS_DENIED', 'AUTH_FAILED', 'CONFIG_RELOADED', 'STALE_TOKEN_REJECTED']) {
      assert.ok(actions.has(action), `no ${action} was recorded`);
    }
    records.forEach((record, i) => keepsAll(record, documents[i]));
  }
});

test('every action is valid in each format, with every field or with none', async (t) => {
  const file = path.join(h.tempDir(t), 'audit.jsonl');
  const stamp = { v: 1, seq: 7, prev: 'ab', hash: 'cd' };
  const person = (id) => ({ id, name: `Name of ${id}` });
  const all = {
    resourceId: 'document:1:body', user: { ...person('u1'), roles: ['nurse'] }, previousHolder: person('u2'), admin: person('u3'),
    reason: 'why', fence: 1763953000000001, rev: 1763953000000002, heldMs: 3, decision: 'FORCED', answer: 'DENIED', previousDirty: true,
    revision: 'r9', sessionId: 's', clientId: 'c', tokenId: 't', issuer: 'i', address: '192.0.2.17', userAgent: 'ua', lockRequestId: 'l',
    ref: 'f', detail: 'd', instance: 'gw-1', eventId: '1-0', recovered: true,
  };
  const lines = ACTIONS.flatMap((action) => ['success', 'failure'].flatMap((outcome) => {
    const head = { time: '2025-11-24T04:36:00.000042Z', action, outcome };
    return [{ ...head, instance: 'gw-1', ...stamp }, { ...head, ...all, ...stamp }];
  }));
  fs.writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  for (const format of Object.keys(FORMATS)) {
    const { records, documents } = await check(format, file);
    records.forEach((record, i) => keepsAll(record, documents[i]));
  }
});

test('the examples of docs/audit.md are what the filters make', async (t) => {
  const file = path.join(h.tempDir(t), 'audit.jsonl');
  let text = fs.readFileSync(DOC, 'utf8');
  const [, line] = /<!-- record -->\n```json\n(.*)\n```/.exec(text);
  fs.writeFileSync(file, `${line}\n`);
  for (const format of Object.keys(FORMATS)) {
    const { documents: [document] } = await check(format, file);
    const block = new RegExp(`(<!-- ${format} -->\n\`\`\`json\n)([^]*?)(\n\`\`\`)`);
    if (process.env.UPDATE_DOCS) {
      text = text.replace(block, (_, head, old, tail) => `${head}${JSON.stringify(document, null, 1)}${tail}`);
      fs.writeFileSync(DOC, text);
    }
    assert.deepStrictEqual(JSON.parse(block.exec(text)[2]), document, `${format} (UPDATE_DOCS=1 writes it anew)`);
  }
});
