'use strict';
/*
 * Reads what the store itself says that has changed: the stream `audit` of each shard has every change but renewals. Each
 * becomes an entry `store` of the history, in the order of its shard. It asks the server directly, not through a proxy.
 */
const h = require('../e2e/harness');

const KINDS = ['lock', 'join', 'leave', 'waiter', 'takeover', 'operation'];
const SHARDS = 16;
const BLOCK_MS = 250;
const AGAIN_MS = 50;

/* Decodes one MessagePack value of a Buffer: {value, end}. Texts of binary values are decoded as latin1. */
function decode(b, at = 0) {
  const first = b[at];
  const text = (length, from) => ({ value: b.toString('latin1', from, from + length), end: from + length });
  const list = (count, from) => {
    const value = [];
    let end = from;
    for (let i = 0; i < count; i++) {
      const item = decode(b, end);
      value.push(item.value);
      end = item.end;
    }
    return { value, end };
  };
  if (first < 0x80) return { value: first, end: at + 1 };
  if (first >= 0xe0) return { value: first - 256, end: at + 1 };
  if (first >= 0xa0 && first < 0xc0) return text(first & 31, at + 1);
  if (first >= 0x90 && first < 0xa0) return list(first & 15, at + 1);
  switch (first) {
    case 0xc0: return { value: null, end: at + 1 };
    case 0xc2: return { value: false, end: at + 1 };
    case 0xc3: return { value: true, end: at + 1 };
    case 0xca: return { value: b.readFloatBE(at + 1), end: at + 5 };
    case 0xcb: return { value: b.readDoubleBE(at + 1), end: at + 9 };
    case 0xcc: return { value: b[at + 1], end: at + 2 };
    case 0xcd: return { value: b.readUInt16BE(at + 1), end: at + 3 };
    case 0xce: return { value: b.readUInt32BE(at + 1), end: at + 5 };
    case 0xcf: return { value: Number(b.readBigUInt64BE(at + 1)), end: at + 9 };
    case 0xd9: return text(b[at + 1], at + 2);
    case 0xda: return text(b.readUInt16BE(at + 1), at + 3);
    case 0xdb: return text(b.readUInt32BE(at + 1), at + 5);
    case 0xdc: return list(b.readUInt16BE(at + 1), at + 3);
    default: throw new Error(`MessagePack ${first}`);
  }
}

/* The items of src/lock/layouts.def that the judge needs. */
function lockOf(items) {
  return items && { token: items[0], state: items[9], user: items[10], client: items[12] };
}
function endingOf(items) {
  return items && { user: items[0], client: items[2], token: items[3], reason: items[4] };
}
function eventOf(packed) {
  const [kind, tick, prev, resourceId, actor, what, ...more] = decode(Buffer.from(packed, 'latin1')).value;
  const event = { event: KINDS[kind], tick, prev, resourceId, actor, cause: what };
  if (kind === 0) Object.assign(event, { lock: lockOf(more[0]), ended: endingOf(more[1]), taken: more.length > 2 });
  else if (kind === 3) event.waiter = more[0];
  return event;
}

const isSame = (a, b) => a && a.port === b.port && a.path === b.path;

class Observer {
  /* where(): {port, host} or {path}, and user, of the server that is the store now, or null while there is none. */
  constructor(history, where, keyPrefix) {
    Object.assign(this, { history, where });
    this.keys = Array.from({ length: SHARDS }, (_, n) => `{${keyPrefix}:${n}}:audit`);
    this.last = this.keys.map(() => '0-0');
    this.waiting = []; // for a read that brings nothing
    this.done = this.run();
  }
  async run() {
    while (!this.ended) {
      const where = this.where();
      const client = where && new h.RedisClient(where, 'latin1');
      this.client = client;
      try {
        if (where?.user) await client.command('AUTH', where.user, '');
        while (client && !this.ended && isSame(this.where(), where)) await this.read(client);
      } catch (error) {
        this.problem = error.message;
      }
      client?.close();
      if (!this.ended) await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
    }
  }
  async read(client) {
    const streams = await client.command('XREAD', 'COUNT', 1000, 'BLOCK', BLOCK_MS, 'STREAMS', ...this.keys, ...this.last);
    if (!streams) for (const resolve of this.waiting.splice(0)) resolve();
    for (const [key, entries] of streams ?? []) {
      const shard = this.keys.indexOf(key);
      for (const [id, fields] of entries) {
        this.last[shard] = id;
        this.history.add('store', { shard, by: fields[3], ...eventOf(fields[1]) });
      }
    }
  }
  /* Resolves when it has read all. */
  caughtUp() {
    return new Promise((resolve) => { this.waiting.push(resolve); });
  }
  end() {
    this.ended = true;
    this.client?.close();
    return this.done;
  }
}

module.exports = { Observer, decode };
