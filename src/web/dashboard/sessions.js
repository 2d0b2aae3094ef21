/* The table of sessions. */
import { act } from './act.js';
import * as api from './api.js';
import { $, el, name, when } from './dom.js';
import { List } from './list.js';
import { count, user } from './text.js';

let list;

function end(session) {
  act({
    title: `End the session of ${user(session)}?`,
    text: `The connection is closed. Its ${count(session.locks, 'lock')} and places in queues are lost at once, with what was not saved. The user may connect again.`,
    label: 'End session',
    send: (body) => api.change('DELETE', `/v1/sessions/${encodeURIComponent(session.sessionId)}`, body),
    done: (answer) => `The session of ${user(answer)} has ended.${answer.complete ? '' : ' The store is not yet updated for all its rooms.'}`,
  });
}

const columns = [
  { title: 'User', header: true, cell: (s) => el('bdi', {}, user(s)) },
  { title: 'Connected', cell: (s) => when(s.connectedAt, list.ahead) },
  { title: 'Address', cell: (s) => name(s.address) },
  { title: 'Browser', className: 'long', cell: (s) => (s.userAgent ? el('bdi', { title: s.userAgent }, name(s.userAgent)) : '–') },
  { title: 'Roles', cell: (s) => (s.roles.length ? name(s.roles.join(', ')) : '–') },
  { title: 'Rooms', className: 'number', cell: (s) => String(s.rooms) },
  { title: 'Locks', className: 'number', cell: (s) => String(s.locks) },
  { title: 'Action', cell: (s) => el('button', { type: 'button', 'aria-label': `End the session of ${user(s)}`, click: () => end(s) }, 'End …') },
];

export function beginSessions() {
  list = new List({
    id: 'sessions', noun: 'session', path: '/v1/sessions', columns,
    key: (s) => s.sessionId,
    rows: (answer) => answer.sessions,
    params: () => ({ user: $('sessions-user').value.trim() }),
  });
  return list;
}

export function showSessionsOf(userId) {
  $('sessions-user').value = userId;
  list.apply();
  location.hash = '#sessions';
}
