'use strict';
/* docs/guarantees.md: each fault has tests, and each named test exists. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const PAGE = fs.readFileSync(path.join(__dirname, '../../docs/guarantees.md'), 'utf8');

/* The rows of the table in a section, those of its head excluded. */
function rows(title) {
  const section = PAGE.split(/^## /m).find((text) => text.startsWith(title));
  return section.split('\n').filter((line) => line.startsWith('|')).slice(2).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
}

test('each fault has a test, and each named test exists', () => {
  const faults = rows('By fault');
  const named = rows('Tests');
  assert.deepStrictEqual(faults.map(([number]) => Number(number)), faults.map((_, i) => i + 1));
  assert.deepStrictEqual([...new Set(named.map(([number]) => number))], faults.map(([number]) => number));
  for (const [, file, name] of named) {
    const source = fs.readFileSync(path.join(__dirname, file.replaceAll('`', '')), 'utf8');
    assert.ok(["'", '"', '`'].some((quote) => source.includes(quote + name + quote)), `${file}: ${name}`);
  }
});
