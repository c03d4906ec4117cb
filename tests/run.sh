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

now() { date +%s; }
start=$(now)

. docs/setup.sh
setup_packages build test || exit 1
mkdir -p "$build"

say() { printf '\n== %s\n' "$*"; }

# configure FOLDER CC OPTION...: a build folder, made once; warnings are errors.
configure() {
    folder=$build/$1 compiler=$2; shift 2
    if [ ! -f "$folder/build.ninja" ]; then
        CC=$compiler meson setup "$folder" --werror "$@" || return 1
    fi
    ninja -C "$folder" build.ninja
}

# compile FOLDER SUITE...: what the tests of these suites run, and no more.
compile() {
    folder=$build/$1; shift
    targets=$(python3 - "$folder" "$@" <<'PY'
import json, os, sys
folder, suites = sys.argv[1], {"modelopt:" + name for name in sys.argv[2:]}
def read(kind):
    with open(f"{folder}/meson-info/intro-{kind}.json", encoding="utf-8") as f:
        return json.load(f)
needed = {target for test in read("tests") if suites & set(test["suite"])
          for target in test["depends"]}
for target in read("targets"):
    if target["id"] in needed:
        print(*(os.path.relpath(name, folder) for name in target["filename"]))
PY
    ) && [ -n "$targets" ] && nice ninja -C "$folder" $targets
}

# make_build NAME: the whole of it with each compiler, warnings of optimisers
# among them. For the others what their tests run is enough, with -O1 and -g1:
# that compiles in less than half the time of -O2 -g, leaves no less to check,
# and reports still name lines.
checked='-Dpython=false -Dbuildtype=debugoptimized -Doptimization=1'
checked="$checked -Dc_args=-g1"
make_build() {
    case $1 in
    gcc | clang)
        configure "$1" "$1" -Dbench=true && nice ninja -C "$build/$1" ;;
    asan)
        configure asan gcc $checked -Db_sanitize=address,undefined \
            -Db_lundef=false && compile asan unit fault ;;
    tsan)
        configure tsan gcc $checked -Db_sanitize=thread -Db_lundef=false &&
            compile tsan threads ;;
    valgrind) configure valgrind gcc $checked && compile valgrind memcheck ;;
    esac
}

# make_builds NAME...: one after the other; a line "NAME STATUS SECONDS" each.
make_builds() {
    for name in "$@"; do
        begun=$(now) status=0
        make_build "$name" >"$build/build-$name.log" 2>&1 || status=1
        echo "$name $status $(($(now) - begun))"
    done
}

# built NAME: the next of those lines, from descriptor 3. A build counts as one
# test.
built() {
    waited=$(now)
    if read -r name status seconds <&3 && [ "$name $status" = "$1 0" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: build-$1"
        tail -n 40 "$build/build-$1.log"
    fi
    echo "   built in ${seconds:-?} s, $(($(now) - waited)) s of them awaited"
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
    echo "   $1 tests passed, $2 failed, $3 were skipped: $(($(now) - begun)) s"
}

# suite FOLDER MESON-TEST-ARGUMENT...
suite() {
    folder=$build/$1 begun=$(now); shift
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
}

# Oracles are fetched while the first build is made, and the other builds are
# made while tests run: many of these wait for servers and for each other.
if [ "${MODELOPT_ORACLES:-no}" = yes ]; then
    oracles >"$build/oracles.log" 2>&1 &
    oracles=$!
fi
names=gcc
[ "$mode" = quick ] || names='gcc clang asan tsan valgrind'
rm -f "$build/made"
mkfifo "$build/made" || exit 1
make_builds $names >"$build/made" &
exec 3<"$build/made"
rm -f "$build/made"

say "Build with gcc"
built gcc
if [ "${MODELOPT_ORACLES:-no}" = yes ]; then
    say "Oracles for comparison"
    waited=$(now)
    if wait "$oracles"; then
        export MODELOPT_ORACLE_PYTHON="$build/oracles/bin/python"
    else
        tail -n 3 "$build/oracles.log"
    fi
    echo "   $(($(now) - waited)) s awaited"
fi

say "The suite on the backend openblas"
suite gcc

if [ "$mode" = full ]; then
    say "The unit tests on the backend reference"
    MODELOPT_TEST_BACKEND=reference suite gcc --suite unit --suite fault \
        --no-suite store

    say "Build with clang, and the unit tests"
    built clang
    suite clang --suite unit

    say "Address and undefined behaviour sanitizers"
    built asan
    CK_TIMEOUT_MULTIPLIER=4 suite asan --suite unit --suite fault -t 4

    say "Thread sanitizer"
    built tsan
    CK_TIMEOUT_MULTIPLIER=6 suite tsan --suite threads -t 6

    say "Valgrind"
    built valgrind
    suite valgrind --setup valgrind --suite memcheck
fi

printf '\n%s s in all\n' "$(($(now) - start))"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
