# SPDX-License-Identifier: MIT
# tests/shell/postgresql.sh: searches on a server of the test's own. Skips
# where PostgreSQL's server is not installed.
. "$(dirname "$0")/kit.sh"
bin=
for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/bin \
    /usr/bin; do
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && bin=$folder
done
[ -n "$bin" ] && command -v setpriv >/dev/null || exit 77

# The server does not start as root.
as() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}
cluster=$(mktemp -d /tmp/modelopt-pg-XXXXXX) || exit 1
[ "$(id -u)" -ne 0 ] || chown 65534:65534 "$cluster"
server=
stop() {
    [ -z "$server" ] || kill -INT "$(head -n 1 "$cluster/data/postmaster.pid")"
    wait
    rm -rf "$cluster" "$work"
}
trap stop EXIT
(cd "$cluster" && as "$bin/initdb" -D "$cluster/data" -A trust -U tester \
    --no-sync >log 2>&1) || { cat "$cluster/log"; exit 1; }
port=$("$python" -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
cd "$cluster" || exit 1
as "$bin/postgres" -D "$cluster/data" -p "$port" -k "$cluster" -c fsync=off \
    -c listen_addresses=127.0.0.1 >"$cluster/log" 2>&1 &
server=$!
cd "$work" || exit 1
url=postgresql://tester:geheim@127.0.0.1:$port/postgres
tries=0
while ! "$program" study list "$url" >out 2>err &&
    ! grep -q "no study\|is empty" err && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done

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
