# SPDX-License-Identifier: MIT
# tests/hosts/cut.sh: in the midst of a training over three hosts the link of
# one is cut for 5 seconds, or a rank is killed. The others end with a clear
# error, and two hosts go on from the checkpoint, to the bits of one process
# that was never disturbed. A cut that is shorter than their patience does
# nothing.
. "$(dirname "$0")/../shell/kit.sh"
mpirun=$3
recipe r.json

# train COMMAND... -- FLAG...: the same training, by one rank or several.
train() {
    words=
    while [ "$1" != -- ]; do
        words="$words $1"
        shift
    done
    shift
    said="$words modelopt train $*"
    $words "$program" train r.json --set 'model.layers[0].units=16' \
        --set train.parts=8 --set train.optimizer.learning_rate=0.01 \
        --set train.epochs=1200 "$@" >out 2>err
}

# is_on_its_way: is there a checkpoint that is younger than an epoch's end?
is_on_its_way() {
    grep -q ' epoch 2:' err || return 1
    [ -e epoch ] || touch epoch
    find . -name "$storage.trial-*.safetensors" -newer epoch | grep -q .
}

# disturbed TIMEOUT STORAGE COMMAND...: begin on three hosts, and run the
# command when there is something to go on from.
disturbed() {
    timeout=$1 storage=$2
    shift 2
    train "$mpirun" -n 3 -- --rank-timeout "$timeout" --storage "$storage" \
        -vv --model three.safetensors --set search.checkpoint_seconds=0.1 &
    ranks=$!
    rm -f epoch
    tries=0
    until is_on_its_way || [ "$tries" -ge 300 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    "$@"
    wait "$ranks"
    code=$?
    said="$*"
    sed -i '/ epoch [0-9]*:/d' err
}

# ended TEXT: with an error that has the text.
ended() {
    checks=$((checks + 1))
    [ "$code" -ne 0 ] || fail "nobody was missed"
    has err "$1"
    gone three.safetensors
}

# go_on STORAGE: by two hosts, from where the three were.
go_on() {
    train "$mpirun" -n 2 -- --storage "$1" --resume -vv \
        --model two.safetensors
    code=$?
    code_is 0
    same one.safetensors two.safetensors
    has_not err " epoch 1:"
    checks=$((checks + 1))
    ! ls "$1".trial-*.safetensors >/dev/null 2>&1 ||
        fail "a checkpoint is left"
}

# cut SECONDS
cut() {
    ip -n switch link set node3 down
    sleep "$1"
    ip -n switch link set node3 up
}

kill_rank() {
    for process in $(ip netns pids node2); do
        ! grep -qx modelopt "/proc/$process/comm" || kill -KILL "$process"
    done
}

# lose_rank: kill one, and again if Open MPI's own daemon crashed over it: that
# of 4.1 may, when a rank has something to say while its channels are closed.
lose_rank() {
    for lost in killed.db again.db once-more.db; do
        disturbed 60 "$lost" kill_rank
        grep -q 'mca_rml_oob.so' err || return 0
    done
}

train env -- -vv --model one.safetensors
code=$?
code_is 0
has err " epoch 1:"
disturbed 60 short.db cut 1
code_is 0
same one.safetensors three.safetensors
rm -f three.safetensors
disturbed 4 cut.db cut 5
ended "was silent until the timeout"
go_on cut.db
lose_rank
ended "signal 9"
go_on "$lost"
finish
