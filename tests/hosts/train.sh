# SPDX-License-Identifier: MIT
# tests/hosts/train.sh: one training over several hosts has one rank's bits.
. "$(dirname "$0")/../shell/kit.sh"
mpirun=$3
recipe r.json

# train NAME COMMAND...: train one model, into NAME.safetensors.
train() {
    name=$1
    shift
    said="$* modelopt train"
    "$@" "$program" train r.json -q --model "$name.safetensors" \
        --set train.parts=8 --set 'model.layers[0].units=64' \
        --set train.optimizer.learning_rate=0.01 >out 2>err
    code=$?
    code_is 0
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
finish
