-- Each file stands behind prelude.lua and what it includes, whose locals it sees.
std = "lua51"
max_line_length = 120
read_globals = {
  "redis", "KEYS", "ARGV", "cmsgpack", "struct",
  -- prelude.lua
  "call", "pack", "unpack_values", "struct_pack", "clock", "us", "now", "TOKEN", "SINCE", "EXPIRES", "IDLE", "UNTIL",
  "TOLD", "DIRTY", "MADE", "STATE", "USER", "NAME", "CLIENT", "POLICY", "FREE", "read_lock", "write_lock", "deadline",
  "answer",
  -- the caller, of which includes speak
  "resource", "session", "user", "client", "name", "made", "policy", "ttl", "idle",
  -- includes
  "publish", "take", "tag", "policy_of", "effective", "held_by", "tell", "change", "end_grant", "pass_on", "finish",
  "start_grace", "settle", "recall", "forgotten", "judge", "applies", "apply", "split_member", "enter", "depart",
  "list_members", "trust", "try_close", "forget_instance", "answer_shard",
}
globals = {"tick", "window", "events", "event_count"}
for _, name in ipairs({"prelude", "publish", "grant", "settle", "recall", "judge", "member", "shard"}) do
  files["**/" .. name .. ".lua"] = {ignore = {"211"}} -- what it defines is used by others
end
-- Some of the caller is there for what they include.
for _, name in ipairs({"acquire", "heartbeat", "join"}) do
  files["**/" .. name .. ".lua"] = {ignore = {"211/name", "211/made", "211/policy", "211/ttl", "211/idle"}}
end
