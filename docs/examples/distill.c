/* SPDX-License-Identifier: MIT
 * docs/examples/distill.c: a trained model, too large, becomes a small one that
 * has learnt from it.
 *
 *   cc distill.c $(pkg-config --cflags --libs modelopt) -o distill
 *   ./distill large.safetensors small.safetensors
 *
 * It prints what was lost to the large model, and what was won over the same
 * small one trained on labels alone. */
#include <modelopt/modelopt.h>
#include <stdio.h>

#define DATA "{\"source\": {\"type\": \"glyphs\", \"count\": 1000, \"seed\": 3}," \
             " \"split\": {\"test\": 0.5}}"
#define TRAIN "{\"epochs\": 40}"
#define SMALL "{\"layers\": [{\"type\": \"dense\", \"units\": 16, " \
              "\"activation\": \"relu\"}, {\"type\": \"dense\"}]}"

int main(int argc, char **argv)
{
    mopt_context *ctx = NULL;
    mopt_config *data = NULL, *train = NULL;
    mopt_dataset *all = NULL, *rows = NULL, *test = NULL;
    mopt_model *large = NULL, *small = NULL;
    mopt_distill *d = NULL;
    char text[8192];
    int32_t rc = argc == 3 ? MOPT_OK : MOPT_EINVAL;

    if (!rc) rc = mopt_context_create(NULL, NULL, &ctx);
    if (!rc) rc = mopt_config_create(ctx, "data", &data);
    if (!rc) rc = mopt_config_set_json(data, DATA);
    if (!rc) rc = mopt_config_create(ctx, "train", &train);
    if (!rc) rc = mopt_config_set_json(train, TRAIN);
    if (!rc) rc = mopt_dataset_load(ctx, data, MOPT_PART_TRAIN, &all);
    if (!rc) rc = mopt_dataset_split(all, data, &rows, NULL, &test);
    if (!rc) rc = mopt_model_load(ctx, argv[1], &large);
    if (!rc) rc = mopt_model_create(ctx, SMALL, 784, 10, &small);
    if (!rc) rc = mopt_distill_create(ctx, small, rows, NULL, NULL, train, &d);
    if (!rc) rc = mopt_distill_add_model(d, large, 1);
    if (!rc) rc = mopt_distill_fit(d, NULL);
    if (!rc) rc = mopt_distill_evaluate(d, test, NULL, text, sizeof text, NULL);
    if (!rc) rc = mopt_model_save(small, argv[2]);
    if (rc) mopt_last_error(text, sizeof text, NULL);
    fprintf(rc ? stderr : stdout, "%s\n",
            argc == 3 ? text : "usage: distill LARGE SMALL");
    mopt_distill_free(d);
    mopt_model_free(small);
    mopt_model_free(large);
    mopt_dataset_free(test);
    mopt_dataset_free(rows);
    mopt_dataset_free(all);
    mopt_config_free(train);
    mopt_config_free(data);
    mopt_context_free(ctx);
    return rc != 0;
}
