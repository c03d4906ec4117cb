/* SPDX-License-Identifier: MIT
 * docs/examples/finetune.c: a trained model goes on to a new task: drawn digits
 * turned by 30 degrees, ten labels a class.
 *
 *   cc finetune.c $(pkg-config --cflags --libs modelopt) -o finetune
 *   ./finetune source.safetensors new.safetensors
 *
 * It prints what was won over training from scratch, what was frozen and how
 * many numbers trained. */
#include <modelopt/modelopt.h>
#include <stdio.h>

#define DATA "{\"source\": {\"type\": \"glyphs\", \"seed\": 2}, \"image\": " \
             "{\"rotate\": 30}, \"split\": {\"per_class\": 10, \"test\": 0.2}}"
#define TRAIN "{\"epochs\": 50, \"batch_size\": 16}"

int main(int argc, char **argv)
{
    mopt_context *ctx = NULL;
    mopt_config *data = NULL, *train = NULL;
    mopt_dataset *all = NULL, *few = NULL, *test = NULL;
    mopt_model *source = NULL, *model = NULL;
    mopt_finetune *f = NULL;
    char text[8192];
    int32_t rc = argc == 3 ? MOPT_OK : MOPT_EINVAL;

    if (!rc) rc = mopt_context_create(NULL, NULL, &ctx);
    if (!rc) rc = mopt_config_create(ctx, "data", &data);
    if (!rc) rc = mopt_config_set_json(data, DATA);
    if (!rc) rc = mopt_config_create(ctx, "train", &train);
    if (!rc) rc = mopt_config_set_json(train, TRAIN);
    if (!rc) rc = mopt_dataset_load(ctx, data, MOPT_PART_TRAIN, &all);
    if (!rc) rc = mopt_dataset_split(all, data, &few, NULL, &test);
    if (!rc) rc = mopt_model_load(ctx, argv[1], &source);
    if (!rc) rc = mopt_finetune_create(ctx, source, few, NULL, NULL, train, &f);
    if (!rc) rc = mopt_finetune_fit(f, NULL);
    if (!rc) rc = mopt_finetune_evaluate(f, test, NULL, NULL, text,
                                         sizeof text, NULL);
    if (!rc) rc = mopt_finetune_model(f, &model);
    if (!rc) rc = mopt_model_save(model, argv[2]);
    if (rc) mopt_last_error(text, sizeof text, NULL);
    fprintf(rc ? stderr : stdout, "%s\n",
            argc == 3 ? text : "usage: finetune SOURCE NEW");
    mopt_model_free(model);
    mopt_finetune_free(f);
    mopt_model_free(source);
    mopt_dataset_free(test);
    mopt_dataset_free(few);
    mopt_dataset_free(all);
    mopt_config_free(train);
    mopt_config_free(data);
    mopt_context_free(ctx);
    return rc != 0;
}
