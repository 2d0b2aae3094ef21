// Makes docs/demo.png: the demo page of the built daemon with one person editing and one reading along. Or, to be looked at, every
// main state of the page, light and dark, wide and narrow.
//
//   node tests/e2e/screenshot.mjs [--width 1200] [--out docs/demo.png]
//   node tests/e2e/screenshot.mjs --all FOLDER
//
// Environment: WSLOCKD (default build/wslockd), CHROMIUM (default /usr/bin/chromium).
import { createRequire } from 'node:module';
import path from 'node:path';

const h = createRequire(import.meta.url)('./harness.js');

function option(name, otherwise) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
}

/* Each goes on from the one before. */
const STATES = {
  first: ({ anna }) => anna.free(),
  editing: async ({ anna, bruno }) => {
    await anna.press('Edit');
    await anna.edits();
    await anna.text.press('Control+End');
    await anna.text.pressSequentially(' No pleural effusion.');
    await bruno.stands('(unsaved changes)');
  },
  asked: async ({ anna, choose, bruno }) => {
    await anna.press('Save');
    await anna.press('Stop editing');
    await choose('operation-report');
    await anna.press('Edit');
    await bruno.press('Ask for it…');
    await bruno.box.getByRole('textbox', { name: 'Message' }).fill('Need to add the count of swabs');
    await bruno.press('Send');
    await anna.told('asks you');
  },
  turn: async ({ anna, bruno }) => {
    await anna.answer('asks you', 'Save and hand over');
    await bruno.told('It is your turn.');
  },
  lost: async ({ bruno }) => {
    await bruno.answer('It is your turn.', 'Start editing');
    await bruno.edits();
    await bruno.text.fill('Count of swabs: 12.');
    await bruno.press('Cut the network');
    await bruno.told('Connection lost');
  },
  conflict: async ({ anna, bruno }) => {
    await bruno.press('Close the tab');
    await bruno.press('Open again');
    await bruno.press('Mend the network');
    await anna.press('Edit');
    await anna.edits();
    await anna.text.fill('Start 08:10. General anaesthesia. Incision 08:31.');
    await anna.press('Save');
    await anna.press('Stop editing');
    await bruno.press('Edit');
    await bruno.answer('is kept', 'Put it back');
    await bruno.told('Which text is right?');
  },
};

async function window(scope, launched, options, config) {
  const d = await h.devDaemon(scope, config);
  const main = await h.openDemo(launched, d, { ...options, reducedMotion: 'reduce' });
  main.choose = async (type) => {
    await main.page.getByRole('combobox', { name: 'What is edited' }).selectOption(type);
    await main.anna.free();
  };
  main.shot = async (out, page = main.page) => {
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: out, fullPage: true });
    console.log(out);
  };
  return main;
}

async function all(scope, launched, folder) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      const main = await window(scope, launched, { colorScheme, viewport: { width, height: 800 } }, { default: { gracePeriod: '4s' } });
      const name = (state) => path.join(folder, `${state}-${colorScheme}-${width}.png`);
      for (const [state, reach] of Object.entries(STATES)) {
        await reach(main);
        await main.shot(name(state));
      }
      const dora = await h.openPerson(main, /administrator/, 'Dora Keller');
      await dora.page.setViewportSize({ width, height: 800 });
      await dora.press('Take over…');
      await main.shot(name('administrator'), dora.page);
      await main.context.close();
    }
  }
}

const scope = h.scope();
try {
  const launched = await h.browser(scope);
  if (option('all')) {
    await all(scope, launched, option('all'));
  } else {
    const main = await window(scope, launched, { viewport: { width: Number(option('width', 1200)), height: 700 }, colorScheme: 'light' });
    await STATES.editing(main);
    await main.page.evaluate(() => document.querySelector('.below').remove());
    await main.shot(option('out', path.join(h.ROOT, 'docs/demo.png')));
    if (main.problems.length) throw new Error(main.problems.join('\n'));
  }
} finally {
  await scope.end();
}
