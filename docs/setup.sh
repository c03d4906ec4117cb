# SPDX-License-Identifier: MIT
# docs/setup.sh: the packages that building and testing need; sourced by
# docs/quickstart.sh and tests/run.sh.
#
# setup_packages build        what building the library and program takes
# setup_packages build test   and what the test suite takes besides
#
# Installs only what is missing, says so first, and returns 1 with a message
# when it cannot. POSIX sh.

setup_build_list='build-essential pkg-config meson ninja-build python3
    libopenblas-dev liblapacke-dev libsqlite3-dev libjansson-dev zlib1g-dev'
setup_test_list='check clang libclang-rt-14-dev abigail-tools valgrind cmake
    python3-venv sqlite3 man-db libpq-dev postgresql libopenmpi-dev
    openmpi-bin libmpich-dev mpich iproute2 slurmctld slurmd
    slurm-client python3-yaml'

# The words of $* that dpkg does not know as installed.
setup_missing() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *' installed') ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

setup_as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        echo "setup: run this as root, or install sudo" >&2
        return 1
    fi
}

setup_packages() {
    setup_wanted=
    for group in "$@"; do
        case $group in
        build) setup_wanted="$setup_wanted $setup_build_list" ;;
        test) setup_wanted="$setup_wanted $setup_test_list" ;;
        *) echo "setup_packages: no group '$group'" >&2; return 1 ;;
        esac
    done
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "setup: no apt-get here; expecting the packages that these are" \
            "called on Debian:" $setup_wanted >&2
        return 0
    fi
    setup_need=$(setup_missing $setup_wanted)
    [ -n "$setup_need" ] || return 0
    echo "Installing from Debian's packages: $setup_need"
    setup_log=$(mktemp) || return 1
    if { setup_as_root apt-get update &&
        setup_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
            --no-install-recommends $setup_need; } >"$setup_log" 2>&1; then
        rm -f "$setup_log"
        return 0
    fi
    tail -n 5 "$setup_log" >&2
    rm -f "$setup_log"
    echo "setup: the packages could not be installed. Is there a network, and" \
        "may you install? By hand: apt-get install $setup_need" >&2
    return 1
}
