// What the server sends: to the client, and about a section; and after which close codes the client does not connect again by
// itself. A test compares them with the tables of the daemon.

const of = (prefix, names) => names.split(" ").map((name) => prefix + name);

export const CLIENT_EVENTS = of("", "welcome auth:expiring auth:refreshed session:pong session:closed server:draining system:degraded " +
  "system:recovered");

export const SECTION_EVENTS = [
  ...of("", "error resource:joined resource:left resource:policy presence:diff presence:update"),
  ...of("lock:", "state acquired denied renewed released lost expiring queued your_turn available queue_left requested " +
    "holder_disconnected taken_by_admin"),
  ...of("lock:request_", "received replied timeout cancelled closed"),
  ...of("lock:takeover_", "pending requested replied denied closed cancelled"),
];

export const FINAL_CLOSES = new Set([1002, 1003, 1007, 1009, 4400, 4403, 4409]);
