'use strict';
/*
 * The examples in docs/protocol.md: each is a frame that the daemon has sent or accepted here, with stable values
 * for ids, times and tokens. An example is a block that begins with ```json example=KEY; KEY is the event, and a
 * variant behind a slash where the event has several forms. UPDATE_DOCS=1 writes the blocks anew.
 */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const FILE = path.join(h.ROOT, 'docs/protocol.md');
const PAGE = fs.readFileSync(FILE, 'utf8');
const BLOCK = /^```json example=(\S+)\n(.*?)^```$/gms;

/* ---- what the daemon knows ---- */

const TABLES = fs.readFileSync(path.join(h.ROOT, 'include/wslock/wire/tables.def'), 'utf8');
const EVENT = /"((?:auth|session|resource|lock|presence|system|server):[a-z_]+)"|writer_open\(to, "([a-z]+)"/g;

function table(macro, argument) {
  return [...TABLES.matchAll(new RegExp(`^${macro}\\((.*?)\\)`, 'gm'))].map((row) => row[1].split(', ')[argument].replaceAll('"', ''));
}

/* The events that the sources of these modules name. */
function sentEvents() {
  const events = new Set();
  for (const dir of ['src/wire', 'src/session']) {
    for (const file of fs.readdirSync(path.join(h.ROOT, dir)).filter((name) => name.endsWith('.c'))) {
      for (const [, full, short] of fs.readFileSync(path.join(h.ROOT, dir, file), 'utf8').matchAll(EVENT)) events.add(full || short);
    }
  }
  return events;
}

const REQUESTS = table('WIRE_REQUEST', 1);
const EVENTS = [...sentEvents()].filter((event) => !REQUESTS.includes(event));

/* ---- stable values ---- */

const GRANTED = 1763953000456;
const NUMBERS = {
  rev: GRANTED * 1000 + 1, token: GRANTED * 1000 + 1, since: GRANTED, serverTime: GRANTED + 4, expiresAt: GRANTED + 300_000,
  lockExpiresAt: GRANTED + 300_000, graceUntil: GRANTED + 30_000, reservedUntil: GRANTED + 30_000, claimBy: GRANTED + 30_000,
  forceAt: GRANTED + 30_000, confirmedUntil: GRANTED + 38_000, endedAt: GRANTED - 900, at: GRANTED - 900,
  tokenExpiresAt: GRANTED + 3_600_000, estimatedWaitMs: 240_000, reconnectInMs: 1730, retryAfterMs: 1000, id: 7,
};
const TEXTS = {
  sessionId: 'b0QxT3uVwYz1A2bC', requestId: 'Rq7dK2mVx0sPz4Lh', ref: 'Jt4nB8cXw2Qe', token: 'eyJhbGciOi…', ticket: 'eyJhbGciOi…',
  estimatedWait: '4 min',
};

function stable(value, key) {
  if (Array.isArray(value)) return value.map((item) => stable(item));
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, stable(v, k)]));
  if (typeof value === 'number' && key in NUMBERS) return NUMBERS[key];
  if (typeof value === 'string' && key in TEXTS) return TEXTS[key];
  return value;
}

/* ---- how an example is written ---- */

const WIDTH = 110;

