// A fresh store with one instance that has reported, and people in front of it.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Redis } from './redis.mjs';
import { POLICY, Scripts } from './scripts.mjs';

export const DOC = 'doc:1:main';
export const START = 1763953000000;
let redis;

// To be called once at the top of a test file.
export function useRedis() {
    before(async () => { redis = await Redis.start(); });
    after(() => redis.stop());
}

export class World {
    // Each test its own; the clock starts at START.
    static async create(options = {}) {
        const w = new World();
        await redis.command('FLUSHALL');
        w.redis = redis;
        w.s = new Scripts(redis, { isPrivate: true, ...options });
        w.policy = { ...POLICY, ...options.policy };
        w.next = 1;
        await w.s.load();
        await w.s.open();
        await w.report('i1');
        return w;
    }

    // An instance starts, or comes back, and has nothing to report.
    async report(instance) {
        const { window } = await this.s.renew(instance);
        if (window > 0) {
            await this.s.reportDone(instance, window);
        }
    }

    // A tab on a new connection: tab('ann'), tab('ann', 2) another tab of hers; `made`: never named a clientId; `page`: ''
    // for one that names none.
    tab(user, number = 1, { made = false, instance = 'i1', page = made ? '' : `page-${user}-${number}` } = {}) {
        const session = `s${this.next++}`;
        return {
            user, name: user[0].toUpperCase() + user.slice(1), client: made ? `made-${session}` : `tab-${user}-${number}`,
            made, session, instance, page, policy: this.policy,
        };
    }

    // The same page on another connection.
    again(t) {
        return { ...t, session: `s${this.next++}`, client: t.made ? `made-${this.next}` : t.client };
    }

    // ann holds DOC on connection `ann` with `token`, or has it in grace; bob is there to view.
    async given(state) {
        const ann = this.tab('ann');
        const bob = this.tab('bob');
        await this.s.join(DOC, bob);
        const r = await this.s.join(DOC, ann, { edit: state !== 'free' });
        if (state === 'grace') {
            await this.s.disconnect(DOC, ann, 'SERVER');
        }
        return { ann, bob, token: r.lock.token };
    }

    // As a replica has it that gets nothing any more.
    async snapshot() {
        await redis.command('EVAL', `for _, key in ipairs(redis.call('KEYS', '*')) do
            redis.call('COPY', key, key, 'DB', 1, 'REPLACE')
        end`, 0);
    }

    // That replica becomes the master.
    async rollBack() {
        await redis.command('FLUSHDB');
        await redis.command('SWAPDB', 0, 1);
        await this.s.setClock(this.s.ms);
        await redis.command('HSET', this.s.key('meta'), 'replid', 'f'.repeat(40));
    }

    // Time passes, the instance lives on.
    async pass(ms) {
        for (let left = ms; left > 0; left -= 5000) {
            await this.s.advance(Math.min(left, 5000));
            await this.s.renew('i1');
        }
    }

    keys() {
        return redis.command('KEYS', '*');
    }
}

// Compares only what `expected` names.
export function has(actual, expected) {
    for (const [key, value] of Object.entries(expected)) {
        if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
            assert.ok(actual[key], `${key} is missing`);
            has(actual[key], value);
        } else {
            assert.deepEqual(actual[key], value, `${key}: ${JSON.stringify(actual)}`);
        }
    }
}

export const causes = (r) => r.events.map((e) => (e.kind === 'LOCK' ? e.cause : e.kind));
