# SPDX-License-Identifier: MIT
# tests/shell/use.sh: train, eval and predict.
. "$(dirname "$0")/kit.sh"
recipe r.json
sed -e 's/{"choice": \[4, 16\]}/16/' \
    -e 's/{"float": \[0.001, 0.1\], "log": true}/0.03/' r.json >one.json

# ---- train
run train one.json
code_is 0
has out "test"
has out "model        one.safetensors"
there one.safetensors
run train one.json --json --model m.safetensors
code_is 0
json "j['test']['accuracy'] > 0.5 and j['model'] == 'm.safetensors'"
same one.safetensors m.safetensors
run train one.json --threads 2 --set train.threads=2 --model two.safetensors
code_is 0
same one.safetensors two.safetensors
run search r.json --json --no-model --storage s.db
json "j['best']"
cp out searched
run train r.json --from s.db --json --model best.safetensors
code_is 0
json "j['test'] == last('searched')['test']"
run train r.json --from s.db --trial 0 --json --set train.epochs=1
code_is 0

run info m.safetensors
code_is 0
has out "inputs        8"
has out "dense, units 16, activation relu"
run info m.safetensors --json
json "j['outputs'] == 3 and j['target']['kind'] == 'class'"

refused 2 "too few arguments" train
refused 2 "one argument too many" train one.json two.json
refused 2 "unknown option '--trials'" train one.json --trials 3
refused 2 "--trial needs --from" train one.json --trial 3
refused 3 "leaves 2 values open" train r.json
refused 3 "No such file" train nowhere.json
refused 3 "no such file" train r.json --from nowhere.db
refused 3 "r.json" train r.json --from r.json
refused 3 "trial" train r.json --from s.db --trial 99
refused 3 "train.epochs" train one.json --set train.epochs=-1
refused 3 "no folder" train one.json --model a/b/c

# ---- eval
run eval m.safetensors one.json
code_is 0
has out "accuracy"
run eval m.safetensors one.json --json
json "j['rows'] == 200 and j['metrics']['accuracy'] > 0.5"
run train one.json --json --model m.safetensors
cp out trained
run eval m.safetensors one.json --json
json "j['metrics']['accuracy'] == last('trained')['test']['accuracy']"
for part in train validation all; do
    run eval m.safetensors one.json --part $part --json
    code_is 0
done
json "j['rows'] == 600"
run eval m.safetensors one.json --confusion
has out "rows are the truth"

refused 2 "too few arguments" eval m.safetensors
refused 2 "one argument too many" eval m.safetensors one.json x
refused 2 "--part takes one of" eval m.safetensors one.json --part tset
refused 2 "of what kind" eval m.safetensors searched
refused 3 "No such file" eval nowhere.safetensors one.json
refused 3 "No such file" eval m.safetensors nowhere.csv
refused 3 "one.json" eval one.json one.json
refused 3 "loss" eval m.safetensors one.json --loss nonsense
refused 3 "data.source" eval m.safetensors one.json --set source.cuont=5
head -c 300 m.safetensors >cut.safetensors
refused 3 "cut.safetensors" eval cut.safetensors one.json

# ---- predict, on a table with names
cat >t.py <<'PY'
import random
random.seed(5)
print("width,colour,kind")
for _ in range(300):
    w, c = random.random(), random.choice(["red", "green", '"pale, blue"'])
    print(f"{w:.3f},{c},{'big, round' if w > .5 and c != 'red' else 'small'}"
          .replace("big, round", '"big, round"'))
PY
"$python" t.py >t.csv
cat >t.json <<'JSON'
{
  "data": {"source": {"type": "csv", "path": "t.csv", "target": "kind"}},
  "model": {"layers": [{"type": "dense", "units": 16, "activation": "relu"},
                       {"type": "dense"}]},
  "train": {"epochs": 40, "batch_size": 16,
            "optimizer": {"type": "adam", "learning_rate": 0.01}}
}
JSON
run train t.json
code_is 0
run predict t.safetensors t.csv --set source.target=kind
code_is 0
has out "class,probability"
has out '"big, round",'
checks=$((checks + 1))
[ "$(wc -l <out)" -eq 301 ] || fail "not one line a row"
cp out by_file
cut -d, -f1-2 t.csv >x.csv
sed 's/^\([^,]*,"pale\).*/\1, blue"/' x.csv >rows.csv
input=rows.csv
run predict t.safetensors
code_is 0
same out by_file
run predict t.safetensors - --json --probabilities
json "j['rows'] == 300 and len(j['predictions']) == 300"
json "abs(sum(j['predictions'][0]['probabilities'].values()) - 1) < 1e-6"
json "set(j['predictions'][0]['probabilities']) == {'big, round', 'small'}"
run predict t.safetensors --format json -p
code_is 0
input=/dev/null

refused 2 "too few arguments" predict
refused 2 "one argument too many" predict t.safetensors a b
refused 2 "--format takes one of" predict t.safetensors t.csv --format xml
refused 3 "No such file" predict nowhere.safetensors t.csv
refused 3 "No such file" predict t.safetensors nowhere.csv
refused 3 "t.csv" predict t.csv t.csv
refused 3 "source" predict t.safetensors t.csv --set source.no=1
refused 3 "modelopt" predict t.safetensors -
printf 'width\n1\n' >few.csv
refused 3 "colour" predict t.safetensors few.csv
refused 3 "modelopt" predict t.safetensors one.json
finish
