-- Redis runs Lua 5.1. A script consists of the prelude and one file, in one chunk.
std = "lua51"
max_line_length = 120
globals = {}
read_globals = {
  "redis", "cjson", "cmsgpack", "struct", "bit", "KEYS", "ARGV",
  -- src/lock/layouts.def
  "ARRAY", "ENDING", "EVENT", "EVENT_LOCK", "EVENT_MEMBER", "EVENT_OPERATION", "EVENT_TAKEOVER", "EVENT_WAITER", "FLAG",
  "HOW", "KEY", "KIND", "LOCK", "TAKEOVER", "WAITER", "WAITS",
}