function inline(value) {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (value && typeof value === 'object') return `{${Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${inline(v)}`).join(', ')}}`;
  return JSON.stringify(value);
}

/* Like inline(), with as many entries on a line as fit. */
function wrapped(value, indent) {
  if (indent + inline(value).length <= WIDTH || !value || typeof value !== 'object') return inline(value);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const lines = [''];
  Object.entries(value).forEach(([key, item], at, all) => {
    const name = open === '{' ? `${JSON.stringify(key)}: ` : '';
    const comma = at + 1 < all.length ? ',' : '';
    const flat = `${name}${inline(item)}${comma}`;
    const last = lines.at(-1);
    if (last && indent + 1 + last.length + 1 + flat.length <= WIDTH && !last.includes('\n')) lines.push(`${lines.pop()} ${flat}`);
    else lines.push(indent + 1 + flat.length <= WIDTH ? flat : `${name}${wrapped(item, indent + 1 + name.length)}${comma}`);
  });
  return `${open}${lines.filter(Boolean).join(`\n${' '.repeat(indent + 1)}`)}${close}`;
}

/* ---- the scenes ---- */

const examples = new Map();

function keep(key, message) {
  examples.set(key, stable(message));
}

/* An event that comes without being asked for. */
async function told(client, event, key = event, predicate = undefined) {
  const message = await client.waitFor(event, predicate);
  keep(key, message);
  return message.data;
}

/* A request and its reply; keys: of the two examples, null for none. */
async function ask(client, event, data, replyEvent, { sent = event, reply = replyEvent } = {}) {
  const id = client.nextId;
  const answer = await client.request(event, data);
  assert.strictEqual(answer.event, replyEvent, JSON.stringify(answer));
  if (sent) keep(sent, { event, id, ...(data && { data }) });
  if (reply) keep(reply, answer);
  return answer.data;
}
const quiet = { sent: null, reply: null };
const onlyReply = (reply) => ({ sent: null, reply });

const NAMES = { 'u-17': 'Anna Berg', 'u-23': 'Ben Roth', 'u-31': 'Cleo Ward', 'u-2': 'Eva Lund' };
const CLIENT_ID = 'Zk3x9QmT7bLw2RfY';
const PAGE_ID = 'p0Vt4cXs8aJd1GhE';
let tabs = 0;

function open(d, user, more) {
  return d.client({ user, name: NAMES[user], clientId: `Tab${String(++tabs).padStart(13, '0')}`, ...more });
}

async function connecting(d) {
  const anna = await (await d.newClient({ silent: true, user: 'u-17' })).start();
  const token = (more) => d.token({ user: 'u-17', name: NAMES['u-17'], roles: ['doctor'], ...more });
  await ask(anna, 'auth', { token: await token({ ttl: 4 }), clientId: CLIENT_ID, pageId: PAGE_ID }, 'welcome');
  await told(anna, 'auth:expiring');
  await ask(anna, 'auth:refresh', { token: await token() }, 'auth:refreshed');
  await ask(anna, 'session:ping', {}, 'session:pong');
  await anna.close(1000);
}

async function editing(d) {
  const resourceId = 'document:42';
  const about = (x) => x.resourceId === 'document:42:main';
  const anna = await open(d, 'u-17', { clientId: CLIENT_ID, pageId: PAGE_ID });
  await ask(anna, 'resource:join', { resourceId, mode: 'editor' }, 'resource:joined');
  const { token } = await told(anna, 'lock:acquired');
  const ben = await open(d, 'u-23');
  await ask(ben, 'resource:join', { resourceId, presence: 'full' }, 'resource:joined', quiet);
  await told(anna, 'presence:diff', 'presence:diff', (x) => x.joined.some((user) => user.userId === 'u-23'));
  const cleo = await open(d, 'u-31');
  await ask(cleo, 'resource:join', { resourceId }, 'resource:joined', quiet);
  await told(ben, 'presence:update', 'presence:update', (x) => x.users.length === 3);
  await ask(ben, 'lock:acquire', { resourceId }, 'lock:denied');
  await ask(ben, 'lock:status', { resourceId }, 'lock:state', { reply: 'lock:state/reply' });
  await ask(anna, 'lock:heartbeat', { resourceId, token, dirty: true }, 'lock:renewed');
  await ask(anna, 'lock:heartbeat', { resourceId, token: '17' }, 'error', onlyReply('error'));
  await anna.terminate();
  await told(ben, 'lock:state', 'lock:state', (x) => x.cause === 'GRACE_STARTED');
  const back = await open(d, 'u-17', { clientId: CLIENT_ID, pageId: PAGE_ID });
  const rejoin = { resourceId, mode: 'editor', clientId: CLIENT_ID, pageId: PAGE_ID, token };
  await ask(back, 'resource:join', rejoin, 'resource:joined', { sent: 'resource:join/resume', reply: null });
  await told(back, 'lock:acquired', 'lock:acquired/resumed');
  await ask(back, 'lock:release', { resourceId, revision: 'v12' }, 'lock:released', { reply: 'lock:released/reply' });
  await told(ben, 'lock:released', 'lock:released', about);
  await ask(ben, 'lock:acquire', { resourceId }, 'lock:acquired', onlyReply('lock:acquired/previous'));
  const late = await open(d, 'u-17', { clientId: 'q8Hn2LsW6yTb4VcE' });
  await ask(late, 'resource:join', { resourceId, mode: 'editor', token }, 'resource:joined', onlyReply('resource:joined/lost'));
  await ask(cleo, 'resource:leave', { resourceId }, 'resource:left');
  const copy = await open(d, 'u-23', { clientId: ben.options.clientId });
  await ask(copy, 'resource:join', { resourceId }, 'resource:joined', quiet);
  await told(ben, 'session:closed');
}

async function expiring(d) {
  const anna = await open(d, 'u-17');
  await ask(anna, 'resource:join', { resourceId: 'memo:42', mode: 'editor' }, 'resource:joined', quiet);
  await told(anna, 'lock:expiring');
  await told(anna, 'lock:lost');
}

async function queue(d) {
  const resourceId = 'plan:42';
  const [anna, ben, cleo] = [await open(d, 'u-17'), await open(d, 'u-23'), await open(d, 'u-31')];
  await ask(anna, 'resource:join', { resourceId, mode: 'editor' }, 'resource:joined', quiet);
  for (const client of [ben, cleo]) await ask(client, 'resource:join', { resourceId }, 'resource:joined', quiet);
  await ask(ben, 'lock:acquire', { resourceId }, 'lock:queued', onlyReply('lock:queued'));
  await ask(ben, 'lock:status', { resourceId }, 'lock:state', onlyReply('lock:state/pending'));
  await ask(cleo, 'lock:acquire', { resourceId }, 'lock:queued', quiet);
  await ask(cleo, 'lock:queue_leave', { resourceId }, 'lock:queue_left');
  await ask(anna, 'lock:release', { resourceId }, 'lock:released', quiet);
  await told(ben, 'lock:your_turn');
  await ask(ben, 'lock:claim', { resourceId }, 'lock:acquired', { reply: null });
}

async function request(d) {
  const resourceId = 'report:42';
  const [anna, ben] = [await open(d, 'u-17'), await open(d, 'u-23')];
  await ask(anna, 'resource:join', { resourceId, mode: 'editor' }, 'resource:joined', quiet);
  await ask(ben, 'resource:join', { resourceId }, 'resource:joined', quiet);
  const next = async (keys) => {
    const { requestId } = await ask(ben, 'lock:request', { resourceId, message: 'May I add the diagnosis?' }, 'lock:requested', keys);
    await told(anna, 'lock:request_received', 'lock:request_received', (x) => x.requestId === requestId);
    return requestId;
  };
  await ask(ben, 'lock:request_cancel', { requestId: await next(quiet) }, 'lock:request_cancelled');
  await told(anna, 'lock:request_closed');
  await ask(anna, 'lock:request_reply', { requestId: await next(quiet), action: 'DENY' }, 'lock:request_replied', quiet);
  await told(ben, 'lock:request_timeout');
  await ask(anna, 'lock:request_reply', { requestId: await next(), action: 'APPROVE', revision: 'v12' }, 'lock:request_replied');
  await told(ben, 'lock:available');
}

async function prompt(d) {
  const resourceId = 'note:42';
  const [anna, ben] = [await open(d, 'u-17'), await open(d, 'u-23')];
  await ask(anna, 'resource:join', { resourceId, mode: 'editor' }, 'resource:joined', quiet);
  await ask(ben, 'resource:join', { resourceId }, 'resource:joined', quiet);
  await anna.terminate();
  await told(ben, 'lock:holder_disconnected');
}

async function takeover(d) {
  const resourceId = 'chart:42';
  const anna = await open(d, 'u-17');
  const eva = await open(d, 'u-2', { roles: ['lock-admin'] });
  await ask(anna, 'resource:join', { resourceId, mode: 'editor' }, 'resource:joined', quiet);
  await ask(eva, 'resource:join', { resourceId }, 'resource:joined', quiet);
  const reason = 'The ward round begins';
  const { requestId } = await ask(eva, 'lock:takeover', { resourceId, reason }, 'lock:takeover_pending');
  await told(anna, 'lock:takeover_requested');
  await ask(anna, 'lock:takeover_reply', { requestId, action: 'DENY' }, 'lock:takeover_replied');
  await told(eva, 'lock:takeover_denied');
  await ask(eva, 'lock:takeover_cancel', { requestId }, 'lock:takeover_cancelled');
  await told(anna, 'lock:takeover_closed');
  await ask(eva, 'lock:takeover', { resourceId, reason, urgent: true }, 'lock:acquired', quiet);
  await told(anna, 'lock:taken_by_admin');
  await told(anna, 'lock:lost', 'lock:lost/taken');
}

async function policy(d) {
  const anna = await open(d, 'u-17');
  await ask(anna, 'resource:join', { resourceId: 'ward:42' }, 'resource:joined', quiet);
  d.config.resourceTypes.ward.lockTtl = '10m';
  d.writeConfig();
  d.signal('SIGHUP');
  await told(anna, 'resource:policy');
}

async function outage(d) {
  const anna = await open(d, 'u-17');
  await ask(anna, 'resource:join', { resourceId: 'document:43', mode: 'editor' }, 'resource:joined', quiet);
  await anna.waitFor('lock:acquired');
  d.redis.pause();
  await told(anna, 'system:degraded');
  await ask(anna, 'lock:release', { resourceId: 'document:43' }, 'error', onlyReply('error/unavailable'));
  d.redis.resume();
  await told(anna, 'system:recovered');
  return anna;
}

async function play(t) {
  const d = await h.lockDaemon(t, {
    config: {
      instance: 'gw-1', auth: { adminRoles: ['lock-admin'] }, redis: { lease: h.ms(3000), commandTimeout: h.ms(1000) },
      resourceTypes: {
        document: { editorRoles: null }, memo: { lockTtl: h.ms(900), heartbeatInterval: h.ms(400) }, plan: { upgrade: 'queue' },
        report: { upgrade: 'request' }, note: { disconnect: 'prompt' }, chart: { urgentTakeover: true }, ward: { takeoverRoles: ['doctor'] },
      },
    },
  });
  await Promise.all([connecting, editing, expiring, queue, request, prompt, takeover].map((scene) => scene(d)));
  await policy(d);
  const anna = await outage(d);
  d.signal('SIGTERM');
  await told(anna, 'server:draining');
  assert.deepStrictEqual(await d.end(), { code: 0, signal: null });
}

/* ---- the page ---- */

test('the examples are what the daemon sends', async (t) => {
  await play(t);
  const named = new Set([...examples.keys()].map((key) => key.split('/')[0]));
  assert.deepStrictEqual([...REQUESTS, ...EVENTS].filter((event) => !named.has(event)), [], 'provoked by no scene');
  if (process.env.UPDATE_DOCS) {
    fs.writeFileSync(FILE, PAGE.replace(BLOCK, (block, key) => (
      examples.has(key) ? `\`\`\`json example=${key}\n${wrapped(examples.get(key), 0)}\n\`\`\`` : block)));
  }
  const blocks = [...fs.readFileSync(FILE, 'utf8').matchAll(BLOCK)];
  const found = blocks.map(([, key]) => key);
  assert.deepStrictEqual([...examples.keys()].filter((key) => !found.includes(key)), [], 'no example on the page');
  assert.deepStrictEqual(found.filter((key, at) => !examples.has(key) || found.indexOf(key) !== at), [], 'unknown, or twice on the page');
  for (const [, key, text] of blocks) {
    assert.deepStrictEqual(JSON.parse(text), examples.get(key), `the example ${key} is not what the daemon sends (UPDATE_DOCS=1 writes it anew)`);
  }
});

test('the page has every error code, and its diagrams only real messages', () => {
  const section = (title) => new RegExp(`^## \\d+\\. ${title}\\n(.*?)(?=^## |$(?![^]))`, 'ms').exec(PAGE)[1];
  const codes = section('Errors');
  assert.deepStrictEqual(table('WIRE_ERROR', 0).filter((code) => !codes.includes(`\`${code}\``)), []);
  const diagrams = [...PAGE.matchAll(/^```mermaid\n(.*?)^```$/gms)].map((block) => block[1]);
  assert.ok(diagrams.length >= 4, 'queue, request, takeover, resume');
  const known = [...REQUESTS, ...EVENTS];
  for (const name of diagrams.join('\n').match(/\b[a-z]+:[a-z_]+\b/g)) assert.ok(known.includes(name), name);
});
