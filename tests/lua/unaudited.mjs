// What a plain model says of the stream `audit`: which changes each instance made that its own audit may not have on
// disk. Fed with every reply; asked when a sweep hands a dead instance out.
import assert from 'node:assert/strict';

export class Unaudited {
    constructor(scripts) {
        this.scripts = scripts;
        this.handedOut = 0;
        this.forget();
        const run = scripts.run.bind(scripts);
        scripts.run = async (name, instance, keys, args) => {
            const r = await run(name, instance, keys, args);
            this.note(instance, r);
            return r;
        };
    }

    // The store has lost everything.
    forget() {
        this.made = new Map(); // incarnation -> ticks
        this.last = new Map(); // incarnation -> the rev of its last reply
        this.written = new Map(); // incarnation -> the tick that its lease named last
    }

    snapshot() {
        const { made, last, written } = this;
        return structuredClone({ made, last, written });
    }

    rollBack(snapshot) {
        Object.assign(this, snapshot);
    }

    note(instance, r) {
        if (r.status === 'OK') {
            this.last.set(instance, r.rev);
        }
        const told = (r.events ?? []).filter((e) => e.cause !== 'RENEWED').map((e) => e.rev);
        this.made.set(instance, [...(this.made.get(instance) ?? []), ...told]);
    }

    // What a lease may say: that everything so far is on disk.
    all(instance) {
        return this.last.get(instance) ?? 0;
    }

    renewed(instance, written, tick) {
        if (written > 0 || !this.written.has(instance)) {
            this.written.set(instance, written > 0 ? written : tick);
            this.made.set(instance, (this.made.get(instance) ?? []).filter((rev) => rev > this.written.get(instance)));
        }
    }

    // A sweep's `names`: the stream must have all that the instance did and may not have written.
    async check([instance, id]) {
        const written = Number(/^(\d+)-0$/.exec(id)[1]);
        assert.equal(written, this.written.get(instance), 'another place to go on from');
        const left = (await this.scripts.stream('audit')).filter((e) => e.instance === instance && e.rev > written);
        assert.deepEqual(left.map((e) => e.rev), this.made.get(instance), 'the stream lacks what was not written');
        this.handedOut += 1;
    }

    // As whoever was handed it does when it has written everything.
    async settle(instance) {
        await this.scripts.recorded('i1', instance);
        this.written.delete(instance);
        this.made.delete(instance);
    }
}
