/* Asks for the reason of a change, and makes it. */
import { ApiError } from './api.js';
import { $, markWrong, openDialog, say, show } from './dom.js';

const REASON_MAX = 500; // characters

let current = null;
let onDone = () => {};
let forgetDone = null;

/* What was done is said above the page for a while. */
function tell(text) {
  say($('done'), text);
  show($('done'), true);
  clearTimeout(forgetDone);
  forgetDone = setTimeout(() => show($('done'), false), 20_000);
}

/* change: {title, text, label, user: true if one is asked, send(body) → answer, done(answer) → text} */
export function act(change) {
  current = change;
  say($('act-title'), change.title);
  say($('act-text'), change.text);
  say($('act-confirm'), change.label);
  say($('act-error'), '');
  show($('act-user-field'), Boolean(change.user));
  $('act-user').required = Boolean(change.user);
  $('act-form').reset();
  markWrong(['act-user', 'act-reason']);
  openDialog($('act'));
  $(change.user ? 'act-user' : 'act-reason').focus();
}

/* The field that is wrong, and why; or null. */
function wrong(body) {
  if (current.user && !body.userId) return ['act-user', 'Say for which user: the id, as in the table.'];
  if (!body.reason) return ['act-reason', 'Say why: the audit needs a reason.'];
  if ([...body.reason].length > REASON_MAX) return ['act-reason', `The reason has ${[...body.reason].length} characters; at most ${REASON_MAX} are allowed.`];
  return null;
}

function words(error) {
  if (error.code === 'NETWORK') return 'The answer has not arrived. The change may have been made: look before you try again.';
  if (error.code === 'BACKEND_UNAVAILABLE') return `${error.message} The change may have been made: look before you try again.`;
  return error.message;
}

async function submit(event) {
  event.preventDefault();
  const change = current;
  const body = { reason: $('act-reason').value.trim(), ...(change.user && { userId: $('act-user').value.trim() }) };
  const [field, problem] = wrong(body) ?? [];
  say($('act-error'), problem ?? '');
  markWrong(['act-user', 'act-reason'], field);
  if (field) return;
  $('act-confirm').disabled = $('act-cancel').disabled = true; // its answer must find this dialog
  try {
    const answer = await change.send(body);
    if (current !== change) return; // signed out meanwhile
    $('act').close();
    tell(`${change.done(answer)} The audit has it.`);
    onDone();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (current !== change) return;
    say($('act-error'), words(error));
    onDone();
  } finally {
    $('act-confirm').disabled = $('act-cancel').disabled = false;
  }
}

/* No name remains in the page. */
export function forgetActs() {
  current = null;
  clearTimeout(forgetDone);
  show($('done'), false);
  for (const id of ['done', 'act-title', 'act-text', 'act-confirm', 'act-error']) say($(id), '');
  $('act-form').reset();
}

/* done() is called after each try. */
export function beginActs(done) {
  onDone = done;
  $('act-form').addEventListener('submit', submit);
  $('act-cancel').addEventListener('click', () => $('act').close());
  $('act').addEventListener('cancel', (event) => $('act-confirm').disabled && event.preventDefault());
}
