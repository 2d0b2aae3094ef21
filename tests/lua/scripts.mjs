// The lock scripts, called with the keys and arguments that src/lock/lua/README.md gives them, and their replies and
// events as objects. Time is the test's: in the sources, the one call of TIME is replaced by the hash `clock`.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { KINDS, hasFlag, record, size, withNumbers } from './layouts.mjs';

const FOLDER = new URL('../../src/lock/lua/', import.meta.url);
const TAG = '{wslock:3}:';
const HOW = ['acquire', 'takeOwn', 'claim'];

// The library's text, as src/lock/embed.cmake makes it, and its name, which its functions have in front.
function library(withTestClock) {
    const included = new Set(['library.lua']);
    const read = (file) => withNumbers(readFileSync(new URL(file, FOLDER), 'utf8')).replace(/^ *--@include (\S+)\n/gm, (_, name) => {
        included.add(name);
        return read(name);
    });
    const bodies = {};
    for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.lua'))) {
        bodies[file] = read(file);
    }
    const parts = bodies['library.lua'].split("call('TIME')");
    if (parts.length !== 2) {
        throw new Error('the library should read the clock once');
    }
    let text = parts.join(withTestClock ? "call('HMGET', 'clock', 's', 'us')" : "call('TIME')");
    for (const file of Object.keys(bodies).filter((name) => !included.has(name))) {
        const alone = bodies[file].startsWith('--@alone\n');
        text += `\n${alone ? 'register_alone' : 'register'}('${file.slice(0, -4)}', function(${alone ? 'KEYS, ARGV' : ''})\n${bodies[file]}end)\n`;
    }
    const digest = createHash('sha1').update(text).digest('hex').slice(0, 16);
    return { name: `wslock_${digest}`, text: text.replaceAll('DIGEST', digest) };
}

// All the values in a row of packed ones.
export function unpackAll(bytes) {
    let at = 0;
    // What is packed in itself stays bytes.
    const text = (length) => {
        const part = bytes.subarray(at, at += length);
        return length > 0 && ((part[0] & 0xf0) === 0x90 || part[0] === 0xdc) ? part : part.utf8Slice();
    };
    const list = (length) => Array.from({ length }, () => value());
    function value() {
        const b = bytes[at++];
        if (b < 0x80) return b;
        if (b >= 0xe0) return b - 0x100;
        if (b >= 0x90 && b < 0xa0) return list(b & 15);
        if (b >= 0xa0 && b < 0xc0) return text(b & 31);
        switch (b) {
            case 0xc2: return false;
            case 0xc3: return true;
            case 0xcc: return bytes[at++];
            case 0xcd: return bytes.readUInt16BE((at += 2) - 2);
            case 0xce: return bytes.readUInt32BE((at += 4) - 4);
            case 0xcf: return Number(bytes.readBigUInt64BE((at += 8) - 8));
            case 0xd3: return Number(bytes.readBigInt64BE((at += 8) - 8));
            case 0xd9: return text(bytes[at++]);
            case 0xda: return text(bytes.readUInt16BE((at += 2) - 2));
            case 0xdc: return list(bytes.readUInt16BE((at += 2) - 2));
            default: throw new Error(`unexpected byte ${b}`);
        }
    }
    const values = [];
    while (at < bytes.length) {
        values.push(value());
    }
    if (at !== bytes.length) {
        throw new Error('cut short');
    }
    return values;
}

function unpack(packed) {
    const values = unpackAll(Buffer.isBuffer(packed) ? packed : Buffer.from(packed));
    if (values.length !== 1) {
        throw new Error(`${values.length} values instead of one`);
    }
    return values[0];
}

// Strings, integers, booleans (as 0 and 1), null (as false), in a row.
export function packAll(items) {
    const parts = [];
    for (const item of items) {
        if (Buffer.isBuffer(item)) {
            parts.push(Buffer.from([0xda, item.length >> 8, item.length & 255]), item);
        } else if (typeof item === 'string') {
            const text = Buffer.from(item);
            parts.push(Buffer.from([0xda, text.length >> 8, text.length & 255]), text);
        } else if (item === null) {
            parts.push(Buffer.from([0xc2]));
        } else {
            const number = Buffer.alloc(9, 0xd3);
            number.writeBigInt64BE(BigInt(+item), 1);
            parts.push(number);
        }
    }
    return Buffer.concat(parts);
}

