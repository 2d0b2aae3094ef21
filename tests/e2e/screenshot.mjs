// Makes docs/demo.png: the demo page of the built daemon with one person editing and one reading along.
//
//   node tests/e2e/screenshot.mjs [--width 1200] [--out docs/demo.png] [--frames]
//
// Environment: WSLOCKD (default build/wslockd), CHROMIUM (default /usr/bin/chromium).
import { createRequire } from 'node:module';
import path from 'node:path';

const h = createRequire(import.meta.url)('./harness.js');

function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}

const width = Number(option('width', 1200));
const out = option('out', path.join(h.ROOT, 'docs/demo.png'));
const scope = h.scope();
try {
  const launched = await h.browser(scope);
  const d = await h.devDaemon(scope);
  const { page, problems } = await h.demoWindow(launched, d, { viewport: { width, height: 700 }, colorScheme: 'light' });
  const box = (name) => page.getByRole('region', { name: `${name}, tab 1` });
  const [anna, bruno] = [box('Dr. Anna Rossi'), box('Nurse Bruno Weiss')];
  await anna.getByRole('button', { name: 'Edit', exact: true }).click();
  await anna.getByText('You are editing.').waitFor();
  const text = anna.getByRole('textbox', { name: 'Findings' });
  await text.press('Control+End');
  await text.pressSequentially(' No pleural effusion.');
  await bruno.getByText('(unsaved changes)').waitFor();
  await bruno.getByRole('button', { name: 'Edit', exact: true }).click();
  await bruno.getByText(/^Not now/).waitFor();
  if (process.argv.includes('--frames')) {
    for (const pane of [anna, bruno]) await pane.getByText(/^Frames/).click();
  }
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({ path: out, fullPage: true });
  if (problems.length) throw new Error(problems.join('\n'));
  console.log(out);
} finally {
  await scope.end();
}
