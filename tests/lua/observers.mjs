// What those outside the store know, for the random walk: a reader of events, an instance, and the tabs that believe in
// their locks.

export const idOf = (t) => `${t.client}:${t.user}`;
export const isOwned = (lock) => lock !== undefined && (lock.state === 'held' || lock.state === 'grace');

// The rooms of a shard as its events show them.
export class View {
    constructor() {
        this.forget();
    }

    forget() {
        Object.assign(this, { tick: 0, locks: new Map(), members: new Map(), places: new Map() });
    }

    room(resource) {
        for (const map of [this.members, this.places]) {
            if (!map.has(resource)) {
                map.set(resource, new Map());
            }
        }
        return { members: this.members.get(resource), places: this.places.get(resource), lock: this.locks.get(resource) };
    }

    apply(e) {
        const { members, places, lock } = this.room(e.resource);
        this.tick = e.rev;
        if (e.kind === 'WAITER' && e.there) {
            const turn = e.cause === 'RECOVERED' && lock?.state === 'reserved' && idOf(lock) === idOf(e.waiter);
            places.set(idOf(e.waiter), { waiter: e.waiter, turn });
        } else if (e.kind === 'WAITER') {
            places.delete(idOf(e.waiter));
        } else if (e.kind === 'TAKEOVER' && lock) {
            this.locks.set(e.resource, { ...lock, takeover: e.takeover.ended === '' ? e.takeover : null });
        } else if (e.kind === 'JOIN') {
            members.set(idOf(e.member), e.member);
        } else if (e.kind === 'LEAVE') {
            members.delete(idOf(e.member));
        } else if (e.kind === 'LOCK') {
            this.applyLock(e, places);
        }
    }

    // Who gets the lock waits no more, and whose turn it was has had it.
    applyLock(e, places) {
        for (const [id, place] of places) {
            const named = id === idOf(e.lock);
            if (named && e.lock.state === 'reserved') {
                place.turn = true;
            } else if (named || place.turn) {
                places.delete(id);
            }
        }
        this.locks.set(e.resource, e.lock);
    }
}

// An instance: what it has read, which connections it has, and what it was told that is over.
export class Instance {
    constructor(name) {
        Object.assign(this, {
            name, view: new View(), unread: [], own: new Map(), endings: [], seen: new Map(), stalled: false, leased: -Infinity,
            step: 0, synced: new Map(), broken: new Map(), unsure: false,
        });
    }

    // Its connections to a room: id -> member.
    connections(resource) {
        if (!this.own.has(resource)) {
            this.own.set(resource, new Map());
        }
        return this.own.get(resource);
    }

    // Whether an event changes what it knows: not where the store has lost a later grant of a tab of its, which it has
    // not reported yet.
    minds(e) {
        const lock = this.view.locks.get(e.resource);
        const mine = lock?.state === 'held' && this.connections(e.resource).has(idOf(lock));
        return !(this.unsure && e.kind === 'LOCK' && mine && e.lock.token < lock.token && e.ended?.token !== lock.token);
    }

    hear(e, real) {
        const own = this.connections(e.resource);
        if (e.rev > (this.synced.get(e.resource) ?? 0) && this.minds(e)) {
            this.view.apply(e);
        }
        this.view.tick = Math.max(this.view.tick, e.rev);
        const id = e.member && idOf(e.member);
        if (e.kind === 'JOIN' && own.get(id)?.session === e.oldSession) {
            own.delete(id);
        }
        if (e.kind === 'JOIN') {
            this.broken.delete(`${e.resource} ${id}`);
        }
        if (e.kind === 'JOIN' && e.member.instance === this.name) {
            own.set(id, e.member);
        } else if (e.kind === 'LEAVE' && e.actor === e.member.session && own.get(id)?.session === e.actor) {
            own.delete(id);
        } else if (e.kind === 'LOCK') {
            this.see(e.resource, e.lock.token);
            if (e.ended) {
                this.see(e.resource, e.ended.token);
                this.endings.push({ resource: e.resource, ending: e.ended, real });
                this.endings.splice(0, this.endings.length - 100);
            }
        }
    }

    see(resource, token) {
        this.seen.set(resource, Math.max(token, this.seen.get(resource) ?? 0));
    }

    catchUp(real) {
        this.unread.splice(0).forEach((e) => this.hear(e, real));
    }

    // The store is another: what was not read is lost.
    lose() {
        this.unread = [];
        this.synced.clear();
        this.unsure = true;
    }

    // A room as a reply tells it.
    sync(resource, r) {
        this.see(resource, r.lock.token);
        this.view.locks.set(resource, r.lock);
        this.synced.set(resource, r.rev);
        this.view.places.set(resource, new Map((r.waiters ?? [])
            .map((waiter) => [idOf(waiter), { waiter, turn: r.lock.state === 'reserved' && idOf(waiter) === idOf(r.lock) }])));
    }

