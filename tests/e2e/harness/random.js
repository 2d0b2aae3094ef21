'use strict';
/* Seeded randomness: a failing walk is repeated with WSLOCK_TEST_SEED. */

const SEED = Number(process.env.WSLOCK_TEST_SEED || Math.floor(Math.random() * 1e9));

function random(seed = SEED) { // mulberry32
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n) => Math.floor(next() * n);
  return { chance: (p) => next() < p, below, between: (a, b) => a + below(b - a), pick: (list) => list[below(list.length)] };
}

module.exports = { SEED, random };
