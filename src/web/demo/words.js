// Words for every code that the daemon or the client library can give. demo_page.test.js compares the tables with the protocol's.

// How a lock ended, for who had it: [severity, text].
export const LOSS = {
  EXPIRED: ["warning", "Your lock has run out, because nothing was heard from you."],
  MOVED: ["info", "You went on editing in another tab."],
  CLAIMED: ["warning", "You were cut off, and somebody else took the lock."],
  TRANSFERRED: ["info", "You have handed the lock over."],
  TAKEN_BY_ADMIN: ["warning", "An administrator has taken the lock."],
  ADMIN_RELEASED: ["warning", "An administrator has released your lock."],
  DISCONNECT: ["warning", "Your connection ended, and your lock with it."],
  GRACE_PERIOD_EXPIRED: ["warning", "You were away for too long: your lock has ended."],
  STALE_TOKEN: ["warning", "Somebody else has had the lock since."],
  NOT_HELD: ["warning", "The lock is no longer yours."],
  STORE_LOST: ["problem", "The server could not confirm your lock in time."],
  SESSION_TERMINATED: ["problem", "An administrator has ended your session."],
  RELEASED: ["info", "You have stopped editing."],
};

// Why a lock was not granted.
export const DENIED = {
  HELD: "Somebody else was faster and is editing.",
  HELD_BY_YOU: "You are editing this in another tab.",
  GRACE: "Whoever was editing was cut off and may come back.",
  RESERVED: "It is somebody else's turn.",
  RECOVERING: "The server is putting its locks together again. Try again in a moment.",
  NOT_AN_EDITOR: "Your role may read this, but not edit it.",
};

export const ERROR = {
  INVALID_MESSAGE: "The server did not understand this page. Reload it.",
  UNKNOWN_EVENT: "The server does not know what this page asked for. Reload it.",
  INVALID_RESOURCE_ID: "This document's name is not valid.",
  UNKNOWN_RESOURCE_TYPE: "The server does not serve documents of this type.",
  INVALID_ARGUMENT: "The server did not accept what was sent.",
  NOT_JOINED: "This tab has left the document. Reload it.",
  NOT_HOLDER: "The lock is no longer yours.",
  NOT_QUEUED: "You are no longer in the queue.",
  QUEUE_FULL: "The queue is full. Try again later.",
  REQUESTS_DISABLED: "Nobody can be asked for this document.",
  UNKNOWN_REQUEST: "That request is over.",
  TAKEOVER_DISABLED: "This document cannot be taken over.",
  TAKEOVER_IN_PROGRESS: "Another administrator is taking it over.",
  UNAUTHENTICATED: "You are not signed in.",
  TOKEN_EXPIRED: "Your sign-in has run out.",
  TOKEN_INVALID: "The server does not accept your sign-in.",
  FORBIDDEN: "You are not allowed to do this.",
  RATE_LIMITED: "Too much at once. Wait a moment.",
  MAX_TAB_LOCKS_EXCEEDED: "You are editing as many parts of this document as one person may.",
  MAX_VIEWERS_EXCEEDED: "As many people as are allowed are looking at this already.",
  TOO_MANY_ROOMS: "This tab has too many documents open.",
  BACKEND_UNAVAILABLE: "The server cannot reach its store, and grants nothing until it can.",
  AUDIT_UNAVAILABLE: "The server cannot write its audit log, and does nothing that it could not record.",
  INTERNAL: "Something went wrong in the server.",
  TIMEOUT: "The server has not answered in time.",
  CONNECTION_LOST: "The connection was lost before the answer came.",
  CLOSED: "This tab has been closed.",
  NO_REQUEST: "That request is over.",
  NO_USER: "The page has never been connected, and does not know who you are.",
  TOKEN_UNAVAILABLE: "The page cannot sign in: no token.",
};

export const wordsOf = (code) => DENIED[code] ?? ERROR[code] ?? `The server answered ${code}.`;

// Ends after which a tab does not come back by itself, by the WebSocket's close code.
export const CLOSE = {
  1002: "The connection was ended because of a protocol error.",
  1003: "The connection was ended because of a protocol error.",
  1007: "The connection was ended because of a protocol error.",
  1009: "The connection was ended because a message was too long.",
  4400: "The connection was ended because of a protocol error.",
  4403: "An administrator has ended your session.",
  4409: "This tab was opened a second time, and the other one goes on.",
};

// What the audit log has of a change that everybody in the room is told of. None of a renewal.
export const RECORDED = {
  ACQUIRED: ["LOCK_ACQUIRED", "began to edit"],
  RENEWED: null,
  RELEASED: ["LOCK_RELEASED", "stopped editing"],
  EXPIRED: ["LOCK_EXPIRED", "lost the lock: no heartbeat"],
  DISCONNECT: ["LOCK_RELEASED", "lost the lock with the connection"],
  GRACE_STARTED: ["LOCK_GRACE_STARTED", "was cut off; the lock is kept"],
  GRACE_PERIOD_EXPIRED: ["LOCK_GRACE_EXPIRED", "did not come back in time"],
  RESUMED: ["LOCK_RESUMED", "came back to the same lock"],
  MOVED: ["LOCK_MOVED", "went on in another tab"],
  CLAIMED: ["LOCK_CLAIMED", "took the lock in turn"],
  TRANSFERRED: ["LOCK_REQUEST_APPROVED", "handed the lock over"],
  TAKEN_BY_ADMIN: ["LOCK_TAKEOVER", "took the lock as administrator"],
  RESERVED: ["LOCK_RESERVED", "is given a turn"],
  RESERVATION_EXPIRED: ["RESERVATION_EXPIRED", "did not take the turn"],
  ADMIN_RELEASED: ["LOCK_ADMIN_RELEASED", "lost the lock: released by an administrator"],
  SESSION_TERMINATED: ["LOCK_RELEASED", "lost the lock: session ended"],
  RECOVERED: ["LOCK_RECOVERED", "is confirmed after an outage"],
  STORE_LOST: ["LOCK_RELEASED", "lost the lock: the store was lost"],
};

// The same of what only one person is told of.
export const RECORDED_EVENTS = {
  "lock:requested": () => ["LOCK_REQUESTED", "asked for the lock"],
  "lock:request_timeout": ({ reason }) => (reason === "DENIED" ? ["LOCK_REQUEST_DENIED", "was refused the lock"] : ["LOCK_REQUEST_TIMED_OUT", "got no answer"]),
  "lock:takeover_pending": () => ["LOCK_TAKEOVER_REQUESTED", "announced a takeover"],
};
