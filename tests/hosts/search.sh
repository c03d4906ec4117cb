# SPDX-License-Identifier: MIT
# tests/hosts/search.sh: workers on three hosts share a study in PostgreSQL on
# one of them. One host dies, another is cut off for 5 seconds: the search goes
# on, with trials from their checkpoints, and finds what one host would alone.
. "$(dirname "$0")/../shell/kit.sh"
. "$root/tests/shell/server.sh"
on=$root/tests/tools/on.sh
serve "$(sed -n 's/ node1$//p' /run/hosts)"
recipe r.json
mkdir checkpoints

# search PLACE FLAG...: the words of one worker's command.
search() {
    place=$1
    shift
    echo "$program" search "$work/r.json" --storage "$place" --trials 32 \
        --set data.source.count=20000 --set train.epochs=120 --threads 1 \
        --no-model --resume "$@"
}

# On a host, by itself.
worker() {
    "$on" "$1" "$(search "$url" -vv --set search.heartbeat=0.5 \
        --set search.grace=2 --set search.patience=30 \
        --set "search.checkpoints=$work/checkpoints" \
        --set search.checkpoint_seconds=0.02)" >"$1.txt" 2>&1 &
}

# told PLACE FILE: trials with their parameters and values, by numbers.
told() {
    run study trials "$1" --json
    code_is 0
    "$python" -c '
import json, sys
for t in sorted(json.load(sys.stdin)["trials"], key=lambda t: t["number"]):
    print(t["number"], t["state"], t["params"], t["values"])' <out >"$2"
    : >out
}

# ask SQL: what the database says.
ask() {
    psql -qtAc "$1" "$url" 2>/dev/null || echo 0
}

complete() {
    ask "select count(*) from trials where state = 'COMPLETE'"
}

# running NODE: trials that run there.
running() {
    ask "select count(*) from trials join modelopt_workers using (trial_id)
        where state = 'RUNNING' and host = '$1'"
}

# more_than N: trials that are complete beyond so many.
more_than() {
    echo $(($(complete) - $1))
}

# interrupted: is node2 in the midst of a transaction, and of a trial that has
# a checkpoint?
interrupted() {
    number=$(psql -qtAc "select number from trials
        join modelopt_workers using (trial_id) where state = 'RUNNING' and
        host = 'node2' and exists (select 1 from pg_stat_activity where
        client_addr = '$(sed -n 's/ node2$//p' /run/hosts)' and
        state = 'idle in transaction' and backend_xid is not null)" "$url")
    [ -n "$number" ] && ls checkpoints/*-"$number".safetensors >/dev/null 2>&1
}

# wait_for WORD...: until the words print a number above 0, for 20 seconds.
wait_for() {
    tries=0
    while [ "$("$@")" -eq 0 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || {
            fail "never any $*"
            return
        }
        sleep 0.1
    done
}

# signal NODE NAME: to all processes there.
signal() {
    ip netns pids "$1" | xargs -r kill -"$2"
}

said="one host alone"
sh -c "$(search alone.db --workers 2)" >out 2>err
code=$?
code_is 0
told alone.db alone.txt

worker node1
first=$!
wait_for running node1
worker node2
worker node3
last=$!
wait_for running node3

# A host dies, in the midst of a trial and of a transaction. The server cannot
# know, and the transaction holds a lock.
said="the end of node2"
wait_for running node2
signal node2 STOP
tries=0
until interrupted || [ "$tries" -ge 200 ]; do
    tries=$((tries + 1))
    signal node2 CONT
    sleep 0.02
    signal node2 STOP
done
checks=$((checks + 1))
[ "$tries" -lt 200 ] || fail "never in a transaction"
ip -n switch link set node2 down
signal node2 KILL

# A link is cut for 5 seconds; the other worker goes on.
said="a cut of node3's link"
wait_for running node3
ip -n switch link set node3 down
before=$(complete)
sleep 5
wait_for more_than "$before"
ip -n switch link set node3 up

for worker in "$first" "$last"; do
    wait "$worker"
    code=$?
    grep -v ': epoch ' node[13].txt >err
    code_is 0
done
told "$url" together.txt
same alone.txt together.txt
checks=$((checks + 1))
[ "$(ask "select count(*) from trial_system_attributes
    where key = 'retry_history'")" -ge 1 ] || fail "no trial changed hands"
# A trial that goes on does not begin with its first epoch.
checks=$((checks + 1))
sed -n 's/.*: epoch \([0-9]*\):.*/\1/p' node1.txt node3.txt |
    awk '$1 != 1 && $1 != before + 1 { found = 1 } { before = $1 }
        END { exit !found }' || fail "no trial went on from its checkpoint"
[ -z "$(ls checkpoints)" ] || fail "checkpoints are left"
finish
