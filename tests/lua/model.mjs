// The rules of the lock as plainly as they can be said: docs/lock-states.md and docs/architecture.md, on plain
// objects, for the random walk to hold against the scripts. Nothing here was taken from the Lua.

const FREE = {
    state: 'free', user: '', name: '', client: '', token: 0, since: 0, expires: 0, idle: 0, until: 0, dirty: 0, made: 0,
    lastEvent: 0, prompt: 0, page: '', takeover: null, policy: null,
};

const QUEUES = 1;
const REQUESTS = 2;
const BOTH = 3;
const idOf = (t) => `${t.client}:${t.user}`;
const isOwned = (lock) => lock.state === 'held' || lock.state === 'grace';
// Whether the owner's tab, on another connection with this page, may go on under the lock's token.
const keepsToken = (lock, { page }) => (page && lock.page ? page === lock.page : lock.state === 'grace');

export class Model {
    constructor({ lease, isPrivate, longestGrace }) {
        Object.assign(this, { lease, isPrivate, longestGrace, now: 0 });
        this.forget();
    }

    // The store is empty.
    forget() {
        this.rooms = new Map();
        this.leases = new Map(); // incarnation -> ms
        this.reported = new Map(); // incarnation -> the window that it last reported in
        this.held = new Map(); // "document user" -> children, in the order in which they came
        this.tick = 0;
        this.window = 0;
        this.valid = null; // null: the store knows nothing about its past
        this.renewed = null;
        this.gap = { from: null, to: null };
        this.known = false; // does the store know its own identity
        this.lost = false; // may the store have lost writes before the last window
        this.setBack = false; // the clock was set back, and not all has been looked at since
        this.lastWindow = 0;
        this.seen = new Map(); // resource -> the highest token that was told of in the open window
        this.highest = new Map(); // the same of windows that are over, where nobody had the lock
        this.events = [];
    }

    // All that the store holds, as it is now; and back to that.
    snapshot() {
        const { lease, isPrivate, longestGrace, now, ...held } = this;
        return structuredClone(held);
    }

    rollBack(snapshot) {
        Object.assign(this, structuredClone(snapshot));
        this.known = false;
    }

    room(resource) {
        if (!this.rooms.has(resource)) {
            this.rooms.set(resource, {
                lock: { ...FREE }, members: new Map(), ended: [],
                places: [], // who waits, by order
                turn: null, // the place of the one that the lock is reserved for
            });
        }
        return this.rooms.get(resource);
    }

    // Every call begins so; true where it came too late.
    begin(notAfter = 0) {
        this.events = [];
        if (notAfter > 0 && this.now > notAfter) {
            return true;
        }
        if (!this.known || (this.window === 0 && this.valid !== null && this.now > this.valid)) {
            this.openWindow(!this.known);
        }
        return false;
    }

    // The gap begins with the last lease that was renewed. One that follows another within 5 s is the same.
    openWindow(lost) {
        const { from, to } = this.gap;
        const begin = this.renewed ?? this.now;
        const goesOn = from !== null && (this.window > 0 || (to !== null && begin - to < 5000));
        this.gap.from = goesOn ? Math.min(from, begin) : begin;
        this.window = Math.max(this.now, this.window + 1);
        this.lastWindow = this.window;
        this.known = true;
        this.lost = lost;
    }

    nextTick() {
        const prev = this.tick;
        this.tick = Math.max(prev + 1, this.now * 1000);
        return { rev: this.tick, prev };
    }

    // The lock as it is told.
    view(resource) {
        const { lock, places } = this.room(resource);
        return { ...lock, queued: places.length, takeover: lock.takeover && { ...lock.takeover } };
    }

    tellLock(resource, cause, actor, ended = null, takeover = null) {
        const ticks = this.nextTick();
        this.events.push({
            kind: 'LOCK', ...ticks, resource, actor, cause, lock: this.view(resource), ended,
            ...(takeover && { takeover: { ...takeover } }),
        });
    }

    tellPlace(resource, cause, place, there, actor) {
        const ticks = this.nextTick();
        this.events.push({
            kind: 'WAITER', ...ticks, resource, actor, cause, waiter: { ...place }, there,
            queued: this.room(resource).places.length, median: this.median(resource),
        });
    }

    tellTakeover(resource, cause, takeover, actor) {
        const ticks = this.nextTick();
        const { token } = this.room(resource).lock;
        this.events.push({ kind: 'TAKEOVER', ...ticks, resource, actor, cause, takeover: { ...takeover }, token });
    }

    median(resource) {
        const took = this.room(resource).ended.map((e) => Math.max(0, e.ended - e.since)).sort((a, b) => a - b);
        return took.length > 0 ? took[Math.ceil(took.length / 2) - 1] : -1;
    }

    grantLock(resource, cause, actor, ended = null, takeover = null) {
        const { lock } = this.room(resource);
        lock.token = Math.max(this.tick + 1, this.now * 1000);
        lock.since = this.now;
        this.tellLock(resource, cause, actor, ended, takeover);
    }

    tellMember(kind, resource, actor, member, old = null) {
        const ticks = this.nextTick();
        this.events.push({
            kind, ...ticks, resource, actor, member: { ...member }, oldSession: old?.session ?? '',
            oldInstance: old?.instance ?? '', count: this.room(resource).members.size,
        });
    }

    children(resource, user) {
        const key = `${resource.slice(0, resource.lastIndexOf(':'))} ${user}`;
        if (!this.held.has(key)) {
            this.held.set(key, new Set());
        }
        return this.held.get(key);
    }

    remember(resource, reason, { revision = null, by = '', request = '' } = {}) {
        const { lock, ended } = this.room(resource);
        const ending = {
            user: lock.user, name: lock.name, client: lock.client, token: lock.token, reason, dirty: lock.dirty, revision,
            since: lock.since, ended: this.now, by, request,
        };
        ended.unshift(ending);
        ended.splice(16);
        return ending;
    }

    end(resource, reason, actor, { decision, ...more } = {}) {
        const ending = this.remember(resource, reason, more);
        this.children(resource, this.room(resource).lock.user).delete(resource);
        this.passOn(resource, reason, actor, ending, decision);
    }

    // The first of those who wait and are here.
    head(resource) {
        const { members, places } = this.room(resource);
        return places.find((p) => members.has(idOf(p))) ?? null;
    }

    isWanted(resource) {
        const { lock } = this.room(resource);
        return lock.state === 'free' && (lock.takeover !== null || this.head(resource) !== null);
    }

    // Nobody has the lock: the takeover, then the head of the queue, then nobody. Inside a window nobody is given anything.
    passOn(resource, cause, actor, ended = null, decision = null) {
        const room = this.room(resource);
        const { policy, takeover } = room.lock;
        const open = this.window === 0;
        if (open && takeover && room.members.has(idOf(takeover))) {
            const why = { TRANSFERRED: 'APPROVED', RELEASED: 'HOLDER_RELEASED' };
            this.give(resource, takeover, cause, actor, ended, decision ?? why[cause] ?? 'HOLDER_GONE');
            return;
        }
        const next = open ? this.head(resource) : null;
        room.turn = next;
        if (next) {
            this.drop(resource, next);
            room.lock = {
                ...FREE, state: 'reserved', user: next.user, name: next.name, client: next.client, made: next.made,
                until: this.now + policy.claim, lastEvent: this.now, policy,
            };
        } else {
            room.lock = { ...FREE, takeover: open ? null : takeover, policy };
        }
        this.tellLock(resource, cause, actor, ended);
    }

