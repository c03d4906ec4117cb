#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/mpi/search.sh: searches under mpirun: one study whose trials the ranks
# take, the same winner and bits as one process finds; one voice; exit codes.
#
# usage: search.sh MPIRUN PROGRAM
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
    {"type": "dense", "units": {"choice": [4, 16]}, "activation": "relu"},
    {"type": "dense"}]},
  "train": {"epochs": 3, "batch_size": 32, "parts": 4,
            "optimizer": {"type": "adam", "learning_rate":
                          {"float": [0.001, 0.1], "log": true}}},
  "search": {"trials": 10},
  "seed": 7
}
END
fail() { echo "$*" >&2; exit 1; }

# found FILE: what a search told, but for times.
found() {
    sed 's/"costs": {[^}]*}, //; s/"seconds": [0-9.e-]*//
         s/, "storage": "[^"]*"//' "$1"
}

# search RANKS NAME FLAG...: by so many ranks, the output in NAME.txt.
search() {
    ranks=$1 name=$2
    shift 2
    "$mpirun" -n "$ranks" "$program" search recipe.json --json -q \
        --model many.safetensors "$@" >"$name.txt" 2>errors.txt
}

"$program" search recipe.json --model many.safetensors --json -q >one.txt
mv many.safetensors one.safetensors
same() {
    cmp one.safetensors many.safetensors || fail "$*: other weights"
    [ "$(found one.txt)" = "$(found many.txt)" ] ||
        fail "$*: told $(cat many.txt)"
    rm many.safetensors
}
search 3 many || fail "$(cat errors.txt)"
same "3 ranks"
[ "$(ls ./*.db 2>/dev/null)" = "" ] || fail "a study is left: $(ls)"
search 4 many --ranks-per-trial 2 || fail "$(cat errors.txt)"
same "2 teams"
search 2 many --storage study.db || fail "$(cat errors.txt)"
same "a study's file"
"$program" study show study.db --json | grep -q '"complete": 10' ||
    fail "$("$program" study show study.db)"

# More trials later, by another number of ranks.
search 3 more --storage study.db --resume --trials 12 ||
    fail "$(cat errors.txt)"
grep -q '"complete": 12' more.txt || fail "$(cat more.txt)"

# A rank is killed, and the launcher ends the others: what was told is there,
# the rest is found by the next ones, down to the same bits.
cat >noted.sh <<'END'
echo $$ >pid.${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-0}}
exec "$@"
END
long="--set train.epochs=200 --set data.source.count=20000"
"$program" search recipe.json $long --model one.safetensors -q >one.txt
"$mpirun" -n 3 sh noted.sh "$program" search recipe.json $long --no-model \
    --storage killed.db -q >killed.txt 2>&1 &
complete() {
    told=$("$program" study show killed.db --json 2>errors.txt |
        sed -n 's/.*"counts": {[^}]*"complete": \([0-9]*\).*/\1/p')
    echo "${told:-0}"
}
tries=0
while [ "$(complete)" -lt 1 ]; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "no trial: $(cat killed.txt)"
    sleep 0.05
done
kill -9 "$(cat pid.1)"
wait $! && fail "nobody has noticed that a rank was killed"
[ "$(complete)" -lt 10 ] || fail "all was over before the kill"
search 2 again --storage killed.db --resume $long || fail "$(cat errors.txt)"
cmp one.safetensors many.safetensors || fail "after a kill: other weights"
[ "$(complete)" = 10 ] || fail "lost: $(complete)"

# What is wrong is told once or by each, and the exit code is that of one.
code=0
search 3 wrong --storage study.db || code=$?
[ $code -eq 3 ] || fail "exit code $code"
grep -q -- "--resume" errors.txt || fail "$(cat errors.txt)"
code=0
search 3 wrong --ranks-per-trial 2 || code=$?
[ $code -eq 3 ] || fail "exit code $code"
grep -q "teams of 2" errors.txt || fail "$(cat errors.txt)"
