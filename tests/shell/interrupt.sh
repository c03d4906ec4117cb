# SPDX-License-Identifier: MIT
# tests/shell/interrupt.sh: Ctrl-C keeps what is finished; a resumed search ends
# as one that was never interrupted.
. "$(dirname "$0")/kit.sh"
slow r.json

# start ARGUMENT...: the program in the background; waits for two trials.
start() {
    said="modelopt $*"
    : >err
    "$program" "$@" -v >out 2>err &
    process=$!
    tries=0
    while [ "$(grep -c 'trial .* complete' err)" -lt 2 ]; do
        sleep 0.05
        tries=$((tries + 1))
        if [ $tries -gt 1200 ] || ! kill -0 $process 2>/dev/null; then
            code=none
            fail "no two trials were finished"
            finish
        fi
    done
}

trials() {
    "$program" study export "$1" --json | "$python" -c '
import json, sys
for t in json.load(sys.stdin)["trials"]:
    print(t["number"], t["state"], t["values"], t["params"])'
}

run search r.json --no-model --storage whole.db --workers 2 --json --trials 8
code_is 0
trials whole.db >whole

start search r.json --no-model --storage cut.db --workers 2 --trials 8
kill -INT $process
wait $process
code=$?
code_is 130
has err "stopping"
has err "go on with: modelopt search r.json"
has err "--resume"
has out "best so far"
trials cut.db >cut
checks=$((checks + 1))
[ "$(grep -c complete cut)" -ge 2 ] || fail "finished trials were lost"
eval "$(sed -n 's/.*go on with: modelopt/run/p' err)"
code_is 0
trials cut.db >resumed
same whole resumed

# Without --storage a file is made, named, and used by the hint.
start search r.json --no-model --trials 6 --json
kill -INT $process
wait $process
code=$?
code_is 130
json "j['interrupted'] and j['storage'] == 'r-study.db'"
there r-study.db
eval "$(sed -n 's/.*go on with: modelopt/run/p' err)"
code_is 0
json "j['trials']['complete'] == 6 and 'interrupted' not in j"

# SIGTERM does the same; twice is at once.
start search r.json --no-model --storage term.db
kill -TERM $process
wait $process
code=$?
code_is 143
start search r.json --no-model --storage twice.db
kill -INT $process
kill -INT $process
wait $process
code=$?
code_is 130
trials twice.db >twice
checks=$((checks + 1))
[ "$(grep -c complete twice)" -ge 2 ] || fail "finished trials were lost"
# Killed without a warning.
start search r.json --no-model
kill -KILL $process
wait $process
trials r-study-2.db >killed
checks=$((checks + 1))
[ "$(grep -c complete killed)" -ge 2 ] || fail "finished trials were lost"

# One training goes on where it was stopped: no epoch is trained twice.
recipe one.json
fixed="--set model.layers[0].units=16 --set train.optimizer.learning_rate=0.01"
fixed="$fixed --set train.epochs=2000 --threads 1"
# shellcheck disable=SC2086
run train one.json $fixed --model whole.safetensors
code_is 0
for stop in INT:130 TERM:143; do
    signal=${stop%:*}
    said="modelopt train, and kill -$signal"
    : >err
    # shellcheck disable=SC2086
    "$program" train one.json $fixed --storage $signal.db -vv \
        --model cut.safetensors >out 2>err &
    process=$!
    tries=0
    until grep -q ' epoch 3:' err || [ $tries -ge 1200 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -$signal $process
    wait $process
    code=$?
    code_is "${stop#*:}"
    has err "interrupted; go on with: modelopt train one.json"
    last=$(sed -n 's/.* epoch \([0-9]*\):.*/\1/p' err | tail -n 1)
    checks=$((checks + 1))
    [ "${last:-0}" -lt 2000 ] || fail "all was over before the signal"
    eval "$(sed -n 's/.*go on with: modelopt/run/p' err)"
    code_is 0
    has_not err " epoch $last:"
    has err " epoch $((last + 1)):"
    same whole.safetensors cut.safetensors
done
finish
