# SPDX-License-Identifier: MIT
# tests/shell/postgresql.sh: searches on a server of the test's own. Skips
# where PostgreSQL's server is not installed.
. "$(dirname "$0")/kit.sh"
. "$here/server.sh"
serve 127.0.0.1

recipe r.json
run search r.json --json --no-model --storage "$url"
code_is 0
has_not out geheim
has_not err geheim
run study show "$url" --json
code_is 0
json "j['counts']['complete'] == 6"
run study list "$url"
has out "study"
run search r.json --no-model --storage "$url"
code_is 3
has err "--resume"
has_not err geheim
run search r.json --dry-run --json --storage "$url"
code_is 0
has_not out geheim

# Two at once on one study: together they finish what was asked for.
"$program" search r.json -q --no-model --storage "$url" --trials 20 --resume \
    >first 2>&1 &
other=$!
run search r.json -q --no-model --storage "$url" --trials 20 --resume
code_is 0
wait "$other"
code=$?
code_is 0
run study show "$url" --json
json "j['counts']['complete'] == 20"
run study show "postgresql://tester:geheim@127.0.0.1:1/x"
checks=$((checks + 1))
[ "$code" -ne 0 ] || fail "a server that is not there"
has_not err geheim
finish
