'use strict';
/*
 * Two people at random in two real pages, under random faults: harness/judge.js says what must hold. WSLOCK_TEST_FAULTS_MS:
 * how long; WSLOCK_TEST_SEED: what to repeat.
 */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { setTimeout: pass } = require('node:timers/promises');
const h = require('./harness');

const RUN_MS = Number(process.env.WSLOCK_TEST_FAULTS_MS || 60_000);
const USERS = ['ann', 'bob'];
const RESOURCE = 'text:shared:main';
const BEHIND = h.TIMEOUT * 3;
/* The server's waits are longer than what its clients believe: docs/configuration.md, limits.pingInterval. */
const CONFIG = {
  default: {
    lockTtl: '20s', heartbeatInterval: '4s', gracePeriod: '3s', claimWindow: '4s', requestTimeout: '4s', takeoverTimeout: '2s',
    requests: true,
  },
  redis: { lease: '3s', commandTimeout: '1s' },
  limits: { pingInterval: '2500ms', pongTimeout: '2500ms' },
};

/* How long something lasts, in ms. */
const SHORT = [100, 1500];
const LONG = [1500, 9000];
const PAUSE = [500, 7000];

class Play {
  constructor(t, scene, seed) {
    Object.assign(this, { t, ...scene, seed, ends: performance.now() + RUN_MS, told: [], journal: new Map(), counts: {} });
  }
  get over() {
    return performance.now() >= this.ends;
  }
  /* Waits at random; ends with the play. */
  lasts(random, [least, most]) {
    return pass(Math.max(0, Math.min(random.between(least, most), this.ends - performance.now())));
  }
  async loop(random, faults, who) {
    while (!this.over) {
      await this.lasts(random, PAUSE);
      if (this.over) return;
      const name = random.pick(Object.keys(faults));
      this.counts[name] = (this.counts[name] ?? 0) + 1;
      this.told.push({ at: Date.now(), who, name });
      await faults[name](random).catch((error) => { throw new Error(`${who}: ${name}`, { cause: error }); });
      this.told.push({ at: Date.now(), who, name, over: true });
      if (this.editors[who]) await this.collect(this.editors[who]);
    }
  }
  async collect(editor) {
    for (const entry of await editor.journal()) this.journal.set(`${entry.page} ${entry.what} ${entry.from ?? this.journal.size}`, entry);
  }
  /* What happens to one of them. */
  personal(user) {
    const editor = () => this.editors[user];
    const wire = () => editor().wire;
    const faults = {
      cut: async () => wire().cut(),
      offline: async (random) => {
        wire().refuse();
        await this.lasts(random, random.chance(0.5) ? SHORT : LONG);
        wire().refuse(false);
      },
      hold: async (random) => {
        wire().hold();
        await this.lasts(random, random.chance(0.5) ? SHORT : LONG);
        wire().release();
      },
      reload: () => editor().reload(),
      'back and forth': (random) => editor().away(() => random.chance(0.5) && this.lasts(random, LONG)),
      'closed and opened': async () => {
        await this.collect(editor());
        await editor().page.close();
        this.editors[user] = await this.open(user, RESOURCE, { ...this.options(user), wire: wire() });
      },
      hidden: async (random) => {
        await editor().hide();
        await this.lasts(random, LONG);
        await editor().show();
      },
      frozen: async (random) => {
        await editor().freeze();
        await this.lasts(random, LONG);
        await editor().wake();
      },
    };
    for (const way of ['up', 'down', 'both']) {
      faults[`blackhole ${way}`] = async (random) => {
        wire().swallow(way);
        await this.lasts(random, random.chance(0.3) ? SHORT : LONG);
        wire().swallow('none');
      };
    }
    return faults;
  }
  /* What happens to all. */
  common() {
    return {
      'the daemon dies': async (random) => {
        await this.d.kill();
        await this.lasts(random, random.chance(0.5) ? SHORT : LONG);
        await this.d.restart();
      },
      'the store stands still': async (random) => {
        this.redis.pause();
        await this.lasts(random, random.chance(0.5) ? SHORT : LONG);
        this.redis.resume();
      },
      'the store dies': async (random) => {
        await this.redis.stop('SIGKILL');
        await this.lasts(random, SHORT);
        await this.redis.start();
      },
      'the application is away': async (random) => {
        this.app.away.add('*');
        await this.lasts(random, LONG);
        this.app.away.delete('*');
      },
      'no tokens': async (random) => {
        for (const user of USERS) this.app.tokensAway.add(user);
        await this.lasts(random, LONG);
        this.app.tokensAway.clear();
      },
      'tokens that end soon': async (random) => {
        for (const user of USERS) this.app.tokenSeconds.set(user, 4);
        await this.lasts(random, LONG);
        this.app.tokenSeconds.clear();
      },
    };
  }
  options(user) {
    return { wired: true, query: { idle: 5000, robot: this.seed + (user === 'ann' ? 1 : 2) } };
  }
  async run() {
    this.editors = {};
    for (const user of USERS) this.editors[user] = await this.open(user, RESOURCE, this.options(user));
    await Promise.all([...USERS, 'all'].map((who, n) => {
      const faults = this.editors[who] ? this.personal(who) : this.common();
      return this.loop(h.random(this.seed + 10 + n), faults, who);
    }));
    const healedAt = Date.now();
    for (const user of USERS) await this.finish(this.editors[user]);
    for (const editor of Object.values(this.editors)) await this.collect(editor);
    const document = this.app.document(RESOURCE);
    return {
      users: USERS, healedAt, log: this.app.log, text: document.text, drafts: await this.drafts(),
      journal: [...this.journal.values()].sort((a, b) => a.at - b.at),
    };
  }
  async finish(editor) {
    await editor.until(() => app.robot !== undefined, 'the robot is there');
    const done = editor.page.evaluate(() => app.robot.finish());
    await h.deadline(done, `${editor.user} works again`, BEHIND).catch(async (error) => {
      throw new Error([error.message, ...await editor.get(() => app.told())].join('\n'), { cause: error });
    });
  }
  /* As a page that is loaded again has them. */
  async drafts() {
    const texts = [];
    for (const editor of Object.values(this.editors)) {
      await editor.page.goto(this.app.url(editor.user, RESOURCE));
      await editor.joined();
      texts.push(...await editor.get(() => app.section.drafts().map(({ text }) => text)));
    }
    return texts;
  }
}

