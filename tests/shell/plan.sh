# SPDX-License-Identifier: MIT
# tests/shell/plan.sh: modelopt info --parallel: how ranks would share a recipe.
. "$(dirname "$0")/kit.sh"

cat >plan.json <<'JSON'
{
  "data": {"source": {"type": "linear", "count": 4000, "features": 300,
                      "classes": 10}},
  "model": {"layers": [
    {"repeat": 4, "layers": [{"type": "dense", "units": 512,
                              "activation": "relu"}]},
    {"type": "dense"}]},
  "train": {"batch_size": 256},
  "parallel": {"data": 1, "tensor": 2, "pipeline": 2}
}
JSON

# The recipe says how many ranks there are.
run info --parallel plan.json
code_is 0
empty err
has out "ranks      4: data 1 x tensor 2 x pipeline 2"
has out "forward and backward"
has out "columns,rows"
run info --parallel plan.json --json
code_is 0
json "j['ranks'] == 4 and len(j['stages']) == 2 and len(j['alternatives']) == 1"
json "abs(sum(j['costs'].values()) / j['seconds'] - 1) < 1e-9"
json "sum(s['layers'] for s in j['stages']) == 5"

# Left open, all meshes are looked at; the first is the one that is taken.
run info --parallel plan.json --ranks 8 --json --set parallel='{}'
code_is 0
json "len({(a['data'], a['tensor'], a['pipeline'])
           for a in j['alternatives']}) == 9"
json "all(j[k] == j['alternatives'][0][k] for k in
          ('data', 'tensor', 'pipeline', 'parts', 'seconds', 'memory'))"
run info --parallel plan.json --ranks 64 --set parallel='{}'
code_is 0
has out "(-v shows all)"
run info --parallel plan.json --ranks 64 --set parallel='{}' -v
has_not out "(-v shows all)"

# What was said of the machine counts.
run info --parallel plan.json --ranks 2 --json \
    --set parallel='{"link_latency": 10}'
json "j['seconds'] > 1"

refused 2 "goes with --parallel" info --ranks 2
refused 2 "not both" info some.safetensors --parallel plan.json
refused 2 "--ranks" info --parallel plan.json --ranks 0
refused 3 "none.json" info --parallel none.json
refused 3 "parallel.data, tensor, pipeline: 1 x 2 x 2" \
    info --parallel plan.json --ranks 3
refused 3 "parallel.tensor: must be an integer" \
    info --parallel plan.json --set 'parallel.tensor={"int": [1, 2]}'
refused 3 "the nearest is 'parallel.tensor'" \
    info --parallel plan.json --set parallel.tensr=2
refused 3 "parallel.memory_limit: no plan for 4 ranks fits into 1000 bytes" \
    info --parallel plan.json --set parallel.memory_limit=1000
refused 3 "open (train.batch_size): use --set train.batch_size=VALUE" \
    info --parallel plan.json --set 'train.batch_size={"int": [1, 2]}'
finish
