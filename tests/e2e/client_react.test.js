'use strict';
/* wslock/react in React and a DOM: joining, rendering what changes, saving, leaving. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { JSDOM } = require('jsdom');
const h = require('./harness');

/* React looks for a DOM when it is loaded. */
const { window } = new JSDOM('<!doctype html><div id="root"></div>');
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
globalThis.navigator ??= window.navigator;
const React = require('react');
const { createRoot } = require('react-dom/client');

const { act, createElement: e, useState } = React;

/* The package beside React, as an application has it. */
function reactModule(t) {
  const dir = h.tempDir(t);
  fs.cpSync(h.CLIENT_DIR, path.join(dir, 'wslock'), { recursive: true });
  fs.symlinkSync(path.join(__dirname, 'node_modules'), path.join(dir, 'node_modules'));
  return import(path.join(dir, 'wslock/react.js'));
}

test('components show a section, and leave it', async (t) => {
  const { WslockProvider, useCountdown, useSection, useWslock } = await reactModule(t);
  const d = await h.lockDaemon(t, { config: { resourceTypes: { ask: { upgrade: 'request' } } } });
  const platform = { document: undefined, window: undefined };
  const [ann, ben] = await Promise.all(['ann', 'ben'].map((user) => h.wslockClient(t, {
    url: d.url(), makeToken: () => h.token({ user, name: user }), platform,
  })));
  const saved = [];

  function Editor({ id }) {
    const { section, state, lock, users, requests, error } = useSection(id, { onSave: ({ cause }) => saved.push(cause) });
    const left = useCountdown(section, 50);
    return e('p', null, error ? `error ${error.code}` : `${state} ${lock.state} ${lock.holder?.username ?? '-'} ${users.length} `
      + `${requests.map(({ message }) => message).join()} ${left > 0 ? 'counting' : 'still'}`);
  }
  function Status() {
    return e('i', null, useWslock().state);
  }
  let setId;
  function App() {
    const [id, set] = useState('ask:1');
    setId = set;
    return e(React.StrictMode, null, e(WslockProvider, { client: ann }, e(Status), id && e(Editor, { id }), id && e(Editor, { id })));
  }
  const root = createRoot(window.document.getElementById('root'));
  t.after(() => act(() => root.unmount()));
  const text = (selector = 'p') => window.document.querySelector(selector)?.textContent;
  const shows = (pattern, selector) => h.eventually(async () => {
    await act(async () => { await new Promise((resolve) => { setTimeout(resolve, 10); }); });
    return pattern.test(text(selector));
  }, `it shows ${pattern}`).catch((error) => { throw new Error(`${error.message}: ${text(selector)}`); });

  await act(() => root.render(e(App)));
  await shows(/^reading free - 1 {2}still$/);
  await shows(/^connected$/, 'i');
  await ben.section('ask:1').edit();
  await shows(/^reading held ben 2 {2}counting$/);
  await ben.section('ask:1').release();
  await act(() => ann.section('ask:1').edit());
  await shows(/^editing held ann 2/);
  await ben.section('ask:1').request('let me');
  await shows(/let me/);
  assert.deepStrictEqual(saved, ['request']);
  assert.strictEqual(window.document.querySelectorAll('p')[1].textContent.split(' ')[0], 'editing', 'both show it');

  await act(() => setId('ask:2'));
  await shows(/^reading free - 1/);
  assert.deepStrictEqual([ann.section('ask:1').joined, ann.section('ask:2').joined], [false, true]);
  await h.eventually(() => ben.section('ask:1').turn, 'nobody shows it any more: the lock ended');
  await act(() => setId(null));
  await h.eventually(() => !ann.section('ask:2').joined, 'it has left');
  /* Of two that save, the newer one goes first: the other is asked, and in the end nobody. */
  const watched = ann.section('ask:3');
  let handler = null;
  watched.onSave = (given) => {
    handler = given;
    return () => { if (handler === given) handler = null; };
  };
  const Saving = ({ name }) => e('s', null, useSection('ask:3', { onSave: () => saved.push(name) }).state);
  let setNames;
  function Two() {
    const [names, set] = useState(['older', 'newer']);
    setNames = set;
    return e(WslockProvider, { client: ann }, names.map((name) => e(Saving, { key: name, name })));
  }
  await act(() => root.render(e(Two)));
  for (const names of [['older'], []]) {
    saved.length = 0;
    handler({ cause: 'expiry' });
    assert.deepStrictEqual(saved, [names.length ? 'newer' : 'older']);
    await act(() => setNames(names));
  }
  assert.strictEqual(handler, null);
  const { renderToString } = require('react-dom/server');
  assert.throws(() => renderToString(e(Status)), /WslockProvider/);
  const Countdown = ({ everyMs }) => e('b', null, useCountdown(ann.section('ask:1'), everyMs));
  renderToString(e(Countdown, { everyMs: 2 ** 31 - 1 }));
  for (const everyMs of [0, -1, NaN, 2 ** 31, 'x']) assert.throws(() => renderToString(e(Countdown, { everyMs })), /everyMs/);
});
