#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/mpi/train.sh: the program under mpirun: the same model, bit for bit, for
# any number of ranks; one voice; files written once.
#
# usage: train.sh MPIRUN PROGRAM
set -eu
mpirun=$1 program=$(realpath "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >recipe.json <<'END'
{
  "data": {
    "source": {"type": "linear", "count": 600, "test_count": 200,
               "features": 8, "classes": 3},
    "split": {"validation": 0.25}
  },
  "model": {"layers": [
    {"type": "dense", "units": 16, "activation": "relu"},
    {"type": "dropout", "rate": 0.1},
    {"type": "dense"}]},
  "train": {"epochs": 4, "batch_size": 50, "parts": 8}
}
END
fail() { echo "$*" >&2; exit 1; }

"$program" train recipe.json --model one.safetensors -q >one.txt
for ranks in 2 3; do
    "$mpirun" -n $ranks "$program" train recipe.json \
        --model many.safetensors -q >many.txt 2>errors.txt ||
        fail "$(cat errors.txt)"
    cmp one.safetensors many.safetensors || fail "$ranks ranks: other bits"
    rm many.safetensors
    ! grep -q "$(printf '\033')" many.txt || fail "colours in a file"
    [ "$(grep -c accuracy many.txt)" = "$(grep -c accuracy one.txt)" ] ||
        fail "$ranks ranks: said $(cat many.txt)"
done

# Stages and copies of a model that the ranks share change no bit; pieces of its
# layers round otherwise, and come to a model of the same form.
share() {
    sed "\$s/}/, \"parallel\": $2}/" recipe.json >shared.json
    "$mpirun" -n "$1" "$program" train shared.json --model many.safetensors \
        -q >many.txt 2>errors.txt || fail "$2: $(cat errors.txt)"
}
share 3 '{"tensor": 1, "pipeline": 1}'
cmp one.safetensors many.safetensors || fail "three copies: other bits"
share 2 '{"pipeline": 2, "tensor": 1}'
cmp one.safetensors many.safetensors || fail "two stages: other bits"
share 4 '{"pipeline": 2, "tensor": 1, "data": 2, "schedule": "gpipe"}'
cmp one.safetensors many.safetensors || fail "stages, copies: other bits"
share 2 '{"tensor": 2, "pipeline": 1}'
[ "$(wc -c <many.safetensors)" = "$(wc -c <one.safetensors)" ] ||
    fail "two pieces: another model"
rm many.safetensors

# A plan that cannot be is wrong input, and no trial that fails.
code=0
"$mpirun" -n 3 "$program" train recipe.json --no-model -q \
    --set 'parallel={"tensor": 2}' >out.txt 2>errors.txt || code=$?
[ $code -eq 3 ] || fail "exit code $code: $(cat errors.txt)"
grep -q "modelopt: parallel\." errors.txt || fail "$(cat errors.txt)"

# Ranks that were given different recipes are told so.
sed 's/"batch_size": 50/"batch_size": 40/' recipe.json >other.json
cat >either.sh <<'END'
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}
[ "$rank" = 0 ] && exec "$1" train recipe.json --no-model -q
exec "$1" train other.json --no-model -q
END
if "$mpirun" -n 2 sh either.sh "$program" >out.txt 2>errors.txt; then
    fail "ranks with different recipes went on"
fi
grep -q "do not have the same recipe" errors.txt ||
    fail "not told: $(cat errors.txt)"

# Other ways to share a training: the same bits, too.
for way in 'compression="bf16"' 'compression="topk"' \
    'local_steps=3 --set train.local_workers=4 --set train.parts=0'; do
    # shellcheck disable=SC2086
    set -- train recipe.json -q --set train.parts=4 --set train.$way
    "$program" "$@" --model one.safetensors >one.txt
    "$mpirun" -n 2 "$program" "$@" --model two.safetensors >two.txt \
        2>errors.txt || fail "$way: $(cat errors.txt)"
    cmp one.safetensors two.safetensors || fail "$way: other bits"
done

# Nobody waits: whatever comes out, it does.
"$mpirun" -n 3 "$program" train recipe.json -q --set train.parts=0 \
    --set train.local_steps=3 --set train.asynchronous=true \
    --model free.safetensors >free.txt 2>errors.txt ||
    fail "asynchronous: $(cat errors.txt)"
[ -s free.safetensors ] || fail "asynchronous: no model"

# One rank is told to stop: all do, at the same step, and leave a checkpoint,
# with which more ranks come to the bits of a training that was never stopped.
cat >noted.sh <<'END'
rank=${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}
echo $$ >pid.$rank
[ ! -d "host.$rank" ] || cd "host.$rank"
exec "$@"
END
long="train recipe.json --set train.epochs=1000 --threads 1 -vv"
# shellcheck disable=SC2086
"$program" $long --model one.safetensors >one.txt 2>errors.txt
: >told.txt
# shellcheck disable=SC2086
"$mpirun" -n 2 sh noted.sh "$program" $long --no-model --storage cut.db \
    >cut.txt 2>told.txt &
tries=0
until grep -q ' epoch 3:' told.txt; do
    tries=$((tries + 1))
    [ $tries -lt 1200 ] || fail "no third epoch: $(cat told.txt)"
    sleep 0.05
done
kill -TERM "$(cat pid.1)"
wait $! || true
while kill -0 "$(cat pid.0)" 2>/dev/null || kill -0 "$(cat pid.1)" 2>/dev/null
do
    sleep 0.05
done
last=$(sed -n 's/.* epoch \([0-9]*\):.*/\1/p' told.txt | tail -n 1)
[ "$last" -lt 1000 ] || fail "all was over before the signal"
ls cut.db.trial-*.safetensors >found.txt || fail "no checkpoint is left"
for rank in 0 1; do
    mkdir "host.$rank"
    cp recipe.json "host.$rank"
done
# A rank that was killed on the way leaves part of the study in its log.
cp cut.db* host.0
# shellcheck disable=SC2086
"$mpirun" -n 3 "$program" $long --storage cut.db --resume \
    --model many.safetensors >many.txt 2>errors.txt || fail "$(cat errors.txt)"
! grep -q " epoch $last:" errors.txt || fail "epoch $last twice"
cmp one.safetensors many.safetensors || fail "after a token: other bits"

# Where one rank does not see the checkpoint, nobody goes on, nor waits.
# shellcheck disable=SC2086
if "$mpirun" -n 2 sh noted.sh "$program" $long --no-model --storage cut.db \
        --resume >out.txt 2>errors.txt
then
    fail "ranks with different files went on"
fi
grep -q "not every rank reads the same there" errors.txt ||
    fail "not told: $(cat errors.txt)"
