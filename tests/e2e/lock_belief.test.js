'use strict';
/* What a client may believe (docs/protocol.md): two that keep to it to the letter. */
const { test } = require('node:test');
const h = require('./harness');

test('two clients that keep to the letter', { concurrency: 4 }, (t) => h.together(t, h.beliefScenarios(h.strictClient)));
