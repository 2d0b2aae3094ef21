/** `wslock`: edit locks over WebSocket. The protocol is `wslock.v1` (docs/protocol.md). */

// ---- what the server tells ----

export type LockReason =
  | "EXPIRED" | "MOVED" | "CLAIMED" | "TRANSFERRED" | "TAKEN_BY_ADMIN" | "ADMIN_RELEASED" | "DISCONNECT"
  | "GRACE_PERIOD_EXPIRED" | "STALE_TOKEN" | "NOT_HELD" | "STORE_LOST" | "SESSION_TERMINATED" | "RELEASED";
export type LockCause =
  | "ACQUIRED" | "RENEWED" | "RELEASED" | "EXPIRED" | "DISCONNECT" | "GRACE_STARTED" | "GRACE_PERIOD_EXPIRED" | "RESUMED"
  | "MOVED" | "CLAIMED" | "TRANSFERRED" | "TAKEN_BY_ADMIN" | "RESERVED" | "RESERVATION_EXPIRED" | "ADMIN_RELEASED"
  | "SESSION_TERMINATED" | "RECOVERED" | "STORE_LOST";
export type DenyReason = "HELD" | "HELD_BY_YOU" | "GRACE" | "RESERVED" | "RECOVERING" | "NOT_AN_EDITOR";
export type ServerErrorCode =
  | "INVALID_MESSAGE" | "UNKNOWN_EVENT" | "INVALID_RESOURCE_ID" | "UNKNOWN_RESOURCE_TYPE" | "INVALID_ARGUMENT" | "NOT_JOINED"
  | "NOT_HOLDER" | "NOT_QUEUED" | "QUEUE_FULL" | "REQUESTS_DISABLED" | "UNKNOWN_REQUEST" | "TAKEOVER_DISABLED"
  | "TAKEOVER_IN_PROGRESS" | "UNAUTHENTICATED" | "TOKEN_EXPIRED" | "TOKEN_INVALID" | "FORBIDDEN" | "RATE_LIMITED"
  | "MAX_TAB_LOCKS_EXCEEDED" | "MAX_VIEWERS_EXCEEDED" | "TOO_MANY_ROOMS" | "BACKEND_UNAVAILABLE" | "AUDIT_UNAVAILABLE" | "INTERNAL";
/** Codes of the library itself. CONNECTION_LOST: the request may or may not have been carried out. */
export type ClientErrorCode = "TIMEOUT" | "CONNECTION_LOST" | "CLOSED" | "NO_REQUEST" | "NO_USER" | "TOKEN_UNAVAILABLE";
export type ErrorCode = ServerErrorCode | DenyReason | LockReason | ClientErrorCode;

export interface Person { userId: string; username?: string }
export interface Lock {
  state: "unknown" | "free" | "held" | "grace" | "reserved";
  holder?: Person;
  since?: number;
  expiresAt?: number;
  dirty?: boolean;
  graceUntil?: number;
  reservedFor?: Person;
  reservedUntil?: number;
  /** Waiters, without the one whose turn it is. */
  queueLength?: number;
  /** The lock is this tab's, as far as the server has said. Whether to edit says `section.state`. */
  mine: boolean;
}
export interface User extends Person {
  mode: "editor" | "viewer";
  hasLock: boolean;
  lockExpiresAt?: number;
  connections: number;
  since: number;
}
export interface Policy {
  ttlMs: number;
  heartbeatIntervalMs: number;
  upgrade: "deny" | "queue" | "request";
  requests: boolean;
  requestTimeoutMs: number;
  claimWindowMs: number;
  disconnect: "release" | "grace" | "prompt";
  gracePeriodMs: number;
  livenessMs: number;
  takeover: "immediate" | "request" | "never";
  takeoverTimeoutMs: number;
  maxConcurrentTabLocksPerUser: number | null;
  maxViewersPerChild: number | null;
}
/** How the lock before this one ended. */
export interface PreviousLock extends Person {
  reason: string;
  dirty: boolean;
  /** The text that its holder gave when it let go. */
  revision?: string;
  endedAt: number;
}
export interface Welcome extends Person {
  protocol: "wslock.v1";
  sessionId: string;
  roles: string[];
  admin: boolean;
  serverTime: number;
  tokenExpiresAt: number;
  maxMessageBytes: number;
  instance: string;
}

interface About { resourceId: string; rev: number }