// One array, packed.
function packed(items) {
    return Buffer.concat([Buffer.from([0xdc, items.length >> 8, items.length & 255]), packAll(items)]);
}

export function lockOf(items) {
    const l = record('LOCK', items);
    return { ...l, takeover: l.takeover ? takeoverOf(l.takeover) : null };
}

export function takeoverOf(packed) {
    return record('TAKEOVER', Array.isArray(packed) ? packed : unpack(packed));
}

export function waiterOf(id, items) {
    const colon = id.indexOf(':');
    return { user: id.slice(colon + 1), client: id.slice(0, colon), ...record('WAITER', items) };
}

export function endingOf(packed) {
    if (packed === false || packed === undefined || packed === 0) {
        return null;
    }
    const e = record('ENDING', Array.isArray(packed) ? packed : unpack(packed));
    return { ...e, revision: e.revision === false ? null : e.revision };
}

export function memberOf(id, value) {
    const colon = id.indexOf(':');
    const [session, instance, at] = value.split(' ', 3);
    const [joined, page = ''] = at.split('/');
    const name = value.slice(session.length + instance.length + at.length + 3);
    return { user: id.slice(colon + 1), name, client: id.slice(0, colon), session, instance, joined: +joined, page };
}

export function eventOf(packed) {
    const items = Array.isArray(packed) ? packed : unpack(packed);
    const kind = KINDS[record('EVENT', items).kind];
    const layout = kind === 'JOIN' || kind === 'LEAVE' ? 'EVENT_MEMBER' : `EVENT_${kind}`;
    const { id, value, ...e } = { ...record(layout, items), kind };
    if (layout === 'EVENT_MEMBER') {
        return { ...e, member: memberOf(id, value) };
    } else if (kind === 'WAITER') {
        return { ...e, waiter: waiterOf(id, e.waiter), there: e.there === 1 };
    } else if (kind === 'TAKEOVER') {
        return { ...e, takeover: takeoverOf(e.takeover) };
    } else if (kind === 'OPERATION') {
        return { ...e, operator: record('OPERATOR', e.operator), ended: endingOf(e.ended) };
    }
    const { takeover, ...lock } = e;
    return { ...lock, lock: lockOf(e.lock), ended: endingOf(e.ended), ...(takeover && { takeover: takeoverOf(takeover) }) };
}

// [a, b, c, d] with each pair through make.
function pairs(list, make) {
    return Array.from({ length: list.length / 2 }, (_, i) => make(list[2 * i], list[2 * i + 1]));
}

export function replyOf(packed) {
    const items = unpack(packed);
    const { status, outcome, rev, now, window, ...r } = record('REPLY', items);
    if (status !== 'OK') {
        return { status, outcome, rev, now, window };
    }
    if (items.length !== size('REPLY', 'COUNT') && items.length !== size('REPLY')) {
        throw new Error(`a reply of ${items.length} items: ${items}`);
    }
    const reply = {
        status, outcome, rev, now, window, next: r.next, lock: lockOf(r.lock), limit: r.limit, previous: endingOf(r.previous),
        lost: endingOf(r.lost), events: r.events.map(eventOf), names: r.names, members: pairs(r.members, memberOf), count: r.count,
    };
    for (const flag of ['RESUMED', 'JOINED', 'LATE', 'MORE', 'UNREADABLE']) {
        reply[flag.toLowerCase()] = hasFlag(r.flags, flag);
    }
    if (items.length === size('REPLY')) {
        const place = r.place ? record('PLACE', r.place) : null;
        Object.assign(reply, { place, median: r.median, waiters: pairs(r.waiters, waiterOf) });
    }
    return reply;
}

export const POLICY = {
    ttl: 300000, idle: -1, grace: 30000, claim: 30000, disconnect: 'grace', heartbeat: 60000, tabs: 5, viewers: -1,
    listed: 200, waiters: 0, request: 120000, takeover: 30000,
};

const stored = (p) => `${p.ttl} ${p.idle} ${p.grace} ${p.claim} ${p.disconnect}`;

export class Scripts {
    constructor(redis, { testClock = true, lease = 10000, isPrivate = false, shards = 16 } = {}) {
        Object.assign(this, { redis, testClock, lease, isPrivate, shards });
        this.ms = 1763953000000;
        this.longestGrace = 30000;
        this.loaded = library(testClock);
    }

