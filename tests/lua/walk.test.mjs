// A seeded random walk: people with tabs and connections on several instances do what they like, time jumps,
// instances stall and die, the store is swapped and emptied; after each step the scripts' reply is held against the
// model's, and every so often all that the store holds. WALK_SEED and WALK_STEPS choose another walk.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Model } from './model.mjs';
import { Redis } from './redis.mjs';
import { endingOf, eventOf, lockOf, memberOf, POLICY, Scripts, unpackAll, waiterOf } from './scripts.mjs';
import { Unwritten } from './unwritten.mjs';

const STEPS = Number(process.env.WALK_STEPS ?? 100000);
const SEED = Number(process.env.WALK_SEED ?? Math.floor(Math.random() * 2 ** 31));
const RESOURCES = ['doc:1:a', 'doc:1:b', 'doc:1:c', 'doc:2:a', 'rel:1:a', 'idl:1:a', 'idl:1:b'];
const INSTANCES = ['i1', 'i2', 'i3'];
const USERS = ['ann', 'bob', 'cy: the third', 'dee'];
const POLICIES = {
    doc: {
        ...POLICY, tabs: 1, viewers: 3, listed: 2, ttl: 60000, heartbeat: 20000, grace: 20000, waiters: 2, claim: 12000,
        request: 25000, takeover: 9000,
    },
    rel: { ...POLICY, disconnect: 'release', tabs: -1, ttl: 40000, heartbeat: 10000, request: 15000, takeover: 0 },
    idl: {
        ...POLICY, disconnect: 'prompt', idle: 25000, tabs: 2, viewers: 4, ttl: 90000, waiters: -1, claim: 8000, takeover: 20000,
    },
};
const RELOADED = {
    doc: { ...POLICIES.doc, waiters: 0, disconnect: 'prompt', claim: 5000 },
    rel: { ...POLICIES.rel, waiters: 3, takeover: 5000 },
    idl: { ...POLICIES.idl, idle: -1, ttl: 15000, grace: 5000, takeover: 0 },
};

