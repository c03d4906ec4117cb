# SPDX-License-Identifier: MIT
# src/cli/modelopt.bash: completion of modelopt for bash.

_modelopt()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local verb= options= i
    local verbs='search train distill finetune eval predict study info keys
        help'
    local common='--json --backend --threads --no-progress --quiet --verbose
        --help'

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -*) ;;
        *) verb=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $before in
    --backend) COMPREPLY=($(compgen -W 'openblas reference' -- "$word"))
        return ;;
    --part) COMPREPLY=($(compgen -W 'train validation test all' -- "$word"))
        return ;;
    --format) COMPREPLY=($(compgen -W 'csv json' -- "$word")); return ;;
    --sort) COMPREPLY=($(compgen -W 'number value' -- "$word")); return ;;
    --storage | --model | --report | --from | --teacher | --source | --data | \
        --adapter | --out | --parallel)
        COMPREPLY=($(compgen -f -- "$word")); return ;;
    --set | --trials | --timeout | --workers | --ranks-per-trial | \
        --rank-timeout | --seed | --threads | --name | --trial | --limit | \
        --ranks | --loss | --layer) return ;;
    esac
    case $verb in
    '') COMPREPLY=($(compgen -W "$verbs $common --version" -- "$word"))
        return ;;
    search) options='--set --trials --timeout --workers --ranks-per-trial
        --rank-timeout --seed --storage --resume --model --no-model --report --dry-run' ;;
    train) options='--set --from --trial --name --rank-timeout --seed --storage
        --resume --model --no-model --report' ;;
    distill) options='--teacher --data --student --method --weight
        --temperature --epochs --set --seed --quick --model --no-model
        --report' ;;
    finetune) options='--source --data --method --rank --rate --freeze
        --epochs --set --seed --quick --model --no-model --adapter
        --report' ;;
    eval) options='--part --set --loss --confusion --adapter' ;;
    predict) options='--part --set --format --probabilities --layer --out
        --adapter' ;;
    study) options='--name --sort --limit --format' ;;
    info) options='--parallel --ranks --set' ;;
    keys) options='--schema' ;;
    help) COMPREPLY=($(compgen -W "$verbs" -- "$word")); return ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$options $common" -- "$word"))
    elif [[ $verb == study && $before == study ]]; then
        COMPREPLY=($(compgen -W 'list show best trials export' -- "$word"))
    elif [[ $verb == keys ]]; then
        COMPREPLY=($(compgen -W "$(modelopt keys 2>/dev/null |
            sed -n 's/^  //p')" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _modelopt modelopt
