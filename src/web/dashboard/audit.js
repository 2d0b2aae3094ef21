/* The audit of this instance, as it is written. */
import * as api from './api.js';
import { $, el, name, say, show } from './dom.js';
import { count, person, printable } from './text.js';

const KEPT = 2000;
const SHOWN = 200;
const BEGIN_WITH = 200;
const RETRY_MS = [1000, 2000, 5000, 10_000, 30_000];

let records = []; // newest first
let paused = null; // how many there were when it was paused
let last = null; // the seq of the newest one
let stop = null; // of the stream
let listeners = [];

/* fn(record) is called with each new record, not with those that were there before. */
export function onRecord(fn) {
  listeners.push(fn);
}

/* ---- one record ---- */

/* What wslockctl audit tail prints behind the time. */
export function recordText(r) {
  const who = (before, p) => p && `${before}${p.name ? person(p.name, '') + (p.id ? ` (${printable(p.id)})` : '') : printable(p.id)}`;
  return [
    r.action, r.outcome === 'failure' && ' (failure)', r.resourceId && ` ${printable(r.resourceId)}`,
    who(' ', r.user), who(' from ', r.previousHolder), who(' by ', r.admin),
    r.reason && `: ${printable(r.reason)}`, r.decision && ` [${printable(r.decision)}]`, r.detail && `; ${printable(r.detail)}`,
    r.recovered === true && '; recovered',
  ].filter(Boolean).join('');
}

function field([key, value]) {
  return [el('dt', {}, printable(key)), el('dd', {}, name(typeof value === 'object' ? JSON.stringify(value) : value))];
}

const two = (n) => String(n).padStart(2, '0');
function localTime(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? printable(text)
    : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function item(record) {
  const text = recordText(record);
  const details = el('details', {}, el('summary', {},
    el('time', { datetime: record.time }, localTime(record.time)), ' ', el('span', { class: 'record' }, el('b', {}, record.action), text.slice(record.action.length))));
  details.addEventListener('toggle', () => {
    if (details.children.length === 1) details.append(el('dl', {}, Object.entries(record).map(field)));
  });
  return el('li', { 'data-seq': record.seq, class: record.outcome === 'failure' ? 'failure' : undefined }, details);
}

/* ---- the filter ---- */

function people(r) {
  return [r.user, r.previousHolder, r.admin].filter(Boolean).flatMap((p) => [p.id, p.name]).filter(Boolean);
}

function fits(record) {
  const has = (text, part) => text.toLowerCase().includes(part.trim().toLowerCase());
  const action = $('audit-action').value;
  return (action ? record.action === action : record.action !== 'ADMIN_QUERY' || $('audit-reads').checked)
    && has(record.resourceId ?? '', $('audit-resource').value)
    && (!$('audit-user').value.trim() || people(record).some((p) => has(p, $('audit-user').value)));
}

function render() {
  const from = paused === null ? 0 : records.length - paused;
  const found = records.slice(from).filter(fits);
  const shown = found.slice(0, SHOWN);
  const box = $('audit-records');
  const old = new Map([...box.children].map((li) => [li.dataset.seq, li]));
  const wanted = shown.map((r) => old.get(String(r.seq)) ?? item(r));
  const keep = new Set(wanted);
  for (const li of old.values()) if (!keep.has(li)) li.remove();
  wanted.forEach((li, i) => {
    if (box.children[i] !== li) box.insertBefore(li, box.children[i] ?? null);
  });
  say($('audit-count'), records.length === 0 ? '' : found.length === 0 ? 'No record fits the filter.'
    : `${found.length > shown.length ? `The newest ${shown.length} of ${found.length}` : count(found.length, 'record')}, of the last ${records.length}`
      + `${from > 0 ? `; ${count(from, 'new record')} since the pause` : ''}`);
}

let planned = false;
function renderSoon() {
  if (planned) return;
  planned = true;
  setTimeout(() => {
    planned = false;
    render();
  }, 100);
}

function take(record) {
  if (last !== null && record.seq <= last) return;
  last = record.seq;
  const select = $('audit-action');
  if (![...select.options].some((o) => o.value === record.action)) {
    const next = [...select.options].find((o) => o.value > record.action);
    select.insertBefore(el('option', { value: record.action }, record.action), next ?? null);
  }
  records.unshift(record);
  if (records.length > KEPT) records.length = KEPT;
  if (paused !== null) paused = Math.min(paused, records.length);
  renderSoon();
}

/* ---- the stream ---- */

function fail(error) {
  const texts = {
    NOT_FOUND: 'This instance writes its audit to standard output, so it cannot be shown here.',
    TOO_MANY_REQUESTS: 'Four readers follow this audit already; no further one is allowed.',
  };
  say($('audit-problem'), texts[error.code] ?? error.message);
  show($('audit-problem'), true);
  say($('audit-state'), last === null ? '' : 'Stale: not followed now');
  $('audit').classList.toggle('stale', last !== null);
}

function following() {
  say($('audit-state'), 'Following');
  show($('audit-problem'), false);
  $('audit').classList.remove('stale');
}

async function run(signal) {
  for (let tries = 0; !signal.aborted; tries++) {
    const begun = Date.now();
    const params = last === null ? { limit: BEGIN_WITH } : { after: last };
    let error = new api.ApiError(0, 'NETWORK', 'The stream of the audit has ended.');
    try {
      await api.follow(params, signal, (record) => {
        if (signal.aborted) return;
        following();
        take(record);
        if (Date.parse(record.time) > begun - 1000) for (const fn of listeners) fn(record);
      });
    } catch (thrown) {
      if (signal.aborted) return;
      if (thrown instanceof api.ApiError) error = thrown;
    }
    if (signal.aborted) return;
    fail(error);
    if (error.code === 'NOT_FOUND') return;
    if (Date.now() - begun > 60_000) tries = 0;
    await new Promise((resolve) => { setTimeout(resolve, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]); });
  }
}

export function startAudit() {
  stop?.abort();
  stop = new AbortController();
  say($('audit-state'), 'Connecting …');
  run(stop.signal);
}

export function stopAudit() {
  stop?.abort();
  [records, paused, last, stop] = [[], null, null, null];
  $('audit-filter').reset();
  $('audit-pause').setAttribute('aria-pressed', 'false');
  render();
}

export function beginAudit() {
  for (const id of ['audit-resource', 'audit-user', 'audit-action', 'audit-reads']) $(id).addEventListener('input', render);
  $('audit-filter').addEventListener('submit', (event) => event.preventDefault());
  $('audit-pause').addEventListener('click', () => {
    paused = paused === null ? records.length : null;
    $('audit-pause').setAttribute('aria-pressed', String(paused !== null));
    render();
  });
}
