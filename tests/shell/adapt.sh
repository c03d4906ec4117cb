# SPDX-License-Identifier: MIT
# tests/shell/adapt.sh: distill and finetune, by flags and by recipes.
. "$(dirname "$0")/kit.sh"
cat >d.json <<'J'
{"data": {"source": {"type": "glyphs", "count": 600, "test_count": 200},
          "split": {"validation": 0.2}},
 "model": {"layers": [{"type": "dense", "units": 32, "activation": "relu"},
                      {"type": "dense"}]},
 "train": {"epochs": 4}, "seed": 1}
J
run train d.json --model big.safetensors
code_is 0

# ---- flags alone
run distill --teacher big.safetensors --data d.json --student 8 --epochs 3 \
    --temperature 8 --model small.safetensors
code_is 0
has out "teacher"
has out "alone"
has out "points behind the teacher"
there small.safetensors
run distill --teacher big.safetensors --data d.json --student 8,4 --epochs 1 \
    --no-model --json
code_is 0
json "j['distill']['teacher']['params'] == 784 * 32 + 32 + 330"
run finetune --source big.safetensors --data d.json --epochs 2 \
    --model tuned.safetensors
code_is 0
has out "untuned"
has out "points before training from scratch"
run finetune --source big.safetensors --data d.json --method lora --rank 2 \
    --epochs 1 --no-model --json
json "j['finetune']['method'] == 'lora' and len(j['finetune']['frozen']) == 4"

# An adapter beside the source's file is the tuned model, a new head too.
sed 's/"split"/"classes": "0-3", "split"/' d.json >four.json
run finetune --source big.safetensors --data four.json --method lora --rank 2 \
    --epochs 2 --model tuned.safetensors --adapter low.safetensors --json
code_is 0
run eval tuned.safetensors four.json --json
cp out tuned
run eval big.safetensors four.json --adapter low.safetensors --json
code_is 0
json "abs(j['metrics']['loss'] - last('tuned')['metrics']['loss']) < 1e-5"
run predict big.safetensors four.json --adapter low.safetensors --json
json "{r['class'] for r in j['predictions']} <= set('0123')"
run predict big.safetensors four.json --layer -1 --out f.npy
code_is 0
run predict big.safetensors four.json --layer 0 --out g.npy
code_is 0
same f.npy g.npy
refused 2 "go together" predict big.safetensors four.json --layer 0
refused 3 "the layers 0 to 1" predict big.safetensors four.json --layer 7 \
    --out f.npy
refused 3 "no adapter" eval big.safetensors four.json \
    --adapter big.safetensors
refused 3 "only method 'lora'" finetune --source big.safetensors --data d.json \
    --epochs 1 --no-model --adapter low.safetensors
run finetune --source big.safetensors --data d.json --method probe --no-model \
    --json
json "j['finetune']['penalty'] > 0"


# ---- a table of one's own: what is forgotten, on rows held out by the split
for i in 1 2 3 4 5 6 7 8; do
    for k in 1 2 3 4 5; do
        echo "$i,$k,$((i > k)),red"
        echo "$k,$i,$((i < k)),blue"
    done
done | awk 'BEGIN { print "a,b,c,colour" } { print }' >old.csv
sed 's/red/x/; s/blue/red/; s/x/blue/' old.csv >new.csv
cat >old.json <<'J'
{"data": {"source": {"type": "csv", "path": "old.csv"},
          "split": {"validation": 0.2, "test": 0.2}},
 "model": {"layers": [{"type": "dense", "units": 8, "activation": "relu"},
                      {"type": "dense"}]},
 "train": {"epochs": 30}, "seed": 1}
J
run train old.json --model old.safetensors
code_is 0
run finetune --source old.safetensors --data new.csv --no-model --json \
    --set 'finetune.source_data={"source": {"type": "csv",
        "path": "old.csv"}}'
json "j['finetune']['source']['before']['accuracy'] is not None"
run finetune --source old.safetensors --data new.csv --no-model --json \
    --set 'finetune.source_data={"source": {"type": "csv",
        "path": "old.csv"}, "split": {"test": 0.2}}'
code_is 0
run distill --teacher old.safetensors --data new.csv --student 4 --no-model
code_is 0