    give(resource, takeover, cause, actor, ended, decision) {
        const room = this.room(resource);
        const { policy } = room.lock;
        const { page } = room.members.get(idOf(takeover));
        this.drop(resource, takeover);
        room.turn = null;
        room.lock = {
            ...FREE, state: 'held', user: takeover.user, name: takeover.name, client: takeover.client, made: takeover.made,
            page, policy, expires: this.now + policy.ttl, idle: policy.idle > 0 ? this.now + policy.idle : 0, lastEvent: this.now,
        };
        this.children(resource, takeover.user).add(resource);
        this.grantLock(resource, cause === 'TRANSFERRED' ? cause : 'TAKEN_BY_ADMIN', actor, ended,
            { ...takeover, ended: decision });
    }

    cancelTakeover(resource, ended, actor) {
        const { lock } = this.room(resource);
        const { takeover } = lock;
        lock.takeover = null;
        this.tellTakeover(resource, 'CANCELLED', { ...takeover, ended }, actor);
    }

    // The place of this tab, also when it is its turn.
    place(resource, t) {
        const { places, turn } = this.room(resource);
        return [...places, ...(turn ? [turn] : [])].find((p) => idOf(p) === idOf(t)) ?? null;
    }

    drop(resource, t) {
        const room = this.room(resource);
        room.places = room.places.filter((p) => idOf(p) !== idOf(t));
    }

    put(resource, place) {
        const room = this.room(resource);
        room.places = [...room.places.filter((p) => idOf(p) !== idOf(place)), place]
            .sort((a, b) => a.order - b.order || (idOf(a) < idOf(b) ? -1 : 1));
    }

    // A new place, or one that is for both now. False: there are too many.
    ask(resource, t, kind, most, more = {}) {
        const { places } = this.room(resource);
        let place = this.place(resource, t);
        if (place && (place.kind === kind || place.kind === BOTH)) {
            return true;
        }
        if (!place && most >= 0 && places.length >= most) {
            return false;
        }
        place ??= {
            user: t.user, client: t.client, name: t.name, order: Math.max(this.tick + 1, this.now * 1000), kind: 0, request: '',
            message: '', ends: 0, length: 0, until: 0, grace: t.policy.grace, made: +t.made, since: this.now,
        };
        Object.assign(place, more, { kind: place.kind | kind });
        this.put(resource, place);
        this.tellPlace(resource, kind === REQUESTS ? 'REQUESTED' : 'QUEUED', place, true, t.session);
        return true;
    }

    // A place is not for this any more. A request that is over is told as it was.
    part(resource, place, kind, cause, actor) {
        if (place.kind === kind) {
            this.drop(resource, place);
            this.tellPlace(resource, cause, place, false, actor);
            return;
        }
        place.kind -= kind;
        const was = { ...place };
        if (kind === REQUESTS) {
            Object.assign(place, { request: '', message: '', ends: 0 });
        }
        this.tellPlace(resource, cause, was, true, actor);
    }

    isTurn(resource, t) {
        const { lock } = this.room(resource);
        return lock.state === 'reserved' && idOf(lock) === idOf(t);
    }

    // An operator has it reserved for this one, on whatever tab.
    isUsersTurn(resource, t) {
        const { lock } = this.room(resource);
        return lock.state === 'reserved' && lock.client === '' && lock.user === t.user;
    }

    decline(resource, cause, actor, why = 'RESERVATION_EXPIRED') {
        const room = this.room(resource);
        const place = room.turn ?? (room.lock.client === '' ? this.nowhere(room.lock) : null);
        room.turn = null;
        if (place) {
            this.tellPlace(resource, cause, place, false, actor);
        }
        this.passOn(resource, why, actor);
    }

    // What is told as the place of who has the lock reserved without having waited.
    nowhere({ user, client, name }) {
        return {
            user, client, name, order: 0, kind: QUEUES, request: '', message: '', ends: 0, length: 0, until: 0, grace: 0, made: 0,
            since: this.now,
        };
    }

    back(resource, t, actor) {
        const place = this.room(resource).places.find((p) => idOf(p) === idOf(t));
        if (place && place.until > 0) {
            place.until = 0;
            this.tellPlace(resource, 'BACK', place, true, actor);
        }
    }

    serve(resource, actor) {
        if (this.window === 0 && this.isWanted(resource)) {
            this.passOn(resource, 'RESERVED', actor);
        }
    }

    // What is due of those who wait, in the order in which it happens when it is due at once.
    others(resource) {
        const { lock, places } = this.room(resource);
        const all = places.flatMap((place) => [{ at: place.until, place, field: 'until' }, { at: place.ends, place, field: 'ends' }]);
        const { takeover } = lock;
        return [...(takeover && lock.state !== 'free' ? [{ at: takeover.forceAt, takeover }] : []), ...all.filter(({ at }) => at > 0)];
    }

    deadline(resource) {
        const { lock } = this.room(resource);
        const all = this.others(resource).map(({ at }) => at);
        if (lock.state === 'held') {
            all.push(lock.expires, ...(lock.idle > 0 ? [lock.idle] : []));
        } else if (lock.state !== 'free') {
            all.push(lock.until);
        } else if (this.isWanted(resource)) {
            all.push(this.now);
        }
        return all.length > 0 ? Math.min(...all) : 0;
    }

    // A deadline that fell into the gap counts from its end: with its whole length, or what was left of it.
    afterGap(at, length, { left = false } = {}) {
        const { from, to } = this.gap;
        const more = left ? Math.min(length, at - from) : length;
        return to !== null && from <= at && at <= to ? to + more : at;
    }

    isDue(resource) {
        const at = this.deadline(resource);
        return at > 0 && at <= this.now;
    }

    settle(resource) {
        while (this.window === 0 && this.isDue(resource)) {
            const at = this.deadline(resource);
            const other = this.others(resource).find((o) => o.at === at);
            if (this.isWanted(resource)) {
                this.serve(resource, '');
            } else if (other?.takeover) {
                this.settleTakeover(resource, other.takeover);
            } else if (other) {
                this.settlePlace(resource, other);
            } else {
                this.settleLock(resource);
            }
        }
    }

    settleTakeover(resource, takeover) {
        const later = this.afterGap(takeover.forceAt, takeover.length);
        if (later > this.now) {
            takeover.forceAt = later;
            this.tellTakeover(resource, 'RECOVERED', takeover, '');
        } else if (this.room(resource).members.has(idOf(takeover))) {
            const decision = takeover.denied ? 'DENIED' : 'TIMED_OUT';
            this.end(resource, 'TAKEN_BY_ADMIN', '', { by: takeover.name, request: takeover.request, decision });
        } else {
            this.cancelTakeover(resource, 'ADMIN_GONE', '');
        }
    }

    settlePlace(resource, { place, field, at }) {
        const later = this.afterGap(at, field === 'until' ? place.grace : place.length);
        if (later > this.now) {
            place[field] = later;
            this.tellPlace(resource, 'RECOVERED', place, true, '');
        } else if (field === 'until') {
            this.drop(resource, place);
            this.tellPlace(resource, 'GONE', place, false, '');
        } else {
            this.part(resource, place, REQUESTS, 'TIMEOUT', '');
        }
    }

