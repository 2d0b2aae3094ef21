'use strict';
/*
 * Reads what the store itself says that has changed: the stream `audit` of each shard has every change but renewals. Each
 * becomes an entry `store` of the history, in the order of its shard. It asks the servers directly, not through proxies. Each stream is
 * read on a connection of its own: a Redis Cluster reads no two slots in one call.
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

const isSame = (a, b) => a && a.port === b.port && a.path === b.path && a.asking === b.asking;

/* Reads the stream of one shard, at whichever server has it. */
class Reader {
  constructor(observer, shard) {
    Object.assign(this, { observer, shard, key: `{${observer.keyPrefix}:${shard}}:audit`, last: '0-0' });
    this.waiting = []; // for a read that brings nothing
    this.done = this.run();
  }
  where() {
    return this.observer.where(this.shard);
  }
  async run() {
    while (!this.observer.ended) {
      const where = this.where();
      const client = where && new h.RedisClient(where, 'latin1');
      this.client = client;
      try {
        if (where?.user) await client.command('AUTH', where.user, '');
        while (client && !this.observer.ended && isSame(this.where(), where)) await this.read(client, where);
      } catch (error) {
        this.problem = error.message;
      }
      client?.close();
      if (!this.observer.ended) await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
    }
  }
  async read(client, { asking }) {
    if (asking) await client.command('ASKING');
    const streams = await client.command('XREAD', 'COUNT', 1000, 'BLOCK', BLOCK_MS, 'STREAMS', this.key, this.last);
    if (!streams) for (const resolve of this.waiting.splice(0)) resolve();
    for (const [, entries] of streams ?? []) {
      for (const [id, fields] of entries) {
        this.last = id;
        this.observer.history.add('store', { shard: this.shard, by: fields[3], ...eventOf(fields[1]) });
      }
    }
  }
}

class Observer {
  /* where(shard): {port, host} or {path}, user and asking (its slot is still being moved there), of the server that has the shard now, or null
   * while none has. */
  constructor(history, where, keyPrefix) {
    Object.assign(this, { history, where, keyPrefix });
    this.readers = Array.from({ length: SHARDS }, (_, shard) => new Reader(this, shard));
  }
  /* Resolves when it has read all. */
  caughtUp() {
    return Promise.all(this.readers.map((reader) => new Promise((resolve) => { reader.waiting.push(resolve); })));
  }
  end() {
    this.ended = true;
    for (const reader of this.readers) reader.client?.close();
    return Promise.all(this.readers.map((reader) => reader.done));
  }
}

module.exports = { Observer, SHARDS, decode };
