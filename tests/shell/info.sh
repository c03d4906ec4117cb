# SPDX-License-Identifier: MIT
# tests/shell/info.sh: info and keys tell what the library tells.
. "$(dirname "$0")/kit.sh"

run info
code_is 0
empty err
has out "version       0.1.0"
has out "threads"
run info --json
code_is 0
json "j['version'] == '0.1.0' and 'openblas' in j['backends']"
json "j['blas_threads'] == 1"
run info --json --backend reference --threads 3
json "j['backend'] == 'reference' and j['threads'] == 3"

run keys
code_is 0
has out "  train"
kinds=$(sed -n 's/^  //p' out)
run keys --json
json "len(j['kinds']) >= 5"
for kind in $kinds; do
    run keys "$kind"
    code_is 0
    has out "default"
    run keys "$kind" --json
    json "j['kind'] == '$kind' and all(k['help'] for k in j['keys'])"
done
run keys --schema
code_is 0
json "'properties' in j"
finish
