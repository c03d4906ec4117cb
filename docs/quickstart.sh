#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/quickstart.sh: from a fresh Debian 12 to a trained model: installs what
# is missing, builds, and runs the main job on data that it draws itself.
#
#   sh docs/quickstart.sh            as root or with sudo, from any folder
#
# What it makes lies in build/: the program in build/release, the model, the
# study and the report in build/quickstart. Again takes seconds of set-up.
set -u
case ${1:-} in
'') ;;
*) sed -n '3,9s/^# \{0,1\}//p' "$0"; [ "$1" = --help ]; exit $((2 * $?)) ;;
esac
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
# Paths as they are seen from where the caller stands.
if [ "$(pwd -P)" = "$(cd "$root" && pwd -P)" ]; then
    here=
else
    here=$root/
fi
build=${MODELOPT_BUILD:-$root/build}
release=$build/release
out=$build/quickstart
recipe=docs/examples/quickstart.json

say() { printf '%s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }
# A path of ours, as short as the caller can use it.
short() {
    case $1 in
    "$root"/*) printf '%s' "$here${1#"$root"/}" ;;
    *) printf '%s' "$1" ;;
    esac
}

cd "$root" || exit 1
mkdir -p "$release" "$out" || die "cannot write into $build"

say "== 1/3 Packages"
. docs/setup.sh
setup_packages build || exit 1
say "all there"

say "== 2/3 Build ($(short "$release"))"
if [ ! -f "$release/build.ninja" ]; then
    meson setup "$release" -Dtests=false >"$release.log" 2>&1 || {
        grep -A 8 ERROR "$release.log" >&2 || tail -n 5 "$release.log" >&2
        die "the build could not be configured; all of it: $release.log"
    }
fi
if [ -t 1 ]; then
    NINJA_STATUS='[%f/%t] ' ninja -C "$release"
else
    say "compiling, about a minute the first time"
    ninja -C "$release" >"$release.log" 2>&1 || {
        grep -A 8 -E 'FAILED|error' "$release.log" >&2
        false
    }
fi || die "the build failed; please report it with the lines above"
program=$release/src/cli/modelopt

say
say "== 3/3 Search: which network reads digits best?"
say "$(short "$program") search $here$recipe"
rm -f "$out"/study.db*
"$program" search "$recipe" --storage "$out/study.db" \
    --model "$out/model.safetensors" --report "$out/report.html" \
    --workers "$(getconf _NPROCESSORS_ONLN)" || exit $?

p=$(short "$program")
say
say "Try next:"
say "  the report, in a browser:     $(short "$out/report.html")"
say "  what the model says:          $p predict \\"
say "      $(short "$out/model.safetensors") $here$recipe | head"
say "  where it errs:                $p eval \\"
say "      $(short "$out/model.safetensors") $here$recipe --confusion"
say "  every trial:                  $p study trials \\"
say "      $(short "$out/study.db")"
say "  go on to 40 trials:           $p search \\"
say "      $here$recipe --trials 40 --resume \\"
say "      --storage $(short "$out/study.db")"
say "  your own data:                ${here}docs/guide/shell.md"
say "  the test suite:               sh ${here}tests/run.sh"
