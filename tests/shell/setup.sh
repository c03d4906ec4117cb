# SPDX-License-Identifier: MIT
# tests/shell/setup.sh: docs/setup.sh says what is wrong where it cannot
# install: no network, no right to, no Debian.
. "$(dirname "$0")/kit.sh"

# A system of our own making: what stands in bin/ is all there is.
mkdir bin
for tool in sh id mktemp tail rm cat env dpkg-query; do
    ln -s "$(command -v $tool)" bin/ 2>/dev/null
done
fake() {
    printf '#!%s\n%s\n' "$(command -v sh)" "$2" >"bin/$1.new"
    chmod +x "bin/$1.new"
    mv -f "bin/$1.new" "bin/$1"
}
# setup GROUP...: as the two scripts call it.
setup() {
    said="setup_packages $*"
    PATH=$work/bin sh -c '. "$0/docs/setup.sh"; setup_packages "$@"' \
        "$root" "$@" >out 2>err
    code=$?
}

fake dpkg-query "printf 'install ok installed'"
fake apt-get 'echo touched >&2; exit 1'
setup build test
code_is 0
empty out
empty err

fake dpkg-query 'exit 1'
fake id 'echo 0'
fake apt-get 'echo "Temporary failure resolving deb.debian.org"; exit 100'
setup build
code_is 1
has out "libopenblas-dev"
has err "Temporary failure resolving"
has err "network"

fake id 'echo 1000'
setup build
code_is 1
has err "sudo"

fake apt-get 'exit 0'
fake sudo 'exec "$@"'
setup build
code_is 0
has out "meson"

rm bin/apt-get
setup build
code_is 0
has err "no apt-get here"
setup nonsense
code_is 1
has err "no group 'nonsense'"

for script in docs/quickstart.sh tests/run.sh docs/setup.sh; do
    said="sh -n $script"
    sh -n "$root/$script"
    code=$?
    code_is 0
done
finish
