/* The operator's dashboard: signs in, and shows one view at a time. */
import { beginActs, forgetActs } from './act.js';
import * as api from './api.js';
import { beginAudit, onRecord, startAudit, stopAudit } from './audit.js';
import { $, markWrong, renewTimes, say, show } from './dom.js';
import { beginLock, forgetLock, lockChanged } from './lock.js';
import { beginLocks, suggestTypes } from './locks.js';
import * as overview from './overview.js';
import { beginSessions } from './sessions.js';
import { printable } from './text.js';

const VIEWS = ['locks', 'sessions', 'audit'];
const NOT_OF_LOCKS = /^(ADMIN_QUERY|AUDIT_|CONFIG_|AUTH_|ACCESS_)/;

const locks = beginLocks();
const sessions = beginSessions();
let view = null;

/* ---- views ---- */

function showView() {
  const wanted = location.hash.slice(1);
  const before = view;
  if (VIEWS.includes(wanted)) view = wanted;
  view ??= 'locks';
  for (const id of VIEWS) show($(id), id === view);
  for (const a of document.querySelectorAll('nav a')) {
    if (a.hash === `#${view}`) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  for (const list of [locks, sessions]) list.refresher.look();
  if (before !== null && before !== view) $(`${view}-title`).focus({ preventScroll: true });
}

/* ---- signing in and out ---- */

function showSignedIn() {
  const signedIn = api.signedIn();
  show($('sign-in'), !signedIn);
  show($('operator'), signedIn);
  show($('signed-in'), signedIn);
  say($('actor'), signedIn ? printable(api.who()) : '');
}

function signOut(why) {
  api.signOut();
  stopAudit();
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  for (const list of [locks, sessions]) list.forget();
  forgetLock();
  forgetActs();
  say($('sign-in-error'), why);
  showSignedIn();
  $('sign-in-name').focus();
}

/* The field that is wrong, and why; or null. */
function wrong(name, token) {
  if (!name) return ['sign-in-name', 'Say who you are: your name goes into the audit.'];
  if (!token) return ['sign-in-token', 'The token is missing.'];
  if (!/^[\x21-\x7e]+$/.test(token)) return ['sign-in-token', 'The daemon does not accept this token: it has a space or a character that no token has.'];
  return null;
}

async function signIn(event) {
  event.preventDefault();
  const name = $('sign-in-name').value.trim();
  const token = $('sign-in-token').value.trim();
  let [field, problem] = wrong(name, token) ?? [];
  if (!field) {
    try {
      await api.attempt(token, name);
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      /* Otherwise the token is accepted, but something else is not in order; the views say what. */
      if ([0, 400, 401, 403].includes(error.status)) [field, problem] = [error.status === 400 ? 'sign-in-name' : 'sign-in-token', error.message];
    }
  }
  say($('sign-in-error'), problem ?? '');
  markWrong(['sign-in-name', 'sign-in-token'], field);
  if (field || api.signedIn()) return; // signed in: by a second click
  $('sign-in-form').reset();
  api.signIn(name, token, () => api.signedIn() && signOut('The daemon no longer accepts the token. Sign in again.'));
  showSignedIn();
  showView();
  scrollTo(0, 0);
  $(`${view}-title`).focus({ preventScroll: true });
  startAudit();
}

/* ---- the start ---- */

beginLock();
beginAudit();
beginActs(() => {
  for (const list of [locks, sessions]) if (!$(list.id).hidden) list.refresher.now();
  lockChanged();
});
onRecord((record) => {
  if (NOT_OF_LOCKS.test(record.action)) return;
  sessions.refresher.changed();
  if (!/^SESSION_|^RESOURCE_/.test(record.action)) locks.refresher.changed();
  lockChanged(record.resourceId ?? '');
});
overview.onSample((s) => suggestTypes(s.types));
overview.begin();
$('sign-in-form').addEventListener('submit', signIn);
$('sign-out').addEventListener('click', () => signOut(''));
addEventListener('hashchange', () => api.signedIn() && showView());
/* The browser may keep a page that one has left, and its memory. */
addEventListener('pagehide', () => api.signedIn() && signOut(''));
setInterval(renewTimes, 1000);
showSignedIn();
api.takesToken().then((takes) => {
  show($('sign-in-form'), takes);
  show($('no-token'), !takes);
});
