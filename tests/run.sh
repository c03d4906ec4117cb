#!/bin/sh
# SPDX-License-Identifier: MIT
# tests/run.sh: install what is missing, build, and run the whole test suite.
#
#   sh tests/run.sh            everything: both compilers, both backends,
#                              sanitizers, valgrind
#   sh tests/run.sh quick      one build, the suite once
#
# MODELOPT_ORACLES=yes also makes a Python environment with PyTorch,
# scikit-learn, Optuna and safetensors (build/oracles), against which some tests
# compare; without it, or where it cannot be made, those are skipped. The last
# line is "N passed, N failed, N skipped".
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
build=${MODELOPT_BUILD:-$root/build}
mode=${1:-full}
passed=0 failed=0 skipped=0
export OPENBLAS_NUM_THREADS=1

case $mode in
full | quick) ;;
*) echo "usage: sh tests/run.sh [quick]" >&2; exit 2 ;;
esac

. docs/setup.sh
setup_packages build test || exit 1
mkdir -p "$build"

say() { printf '\n== %s\n' "$*"; }

# one NAME: a step without tests of its own counts as one test.
one() {
    name=$1; shift
    log=$build/$name.log
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name ($*)"
        tail -n 40 "$log"
    fi
}

# configure FOLDER CC OPTION...: a build folder, made once, and its build;
# warnings are errors.
configure() {
    folder=$build/$1 compiler=$2; shift 2
    if [ ! -f "$folder/build.ninja" ]; then
        CC=$compiler meson setup "$folder" --werror "$@" || return 1
    fi
    ninja -C "$folder"
}

# count FOLDER: add what meson wrote of its last run to the sums.
count() {
    result=$(python3 - "$1/meson-logs/testlog$2.json" <<'PY'
import json, sys
good = bad = skip = 0
for line in open(sys.argv[1], encoding="utf-8"):
    test = json.loads(line)
    if test["result"] in ("OK", "EXPECTEDFAIL"):
        good += 1
    elif test["result"] == "SKIP":
        skip += 1
    else:
        bad += 1
        print("FAILED:", test["name"], file=sys.stderr)
        for part in ("stdout", "stderr"):
            text = test.get(part, "")[-3000:]
            if text:
                print(text, file=sys.stderr)
print(good, bad, skip)
PY
    ) || result="0 1 0"
    set -- $result
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    echo "   $1 tests passed, $2 failed, $3 were skipped"
}

# suite FOLDER MESON-TEST-ARGUMENT...
suite() {
    folder=$build/$1; shift
    rm -f "$folder"/meson-logs/testlog*.json
    meson test -C "$folder" --no-rebuild --quiet "$@" >"$folder/suite.log" 2>&1
    for log in "$folder"/meson-logs/testlog*.json; do
        if [ ! -f "$log" ]; then
            failed=$((failed + 1))
            tail "$folder/suite.log"
            break
        fi
        suffix=${log##*/testlog}
        count "$folder" "${suffix%.json}"
    done
}

oracles() {
    folder=$build/oracles
    python=$folder/bin/python
    [ -x "$python" ] || python3 -m venv "$folder" || return 1
    # PyTorch only in the build for the CPU: others take gigabytes.
    "$python" -c 'import torch' 2>/dev/null ||
        "$python" -m pip install -q torch==2.13.0 numpy || true
    for module in sklearn:scikit-learn optuna:optuna safetensors:safetensors \
        jsonschema:jsonschema numpy:numpy psycopg2:psycopg2-binary; do
        "$python" -c "import ${module%%:*}" 2>/dev/null ||
            "$python" -m pip install -q "${module##*:}" || true
    done
    export MODELOPT_ORACLE_PYTHON="$python"
}

if [ "${MODELOPT_ORACLES:-no}" = yes ]; then
    say "Oracles for comparison"
    oracles >"$build/oracles.log" 2>&1 || tail -n 3 "$build/oracles.log"
fi

say "Build with gcc"
one build-gcc configure gcc gcc -Dbench=true
say "The suite on the backend openblas"
suite gcc

if [ "$mode" = full ]; then
    say "The unit tests on the backend reference"
    MODELOPT_TEST_BACKEND=reference suite gcc --suite unit --suite fault \
        --no-suite store

    say "Build with clang, and the unit tests"
    one build-clang configure clang clang -Dbench=true
    suite clang --suite unit

    say "Address and undefined behaviour sanitizers"
    one build-asan configure asan gcc -Dbuildtype=debugoptimized \
        -Db_sanitize=address,undefined -Db_lundef=false -Dpython=false
    suite asan --suite unit --suite fault -t 4

    say "Thread sanitizer"
    one build-tsan configure tsan gcc -Dbuildtype=debugoptimized \
        -Db_sanitize=thread -Db_lundef=false -Dpython=false
    suite tsan --suite threads -t 6

    say "Valgrind"
    one build-valgrind configure valgrind gcc -Dbuildtype=debugoptimized \
        -Dpython=false
    suite valgrind --setup valgrind --suite memcheck
fi

echo
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
