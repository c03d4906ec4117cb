# SPDX-License-Identifier: MIT
# tests/shell/study.sh: looking into study files.
. "$(dirname "$0")/kit.sh"
recipe r.json
run search r.json --json --no-model --storage s.db
code_is 0
cp out searched

run study list s.db
code_is 0
has out "study"
run study list s.db --json
json "len(j['studies']) == 1"
run study show s.db
code_is 0
has out "train.optimizer.learning_rate"
has out "best"
run study show s.db --json
json "j['best']['number'] == last('searched')['best']['number']"
run study best s.db
code_is 0
has out "trial "
run study best s.db --json
json "j['best']['params'] == last('searched')['best']['params']"
run study trials s.db
code_is 0
checks=$((checks + 1))
[ "$(wc -l <out)" -eq 7 ] || fail "not a heading and six trials"
run study trials s.db --sort value --limit 2
has out "(4 more)"
run study trials s.db --sort value --limit 2 --json
json "[len(j['trials']), j['trials'][0]['values'] >= j['trials'][1]['values']] \
    == [2, True]"
COLUMNS=30
export COLUMNS
run study trials s.db
checks=$((checks + 1))
awk 'length > 30 && !/too narrow/ { bad = 1 } END { exit bad }' out ||
    fail "a table wider than 30 columns"
unset COLUMNS
run study export s.db
code_is 0
cp out csv
"$python" -c '
import csv
rows = list(csv.DictReader(open("csv", newline="")))
assert len(rows) == 6, len(rows)
assert all(r["state"] == "complete" for r in rows), rows
assert all(float(r["params.train.optimizer.learning_rate"]) > 0 for r in rows)
assert all(float(r["seconds"]) >= 0 for r in rows)' 2>err
code=$?
code_is 0
run study export s.db --format json
json "len(j['trials']) == 6"

# Two studies in one file.
run search r.json --json --no-model --storage s.db --set search.name=other
code_is 0
refused 2 "--name" study show s.db
run study show s.db --name other
code_is 0

refused 2 "too few arguments" study
refused 2 "too few arguments" study show
refused 2 "did you mean 'show'" study shwo s.db
refused 2 "no action 'delete'" study delete s.db
refused 2 "one argument too many" study show s.db t.db
refused 2 "--sort takes one of" study trials s.db --sort size --name other
refused 2 "--limit takes" study trials s.db --limit -1 --name other
refused 3 "no such file" study show nowhere.db
refused 3 "r.json" study show r.json
refused 3 "other" study show s.db --name another
: >empty.db
refused 3 "empty.db" study list empty.db
gone nowhere.db
finish
