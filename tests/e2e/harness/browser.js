'use strict';
/* Debian's Chromium, and a daemon with the demo page. */
const fs = require('node:fs');
const path = require('node:path');
const { TIMEOUT, cleanup, freePort, tempDir } = require('./basics');
const { newDaemon } = require('./daemon');
const { watch } = require('./flows');

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';

/* options: {args, ignoreDefaultArgs} beside its own. */
async function browser(t, { args = [], ...options } = {}) {
  const { chromium } = require('playwright-core');
  const launched = await chromium.launch({
    executablePath: CHROMIUM, ...options,
    args: ['--headless', '--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking', ...args],
  });
  cleanup(t, () => launched.close());
  return launched;
}

/* `wslockd --dev` on a free port; over: YAML (or JSON, being YAML) that goes over its defaults. */
async function devDaemon(t, over = {}) {
  const dir = tempDir(t);
  const file = path.join(dir, 'over.yaml');
  const port = await freePort();
  fs.writeFileSync(file, JSON.stringify({
    listen: [{ address: '127.0.0.1', port, plaintext: true }], ops: { address: '127.0.0.1', port: 0 }, log: { level: 'debug' }, ...over,
  }));
  const d = watch(await newDaemon(t, { args: ['--dev', '--state-dir', path.join(dir, 'state'), '--config', file] }));
  d.stateDir = path.join(dir, 'state');
  d.auditFile = path.join(d.stateDir, 'audit.jsonl');
  d.page = `http://127.0.0.1:${port}/`;
  await d.start();
  return d;
}

/* While fn runs, the store that `wslockd --dev` has started stands still. */
async function withoutStore(d, fn) {
  const store = Number(/pid=(\d+)/.exec(d.log.find((line) => line.startsWith('embedded_redis_started')))[1]);
  process.kill(store, 'SIGSTOP');
  try {
    await fn();
  } finally {
    process.kill(store, 'SIGCONT');
  }
}

/* A window of its own (storage and all) on the demo; problems: what its console complained of. */
async function demoWindow(launched, d, options = {}) {
  const context = await launched.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  context.setDefaultTimeout(TIMEOUT);
  const problems = [];
  context.on('page', (page) => {
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(String(error)));
  });
  const page = await context.newPage();
  await page.goto(d.page + (options.query || ''));
  return { context, page, problems };
}

module.exports = { browser, demoWindow, devDaemon, withoutStore };
