-- Redis runs Lua 5.1. A script consists of the prelude and one file, in one chunk.
std = "lua51"
max_line_length = 120
globals = {}
read_globals = { "redis", "cjson", "cmsgpack", "struct", "bit", "KEYS", "ARGV" }