    async load() {
        await this.redis.command('FUNCTION', 'LOAD', 'REPLACE', this.loaded.text);
        await this.setClock(this.ms);
    }

    setClock(ms, us = 0) {
        this.ms = ms;
        return this.redis.command('HSET', 'clock', 's', Math.floor(ms / 1000), 'us', (ms % 1000) * 1000 + us);
    }

    advance(ms) {
        return this.setClock(this.ms + ms);
    }

    key(name) {
        return TAG + name;
    }

    // instance: the incarnation of the caller.
    async run(name, instance, keys, args) {
        const raw = await this.redis.command('FCALL', `${this.loaded.name}_${name}`, keys.length, ...keys.map((k) => TAG + k),
            packAll(args), instance);
        return replyOf(raw);
    }

    shard(name, instance, args) {
        return this.run(name, instance, ['meta'], args);
    }

    room(name, instance, resource, user, args) {
        const keys = ['meta', `lock:${resource}`, `member:${resource}`, `ended:${resource}`,
            `held:${resource.slice(0, resource.lastIndexOf(':'))}:${user}`];
        return this.run(name, instance, keys, args);
    }

    open(shards = this.shards, schema = 2, oldest = 1) {
        return this.shard('open', 'i1', [0, shards, schema, oldest]);
    }

    // step: of the clock, ms, that the instance has noticed; back is < 0.
    renew(instance, { sent = 0, lease = this.lease, written = 0, step = 0 } = {}) {
        return this.shard('lease', instance,
            [0, lease, sent, this.shards, this.isPrivate, this.longestGrace, written, step]);
    }

    // peers: incarnation -> when its last lease ends.
    reportDone(instance, window, { contact = 0, peers = {} } = {}) {
        return this.shard('report_done', instance,
            [0, this.lease, this.isPrivate, this.longestGrace, window, contact, ...Object.entries(peers).flat()]);
    }

    // list: [resource, ending as a reply has it] each.
    endings(instance, list, { highest = 0 } = {}) {
        return this.shard('endings', instance, [0, highest, ...list.flatMap(([resource, e]) => [resource, packed([
            e.user, e.name, e.client, e.token, e.reason, e.dirty, e.revision, e.since, e.ended, e.by, e.request])])]);
    }

    sweep({ limit = 100, keep = 100000, instance = 'i1' } = {}) {
        return this.shard('sweep', instance, [0, limit, this.lease, keep, keep]);
    }

    recorded(instance, dead) {
        return this.shard('recorded', instance, [0, dead]);
    }

    // t: {user, name, client, page?, made, session, instance, policy}, a tab on a connection.
    join(resource, t, { edit = false, token = 0, notAfter = 0 } = {}) {
        const p = t.policy;
        return this.room('join', t.instance, resource, t.user, [notAfter, resource, t.session, t.user, t.client, t.name,
            t.made, stored(p), p.ttl, p.idle, p.tabs, edit, p.heartbeat / 2, token, p.viewers, p.listed, p.waiters,
            t.page ?? '']);
    }

    // how: one of HOW. policy.waiters: 0 for a type without a queue.
    acquire(resource, t, { takeOwn = false, how = takeOwn ? 'takeOwn' : 'acquire', notAfter = 0 } = {}) {
        const p = t.policy;
        return this.room('acquire', t.instance, resource, t.user, [notAfter, resource, t.session, t.user, t.client, t.name,
            t.made, stored(p), p.ttl, p.idle, p.tabs, HOW.indexOf(how), p.heartbeat / 2, p.waiters]);
    }

    heartbeat(resource, t, { token = 0, active = true, dirty = -1, notAfter = 0 } = {}) {
        const p = t.policy;
        return this.room('heartbeat', t.instance, resource, t.user, [notAfter, resource, t.session, t.user, t.client, t.name,
            t.made, stored(p), p.ttl, p.idle, token, active, p.heartbeat / 2, dirty]);
    }

    release(resource, t, { token = 0, revision = null, notAfter = 0, why = 'RELEASED' } = {}) {
        return this.room('release', t.instance, resource, t.user,
            [notAfter, resource, t.session, t.user, t.client, token, revision, why]);
    }

    claim(resource, t) {
        return this.acquire(resource, t, { how: 'claim' });
    }