    // A connection breaks, and the store is not told yet.
    breakOff(resource, t, real) {
        this.connections(resource).delete(idOf(t));
        this.broken.set(`${resource} ${idOf(t)}`, real);
    }

    // The rooms that it reports.
    rooms() {
        return [...new Set([...this.own.keys(), ...this.view.locks.keys()])].filter((resource) =>
            this.connections(resource).size > 0 || this.view.locks.get(resource)?.state === 'grace' || this.reported(resource, 0, 0));
    }

    // The lock that it reports of a room, or null. A connection that has ended leaves what is left of the grace.
    reported(resource, real, now) {
        const lock = this.view.locks.get(resource);
        const broken = lock && this.broken.get(`${resource} ${idOf(lock)}`);
        if (lock?.state === 'held' && !this.connections(resource).has(idOf(lock)) && broken !== undefined) {
            const [, , grace, , disconnect] = lock.policy.split(' ');
            return { ...lock, state: 'grace', prompt: +(disconnect === 'prompt'), until: now + Math.max(Number(grace) - (real - broken), 1) };
        }
        const mine = lock?.state === 'held' && this.connections(resource).has(idOf(lock));
        return mine || lock?.state === 'grace' || lock?.state === 'reserved' ? { ...lock } : null;
    }
}

// Which tabs believe in which lock, by what they were told, on their own clocks (`real`). One that hears nothing any
// more believes until its lock expires, or until the last lease of its instance and the grace are over, less a second.
export class Beliefs {
    constructor(lease) {
        Object.assign(this, { lease, all: new Map() });
    }

    of(resource) {
        if (!this.all.has(resource)) {
            this.all.set(resource, new Map());
        }
        return this.all.get(resource);
    }

    // A tab is told that the lock is its own; `now` is the store's.
    hold(resource, lock, instance, real, now) {
        const ends = lock.idle > 0 ? Math.min(lock.expires, lock.idle) : lock.expires;
        this.of(resource).set(idOf(lock), {
            token: lock.token, instance, expires: real + ends - now, grace: Number(lock.policy.split(' ')[2]),
        });
    }

    // A tab whose connection has ended believes for the grace.
    disconnected(resource, t, real) {
        const belief = this.of(resource).get(idOf(t));
        if (belief) {
            belief.expires = Math.min(belief.expires, real + belief.grace);
        }
    }

    // A renewal under a policy that was reloaded may make it less, and its answer be lost.
    shorten(resource, lock, real, now) {
        const belief = this.of(resource).get(idOf(lock));
        if (belief) {
            const { instance, expires, grace } = belief;
            this.hold(resource, lock, instance, real, now);
            const less = this.of(resource).get(idOf(lock));
            Object.assign(less, { token: belief.token, expires: Math.min(expires, less.expires), grace: Math.min(grace, less.grace) });
        }
    }

    has(resource, lock, instance, real) {
        const belief = this.of(resource).get(idOf(lock));
        return belief?.instance === instance && belief.token === lock.token && this.until(belief) > real;
    }

    drop(resource, t) {
        this.of(resource).delete(idOf(t));
    }

    // An instance has told its tabs how the lock stands.
    heard(resource, lock, instance) {
        for (const [id, belief] of this.of(resource)) {
            if (belief.instance === instance && !(isOwned(lock) && idOf(lock) === id && lock.token === belief.token)) {
                this.of(resource).delete(id);
            }
        }
    }

    // The owner, an administrator or an operator has ended it, which nobody need wait for.
    ended(resource, ending) {
        if (['EXPIRED', 'GRACE_PERIOD_EXPIRED', 'STORE_LOST'].includes(ending.reason)) {
            return;
        }
        const belief = this.of(resource).get(idOf(ending));
        if (belief?.token === ending.token) {
            this.of(resource).delete(idOf(ending));
        }
    }

    // An instance renews its lease: what its tabs have ceased to believe in stays lost.
    lapse(instance, real) {
        for (const beliefs of this.all.values()) {
            for (const [id, belief] of beliefs) {
                if (belief.instance === instance && this.until(belief) <= real) {
                    beliefs.delete(id);
                }
            }
        }
    }

    until(belief) {
        return Math.min(belief.expires, belief.instance.leased + this.lease + belief.grace - 1000);
    }

    // Another than this owner who still believes.
    other(resource, owner, real) {
        return [...this.of(resource)].find(([id, belief]) => id !== idOf(owner) && this.until(belief) > real);
    }

    // The store's clock goes forward: what it brings nearer may come so much earlier; what it leaps over may not.
    leap(by, instances, real) {
        const nearer = (left) => (by < 7000 || left > by ? left - by : left);
        for (const belief of [...this.all.values()].flatMap((m) => [...m.values()])) {
            belief.expires = real + nearer(belief.expires - real);
        }
        for (const instance of instances) {
            const length = this.lease + 30000;
            instance.leased = real - length + nearer(instance.leased + length - real);
        }
    }
}
