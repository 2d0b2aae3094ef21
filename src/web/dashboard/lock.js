/* One lock: why it can or cannot be edited, who is there, and what an operator can do. */
import { act } from './act.js';
import * as api from './api.js';
import { $, el, name, openDialog, say, show, table } from './dom.js';
import { explain, settingOrigin, settingValue } from './explain.js';
import { Refresher } from './refresh.js';
import { showSessionsOf } from './sessions.js';
import { clock, printable, time, user } from './text.js';

let resource = null; // the id that is shown; null: none
let asked = ''; // the user of the question
let lock = null; // what the daemon has said of it

const members = table('Who is there', [
  { title: 'User', header: true, cell: (m) => el('bdi', {}, user(m)) },
  { title: 'Mode', cell: (m) => m.mode },
  { title: 'Session', cell: (m) => name(m.sessionId) },
]);
const policy = table('Settings of the type', [
  { title: 'Setting', header: true, cell: ([key]) => name(key) },
  { title: 'Value', cell: ([, setting]) => settingValue(setting.value) },
  { title: 'From', cell: ([, setting]) => settingOrigin(lock, setting) },
]);

const refresher = new Refresher(read, () => resource !== null && $('lock').open && api.signedIn());

/* Lines that belong together, those with an indent as a list. */
function sentences(lines) {
  const out = [];
  for (const line of lines) {
    if (!line.startsWith('  ')) {
      out.push(el('p', {}, line));
      continue;
    }
    if (out.at(-1)?.tagName !== 'UL') out.push(el('ul', {}));
    out.at(-1).append(el('li', {}, line.trim()));
  }
  return out;
}

function render() {
  const owner = lock.holder ?? lock.reservedFor;
  $('lock-state').className = `badge ${lock.state}`;
  say($('lock-state'), printable(lock.state === 'grace' ? 'in grace' : lock.state));
  $('lock-explained').replaceChildren(...sentences(explain(lock, asked)));
  show($('lock-release'), lock.state !== 'free');
  say($('lock-take'), lock.state === 'free' ? 'Reserve for …' : 'Take over for …');
  show($('lock-take'), true);
  show($('lock-sessions'), Boolean(owner));
  members.fill(lock.members, (m) => m.sessionId);
  show(members.element, lock.members.length > 0);
  say($('lock-members-title'), lock.memberCount === 0 ? 'Nobody is there'
    : `Who is there (${lock.members.length < lock.memberCount ? `${lock.members.length} of ` : ''}${lock.memberCount})`);
  policy.fill(Object.entries(lock.policy), ([key]) => key);
  const people = new Map([...lock.members, ...lock.waiters].map((p) => [p.userId, user(p)]));
  $('lock-people').replaceChildren(...[...people].map(([id, label]) => el('option', { value: id, label })));
}

async function read(isLatest) {
  const of = resource;
  try {
    const answer = await api.get(api.lockPath(of), { user: asked });
    if (!isLatest() || of !== resource) return true;
    lock = answer;
    render();
    say($('lock-fresh'), `As of ${clock(answer.now)}.`);
    show($('lock-problem'), false);
    $('lock').classList.remove('stale');
    return true;
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    if (!isLatest() || of !== resource) return true;
    say($('lock-problem'), `${error.message}${lock ? ` What is shown is as of ${clock(lock.now)}.` : ''}`);
    show($('lock-problem'), true);
    $('lock').classList.toggle('stale', lock !== null);
    if (!lock) say($('lock-state'), 'Unknown');
    return false;
  }
}

/* No name remains in the page. */
export function forgetLock() {
  resource = lock = null;
  asked = '';
  for (const id of ['lock-release', 'lock-take', 'lock-sessions', 'lock-problem']) show($(id), false);
  for (const id of ['lock-title', 'lock-state', 'lock-fresh', 'lock-problem']) say($(id), '');
  $('lock-state').className = 'badge';
  say($('lock-members-title'), 'Who is there');
  for (const id of ['lock-explained', 'lock-people']) $(id).replaceChildren();
  $('lock-ask').reset();
  members.fill([], () => '');
  policy.fill([], () => '');
  $('lock').classList.remove('stale');
}

export function openLock(resourceId) {
  forgetLock();
  resource = resourceId;
  say($('lock-title'), printable(resourceId));
  say($('lock-state'), 'Loading …');
  if (!$('lock').open) openDialog($('lock'));
  $('lock-title').focus();
  return refresher.now();
}

function outcome(answer) {
  const { lock: after } = answer;
  const before = answer.previousHolder ? `${user(answer.previousHolder)} has lost it. ` : '';
  if (after.state === 'held') return `${before}${user(after.holder)} has it now.`;
  if (after.state === 'reserved') {
    const absent = answer.inRoom === false ? ' The user is not there now, and must open the resource.' : '';
    return `${before}It is reserved for ${user(after.reservedFor)} until ${time(after.reservedUntil, Date.now())}.${absent}`;
  }
  return `${before}It is free.`;
}

function release() {
  const { state, dirty } = lock;
  const owner = user(lock.holder ?? lock.reservedFor);
  act({
    title: `Release ${printable(resource)}?`,
    text: state === 'reserved' ? `${owner} loses the turn.` : `${owner} loses the lock at once${dirty ? ', and has unsaved changes' : ''}. It goes to whoever is next.`,
    label: 'Release',
    send: (body) => api.change('DELETE', api.lockPath(resource), body),
    done: (answer) => `${printable(answer.resourceId)} is released. ${outcome(answer)}`,
  });
}

function take() {
  const { state, dirty, holder, reservedFor } = lock;
  const turn = reservedFor ? `${user(reservedFor)} loses the turn.` : '';
  act({
    title: `${state === 'free' ? 'Reserve' : 'Take over'} ${printable(resource)}`,
    text: holder ? `${user(holder)} loses the lock at once${dirty ? ', and has unsaved changes' : ''}.` : turn,
    label: state === 'free' ? 'Reserve' : 'Take over',
    user: true,
    send: (body) => api.change('POST', `${api.lockPath(resource)}/takeover`, body),
    done: (answer) => `${printable(answer.resourceId)}: ${outcome(answer)}`,
  });
}

/* Something has happened to this resource. */
export function lockChanged(resourceId) {
  if (resourceId === undefined || resourceId === lock?.resourceId) refresher.changed();
}

export function beginLock() {
  $('lock-members').append(members.element);
  $('lock-policy').append(policy.element);
  $('lock-release').addEventListener('click', release);
  $('lock-take').addEventListener('click', take);
  $('lock-close').addEventListener('click', () => $('lock').close());
  $('lock-sessions').addEventListener('click', () => {
    const { userId } = lock.holder ?? lock.reservedFor;
    $('lock').close();
    showSessionsOf(userId);
  });
  $('lock').addEventListener('close', forgetLock);
  $('lock-ask').addEventListener('submit', (event) => {
    event.preventDefault();
    asked = $('lock-user').value.trim();
    refresher.now();
  });
}
