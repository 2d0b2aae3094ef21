// What the server sends: to the client, and about a section; and after which close codes the client does not connect again by
// itself. A test compares them with the tables of the daemon.

const of = (prefix, names) => names.split(" ").map((name) => prefix + name);

export const CLIENT_EVENTS = [
  "welcome", ...of("auth:", "expiring refreshed"), ...of("session:", "pong closed"), "server:draining",
  ...of("system:", "degraded recovered"),
];

export const SECTION_EVENTS = [
  "error", ...of("resource:", "joined left policy"), ...of("presence:", "diff update"),
  ...of("lock:", "state acquired denied renewed released lost expiring queued your_turn available queue_left requested"),
  ...of("lock:request_", "received replied timeout cancelled closed"), "lock:holder_disconnected",
  ...of("lock:takeover_", "pending requested replied denied closed cancelled"), "lock:taken_by_admin",
];

export const FINAL_CLOSES = new Set([1002, 1003, 1007, 1009, 4400, 4403, 4409]);
