# SPDX-License-Identifier: MIT
# tests/shell/terminal.sh: the bar and colours are for terminals only.
. "$(dirname "$0")/kit.sh"
slow r.json
escape=$(printf '\033')

# on_terminal WORD...: the program on a terminal of 70 columns; what it shows
# is in shown.
on_terminal() {
    said="modelopt $* (on a terminal)"
    printf 'stty cols 70 rows 20\nexec "%s" %s\n' "$program" "$*" >typed
    script -qec "sh typed" shown </dev/null >/dev/null 2>&1
    code=$?
    : >out
    : >err
}
command -v script >/dev/null || skip "no script(1) to make a terminal with"

on_terminal search r.json --no-model --trials 2
code_is 0
has shown "trials"
has shown "%"
has shown "left"
has shown "${escape}[1m"
checks=$((checks + 1))
"$python" - shown <<'PY' || fail "a line is wider than the terminal"
import re, sys
text = open(sys.argv[1], encoding="utf-8", newline="").read()
text = re.sub(r"\033\[[0-9;]*[mK]", "", text).split("\n", 1)[1]
for line in re.split(r"[\r\n]+", text):
    if "Script done" not in line:
        assert len(line) <= 70, line
PY

NO_COLOR=1 on_terminal search r.json --no-model --trials 2
has shown "%"
has_not shown "${escape}[1m"
TERM=dumb on_terminal search r.json --no-model --trials 2
has_not shown "$escape"
has_not shown "%"
LC_ALL=C on_terminal search r.json --no-model --trials 2
has shown "#]"
on_terminal search r.json --no-model --trials 2 --no-progress
has_not shown "% "
on_terminal search r.json --no-model --trials 2 --quiet
has_not shown "left"
on_terminal predict nowhere.safetensors
has shown "no data"

# Not on a terminal: no escapes, no bar; the result is the same.
run search r.json --no-model --trials 2 -v
code_is 0
has_not out "$escape"
has_not err "$escape"
has_not err "%"
has err "trial 0 complete"
finish
