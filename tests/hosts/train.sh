# SPDX-License-Identifier: MIT
# tests/hosts/train.sh: one training over several hosts has one rank's bits, and
# so has one of a model that is spread over them, and a search, whose trials
# they train together without a study to share.
. "$(dirname "$0")/../shell/kit.sh"
mpirun=$3
recipe r.json

# model NAME COMMAND...: make one model, into NAME.safetensors.
model() {
    name=$1
    shift
    said=$*
    "$@" r.json -q --model "$name.safetensors" --set train.parts=8 >out 2>err
    code=$?
    code_is 0
}

# train NAME COMMAND...: of a recipe that leaves nothing open, but for $spread.
spread=
train() {
    name=$1
    shift
    model "$name" "$@" "$program" train --set 'model.layers[0].units=64' \
        --set train.optimizer.learning_rate=0.01 $spread
}

# What this host has sent so far, in bytes.
sent() {
    cat /sys/class/net/eth0/statistics/tx_bytes
}

train alone env
for hosts in 2 3; do
    before=$(sent)
    train "on$hosts" "$mpirun" -n "$hosts"
    same alone.safetensors "on$hosts.safetensors"
    # More than the whole model once: gradients went over the wire.
    checks=$((checks + 1))
    [ $(($(sent) - before)) -gt "$(wc -c <alone.safetensors)" ] ||
        fail "$hosts hosts hardly spoke to each other"
    checks=$((checks + 1))
    [ "$("$mpirun" -n "$hosts" hostname | sort -u | wc -l)" -eq "$hosts" ] ||
        fail "not one rank on each of $hosts hosts"
done
spread="--set parallel.pipeline=2"
train stages "$mpirun" -n 2
same alone.safetensors stages.safetensors
model alone env "$program" search
model together "$mpirun" -n 3 "$program" search
same alone.safetensors together.safetensors
checks=$((checks + 1))
[ -z "$(ls -- *.db 2>/dev/null)" ] || fail "a study is left"
finish
