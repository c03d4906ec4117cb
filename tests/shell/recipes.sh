# SPDX-License-Identifier: MIT
# tests/shell/recipes.sh: the committed recipes of distillation and transfer, in
# their short form.
. "$(dirname "$0")/kit.sh"
[ -f "$MODELOPT_DATA/mnist/train-images-idx3-ubyte.gz" ] ||
    skip "MNIST is not there (MODELOPT_DATA)"
examples=$(dirname "$MODELOPT_TESTS")/docs/examples
for name in distill distill-small omitted-digit smallest-student rotated \
    digits to-fashion; do
    case $name in
    rotated | digits | to-fashion) verb=finetune ;;
    *) verb=distill ;;
    esac
    rm -f ./*.safetensors
    run $verb "$examples/mnist-$name.json" --quick --no-model \
        --set data.base="\"$MODELOPT_DATA/mnist\""
    code_is 0
done
finish