# ---- recipes: a teacher that is trained when it is missing, cases, seeds
cat >r.json <<'J'
{"data": {"source": {"type": "glyphs", "count": 600, "test_count": 200},
          "split": {"validation": 0.2}},
 "model": {"layers": [{"type": "dense", "units": {"choice": [4, 16]},
                       "activation": "relu"}, {"type": "dense"}]},
 "train": {"epochs": 3},
 "distill": {"teacher": {"file": "made.safetensors", "train": {"epochs": 4},
                         "model": {"layers": [{"type": "dense", "units": 40,
                           "activation": "relu"}, {"type": "dense"}]}},
             "weight": {"choice": [0.5, 1]}},
 "search": {"sampler": "grid"}, "objectives": ["params"],
 "constraints": [{"metric": "gap", "max": 100}],
 "published": {"teacher": 7}, "quick": {"train.epochs": 1}, "seed": 1}
J
run distill r.json --quick --no-model --json
code_is 0
there made.safetensors
json "j['best']['params']['model.layers[0].units'] == 4"
json "j['best']['feasible'] and j['distill']['alone']['errors'] > 0"
run distill r.json --quick --no-model --set repeats=2 --set search.trials=1 \
    --set 'cases=[{"name": "a", "set": {"train.batch_size": 16}}]'
code_is 0
has out "+-"
has out "published"
run distill r.json --quick --no-model --json --set repeats=2 \
    --set 'model.layers[0].units=8' --set distill.weight=0.5 --report r.html
json "j['cases'][0]['summary']['sd']['student'] >= 0"
json "len(j['cases'][0]['runs']) == 2"
there r.html
grep -q "±" r.html || fail "no deviation in the report"
refused 2 "keeps no model" distill r.json --set repeats=2 --model x.safetensors
refused 3 "cases[0].set: train.epochs" distill r.json \
    --set 'cases=[{"set": {"train.epochs": -1}}]'

# ---- what to freeze, rates and ranks are searched
cat >s.json <<'J'
{"data": {"source": {"type": "glyphs", "count": 600, "test_count": 200},
          "classes": "0-4", "split": {"validation": 0.2}},
 "train": {"epochs": 1},
 "finetune": {"source": "big.safetensors", "rate": {"float": [0.1, 1]},
              "freeze": {"choice": ["", "layers.0.bias"]},
              "method": {"type": "lora", "rank": {"int": [1, 3]},
                         "biases": true},
              "source_data": {"source": {"type": "glyphs", "count": 600,
                                         "test_count": 200}}},
 "search": {"sampler": "random", "trials": 4}, "seed": 1}
J
run finetune s.json --no-model --json
code_is 0
json "{'finetune.rate', 'finetune.freeze', 'finetune.method.rank'} == \
    set(j['best']['params'])"
json "('layers.0.bias' in j['finetune']['frozen']) == \
    (j['best']['params']['finetune.freeze'] != '')"
json "j['finetune']['trained_params'] > 165"
json "j['finetune']['gain'] == j['finetune']['gain'] and \
    j['finetune']['source']['forgotten'] is not None"
run finetune s.json --no-model
has out "from scratch"
has out "forgotten"
has out "tensors frozen"

# ---- wrong input
refused 2 "--teacher FILE" distill
refused 2 "it is the widths" distill --teacher big.safetensors --data d.json \
    --student x
refused 2 "it is the widths" distill --teacher big.safetensors --data d.json \
    --student ""
refused 2 "--method" finetune --method wish
refused 2 "--teacher goes without a RECIPE" distill r.json \
    --teacher big.safetensors
refused 2 "--data goes without a RECIPE" finetune r.json --data d.json
refused 2 "of --method lora, not of 'head'" finetune --source big.safetensors \
    --data d.json --method head --rank 2
refused 3 "no section \"quick\"" finetune --source big.safetensors \
    --data d.json --quick
refused 4 "no tensor of the model matches 'layer" finetune \
    --source big.safetensors --data d.json --freeze 'layer.*' --no-model
printf 'a,b,class\n' >rows.csv
for i in 1 2 3 4 5 6; do printf '%s,2,yes\n' $i >>rows.csv; done
refused 3 "all rows (6) are of one class" finetune --source big.safetensors \
    --data rows.csv
printf 'a,b,class\n1,2,yes\n2,1,no\n' >rows.csv
refused 3 "data.split.validation: a share of 0.1 leaves no row" finetune \
    --source big.safetensors --data rows.csv
refused 3 "no section" distill d.json
refused 3 "distill.teacher" distill --teacher nowhere.safetensors \
    --data d.json --student 8
refused 3 "at most" distill r.json --set distill.weight=2
refused 3 "has both" distill r.json --set 'finetune={"source": "x"}'
refused 3 "'gap' needs" search d.json --set 'objectives=["gap"]'
finish