/** Every event of the protocol, by its name, with its data. */
export interface ServerEvents {
  "welcome": Welcome;
  "auth:expiring": { expiresAt: number; serverTime: number };
  "auth:refreshed": { tokenExpiresAt: number; serverTime: number };
  "session:pong": { serverTime: number };
  "session:closed": { code: number; reason: string; reconnect: boolean };
  "server:draining": { reconnectInMs: number };
  "system:degraded": { confirmedUntil: number | null };
  "system:recovered": Record<string, never>;
  "error": { code: ServerErrorCode; message: string; ref: string; resourceId?: string; rev?: number; field?: string; retryAfterMs?: number; limit?: number; held?: string[] };
  "resource:joined": About & {
    mode: "editor" | "viewer"; clientId: string; lock: Lock; users: User[]; viewers: number; policy: Policy; serverTime: number;
    lost?: { token: number; reason: LockReason; at?: number; by?: string }; pending?: Pending;
  };
  "resource:left": About;
  "resource:policy": About & { policy: Policy };
  "presence:diff": About & { joined: User[]; left: { userId: string }[]; changed: User[]; viewers: number; serverTime: number };
  "presence:update": About & { users: User[]; viewers: number; serverTime: number };
  "lock:state": About & { lock: Omit<Lock, "mine"> & { mine?: boolean }; cause?: LockCause; serverTime: number; pending?: Pending };
  "lock:acquired": About & {
    token: number; expiresAt: number; serverTime: number; ttlMs: number; heartbeatIntervalMs: number; previous?: PreviousLock;
    resumed?: boolean; ticket?: string;
  };
  "lock:denied": About & { reason: DenyReason; currentHolder?: string; holder?: Person; expiresAt?: number; serverTime?: number; retryAfterMs?: number; ref: string };
  "lock:renewed": About & { token: number; expiresAt: number; serverTime: number; resumed?: boolean; ticket?: string };
  "lock:released": About & { reason: LockCause; previousHolder?: string };
  "lock:lost": About & { token: number; reason: LockReason; by?: string };
  "lock:expiring": About & { expiresAt: number; serverTime: number };
  "lock:queued": About & { position: number; estimatedWaitMs: number | null; estimatedWait: string | null };
  "lock:your_turn": About & { claimBy: number; serverTime: number };
  "lock:available": About & { claimBy: number; serverTime: number };
  "lock:queue_left": About & { reason: "LEFT" | "CLAIM_EXPIRED" | "ADMIN_RELEASED" };
  "lock:requested": About & { requestId: string; expiresAt: number | null; serverTime: number; holderState: Lock["state"] };
  "lock:request_received": About & { requestId: string; from: string; fromUserId: string; message: string; actions: string[]; expiresAt: number; serverTime: number };
  "lock:request_replied": { requestId: string; action: RequestAction };
  "lock:request_timeout": About & { requestId: string; reason: "DENIED" | "TIMEOUT"; message: string };
  "lock:request_cancelled": { requestId: string };
  "lock:request_closed": { requestId: string; outcome: "TIMEOUT" | "CANCELLED" | "LEFT" };
  "lock:holder_disconnected": About & { holder: string; holderUsername: string; actions: string[]; graceUntil: number; serverTime: number };
  "lock:takeover_pending": About & { requestId: string; forceAt: number; serverTime: number };
  "lock:takeover_requested": About & { requestId: string; from: string; reason: string; actions: string[]; forceAt: number; serverTime: number };
  "lock:takeover_replied": { requestId: string; action: TakeoverAction };
  "lock:takeover_denied": { requestId: string; by: string; forceAt: number };
  "lock:takeover_closed": { requestId: string; outcome: "CANCELLED" | "ADMIN_GONE" | "OVERTAKEN" };
  "lock:takeover_cancelled": { requestId: string };
  "lock:taken_by_admin": About & { admin: string; adminUsername: string; reason: string };
}
export interface Pending {
  position?: number; estimatedWaitMs?: number | null; estimatedWait?: string | null; claimBy?: number;
  request?: { requestId: string; expiresAt: number | null };
  requests?: { requestId: string; from: string; fromUserId: string; message: string; expiresAt: number }[];
  takeover?: { requestId: string; from: string; reason: string; forceAt: number };
}
export type RequestAction = "APPROVE" | "DENY" | "IGNORE";
export type TakeoverAction = "APPROVE" | "DENY";

