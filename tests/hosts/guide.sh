# SPDX-License-Identifier: MIT
# tests/hosts/guide.sh: the commands of the guide to clusters, as they stand, on
# three hosts.
. "$(dirname "$0")/../shell/kit.sh"
. "$root/tests/shell/server.sh"
. "$here/slurm.sh"
"$python" -c 'import yaml' 2>/dev/null || skip "no PyYAML here"

# What a cluster has: programs, a database, recipes.
mkdir bin
ln -s "$program" bin/modelopt
ln -s "$root/tests/tools/on.sh" bin/ssh
printf '#!/bin/sh\nexec %s %s/kubectl.py "$@"\n' "$python" "$here" >bin/kubectl
chmod +x bin/kubectl
PATH=$work/bin:$PATH
sed -n 's/ node1$/ db/p' /run/hosts >>/run/hosts
serve "$(sed -n 's/ node1$//p' /run/hosts)" 5432
psql -qc 'create role me login createdb' "$url"
recipe search.json
sed -e 's/{"choice": \[4, 16\]}/16/' -e 's/{"float".*true}}/0.01}/' \
    -e 's/"epochs": 3/"epochs": 3, "parts": 4/' \
    search.json >train.json

said="the guide's commands"
timeout 100 "$python" "$root/tests/tools/guide.py" sh \
    "$root/docs/guide/cluster.md" >out 2>err
code=$?
code_is 0
# The same training by hand, in stages, by Slurm, by pods, and alone.
"$program" train train.json -q --model alone.safetensors >alone.txt
for model in train stages slurm pods; do
    same alone.safetensors "$model.safetensors"
done
checks=$((checks + 1))
[ "$(grep -c '^validation' train.log)" -eq 1 ] ||
    fail "Slurm's ranks did not train together"
there search.safetensors
for name in study together array pods; do
    run study show postgresql://me@db/studies --name "$name" --json
    json "j['counts']['complete'] == 6"
done
finish