    request(resource, t, request, { message = '', most = 100 } = {}) {
        const p = t.policy;
        return this.room('request', t.instance, resource, t.user, [0, resource, t.session, t.user, t.client, t.name, t.made,
            stored(p), request, message, p.request, most]);
    }

    // what: REQUEST or TAKEOVER; action: APPROVE, DENY or IGNORE.
    reply(resource, t, what, request, action, revision = null) {
        const p = t.policy;
        return this.room('request_reply', t.instance, resource, t.user, [0, resource, t.session, t.user, t.client, t.name, t.made,
            stored(p), p.ttl, p.idle, request, action, revision, what]);
    }

    // what: QUEUE, REQUEST or TAKEOVER.
    withdraw(resource, t, what, request = '') {
        return this.room('withdraw', t.instance, resource, t.user,
            [0, resource, t.session, t.user, t.client, what, request]);
    }

    // length: ms that the holder has, 0 for an immediate one.
    takeover(resource, t, request, { reason = 'urgent case', length = t.policy.takeover, urgent = false, origin = '' } = {}) {
        const p = t.policy;
        return this.room('takeover', t.instance, resource, t.user, [0, resource, t.session, t.user, t.client, t.name, t.made,
            stored(p), p.ttl, p.idle, p.heartbeat / 2, request, reason, length, urgent, origin]);
    }

    // what: RELEASE or TAKEOVER, which has a user.
    operate(resource, what, user, policy, { actor = 'op', reason = 'must', address = '', uid = -1, notAfter = 0, instance = 'i1' } = {}) {
        return this.room('operate', instance, resource, '', [notAfter, resource, what, actor, reason, address, uid, stored(policy), user]);
    }

    verify(resource, token, { notAfter = 0 } = {}) {
        return this.room('verify', 'i1', resource, '', [notAfter, resource, token]);
    }

    status(resource, { notAfter = 0 } = {}) {
        return this.room('status', 'i1', resource, '', [notAfter, resource]);
    }

    // user: whose acquire is judged; '': nobody's.
    inspect(resource, user, policy, { notAfter = 0 } = {}) {
        return this.room('inspect', 'i1', resource, user, [notAfter, resource, user, policy.tabs, policy.waiters, policy.listed]);
    }

    // Gives [resource, lock] of each.
    async list(resources, user = '', search = '') {
        const { names, ...reply } = await this.shard('list', 'i1', [0, user, search, ...resources]);
        return { ...reply, locks: Array.from({ length: names.length / 2 }, (_, i) => [names[2 * i], lockOf(unpack(names[2 * i + 1]))]) };
    }

    leave(resource, t, { notAfter = 0 } = {}) {
        return this.room('leave', t.instance, resource, t.user, [notAfter, resource, t.session, t.user, t.client]);
    }

    disconnect(resource, t, how, { ago = 0 } = {}) {
        return this.room('disconnect', t.instance, resource, t.user,
            [0, resource, t.session, t.user, t.client, how, ago]);
    }

    // lock: {token, state, user, name, client, page?, made, since, expires, until, dirty} or null.
    // waiters: as a reply has them, in order. seen: the highest token of the resource that the instance has seen; known:
    // the tick up to which it has read the events.
    report(resource, instance, members, lock, policy, { highest = 0, takeover = null, waiters = [], seen = 0, known = 0 } = {}) {
        const l = lock ?? { token: 0, state: '', user: '', name: '', client: '', made: false, since: 0, expires: 0, until: 0, dirty: 0 };
        const rest = members.flatMap((m) => [m.user, m.name, m.client, m.session, m.joined, m.page ?? '']);
        return this.room('report', instance, resource, l.user, [0, resource, highest, policy.listed, stored(policy),
            policy.ttl, policy.idle, l.token, l.state, l.user, l.name, l.client, l.made, l.since, l.expires,
            l.until, l.dirty, takeover ? packed(Object.values(takeover)) : '', l.prompt ?? 0,
            l.page ?? '', seen, known, waiters.length, ...waiters.flatMap((v) => [`${v.client}:${v.user}`, packed(Object.values(v).slice(2))]),
            ...rest]);
    }

    async stream(name = 'events') {
        const entries = await this.redis.command('XRANGE', this.key(name), '-', '+');
        return entries.map(([id, [, packed, , instance]]) => ({ id, instance, ...eventOf(packed) }));
    }
}
