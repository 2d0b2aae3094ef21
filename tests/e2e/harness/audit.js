'use strict';
/* The files of an audit log. */
const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');

/* The fields of a record, in their order. */
const AUDIT_KEYS = ['time', 'action', 'outcome', 'resourceId', 'user', 'previousHolder', 'admin', 'reason', 'fence', 'rev', 'heldMs', 'decision', 'answer',
  'previousDirty', 'revision', 'sessionId', 'clientId', 'tokenId', 'issuer', 'address', 'userAgent', 'lockRequestId', 'ref', 'detail',
  'instance', 'eventId', 'recovered', 'v', 'seq', 'prev', 'hash'];

/* Checks a chain, the oldest file first, as its documentation describes it; gives the records. key: of a keyed one. */
function readChain(files, key) {
  let prev = '0'.repeat(64);
  let seq = 0;
  return files.flatMap((file) => {
    const text = fs.readFileSync(file, 'utf8');
    assert.ok(text.endsWith('\n'), `${file}: whole lines`);
    return text.slice(0, -1).split('\n').map((line, at) => {
      const where = `${file}:${at + 1}`;
      const record = JSON.parse(line);
      const covered = line.slice(0, line.lastIndexOf(',"hash":'));
      const hash = key ? crypto.createHmac('sha256', key) : crypto.createHash('sha256');
      assert.strictEqual(record.hash, hash.update(covered).digest('hex'), `hash of ${where}`);
      assert.strictEqual(record.prev, prev, `prev of ${where}`);
      assert.strictEqual(record.seq, ++seq, `seq of ${where}`);
      assert.match(record.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      const keys = Object.keys(record);
      assert.deepStrictEqual(keys, AUDIT_KEYS.filter((k) => keys.includes(k)), `order of ${where}`);
      prev = record.hash;
      return record;
    });
  });
}

module.exports = { AUDIT_KEYS, readChain };