/* For who looks into it afterwards. */
function keep(record, told) {
  const file = path.join(process.env.WSLOCK_TEST_FAULTS_DIR ?? '/nonexistent', `faults-${h.SEED}.json`);
  if (fs.existsSync(path.dirname(file))) fs.writeFileSync(file, JSON.stringify({ ...record, told }));
}

test('two editors and random faults', { timeout: RUN_MS + BEHIND * 4 + 60_000 * h.SLOW }, async (t) => {
  t.diagnostic(`seed ${h.SEED}`);
  const redis = await h.redis(t);
  const random = h.random();
  const takeover = random.pick(['immediate', 'request']);
  const scene = await h.editors(t, { redis, config: { ...CONFIG, default: { ...CONFIG.default, takeover } } });
  scene.app.users.set('bob', { admin: true });
  const play = new Play(t, { ...scene, redis }, random.below(1e6));
  let record;
  try {
    record = await play.run();
  } catch (error) {
    throw new Error(`seed ${h.SEED}: ${error.stack}\n${play.told.slice(-30).map((one) => JSON.stringify(one)).join('\n')}`, { cause: error });
  }
  keep(record, play.told);
  const found = h.judge(record);
  const count = (list, matches) => list.filter(matches).length;
  const typed = count(record.journal, ({ what }) => what === 'typed');
  const saves = count(record.log, ({ what, ok }) => what === 'save' && ok);
  t.diagnostic(JSON.stringify({
    typed, saves, refused: count(record.log, ({ ok }) => !ok), beliefs: h.beliefs(record.journal).length,
    restored: count(record.journal, ({ what, persisted, event }) => what === 'page' && event === 'pageshow' && persisted),
    discarded: count(record.journal, ({ what }) => what === 'discarded'), drafts: record.drafts.length, takeover,
    faults: play.counts,
  }));
  assert.deepStrictEqual(found.slice(0, 10), [], `seed ${h.SEED}: ${found.length} violations`);
  assert.ok(typed > RUN_MS / 6000 && saves > RUN_MS / 20_000, `${typed} words, ${saves} saves: too few to say anything`);
});
