/* SPDX-License-Identifier: MIT
 * src/cli/input.h: the arguments MODEL and DATA. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "args.h"

#define INPUT_PARTS "train|validation|test|all"

/* Rows of options that verbs share; q has a part, a set and an adapter. */
#define INPUT_OPTIONS(q, example) \
    {"part", 0, OPTION_CHOICE, "NAME", &(q).part, \
     "of a recipe: train, validation, test (the\n" \
     "default), or all", INPUT_PARTS, 0, 0}, \
    {"set", 0, OPTION_SET, "KEY=VALUE", &(q).set, \
     "how to read DATA, such as " example ";\n" \
     "'modelopt keys data' lists the keys", NULL, 0, 0}
#define INPUT_ADAPTER(q) \
    {"adapter", 0, OPTION_TEXT, "FILE", &(q).adapter, \
     "merge what 'finetune --adapter' wrote into MODEL", NULL, 0, 0}

/* A recipe's part of that name, a file's rows, or CSV on standard input ("-").
 *
 * part: NULL means test for a recipe, all rows for a file.
 * set:  keys of kind "data" that the command line gives.
 * bare: no column of a table need be the target. */
int input_data(cli *c, const char *path, const char *part, const settings *set,
               int bare, mopt_dataset **out);

/* Is DATA a recipe? */
int input_is_recipe(const char *path);

/* The source that reads a file, told by its name; NULL when it tells
 * nothing. */
const char *input_source(const char *path);

/* The folder of a recipe, that its paths start from; the caller frees it. */
char *input_folder(const char *path);

/* A model's file; with the adapter of another file merged, unless NULL. */
int input_model(cli *c, const char *path, const char *adapter,
                mopt_model **out);

#endif
