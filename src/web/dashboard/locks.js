/* The table of locks. */
import { $, el, name, when } from './dom.js';
import { List } from './list.js';
import { openLock } from './lock.js';
import { user } from './text.js';

const STATES = { held: 'Held', grace: 'In grace', reserved: 'Reserved', free: 'Free' };

export function stateBadge(state) {
  return el('span', { class: `badge ${state}` }, STATES[state] ?? state);
}

/* What happens next by itself, and when. */
function due(lock) {
  if (lock.state === 'reserved') return ['end of the turn', lock.reservedUntil];
  if (lock.state === 'grace') return ['end of the grace', lock.graceUntil];
  return lock.idleReleaseAt > 0 && lock.idleReleaseAt < lock.expiresAt ? ['idle release', lock.idleReleaseAt] : ['expiry', lock.expiresAt];
}

function notes(lock) {
  return [lock.dirty && 'unsaved changes', lock.claimable && 'claimable'].filter(Boolean).join(', ');
}

let list;
const columns = [
  {
    title: 'Resource', header: true,
    cell: (lock) => el('button', { type: 'button', class: 'link', click: () => openLock(lock.resourceId) }, name(lock.resourceId)),
  },
  { title: 'State', cell: (lock) => stateBadge(lock.state) },
  { title: 'User', cell: (lock) => el('bdi', {}, user(lock.holder ?? lock.reservedFor)) },
  { title: 'Since', cell: (lock) => (lock.since ? when(lock.since, list.ahead) : '–') },
  { title: 'Next', cell: (lock) => [`${due(lock)[0]} `, when(due(lock)[1], list.ahead)] },
  { title: 'Waiting', className: 'number', cell: (lock) => (lock.queueLength ? String(lock.queueLength) : '–') },
  { title: 'Notes', cell: (lock) => notes(lock) || '–' },
];

export function beginLocks() {
  list = new List({
    id: 'locks', noun: 'lock', path: '/v1/locks', columns,
    key: (lock) => lock.resourceId,
    rows: (answer) => answer.locks,
    params: () => ({ search: $('locks-search').value.trim(), type: $('locks-type').value.trim(), user: $('locks-user').value.trim() }),
  });
  $('locks-open').addEventListener('submit', (event) => {
    event.preventDefault();
    const resource = $('locks-resource').value.trim();
    if (resource) openLock(resource);
  });
  return list;
}

/* The types that the numbers name. */
export function suggestTypes(types) {
  $('types').replaceChildren(...types.filter((type) => type !== 'other').map((type) => el('option', { value: type })));
}