    settleLock(resource) {
        const { lock } = this.room(resource);
        const held = lock.expires <= this.now ? ['expires', 'ttl'] : ['idle', 'idle'];
        const [field, length] = { held, grace: ['until', 'grace'], reserved: ['until', 'claim'] }[lock.state];
        const later = this.afterGap(lock[field], lock.policy[length], { left: length === 'ttl' });
        if (later > this.now) {
            lock[field] = later;
            lock.lastEvent = this.now;
            this.tellLock(resource, 'RECOVERED', '');
        } else if (lock.state === 'reserved') {
            this.decline(resource, 'CLAIM_EXPIRED', '');
        } else {
            this.end(resource, lock.state === 'held' ? 'EXPIRED' : 'GRACE_PERIOD_EXPIRED', '');
        }
    }

    isIn(resource, t) {
        return this.room(resource).members.get(`${t.client}:${t.user}`)?.session === t.session;
    }

    // What an acquire would do: a way to hold the lock, a place to wait, or a denial. how: acquire, takeOwn or claim.
    wants(resource, t, { connected, how, token, most = t.policy.waiters, limit = t.policy.tabs }) {
        const { lock } = this.room(resource);
        const mine = isOwned(lock) && lock.user === t.user;
        const myTab = mine && lock.client === t.client;
        if (myTab && connected && lock.state === 'held') {
            return this.window > 0 && (this.lost || this.isBelowSeen(resource)) ? { denied: 'RECOVERING' } : { way: 'renew' };
        }
        if (myTab && token === lock.token && keepsToken(lock, t)) {
            return this.window > 0 && this.isBelowSeen(resource) ? { denied: 'RECOVERING' } : { way: 'resume' };
        }
        if (this.window > 0) {
            return { denied: 'RECOVERING' };
        }
        if (myTab || (how !== 'claim' && mine && lock.state === 'grace' && t.made && lock.made === 1)) {
            return { way: 'retoken' };
        }
        if (mine && how === 'takeOwn') {
            return { way: 'move' };
        }
        if (limit >= 0) {
            const others = () => [...this.children(resource, t.user)].filter((r) => r !== resource);
            if (others().length >= limit) {
                others().forEach((r) => this.settle(r));
                if (others().length >= limit) {
                    return { denied: 'TAB_LIMIT', names: others() };
                }
            }
        }
        if (lock.state === 'free' || (lock.state === 'reserved' && lock.user === t.user)) {
            return { way: 'grant' };
        }
        if (how === 'claim') {
            const head = this.head(resource);
            const first = !head || idOf(head) === idOf(t);
            return lock.prompt === 1 && first && !lock.takeover ? { way: 'claim' } : { denied: lock.state.toUpperCase() };
        }
        if (mine) {
            return { denied: 'HELD_BY_YOU' };
        }
        return most === 0 ? { denied: lock.state.toUpperCase() } : { waits: true };
    }

    hold(resource, t, way) {
        const room = this.room(resource);
        const before = room.lock;
        const fresh = way !== 'renew' && way !== 'resume';
        let ending = null;
        if (fresh && isOwned(before)) {
            ending = this.remember(resource, way === 'claim' ? 'CLAIMED' : 'MOVED', { by: way === 'claim' ? t.name : '' });
            if (way === 'claim') {
                this.children(resource, before.user).delete(resource);
            }
        }
        const previous = way === 'grant' || way === 'claim' ? room.ended[0] ?? null : null;
        room.lock = {
            ...before, state: 'held', user: t.user, name: t.name, client: t.client, made: +t.made, policy: t.policy,
            expires: this.now + t.policy.ttl, idle: t.policy.idle > 0 ? this.now + t.policy.idle : 0, until: 0, prompt: 0,
            page: t.page, dirty: fresh ? 0 : before.dirty,
        };
        this.children(resource, t.user).add(resource);
        if (way === 'renew') {
            if (this.now - before.lastEvent >= t.policy.heartbeat / 2) {
                room.lock.lastEvent = this.now;
                this.tellLock(resource, 'RENEWED', t.session);
            }
            return { outcome: 'GRANTED', previous };
        }
        room.lock.lastEvent = this.now;
        if (way === 'resume') {
            this.tellLock(resource, 'RESUMED', t.session);
        } else {
            room.turn = null;
            this.drop(resource, t);
            const cause = { grant: before.state === 'free' ? 'ACQUIRED' : 'CLAIMED', claim: 'CLAIMED', retoken: 'RESUMED', move: 'MOVED' };
            this.grantLock(resource, cause[way], t.session, ending);
        }
        return {
            outcome: 'GRANTED', resumed: way === 'resume' || way === 'retoken',
            previous: way === 'move' ? ending : previous,
        };
    }

    answer(resource, more) {
        return {
            status: 'OK', rev: this.tick, now: this.now, window: this.window, next: this.deadline(resource), resumed: false,
            joined: false, late: false, more: false, unreadable: false, lock: this.view(resource), limit: 0,
            previous: null, lost: null, events: this.events, names: [], members: [], count: 0, ...more,
        };
    }

    // The part of an answer that is about those who wait. t: whose place is asked for; listed: all of them are.
    waiting(resource, t, listed) {
        const { places, turn } = this.room(resource);
        const own = t && this.place(resource, t);
        return {
            place: own ? { position: places.indexOf(own) + 1, request: own.request, ends: own.ends } : null,
            median: this.median(resource),
            waiters: listed ? [...places, ...(turn ? [turn] : [])].map((p) => ({ ...p })) : [],
        };
    }

    // Where somebody waits, or has the lock reserved.
    waitingIfAny(resource, t) {
        const { lock, places } = this.room(resource);
        return places.length > 0 || lock.state === 'reserved' ? this.waiting(resource, t, true) : {};
    }

    passTurn(resource, t) {
        const { lock } = this.room(resource);
        if (lock.state === 'reserved' && lock.user === t.user) {
            this.decline(resource, 'LEFT', t.session);
        }
    }

    late() {
        return { status: 'LATE', outcome: 'NONE', rev: this.tick, now: this.now, window: this.window };
    }

