# SPDX-License-Identifier: MIT
# tests/shell/search.sh: the main job: output, files, JSON, the same result for
# any number of workers, and wrong recipes.
. "$(dirname "$0")/kit.sh"
recipe r.json

run search r.json
code_is 0
empty err
for text in 'accuracy' 'learning_rate' 'units' 'best' 'trial ' 'validation' \
    'test' 'model        r.safetensors' 'time'; do
    has out "$text"
done
there r.safetensors
checks=$((checks + 1))
[ "$(ls)" = "$(printf 'err\nout\nr.json\nr.safetensors')" ] ||
    fail "the search left files behind: $(ls | tr '\n' ' ')"
rm r.safetensors

run search r.json --json --model best.safetensors --report report.html
code_is 0
json "sorted(j['best']) == ['number', 'params', 'values']"
json "j['trials']['complete'] == 6 and j['trials']['failed'] == 0"
json "0.5 < j['test']['accuracy'] <= 1 and j['seconds'] > 0"
json "j['model'] == 'best.safetensors' and j['report'] == 'report.html'"
json "'interrupted' not in j and 'storage' not in j"
checks=$((checks + 1))
[ "$(wc -l <out)" -eq 1 ] || fail "--json prints more than its object"
there best.safetensors
there report.html
has report.html '</html>'

# The same seed, the same result: again, with two workers, from stdin.
keep() { "$python" -c '
import json, sys
j = json.loads(open("out").read().splitlines()[-1])
for key in ("seconds", "model", "report", "storage", "costs"):
    j.pop(key, None)
print(json.dumps(j, indent=1))' >"$1"; }
keep first
cp best.safetensors first.safetensors
run search r.json --json --workers 2 --model best.safetensors
keep second
same first second
same first.safetensors best.safetensors
input=r.json
run search - --json --workers 2
input=/dev/null
keep third
same first third
there model.safetensors
run search r.json --json --no-model --seed 8
json "'model' not in j and j['best']['number'] >= 0"
keep fourth
checks=$((checks + 1))
! cmp -s first fourth || fail "another seed, the same result"

# Values replaced.
run search r.json --json --no-model --trials 2 --set train.epochs=1 \
    --set train.optimizer=sgd
code_is 0
json "j['trials']['complete'] == 2"
run search r.json --dry-run
code_is 0
has out "train.optimizer.learning_rate"
run search r.json --dry-run --json --trials 99
json "j['trials'] == 99 and len(j['space']) == 2"
gone r.safetensors

# A study file: kept, refused, gone on with.
run search r.json --no-model --storage s.db --trials 3 --json
json "j['trials']['complete'] == 3 and j['storage'] == 's.db'"
there s.db
run search r.json --no-model --storage s.db --trials 6 --json
code_is 3
has err "add --resume"
run search r.json --no-model --storage s.db --trials 6 --json --resume
code_is 0
keep fifth
same first fifth
run search r.json --no-model --storage s.db --resume
code_is 0
has out "best"

# Wrong ways to call it.
refused 2 "too few arguments" search
refused 2 "one argument too many: 's.json'" search r.json s.json
refused 2 "did you mean '--seed'" search r.json --seeed 1
refused 2 "--trials takes a whole number, not 'ten'" search r.json --trials ten
refused 2 "--set takes PATH=JSON" search r.json --set train.epochs
refused 2 "not JSON" search r.json --set 'model={'
refused 2 "--seed takes a whole number, not '1.5'" search r.json --seed 1.5
refused 2 "--timeout takes a number, not 'soon'" search r.json --timeout soon
refused 3 "No such file" search nowhere.json
refused 3 "no folder 'nowhere'" search r.json --model nowhere/m.safetensors
refused 3 "is a folder" search r.json --report .
refused 3 "train.epoch" search r.json --set train.epoch=1
refused 3 "search.workers" search r.json --workers 0
refused 3 "search.ranks_per_trial: is 2, and there is one rank" \
    search r.json --ranks-per-trial 2
refused 3 "seed" search r.json --seed -1
refused 3 "train.batch_size" search r.json --set train.batch_size=0

# Wrong recipes: a text, or the good one with a sed command.
wrong_text() {
    printf '%s' "$2" >w.json
    refused 3 "$1" search w.json
}
wrong_recipe() {
    sed "$2" r.json >w.json
    refused 3 "$1" search w.json
}
wrong_text "w.json" ''
wrong_text "line 1" '{"data": }'
wrong_text "object" '[]'
wrong_text "data" '{}'
wrong_recipe "modle" 's/"model"/"modle"/'
wrong_recipe "adm" 's/"adam"/"adm"/'
wrong_recipe "learning_rate" 's/0.001, 0.1/0.1, 0.001/'
wrong_recipe "dens" 's/"type": "dense"}/"type": "dens"}/'
wrong_recipe "accurac" 's/validation.accuracy/validation.accurac/'
wrong_recipe "validation" 's/"validation": 0.25/"validation": -1/'
sed -e 's/"type": "linear".*/"type": "csv", "path": "nowhere.csv"},/' \
    -e '/"features"/d' r.json >w.json
refused 3 "nowhere.csv" search w.json
finish