// ---- errors ----

/** Why a request failed, or was not made. `data`: the server's message, where there is one. */
export class WslockError extends Error {
  readonly name: "WslockError";
  readonly code: ErrorCode;
  readonly data: Readonly<Record<string, any>>;
  /** Trying again makes sense after this time; null: the server has named none. */
  readonly retryAfterMs: number | null;
  constructor(code: ErrorCode, message: string, data?: Record<string, any>);
}

// ---- the client ----

/** What the library needs of `Storage`. */
export interface StorageLike {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}
export interface TokenContext {
  /** connect: for a new connection; expiring: the token in use ends soon; rejected: the server has refused the last one. */
  reason: "connect" | "expiring" | "rejected";
  signal: AbortSignal;
}
export interface WslockOptions {
  /** `ws:`, `wss:`, or a path or http(s) address of the page's own server; default: `/ws` of this page's host. */
  url?: string | URL;
  /** A JWT for this user. Called for each connection, and before the one in use ends. */
  getToken(context: TokenContext): string | Promise<string>;
  /** session: keeps clientId and fencing tokens over a reload (default sessionStorage); local: keeps drafts (default localStorage).
   *  null: memory only. */
  storage?: { session?: StorageLike | null; local?: StorageLike | null } | null;
  /** Separates several clients of one page in the storage. Default "wslock". */
  storageKey?: string;
  /** input: pointer, key and touch events of the page count (default); manual: only touch(), edit(), claim() and keepDraft(), which count always; always: as long as the client lives. */
  activity?: "input" | "manual" | "always";
  /** How long after the last activity the user still counts as active. Default 60 s. All times are below 2^31 ms. */
  idleAfterMs?: number;
  /** Time limit of requests; default 10 s. */
  timeoutMs?: number;
  /** Whom to be told of: diff (default), or none for pages that show nobody. */
  presence?: "diff" | "none";
  /** Replacements for globals of the browser: `WebSocket`, `performance`, `Date`, `setTimeout`, `clearTimeout`, `random`, `crypto`,
   *  `navigator`, `document`, `window`, `BroadcastChannel`. For tests and other runtimes. */
  platform?: Record<string, unknown>;
}

