# SPDX-License-Identifier: MIT
# tests/shell/usage.sh: wrong command lines are refused in one line that says
# what is right.
. "$(dirname "$0")/kit.sh"

refused 2 "did you mean 'modelopt search'" serach
refused 2 "did you mean 'modelopt predict'" predcit
refused 2 "'modelopt help' lists them" frobnicate
refused 2 "'modelopt help' lists them" ""
refused 2 "no verb 'help me'" "help me"
refused 2 "did you mean '--json'" --jsn info
refused 2 "unknown option '-z'" -z info
refused 2 "no verb" -q
refused 2 "--threads needs a value" --threads
refused 2 "did you mean 'modelopt train'" help trian

refused 3 "x: No such file" info x
recipe folder.json
for verb in "info ." "eval . folder.json" "predict ." "search ." \
    "finetune --source . --data folder.json"; do
    refused 3 ".: this is a folder" $verb
done
refused 2 "one argument too many: 'y'" info x y
refused 2 "did you mean '--threads'" info --thread 1
refused 2 "not 'many'" info --threads many
refused 2 "not '-1'" info --threads -1
refused 2 "not '9999999999999999999999'" info --threads 9999999999999999999999
refused 2 "not ''" info --threads ""
refused 2 "takes no value" info --quiet=yes
refused 2 "unknown option '-x'" info -qx
refused 3 "no backend 'mkl'" info --backend mkl
refused 3 "backend" info --backend ""

refused 3 "no config of kind 'trian'" keys trian
refused 2 "one argument too many" keys train test
refused 2 "did you mean '--schema'" keys --shcema

# An option may come before the verb, and "--" ends the options.
run --json info
code_is 0
json "j['version']"
run -qv info --
code_is 0
run info -- --json
code_is 3
has err "--json: No such file"

# Output that cannot be written is an error, not a silence.
if [ -w /dev/full ]; then
    "$program" info >/dev/full 2>err
    code=$?
    code_is 1
    has err "cannot write the result"
fi
finish
