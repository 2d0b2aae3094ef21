'use strict';
/*
 * The matrix in docs/lock-states.md and its tests in tests/lock-states.json. A test is a letter for its file and its
 * name as the source has it: a template with its ${…}, a cell of a table without the state before it.
 */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const ROOT = path.resolve(__dirname, '../..');
const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');
const { files, cells, rules } = JSON.parse(read('tests/lock-states.json'));

/* [{event, states: {free, held, grace, reserved}}]; a row that is a heading has empty cells. */
function matrix() {
  const [, section] = /^## The matrix\n(.*?)^## /ms.exec(read('docs/lock-states.md'));
  const [head, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
  return rows.filter((row) => row[1]).map(([event, ...states]) => ({
    event: event.replaceAll('`', ''), states: Object.fromEntries(states.map((cell, at) => [head[at + 1], cell])),
  }));
}

test('each cell of the matrix has a test, and no other has', () => {
  const rows = matrix();
  assert.deepStrictEqual(Object.keys(cells), rows.map((row) => row.event));
  for (const { event, states } of rows) {
    const filled = Object.keys(states).filter((state) => states[state] !== '–');
    assert.deepStrictEqual(Object.keys(cells[event]), filled, event);
    for (const state of filled) assert.ok(cells[event][state].length > 0, `${event}, ${state}`);
  }
});

test('each named test exists', () => {
  const sources = Object.fromEntries(Object.entries(files).map(([letter, name]) => [letter, read(name)]));
  const named = [...Object.values(cells).flatMap((row) => Object.values(row).flat()), ...Object.values(rules).flat()];
  const missing = named.filter((full) => {
    const name = full.slice(2);
    return !["'", '"', '`'].some((quote) => sources[full[0]].includes(`${quote}${name}${quote}`))
      && !sources[full[0]].includes(`\`\${state}: ${name}\``);
  });
  assert.deepStrictEqual(missing, []);
});
