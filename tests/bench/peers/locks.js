// Locks of the peers, kept in Redis by two scripts. `small`: an owner and a counter, told by the server that made the
// change. `design`: what wslockd keeps (member, held, due, endings, two streams), told by the stream on every instance.
// Whoever has a lock gets it again.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';

const TTL_MS = 300000;

const SMALL = {
  acquire: `
    local owner = redis.call('GET', KEYS[1])
    if owner and owner ~= ARGV[1] then return false end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return redis.call('INCR', KEYS[2])`,
  release: `
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
    redis.call('DEL', KEYS[1])
    return redis.call('INCR', KEYS[2])`,
};

// KEYS: meta, due, events, audit, lock, member, ended, held. ARGV: resource, session, owner (JSON), ttl ms.
const COMMON = `
    local call, format = redis.call, string.format
    local resource, session, owner, ttl = unpack(ARGV)
    local time = call('TIME')
    local us = time[1] * 1000000 + time[2]
    local now = math.floor(us / 1000)
    local last = (call('HGET', KEYS[1], 'tick') or 0) + 0
    local tick = us > last and us or last + 1
    local lock = call('GET', KEYS[5])
    if call('HGET', KEYS[6], session) ~= owner then return false end
    local function tell(cause, lock)
      local id = format('%.0f', tick)
      local event = format('{"resource":"%s","rev":%s,"prev":%.0f,"actor":"%s","now":%.0f,"cause":"%s","lock":%s}',
        resource, id, last, session, now, cause, lock)
      call('HSET', KEYS[1], 'tick', id)
      if tick % 16 == 0 then
        call('XADD', KEYS[3], 'MINID', '~', us - 60000000, id, 'e', event)
        call('XADD', KEYS[4], 'MINID', '~', us - 60000000, id, 'e', event, 'i', 'peer')
      else
        call('XADD', KEYS[3], id, 'e', event)
        call('XADD', KEYS[4], id, 'e', event, 'i', 'peer')
      end
      return event
    end`;
const DESIGN = {
  acquire: `${COMMON}
    if lock and not string.find(lock, owner, 1, true) then return false end
    local previous = call('LINDEX', KEYS[7], '0')
    call('HSET', KEYS[8], resource, '')
    lock = format('{"token":%.0f,"since":%.0f,"expiresAt":%.0f,"owner":%s}', tick, now, now + ttl, owner)
    call('SET', KEYS[5], lock)
    call('ZADD', KEYS[2], now + ttl, resource)
    return {tell('ACQUIRED', lock), previous}`,
  release: `${COMMON}
    if not lock or not string.find(lock, owner, 1, true) then return false end
    call('LPUSH', KEYS[7], format('{"lock":%s,"reason":"RELEASED","endedAt":%.0f}', lock, now))
    call('LTRIM', KEYS[7], '0', '15')
    call('PEXPIRE', KEYS[7], '86400000')
    call('HDEL', KEYS[8], resource)
    call('DEL', KEYS[5])
    call('ZREM', KEYS[2], resource)
    return {tell('RELEASED', 'null')}`,
};

const stateOf = (resourceId, rev, now, lock) => ['lock:state', { resourceId, rev,
  lock: lock
    ? { state: 'held', holder: { userId: lock.owner.userId, username: lock.owner.username }, since: lock.since,
        expiresAt: lock.expiresAt, dirty: false, queueLength: 0 }
    : { state: 'free' },
  cause: lock ? 'ACQUIRED' : 'RELEASED', serverTime: now }];
const endOf = (resourceId, rev, userId) =>
  ['lock:released', { resourceId, rev, reason: 'RELEASED', previousHolder: userId }];

/** tell(resourceId, event, data): to every member of the room. */
export class Locks {
  #redis;
  #socket;
  #design;
  #tell;

  constructor(socket, design, tell) {
    this.#socket = socket;
    this.#design = design;
    this.#tell = tell;
    this.#redis = new Redis({ path: socket, enableAutoPipelining: true });
    for (const [name, lua] of Object.entries(design ? DESIGN : SMALL))
      this.#redis.defineCommand(name, { lua, numberOfKeys: design ? 8 : 2 });
    if (design)
      this.#follow();
  }

  async #follow() {
    const feed = new Redis({ path: this.#socket });
    for (let last = '$'; ;) {
      const answer = await feed.xread('BLOCK', 5000, 'STREAMS', 'peer:{0}:events', last);
      for (const [id, [, text]] of answer?.[0][1] ?? []) {
        const { resource, rev, now, lock, actor } = JSON.parse(text);
        last = id;
        this.#tell(resource, ...stateOf(resource, rev, now, lock));
        if (!lock)
          this.#tell(resource, ...endOf(resource, rev, actor));
      }
    }
  }

  #arguments(resource, user) {
    if (!this.#design)
      return [`peer:lock:${resource}`, 'peer:rev', user.userId];
    const at = (name) => `peer:{0}:${name}`;
    return [at('meta'), at('due'), at('events'), at('audit'), at(`lock:${resource}`), at(`member:${resource}`),
      at(`ended:${resource}`), at(`held:${user.userId}`), resource, user.userId, JSON.stringify(user)];
  }

  async join(resource, user) {
    if (this.#design)
      await this.#redis.hset(`peer:{0}:member:${resource}`, user.userId, JSON.stringify(user));
  }

  /** The reply: its event and data. */
  async acquire(resourceId, user) {
    const answer = await this.#redis.acquire(...this.#arguments(resourceId, user), TTL_MS);
    if (!answer)
      return ['lock:denied', { resourceId }];
    const now = Date.now();
    let granted = { token: answer, since: now, expiresAt: now + TTL_MS, owner: user }, rev = answer, previous;
    if (this.#design) {
      ({ rev, lock: granted } = JSON.parse(answer[0]));
      previous = answer[1] && JSON.parse(answer[1]);
    } else {
      this.#tell(resourceId, ...stateOf(resourceId, rev, now, granted));
    }
    return ['lock:acquired', { resourceId, rev, token: granted.token, expiresAt: granted.expiresAt, serverTime: now,
      ttlMs: TTL_MS, heartbeatIntervalMs: 60000, previous: previous && { userId: previous.lock.owner.userId,
        username: previous.lock.owner.username, reason: previous.reason, dirty: false, endedAt: previous.endedAt } }];
  }

  async release(resourceId, user) {
    const answer = await this.#redis.release(...this.#arguments(resourceId, user), TTL_MS);
    if (!answer)
      return ['lock:denied', { resourceId }];
    const rev = this.#design ? JSON.parse(answer[0]).rev : answer;
    if (!this.#design) {
      this.#tell(resourceId, ...stateOf(resourceId, rev, Date.now(), null));
      this.#tell(resourceId, ...endOf(resourceId, rev, user.userId));
    }
    return ['lock:released', { resourceId, rev, reason: 'RELEASED' }];
  }
}

/** Checks HS256 tokens; the user, or null. */
export function verifier(secretFile) {
  const secret = readFileSync(secretFile);
  return (token) => {
    const [head, body, signature] = String(token).split('.');
    const expected = createHmac('sha256', secret).update(`${head}.${body}`).digest();
    const given = Buffer.from(signature ?? '', 'base64url');
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      return null;
    const { sub, name, exp } = JSON.parse(Buffer.from(body, 'base64url'));
    return exp * 1000 > Date.now() ? { userId: sub, username: name } : null;
  };
}
