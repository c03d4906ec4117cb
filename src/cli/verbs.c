/* SPDX-License-Identifier: MIT
 * src/cli/verbs.c: every verb: its line of the list and its page of help. */
#include "cli.h"

const command cli_commands[] = {
    {"search", "RECIPE [OPTIONS]", "find the best model that a recipe allows",
     "Try what RECIPE leaves open (every value that is a domain), train each\n"
     "candidate, pick the winner on the validation part, measure it once on "
     "the test\n"
     "part, and write its model. RECIPE is a JSON file, or - for standard "
     "input.\n"
     "\n"
     "Finished trials are kept on disk at once. Ctrl-C ends a search in good "
     "order\n"
     "and says how to go on; pressed twice it ends the program at once.",
     "modelopt search recipe.json\n"
     "modelopt search recipe.json --trials 50 --workers 4 --storage study.db\n"
     "modelopt search recipe.json --trials 99 --storage study.db --resume\n"
     "modelopt search recipe.json --set train.epochs=5 --report report.html\n"
     "modelopt search recipe.json --json | tail -n 1",
     verb_search},
    {"train", "RECIPE [OPTIONS]", "train one model",
     "Train the one model that RECIPE describes and write it. Where RECIPE "
     "leaves\n"
     "values open, take them from a trial of a study (--from), or set them.",
     "modelopt train recipe.json --model digits.safetensors\n"
     "modelopt train recipe.json --from study.db\n"
     "modelopt train recipe.json --from study.db --trial 7 "
     "--set train.epochs=50",
     verb_train},
    {"distill", "[RECIPE] [OPTIONS]", "pour a large model into a small one",
     "Train a student on what a teacher says, as RECIPE or the options tell, "
     "and show\n"
     "what was lost and won: the teacher, the same student on labels alone, "
     "the\n"
     "distilled one. What RECIPE leaves open is searched.",
     "modelopt distill --teacher big.safetensors --data recipe.json \\\n"
     "    --student 128,64 --temperature 4 --model small.safetensors\n"
     "modelopt distill recipe.json --set distill.weight=0.7\n"
     "modelopt distill recipe.json --quick --json",
     verb_distill},
    {"finetune", "[RECIPE] [OPTIONS]", "take a trained model to another task",
     "Tune a copy of a source model for other data, as RECIPE or the options "
     "tell,\n"
     "and show what was won over training from scratch, and what was "
     "forgotten.",
     "modelopt finetune --source old.safetensors --data new.csv \\\n"
     "    --model new.safetensors\n"
     "modelopt finetune --source old.safetensors --data new.csv "
     "--rank 4\n"
     "modelopt finetune recipe.json --set finetune.rate=0.1",
     verb_finetune},
    {"eval", "MODEL DATA [OPTIONS]", "measure a model on labelled data",
     "Measure MODEL on DATA: loss, accuracy and other metrics of its task.\n"
     "DATA is a recipe (its data part is used), a file of data (.csv, .arff, "
     ".npy,\n"
     "each also with .gz, or IDX images), or - for CSV on standard input.",
     "modelopt eval digits.safetensors recipe.json\n"
     "modelopt eval adult.safetensors adult-test.csv --set "
     "source.target=income\n"
     "modelopt eval digits.safetensors t10k-images-idx3-ubyte.gz \\\n"
     "    --set source.labels=t10k-labels-idx1-ubyte.gz --confusion",
     verb_eval},
    {"predict", "MODEL [DATA] [OPTIONS]",
     "tell classes, probabilities or numbers for rows",
     "Apply MODEL to the rows of DATA, one line of output for each. DATA is "
     "as for\n"
     "eval; left out, it is CSV on standard input.",
     "modelopt predict adult.safetensors people.csv\n"
     "modelopt predict adult.safetensors --probabilities < people.csv\n"
     "modelopt predict digits.safetensors recipe.json --part test "
     "--format json",
     verb_predict},
    {"study", "ACTION FILE [OPTIONS]", "look into the file of a search",
     "What a search found, from its study file. ACTION is one of\n"
     "  list    names of the studies in FILE\n"
     "  show    what was searched and how far it is\n"
     "  best    the best trial and its parameters\n"
     "  trials  a table of the trials\n"
     "  export  every trial as CSV or JSON",
     "modelopt study show study.db\n"
     "modelopt study trials study.db --sort value --limit 20\n"
     "modelopt study export study.db --format csv > trials.csv",
     verb_study},
    {"info", "[MODEL] [OPTIONS]", "version, backend, instruction set, threads",
     "What this build of the library is and what it runs on; or what is in "
     "the file of\n"
     "a MODEL; or how ranks would share the training of a recipe, and what "
     "that would\n"
     "cost (--parallel).",
     "modelopt info\n"
     "modelopt info digits.safetensors --json\n"
     "modelopt info --parallel recipe.json --ranks 4",
     verb_info},
    {"keys", "[KIND] [OPTIONS]", "the options that recipes take",
     "Kinds of options, or every key of a KIND with its default, what it "
     "allows and\n"
     "what it does.",
     "modelopt keys\n"
     "modelopt keys train\n"
     "modelopt keys --schema > recipe.schema.json",
     verb_keys},
    {"help", "[VERB]", "explain a verb",
     "Explain VERB, or list the verbs.",
     "modelopt help search",
     verb_help},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
