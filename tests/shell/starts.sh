# SPDX-License-Identifier: MIT
# tests/shell/starts.sh: a search with warm starts: what it tells, what it
# leaves beside its study, and that a kill changes nothing; the bench in its
# short form.
. "$(dirname "$0")/kit.sh"

slow r.json
warm='{"round": 3, "keep": 2}'

trials() {
    "$program" study export "$1" --json | "$python" -c '
import json, sys
for t in json.load(sys.stdin)["trials"]:
    print(t["number"], t["state"], t["values"], t["params"], t["notes"])'
}

run search r.json --no-model --storage whole.db --trials 8 --workers 2 --json \
    --set search.warm_start="$warm"
code_is 0
json "j['best']['total_epochs'] > 0"
trials whole.db >whole
has whole "'started_from': "
checks=$((checks + 1))
[ "$(ls whole.db.start-*.safetensors | wc -l)" -le 4 ] ||
    fail "weights that nobody needs are kept"
run study trials whole.db
has out " from "
has out " epochs "
run study best whole.db
has out "epochs"
run study export whole.db
has out ",started_from,total_epochs"

# Killed without a warning, in the second round.
"$program" search r.json --no-model --storage cut.db --trials 8 -v \
    --set search.warm_start="$warm" >out 2>err &
process=$!
said="search, killed" code=none tries=0
while [ "$(grep -c 'trial .* complete' err)" -lt 4 ]; do
    sleep 0.05
    tries=$((tries + 1))
    if [ $tries -gt 1200 ] || ! kill -0 $process 2>/dev/null; then
        fail "no four trials were finished"
        finish
    fi
done
kill -KILL $process
wait $process 2>/dev/null
run search r.json --no-model --storage cut.db --trials 8 --resume \
    --set search.warm_start="$warm"
code_is 0
trials cut.db >cut
same whole cut

run search r.json --set search.warm_start='{"from": "first"}'
code_is 3
has err "search.warm_start.from"

"$python" "$root/bench/starts.py" \
    "$(dirname "$(dirname "$(dirname "$program")")")" --quick >out 2>err
code=$? said="bench/starts.py --quick"
code_is 0
json "j['way'] == 'warm, nearest' and max(j['epochs']) > 2"
finish
