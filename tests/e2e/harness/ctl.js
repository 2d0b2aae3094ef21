'use strict';
/* What a run of wslockctl must have told. */
const assert = require('node:assert');

/* It succeeded, and complains of nothing; gives its standard output. */
async function done(promise) {
  const told = await promise;
  assert.deepStrictEqual([told.code, told.stderr], [0, ''], told.stdout);
  return told.stdout;
}

/* One sentence on standard error, nothing on standard output. */
async function refused(promise, code, message) {
  const told = await promise;
  assert.deepStrictEqual([told.code, told.stdout], [code, ''], told.stderr);
  assert.match(told.stderr, /^wslockctl: [^\n]+\n$/);
  assert.match(told.stderr, message);
}

module.exports = { done, refused };