export interface RequestOptions {
  /** Ends the wait; the promise is rejected with the signal's reason. A lock that comes too late is released. */
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** idle: not asked to connect yet; connecting; connected: the token was accepted; waiting: for the next try; closed: by close(), or
 *  for good by the server (connect() tries again). */
export type ConnectionState = "idle" | "connecting" | "connected" | "waiting" | "closed";

export interface ClientEvents extends ServerEvents {
  /** The connection's state. code, reason: of the WebSocket's close; retryInMs: when waiting. */
  "connection": { state: ConnectionState; code?: number; reason?: string; retryInMs?: number };
  /** Something failed that nobody awaits: getToken, a save callback, a listener. Without a listener it goes to console.error. */
  "problem": { error: Error };
  /** Each frame, for developers. Access tokens and tickets are left out of `text`. */
  "frame": { direction: "in" | "out"; text: string; at: number };
  /** Any property of any section, or of the client, may have changed. */
  "change": { section: Section | null };
}

export class WslockClient {
  /** TypeError: an option is missing or malformed. Nothing is connected yet. */
  constructor(options: WslockOptions);
  readonly state: ConnectionState;
  /** From `welcome`; null before. Stays over a reconnect. */
  readonly user: { userId: string; username: string; roles: string[]; admin: boolean } | null;
  /** Name of this tab; null before the first connect. */
  readonly clientId: string | null;
  readonly pageId: string;
  /** Its store is away: nothing is granted until it is back. */
  readonly degraded: boolean;
  /** The same object for the same id, which is `type:id` or `type:id:child`, while anybody keeps it, listens to it or is in its room.
   *  TypeError: it is none. */
  section(id: string): Section;
  /** Connects, or after the client was closed connects again. Resolves when the token was accepted. Sections do it by themselves. */
  connect(options?: RequestOptions): Promise<void>;
  /** Leaves on purpose: locks and places end. Drafts stay. Without a connection nothing can be told to the server: it keeps a lock until
   *  its grace period or its time is over, and nobody here has it any more. */
  close(): Promise<void>;
  /** Drops the connection as if the network had: locks get their grace. Connects again only with connect(). */
  disconnect(): void;
  /** The user has done something. */
  touch(): void;
  /** Looks at the clocks at once: whether to stop, to ask, to send. Timers do it too, and may be late. */
  check(): void;
  /** The server's clock, ms since 1970; null before the first answer. */
  serverTime(): number | null;
  on<E extends keyof ClientEvents>(event: E, listener: (data: ClientEvents[E]) => void): () => void;
  off<E extends keyof ClientEvents>(event: E, listener: (data: ClientEvents[E]) => void): void;
}

// ---- a section ----

/** editing: the lock is this tab's; unconfirmed: the connection is gone or silent, and the time until which nobody else can have the
 *  lock is not over: go on, and show it; reading: do not edit. */
export type SectionState = "editing" | "unconfirmed" | "reading";

export interface Granted {
  outcome: "granted";
  /** The fencing token: register it with the application, then load the text. */
  fence: number;
  ticket: string | null;
  /** Of edit() and claim(): this page had this lock already, and the text in its editor is the newest. In the event: false. */
  resumed: boolean;
  previous: PreviousLock | null;
}
export interface Queued { outcome: "queued"; position: number; estimatedWaitMs: number | null; estimatedWait: string | null }
/** The holder has time to save until `forceAt` (the server's clock; `section.takingOver` counts down). `granted` follows. */
export interface TakeoverPending { outcome: "pending"; requestId: string; forceAt: number }

/** A request that the holder must answer. */
export interface IncomingRequest { requestId: string; from: string; fromUserId: string; message: string; remainingMs(): number | null }
/** The request of this tab. remainingMs: null once it is approved. */
export interface OutgoingRequest { requestId: string; holderState: Lock["state"]; remainingMs(): number | null }
export interface IncomingTakeover { requestId: string; from: string; reason: string; denied: boolean; remainingMs(): number | null }
export interface OutgoingTakeover { requestId: string; deniedBy: string | null; remainingMs(): number | null }

export type SaveCause =
  /** somebody asks for the lock */ | "request"
  /** an administrator takes it */ | "takeover"
  /** no activity: it ends soon */ | "expiry"
  /** the connection is gone: the time to go on is short */ | "connection"
  /** the page goes or is frozen: only what is synchronous, or sent with keepalive, is done */ | "unload";
export interface SaveRequest {
  cause: SaveCause;
  /** Until when a save still makes sense, counted on this machine's monotonic clock. */
  remainingMs(): number;
  /** ms since 1970 by the local clock, for timers and display. */
  deadline: number;
  /** Of `request` and `takeover`: for answerRequest() and answerTakeover(). */
  requestId: string | null;
  fence: number;
  ticket: string | null;
  /** Ends with the deadline, and when the lock is lost. */
  signal: AbortSignal;
}
export type SaveHandler = (request: SaveRequest) => unknown;

/** Text that was typed and not saved. Belongs to a user, in this browser. */
export interface Draft {
  readonly id: string;
  readonly text: string;
  /** Revision of the text that it was written on. */
  readonly baseRevision: string;
  /** ms since 1970 by the local clock. */
  readonly writtenAt: number;
  /** Written in this tab, before a reload or now. */
  readonly own: boolean;
  /** Compares with what the application has now. Changes nothing: no call puts a draft over a newer revision. */
  compare(current: { revision: string; text: string }): DraftComparison;
  discard(): void;
}
export type DraftComparison =
  /** the draft's text is what is stored: discard it */
  | { outcome: "identical"; text: string }
  /** nobody has written since: the draft may be put back */
  | { outcome: "same-base"; text: string; revision: string }
  /** somebody has: show both, and let the user decide */
  | { outcome: "conflict"; draft: { text: string; baseRevision: string; writtenAt: number }; current: { text: string; revision: string } };

export interface SectionEvents extends Pick<ServerEvents, Exclude<keyof ServerEvents,
  "welcome" | "auth:expiring" | "auth:refreshed" | "session:pong" | "session:closed" | "server:draining" | "system:degraded" | "system:recovered">> {
  "state": { state: SectionState; previous: SectionState };
  /** A lock has come, asked for or not (a turn, a takeover, a reconnect), with a fence that this page did not have: load the text. */
  "granted": Granted;
  /** The lock is gone, once for each. Unsaved text: keep it as a draft. */
  "lost": { fence: number; reason: LockReason; by: string | null };
  /** Any property may have changed. */
  "change": Record<string, never>;
}

export class Section {
  private constructor();
  readonly id: string;
  readonly client: WslockClient;
  /** Looks at the clocks each time it is read. */
  readonly state: SectionState;
  /** state is not `reading`. */
  readonly mayEdit: boolean;
  /** A lock was held, and the server has not said yet whether it goes on. */
  readonly resuming: boolean;
  readonly joined: boolean;
  readonly lock: Lock;
  readonly users: readonly User[];
  readonly viewers: number;
  readonly policy: Policy | null;
  /** Place in the queue from 1; null: none. */
  readonly position: number | null;
  readonly estimatedWait: string | null;
  /** It is this tab's turn: claim(). */
  readonly turn: boolean;
  /** The holder was cut off and the type lets anybody claim. */
  readonly claimable: boolean;
  /** Of this tab's lock; null: none. Send it with each save. */
  readonly fence: number | null;
  readonly ticket: string | null;
  readonly previous: PreviousLock | null;
  readonly lastLoss: { fence: number; reason: LockReason; by: string | null } | null;
  /** To answer: answerRequest(). */
  readonly requests: readonly IncomingRequest[];
  readonly asked: OutgoingRequest | null;
  /** To answer: answerTakeover(). */
  readonly takeover: IncomingTakeover | null;
  readonly takingOver: OutgoingTakeover | null;
  /** null: the application has not said since the lock came. */
  dirty: boolean | null;

