/*
 * An application with one text and one section. `app` is what tests, and the robot, do in it; the journal has what it believed
 * and did. Query: as: the user; section; url: of the daemon; idle: how long after
 * the last input the user still counts as there, in ms; robot: a seed.
 */
import { WslockClient } from '/wslock/wslock.js';
import { Journal } from './journal.mjs';

const RETRY_MS = 300;
const LOOK_MS = 20;
const query = new URLSearchParams(location.search);
const user = query.get('as');
const page = `${user}-${[...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
const [area, offersList] = [document.querySelector('textarea'), document.querySelector('#offers')];

class HttpError extends Error {
  constructor(status, code) {
    super(`${status} ${code}`);
    Object.assign(this, { status, code });
  }
}

async function post(path, body, options) {
  const response = await fetch(path, { method: 'POST', body: JSON.stringify(body), ...options });
  const answer = await response.json();
  if (!response.ok) throw new HttpError(response.status, answer.error);
  return answer;
}

const client = new WslockClient({
  url: query.get('url'),
  idleAfterMs: Number(query.get('idle')) || undefined,
  getToken: async ({ reason, signal }) => {
    journal.note('token', { reason });
    return (await post('/token', { user }, { signal })).token;
  },
});
const section = client.section(query.get('section'));
const resource = section.id;
const journal = new Journal({ resource, page, user });

/* The document as this page has it. base: what was stored when it was loaded or saved; fence: under which it was loaded. */
const copy = { base: null, fence: null, seq: 0, ended: false };
const offers = []; // unsaved texts, for the user to decide: {text, base, outcome, draft}
const events = [];

const look = () => journal.look(() => section.mayEdit, section.fence);
const isDirty = () => copy.base !== null && area.value !== copy.base.text;
const isOwn = ({ draft }) => draft === null; // typed in this page, and not in another or before a reload
const words = (text) => text.split(/\s+/).filter(Boolean);

/* Before anything is typed. Nobody types into a page that goes; its scripts may still run for a while. */
let isGoing = false;
function editable() {
  return look() && copy.fence === section.fence && !copy.ended && !isGoing;
}

function show() {
  const left = section.countdown();
  area.readOnly = !editable();
  put('#state', section.state);
  put('#lock', section.lock.state);
  put('#left', left === null ? '' : `${Math.ceil(left / 1000)} s left`);
  put('title', section.turn ? 'It is your turn' : `Text: ${section.state}`);
}

function put(selector, text) {
  const element = document.querySelector(selector);
  if (element.textContent !== text) element.textContent = text;
}

// ---- loading ----

/* Registers the fence, then loads. Tries again as long as the lock is this one: an outage is no refusal. */
async function load(fence) {
  for (;;) {
    try {
      const stored = await post('/open', { user, page, resource, ticket: section.ticket });
      if (section.fence === fence) loaded(fence, stored);
      return;
    } catch (error) {
      journal.note('not-loaded', { error: error.message });
      if (error.status === 409 || section.fence !== fence) return;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    if (section.fence !== fence) return;
  }
}

function loaded(fence, stored) {
  const own = isDirty() ? { text: area.value, base: copy.base } : offers.find(isOwn);
  Object.assign(copy, { base: stored, fence, seq: 0, ended: false });
  area.value = stored.text;
  section.dirty = false;
  journal.note('loaded', { fence, revision: stored.revision });
  offers.length = 0;
  const drafts = section.drafts();
  if (own && !drafts.some(({ text }) => text === own.text)) offer({ text: own.text, base: own.base, draft: null });
  for (const draft of drafts) offer({ text: draft.text, base: { revision: draft.baseRevision }, draft });
  showOffers();
  show();
}

/* With what is stored now: a save changes it. */
function outcomeOf({ text, base, draft }) {
  const stored = copy.base;
  if (draft) return draft.compare(stored).outcome;
  return text === stored.text ? 'identical' : base.revision === stored.revision ? 'same-base' : 'conflict';
}

function offer(unsaved) {
  const outcome = outcomeOf(unsaved);
  if (outcome === 'identical') unsaved.draft?.discard();
  else offers.push({ ...unsaved, outcome });
}

function showOffers() {
  offersList.replaceChildren(...offers.map(({ text, outcome }) => {
    const item = document.createElement('li');
    item.textContent = `${outcome}: ${text}`;
    return item;
  }));
}

// ---- unsaved text ----

/* Its user has seen both. A text that nobody has changed since is replaced, one that somebody has is added to. */
function putBack(chosen = offers[0]) {
  if (!chosen || !editable()) return false;
  const known = new Set(words(area.value));
  const missing = words(chosen.text).filter((word) => !known.has(word));
  if (outcomeOf(chosen) === 'same-base' && !isDirty()) area.value = chosen.text;
  else if (missing.length) area.value = `${area.value.trimEnd()} ${missing.join(' ')} `.trimStart();
  keep();
  decided(chosen);
  return true;
}

function discard(chosen = offers[0]) {
  journal.note('discarded', { text: chosen.text });
  decided(chosen);
}

function decided(chosen) {
  chosen.draft?.discard();
  offers.splice(offers.indexOf(chosen), 1);
  showOffers();
}

function keep() {
  section.keepDraft(area.value, copy.base.revision);
}

area.addEventListener('beforeinput', (event) => {
  if (editable() && !offers.some(isOwn)) return;
  event.preventDefault();
  events.push({ name: 'not-typed', data: { text: event.data }, state: section.state });
  journal.note('not-typed', { text: event.data });
});
area.addEventListener('input', (event) => {
  journal.note('typed', { text: event.data, fence: copy.fence });
  keep();
});

/* As if typed at the end. A text of this page that its user has not decided about comes first: there is one draft for a page. */
function type(text) {
  if (!editable() || offers.some(isOwn)) return false;
  journal.note('typed', { text, fence: copy.fence });
  area.value += text;
  keep();
  return true;
}

// ---- saving ----

async function save(why = 'user', lock = section, more = {}) {
  const [text, fence, seq] = [area.value, copy.fence, ++copy.seq];
  if (fence === null || lock.fence !== fence || !isDirty()) return 'nothing';
  journal.note('save', { why, fence });
  try {
    const { revision } = await post('/save', { user, page, resource, ticket: lock.ticket, seq, text }, more);
    journal.note('saved', { why, fence, revision });
    if (copy.fence === fence && Number(revision) > Number(copy.base.revision)) copy.base = { revision, text };
    section.saved({ revision, text });
    return 'saved';
  } catch (error) {
    journal.note('not-saved', { why, fence, error: error.message });
    // Another has the lock by now. Until the lock comes again this page only reads, and keeps its text.
    if (error.status === 409 && copy.fence === fence && seq === copy.seq) copy.ended = true;
    show();
    return error.status ? error.code : 'NO_ANSWER';
  }
}

section.onSave(({ cause, fence, ticket, signal }) => {
  journal.note('asked-to-save', { cause });
  return save(cause, { fence, ticket }, cause === 'unload' ? { keepalive: true } : { signal });
});

// ---- what the library tells ----

for (const name of ['state', 'granted', 'lost', 'lock:denied', 'lock:queued', 'lock:your_turn', 'lock:available', 'lock:queue_left',
  'lock:request_received', 'lock:request_timeout', 'lock:request_closed', 'lock:holder_disconnected', 'lock:takeover_requested',
  'lock:takeover_denied', 'lock:takeover_closed', 'lock:taken_by_admin', 'lock:expiring', 'lock:renewed']) {
  section.on(name, (data) => {
    look();
    events.push({ name, data, state: section.state });
    if (!name.startsWith('lock:')) journal.note(name, data);
    if (name === 'granted') load(data.fence);
    show();
  });
}
client.on('connection', (data) => {
  events.push({ name: 'connection', data });
  journal.note('connection', data);
  show();
});
client.on('problem', ({ error }) => journal.note('problem', { error: String(error) }));
section.on('change', show);
for (const [target, name] of [[document, 'freeze'], [document, 'resume'], [document, 'visibilitychange'], [globalThis, 'pagehide'],
  [globalThis, 'pageshow'], [globalThis, 'beforeunload']]) {
  target.addEventListener(name, (event) => {
    if (name.startsWith('page')) isGoing = name === 'pagehide';
    journal.note('page', { event: name, persisted: event.persisted, visibility: document.visibilityState });
    events.push({ name, data: { persisted: event.persisted } });
    journal.flush();
  });
}
setInterval(() => {
  globalThis.app.looks++;
  show();
}, LOOK_MS);

/* The result of a method of the section, as a test can have it. */
async function call(method, ...args) {
  try {
    journal.note('call', { method });
    const value = await section[method](...args);
    journal.note('called', { method, outcome: value?.outcome });
    return JSON.parse(JSON.stringify(value ?? {}));
  } catch (error) {
    journal.note('failed', { method, code: error.code ?? String(error) });
    return { error: error.code ?? String(error) };
  }
}

/* For who reads of a failure. */
function told() {
  const latest = events.filter(({ name }) => name !== 'lock:renewed').slice(-15);
  return [...latest, { fence: section.fence, copy, may: section.mayEdit, offers: offers.length }]
    .map((event) => JSON.stringify(event, (key, value) => (key === 'ticket' ? undefined : value)));
}

globalThis.app = { client, section, copy, offers, events, journal, page, call, type, save, putBack, discard, editable, isDirty, told, looks: 0 };
journal.note('begin', { clientId: client.clientId, pageId: client.pageId });
section.view().catch((error) => journal.note('failed', { method: 'view', code: error.code ?? String(error) }));
if (query.has('robot')) import('./robot.mjs').then(({ run }) => run(globalThis.app, query));
