#!/bin/sh
# Instructions of redis-server a script call, by callgrind (valgrind needed): prints a table, and with --check
# fails where a budget is missed.
exec node "$(dirname "$0")/callgrind.mjs" "$@"