function mulberry32(seed) {
    let a = seed >>> 0;
    return () => {
        a = (a + 0x6d2b79f5) >>> 0;
        let t = Math.imul(a ^ (a >>> 15), a | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

const VIEW = ['state', 'user', 'name', 'client', 'token', 'since', 'expires', 'idle', 'until', 'dirty', 'made', 'told', 'queued',
    'prompt', 'page', 'takeover'];
const view = (lock) => VIEW.map((field) => lock[field]);
const flat = (e) => (e.kind === 'LOCK' ? { ...e, lock: view(e.lock) } : e);
// A lock that nobody has and somebody wants is due, since when is not said.
const next = (r) => (r.lock.state === 'free' && r.next > 0 && r.next <= r.now ? 'due' : r.next);
const comparable = (r) => (r.status === 'OK'
    ? { ...r, next: next(r), lock: view(r.lock), events: r.events.map(flat), names: [...r.names].sort() } : r);

class Walk {
    constructor(redis, seed) {
        this.random = mulberry32(seed);
        this.redis = redis;
        this.s = new Scripts(redis);
        this.s.longestGrace = 30000;
        this.m = new Model({ lease: this.s.lease, isPrivate: false, longestGrace: 30000 });
        this.audit = new Unwritten(this.s);
        this.policies = POLICIES;
        this.sessions = 0;
        this.connections = []; // open ones; a stale one may speak up once more
        this.stale = [];
        this.tokens = [];
        this.asked = 0; // requests and takeovers
        this.stalled = new Set();
        this.memory = new Map(); // what instances last knew of the rooms: `${instance} ${resource}`
        this.topToken = new Map();
        this.shown = { tick: 0, locks: new Map(), members: new Map(), places: new Map() }; // from events alone
        this.counts = {};
    }

    below(n) { return Math.floor(this.random() * n); }

    pick(list) { return list[this.below(list.length)]; }

    chance(p) { return this.random() < p; }

    connect(tab = null) {
        const session = `s${this.sessions++}`;
        const made = tab ? tab.made : this.chance(0.25);
        const user = tab?.user ?? this.pick(USERS);
        const client = made ? `made${session}` : tab?.client ?? `tab${this.below(2)}`;
        // The same page on another connection, or another one: the tab was loaded again, or duplicated.
        const page = tab && this.chance(0.5) ? tab.page : this.pick(['', `page${session}`]);
        return { user, name: `${user}!`, client, page, made, session, instance: this.pick(INSTANCES) };
    }

    with(resource, t) { return { ...t, policy: this.policies[resource.slice(0, 3)] }; }

    // Not waited for: the next command comes after it.
    setTime(ms) {
        this.m.now = ms;
        this.s.setClock(ms);
    }

    // Time passes while the instances that have not stalled live on.
    async pass(ms) {
        for (let left = ms; left > 0; left -= 3000) {
            this.setTime(this.m.now + Math.min(left, 3000));
            const alive = INSTANCES.filter((i) => !this.stalled.has(i));
            const replies = await Promise.all(alive.map((instance) => this.lease(instance)));
            const late = alive.filter((instance, i) => this.renewed(instance, replies[i]));
            for (const instance of late) {
                await this.reportWindow(instance);
            }
        }
    }

    async renew(instance) {
        if (this.renewed(instance, await this.lease(instance))) {
            await this.reportWindow(instance);
        }
    }

    async lease(instance) {
        const written = this.chance(0.3) ? this.audit.all(instance) : 0;
        const r = await this.s.renew(instance, { written });
        this.audit.renewed(instance, written, r.rev);
        return r;
    }

    // True if it has to report for having been late.
    renewed(instance, r) {
        assert.deepEqual({ late: r.late, window: r.window }, this.m.renew(instance));
        this.account(r);
        return r.late && r.window === 0;
    }

    // What an instance knows of a room: kept fresh from what there is, unless the store has forgotten it.
    recollect() {
        for (const [resource, { lock, members }] of this.m.rooms) {
            for (const instance of INSTANCES) {
                const own = [...members.values()].filter((m) => m.instance === instance);
                if (own.length > 0 || lock.state === 'grace') {
                    const waiters = [...this.shown.places.get(resource)?.values() ?? []].map((p) => p.waiter)
                        .sort((a, b) => a.order - b.order);
                    const takeover = lock.takeover && { ...lock.takeover };
                    this.memory.set(`${instance} ${resource}`, { members: own, lock: { ...lock, takeover }, waiters });
                }
            }
        }
    }

    async report(instance, resource) {
        const { members, lock, waiters } = this.memory.get(`${instance} ${resource}`);
        const policy = this.policies[resource.slice(0, 3)];
        const mine = lock.state === 'grace' || lock.state === 'reserved'
            || (lock.state === 'held' && members.some((m) => m.client === lock.client && m.user === lock.user));
        const told = mine ? { ...lock } : null;
        if (told?.token > 0 && this.chance(0.05)) {
            told.token -= 1 + this.below(3);
        }
        if (told?.state === 'grace' && this.chance(0.1)) {
            told.page = this.pick(['', 'page-told']);
        }
        const options = { highest: this.chance(0.3) ? this.shown.tick : 0, takeover: lock.takeover, waiters };
        const r = await this.s.report(resource, instance, members, told, policy, options);
        this.same(r, this.m.report(resource, instance, members, told, policy, options), `report ${instance} ${resource}`);
    }

    async reportAll(instance) {
        for (const resource of RESOURCES) {
            if (this.memory.has(`${instance} ${resource}`)) {
                await this.report(instance, resource);
            }
        }
        for (const key of [...this.memory.keys()].filter((k) => k.startsWith(`${instance} `))) {
            this.memory.delete(key);
        }
    }

    async reportWindow(instance) {
        await this.reportAll(instance);
        const { window } = this.m;
        const r = await this.s.reportDone(instance, window);
        assert.deepEqual({ window: r.window }, this.m.reportDone(instance, window));
        this.account(r);
    }

    same(actual, expected, what) {
        try {
            assert.deepEqual(comparable(actual), comparable(expected));
        } catch (error) {
            error.message = `${what}: ${error.message}`;
            throw error;
        }
        this.account(actual);
    }

    // What the events alone must show: one unbroken chain, one holder at a time, tokens that only grow.
    account(r) {
        for (const e of r.events ?? []) {
            assert.ok(e.prev >= this.shown.tick, 'the chain of ticks is broken');
            assert.ok(e.prev === this.shown.tick || this.raised, 'an event is missing');
            assert.ok(e.rev > e.prev);
            this.raised = false;
            this.shown.tick = e.rev;
            this.show(e);
        }
        this.raised ||= r.rev > this.shown.tick;
        this.counts[r.outcome] = (this.counts[r.outcome] ?? 0) + 1;
    }

    show(e) {
        const members = this.shown.members.get(e.resource) ?? new Map();
        this.shown.members.set(e.resource, members);
        const places = this.shown.places.get(e.resource) ?? new Map();
        this.shown.places.set(e.resource, places);
        if (e.kind === 'PLACE') {
            const id = `${e.waiter.client}:${e.waiter.user}`;
            const what = `place ${e.cause}`;
            this.counts[what] = (this.counts[what] ?? 0) + 1;
            if (e.there) {
                places.set(id, { waiter: e.waiter, turn: false });
            } else {
                places.delete(id);
            }
            return;
        }
        if (e.kind === 'TAKEOVER') {
            const what = `takeover ${e.takeover.ended || e.cause}`;
            this.counts[what] = (this.counts[what] ?? 0) + 1;
            const lock = this.shown.locks.get(e.resource);
            assert.equal(e.token, lock.token, 'a takeover of another lock');
            lock.takeover = e.takeover.ended === '' ? e.takeover : null;
            return;
        }
        if (e.kind === 'OPERATION') {
            const what = `operator: ${e.cause}${e.ended ? ' of a grant' : ''}`;
            this.counts[what] = (this.counts[what] ?? 0) + 1;
            return;
        }
        if (e.kind !== 'LOCK') {
            const id = `${e.member.client}:${e.member.user}`;
            assert.equal(members.get(id)?.session ?? '', e.kind === 'JOIN' ? e.oldSession : e.member.session);
            if (e.kind === 'JOIN') {
                members.set(id, e.member);
            } else {
                members.delete(id);
            }
            assert.equal(members.size, e.count);
            return;
        }
        this.counts[e.cause] = (this.counts[e.cause] ?? 0) + 1;
        if (e.takeover) {
            const what = `taken: ${e.takeover.ended}`;
            this.counts[what] = (this.counts[what] ?? 0) + 1;
        }
        const before = this.shown.locks.get(e.resource);
        const { token } = e.lock;
        // Who gets the lock waits no more, and whose turn it was has had it.
        for (const [id, place] of places) {
            const named = id === `${e.lock.client}:${e.lock.user}`;
            if (named && e.lock.state === 'reserved') {
                place.turn = true;
            } else if (named || place.turn) {
                places.delete(id);
            }
        }
        if (before?.token && before.token !== token) {
            assert.equal(e.ended?.token, before.token, 'a grant went without a word');
        } else {
            assert.equal(e.ended, null);
        }
        if (token && token !== before?.token) {
            if (e.cause !== 'RECOVERED') {
                assert.ok(token > (this.topToken.get(e.resource) ?? 0), 'a token did not grow');
                assert.equal(token, e.rev);
            }
            this.topToken.set(e.resource, Math.max(token, this.topToken.get(e.resource) ?? 0));
            this.tokens.push([e.resource, token]);
            this.tokens.splice(0, Math.max(0, this.tokens.length - 40));
        }
        if (e.lock.state === 'held') {
            assert.ok(members.has(`${e.lock.client}:${e.lock.user}`), 'held by someone who is not there');
        }
        if (before?.state !== 'reserved' && e.lock.state === 'reserved' && e.cause !== 'RECOVERED' && e.lock.client !== '') {
            assert.ok(members.has(`${e.lock.client}:${e.lock.user}`), 'reserved for someone who is not there');
        }
        this.shown.locks.set(e.resource, e.lock);
    }

    token(resource) {
        const { lock } = this.m.room(resource);
        return this.chance(0.5) ? lock.token : this.pick([0, 0, 7, ...this.tokens.slice(-8).map(([, token]) => token)]);
    }

    async step() {
        const dice = this.below(1000);
        if (dice < 60) {
            return this.pass(this.chance(0.08) ? this.below(70000) : this.below(5000));
        } else if (dice < 150) {
            this.setTime(this.m.now + this.below(3));
            return undefined;
        } else if (dice < 190) {
            return this.sweep();
        } else if (dice < 195) {
            return this.stall();
        } else if (dice < 197) {
            return this.swap();
        } else if (dice < 225 && this.m.window > 0) {
            return this.reportWindow(this.pick(INSTANCES));
        } else if (dice < 228) {
            this.policies = this.policies === POLICIES ? RELOADED : POLICIES;
            return undefined;
        }
        return this.act();
    }

    async stall() {
        const instance = this.pick(INSTANCES);
        if (this.stalled.delete(instance)) {
            return this.renew(instance);
        }
        this.recollect();
        this.stalled.add(instance);
        return undefined;
    }

    // The store is another, with or without what this one held.
    async swap() {
        this.recollect();
        this.setTime(this.m.now + 1);
        if (this.chance(0.5)) {
            await this.redis.command('HSET', this.s.key('meta'), 'replid', 'f'.repeat(40));
            this.m.known = false;
            return;
        }
        await this.redis.command('FLUSHALL');
        this.s.setClock(this.m.now);
        this.m.forget();
        this.audit.forget();
        this.shown.locks.clear();
        this.shown.members.clear();
        this.shown.places.clear();
        this.shown.tick = 0;
        this.raised = true;
    }

    async sweep() {
        if (this.m.leases.size > 0 && this.stalled.size > 0) {
            this.recollect();
        }
        const r = await this.s.sweep({ limit: 1 + this.below(5) });
        const events = this.m.sweep(r.events);
        assert.deepEqual(r.events.map(flat), events.map(flat));
        this.account(r);
        if (r.names.length > 0) {
            await this.audit.check(r.names);
            if (this.chance(0.8)) {
                await this.audit.settle(r.names[0]);
            }
        }
        await this.followLeases();
        if (!r.more && this.m.window === 0) {
            assert.ok(RESOURCES.every((resource) => !this.m.isDue(resource)), 'something due was left');
            assert.ok([...this.m.leases.keys()].every((instance) => !this.m.isDead(instance)), 'a dead instance was left');
        }
    }

    // A sweep moves leases that ended in the gap on; which of them it got to depends on its limit.
    async followLeases() {
        const due = await this.redis.command('ZRANGE', this.s.key('due'), 0, -1, 'WITHSCORES');
        for (const [instance, at] of this.m.leases) {
            const real = +due[due.indexOf(`i:${instance}`) + 1];
            assert.ok(real === at || (at <= this.m.now && real === this.m.afterGap(at, this.m.lease)), 'a lease moved');
            this.m.leases.set(instance, real);
        }
    }

    async act() {
        if (this.connections.length < 10) {
            this.connections.push(this.connect());
        }
        const i = this.below(this.connections.length);
        if (this.chance(0.06)) {
            this.stale.push(this.connections[i]);
            this.stale.splice(0, Math.max(0, this.stale.length - 8));
            this.connections[i] = this.chance(0.7) ? this.connect(this.connections[i]) : this.connect();
        }
        const speaker = this.stale.length > 0 && this.chance(0.12) ? this.pick(this.stale) : this.connections[i];
        const joined = RESOURCES.filter((r) => this.m.isIn(r, speaker));
        const resource = joined.length > 0 && this.chance(0.85) ? this.pick(joined) : this.pick(RESOURCES);
        const t = this.with(resource, speaker);
        const notAfter = this.chance(0.02) ? this.m.now - 1 : this.pick([0, this.m.now]);
        const outside = joined.length === 0 && this.chance(0.8);
        if (!outside && this.chance(0.3)) {
            return this.hand(resource, t);
        }
        const pending = RESOURCES.filter((r) => this.m.room(r).lock.takeover);
        if (pending.length > 0 && this.chance(0.2)) {
            const room = this.pick(pending);
            const here = this.connections.filter((c) => this.m.isIn(room, c));
            return here.length > 0 ? this.hand(room, this.with(room, this.pick(here))) : undefined;
        }
        if (this.chance(0.02)) {
            return this.operate(this.chance(0.9) ? resource : this.pick(RESOURCES), notAfter);
        }
        const [call, options] = this.request(resource, notAfter, outside);
        if (call === 'verify') {
            const token = this.token(resource);
            this.same(await this.s.verify(resource, token, options), this.m.verify(resource, token, options), 'verify');
        } else if (call === 'disconnect') {
            const how = this.pick(['LEFT', 'LOST', 'LOST', 'SERVER', 'TERMINATED']);
            this.same(await this.s.disconnect(resource, t, how), this.m.disconnect(resource, t, how), `disconnect ${how}`);
        } else if (call === 'status') {
            this.same(await this.s.status(resource, options), this.m.status(resource, options), 'status');
        } else {
            const real = await this.s[call](resource, t, options);
            this.same(real, this.m[call](resource, t, options), `${call} ${resource} ${JSON.stringify([t, options])}`);
        }
        return undefined;
    }

    operate(resource, notAfter) {
        const what = this.pick(['RELEASE', 'TAKEOVER']);
        const user = what === 'TAKEOVER' ? this.pick([...USERS, 'zoe']) : '';
        return this.both('operate', resource, what, user, this.policies[resource.slice(0, 3)], { notAfter, uid: this.pick([-1, 0, 1000]) });
    }

    // What makes a lock change hands: requests and takeovers, their answers, their end. Often by who may.
    hand(resource, t) {
        const { lock, places, turn, members } = this.m.room(resource);
        const at = (session) => this.connections.find((c) => c.session === session);
        const holder = at(members.get(`${lock.client}:${lock.user}`)?.session);
        const asked = [...places, turn].filter((p) => p?.request);
        const [what, id] = lock.takeover && this.chance(asked.length > 0 ? 0.3 : 0.9) ? ['TAKEOVER', lock.takeover.request]
            : ['REQUEST', asked.length > 0 ? this.pick(asked).request : 'r0'];
        const request = this.chance(0.95) ? id : `r${this.below(this.asked + 1)}`;
        const who = holder && this.chance(0.9) ? this.with(resource, holder) : t;
        const dice = this.below(100);
        if (dice < 25) {
            return this.both('request', resource, t, `r${++this.asked}`, { message: this.pick(['', 'please']), most: this.pick([1, 3]) });
        } else if (dice < 45) {
            return this.both('takeover', resource, t, `r${++this.asked}`, { urgent: this.chance(0.2) });
        } else if (dice < 80) {
            const action = this.pick(['APPROVE', what === 'TAKEOVER' ? 'DENY' : 'APPROVE', 'DENY', 'IGNORE']);
            return this.both('reply', resource, who, what, request, action, this.pick([null, 'v2']));
        }
        const queue = this.chance(0.3);
        return this.both('withdraw', resource, t, queue ? 'QUEUE' : what, queue ? '' : request);
    }

    async both(call, resource, ...args) {
        this.same(await this.s[call](resource, ...args), this.m[call](resource, ...args), `${call} ${resource} ${JSON.stringify(args)}`);
    }

    request(resource, notAfter, outside) {
        const dice = outside ? 0 : this.below(100);
        if (dice < 26) {
            return ['join', { notAfter, edit: this.chance(0.7), token: this.chance(0.6) ? 0 : this.token(resource) }];
        } else if (dice < 48) {
            return ['acquire', { notAfter, how: this.pick(['acquire', 'acquire', 'takeOwn', 'claim']) }];
        } else if (dice < 74) {
            return ['heartbeat', {
                notAfter, token: this.token(resource), active: this.chance(0.7), dirty: this.pick([-1, -1, -1, 0, 1]),
            }];
        } else if (dice < 82) {
            return ['release', { notAfter, token: this.token(resource), revision: this.pick([null, '', 'v1']) }];
        } else if (dice < 85) {
            return ['leave', { notAfter }];
        } else if (dice < 91) {
            return ['disconnect', {}];
        }
        return [this.pick(['status', 'verify']), { notAfter }];
    }

    // All that the store holds, against the model; and what the events showed, against both.
    async inspect() {
        const name = (key) => key.slice(this.s.key('').length);
        const keys = (await this.redis.command('KEYS', this.s.key('*'))).sort();
        const due = await this.redis.command('ZRANGE', this.s.key('due'), 0, -1, 'WITHSCORES');
        const expected = new Set();
        for (const [resource, { lock, members, ended, places, turn }] of this.m.rooms) {
            const [raw, hash, room, endings, queue, waiters] = await Promise.all([
                this.redis.command('GET', this.s.key(`lock:${resource}`)),
                this.redis.command('HGETALL', this.s.key(`member:${resource}`)),
                this.redis.command('ZRANGE', this.s.key(`room:${resource}`), 0, -1, 'WITHSCORES'),
                this.redis.command('LRANGE', this.s.key(`ended:${resource}`), 0, -1),
                this.redis.command('ZRANGE', this.s.key(`queue:${resource}`), 0, -1, 'WITHSCORES'),
                this.redis.command('HGETALL', this.s.key(`waiter:${resource}`)),
            ]);
            const shown = this.shown.locks.get(resource) ?? { state: 'free' };
            assert.equal(shown.state, lock.state, 'the events do not give the state');
            assert.equal(raw !== null, lock.state !== 'free' || places.length > 0 || lock.takeover !== null);
            const at = due.indexOf(`r:${resource}`);
            const deadline = this.m.deadline(resource);
            assert.equal(at >= 0, deadline > 0, 'due');
            assert.ok(at < 0 || +due[at + 1] <= deadline, 'due too late');
            if (raw !== null) {
                assert.deepEqual(view(lockOf(unpackAll(Buffer.from(raw)))), view(this.m.view(resource)));
                expected.add(`lock:${resource}`);
            }
            if (lock.state !== 'free') {
                for (const field of ['user', 'client', 'token', 'since', 'until', 'name', 'prompt', 'page', 'takeover']) {
                    assert.deepEqual(shown[field], lock[field], `the events do not give ${field}`);
                }
                const { children, document, child } = this.heldBy(resource, lock.user);
                assert.ok(lock.state === 'reserved' || (children.has(resource) && document && child));
            }
            const id = (p) => `${p.client}:${p.user}`;
            assert.deepEqual(queue, places.flatMap((p) => [id(p), `${p.order}`]));
            const all = [...places, turn].filter((p) => p);
            const known = new Map();
            for (let i = 0; i < waiters.length; i += 2) {
                known.set(waiters[i], waiterOf(waiters[i], unpackAll(waiters[i + 1])[0]));
            }
            assert.deepEqual(known, new Map(all.map((p) => [id(p), p])));
            const told = [...this.shown.places.get(resource) ?? []];
            assert.deepEqual(told.map(([key]) => key).sort(), [...known.keys()].sort(), 'the events do not give the places');
            for (const [key, { waiter, turn: has }] of told) {
                const over = waiter.kind === 1 && { request: '', message: '', ends: 0 };
                assert.ok(has ? turn && id(turn) === key : true, 'the events do not give whose turn it is');
                assert.deepEqual(has ? {} : { ...waiter, ...over }, has ? {} : known.get(key), 'the events do not give a place');
            }
            if (all.length > 0) {
                expected.add(`waiter:${resource}`);
            }
            if (places.length > 0) {
                expected.add(`queue:${resource}`);
            }
            const real = new Map();
            for (let i = 0; i < hash.length; i += 2) {
                real.set(hash[i], memberOf(hash[i], hash[i + 1]));
            }
            assert.deepEqual(real, members);
            assert.ok(lock.state !== 'held' || members.get(`${lock.client}:${lock.user}`).page === lock.page, 'held on another page');
            assert.deepEqual(this.shown.members.get(resource) ?? new Map(), members);
            assert.deepEqual(room.filter((_, i) => i % 2 === 0).sort(), [...members.keys()].sort());
            assert.deepEqual(endings.map((e) => endingOf(e)), ended);
            if (members.size > 0) {
                expected.add(`member:${resource}`).add(`room:${resource}`);
            }
            if (ended.length > 0) {
                expected.add(`ended:${resource}`);
            }
        }
        for (const instance of INSTANCES) {
            const listed = await this.redis.command('SMEMBERS', this.s.key(`instance:${instance}`));
            const there = [...this.m.rooms].flatMap(([resource, r]) => [...r.members].filter(([, m]) => m.instance === instance)
                .map(([id]) => `${resource} ${id}`));
            assert.deepEqual(listed.sort(), there.sort());
            if (there.length > 0) {
                expected.add(`instance:${instance}`);
            }
            assert.equal(due.includes(`i:${instance}`), this.m.leases.has(instance));
        }
        for (const [key, children] of this.m.held) {
            const [document, ...user] = key.split(' ');
            const redisKey = `held:${document}:${user.join(' ')}`;
            const stored = await this.redis.command('HKEYS', this.s.key(redisKey));
            assert.deepEqual(stored.map((child) => `${document}:${child}`).sort(), [...children].sort());
            if (children.size > 0) {
                expected.add(redisKey);
            }
        }
        const rest = keys.map(name).filter((k) => !['meta', 'due', 'events', 'audit', 'instances', 'written'].includes(k));
        assert.deepEqual(rest, [...expected].sort(), 'keys left behind');
    }

    heldBy(resource, user) {
        const colon = resource.lastIndexOf(':');
        return { children: this.m.children(resource, user), document: resource.slice(0, colon), child: resource.slice(colon + 1) };
    }

    // The stream holds what the replies said, byte for byte in the same order.
    async readStream() {
        const entries = await this.redis.command('XREVRANGE', this.s.key('events'), '+', '-', 'COUNT', 50);
        const events = entries.map(([id, [, packed]]) => ({ id, ...eventOf(packed) })).reverse();
        for (let i = 0; i < events.length; i++) {
            assert.equal(events[i].id, `${events[i].rev}-0`);
            assert.ok(i === 0 || events[i].prev >= events[i - 1].rev);
        }
        if (events.length > 0) {
            assert.equal(events.at(-1).rev, this.shown.tick);
        }
    }
}

test(`a walk of ${STEPS} steps, seed ${SEED}`, { timeout: 300000 }, async (t) => {
    const redis = await Redis.start();
    const walk = new Walk(redis, SEED);
    let n = 0;
    try {
        await walk.s.load();
        await walk.setTime(walk.s.ms);
        await walk.s.open();
        walk.m.begin();
        for (; n < STEPS; n++) {
            await walk.step();
            if (n % 100 === 0) {
                await walk.inspect();
                await walk.readStream();
            }
        }
        await redis.command('PING'); // the last step's clock has been set
    } catch (error) {
        error.message = `step ${n} of the walk with WALK_SEED=${SEED}: ${error.message}`;
        throw error;
    } finally {
        await redis.stop();
    }
    assert.ok(STEPS < 20000 || walk.audit.handedOut > 0, 'no dead instance was handed out');
    t.diagnostic(`WALK_SEED=${SEED}: ${Object.entries(walk.counts).map(([k, v]) => `${k} ${v}`).join(', ')}`);
    for (const outcome of ['GRANTED', 'RENEWED', 'RELEASED', 'HELD', 'HELD_BY_YOU', 'GRACE', 'RECOVERING', 'TAB_LIMIT',
        'NOT_JOINED', 'NOT_HOLDER', 'LOST', 'VIEWERS_FULL', 'EXPIRED', 'GRACE_PERIOD_EXPIRED', 'RESUMED', 'MOVED',
        'DISCONNECT', 'RECOVERED', 'GRACE_STARTED', 'QUEUED', 'QUEUE_FULL', 'REQUESTED', 'OWN', 'REPLIED', 'WITHDRAWN', 'NOT_QUEUED',
        'UNKNOWN', 'PENDING', 'TAKEOVER_IN_PROGRESS', 'RESERVED', 'CLAIMED', 'TRANSFERRED', 'TAKEN_BY_ADMIN', 'RESERVATION_EXPIRED',
        'ADMIN_RELEASED', 'SESSION_TERMINATED', 'place ADMIN_RELEASED',
        ...['ADMIN_RELEASED', 'TAKEN_BY_ADMIN'].flatMap((cause) => [`operator: ${cause}`, `operator: ${cause} of a grant`]),
        ...['QUEUED', 'REQUESTED', 'APPROVED', 'DENIED', 'TIMEOUT', 'CANCELLED', 'LEFT', 'ABSENT', 'BACK', 'GONE', 'CLAIM_EXPIRED',
            'RECOVERED'].map((cause) => `place ${cause}`),
        ...['REQUESTED', 'DENIED', 'RECOVERED', 'CANCELLED', 'ADMIN_GONE', 'OVERTAKEN'].map((cause) => `takeover ${cause}`),
        ...['IMMEDIATE', 'URGENT', 'APPROVED', 'DENIED', 'TIMED_OUT', 'HOLDER_GONE', 'HOLDER_RELEASED'].map((how) => `taken: ${how}`)]) {
        assert.ok(STEPS < 20000 || walk.counts[outcome] > 0, `the walk never saw ${outcome}`);
    }
});
