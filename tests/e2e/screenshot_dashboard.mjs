// Makes docs/dashboard.png and docs/dashboard-lock.png: the dashboard of the built daemon with 200 locks, after some
// minutes of changing load.
//
//   node tests/e2e/screenshot_dashboard.mjs [--seconds 240] [--out docs] [--width 1280] [--height 900] [--scheme light]
//
// Environment: WSLOCKD (default build/wslockd), CHROMIUM (default /usr/bin/chromium).
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const h = createRequire(import.meta.url)('./harness.js');

function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}

const NAMES = ['Anna Rossi', 'Bruno Weiss', 'Clara Huber', 'David Meier', 'Eva Lang', 'Felix Braun'];
const TOKEN = 'the-operations-token';
const POLICY = { maxConcurrentTabLocksPerUser: null, upgrade: 'queue', gracePeriod: '10m' };
const out = option('out', path.join(h.ROOT, 'docs'));
const size = { width: Number(option('width', 1280)), height: Number(option('height', 900)) };

const scope = h.scope();
try {
  const launched = await h.browser(scope);
  const tokenFile = path.join(h.tempDir(scope), 'token');
  fs.writeFileSync(tokenFile, TOKEN);
  const d = await h.lockDaemon(scope, {
    config: { instance: 'gw-1', ops: { tokenFile }, resourceTypes: { document: POLICY, 'patient-chart': POLICY } },
  });
  const page = await (await launched.newContext({ viewport: size, colorScheme: option('scheme', 'light') })).newPage();
  await page.goto(d.opsUrl('/'));
  await page.getByLabel('Your name').fill('j.doe');
  await page.getByLabel('Operator\'s token').fill(TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();

  const people = [];
  for (const name of NAMES) people.push(await h.person(d, name.split(' ')[0].toLowerCase(), { name }));
  const resource = (i) => `${i % 3 ? 'document' : 'patient-chart'}:${4700 + i}:${['findings', 'anamnesis', 'plan'][i % 3]}`;
  const tokens = [];
  const end = Date.now() + 1000 * Number(option('seconds', 240));
  for (let i = 0; Date.now() < end; i++) {
    if (i < 200) tokens[i] = (await h.take(people[i % 4], resource(i))).token;
    const own = i % 200; // the locks of the three who stay are kept
    if (own % 4 < 3 && tokens[own]) people[own % 4].send('lock:heartbeat', { resourceId: resource(own), token: tokens[own], dirty: own % 5 === 0 });
    if (i === 200) for (const person of people.slice(4)) await h.edit(person, resource(1));
    if (i === 201) people[3].ws.terminate();
    const wave = 1.2 + Math.sin(i / 60) + 0.4 * Math.random();
    for (const person of people.slice(0, 1 + Math.round(wave))) person.request('lock:status', { resourceId: resource(1) }).catch(() => {});
    if (i % 40 === 0 && i > 0 && i < 400) await h.person(d, `guest${i}`);
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  }
  await page.getByRole('button', { name: 'Refresh' }).click();
  await page.getByText('In grace').first().waitFor();
  await page.locator('#locks-fresh').getByText(/^As of/).waitFor();
  await page.mouse.move(0, 0);
  await page.evaluate(() => { scrollTo(0, 0); document.activeElement.blur(); });
  await page.screenshot({ path: path.join(out, 'dashboard.png') });
  await page.getByRole('button', { name: resource(1) }).click();
  const dialog = page.locator('dialog#lock');
  await dialog.getByLabel(/Why can this user/).fill('david');
  await dialog.getByRole('button', { name: 'Explain' }).click();
  await dialog.getByText(/An acquire by david/).waitFor();
  await page.screenshot({ path: path.join(out, 'dashboard-lock.png') });
} finally {
  await scope.end();
}