    acquire(resource, t, { how = 'acquire', notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        if (!this.isIn(resource, t)) {
            return this.answer(resource, { outcome: 'NOT_JOINED' });
        }
        const { way, waits, denied, names } = this.wants(resource, t, { connected: true, how, token: 0 });
        if (waits) {
            return this.ask(resource, t, QUEUES, t.policy.waiters)
                ? this.answer(resource, { outcome: 'QUEUED', ...this.waiting(resource, t, false) })
                : this.answer(resource, { outcome: 'QUEUE_FULL' });
        }
        if (denied) {
            if (names) {
                this.passTurn(resource, t);
            }
            return this.answer(resource, { outcome: denied, names: names ?? [], limit: names ? t.policy.tabs : 0 });
        }
        const held = this.hold(resource, t, way);
        return this.answer(resource, held);
    }

    join(resource, t, { edit = false, token = 0, notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        const room = this.room(resource);
        const id = `${t.client}:${t.user}`;
        const old = room.members.get(id);
        const again = old?.session === t.session;
        const verdict = edit ? this.wants(resource, t, { connected: again, how: 'acquire', token }) : {};
        const { lock } = room;
        const myTab = isOwned(lock) && lock.user === t.user && lock.client === t.client;
        const mine = myTab || (lock.state === 'grace' && lock.user === t.user && t.made && lock.made === 1);
        if (!verdict.way && !old && !mine && t.policy.viewers >= 0) {
            const viewers = room.members.size - (lock.state === 'held' ? 1 : 0);
            if (viewers + 1 > t.policy.viewers) {
                return this.answer(resource, { outcome: 'VIEWERS_FULL', limit: t.policy.viewers });
            }
        }
        let lost = null;
        if (token !== 0 && !(mine && lock.token === token)) {
            const over = this.window === 0 || token < lock.token;
            lost = this.recall(resource, t.user, token) ?? (over ? this.forgotten(token, 'NOT_HELD') : null);
        }
        if (!again) {
            this.enter(resource, { ...t, joined: this.now }, t.session);
        }
        let outcome = { outcome: verdict.denied ?? 'NONE', names: verdict.names ?? [], limit: verdict.names ? t.policy.tabs : 0 };
        if (verdict.way) {
            outcome = this.hold(resource, t, verdict.way);
        } else if (myTab && !again && lock.state === 'held') {
            this.loseOwner(resource, t.session, true);
        } else {
            this.back(resource, t, t.session);
            this.serve(resource, t.session);
        }
        if (verdict.names) {
            this.passTurn(resource, t);
        } else if (verdict.waits) {
            outcome.outcome = this.ask(resource, t, QUEUES, t.policy.waiters) ? 'QUEUED' : 'QUEUE_FULL';
        }
        return this.answer(resource, {
            ...outcome, joined: true, lost, ...this.listed(resource, t.policy.listed), ...this.waitingIfAny(resource, t),
        });
    }

    listed(resource, most) {
        const { lock, members } = this.room(resource);
        const all = [...members].sort(([a, x], [b, y]) => y.joined - x.joined || (a < b ? 1 : -1)).map(([, m]) => m);
        const list = all.slice(0, most);
        const holder = all.find((m) => lock.state === 'held' && m.user === lock.user && m.client === lock.client);
        if (holder && most > 0 && !list.includes(holder)) {
            list[list.length - 1] = holder;
        }
        return { members: list.map((m) => ({ ...m })), count: members.size };
    }

    enter(resource, m, actor) {
        const room = this.room(resource);
        const id = `${m.client}:${m.user}`;
        const old = room.members.get(id);
        const member = { user: m.user, name: m.name, client: m.client, session: m.session, instance: m.instance, joined: m.joined, page: m.page };
        room.members.set(id, member);
        this.tellMember('JOIN', resource, actor, member, old);
    }

    recall(resource, user, token) {
        return this.room(resource).ended.find((e) => e.user === user && e.token === token);
    }

    forgotten(token, reason) {
        return { user: '', name: '', client: '', token, reason, dirty: 0, revision: null, since: 0, ended: 0, by: '', request: '' };
    }

    // The owner's connection has gone. plain: grace, whatever the type says. ago: ms since then.
    loseOwner(resource, actor, plain, ago = 0) {
        const { lock } = this.room(resource);
        const pending = lock.takeover !== null;
        if (pending ? this.window === 0 : !plain && lock.policy.disconnect === 'release') {
            this.end(resource, 'DISCONNECT', actor);
            return;
        }
        Object.assign(lock, {
            state: 'grace', until: this.now + Math.max(lock.policy.grace - ago, 1), idle: 0, lastEvent: this.now,
            prompt: +(!plain && lock.policy.disconnect === 'prompt'),
        });
        this.tellLock(resource, 'GRACE_STARTED', actor);
    }

    heartbeat(resource, t, { token = 0, active = true, dirty = -1, notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        const { lock } = this.room(resource);
        if (!this.isIn(resource, t)) {
            return this.answer(resource, { outcome: 'NOT_JOINED' });
        }
        const lost = (reason) => this.answer(resource, { outcome: 'LOST', lost: this.forgotten(token, reason) });
        const right = isOwned(lock) && lock.user === t.user && lock.client === t.client && (token === 0 || token === lock.token);
        if (this.window > 0 && ((right && this.isBelowSeen(resource))
            || (token > lock.token && !this.recall(resource, t.user, token)))) {
            return this.answer(resource, { outcome: 'RECOVERING' });
        }
        if (!isOwned(lock) || lock.user !== t.user || lock.client !== t.client) {
            return lost('NOT_HELD');
        }
        if (token !== 0 && token !== lock.token) {
            return lost('STALE_TOKEN');
        }
        if (lock.state === 'grace') {
            const fresh = token === 0 || !keepsToken(lock, t);
            if (fresh && this.window > 0) {
                return this.answer(resource, { outcome: 'RECOVERING' });
            }
            const ending = fresh ? this.remember(resource, 'MOVED') : null;
            Object.assign(lock, {
                state: 'held', name: t.name, made: +t.made, page: t.page, policy: t.policy, until: 0, prompt: 0, lastEvent: this.now,
                expires: this.now + t.policy.ttl, idle: t.policy.idle > 0 ? this.now + t.policy.idle : 0,
                dirty: dirty >= 0 ? dirty : lock.dirty,
            });
            if (fresh) {
                this.grantLock(resource, 'RESUMED', t.session, ending);
            } else {
                this.tellLock(resource, 'RESUMED', t.session);
            }
            return this.answer(resource, { outcome: 'RENEWED', resumed: true });
        }
        const tell = this.now - lock.lastEvent >= t.policy.heartbeat / 2 || (dirty >= 0 && dirty !== lock.dirty);
        lock.expires = this.now + t.policy.ttl;
        lock.policy = t.policy;
        lock.dirty = dirty >= 0 ? dirty : lock.dirty;
        if (t.policy.idle <= 0) {
            lock.idle = 0;
        } else if (active || lock.idle === 0) {
            lock.idle = this.now + t.policy.idle;
        }
        if (tell) {
            lock.lastEvent = this.now;
            this.tellLock(resource, 'RENEWED', t.session);
        }
        return this.answer(resource, { outcome: 'RENEWED' });
    }

    release(resource, t, { token = 0, revision = null, notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        const { lock } = this.room(resource);
        if (!this.isIn(resource, t)) {
            return this.answer(resource, { outcome: 'NOT_JOINED' });
        }
        if (this.window > 0) {
            return this.answer(resource, { outcome: 'RECOVERING' });
        }
        if (this.isTurn(resource, t) || this.isUsersTurn(resource, t)) {
            this.decline(resource, 'LEFT', t.session);
            return this.answer(resource, { outcome: 'RELEASED' });
        }
        const mine = isOwned(lock) && lock.user === t.user && lock.client === t.client;
        if (mine && (token === 0 || token === lock.token)) {
            this.end(resource, 'RELEASED', t.session, { revision });
            return this.answer(resource, { outcome: 'RELEASED' });
        }
        const before = this.recall(resource, t.user, token);
        return this.answer(resource, { outcome: before?.reason === 'RELEASED' ? 'RELEASED' : 'NOT_HOLDER' });
    }

    status(resource, { notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        return this.answer(resource, { outcome: 'NONE' });
    }

    verify(resource, token, { notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        const { lock, ended } = this.room(resource);
        if (this.window > 0) {
            return this.answer(resource, { outcome: 'RECOVERING' });
        }
        if (isOwned(lock) && lock.token === token) {
            return this.answer(resource, { outcome: 'NONE' });
        }
        const latest = ended.find((e) => e.token > token) ?? null;
        const newer = latest !== null || lock.token > token;
        const lost = ended.find((e) => e.token === token) ?? this.forgotten(token, newer ? 'STALE_TOKEN' : 'NOT_HELD');
        return this.answer(resource, { outcome: 'LOST', lost, previous: latest });
    }

    // What the four calls below answer before anything else; nothing where they may go on.
    refuse(resource, t) {
        this.begin();
        this.settle(resource);
        if (!this.isIn(resource, t)) {
            return this.answer(resource, { outcome: 'NOT_JOINED' });
        }
        return this.window > 0 ? this.answer(resource, { outcome: 'RECOVERING' }) : null;
    }

    request(resource, t, request, { message = '', most = 100 } = {}) {
        const refused = this.refuse(resource, t);
        if (refused) {
            return refused;
        }
        const { lock, places } = this.room(resource);
        if (lock.state !== 'free' && lock.user === t.user) {
            return this.answer(resource, { outcome: 'OWN' });
        }
        const { turn } = this.room(resource);
        const asked = [...places, turn].find((p) => p && p.user === t.user && p.kind !== QUEUES);
        if (!asked) {
            const before = lock.policy;
            lock.policy = lock.state === 'free' ? t.policy : before;
            const more = { request, message, ends: this.now + t.policy.request, length: t.policy.request };
            if (!this.ask(resource, t, REQUESTS, most, more)) {
                lock.policy = before;
                return this.answer(resource, { outcome: 'QUEUE_FULL' });
            }
            this.serve(resource, t.session);
        }
        return this.answer(resource, { outcome: 'REQUESTED', ...this.waiting(resource, asked ?? t, false) });
    }

    reply(resource, t, what, request, action, revision = null) {
        const refused = this.refuse(resource, t);
        if (refused) {
            return refused;
        }
        const room = this.room(resource);
        const { takeover } = room.lock;
        const asked = what === 'TAKEOVER'
            ? takeover?.request === request && takeover
            : room.places.find((p) => p.kind !== QUEUES && p.request === request);
        const known = isOwned(room.lock) && asked;
        if (!known || idOf(room.lock) !== idOf(t)) {
            const before = action === 'APPROVE' && room.ended.some((e) => e.user === t.user && e.request === request
                && e.reason === 'TRANSFERRED');
            return this.answer(resource, { outcome: before ? 'REPLIED' : known ? 'NOT_HOLDER' : 'UNKNOWN_REQUEST' });
        }
        if (action === 'APPROVE' && !room.members.has(idOf(asked))) {
            return this.answer(resource, { outcome: 'UNKNOWN_REQUEST' });
        }
        let resumed = room.lock.state === 'grace';
        if (resumed) {
            this.hold(resource, t, keepsToken(room.lock, t) ? 'resume' : 'retoken');
        }
        if (action === 'APPROVE' && what === 'TAKEOVER') {
            this.end(resource, 'TRANSFERRED', t.session, { revision, by: asked.name, request });
        } else if (action === 'APPROVE') {
            const order = Math.max(this.tick + 1, this.now * 1000) - 9e15;
            this.put(resource, Object.assign(asked, { order, kind: REQUESTS, ends: 0 }));
            if (takeover || this.head(resource) !== asked) {
                this.tellPlace(resource, 'APPROVED', asked, true, t.session);
            }
            this.end(resource, 'TRANSFERRED', t.session,
                { revision, by: takeover?.name ?? asked.name, request, decision: 'HOLDER_RELEASED' });
        } else if (action === 'DENY' && what === 'REQUEST') {
            this.part(resource, asked, REQUESTS, 'DENIED', t.session);
        } else if (action === 'DENY' && !asked.denied) {
            asked.denied = 1;
            this.tellTakeover(resource, 'DENIED', asked, t.session);
        }
        resumed &&= action !== 'APPROVE';
        return this.answer(resource, { outcome: 'REPLIED', resumed });
    }

    withdraw(resource, t, what, request = '') {
        const refused = this.refuse(resource, t);
        if (refused) {
            return refused;
        }
        const { lock, places, turn } = this.room(resource);
        const done = (outcome) => this.answer(resource, { outcome });
        if (what === 'TAKEOVER') {
            if (lock.takeover?.request !== request || lock.takeover.user !== t.user) {
                return done('UNKNOWN_REQUEST');
            }
            this.cancelTakeover(resource, 'CANCELLED', t.session);
            return done('WITHDRAWN');
        }
        const queue = what === 'QUEUE';
        const place = queue ? this.place(resource, t)
            : [...places, turn].find((p) => p && p.kind !== QUEUES && p.request === request && p.user === t.user);
        const its = queue ? this.isTurn(resource, t) || (!place && this.isUsersTurn(resource, t)) : place && place === turn;
        if (its) {
            this.decline(resource, queue ? 'LEFT' : 'CANCELLED', t.session);
        } else if (!place || (queue && place.kind === REQUESTS)) {
            return done(queue ? 'NOT_QUEUED' : 'UNKNOWN_REQUEST');
        } else {
            this.part(resource, place, queue ? QUEUES : REQUESTS, queue ? 'LEFT' : 'CANCELLED', t.session);
        }
        return done('WITHDRAWN');
    }

    takeover(resource, t, request, { reason = 'urgent case', length = t.policy.takeover, urgent = false, origin = '' } = {}) {
        const refused = this.refuse(resource, t);
        if (refused) {
            return refused;
        }
        const room = this.room(resource);
        const { state } = room.lock;
        if (state === 'free' || room.lock.user === t.user) {
            const { way } = this.wants(resource, t, { connected: true, how: 'takeOwn', token: 0, most: 0, limit: -1 });
            return this.answer(resource, this.hold(resource, t, way));
        }
        if (room.lock.takeover && !urgent) {
            return this.answer(resource, { outcome: 'TAKEOVER_IN_PROGRESS' });
        }
        if (room.lock.takeover) {
            this.cancelTakeover(resource, 'OVERTAKEN', t.session);
        }
        const takeover = {
            request, user: t.user, name: t.name, client: t.client, reason, forceAt: this.now + length, urgent: +urgent, length,
            denied: 0, made: +t.made, ended: '', origin,
        };
        if (state === 'held' && length > 0 && !urgent) {
            room.lock.takeover = takeover;
            this.tellTakeover(resource, 'REQUESTED', takeover, t.session);
            return this.answer(resource, { outcome: 'PENDING' });
        }
        let ending = null;
        if (state === 'reserved') {
            this.backToHead(resource);
        } else {
            ending = this.remember(resource, 'TAKEN_BY_ADMIN', { by: t.name, request });
            this.children(resource, room.lock.user).delete(resource);
        }
        room.lock.policy = t.policy;
        this.give(resource, takeover, 'TAKEN_BY_ADMIN', t.session, ending, urgent ? 'URGENT' : 'IMMEDIATE');
        return this.answer(resource, { outcome: 'GRANTED', previous: room.ended[0] ?? null });
    }

    // An operator releases the lock, or has it reserved for a user.
    operate(resource, what, user, policy, { actor = 'op', reason = 'must', address = '', uid = -1, notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        if (this.window > 0) {
            return this.answer(resource, { outcome: 'RECOVERING' });
        }
        const room = this.room(resource);
        const { lock } = room;
        const { state } = lock;
        const end = (reason) => {
            if (!isOwned(lock)) {
                return null;
            }
            this.children(resource, lock.user).delete(resource);
            return this.remember(resource, reason, { by: actor });
        };
        const tell = (cause, ended, whose) => this.events.push({
            kind: 'OPERATION', ...this.nextTick(), resource, actor: '', cause, operator: { actor, reason, address, uid }, ended, ...whose,
        });
        if (what === 'RELEASE' && state === 'free') {
            return this.answer(resource, { outcome: 'NOT_HOLDER' });
        }
        if (what === 'RELEASE') {
            const previous = end('ADMIN_RELEASED');
            const turn = state === 'reserved';
            tell('ADMIN_RELEASED', previous, turn ? { user: lock.user, name: lock.name } : { user: '', name: '' });
            if (turn) {
                this.decline(resource, 'ADMIN_RELEASED', '', 'ADMIN_RELEASED');
            } else {
                this.passOn(resource, 'ADMIN_RELEASED', '', previous);
            }
            return this.answer(resource, { outcome: 'RELEASED', previous });
        }
        if (lock.takeover) {
            this.cancelTakeover(resource, 'OVERTAKEN', '');
        }
        const previous = end('TAKEN_BY_ADMIN');
        if (state === 'reserved') {
            this.backToHead(resource);
        }
        const here = [...room.members.values()].find((m) => m.user === user);
        const name = here ? here.name : user;
        tell('TAKEN_BY_ADMIN', previous, { user, name });
        room.lock = { ...FREE, state: 'reserved', user, name, until: this.now + policy.claim, lastEvent: this.now, policy };
        this.tellLock(resource, state === 'free' ? 'RESERVED' : 'TAKEN_BY_ADMIN', '', previous);
        return this.answer(resource, { outcome: 'RESERVED', previous, joined: here !== undefined });
    }

    // Whose turn it was waits again, before all others, and needs no approval any more.
    backToHead(resource) {
        const room = this.room(resource);
        const place = room.turn;
        room.turn = null;
        if (place) {
            const least = room.places[0]?.order ?? place.order;
            Object.assign(place, {
                order: Math.min(place.order, least - 1), ends: 0,
                until: room.members.has(idOf(place)) ? 0 : this.now + place.grace,
            });
            this.put(resource, place);
            this.tellPlace(resource, 'QUEUED', place, true, '');
        }
    }

    // STRAY: its instance does not know it, so what it holds is not valid.
    depart(resource, member, how, actor, ago = 0) {
        const room = this.room(resource);
        const reason = { LEAVE: 'RELEASED', LEFT: 'DISCONNECT', TERMINATED: 'SESSION_TERMINATED' }[how];
        const onPurpose = reason !== undefined;
        if (room.lock.takeover && idOf(room.lock.takeover) === idOf(member)) {
            this.cancelTakeover(resource, 'ADMIN_GONE', actor);
        }
        const place = room.places.find((p) => idOf(p) === idOf(member));
        if (this.isTurn(resource, member)) {
            if (onPurpose) {
                this.decline(resource, 'LEFT', actor, how === 'TERMINATED' ? reason : undefined);
            }
        } else if (place && onPurpose) {
            this.drop(resource, place);
            this.tellPlace(resource, 'LEFT', place, false, actor);
        } else if (place) {
            place.until = this.now + place.grace;
            this.tellPlace(resource, 'ABSENT', place, true, actor);
        }
        const { lock } = room;
        if (isOwned(lock) && idOf(lock) === idOf(member)) {
            if (onPurpose) {
                this.end(resource, reason, actor);
            } else if (lock.state === 'held' && how === 'STRAY') {
                this.end(resource, 'STORE_LOST', actor);
            } else if (lock.state === 'held') {
                this.loseOwner(resource, actor, how === 'SERVER', ago);
            }
        }
        room.members.delete(idOf(member));
        this.tellMember('LEAVE', resource, actor, member);
    }

    mayDepart(t) {
        return this.window === 0 || this.reported.get(t.instance) === this.window;
    }

    leave(resource, t, { notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        if (!this.mayDepart(t)) {
            return this.answer(resource, { outcome: 'RECOVERING' });
        }
        if (!this.isIn(resource, t)) {
            return this.answer(resource, { outcome: 'NOT_JOINED' });
        }
        this.depart(resource, this.room(resource).members.get(`${t.client}:${t.user}`), 'LEAVE', t.session);
        return this.answer(resource, { outcome: 'NONE' });
    }

    disconnect(resource, t, how, { ago = 0 } = {}) {
        this.begin();
        this.settle(resource);
        if (!this.mayDepart(t) || (how === 'STRAY' && this.window > 0)) {
            return this.answer(resource, { outcome: 'RECOVERING' });
        }
        if (this.isIn(resource, t)) {
            this.depart(resource, this.room(resource).members.get(`${t.client}:${t.user}`), how, t.session, ago);
        }
        return this.answer(resource, { outcome: 'NONE' });
    }

    // What no one asked for in particular happens in the order that `seen`, the real reply's events, shows.
    sweep(seen) {
        this.begin();
        if (this.window === 0) {
            for (const event of seen) {
                if (this.events.length === 0 || this.tick < event.rev) {
                    this.sweepOne(event);
                }
            }
        }
        return this.events;
    }

    // A dead instance without members goes out of the books.
    bury(instance) {
        const members = [...this.rooms.values()].flatMap((r) => [...r.members.values()]);
        const may = this.window === 0 && this.isDead(instance) && members.every((m) => m.instance !== instance);
        this.leases.delete(instance);
        this.reported.delete(instance);
        return may;
    }

    isDead(instance) {
        return this.afterGap(this.leases.get(instance) ?? Infinity, this.lease) <= this.now;
    }

    sweepOne(event) {
        const { resource } = event;
        if (this.setBack && this.tooFar(resource)) {
            this.pullIn(resource);
            return;
        }
        if (this.isDue(resource)) {
            this.settle(resource);
            return;
        }
        const owner = event.member ?? event.waiter ?? event.ended ?? event.lock ?? event.takeover;
        const member = this.room(resource).members.get(`${owner.client}:${owner.user}`);
        if (member && this.isDead(member.instance)) {
            this.depart(resource, member, 'SERVER', '');
        }
    }

    // What lies further ahead than its own length, which is so where the clock was set back: of the lock, and of others.
    lockTooFar(resource) {
        const { lock } = this.room(resource);
        const fields = [['expires', 'ttl'], ['idle', 'idle'], ['until', lock.state === 'grace' ? 'grace' : 'claim']];
        return lock.state === 'free' ? [] : fields.filter(([field, length]) => lock[field] > this.now + lock.policy[length]);
    }

    othersTooFar(resource) {
        const { lock, places } = this.room(resource);
        const found = places.flatMap((place) => [['ends', 'length'], ['until', 'grace']]
            .filter(([field, length]) => place[field] > this.now + place[length])
            .map(([field, length]) => ({ place, field, length })));
        const { takeover } = lock;
        return { found, takeover: takeover?.forceAt > this.now + takeover?.length ? takeover : null };
    }

    tooFar(resource) {
        const { found, takeover } = this.othersTooFar(resource);
        const { lock } = this.room(resource);
        return this.lockTooFar(resource).length > 0 || found.length > 0 || takeover !== null
            || (lock.state !== 'free' && lock.lastEvent > this.now);
    }

    // It counts from now.
    pullIn(resource) {
        const { lock } = this.room(resource);
        const fields = this.lockTooFar(resource);
        fields.forEach(([field, length]) => { lock[field] = this.now + lock.policy[length]; });
        if (fields.length > 0 || (lock.state !== 'free' && lock.lastEvent > this.now)) {
            lock.lastEvent = this.now;
            this.tellLock(resource, 'RECOVERED', '');
        }
        const { found, takeover } = this.othersTooFar(resource);
        found.forEach(({ place, field, length }) => { place[field] = this.now + place[length]; });
        for (const place of this.room(resource).places.filter((p) => found.some((f) => f.place === p))) {
            this.tellPlace(resource, 'RECOVERED', place, true, '');
        }
        if (takeover) {
            takeover.forceAt = this.now + takeover.length;
            this.tellTakeover(resource, 'RECOVERED', takeover, '');
        }
        this.settle(resource);
    }

    // The window is as if it were opened now.
    beginAnew() {
        this.window = this.now;
        this.lastWindow = this.now;
    }

    // Until when an instance may still have something to report: its lease, and where the store may have lost writes as
    // long as its editors may believe in their locks.
    mayReport(instance) {
        const lease = Math.min(this.leases.get(instance) ?? 0, this.now + this.lease);
        if (this.leases.has(instance)) {
            this.leases.set(instance, lease);
        }
        return lease + (this.lost ? this.longestGrace : 0) > this.now;
    }

    // The clock was set forward: silent instances have been so for no longer.
    extendLeases() {
        for (const known of this.lost ? [...this.reported.keys()].filter((i) => this.leases.has(i)) : []) {
            this.leases.set(known, Math.max(this.leases.get(known), this.now + this.lease));
        }
    }

    // renewed: when an instance last renewed its lease before this call.
    tryClose(instance, shown, renewed = 0) {
        const age = this.now - this.window;
        if (this.window === 0) {
            return;
        }
        if (age < -1000) { // the clock was set back
            this.beginAnew();
            return;
        }
        if (this.now - Math.max(this.window, renewed) > (this.lease * 2) / 3) { // it was set forward
            this.extendLeases();
            this.beginAnew();
            return;
        }
        if (age < this.lease + this.longestGrace) {
            if (this.reported.get(instance) !== this.window || (!this.isPrivate && age < 3000)) {
                return;
            }
            const missing = [...this.reported].filter(([, window]) => window !== this.window).map(([i]) => i);
            if (!this.isPrivate && missing.filter((i) => this.mayReport(i)).length > 0) {
                return;
            }
        }
        // In the order that the real reply shows.
        new Set([...shown.map(({ resource }) => resource), ...this.seen.keys()]).forEach((resource) => this.confirm(resource));
        this.window = 0;
        this.gap.to = this.now;
        this.seen.clear();
        this.valid = this.now + Math.floor((this.lease * 2) / 3);
    }

    // Who has nothing to report knows all that was before now, and was in no window.
    knowsSince() {
        return Math.max(this.now - 1, this.lastWindow);
    }

    // shown: the real reply's events. step: of the clock, which the instance has noticed.
    renew(instance, shown, { step = 0 } = {}) {
        this.begin();
        const before = this.lastWindow;
        const lapsed = (this.leases.get(instance) ?? 0) <= this.now;
        const back = step < 0 || this.renewed > this.now + 2000;
        if (this.window === 0 && step > 0) {
            this.renewed = Math.min(this.renewed ?? this.now, this.now - step);
        }
        if (this.window === 0 && (back || step > 0)) {
            this.openWindow(false);
        } else if (this.window > 0 && step > 0 && this.lost) {
            this.extendLeases();
            if (this.now - this.window > this.lease) {
                this.beginAnew();
            }
        }
        this.setBack ||= back;
        this.leases.set(instance, this.now + this.lease);
        if (!this.reported.has(instance)) {
            this.reported.set(instance, this.window > 0 ? 0 : this.knowsSince());
        }
        const { renewed } = this;
        this.renewed = this.now;
        this.tryClose(instance, shown, renewed);
        if (this.window === 0) {
            this.valid = this.now + Math.floor((this.lease * 2) / 3);
        }
        const missed = this.window === 0 && this.reported.get(instance) < before;
        return { late: lapsed || missed, window: this.window, events: this.events };
    }

    // peers: those of whom it knows, and when their leases end.
    reportDone(instance, window, shown, { peers = {} } = {}) {
        this.begin();
        if (this.window === 0 || this.window === window) {
            this.reported.set(instance, window > 0 ? window : this.knowsSince());
        }
        if (this.window > 0 && this.window === window && this.lost) {
            for (const [peer, end] of Object.entries(peers).filter(([, at]) => at + this.longestGrace > this.now)) {
                this.reported.set(peer, this.reported.get(peer) ?? 0);
                this.leases.set(peer, Math.max(this.leases.get(peer) ?? 0, Math.min(end, this.now + this.lease)));
            }
        }
        this.tryClose(instance, shown, this.renewed);
        return { window: this.window, events: this.events };
    }

    // What an instance was told of the end of grants: [resource, ending] each.
    endings(list, { highest = 0 } = {}) {
        this.begin();
        const counted = this.window > 0 ? list : [];
        this.tick = Math.max(this.tick, highest, ...counted.map(([, ending]) => ending.token));
        for (const [resource, ending] of counted) {
            const room = this.room(resource);
            const same = room.ended.findIndex((e) => e.token === ending.token);
            if (same >= 0 && room.ended[same].reason === 'STORE_LOST') {
                room.ended[same] = { ...ending };
            } else if (same < 0) {
                const at = room.ended.findIndex((e) => e.token < ending.token);
                room.ended.splice(at < 0 ? room.ended.length : at, 0, { ...ending });
                room.ended.splice(16);
            }
            if (isOwned(room.lock) && room.lock.token === ending.token) {
                this.children(resource, room.lock.user).delete(resource);
                this.passOn(resource, ending.reason, '', { ...ending });
            }
            this.noteToken(resource, ending.token);
        }
        return this.events;
    }

    // A higher token has been seen: what becomes of the lock is decided when the window closes.
    isBelowSeen(resource) {
        return (this.seen.get(resource) ?? 0) > this.room(resource).lock.token;
    }

    // Of grants that are over.
    highestKnown(resource) {
        return Math.max(this.room(resource).ended[0]?.token ?? 0, this.highest.get(resource) ?? 0);
    }

    // A token has been seen. A lock below it is not confirmed.
    noteToken(resource, token) {
        const highest = Math.max(this.seen.get(resource) ?? 0, token);
        if (highest > 0) {
            this.seen.set(resource, highest);
        }
    }

    // Nobody has reported the later grant: the lock goes on under a new token where somebody stands for it, else it ends.
    confirm(resource) {
        const { lock } = this.room(resource);
        const token = this.seen.get(resource);
        if (token === undefined) {
            return;
        }
        if (isOwned(lock) && lock.token >= token) {
            return;
        }
        if (!isOwned(lock) || lock.lastEvent < this.window || lock.lastEvent > this.now) {
            if (isOwned(lock) || token > this.highestKnown(resource)) {
                this.highest.set(resource, token);
            }
            if (isOwned(lock)) {
                this.end(resource, 'STORE_LOST', '');
            }
            return;
        }
        const ending = this.remember(resource, 'MOVED');
        lock.lastEvent = this.now;
        this.grantLock(resource, 'RECOVERED', '', ending);
    }

    report(resource, instance, members, r, policy, { highest = 0, takeover = null, waiters = [], seen = 0, known = 0 } = {}) {
        this.begin();
        this.tick = Math.max(this.tick, highest, seen, r?.token ?? 0);
        this.settle(resource);
        const room = this.room(resource);
        const names = [];
        const here = new Set(); // who is connected to this instance
        const read = Math.max(room.lock.token, room.lock.lastEvent * 1000) <= known; // all that was told of the lock
        for (const m of members) {
            const other = room.members.get(`${m.client}:${m.user}`);
            if (other && other.session !== m.session && other.joined > m.joined) {
                names.push(m.session);
                continue;
            }
            here.add(idOf(m));
            if (!other || other.session !== m.session) {
                this.enter(resource, { ...m, instance }, '');
                if (room.lock.state === 'held' && idOf(room.lock) === idOf(m) && room.lock.page !== m.page) {
                    this.loseOwner(resource, '', true);
                }
                this.back(resource, m, '');
            }
        }
        if (this.window > 0) {
            this.compare(resource, instance, here, r, read);
        }
        const lost = r?.token > 0 ? this.restore(resource, instance, r, policy, takeover, here) : null;
        if (this.window > 0) {
            this.noteToken(resource, Math.max(seen, r?.token ?? 0, this.highestKnown(resource)));
            this.restorePlaces(resource, r, policy, waiters);
        } else {
            this.serve(resource, '');
        }
        return this.answer(resource, {
            outcome: 'NONE', names, lost, ...this.listed(resource, policy.listed), ...this.waitingIfAny(resource, null),
        });
    }

    // What the store has and the instance knows better: a lock whose owner is here and which it has read the end of, a
    // connection of the owner's that has ended.
    compare(resource, instance, here, r, read) {
        const { lock, members } = this.room(resource);
        const named = r?.token > 0 ? idOf(r) : null;
        if (isOwned(lock) && here.has(idOf(lock)) && named !== idOf(lock) && read) {
            this.end(resource, 'STORE_LOST', '');
        } else if (r?.state === 'grace' && r.token === lock.token && !here.has(named)
            && members.get(named)?.instance === instance) {
            const { until } = lock;
            this.depart(resource, members.get(named), r.prompt ? 'LOST' : 'SERVER', '');
            lock.until = until; // the report says what is left
        }
    }

    restorePlaces(resource, r, policy, waiters) {
        const room = this.room(resource);
        for (const w of waiters) {
            const owner = isOwned(room.lock) && idOf(room.lock) === idOf(w);
            if (!owner && !this.place(resource, w)) {
                const here = this.isTurn(resource, w) || room.members.has(idOf(w));
                if (room.lock.state === 'free' && room.places.length === 0 && !room.lock.takeover) {
                    room.lock.policy = policy; // the store knows of none
                }
                const over = w.kind === QUEUES ? { request: '', message: '', ends: 0 } : { ends: Math.min(w.ends, this.now + w.length) };
                const place = { ...w, ...over, until: here ? 0 : Math.min(w.until || Infinity, this.now + w.grace) };
                if (this.isTurn(resource, w)) {
                    room.turn = place;
                } else {
                    this.put(resource, place);
                }
                this.tellPlace(resource, 'RECOVERED', place, true, '');
            }
        }
        if (r?.state === 'reserved' && room.lock.state === 'free' && !room.lock.takeover) {
            room.turn = this.place(resource, r);
            this.drop(resource, r);
            if (room.turn) {
                room.turn.until = 0;
            }
            room.lock = {
                ...FREE, state: 'reserved', user: r.user, name: r.name, client: r.client, made: +r.made,
                until: Math.min(r.until, this.now + policy.claim), lastEvent: this.now, policy,
            };
            this.tellLock(resource, 'RECOVERED', '');
        }
    }

    restore(resource, instance, r, policy, takeover, reported) {
        const room = this.room(resource);
        const member = room.members.get(`${r.client}:${r.user}`);
        const here = member?.instance === instance && member.page === r.page;
        let same = room.lock.state !== 'free' && room.lock.token === r.token;
        if (this.window === 0) {
            const { lock } = room;
            if (!same) {
                return this.recall(resource, r.user, r.token) ?? this.forgotten(r.token, 'NOT_HELD');
            }
            if (lock.state === 'held') {
                lock.lastEvent = this.now;
                this.tellLock(resource, 'RECOVERED', '');
            } else if (r.state === 'held' && here) {
                Object.assign(lock, {
                    state: 'held', page: r.page, until: 0, prompt: 0, lastEvent: this.now, expires: this.now + policy.ttl, policy,
                    idle: policy.idle > 0 ? this.now + policy.idle : 0,
                });
                this.tellLock(resource, 'RESUMED', '');
            }
            return null;
        }
        // Its tab has the lock under a new token, and may not know yet.
        same ||= isOwned(room.lock) && reported.has(idOf(r)) && idOf(room.lock) === idOf(r) && room.lock.token > r.token;
        let ending = null;
        if (!same) {
            const before = this.recall(resource, r.user, r.token);
            if (before) {
                return before;
            }
            if (r.token < room.lock.token) {
                return this.forgotten(r.token, 'STALE_TOKEN');
            }
            if (room.lock.state === 'reserved' && !this.isTurn(resource, r)) {
                this.backToHead(resource);
            }
            room.turn = null;
            this.drop(resource, r);
            if (isOwned(room.lock)) {
                ending = this.remember(resource, 'STORE_LOST');
                this.children(resource, room.lock.user).delete(resource);
            }
            room.lock = {
                ...FREE, user: r.user, name: r.name, client: r.client, made: +r.made, token: r.token, since: r.since,
                page: r.page,
            };
        }
        const { lock } = room;
        const held = (r.state === 'held' && here) || (same && lock.state === 'held');
        const until = (same ? Math.max(r.until, lock.until) : r.until) || Infinity;
        const expires = same ? Math.max(r.expires, lock.expires) : r.expires;
        Object.assign(lock, {
            state: held ? 'held' : 'grace', expires: Math.min(expires, this.now + policy.ttl), dirty: r.dirty,
            lastEvent: this.now, policy, idle: held && policy.idle > 0 ? this.now + policy.idle : 0,
            until: held ? 0 : Math.min(until, this.now + policy.grace), prompt: held ? 0 : r.prompt,
            page: r.state === 'held' && here ? r.page : lock.page,
            takeover: lock.takeover ?? (takeover && { ...takeover, forceAt: Math.min(takeover.forceAt, this.now + takeover.length) }),
        });
        this.children(resource, r.user).add(resource);
        this.tellLock(resource, 'RECOVERED', '', ending);
        return null;
    }
}
