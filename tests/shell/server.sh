# SPDX-License-Identifier: MIT
# tests/shell/server.sh: a PostgreSQL server of the test's own, for after
# kit.sh. Skips the test where PostgreSQL's server is not installed.
#
# serve ADDRESS [PORT]: start one there, which lets in whoever asks from that
# network; $url names its database, with a password that nobody should see. It
# stops at the end.
bin=
for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/bin \
    /usr/bin; do
    [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] && bin=$folder
done
[ -n "$bin" ] || skip "no PostgreSQL server here"

# The server does not start as root.
as() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}
as true 2>/dev/null || skip "cannot start a server as somebody else than root"

server=
stop() {
    [ -z "$server" ] || kill -INT "$(head -n 1 "$cluster/data/postmaster.pid")"
    wait
    rm -rf "$cluster" "$work"
}

serve() {
    cluster=$(mktemp -d /tmp/modelopt-pg-XXXXXX) || exit 1
    [ "$(id -u)" -ne 0 ] || chown 65534:65534 "$cluster"
    trap stop EXIT
    cd "$cluster" || exit 1
    as "$bin/initdb" -D data -A trust -U tester --no-sync >log 2>&1 || {
        cat log
        exit 1
    }
    echo "host all all $1/24 trust" >>data/pg_hba.conf
    port=${2:-$("$python" -c 'import socket, sys
s = socket.socket()
s.bind((sys.argv[1], 0))
print(s.getsockname()[1])' "$1")}
    as "$bin/postgres" -D data -p "$port" -k "$cluster" -c fsync=off \
        -c listen_addresses="$1" >>log 2>&1 &
    server=$!
    cd "$work" || exit 1
    url=postgresql://tester:geheim@$1:$port/postgres
    tries=0
    while ! "$program" study list "$url" >out 2>err &&
        ! grep -q "no study\|is empty" err && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
}
