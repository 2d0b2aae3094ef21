/* Makes elements. Text goes in as text only, never as markup. */
import { clock, printable, relative } from './text.js';

const ns = { svg: 'http://www.w3.org/2000/svg', path: 'http://www.w3.org/2000/svg', line: 'http://www.w3.org/2000/svg' };

export const $ = (id) => document.getElementById(id);

/* props: attributes; a function is a listener. children: elements or texts. */
export function el(name, props = {}, ...children) {
  const element = ns[name] ? document.createElementNS(ns[name], name) : document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function show(element, visible) {
  element.hidden = !visible;
}

/* Sets the text only if it differs: a live region speaks each change. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* Marks the one of these fields that is wrong, and goes there; none if field is undefined. */
export function markWrong(ids, field) {
  for (const id of ids) {
    if (id === field) $(id).setAttribute('aria-invalid', 'true');
    else $(id).removeAttribute('aria-invalid');
  }
  if (field) $(field).focus();
}

/*
 * Shows it above all else. When it is closed the focus goes back; if what had it is gone, to the row with the same
 * key, or else to the title of what is then in front.
 */
export function openDialog(dialog) {
  const key = document.activeElement.closest('tr')?.dataset.key;
  dialog.addEventListener('close', () => {
    if (document.activeElement !== document.body && document.activeElement !== null) return;
    const front = [...document.querySelectorAll('dialog[open], #operator > section:not([hidden])')].at(-1);
    const row = key === undefined ? null : front?.querySelector(`tr[data-key="${CSS.escape(key)}"] button`);
    (row ?? front?.querySelector('h2'))?.focus({ preventScroll: true });
  }, { once: true });
  dialog.showModal();
}

/* ---- times that go on ---- */

/* A time of the server, with how far away it is; ahead: how much the server's clock is ahead of this one, in ms. */
export function when(ms, ahead) {
  return el('time', { datetime: new Date(ms).toISOString(), 'data-at': ms, 'data-ahead': ahead, title: clock(ms) },
    relative(ms, Date.now() + ahead));
}

export function renewTimes() {
  for (const element of document.querySelectorAll('time[data-at]')) {
    say(element, relative(Number(element.dataset.at), Date.now() + Number(element.dataset.ahead)));
  }
}

/* ---- tables ---- */

/*
 * columns: [{title, cell(row) → text or elements, className, header: true if it names the row}]. On a narrow
 * screen rows are shown as cards, so the roles are set, and each cell has its title.
 */
export function table(label, columns) {
  const body = el('tbody', { role: 'rowgroup' });
  const heads = columns.map((c) => el('th', { role: 'columnheader', scope: 'col', class: c.className }, c.title));
  const element = el('table', { role: 'table', 'aria-label': label },
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, heads)), body);
  const cell = (column, row) => {
    const props = { 'data-title': column.title, class: column.className, role: column.header ? 'rowheader' : 'cell' };
    const content = column.cell(row);
    return el(column.header ? 'th' : 'td', column.header ? { ...props, scope: 'row' } : props,
      ...(Array.isArray(content) ? content : [content ?? '']));
  };
  return {
    element,
    /* The focus stays in the row with the same key. */
    fill(rows, key) {
      const focused = body.contains(document.activeElement) ? document.activeElement.closest('tr').dataset.key : undefined;
      body.replaceChildren(...rows.map((row) => el('tr', { role: 'row', 'data-key': key(row) }, columns.map((c) => cell(c, row)))));
      if (focused === undefined) return;
      const row = [...body.children].find((tr) => tr.dataset.key === focused);
      const target = row?.querySelector('button') ?? element.closest('section')?.querySelector('h2');
      target?.focus({ preventScroll: true });
    },
  };
}

/* A name with what cannot be seen made visible, each in a direction of its own. */
export function name(text) {
  return el('bdi', {}, printable(text));
}
