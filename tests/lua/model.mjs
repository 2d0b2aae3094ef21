// The rules of the lock as plainly as they can be said: docs/lock-states.md and docs/architecture.md, on plain
// objects, for the random walk to hold against the scripts. Nothing here was taken from the Lua.

const FREE = {
    state: 'free', user: '', name: '', client: '', token: 0, since: 0, expires: 0, idle: 0, until: 0, dirty: 0, made: 0,
    told: 0, policy: null,
};

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
        this.events = [];
    }

    room(resource) {
        if (!this.rooms.has(resource)) {
            this.rooms.set(resource, { lock: { ...FREE }, members: new Map(), ended: [] });
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
            this.gap.from = (this.window > 0 ? this.gap.from : this.renewed) ?? this.now;
            this.window = Math.max(this.now, this.window + 1);
            this.lastWindow = this.window;
            this.known = true;
        }
        return false;
    }

    nextTick() {
        const prev = this.tick;
        this.tick = Math.max(prev + 1, this.now * 1000);
        return { rev: this.tick, prev };
    }

    tellLock(resource, cause, actor, ended = null) {
        const ticks = this.nextTick();
        this.events.push({ kind: 'LOCK', ...ticks, resource, actor, cause, lock: { ...this.room(resource).lock }, ended });
    }

    grantLock(resource, cause, actor, ended = null) {
        const { lock } = this.room(resource);
        lock.token = Math.max(this.tick + 1, this.now * 1000);
        lock.since = this.now;
        this.tellLock(resource, cause, actor, ended);
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

    remember(resource, reason, revision = null) {
        const { lock, ended } = this.room(resource);
        const ending = {
            user: lock.user, name: lock.name, client: lock.client, token: lock.token, reason, dirty: lock.dirty, revision,
            since: lock.since, ended: this.now, by: '', request: '',
        };
        ended.unshift(ending);
        ended.splice(16);
        return ending;
    }

    end(resource, reason, actor, revision = null) {
        const room = this.room(resource);
        const ending = this.remember(resource, reason, revision);
        this.children(resource, room.lock.user).delete(resource);
        room.lock = { ...FREE };
        this.tellLock(resource, reason, actor, ending);
    }

    deadline(resource) {
        const { lock } = this.room(resource);
        if (lock.state === 'held') {
            return lock.idle > 0 ? Math.min(lock.idle, lock.expires) : lock.expires;
        }
        return lock.state === 'grace' ? lock.until : 0;
    }

    afterGap(at, length) {
        const { from, to } = this.gap;
        return to !== null && from <= at && at <= to ? to + length : at;
    }

    isDue(resource) {
        const at = this.deadline(resource);
        return at > 0 && at <= this.now;
    }

    settle(resource) {
        const { lock } = this.room(resource);
        if (this.window > 0 || !this.isDue(resource)) {
            return;
        }
        if (lock.state === 'held' && lock.expires <= this.now) {
            this.end(resource, 'EXPIRED', '');
            return;
        }
        const idle = lock.state === 'held';
        const later = idle ? this.afterGap(lock.idle, lock.policy.idle) : this.afterGap(lock.until, lock.policy.grace);
        if (later <= this.now) {
            this.end(resource, idle ? 'EXPIRED' : 'GRACE_PERIOD_EXPIRED', '');
            return;
        }
        lock[idle ? 'idle' : 'until'] = later;
        lock.told = this.now;
        this.tellLock(resource, 'RECOVERED', '');
    }

    isIn(resource, t) {
        return this.room(resource).members.get(`${t.client}:${t.user}`)?.session === t.session;
    }

    // What an acquire would do: a way to hold the lock, or a denial.
    wants(resource, t, { connected, takeOwn, token }) {
        const { lock } = this.room(resource);
        const mine = lock.state !== 'free' && lock.user === t.user;
        const myTab = mine && lock.client === t.client;
        if (myTab && connected && lock.state === 'held') {
            return { way: 'renew' };
        }
        if (myTab && token === lock.token) {
            return { way: 'resume' };
        }
        if (this.window > 0) {
            return { denied: 'RECOVERING' };
        }
        if (myTab || (mine && lock.state === 'grace' && t.made && lock.made)) {
            return { way: 'retoken' };
        }
        if (mine && takeOwn) {
            return { way: 'move' };
        }
        if (t.policy.tabs >= 0) {
            const others = () => [...this.children(resource, t.user)].filter((r) => r !== resource);
            if (others().length >= t.policy.tabs) {
                others().forEach((r) => this.settle(r));
                if (others().length >= t.policy.tabs) {
                    return { denied: 'TAB_LIMIT', names: others() };
                }
            }
        }
        if (lock.state === 'free') {
            return { way: 'grant' };
        }
        return { denied: mine ? 'HELD_BY_YOU' : { held: 'HELD', grace: 'GRACE' }[lock.state] };
    }

    hold(resource, t, way) {
        const room = this.room(resource);
        const before = { ...room.lock };
        const fresh = way === 'grant' || way === 'retoken' || way === 'move';
        const previous = way === 'grant' ? room.ended[0] ?? null : null;
        const ending = fresh && before.state !== 'free' ? this.remember(resource, 'MOVED') : null;
        Object.assign(room.lock, {
            state: 'held', user: t.user, name: t.name, client: t.client, made: +t.made, policy: t.policy,
            expires: this.now + t.policy.ttl, idle: t.policy.idle > 0 ? this.now + t.policy.idle : 0, until: 0,
            dirty: fresh ? 0 : before.dirty,
        });
        this.children(resource, t.user).add(resource);
        if (way === 'renew') {
            if (this.now - before.told >= t.policy.heartbeat / 2) {
                room.lock.told = this.now;
                this.tellLock(resource, 'RENEWED', t.session);
            }
            return { outcome: 'GRANTED', previous };
        }
        room.lock.told = this.now;
        const cause = { grant: 'ACQUIRED', resume: 'RESUMED', retoken: 'RESUMED', move: 'MOVED' }[way];
        if (fresh) {
            this.grantLock(resource, cause, t.session, ending);
        } else {
            this.tellLock(resource, cause, t.session);
        }
        return {
            outcome: 'GRANTED', resumed: way === 'resume' || way === 'retoken', moved: way === 'move',
            previous: way === 'move' ? ending : previous,
        };
    }

    answer(resource, more) {
        return {
            status: 'OK', rev: this.tick, now: this.now, window: this.window, next: this.deadline(resource), resumed: false,
            moved: false, joined: false, late: false, more: false, lock: { ...this.room(resource).lock }, limit: 0,
            previous: null, lost: null, events: this.events, names: [], members: [], count: 0, ...more,
        };
    }

    late() {
        return { status: 'LATE', outcome: 'NONE', rev: this.tick, now: this.now, window: this.window };
    }

    acquire(resource, t, { takeOwn = false, notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        if (!this.isIn(resource, t)) {
            return this.answer(resource, { outcome: 'NOT_JOINED' });
        }
        const { way, denied, names } = this.wants(resource, t, { connected: true, takeOwn, token: 0 });
        if (denied) {
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
        const verdict = edit ? this.wants(resource, t, { connected: again, takeOwn: false, token }) : {};
        const { lock } = room;
        const myTab = lock.state !== 'free' && lock.user === t.user && lock.client === t.client;
        const mine = myTab || (lock.state === 'grace' && lock.user === t.user && t.made && lock.made === 1);
        if (!verdict.way && !old && !mine && t.policy.viewers >= 0) {
            const viewers = room.members.size - (lock.state === 'held' ? 1 : 0);
            if (viewers + 1 > t.policy.viewers) {
                return this.answer(resource, { outcome: 'VIEWERS_FULL', limit: t.policy.viewers });
            }
        }
        let lost = null;
        if (token !== 0 && this.window === 0 && !(mine && lock.token === token)) {
            lost = this.recall(resource, t.user, token) ?? this.forgotten(token, 'NOT_HELD');
        }
        if (!again) {
            this.enter(resource, { ...t, joined: this.now }, t.session);
        }
        let outcome = { outcome: verdict.denied ?? 'NONE', names: verdict.names ?? [], limit: verdict.names ? t.policy.tabs : 0 };
        if (verdict.way) {
            outcome = this.hold(resource, t, verdict.way);
        } else if (myTab && !again && lock.state === 'held') {
            this.grace(resource, t.session);
        }
        return this.answer(resource, { ...outcome, joined: true, lost, ...this.listed(resource, t.policy.listed) });
    }

    listed(resource, most) {
        const { lock, members } = this.room(resource);
        const all = [...members].sort(([a, x], [b, y]) => y.joined - x.joined || (a < b ? 1 : -1)).map(([, m]) => m);
        const list = all.slice(0, most);
        const holder = all.find((m) => lock.state === 'held' && m.user === lock.user && m.client === lock.client);
        if (holder && !list.includes(holder)) {
            list[list.length - 1] = holder;
        }
        return { members: list.map((m) => ({ ...m })), count: members.size };
    }

    enter(resource, m, actor) {
        const room = this.room(resource);
        const id = `${m.client}:${m.user}`;
        const old = room.members.get(id);
        const member = { user: m.user, name: m.name, client: m.client, session: m.session, instance: m.instance, joined: m.joined };
        room.members.set(id, member);
        this.tellMember('JOIN', resource, actor, member, old);
    }

    recall(resource, user, token) {
        return this.room(resource).ended.find((e) => e.user === user && e.token === token);
    }

    forgotten(token, reason) {
        return { user: '', name: '', client: '', token, reason, dirty: 0, revision: null, since: 0, ended: 0, by: '', request: '' };
    }

    grace(resource, actor) {
        const { lock } = this.room(resource);
        Object.assign(lock, { state: 'grace', until: this.now + lock.policy.grace, idle: 0, told: this.now });
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
        if (lock.state === 'free' || lock.user !== t.user || lock.client !== t.client) {
            return lost('NOT_HELD');
        }
        if (token !== 0 && token !== lock.token) {
            return lost('STALE_TOKEN');
        }
        if (lock.state === 'grace') {
            if (token === 0 && this.window > 0) {
                return this.answer(resource, { outcome: 'RECOVERING' });
            }
            const ending = token === 0 ? this.remember(resource, 'MOVED') : null;
            Object.assign(lock, {
                state: 'held', name: t.name, made: +t.made, policy: t.policy, until: 0, told: this.now,
                expires: this.now + t.policy.ttl, idle: t.policy.idle > 0 ? this.now + t.policy.idle : 0,
                dirty: dirty >= 0 ? dirty : lock.dirty,
            });
            if (token === 0) {
                this.grantLock(resource, 'RESUMED', t.session, ending);
            } else {
                this.tellLock(resource, 'RESUMED', t.session);
            }
            return this.answer(resource, { outcome: 'RENEWED', resumed: true });
        }
        const tell = this.now - lock.told >= t.policy.heartbeat / 2 || (dirty >= 0 && dirty !== lock.dirty);
        lock.expires = this.now + t.policy.ttl;
        lock.policy = t.policy;
        lock.dirty = dirty >= 0 ? dirty : lock.dirty;
        if (t.policy.idle <= 0) {
            lock.idle = 0;
        } else if (active || lock.idle === 0) {
            lock.idle = this.now + t.policy.idle;
        }
        if (tell) {
            lock.told = this.now;
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
        const mine = lock.state !== 'free' && lock.user === t.user && lock.client === t.client;
        if (mine && (token === 0 || token === lock.token)) {
            this.end(resource, 'RELEASED', t.session, revision);
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

    depart(resource, member, how, actor) {
        const room = this.room(resource);
        const { lock } = room;
        if (lock.state !== 'free' && lock.user === member.user && lock.client === member.client) {
            if (how === 'LEAVE') {
                this.end(resource, 'RELEASED', actor);
            } else if (how === 'LEFT' || (how === 'LOST' && lock.state === 'held' && lock.policy.disconnect === 'release')) {
                this.end(resource, 'DISCONNECT', actor);
            } else if (lock.state === 'held') {
                this.grace(resource, actor);
            }
        }
        room.members.delete(`${member.client}:${member.user}`);
        this.tellMember('LEAVE', resource, actor, member);
    }

    leave(resource, t, { notAfter = 0 } = {}) {
        if (this.begin(notAfter)) {
            return this.late();
        }
        this.settle(resource);
        if (!this.isIn(resource, t)) {
            return this.answer(resource, { outcome: 'NOT_JOINED' });
        }
        this.depart(resource, this.room(resource).members.get(`${t.client}:${t.user}`), 'LEAVE', t.session);
        return this.answer(resource, { outcome: 'NONE' });
    }

    disconnect(resource, t, how) {
        this.begin();
        this.settle(resource);
        if (this.isIn(resource, t)) {
            this.depart(resource, this.room(resource).members.get(`${t.client}:${t.user}`), how, t.session);
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
            const members = [...this.rooms.values()].flatMap((r) => [...r.members.values()]);
            for (const instance of [...this.leases.keys()]) {
                if (this.isDead(instance) && members.every((m) => m.instance !== instance)) {
                    this.leases.delete(instance);
                    this.reported.delete(instance);
                }
            }
        }
        return this.events;
    }

    isDead(instance) {
        return this.afterGap(this.leases.get(instance) ?? Infinity, this.lease) <= this.now;
    }

    sweepOne(event) {
        const { resource } = event;
        if (this.isDue(resource)) {
            this.settle(resource);
            return;
        }
        const owner = event.kind === 'LOCK' ? event.lock : event.member;
        const member = this.room(resource).members.get(`${owner.client}:${owner.user}`);
        if (member && this.isDead(member.instance)) {
            this.depart(resource, member, 'SERVER', '');
        }
    }

    tryClose(instance) {
        if (this.window === 0) {
            return;
        }
        const age = this.now - this.window;
        const live = [...this.leases].filter(([i, at]) => i !== instance && at > this.now).map(([i]) => i);
        const all = [instance, ...live].every((i) => this.reported.get(i) === this.window);
        if ((all && (this.isPrivate || age >= 3000)) || age >= this.lease + this.longestGrace) {
            this.window = 0;
            this.gap.to = this.now;
            this.valid = this.now + Math.floor((this.lease * 2) / 3);
        }
    }

    renew(instance) {
        this.begin();
        const lapsed = (this.leases.get(instance) ?? 0) <= this.now;
        this.leases.set(instance, this.now + this.lease);
        if (!this.reported.has(instance)) {
            this.reported.set(instance, this.window > 0 ? 0 : this.now - 1);
        }
        this.renewed = this.now;
        this.tryClose(instance);
        if (this.window === 0) {
            this.valid = this.now + Math.floor((this.lease * 2) / 3);
        }
        const missed = this.window === 0 && this.reported.get(instance) < this.lastWindow;
        return { late: lapsed || missed, window: this.window };
    }

    reportDone(instance, window) {
        this.begin();
        if (this.window === 0 || this.window === window) {
            this.reported.set(instance, window > 0 ? window : this.now - 1);
        }
        this.tryClose(instance);
        return { window: this.window };
    }

    report(resource, instance, members, r, policy, { highest = 0 } = {}) {
        this.begin();
        this.tick = Math.max(this.tick, highest, r?.token ?? 0);
        this.settle(resource);
        const room = this.room(resource);
        const names = [];
        for (const m of members) {
            const other = room.members.get(`${m.client}:${m.user}`);
            if (other && other.session !== m.session && other.joined > m.joined) {
                names.push(m.session);
            } else if (!other || other.session !== m.session) {
                this.enter(resource, { ...m, instance }, '');
            }
        }
        const lost = r ? this.restore(resource, r, policy) : null;
        return this.answer(resource, { outcome: 'NONE', names, lost, ...this.listed(resource, policy.listed) });
    }

    restore(resource, r, policy) {
        const room = this.room(resource);
        const { lock } = room;
        const here = room.members.has(`${r.client}:${r.user}`);
        const same = lock.state !== 'free' && lock.token === r.token;
        if (this.window === 0) {
            if (!same) {
                return this.recall(resource, r.user, r.token) ?? this.forgotten(r.token, 'NOT_HELD');
            }
            if (lock.state === 'held') {
                lock.told = this.now;
                this.tellLock(resource, 'RECOVERED', '');
            } else if (r.state === 'held' && here) {
                Object.assign(lock, {
                    state: 'held', until: 0, told: this.now, expires: this.now + policy.ttl,
                    idle: policy.idle > 0 ? this.now + policy.idle : 0,
                });
                this.tellLock(resource, 'RESUMED', '');
            }
            return null;
        }
        let ending = null;
        if (!same) {
            const before = this.recall(resource, r.user, r.token);
            if (before) {
                return before;
            }
            if (r.token < lock.token) {
                return this.forgotten(r.token, 'STALE_TOKEN');
            }
            if (lock.state !== 'free') {
                ending = this.remember(resource, 'STORE_LOST');
                this.children(resource, lock.user).delete(resource);
            }
        }
        const held = (r.state === 'held' && here) || (same && lock.state === 'held');
        const until = same ? Math.max(r.until, lock.until) : r.until;
        Object.assign(lock, same ? {} : {
            user: r.user, name: r.name, client: r.client, made: +r.made, token: r.token, since: r.since,
        }, {
            state: held ? 'held' : 'grace', expires: same ? Math.max(r.expires, lock.expires) : r.expires, dirty: r.dirty,
            told: this.now, policy, idle: held && policy.idle > 0 ? this.now + policy.idle : 0,
            until: held ? 0 : until || this.now + policy.grace,
        });
        this.children(resource, r.user).add(resource);
        this.tellLock(resource, 'RECOVERED', '', ending);
        return null;
    }
}