  /** Joins the room to watch. A lock that this tab had before a reload is resumed. */
  view(options?: RequestOptions): Promise<void>;
  /** Asks for the lock. WslockError: the code says why not, a DenyReason among them. takeOwn: from another tab of this user. */
  edit(options?: RequestOptions & { takeOwn?: boolean }): Promise<Granted | Queued>;
  /** revision: names the text saved last, up to 128 characters. Declines where it is this tab's turn. */
  release(options?: RequestOptions & { revision?: string }): Promise<void>;
  claim(options?: RequestOptions): Promise<Granted>;
  /** Renews the lock that this page has, and its ticket: `section.ticket` is the new one. Does not count as activity. WslockError:
   *  NOT_HOLDER: this page has none; a LockReason: the server says that it is gone. */
  renew(options?: RequestOptions): Promise<Granted>;
  leaveQueue(options?: RequestOptions): Promise<void>;
  /** Asks the holder; up to 500 characters. */
  request(message?: string, options?: RequestOptions): Promise<OutgoingRequest>;
  cancelRequest(options?: RequestOptions): Promise<void>;
  answerRequest(requestId: string, action: RequestAction, options?: RequestOptions & { revision?: string }): Promise<void>;
  /** reason: 1 to 500 characters. */
  takeOver(reason: string, options?: RequestOptions & { urgent?: boolean }): Promise<Granted | TakeoverPending>;
  cancelTakeover(options?: RequestOptions): Promise<void>;
  answerTakeover(requestId: string, action: TakeoverAction, options?: RequestOptions & { revision?: string }): Promise<void>;
  /** Leaves the room: lock, place and requests end. Without a connection it is done at once, and nothing is told to the server: it keeps
   *  a lock until its grace period or its time is over. */
  leave(options?: RequestOptions): Promise<void>;
  /** What the server says now, also without having joined. */
  status(options?: RequestOptions): Promise<ServerEvents["lock:state"]>;

  /** Milliseconds until the lock ends, is free again, or the turn is over, whatever comes by `lock.state`; null: nothing runs. Right
   *  with a wrong local clock. */
  countdown(): number | null;
  /** One handler; returns its removal. Not called while `dirty` is false. */
  onSave(handler: SaveHandler): () => void;

  /** Keeps what is typed, at once. False: only in memory, for the storage is full or missing. */
  keepDraft(text: string, baseRevision: string): boolean;
  /** The application has saved `text` as `revision`: ends the draft; what was typed since stays one, based on `revision`. */
  saved(saved: { revision: string; text: string }): void;
  /** Drafts of this user, newest first; without the one that this page is writing. Empty before the first connection. */
  drafts(): Draft[];

  on<E extends keyof SectionEvents>(event: E, listener: (data: SectionEvents[E]) => void): () => void;
  off<E extends keyof SectionEvents>(event: E, listener: (data: SectionEvents[E]) => void): void;
}
