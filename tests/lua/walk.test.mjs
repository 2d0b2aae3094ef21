// A seeded random walk: people with tabs and connections on several instances do what they like, time jumps, the store's
// clock is set, instances stall and die, connections break, the store is swapped, emptied and rolled back; after each
// step the scripts' reply is held against the model's, and every so often all that the store holds. What instances and
// tabs know is held against both: no two tabs have one lock, and what has been seen to be over does not come back.
// WALK_SEED and WALK_STEPS choose another walk.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Model } from './model.mjs';
import { Redis } from './redis.mjs';
import { endingOf, eventOf, lockOf, memberOf, POLICY, Scripts, unpackAll, waiterOf } from './scripts.mjs';
import { Unaudited } from './unaudited.mjs';
import { Beliefs, idOf, Instance, isOwned, View } from './observers.mjs';

const STEPS = Number(process.env.WALK_STEPS ?? 100000);
const TRAIL = Number(process.env.WALK_TRAIL ?? 0);
const SEED = Number(process.env.WALK_SEED ?? Math.floor(Math.random() * 2 ** 31));
const RESOURCES = ['doc:1:a', 'doc:1:b', 'doc:1:c', 'doc:2:a', 'rel:1:a', 'idl:1:a', 'idl:1:b'];
const INSTANCES = ['i1', 'i2', 'i3'];
const COMMAND_TIMEOUT = 5000;
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
        this.audit = new Unaudited(this.s);
        this.policies = POLICIES;
        this.sessions = 0;
        this.connections = []; // open ones; a stale one may speak up once more
        this.stale = [];
        this.tokens = [];
        this.asked = 0; // requests and takeovers
        this.real = 0; // ms, by everybody's own clock
        this.instances = new Map(INSTANCES.map((name) => [name, new Instance(name)]));
        this.beliefs = new Beliefs(this.s.lease);
        this.gone = []; // connections that have ended, of which the store is not told yet: {resource, t, real}
        this.seenTokens = new Map(); // resource -> the highest token that was reported in the open window
        this.floor = new Map(); // the same of windows that are over, until the store loses something
        this.endings = new Map(); // resource -> how many have been told, or reported
        this.over = new Map(); // `${resource} ${token} ${user}` -> how many there were when it was the newest
        this.kept = null; // the store and all that goes with it, as it was once
        this.furthest = this.m.now; // of the store's clock
        this.lostTick = 0; // what the shard's clock had reached before the store lost it
        this.trail = [];
        this.ahead = null; // whether the clock was set back: unnoticed, noticed, and not swept yet
        this.topToken = new Map();
        this.shown = new View(); // from events alone
        this.counts = {};
    }

    get alive() { return INSTANCES.filter((name) => !this.instances.get(name).stalled); }

    isStalled(name) { return this.instances.get(name).stalled; }

    // What led to a failure, for who looks into it: WALK_TRAIL=300 prints so many lines.
    note(text) {
        this.trail.push(`${this.real} ${this.m.now} ${text}`);
        this.trail.splice(0, this.trail.length - TRAIL);
    }

    endingsOf(resource) { return this.endings.get(resource) ?? 0; }

    count(what) { this.counts[what] = (this.counts[what] ?? 0) + 1; }

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
        const { alive } = this;
        return { user, name: `${user}!`, client, page, made, session, instance: this.pick(alive.length > 0 ? alive : INSTANCES) };
    }

    with(resource, t) { return { ...t, policy: this.policies[resource.slice(0, 3)] }; }

    // Not waited for: the next command comes after it.
    setTime(ms) {
        this.m.now = ms;
        this.furthest = Math.max(this.furthest, ms);
        this.s.setClock(ms);
    }

    tick(ms) {
        this.real += ms;
        this.setTime(this.m.now + ms);
    }

    // Time passes while the instances that have not stalled live on.
    async pass(ms) {
        for (let left = ms; left > 0; left -= 3000) {
            this.tick(Math.min(left, 3000));
            const { alive } = this;
            const steps = alive.map((name) => this.noticed(name));
            const replies = await Promise.all(alive.map((name, i) => this.lease(name, steps[i])));
            const late = alive.filter((name, i) => this.renewed(name, replies[i], steps[i]));
            for (const name of late) {
                await this.reportWindow(name);
            }
            // Who lives has reported after a while.
            for (const name of alive.filter((n) => this.isBehind(n) && this.m.now - this.m.window > 10000)) {
                await this.reportWindow(name, true);
            }
        }
    }

    isBehind(name) { return this.m.window > 0 && this.m.reported.get(name) !== this.m.window; }

    async renew(name) {
        const step = this.noticed(name);
        if (this.renewed(name, await this.lease(name, step), step)) {
            await this.reportWindow(name);
        }
    }

    // The step of the clock that an instance has noticed since its last renewal.
    noticed(name) {
        const instance = this.instances.get(name);
        const { step } = instance;
        instance.step = 0;
        return step;
    }

    async lease(name, step) {
        const written = this.chance(0.3) ? this.audit.all(name) : 0;
        const r = await this.s.renew(name, { written, step });
        this.audit.renewed(name, written, r.rev);
        return r;
    }

    // True if it has to report for having been late.
    renewed(name, r, step) {
        this.note(`renew ${name} step ${step} -> window ${r.window} late ${r.late}`);
        const instance = this.instances.get(name);
        if (step < 0 || this.m.renewed > this.m.now + 2000) {
            this.ahead = this.ahead && 'noticed';
        }
        const expected = this.m.renew(name, r.events, { step });
        assert.deepEqual({ late: r.late, window: r.window, events: r.events.map(flat) },
            { ...expected, events: expected.events.map(flat) }, `renew ${name}`);
        this.beliefs.lapse(instance, this.real);
        instance.leased = this.real;
        this.account(r);
        return r.late && r.window === 0;
    }

    // A tab was told the policy that its lock has, and believes for as long as that says.
    policyOf(resource, lock) {
        const policy = this.policies[resource.slice(0, 3)];
        if (!lock?.policy) {
            return policy;
        }
        const [ttl, idle, grace, claim, disconnect] = lock.policy.split(' ');
        return { ...policy, ttl: +ttl, idle: +idle, grace: +grace, claim: +claim, disconnect };
    }

    // What an instance has of one room, as it knows it.
    async report(name, resource) {
        const instance = this.instances.get(name);
        const { view } = instance;
        const lock = instance.reported(resource, this.real, this.m.now);
        const policy = this.policyOf(resource, lock);
        // Whose lock was confirmed for too long ago has been told that it is lost.
        const told = lock?.state !== 'held' || this.beliefs.has(resource, lock, instance, this.real) ? lock : null;
        if (told?.token > 0 && this.chance(0.03)) {
            told.token -= 1 + this.below(3);
        }
        if (told?.state === 'grace' && this.chance(0.03)) {
            told.page = this.pick(['', 'page-told']);
        }
        const waiters = [...view.room(resource).places.values()].map((p) => p.waiter).sort((a, b) => a.order - b.order);
        const options = {
            highest: this.chance(0.3) ? view.tick : 0, takeover: view.locks.get(resource)?.takeover ?? null, waiters,
            seen: instance.seen.get(resource) ?? 0, known: view.tick,
        };
        const members = [...instance.connections(resource).values()];
        if (this.m.window > 0) {
            this.noteToken(resource, options.seen);
        }
        this.raised ||= Math.max(options.highest, options.seen, told?.token ?? 0) > this.shown.tick;
        const r = await this.s.report(resource, name, members, told, policy, options);
        this.same(r, this.m.report(resource, name, members, told, policy, options),
            `report ${name} ${resource} ${JSON.stringify([members, told, options])}`);
        for (const m of members.filter(({ session }) => r.names.includes(session))) {
            instance.connections(resource).delete(idOf(m));
        }
        instance.sync(resource, r);
        this.tell(resource, r.lock, instance);
    }

    noteToken(resource, token) {
        this.seenTokens.set(resource, Math.max(token, this.seenTokens.get(resource) ?? 0));
    }

    // An instance tells which grants it was told have ended lately.
    async reportEndings(name) {
        const { endings, view } = this.instances.get(name);
        const lately = endings.filter(({ real, ending }) => real > this.real - 60000 && (ending.token > 0) && this.chance(0.95))
            .slice(-20).sort((a, b) => a.ending.token - b.ending.token);
        const list = lately.map(({ resource, ending }) => [resource, ending]);
        const highest = view.tick;
        const open = this.m.window > 0;
        this.raised ||= Math.max(highest, ...list.map(([, { token }]) => token)) > this.shown.tick;
        const r = await this.s.endings(name, list, { highest });
        const events = this.m.endings(list, { highest });
        assert.deepEqual(r.events.map(flat), events.map(flat), `endings ${name}`);
        for (const [resource, { token, user }] of open ? list : []) {
            this.endings.set(resource, this.endingsOf(resource) + 1);
            const newer = this.m.room(resource).ended.filter((e) => e.token > token).length;
            this.over.set(`${resource} ${token} ${user}`, this.endingsOf(resource) - newer);
            this.noteToken(resource, token);
        }
        this.account(r);
        this.counts.endings = (this.counts.endings ?? 0) + (open ? list.length : 0);
        for (const [resource, { token }] of list) {
            const lock = this.shown.locks.get(resource);
            assert.ok(!open || !isOwned(lock) || lock.token !== token, 'what has ended is still held');
        }
    }

    // In any order, and now and then not all of it.
    async reportAll(name, share = 1) {
        if (this.chance(0.9)) {
            await this.reportEndings(name);
        }
        const rooms = this.instances.get(name).rooms();
        for (let i = rooms.length - 1; i > 0; i--) {
            const j = this.below(i + 1);
            [rooms[i], rooms[j]] = [rooms[j], rooms[i]];
        }
        for (const resource of rooms.slice(0, Math.ceil(rooms.length * share))) {
            await this.report(name, resource);
        }
    }

    async reportWindow(name, all = false) {
        const instance = this.instances.get(name);
        const { window } = this.m;
        if (window > 0 && !all && this.chance(0.15)) {
            return this.reportAll(name, 0.5);
        }
        await this.reportAll(name);
        const peers = Object.fromEntries(INSTANCES.filter((other) => other !== name)
            .map((other) => [other, Math.round(this.m.now + this.instances.get(other).leased + this.s.lease - this.real)])
            .filter(([, at]) => at > 0));
        const r = await this.s.reportDone(name, window, { peers });
        this.note(`report_done ${name} ${window} ${JSON.stringify(peers)} -> ${r.window}`);
        const expected = this.m.reportDone(name, window, r.events, { peers });
        assert.deepEqual({ window: r.window, events: r.events.map(flat) }, { ...expected, events: expected.events.map(flat) }, 'report_done');
        if (window === 0 || window === this.m.window || this.m.window === 0) {
            instance.unsure = false;
        }
        this.account(r);
        this.readUnread(instance);
        return undefined;
    }

    // How the lock stands, as an instance tells its tabs.
    tell(resource, lock, instance) {
        this.beliefs.heard(resource, lock, instance);
        if (lock.state === 'held' && instance.connections(resource).has(idOf(lock))) {
            this.beliefs.hold(resource, lock, instance, this.real, this.m.now);
        }
    }

    same(actual, expected, what) {
        this.note(`${what} -> ${actual.outcome} window ${actual.window}`);
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
            this.show(e);
            this.spread(e, r.window > 0);
        }
        this.raised ||= r.rev > this.shown.tick;
        this.counts[r.outcome] = (this.counts[r.outcome] ?? 0) + 1;
        if (this.windowOpen && r.window === 0) {
            this.closed();
        }
        this.windowOpen = r.window > 0;
    }

    // The instances read it, and tell their tabs. Nobody is given what another believes to have.
    spread(e, inWindow) {
        const { resource } = e;
        for (const instance of this.instances.values()) {
            if (instance.stalled) {
                instance.unread.push(e);
            } else {
                const minds = instance.minds(e);
                instance.hear(e, this.real);
                if (e.kind === 'LOCK' && minds) {
                    this.tell(resource, e.lock, instance);
                }
            }
        }
        if (e.kind !== 'LOCK') {
            return;
        }
        if (e.ended) {
            this.beliefs.ended(resource, e.ended);
            this.endings.set(resource, this.endingsOf(resource) + 1);
        }
        if (!inWindow) {
            this.isAlone(resource, e.lock, e.cause);
        }
        if (isOwned(e.lock)) {
            assert.ok(inWindow || e.lock.token >= (this.floor.get(resource) ?? 0), 'a lock below a token that was seen');
            const then = this.over.get(`${resource} ${e.lock.token} ${e.lock.user}`);
            assert.ok(then === undefined || this.endingsOf(resource) - then > 15, 'what was reported to have ended is held again');
        }
    }

    // No two tabs are told that a lock is theirs. Inside a window a tab may go on under the token that it names until the
    // instance of one with a later token has reported.
    isAlone(resource, lock, cause) {
        const told = [...this.instances.values()].some((i) => !i.stalled && i.connections(resource).has(idOf(lock)));
        if (lock.state === 'held' && told) {
            const other = this.beliefs.other(resource, lock, this.real);
            assert.ok(!other, other && `${cause}: ${other[0]} on ${other[1].instance.name} believes in the lock under ${other[1].token} `
                + `for ${this.beliefs.until(other[1]) - this.real} ms`);
        }
    }

    // After a window no lock is confirmed below what its reports have seen.
    closed() {
        this.count('windows closed');
        this.shown.locks.forEach((lock, resource) => this.isAlone(resource, lock, 'after a window'));
        for (const [resource, token] of this.seenTokens) {
            this.floor.set(resource, Math.max(token, this.floor.get(resource) ?? 0));
        }
        this.seenTokens.clear();
        for (const [resource, token] of this.floor) {
            const lock = this.shown.locks.get(resource);
            assert.ok(!isOwned(lock) || lock.token >= token, 'a lock is confirmed below a token that was seen');
        }
    }

    show(e) {
        this.note(`  ${e.kind} ${e.resource} ${e.cause ?? ''} ${e.rev} ${JSON.stringify(e.lock ?? e.member ?? e.waiter ?? e.takeover ?? '')} `
            + `${e.ended ? JSON.stringify(e.ended) : ''}`);
        const { members, lock: before } = this.shown.room(e.resource);
        const what = { WAITER: `place ${e.cause}`, TAKEOVER: `takeover ${e.takeover?.ended || e.cause}`,
            OPERATION: `operator: ${e.cause}${e.ended ? ' of a grant' : ''}`, LOCK: e.cause }[e.kind];
        if (what) {
            this.count(what);
        }
        if (e.kind === 'TAKEOVER') {
            assert.equal(e.token, before.token, 'a takeover of another lock');
        } else if (e.kind === 'JOIN' || e.kind === 'LEAVE') {
            assert.equal(members.get(idOf(e.member))?.session ?? '', e.kind === 'JOIN' ? e.oldSession : e.member.session);
        } else if (e.kind === 'LOCK') {
            this.showLock(e, before, members);
        }
        this.shown.apply(e);
        assert.ok(e.count === undefined || members.size === e.count);
    }

    showLock(e, before, members) {
        if (e.takeover) {
            this.count(`taken: ${e.takeover.ended}`);
        }
        const { token } = e.lock;
        if (before?.token && before.token !== token) {
            assert.equal(e.ended?.token, before.token, 'a grant went without a word');
        } else {
            assert.equal(e.ended, null);
        }
        if (token && token !== before?.token) {
            const lifted = e.cause === 'RECOVERED' && e.ended?.reason === 'MOVED';
            if (lifted) {
                this.count('lifted');
                assert.equal(idOf(e.lock), idOf(before), 'a lock that goes on is another’s');
            }
            if (e.cause !== 'RECOVERED' || lifted) {
                assert.ok(token > (this.topToken.get(e.resource) ?? 0), 'a token did not grow');
                assert.equal(token, e.rev);
            }
            this.topToken.set(e.resource, Math.max(token, this.topToken.get(e.resource) ?? 0));
            this.tokens.push([e.resource, token]);
            this.tokens.splice(0, Math.max(0, this.tokens.length - 40));
        }
        if (e.lock.state === 'held') {
            assert.ok(members.has(idOf(e.lock)), 'held by someone who is not there');
        }
        if (before?.state !== 'reserved' && e.lock.state === 'reserved' && e.cause !== 'RECOVERED' && e.lock.client !== '') {
            assert.ok(members.has(idOf(e.lock)), 'reserved for someone who is not there');
        }
    }

    token(resource) {
        const { lock } = this.m.room(resource);
        return this.chance(0.5) ? lock.token : this.pick([0, 0, 7, ...this.tokens.slice(-8).map(([, token]) => token)]);
    }

    async step() {
        const dice = this.below(1000);
        if (dice < 60) {
            return this.pass(this.chance(0.08) ? this.below(70000) : this.below(5000));
        } else if (dice < 148) {
            this.tick(this.below(3));
            return undefined;
        } else if (dice < 150) {
            return this.stepClock();
        } else if (dice < 190) {
            return this.sweep();
        } else if (dice < 195) {
            return this.stall();
        } else if (dice < 197) {
            return this.swap();
        } else if (dice < 225 && this.m.window > 0) {
            return this.reportWindow(this.pick(this.chance(0.1) || this.alive.length === 0 ? INSTANCES : this.alive));
        } else if (dice < 228) {
            this.policies = this.policies === POLICIES ? RELOADED : POLICIES;
            return undefined;
        } else if (dice < 232) {
            return this.keep();
        } else if (dice < 240 && this.connections.length > 0) {
            return this.breakOff(this.pick(this.connections));
        } else if (dice < 248) {
            return this.tellGone();
        } else if (dice < 252) {
            return this.compare(this.pick(INSTANCES));
        }
        return this.act();
    }

    async stall() {
        const name = this.pick(INSTANCES);
        const instance = this.instances.get(name);
        this.note(`${name} ${instance.stalled ? 'is back' : 'stalls'}`);
        if (!instance.stalled) {
            instance.stalled = this.chance(0.5);
            return undefined;
        }
        instance.stalled = false;
        if (this.chance(0.5)) {
            this.readUnread(instance);
        }
        await this.renew(name);
        this.readUnread(instance);
        return undefined;
    }

    // What it missed, told to its tabs.
    readUnread(instance) {
        instance.catchUp(this.real);
        for (const resource of RESOURCES) {
            const lock = instance.view.locks.get(resource);
            if (lock) {
                this.beliefs.heard(resource, lock, instance);
            }
        }
    }

    // The store's clock is set, by little or by much, forward or back. Who lives notices, or does not.
    stepClock() {
        const by = this.chance(0.5) ? 2001 + this.below(4000) : this.pick([20000, 90000, 3600000]);
        const back = this.chance(0.5) && this.furthest - (this.m.now - by) < 12 * 3600000;
        this.count(`clock ${back ? 'back' : 'forward'}`);
        this.note(`clock ${back ? '-' : '+'}${by}`);
        if (!back) {
            this.beliefs.leap(by, this.instances.values(), this.real);
        }
        this.setTime(this.m.now + (back ? -by : by));
        this.ahead = back ? 'unnoticed' : this.ahead;
        // A renewal that was sent before a long one is noticed comes too late: see notAfter.
        for (const name of INSTANCES) {
            if ((!back && by > COMMAND_TIMEOUT) || (!this.isStalled(name) && this.chance(0.8))) {
                this.instances.get(name).step = back ? -by : by;
            }
        }
        this.mayRepeatTokens();
    }

    // Ticks that the store has lost are above all new ones only while its clock is.
    mayRepeatTokens() {
        if (this.lostTick > this.m.tick && this.m.now * 1000 <= this.lostTick) {
            this.topToken.clear();
            this.lostTick = 0;
        }
    }

    // As a replica has it that gets nothing any more.
    async keep() {
        await this.redis.command('EVAL', `redis.call('SELECT', 1) redis.call('FLUSHDB') redis.call('SELECT', 0)
            for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', 1) end`, 0);
        this.kept = { now: this.m.now, ahead: this.ahead, model: this.m.snapshot(), shown: structuredClone(this.shown), audit: this.audit.snapshot() };
    }

    // The store is another: with what this one held, with what it held once, or with nothing.
    async swap() {
        this.tick(1);
        this.windowOpen = false;
        const dice = this.below(this.kept ? 3 : 2);
        this.count(['replaced', 'emptied', 'rolled back'][dice]);
        this.note(`the store is ${['replaced', 'emptied', 'rolled back'][dice]}`);
        if (dice === 0) {
            await this.redis.command('HSET', this.s.key('meta'), 'replid', 'f'.repeat(40));
            this.m.known = false;
            return;
        }
        this.lostTick = Math.max(this.lostTick, this.m.tick);
        if (dice === 1) {
            await this.redis.command('FLUSHALL');
            this.m.forget();
            this.audit.forget();
            this.shown.forget();
            this.ahead = null;
        } else {
            this.ahead = this.kept.now > this.m.now ? 'unnoticed' : this.kept.ahead;
            await this.redis.command('FLUSHDB');
            await this.redis.command('SWAPDB', 0, 1);
            await this.redis.command('HSET', this.s.key('meta'), 'replid', 'f'.repeat(40));
            this.m.rollBack(this.kept.model);
            this.audit.rollBack(this.kept.audit);
            Object.assign(this.shown, this.kept.shown);
        }
        this.kept = null;
        this.s.setClock(this.m.now);
        this.raised = true;
        this.seenTokens.clear();
        this.floor.clear();
        this.over.clear();
        this.instances.forEach((instance) => instance.lose());
        this.mayRepeatTokens();
    }

    // A connection ends, and the store is not told for a while.
    breakOff(t) {
        const instance = this.instances.get(t.instance);
        for (const resource of RESOURCES.filter((r) => instance.connections(r).get(idOf(t))?.session === t.session)) {
            instance.breakOff(resource, t, this.real);
            this.beliefs.disconnected(resource, t, this.real);
            this.gone.push({ resource, t, real: this.real });
            this.count('broken off');
        }
        this.connections = this.connections.filter((c) => c !== t);
    }

    async tellGone() {
        for (const { resource, t, real } of this.gone.splice(0)) {
            const how = this.pick(['LOST', 'LOST', 'SERVER']);
            const ago = Math.round(this.real - real);
            const r = await this.s.disconnect(resource, t, how, { ago });
            this.same(r, this.m.disconnect(resource, t, how, { ago }), `gone ${ago}`);
            if (r.outcome === 'RECOVERING') {
                this.gone.push({ resource, t, real });
                this.count('gone, refused');
                continue;
            }
            this.beliefs.drop(resource, t);
            this.instances.get(t.instance).broken.delete(`${resource} ${idOf(t)}`);
        }
    }

    // An instance looks whether the store has connections of its that it knows nothing of.
    async compare(name) {
        const instance = this.instances.get(name);
        if (instance.stalled) {
            return;
        }
        for (const [resource, { members }] of this.m.rooms) {
            for (const m of [...members.values()].filter((x) => x.instance === name)) {
                const gone = this.gone.some(({ t }) => t.session === m.session);
                if (!gone && instance.connections(resource).get(idOf(m))?.session !== m.session) {
                    const t = this.with(resource, m);
                    this.same(await this.s.disconnect(resource, t, 'STRAY'), this.m.disconnect(resource, t, 'STRAY'), 'stray');
                    this.count(this.m.window > 0 ? 'stray in a window' : 'stray');
                }
            }
        }
    }

    async sweep() {
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
        this.m.setBack = await this.redis.command('HGET', this.s.key('meta'), 'back') !== null;
        this.ahead = !this.m.setBack && this.ahead === 'noticed' ? null : this.ahead;
        this.notAhead();
        if (!r.more && this.m.window === 0) {
            assert.ok(RESOURCES.every((resource) => !this.m.isDue(resource)), 'something due was left');
            assert.ok([...this.m.leases.keys()].every((instance) => !this.m.isDead(instance)), 'a dead instance was left');
        }
    }

    // Nothing lies further ahead than its own length, once a step back of the clock has been seen to.
    notAhead() {
        if (this.ahead === null) {
            assert.deepEqual(RESOURCES.filter((resource) => this.m.tooFar(resource)), [], 'a deadline too far ahead');
            assert.deepEqual([...this.m.leases].filter(([, at]) => at > this.m.now + this.m.lease), [], 'a lease too far ahead');
        }
    }

    // A sweep moves leases that ended in the gap on, and forgets the dead; which of them it got to depends on its limit.
    async followLeases() {
        const due = await this.redis.command('ZRANGE', this.s.key('due'), 0, -1, 'WITHSCORES');
        for (const [instance, at] of [...this.m.leases]) {
            if (!due.includes(`i:${instance}`)) {
                assert.ok(this.m.bury(instance), 'an instance was forgotten');
                continue;
            }
            const real = +due[due.indexOf(`i:${instance}`) + 1];
            const later = at <= this.m.now ? this.m.afterGap(at, this.m.lease) : Math.min(at, this.m.now + this.m.lease);
            assert.ok(real === at || real === later, 'a lease moved');
            this.m.leases.set(instance, real);
        }
    }

    // What a tab's own call tells it.
    replied(call, resource, t, r) {
        const instance = this.instances.get(t.instance);
        const mine = isOwned(r.lock) && idOf(r.lock) === idOf(t);
        if (r.status !== 'OK' || (['leave', 'disconnect'].includes(call) && r.outcome === 'RECOVERING')) {
            return;
        }
        const views = call === 'join' && r.joined && r.outcome !== 'GRANTED';
        if (['leave', 'disconnect'].includes(call) || r.outcome === 'RELEASED' || views) {
            this.beliefs.drop(resource, t);
        } else if (!instance.stalled && mine && ['GRANTED', 'RENEWED'].includes(r.outcome)) {
            this.tell(resource, r.lock, instance);
        } else if (instance.stalled && mine) {
            this.beliefs.shorten(resource, r.lock, this.real, this.m.now);
        } else if (!instance.stalled && !mine && r.outcome !== 'RECOVERING') {
            this.beliefs.drop(resource, t);
        }
    }

    async act() {
        if (this.connections.length < 10) {
            this.connections.push(this.connect());
        }
        const i = this.below(this.connections.length);
        if (this.chance(0.06)) {
            this.stale.push(this.connections[i]);
            this.stale.splice(0, Math.max(0, this.stale.length - 8)).forEach((t) => this.breakOff(t));
            this.connections[i] = this.chance(0.7) ? this.connect(this.connections[i]) : this.connect();
        }
        const speaker = this.stale.length > 0 && this.chance(0.12) ? this.pick(this.stale) : this.connections[i];
        if (this.isStalled(speaker.instance) ? this.chance(0.9) : this.isBehind(speaker.instance) && this.chance(0.7)) {
            return undefined;
        }
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
            const ago = this.pick([0, 0, 5, 40000]);
            const real = await this.s.disconnect(resource, t, how, { ago });
            this.same(real, this.m.disconnect(resource, t, how, { ago }), `disconnect ${how} ${ago}`);
            this.replied(call, resource, t, real);
        } else if (call === 'status') {
            this.same(await this.s.status(resource, options), this.m.status(resource, options), 'status');
        } else {
            const real = await this.s[call](resource, t, options);
            this.same(real, this.m[call](resource, t, options), `${call} ${resource} ${JSON.stringify([t, options])}`);
            this.replied(call, resource, t, real);
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
            return this.both('takeover', resource, t, `r${++this.asked}`, { urgent: this.chance(0.2), origin: `${t.session}\0` });
        } else if (dice < 80) {
            const action = this.pick(['APPROVE', what === 'TAKEOVER' ? 'DENY' : 'APPROVE', 'DENY', 'IGNORE']);
            return this.both('reply', resource, who, what, request, action, this.pick([null, 'v2']));
        }
        const queue = this.chance(0.3);
        return this.both('withdraw', resource, t, queue ? 'QUEUE' : what, queue ? '' : request);
    }

    async both(call, resource, ...args) {
        const real = await this.s[call](resource, ...args);
        this.same(real, this.m[call](resource, ...args), `${call} ${resource} ${JSON.stringify(args)}`);
        if (args[0].session) {
            this.replied(call, resource, args[0], real);
        }
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
        const expected = new Set([...this.m.highest.keys()].map((resource) => `highest:${resource}`));
        if (this.m.seen.size > 0) {
            expected.add('seen');
        }
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
    // Without small encodings a scan takes several calls.
    const redis = await Redis.start(SEED % 2 === 0 ? ['--zset-max-listpack-entries', '0'] : []);
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
        walk.trail.forEach((line) => t.diagnostic(line));
        throw error;
    } finally {
        await redis.stop();
    }
    assert.ok(STEPS < 20000 || walk.audit.handedOut > 0, 'no dead instance was handed out');
    t.diagnostic(`WALK_SEED=${SEED}: ${Object.entries(walk.counts).map(([k, v]) => `${k} ${v}`).join(', ')}`);
    for (const outcome of ['GRANTED', 'RENEWED', 'RELEASED', 'HELD', 'HELD_BY_YOU', 'GRACE', 'RECOVERING', 'TAB_LIMIT',
        'NOT_JOINED', 'NOT_HOLDER', 'LOST', 'VIEWERS_FULL', 'EXPIRED', 'GRACE_PERIOD_EXPIRED', 'RESUMED', 'MOVED',
        'DISCONNECT', 'RECOVERED', 'GRACE_STARTED', 'QUEUED', 'QUEUE_FULL', 'REQUESTED', 'OWN', 'REPLIED', 'WITHDRAWN', 'NOT_QUEUED',
        'UNKNOWN_REQUEST', 'PENDING', 'TAKEOVER_IN_PROGRESS', 'RESERVED', 'CLAIMED', 'TRANSFERRED', 'TAKEN_BY_ADMIN', 'RESERVATION_EXPIRED',
        'ADMIN_RELEASED', 'SESSION_TERMINATED', 'place ADMIN_RELEASED',
        ...['ADMIN_RELEASED', 'TAKEN_BY_ADMIN'].flatMap((cause) => [`operator: ${cause}`, `operator: ${cause} of a grant`]),
        ...['QUEUED', 'REQUESTED', 'APPROVED', 'DENIED', 'TIMEOUT', 'CANCELLED', 'LEFT', 'ABSENT', 'BACK', 'GONE', 'CLAIM_EXPIRED',
            'RECOVERED'].map((cause) => `place ${cause}`),
        ...['REQUESTED', 'DENIED', 'RECOVERED', 'CANCELLED', 'ADMIN_GONE', 'OVERTAKEN'].map((cause) => `takeover ${cause}`),
        ...['IMMEDIATE', 'URGENT', 'APPROVED', 'DENIED', 'TIMED_OUT', 'HOLDER_GONE', 'HOLDER_RELEASED'].map((how) => `taken: ${how}`),
        'replaced', 'emptied', 'rolled back', 'clock back', 'clock forward', 'windows closed', 'endings', 'lifted', 'STORE_LOST',
        'broken off', 'stray']) {
        assert.ok(STEPS < 60000 || walk.counts[outcome] > 0, `the walk never saw ${outcome}`);
    }
});
