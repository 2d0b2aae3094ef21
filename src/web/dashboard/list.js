/* A list of the daemon, page by page. Its elements have ids that begin with its name. */
import * as api from './api.js';
import { $, say, show, table } from './dom.js';
import { Refresher } from './refresh.js';
import { clock, count } from './text.js';

const PAGE = 50;
const STALE_MS = 60_000;

export class List {
  /* spec: {id, noun, path, columns(list), key(row), rows(answer), params(): the filter, onRows(rows)} */
  constructor(spec) {
    Object.assign(this, spec, { applied: {}, after: [''], answer: null, at: null, failed: null });
    this.table = table(this.element('title').textContent, spec.columns);
    this.element('table').append(this.table.element);
    this.refresher = new Refresher((isLatest) => this.read(isLatest), () => api.signedIn() && !$(this.id).hidden);
    this.element('refresh').addEventListener('click', () => this.refresher.now());
    this.element('first').addEventListener('click', () => this.turn(['']));
    this.element('previous').addEventListener('click', () => this.turn(this.after.slice(0, -1)));
    this.element('next').addEventListener('click', () => this.turn([...this.after, this.answer.next]));
    this.element('filter').addEventListener('submit', (event) => {
      event.preventDefault();
      this.apply();
    });
    this.element('all').addEventListener('click', () => {
      this.element('filter').reset();
      this.apply();
    });
    setInterval(() => this.showFreshness(), 1000);
  }
  element(name) {
    return $(`${this.id}-${name}`);
  }
  /* What stands in the filter counts from now on. */
  apply() {
    this.applied = this.params();
    return this.turn(['']);
  }
  /* To the page behind the last of these cursors. */
  turn(after) {
    this.after = after;
    return this.refresher.now();
  }
  /* How much the server's clock is ahead. */
  get ahead() {
    return this.answer.now - this.at;
  }

  async read(isLatest) {
    say(this.element('fresh'), 'Loading …');
    this.element('table').setAttribute('aria-busy', 'true');
    try {
      const answer = await api.get(this.path, { ...this.applied, limit: PAGE, after: this.after.at(-1) });
      if (!isLatest()) return true;
      Object.assign(this, { answer, at: Date.now(), failed: null });
      this.render();
      return true;
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if (isLatest()) this.failed = error;
      return false;
    } finally {
      this.element('table').removeAttribute('aria-busy');
      this.showFreshness();
    }
  }
  render() {
    const rows = this.rows(this.answer);
    const filtered = Object.values(this.applied).some((value) => value !== '');
    this.table.fill(rows, this.key);
    show(this.table.element, rows.length > 0);
    say(this.element('none'), rows.length ? '' : this.after.length > 1 ? `No further ${this.noun}s.`
      : filtered ? `No ${this.noun} fits the filter.` : `There is no ${this.noun}.`);
    show(this.element('none'), rows.length === 0);
    say(this.element('range'), `Page ${this.after.length}, ${count(rows.length, this.noun)}`);
    this.enable('first', this.after.length > 1);
    this.enable('previous', this.after.length > 1);
    this.enable('next', this.answer.next !== null);
    this.onRows?.(rows);
  }
  enable(name, enabled) {
    const button = this.element(name);
    if (!enabled && document.activeElement === button) this.element('title').focus({ preventScroll: true });
    button.disabled = !enabled;
  }
  showFreshness() {
    const stale = this.at !== null && (this.failed !== null || Date.now() - this.at > STALE_MS);
    $(this.id).classList.toggle('stale', stale);
    if (this.refresher.loading === 0) {
      say(this.element('fresh'), this.at === null ? '' : `${stale ? 'Stale: as' : 'As'} of ${clock(this.at)}`);
    }
    say(this.element('problem'), this.failed ? `${this.failed.message}${this.at === null ? '' : ` The list is as of ${clock(this.at)}.`}` : '');
    show(this.element('problem'), this.failed !== null);
  }
  /* Of the operator who has signed out. */
  forget() {
    Object.assign(this, { applied: {}, after: [''], answer: null, at: null, failed: null });
    this.table.fill([], this.key);
    this.element('filter').reset();
    for (const name of ['none', 'range']) say(this.element(name), '');
    for (const name of ['first', 'previous', 'next']) this.enable(name, false);
    this.refresher.forget();
  }
}
