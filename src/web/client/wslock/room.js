// What the server has told of one section: lock, people, queue, requests, takeovers. A reply may come before older events: what a message
// says of the lock is ignored if its `rev` is below the highest of those that have told of it, replies included.

const UNKNOWN = Object.freeze({ state: "unknown", mine: false });
const DENIED_LOCK = new Set(["held", "grace"]);

export class Room {
  #core;
  #rev; // of what is known of the lock

  // core: {clock, toLocal(time)}
  constructor(core) {
    this.#core = core;
    this.policy = null;
    this.reset();
  }

  // Nothing is known: before the first join, or after leaving.
  reset() {
    this.#rev = 0;
    this.endsAt = null;
    this.lock = UNKNOWN;
    this.users = new Map();
    this.viewers = 0;
    this.forgetWaiting();
  }

  // The connection is gone: what was told of the room may be old.
  disconnect() {
    this.#rev = 0;
    this.disown();
  }

  forgetWaiting() {
    Object.assign(this, { queue: null, turnUntil: null, claimUntil: null, asked: null, takeover: null, takingOver: null });
    this.requests = new Map();
  }

  has(requestId) {
    return this.requests.has(requestId) ||
      [this.asked, this.takeover, this.takingOver].some((open) => open?.requestId === requestId);
  }

  // at: when what is answered was sent; null: an event that the server started. holder: whether this page has the lock's token.
  take(event, data, { at, userId, holder }) {
    if (data.lock) this.#setLock(data.lock, data, at, userId, holder);
    REDUCERS[event]?.(this, data, (time) => this.#local(time, data, at));
  }

  // The reply that grants it may be older than what events have told.
  grant({ expiresAt, serverTime, rev }, at, user) {
    if (rev < this.#rev && DENIED_LOCK.has(this.lock.state) && this.lock.holder?.userId === user.userId) this.lock = { ...this.lock, mine: true };
    if (rev < this.#rev) return;
    const { userId, username } = user;
    const { dirty = false, queueLength = 0, since = serverTime } = this.lock.mine ? this.lock : {};
    this.#setLock({ state: "held", holder: { userId, username }, since, dirty, queueLength, expiresAt, mine: true }, { serverTime, rev }, at, userId);
  }

  disown() {
    this.lock = { ...this.lock, mine: false };
  }

  #local(time, { serverTime }, at) {
    if (time === null || time === undefined) return null;
    const byMessage = Number.isSafeInteger(serverTime) ? (at ?? this.#core.clock.now()) + (time - serverTime) : Infinity;
    return Math.min(byMessage, this.#core.toLocal(time));
  }

  #setLock(lock, data, at, userId, holder) {
    if (data.rev < this.#rev) {
      if (this.lock.mine) this.lock = { ...this.lock, queueLength: lock.queueLength ?? 0 }; // no reply that grants tells it
      return;
    }
    this.#rev = data.rev;
    const mine = lock.mine ?? (DENIED_LOCK.has(lock.state) && lock.holder?.userId === userId && holder);
    this.lock = { ...lock, mine };
    this.endsAt = this.#local(lock.graceUntil ?? lock.reservedUntil ?? lock.expiresAt, data, at);
    if (lock.state !== "grace") this.claimUntil = null;
    if (lock.state !== "reserved" || lock.reservedFor?.userId !== userId) this.turnUntil = null;
    if (this.asked && this.asked.holderState !== lock.state) this.asked = { ...this.asked, holderState: lock.state };
  }
}

const byUser = (users) => users.map((user) => [user.userId, user]);

function startTurn(room, data, local) {
  room.queue = room.asked = null;
  room.turnUntil = local(data.claimBy);
}

// What ends at one event, where it is the one that is meant.
const closes = (...opens) => (room, { requestId }) => {
  for (const open of opens) if (room[open]?.requestId === requestId) room[open] = null;
  room.requests.delete(requestId);
};

const REDUCERS = {
  "resource:joined": (room, data) => {
    room.policy = data.policy;
    room.users = new Map(byUser(data.users));
    room.viewers = data.viewers;
    room.forgetWaiting(); // what still waits for this client is told again behind it
  },
  "resource:left": (room) => room.reset(),
  "resource:policy": (room, data) => { room.policy = data.policy; },
  "presence:diff": (room, data) => {
    for (const { userId } of data.left) room.users.delete(userId);
    for (const [userId, user] of byUser([...data.joined, ...data.changed])) room.users.set(userId, user);
    room.viewers = data.viewers;
  },
  "lock:acquired": (room) => {
    room.queue = room.turnUntil = room.claimUntil = room.asked = room.takingOver = null;
  },
  "lock:lost": (room) => {
    room.requests.clear();
    room.takeover = null;
  },
  "lock:released": (room, data) => {
    if (data.previousHolder !== undefined) return;
    room.requests.clear();
    room.takeover = room.turnUntil = null;
  },
  "lock:queued": (room, data) => {
    if (room.turnUntil === null && !(data.rev < room.queue?.rev)) room.queue = data;
  },
  "lock:your_turn": startTurn,
  "lock:available": startTurn,
  "lock:queue_left": (room) => { room.queue = room.turnUntil = null; },
  "lock:requested": (room, data, local) => {
    if (room.turnUntil !== null) return; // which came before the answer
    room.asked = { ...data, until: local(data.expiresAt) };
  },
  "lock:request_timeout": closes("asked"),
  "lock:request_cancelled": closes("asked"),
  "lock:request_received": (room, data, local) => {
    room.requests.set(data.requestId, { ...data, until: local(data.expiresAt) });
  },
  "lock:request_replied": closes(),
  "lock:request_closed": closes(),
  "lock:holder_disconnected": (room, data, local) => { room.claimUntil = local(data.graceUntil); },
  "lock:takeover_pending": (room, data, local) => {
    room.takingOver = { ...data, deniedBy: null, until: local(data.forceAt) };
  },
  "lock:takeover_denied": (room, { requestId, by }) => {
    if (room.takingOver?.requestId === requestId) room.takingOver = { ...room.takingOver, deniedBy: by };
  },
  "lock:takeover_cancelled": closes("takingOver"),
  "lock:takeover_requested": (room, data, local) => {
    room.takeover = { ...data, denied: false, until: local(data.forceAt) };
  },
  "lock:takeover_replied": (room, { requestId, action }) => {
    if (action === "DENY" && room.takeover?.requestId === requestId) room.takeover = { ...room.takeover, denied: true };
  },
  "lock:takeover_closed": closes("takeover", "takingOver"),
};
