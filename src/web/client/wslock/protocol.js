// The closed sets of the protocol, for tools and tests: `import {…} from "wslock/protocol"`. The client itself needs no more of
// them than events.js has. A test compares them with the tables of the daemon.

import { CLIENT_EVENTS, FINAL_CLOSES, SECTION_EVENTS } from "./events.js";

// {name: "client" | "section"}: who has the event.
export const EVENTS = Object.freeze(Object.fromEntries([
  ...[...CLIENT_EVENTS].map((name) => [name, "client"]),
  ...[...SECTION_EVENTS].map((name) => [name, "section"]),
]));

// {name: direct replies beside `error`}.
export const REQUESTS = Object.freeze({
  "auth": ["welcome"],
  "auth:refresh": ["auth:refreshed"],
  "session:ping": ["session:pong"],
  "resource:join": ["resource:joined"],
  "resource:leave": ["resource:left"],
  "lock:acquire": ["lock:acquired", "lock:denied", "lock:queued"],
  "lock:heartbeat": ["lock:renewed", "lock:lost"],
  "lock:release": ["lock:released"],
  "lock:status": ["lock:state"],
  "lock:claim": ["lock:acquired", "lock:denied"],
  "lock:queue_leave": ["lock:queue_left"],
  "lock:request": ["lock:requested"],
  "lock:request_reply": ["lock:request_replied"],
  "lock:request_cancel": ["lock:request_cancelled"],
  "lock:takeover": ["lock:acquired", "lock:takeover_pending"],
  "lock:takeover_reply": ["lock:takeover_replied"],
  "lock:takeover_cancel": ["lock:takeover_cancelled"],
});

export const ERRORS = Object.freeze([
  "INVALID_MESSAGE", "UNKNOWN_EVENT", "INVALID_RESOURCE_ID", "UNKNOWN_RESOURCE_TYPE", "INVALID_ARGUMENT", "NOT_JOINED",
  "NOT_HOLDER", "NOT_QUEUED", "QUEUE_FULL", "REQUESTS_DISABLED", "UNKNOWN_REQUEST", "TAKEOVER_DISABLED",
  "TAKEOVER_IN_PROGRESS", "UNAUTHENTICATED", "TOKEN_EXPIRED", "TOKEN_INVALID", "FORBIDDEN", "RATE_LIMITED",
  "MAX_TAB_LOCKS_EXCEEDED", "MAX_VIEWERS_EXCEEDED", "TOO_MANY_ROOMS", "BACKEND_UNAVAILABLE", "AUDIT_UNAVAILABLE", "INTERNAL",
]);

// {close code: whether the client connects again by itself}.
export const CLOSES = Object.freeze({
  1001: true, 4401: true, 4408: true, 4429: true, ...Object.fromEntries([...FINAL_CLOSES].map((code) => [code, false])),
});
