# SPDX-License-Identifier: MIT
# tests/shell/kit.sh: what the tests of the program share. Each test begins
# with:  . "$(dirname "$0")/kit.sh"   and ends with:  finish
#
# $1 is the program, $2 a Python 3. The current folder is an empty one of the
# test's own.
set -u
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
python=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export TERM=xterm LC_ALL=C.UTF-8
unset NO_COLOR COLUMNS LANG LC_CTYPE
wrong=0 checks=0

# run ARGUMENT...: the program; its output in out, its messages in err, its
# exit code in $code. stdin is empty, or the file $input.
input=/dev/null
run() {
    said="modelopt $*"
    "$program" "$@" >out 2>err <"$input"
    code=$?
}

fail() {
    wrong=$((wrong + 1))
    printf 'FAIL: %s\n  after: %s (exit %s)\n' "$*" "$said" "$code"
    for file in out err; do
        [ ! -s "$file" ] || sed "s/^/  $file: /" "$file" | head -n 12
    done
}

# code N: the exit code was N.
code_is() {
    checks=$((checks + 1))
    [ "$code" -eq "$1" ] || fail "exit code $code, not $1"
}

# has FILE TEXT: the file has that text.
has() {
    checks=$((checks + 1))
    grep -qF -- "$2" "$1" || fail "'$2' is not in $1"
}

has_not() {
    checks=$((checks + 1))
    ! grep -qF -- "$2" "$1" || fail "'$2' is in $1"
}

empty() {
    checks=$((checks + 1))
    [ ! -s "$1" ] || fail "$1 is not empty"
}

there() {
    checks=$((checks + 1))
    [ -s "$1" ] || fail "no file $1"
}

gone() {
    checks=$((checks + 1))
    [ ! -e "$1" ] || fail "there is a file $1"
}

same() {
    checks=$((checks + 1))
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

# json EXPRESSION: the last line of out is one JSON object, and the Python
# expression over it, called j, is true; last(FILE) is that of another output.
json() {
    checks=$((checks + 1))
    tail -n 1 out | "$python" -c '
import json, sys
def last(name):
    return json.loads(open(name).read().splitlines()[-1])
j = json.loads(sys.stdin.read())
assert isinstance(j, dict), "not an object"
assert eval(sys.argv[1]), j' "$1" 2>jsonerr || {
        cat jsonerr
        fail "JSON: $1"
    }
}

# refused CODE TEXT ARGUMENT...: wrong input: exit code, one line on stderr that
# begins with "modelopt: " and has the text, nothing on stdout; with --json one
# object with the same message.
refused() {
    expected=$1 text=$2
    shift 2
    run "$@"
    code_is "$expected"
    has err "$text"
    empty out
    checks=$((checks + 1))
    [ "$(wc -l <err)" -eq 1 ] && grep -q '^modelopt: ' err ||
        fail "stderr is not one line of modelopt"
    run --json "$@"
    code_is "$expected"
    json "j['error']['exit'] == $expected and j['error']['message']"
}

skip() {
    echo "skipped: $*"
    exit 77
}

finish() {
    echo "$checks checks, $wrong failed"
    [ "$wrong" -eq 0 ]
    exit
}

# recipe FILE: a search of a few seconds at most: 12 trials of a small network
# on data from a seed. slow FILE: one that takes long enough to be interrupted.
recipe() {
    cat >"$1" <<'JSON'
{
  "data": {
    "source": {"type": "linear", "count": 600, "test_count": 200,
               "features": 8, "classes": 3},
    "split": {"validation": 0.25}
  },
  "model": {
    "layers": [
      {"type": "dense", "units": {"choice": [4, 16]}, "activation": "relu"},
      {"type": "dense"}
    ]
  },
  "train": {
    "epochs": 3,
    "batch_size": 32,
    "optimizer": {"type": "adam",
                  "learning_rate": {"float": [0.001, 0.1], "log": true}}
  },
  "objectives": ["validation.accuracy"],
  "search": {"trials": 6},
  "seed": 7
}
JSON
}

slow() {
    recipe "$1.fast"
    sed -e 's/"count": 600/"count": 20000/' -e 's/"epochs": 3/"epochs": 30/' \
        -e 's/"trials": 6/"trials": 40/' "$1.fast" >"$1"
    rm "$1.fast"
}
