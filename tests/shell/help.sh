# SPDX-License-Identifier: MIT
# tests/shell/help.sh: the pages of help are as the files in help/ have them,
# fit 80 columns, and are complete in the manual page and the completion.
#
# UPDATE=yes writes the files anew.
. "$(dirname "$0")/kit.sh"

run
code_is 2
has err "modelopt help"
run --version
code_is 0
has out "modelopt 0.1.0"
run help
code_is 0
cp out verbs
for flag in --help -h; do
    run $flag
    code_is 0
    same out verbs
done
verbs=$(sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p' verbs)

for page in verbs $verbs; do
    if [ "$page" = verbs ]; then
        run help
    else
        run help "$page"
        cp out page
        run "$page" --help
        same out page
        run "$page" -h
        same out page
    fi
    code_is 0
    empty err
    [ "${UPDATE:-no}" = no ] || cp out "$here/help/$page.txt"
    same out "$here/help/$page.txt"
    checks=$((checks + 1))
    awk 'length > 80 { bad = 1 } END { exit bad }' out ||
        fail "help of $page is wider than 80 columns"
done

# Every option of a page is in the manual and in the completion.
manual=$root/docs/man/modelopt.1
completion=$root/src/cli/modelopt.bash
for page in $verbs; do
    has "$manual" ".Cm $page"
    has "$completion" "$page"
    run help "$page"
    for option in $(sed -n 's/^ .* --\([a-z-]*\).*/\1/p' out); do
        has "$manual" "Fl -$option"
        has "$completion" "--$option"
    done
done
finish
