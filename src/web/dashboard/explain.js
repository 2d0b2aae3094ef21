/*
 * Why a user can or cannot edit, in the sentences of `wslockctl explain` (src/ctl/explain.c). A test compares both:
 * change them together.
 */
import { count, person, printable, time, user } from './text.js';

const ENDINGS = {
  RELEASED: 'the holder released it',
  EXPIRED: 'no heartbeat came in time, or the user was idle too long',
  DISCONNECT: 'the connection ended, and the type has no grace',
  GRACE_PERIOD_EXPIRED: 'the holder was away longer than the grace period',
  MOVED: 'another tab of the same user took it',
  CLAIMED: 'the holder was away, and another user claimed it',
  TRANSFERRED: 'the holder gave it to a user who requested it, or to an administrator',
  TAKEN_BY_ADMIN: 'an administrator or an operator took it',
  ADMIN_RELEASED: 'an operator released it',
  SESSION_TERMINATED: 'an operator ended the connection',
  STORE_LOST: 'the store was away so long that the lock could not be confirmed',
  RESERVATION_EXPIRED: 'it was not claimed in time',
  LEFT: 'the holder left',
};

/* The setting that decides on an outcome of an acquire. */
const DECIDING = {
  QUEUED: 'upgrade', HELD: 'upgrade', GRACE: 'disconnect', RESERVED: 'claimWindow',
  QUEUE_FULL: 'maxWaiters', TAB_LIMIT: 'maxConcurrentTabLocksPerUser',
};

export function settingValue(value) {
  if (Array.isArray(value)) return `[${value.map(printable).join(', ')}]`;
  return printable(value === null ? 'null' : value);
}

/* `default.lockTtl, wslockd.yaml:12` */
export function settingOrigin(lock, setting) {
  const file = setting.file ?? lock.configFile ?? '';
  let text = printable(setting.from);
  if (setting.line > 0) text += file ? `, ${printable(file)}:${setting.line}` : `, line ${setting.line} of the configuration`;
  return text;
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
function durationMs(text) {
  const [, number, unit] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
  return unit ? number * UNIT_MS[unit] : NaN;
}

/* The sentences on a lock, of GET /v1/locks/{resourceId}. now: of the server; asked: the user of `acquire`. */
class Explanation {
  constructor(lock, now, asked) {
    Object.assign(this, { lock, now, asked, lines: [] });
  }
  add(...parts) {
    this.lines.push(parts.filter(Boolean).join(''));
  }
  time(ms) {
    return time(ms, this.now);
  }
  rule(name) {
    const setting = this.lock.policy?.[name];
    return setting ? ` (${name} ${settingValue(setting.value)}: ${settingOrigin(this.lock, setting)})` : '';
  }
  is(name, value) {
    return this.lock.policy?.[name]?.value === value;
  }

  takeover() {
    const t = this.lock.takeover;
    if (!t) return;
    this.add('The administrator ', person(t.adminName, t.adminId), ' takes it over at ', this.time(t.until),
      ', or earlier if the holder agrees', this.rule('takeoverTimeout'), t.reason && `: ${printable(t.reason)}`, '.');
  }
  held() {
    const { lastHeartbeatAt: beat, idleReleaseAt: idle } = this.lock;
    const overdue = beat + durationMs(this.lock.policy?.heartbeatInterval?.value) < this.now;
    this.add('The holder\'s connection is alive', beat > 0 && `; the last heartbeat came at ${this.time(beat)}`,
      overdue && ', the next is overdue', this.rule('heartbeatInterval'), '.');
    this.add('Without another heartbeat it expires at ', this.time(this.lock.expiresAt), this.rule('lockTtl'), '.');
    if (idle > 0) this.add('Unless the user does something it is released at ', this.time(idle), this.rule('idleRelease'), '.');
    this.takeover();
  }
  grace() {
    this.add('The holder\'s connection has ended; the same tab may come back for it until ', this.time(this.lock.graceUntil),
      this.rule('gracePeriod'), '.');
    this.add(this.lock.claimable ? 'Meanwhile another user in the room may claim it' : 'Until then nobody else gets it',
      this.rule('disconnect'), '.');
  }
  state() {
    const { state, resourceId, holder, since, dirty, reservedFor, reservedUntil } = this.lock;
    this.add(printable(resourceId), state === 'grace' ? ' is in ' : ' is ', printable(state), '.');
    if (holder) {
      this.add(user(holder), ' has had it since ', this.time(since), `, with token ${holder.token}`, dirty && ' and unsaved changes', '.');
    }
    if (state === 'held') this.held();
    else if (state === 'grace') this.grace();
    else if (state === 'reserved') {
      this.add('Only ', user(reservedFor), ' can claim it, until ', this.time(reservedUntil), this.rule('claimWindow'), '; then it goes to the next.');
    } else this.add('Nobody has it, and any editor may acquire it', this.rule('editorRoles'), '.');
  }
  rules() {
    this.add(this.is('upgrade', 'queue') ? 'Another user who wants it gets a place in the queue'
      : this.is('upgrade', 'request') ? 'Another user who wants it asks the holder' : 'Another user who wants it is refused', this.rule('upgrade'), '.');
    this.add(this.is('takeover', 'never') ? 'No administrator can take it over'
      : this.is('takeover', 'immediate') ? 'An administrator can take it over at once'
        : 'An administrator can take it over after the holder was asked', this.rule('takeover'), '.');
  }
  /* Position 0 is the user whose turn it is, of whom state() has told. */
  waiters() {
    const waiting = this.lock.waiters.filter((w) => w.position > 0);
    if (!waiting.length) this.add('Nobody waits for it.');
    else this.add(count(waiting.length, 'user'), waiting.length === 1 ? ' waits for it:' : ' wait for it:');
    for (const w of waiting) {
      this.add(`  ${w.position}. `, user(w), w.kind === 'request' && ', has asked the holder',
        w.since > 0 && `, since ${this.time(w.since)}`, w.until > 0 && `, until ${this.time(w.until)}`);
    }
  }
  acquire() {
    const { acquire } = this.lock;
    if (!acquire || !this.asked) return;
    const rule = DECIDING[acquire.outcome];
    this.add('An acquire by ', printable(this.asked), ' from a new tab would get ', printable(acquire.outcome), ' now: ',
      printable(acquire.message), rule && this.rule(rule), '.');
  }
  endings() {
    if (this.lock.endings.length) this.add('How it ended before:');
    for (const e of this.lock.endings) {
      this.add('  ', this.time(e.endedAt), ': ', user(e), ', ', printable(e.reason), ENDINGS[e.reason] && `: ${ENDINGS[e.reason]}`,
        e.by && `; by ${printable(e.by)}`);
    }
  }
}

export function explain(lock, asked) {
  const e = new Explanation(lock, lock.now, asked);
  e.state();
  if (lock.state !== 'free') e.rules();
  e.waiters();
  e.acquire();
  e.endings();
  return e.lines;
}
