/* SPDX-License-Identifier: MIT
 * tests/unit/recipe/test_recipe.c: reading recipes: names of parameters, the
 * space they make, every message of an error, changing and applying. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"

static mopt_context *ctx;

static void setup(void)
{
    ctx = kit_begin();
}

static void teardown(void)
{
    kit_end(ctx);
}

#define DATA "\"data\": {\"source\": \"linear\"}"
#define MODEL "\"model\": {\"layers\": [{\"type\": \"dense\"}]}"

/* A recipe around a section "train", or around any sections. */
static const char *with_train(const char *train)
{
    static char text[4096];
    snprintf(text, sizeof text, "{" DATA ", " MODEL ", \"train\": {%s}}",
             train);
    return text;
}

static const char *with_layers(const char *layers)
{
    static char text[4096];
    snprintf(text, sizeof text, "{" DATA ", \"model\": {\"layers\": [%s]}}",
             layers);
    return text;
}

static const char *with(const char *sections)
{
    static char text[4096];
    snprintf(text, sizeof text, "{" DATA ", " MODEL ", %s}", sections);
    return text;
}

static mopt_recipe *parse(const char *json)
{
    mopt_recipe *recipe = NULL;
    kit_ok(mopt_recipe_parse(ctx, json, NULL, &recipe));
    return recipe;
}

/* Reading fails with a code; the message has each of the pieces. */
static void refuse(const char *json, int32_t code, const char *piece,
                   const char *other)
{
    mopt_recipe *recipe = NULL;
    kit_status_is(mopt_recipe_parse(ctx, json, NULL, &recipe), code, json,
                  __FILE__, __LINE__);
    ck_assert_ptr_null(recipe);
    kit_says(piece);
    if (other != NULL)
        kit_says(other);
}

/* The space of a recipe as JSON. */
static const char *space_of(const char *json)
{
    static char text[65536];
    mopt_recipe *recipe = parse(json);
    mopt_space *space = NULL;
    kit_ok(mopt_recipe_space(recipe, &space));
    kit_ok(mopt_space_to_json(space, text, sizeof text, NULL));
    mopt_space_free(space);
    mopt_recipe_free(recipe);
    return text;
}

static void has(const char *text, const char *piece)
{
    ck_assert_msg(strstr(text, piece) != NULL, "no \"%s\" in %s", piece, text);
}

static void lacks(const char *text, const char *piece)
{
    ck_assert_msg(strstr(text, piece) == NULL, "\"%s\" in %s", piece, text);
}

static const char *json_of(const mopt_recipe *recipe)
{
    static char text[65536];
    kit_ok(mopt_recipe_to_json(recipe, text, sizeof text, NULL));
    return text;
}

/* The recipe of some params, as JSON. */
static const char *applied(const char *json, const char *params)
{
    mopt_recipe *recipe = parse(json), *one = NULL;
    const char *text;
    kit_ok(mopt_recipe_apply(recipe, params, &one));
    text = json_of(one);
    mopt_recipe_free(one);
    mopt_recipe_free(recipe);
    return text;
}

/* --- Names and spaces --------------------------------------------------- */

START_TEST(names_are_paths)
{
    const char *space = space_of(
        "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dense\", \"units\": "
        "{\"int\": [8, 64], \"step\": 8}}, {\"type\": \"dense\"}]}, \"train\": "
        "{\"optimizer\": {\"type\": \"adam\", \"learning_rate\": {\"float\": "
        "[1e-4, 0.1], \"log\": true}}, \"batch_size\": {\"choice\": [32, 64]}"
        "}}");
    has(space, "\"model.layers[0].units\": {\"int\": [8, 64], \"step\": 8}");
    has(space, "\"train.optimizer.learning_rate\": {\"float\": [0.0001, 0.1], "
               "\"log\": true}");
    has(space, "\"train.batch_size\": {\"choice\": [32, 64]}");
}
END_TEST

START_TEST(no_domain_is_an_empty_space)
{
    ck_assert_str_eq(space_of("{" DATA ", " MODEL "}"), "{}");
}
END_TEST

#define OPTIMIZERS \
    "\"optimizer\": {\"choice\": [{\"type\": \"sgd\", \"momentum\": " \
    "{\"float\": [0, 0.9]}, \"learning_rate\": {\"float\": [0.01, 1]}}, " \
    "{\"type\": \"adam\", \"learning_rate\": {\"float\": [1e-4, 1e-2]}}, " \
    "\"gd\"]}"

START_TEST(options_bring_their_own)
{
    const char *json = with_train(OPTIMIZERS);
    const char *space = space_of(json);
    has(space, "\"train.optimizer\": {\"choice\": [\"sgd\", \"adam\", "
               "\"gd\"]}");
    has(space, "\"train.optimizer.sgd.momentum\": {\"float\": [0.0, 0.9], "
               "\"when\": {\"train.optimizer\": \"sgd\"}}");
    has(space, "\"train.optimizer.sgd.learning_rate\": {\"float\": [0.01, "
               "1.0], \"when\": {\"train.optimizer\": \"sgd\"}}");
    has(space, "\"train.optimizer.adam.learning_rate\": {\"float\": [0.0001, "
               "0.01], \"when\": {\"train.optimizer\": \"adam\"}}");
    const char *one = applied(json, "{\"train.optimizer\": \"sgd\", "
                                    "\"train.optimizer.sgd.momentum\": 0.25, "
                                    "\"train.optimizer.sgd.learning_rate\": "
                                    "0.5}");
    has(one, "\"type\": \"sgd\"");
    has(one, "\"momentum\": 0.25");
    has(one, "\"learning_rate\": 0.5");
    has(applied(json, "{\"train.optimizer\": \"gd\"}"), "\"type\": \"gd\"");
}
END_TEST

START_TEST(options_alike_go_by_place)
{
    const char *json = with_train(
        "\"optimizer\": {\"choice\": [{\"type\": \"adam\", \"beta1\": 0.5}, "
        "{\"type\": \"adam\", \"beta1\": {\"float\": [0.8, 0.9]}}]}");
    const char *space = space_of(json);
    has(space, "\"train.optimizer\": {\"choice\": [0, 1]}");
    has(space, "\"train.optimizer[1].beta1\": {\"float\": [0.8, 0.9], "
               "\"when\": {\"train.optimizer\": 1}}");
    has(applied(json, "{\"train.optimizer\": 0}"), "\"beta1\": 0.5");
    has(applied(json, "{\"train.optimizer\": 1, \"train.optimizer[1].beta1\": "
                      "0.85}"), "\"beta1\": 0.85");
}
END_TEST

START_TEST(null_leaves_out)
{
    const char *json = with_layers(
        "{\"choice\": [null, {\"type\": \"dropout\", \"rate\": {\"float\": "
        "[0.1, 0.5]}}]}, {\"type\": \"dense\"}");
    has(space_of(json), "\"model.layers[0]\": {\"choice\": [null, "
                        "\"dropout\"]}");
    lacks(applied(json, "{\"model.layers[0]\": null}"), "dropout");
    has(applied(json, "{\"model.layers[0]\": \"dropout\", "
                      "\"model.layers[0].dropout.rate\": 0.25}"),
        "\"rate\": 0.25");
    json = with_train("\"clip_norm\": {\"choice\": [null, 1.5]}");
    has(applied(json, "{\"train.clip_norm\": null}"), "\"clip_norm\": 0.0");
    has(applied(json, "{\"train.clip_norm\": 1.5}"), "\"clip_norm\": 1.5");
}
END_TEST

START_TEST(an_option_may_be_a_domain)
{
    const char *json = with_train(
        "\"clip_norm\": {\"choice\": [0, {\"float\": [0.5, 2]}]}");
    has(space_of(json), "\"train.clip_norm[1]\": {\"float\": [0.5, 2.0], "
                        "\"when\": {\"train.clip_norm\": 1}}");
    has(applied(json, "{\"train.clip_norm\": 1, \"train.clip_norm[1]\": "
                      "0.75}"), "\"clip_norm\": 0.75");
}
END_TEST

START_TEST(whole_lists_may_be_chosen)
{
    const char *json =
        "{" DATA ", \"model\": {\"layers\": {\"choice\": [[{\"type\": "
        "\"dense\"}], [{\"type\": \"dense\", \"units\": {\"int\": [4, 8]}}, "
        "{\"type\": \"dense\"}]]}}}";
    has(space_of(json), "\"model.layers[1][0].units\": {\"int\": [4, 8], "
                        "\"when\": {\"model.layers\": 1}}");
    has(applied(json, "{\"model.layers\": 1, \"model.layers[1][0].units\": "
                      "5}"), "\"units\": 5");
}
END_TEST

START_TEST(whole_sections_may_be_chosen)
{
    const char *json =
        "{" DATA ", \"model\": {\"choice\": [{\"layers\": [{\"type\": "
        "\"dense\"}]}, {\"layers\": [{\"type\": \"dropout\", \"rate\": "
        "{\"float\": [0.1, 0.2]}}, {\"type\": \"dense\"}]}]}, \"train\": "
        "{\"choice\": [{\"epochs\": 3}, {\"epochs\": {\"int\": [4, 9]}}]}}";
    const char *space = space_of(json);
    has(space, "\"model\": {\"choice\": [0, 1]}");
    has(space, "\"model[1].layers[0].rate\"");
    has(space, "\"train[1].epochs\"");
    has(applied(json, "{\"model\": 0, \"train\": 1, \"train[1].epochs\": "
                      "5}"), "\"epochs\": 5");
    mopt_recipe *recipe = parse(json);
    has(json_of(recipe), "\"train\": {\"choice\": [{\"epochs\": 3}");
    mopt_recipe_free(recipe);
}
END_TEST

#define BLOCK \
    "\"layers\": [{\"type\": \"dense\", \"units\": {\"choice\": [16, 32]}}]"

START_TEST(repetitions_have_their_own)
{
    const char *json = with_layers("{\"repeat\": {\"int\": [1, 3]}, " BLOCK
                                   "}, {\"type\": \"dense\"}");
    const char *space = space_of(json);
    has(space, "\"model.layers[0].repeat\": {\"int\": [1, 3]}");
    has(space, "\"model.layers[0].repeat[0].layers[0].units\": {\"choice\": "
               "[16, 32]}");
    has(space, "\"model.layers[0].repeat[1].layers[0].units\": {\"choice\": "
               "[16, 32], \"when\": {\"model.layers[0].repeat\": {\"min\": 2");
    has(space, "\"model.layers[0].repeat[2].layers[0].units\": {\"choice\": "
               "[16, 32], \"when\": {\"model.layers[0].repeat\": {\"min\": 3");
    lacks(space, "repeat[3]");
    const char *one = applied(
        json, "{\"model.layers[0].repeat\": 2, "
              "\"model.layers[0].repeat[0].layers[0].units\": 32, "
              "\"model.layers[0].repeat[1].layers[0].units\": 16}");
    has(one, "[{\"type\": \"dense\", \"units\": 32}, {\"type\": \"dense\", "
             "\"units\": 16}]");
}
END_TEST

START_TEST(repetitions_may_share)
{
    const char *json = with_layers("{\"repeat\": {\"choice\": [0, 2, 4]}, "
                                   "\"share\": true, " BLOCK
                                   "}, {\"type\": \"dense\"}");
    const char *space = space_of(json);
    has(space, "\"model.layers[0].repeat\": {\"choice\": [0, 2, 4]}");
    has(space, "\"model.layers[0].layers[0].units\": {\"choice\": [16, 32], "
               "\"when\": {\"model.layers[0].repeat\": [2, 4]}}");
    has(applied(json, "{\"model.layers[0].repeat\": 4, "
                      "\"model.layers[0].layers[0].units\": 16}"),
        "\"repeat\": 4, \"layers\": [{\"type\": \"dense\", \"units\": 16}]");
    lacks(applied(json, "{\"model.layers[0].repeat\": 0}"), "repeat");
}
END_TEST

START_TEST(a_fixed_count_unrolls_too)
{
    const char *space = space_of(with_layers("{\"repeat\": 2, " BLOCK
                                             "}, {\"type\": \"dense\"}"));
    has(space, "\"model.layers[0].repeat[0].layers[0].units\": {\"choice\": "
               "[16, 32]}");
    has(space, "\"model.layers[0].repeat[1].layers[0].units\": {\"choice\": "
               "[16, 32]}");
}
END_TEST

START_TEST(conditions_between_sections)
{
    const char *json =
        "{" DATA ", \"model\": {\"layers\": [{\"type\": \"dropout\", \"rate\": "
        "{\"float\": [0.1, 0.5], \"when\": {\"train.batch_size\": [32, 64]}}}, "
        "{\"type\": \"dense\"}]}, \"train\": {\"batch_size\": {\"choice\": "
        "[16, 32, 64]}}}";
    const char *space = space_of(json);
    /* The parent stands first, whatever the order of the document. */
    ck_assert(strstr(space, "\"train.batch_size\"") <
              strstr(space, "\"model.layers[0].rate\""));
    has(space, "\"when\": {\"train.batch_size\": [32, 64]}");
    has(applied(json, "{\"train.batch_size\": 32, \"model.layers[0].rate\": "
                      "0.2}"), "\"rate\": 0.2");
    lacks(applied(json, "{\"train.batch_size\": 16}"), "\"rate\"");
}
END_TEST

START_TEST(type_alone_may_be_searched)
{
    const char *json = with_train(
        "\"optimizer\": {\"type\": {\"choice\": [\"sgd\", \"adam\"]}, "
        "\"learning_rate\": {\"float\": [0.001, 0.1]}, \"momentum\": "
        "{\"float\": [0, 0.9], \"when\": {\"train.optimizer.type\": "
        "\"sgd\"}}}");
    has(space_of(json), "\"train.optimizer.momentum\": {\"float\": [0.0, 0.9],"
                        " \"when\": {\"train.optimizer.type\": \"sgd\"}}");
    lacks(applied(json, "{\"train.optimizer.type\": \"adam\", "
                        "\"train.optimizer.learning_rate\": 0.01}"),
          "\"momentum\"");
}
END_TEST

/* --- Errors of domains -------------------------------------------------- */

#define RATE(domain) \
    with_train("\"optimizer\": {\"type\": \"adam\", \"learning_rate\": " \
               domain "}")

START_TEST(errors_of_domains)
{
    const char *rate = "train.optimizer.learning_rate: ";
    refuse(RATE("{\"float\": [0.1, 0.001]}"), MOPT_EINVAL,
           "train.optimizer.learning_rate: 'lo' must be below 'hi'",
           "[0.1,0.001]");
    refuse(RATE("{\"float\": [0.1, 0.1]}"), MOPT_EINVAL, rate, "below 'hi'");
    refuse(RATE("{\"float\": [0.1]}"), MOPT_EINVAL, rate, "[lo, hi]");
    refuse(RATE("{\"float\": 0.1}"), MOPT_EINVAL, rate, "got 0.1");
    refuse(RATE("{\"float\": [\"a\", 1]}"), MOPT_EINVAL, rate, "two numbers");
    refuse(RATE("{\"int\": [1, 2.5]}"), MOPT_EINVAL, rate, "whole numbers");
    refuse(RATE("{\"int\": [1, 1e300]}"), MOPT_EINVAL, rate, "whole numbers");
    refuse(RATE("{\"float\": [1e-4, 1], \"log\": 1}"), MOPT_EINVAL, rate,
           "'log' is true or false, got 1");
    refuse(RATE("{\"float\": [0, 1], \"log\": true}"), MOPT_EINVAL, rate,
           "above 0");
    refuse(RATE("{\"float\": [0.1, 1], \"step\": 0}"), MOPT_EINVAL, rate,
           "'step' is a number above 0, got 0");
    refuse(RATE("{\"float\": [0.1, 1], \"step\": 0.1, \"log\": true}"),
           MOPT_EINVAL, rate, "step");
    refuse(RATE("{\"float\": [0.1, 1], \"lgo\": true}"), MOPT_EKEY, rate,
           "did you mean 'log'?");
    refuse(RATE("{\"float\": [0.1, 1], \"int\": [1, 2]}"), MOPT_EINVAL, rate,
           "not several");
    refuse(RATE("{\"choice\": []}"), MOPT_EINVAL, rate, "1 to 1000 options");
    refuse(RATE("{\"choice\": 3}"), MOPT_EINVAL, rate, "got 3");
    refuse(RATE("{\"choice\": [0.1, 0.1]}"), MOPT_EINVAL, rate, "twice");
    refuse(RATE("{\"choice\": [0.1], \"step\": 1}"), MOPT_EINVAL, rate,
           "'log' and 'step'");
}
END_TEST

START_TEST(bounds_of_the_key)
{
    refuse(with_train("\"batch_size\": {\"int\": [0, 64]}"), MOPT_EINVAL,
           "train.batch_size: ", "at least 1");
    refuse(with_train("\"batch_size\": {\"float\": [8, 64]}"), MOPT_EINVAL,
           "train.batch_size: ", "integer");
    refuse(with_train("\"batch_size\": {\"choice\": [8, 16, -1]}"),
           MOPT_EINVAL, "train.batch_size: ", "-1");
    refuse(with_train("\"optimizer\": {\"choice\": [\"adam\", \"adma\"]}"),
           MOPT_EINVAL, "train.optimizer", "the nearest is 'adam'");
    refuse(with_train("\"optimizer\": {\"choice\": [{\"type\": \"adam\"}, "
                      "{\"type\": \"sgd\", \"momentun\": 0.9}]}"),
           MOPT_EKEY, "train.optimizer.momentun", "momentum");
    refuse(with_layers("{\"type\": \"dense\", \"units\": {\"int\": [0, 9]}}"),
           MOPT_EINVAL, "model.layers[0].units", "at least 1");
    refuse(with_layers("{\"type\": \"dense\", \"activation\": {\"choice\": "
                       "[\"relu\", \"rely\"]}}"),
           MOPT_EINVAL, "model.layers[0].activation", "relu");
    /* A key that only one of the types has. */
    refuse(with_train("\"optimizer\": {\"type\": {\"choice\": [\"sgd\", "
                      "\"adam\"]}, \"momentum\": {\"float\": [0, 0.9]}}"),
           MOPT_EKEY, "train.optimizer.momentum", NULL);
}
END_TEST

START_TEST(errors_of_conditions)
{
#define WHEN(when) \
    with_train("\"batch_size\": {\"choice\": [16, 32]}, \"epochs\": " \
               "{\"int\": [1, 9], \"when\": " when "}")
    refuse(WHEN("3"), MOPT_EINVAL, "train.epochs: 'when' takes an object",
           "got 3");
    refuse(WHEN("{\"train.batchsize\": 16}"), MOPT_EKEY, "train.epochs: ",
           "did you mean 'train.batch_size'?");
    refuse(WHEN("{\"train.batch_size\": 17}"), MOPT_EINVAL, "train.epochs: ",
           "17");
    refuse(WHEN("{\"train.batch_size\": [16, 17]}"), MOPT_EINVAL,
           "train.epochs: ", "17");
    refuse(WHEN("{\"train.batch_size\": []}"), MOPT_EINVAL, "train.epochs: ",
           "a list of values");
    refuse(WHEN("{\"train.batch_size\": {\"mni\": 3}}"), MOPT_EINVAL,
           "train.epochs: ", "\"min\"");
    refuse(WHEN("{\"train.epochs\": 3}"), MOPT_EINVAL, "train.epochs: ",
           "circle");
    refuse(with_train("\"batch_size\": {\"int\": [1, 9], \"when\": "
                      "{\"train.epochs\": 2}}, \"epochs\": {\"int\": [1, 9], "
                      "\"when\": {\"train.batch_size\": 2}}"),
           MOPT_EINVAL, "circle", NULL);
    refuse(with_train("\"optimizer\": {\"choice\": [\"sgd\", \"adam\"]}, "
                      "\"epochs\": {\"int\": [1, 9], \"when\": "
                      "{\"train.optimizer\": {\"min\": 1}}}"),
           MOPT_EINVAL, "has no numbers", NULL);
}
END_TEST

START_TEST(errors_of_repeats)
{
    refuse(with_layers("{\"repeat\": {\"int\": [1, 1000]}, " BLOCK "}"),
           MOPT_EINVAL, "model.layers[0].repeat: ", "\"share\": true");
    refuse(with_layers("{\"repeat\": 2, \"share\": 1, " BLOCK "}"),
           MOPT_EINVAL, "model.layers[0]: ", "'share' is true or false");
    refuse(with_layers("{\"repeat\": {\"int\": [-2, 2]}, " BLOCK "}"),
           MOPT_EINVAL, "model.layers[0]", "-2");
}
END_TEST

START_TEST(what_cannot_be_searched)
{
    refuse("{\"data\": {\"source\": {\"type\": \"linear\", \"count\": "
           "{\"int\": [10, 20]}}}, " MODEL "}", MOPT_EINVAL,
           "data.source.count: ", "cannot be searched");
    refuse("{\"data\": {\"source\": \"linear\", \"split\": {\"validation\": "
           "{\"float\": [0.1, 0.2]}}}, " MODEL "}", MOPT_EINVAL,
           "data.split.validation: ", "cannot be searched");
    refuse("{\"data\": {\"choice\": [{\"source\": \"linear\"}]}, " MODEL "}",
           MOPT_EINVAL, "data: ", "cannot be searched");
    refuse(with_train("\"max_steps\": {\"int\": [1, 2]}"), MOPT_EINVAL,
           "train.max_steps: ", "cannot be searched");
    refuse(with("\"search\": {\"trials\": {\"int\": [1, 2]}}"), MOPT_EINVAL,
           "search.trials", NULL);
    has(space_of("{\"data\": {\"source\": \"linear\", \"scale\": {\"choice\": "
                 "[\"none\", \"standard\"]}}, " MODEL "}"),
        "\"data.scale\"");
}
END_TEST

/* --- Errors of sections ------------------------------------------------- */

START_TEST(errors_of_sections)
{
    refuse("{", MOPT_EFORMAT, "line 1", NULL);
    refuse("[]", MOPT_EINVAL, "a recipe is an object", "[]");
    refuse("3", MOPT_EINVAL, "a recipe is an object", NULL);
    refuse("{" MODEL "}", MOPT_EINVAL, "data: ", "needs");
    refuse("{" DATA "}", MOPT_EINVAL, "model: ", "needs");
    refuse("{\"data\": 3, " MODEL "}", MOPT_EINVAL, "data: ", "3");
    refuse(with("\"objective\": []"), MOPT_EKEY, "objective: ",
           "did you mean 'objectives'?");
    refuse(with("\"seed\": -1"), MOPT_EINVAL, "seed: ", "-1");
    refuse(with("\"seed\": 1.5"), MOPT_EINVAL, "seed: ", "1.5");
    refuse(with("\"train\": []"), MOPT_EINVAL, "train: ", "[]");
    refuse(with("\"search\": {\"trails\": 3}"), MOPT_EKEY, "search.trails",
           "search.trials");
    refuse(with("\"search\": {\"sampler\": \"rnadom\"}"), MOPT_EINVAL,
           "search.sampler", "random");
    refuse(with("\"search\": {\"direction\": \"maximize\"}"), MOPT_EINVAL,
           "search.direction: ", "'objectives'");
    refuse(with_train("\"epochs\": 0"), MOPT_EINVAL, "train.epochs", "0");
    refuse(with_train("\"epoch\": 3"), MOPT_EKEY, "train.epoch",
           "train.epochs");
    refuse("{\"data\": {\"source\": \"liner\"}, " MODEL "}", MOPT_EINVAL,
           "data.source", "linear");
    refuse("{" DATA ", \"model\": {\"layer\": []}}", MOPT_EKEY, "model.layer",
           "layers");
    refuse(with_layers("{\"type\": \"dens\"}"), MOPT_EKEY,
           "model.layers[0].type", "dense");
    refuse("{" DATA ", " DATA ", " MODEL "}", MOPT_EFORMAT, "duplicate", NULL);
}
END_TEST

START_TEST(errors_of_parallel)
{
    refuse(with("\"parallel\": 4"), MOPT_EINVAL, "parallel: ", "4");
    refuse(with("\"parallel\": {\"tensors\": 2}"), MOPT_EKEY,
           "parallel.tensors", "parallel.tensor");
    refuse(with("\"parallel\": {\"tensor\": {\"int\": [1, 4]}}"),
           MOPT_EINVAL, "parallel.tensor", "must be an integer");
    refuse(with("\"parallel\": {}, \"distill\": {\"teacher\": \"t\"}"),
           MOPT_EUNSUPPORTED, "parallel: ", "\"distill\"");
}
END_TEST

/* Sizes come from the data, and the batch has no more rows than these. */
START_TEST(plans)
{
    mopt_recipe *recipe = parse(
        "{\"data\": {\"source\": {\"type\": \"linear\", \"count\": 60, "
        "\"features\": 5, \"classes\": 3}}, " MODEL ", \"train\": "
        "{\"batch_size\": 1000}, \"parallel\": {\"data\": 2}}");
    mopt_parallel *plan = NULL;
    char json[8192];
    kit_ok(mopt_recipe_plan(recipe, 2, NULL, &plan));
    kit_ok(mopt_parallel_json(plan, json, sizeof json, NULL));
    has(json, "\"batch\": 54");
    has(json, "\"weights\": 18");
    mopt_parallel_free(plan);
    kit_fails(mopt_recipe_plan(recipe, 3, NULL, &plan), MOPT_EINVAL);
    kit_says("parallel.data, tensor, pipeline: 2 x 0 x 0");
    kit_ok(mopt_recipe_set(recipe, "train.batch_size", "{\"int\": [1, 9]}"));
    kit_fails(mopt_recipe_plan(recipe, 2, NULL, &plan), MOPT_ESTATE);
    kit_says("train.batch_size: the recipe leaves this open");
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(errors_of_objectives)
{
#define AIM(list) with("\"objectives\": " list)
    refuse(AIM("3"), MOPT_EINVAL, "objectives: takes a list", "got 3");
    refuse(AIM("[]"), MOPT_EINVAL, "objectives: takes a list", NULL);
    refuse(AIM("[3]"), MOPT_EINVAL, "objectives[0]: ", "got 3");
    refuse(AIM("[\"acuracy\"]"), MOPT_EKEY,
           "objectives[0]: there is no metric 'acuracy'",
           "'validation.accuracy'?");
    refuse(AIM("[\"test.accuracy\"]"), MOPT_EINVAL, "objectives[0]: ",
           "kept for the winner");
    refuse(AIM("[\"loss\", \"validation.loss\"]"), MOPT_EINVAL,
           "objectives[1]: ", "twice");
    refuse(AIM("[{\"metric\": \"loss\", \"direction\": \"up\"}]"),
           MOPT_EINVAL, "objectives[0]: ", "\"max\" or \"min\", got \"up\"");
    refuse(AIM("[{\"metric\": \"loss\", \"dir\": \"max\"}]"), MOPT_EKEY,
           "objectives[0]: ", "'dir'");
    refuse(AIM("[{\"direction\": \"max\"}]"), MOPT_EINVAL,
           "objectives[0].metric: ", NULL);
    refuse(AIM("[\"loss\",\"accuracy\",\"error\",\"macro_f1\",\"auc\",\"mse\","
               "\"rmse\",\"mae\",\"r2\"]"), MOPT_EINVAL, "objectives: ",
           "1 to 8");
}
END_TEST

START_TEST(errors_of_constraints)
{
#define BOUND(list) with("\"constraints\": " list)
    refuse(BOUND("{}"), MOPT_EINVAL, "constraints: takes a list", "{}");
    refuse(BOUND("[\"params\"]"), MOPT_EINVAL, "constraints[0]: ", "\"max\"");
    refuse(BOUND("[{\"metric\": \"params\"}]"), MOPT_EINVAL,
           "constraints[0]: ", "'min' or 'max'");
    refuse(BOUND("[{\"metric\": \"params\", \"max\": \"5\"}]"), MOPT_EINVAL,
           "constraints[0]: ", "'max' is a number");
    refuse(BOUND("[{\"metric\": \"parms\", \"max\": 5}]"), MOPT_EKEY,
           "constraints[0].metric: ", "'params'?");
    refuse(BOUND("[{\"metric\": \"params\", \"maximum\": 5}]"), MOPT_EKEY,
           "constraints[0]: ", "'maximum'");
}
END_TEST

START_TEST(limits_of_size)
{
    static char text[65536];
    size_t used = (size_t)snprintf(text, sizeof text, "{" DATA
                                   ", \"model\": {\"layers\": [");
    for (int i = 0; i < 600; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "{\"type\": \"dense\", \"units\": {\"int\": "
                                 "[1, 9]}}, ");
    snprintf(text + used, sizeof text - used, "{\"type\": \"dense\"}]}}");
    refuse(text, MOPT_EINVAL, "at most 500 parameters", NULL);

    used = (size_t)snprintf(text, sizeof text, "{" DATA ", \"model\": ");
    for (int i = 0; i < 100; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "{\"layers\": [");
    for (int i = 0; i < 100; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "]}");
    snprintf(text + used, sizeof text - used, "}");
    refuse(text, MOPT_EINVAL, "nested deeper than 32 levels", NULL);
}
END_TEST

/* --- Changing ----------------------------------------------------------- */

START_TEST(set_changes_values)
{
    mopt_recipe *recipe = parse(with_train("\"optimizer\": \"sgd\""));
    kit_ok(mopt_recipe_set(recipe, "train.batch_size", "64"));
    has(json_of(recipe), "\"batch_size\": 64");
    /* A name alone becomes an object that can have keys. */
    kit_ok(mopt_recipe_set(recipe, "train.optimizer.momentum", "0.5"));
    has(json_of(recipe), "\"momentum\": 0.5");
    kit_ok(mopt_recipe_set(recipe, "search.trials", "7"));
    has(json_of(recipe), "\"trials\": 7");
    kit_ok(mopt_recipe_set(recipe, "model.layers[0].activation",
                           "\"relu\""));
    has(json_of(recipe), "\"activation\": \"relu\"");
    kit_ok(mopt_recipe_set(recipe, "model.layers[0].units",
                           "{\"int\": [2, 4]}"));
    kit_ok(mopt_recipe_set(recipe, "model.layers[1]",
                           "{\"type\": \"dense\"}"));
    mopt_space *space = NULL;
    int64_t count = 0;
    kit_ok(mopt_recipe_space(recipe, &space));
    kit_ok(mopt_space_count(space, &count));
    ck_assert_int_eq(count, 3);
    mopt_space_free(space);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(set_refuses)
{
    mopt_recipe *recipe = parse(with_train("\"batch_size\": 16"));
    kit_fails(mopt_recipe_set(recipe, "train.batch_size", "{"), MOPT_EFORMAT);
    kit_fails(mopt_recipe_set(recipe, "train.batch_size", "0"), MOPT_EINVAL);
    kit_says("train.batch_size");
    kit_fails(mopt_recipe_set(recipe, "train.bath_size", "1"), MOPT_EKEY);
    kit_says("train.batch_size");
    kit_fails(mopt_recipe_set(recipe, "train..batch_size", "1"), MOPT_EINVAL);
    kit_fails(mopt_recipe_set(recipe, "", "1"), MOPT_EINVAL);
    kit_fails(mopt_recipe_set(recipe, "model.layers[x]", "1"), MOPT_EINVAL);
    kit_fails(mopt_recipe_set(recipe, "model.layers[7]", "1"), MOPT_EINVAL);
    kit_says("no such place");
    kit_fails(mopt_recipe_set(recipe, "model.layers[9].units", "1"),
              MOPT_EINVAL);
    kit_fails(mopt_recipe_set(recipe, "train.batch_size[0]", "1"),
              MOPT_EINVAL);
    /* Nothing of this has changed it. */
    has(json_of(recipe), "\"batch_size\": 16");
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(apply_refuses)
{
    mopt_recipe *recipe = parse(with_train(OPTIMIZERS)), *one = NULL;
    kit_fails(mopt_recipe_apply(recipe, "[]", &one), MOPT_EINVAL);
    kit_fails(mopt_recipe_apply(recipe, "{", &one), MOPT_EFORMAT);
    kit_fails(mopt_recipe_apply(recipe, "{}", &one), MOPT_EINVAL);
    kit_says("'train.optimizer' is missing");
    kit_fails(mopt_recipe_apply(recipe, "{\"train.optimiser\": \"gd\"}", &one),
              MOPT_EKEY);
    kit_says("did you mean 'train.optimizer'?");
    kit_fails(mopt_recipe_apply(recipe, "{\"train.optimizer\": \"lion\"}",
                                &one), MOPT_EINVAL);
    kit_fails(mopt_recipe_apply(recipe, "{\"train.optimizer\": \"adam\"}",
                                &one), MOPT_EINVAL);
    kit_says("'train.optimizer.adam.learning_rate' is missing");
    kit_fails(mopt_recipe_apply(recipe, "{\"train.optimizer\": \"gd\", "
                                "\"train.optimizer.sgd.momentum\": 0.5}",
                                &one), MOPT_EINVAL);
    kit_says("does not exist with the other values");
    kit_fails(mopt_recipe_apply(recipe, "{\"train.optimizer\": \"adam\", "
                                "\"train.optimizer.adam.learning_rate\": 9}",
                                &one), MOPT_EINVAL);
    ck_assert_ptr_null(one);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(defaults_are_filled_in)
{
    mopt_recipe *recipe = parse(
        "{" DATA ", " MODEL ", \"seed\": 5, \"train\": {\"optimizer\": "
        "{\"type\": \"sgd\", \"learning_rate\": {\"float\": [0.1, 1]}}}}");
    const char *json = json_of(recipe);
    has(json, "\"count\": 20000");
    has(json, "\"momentum\": 0.0");
    has(json, "\"learning_rate\": {\"float\": [0.1, 1]}");
    has(json, "\"batch_size\": 32");
    has(json, "\"seed\": 5}");
    lacks(json, "\"direction\"");
    lacks(json, "\"base\"");
    /* What comes out goes in, and says the same. */
    char *first = strdup(json);
    mopt_recipe *again = parse(first);
    ck_assert_str_eq(json_of(again), first);
    free(first);
    mopt_recipe_free(again);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(paths_start_at_the_recipe)
{
    const char *json =
        "{\"data\": {\"source\": {\"type\": \"csv\", \"path\": \"rows.csv\"}},"
        MODEL ", \"train\": {\"epochs\": 1}}";
    const char *path = kit_path("recipe.json");
    mopt_recipe *recipe = NULL;
    mopt_result *result = NULL;
    kit_write(path, json, strlen(json));
    kit_ok(mopt_recipe_load(ctx, path, &recipe));
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &result),
              MOPT_ENOENT);
    char folder[400];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    kit_says(folder);
    kit_says("/rows.csv");
    kit_ok(mopt_recipe_set(recipe, "data.base", "\"/nowhere\""));
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, &result),
              MOPT_ENOENT);
    kit_says("/nowhere/rows.csv");
    kit_fails(mopt_recipe_load(ctx, kit_path("none.json"), &recipe),
              MOPT_ENOENT);
    mopt_recipe_free(recipe);
}
END_TEST

START_TEST(arguments)
{
    mopt_recipe *recipe = parse(with_train("")), *other = NULL;
    mopt_space *space = NULL;
    mopt_model *model = NULL;
    mopt_result *result = NULL;
    char text[8];
    size_t needed = 0;
    kit_fails(mopt_recipe_parse(NULL, "{}", NULL, &other), MOPT_EINVAL);
    kit_fails(mopt_recipe_parse(ctx, NULL, NULL, &other), MOPT_EINVAL);
    kit_fails(mopt_recipe_parse(ctx, "{}", NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_recipe_load(NULL, "a", &other), MOPT_EINVAL);
    kit_fails(mopt_recipe_load(ctx, NULL, &other), MOPT_EINVAL);
    kit_fails(mopt_recipe_load(ctx, "a", NULL), MOPT_EINVAL);
    kit_fails(mopt_recipe_set(NULL, "a", "1"), MOPT_EINVAL);
    kit_fails(mopt_recipe_set(recipe, NULL, "1"), MOPT_EINVAL);
    kit_fails(mopt_recipe_set(recipe, "a", NULL), MOPT_EINVAL);
    kit_fails(mopt_recipe_apply(NULL, "{}", &other), MOPT_EINVAL);
    kit_fails(mopt_recipe_apply(recipe, NULL, &other), MOPT_EINVAL);
    kit_fails(mopt_recipe_apply(recipe, "{}", NULL), MOPT_EINVAL);
    kit_fails(mopt_recipe_to_json(NULL, text, sizeof text, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_recipe_to_json(recipe, text, sizeof text, &needed),
              MOPT_ERANGE);
    ck_assert_uint_gt(needed, sizeof text);
    ck_assert_uint_eq(strlen(text), sizeof text - 1);
    kit_fails(mopt_recipe_space(NULL, &space), MOPT_EINVAL);
    kit_fails(mopt_recipe_space(recipe, NULL), MOPT_EINVAL);
    kit_fails(mopt_recipe_run(NULL, NULL, NULL, NULL, &result), MOPT_EINVAL);
    kit_fails(mopt_recipe_run(recipe, NULL, NULL, NULL, NULL), MOPT_EINVAL);
    kit_fails(mopt_result_to_json(NULL, text, sizeof text, NULL),
              MOPT_EINVAL);
    kit_fails(mopt_result_model(NULL, &model), MOPT_EINVAL);
    kit_fails(mopt_result_report(NULL, "a"), MOPT_EINVAL);
    kit_fails(mopt_recipe_schema(NULL, text, sizeof text, NULL), MOPT_EINVAL);
    mopt_recipe_free(NULL);
    mopt_result_free(NULL);
    mopt_recipe_free(recipe);
}
END_TEST

Suite *kit_suite(void)
{
    Suite *suite = suite_create("recipe");
    TCase *names = tcase_create("names"), *errors = tcase_create("errors");
    TCase *changes = tcase_create("changes");
    tcase_add_checked_fixture(names, setup, teardown);
    tcase_add_test(names, names_are_paths);
    tcase_add_test(names, no_domain_is_an_empty_space);
    tcase_add_test(names, options_bring_their_own);
    tcase_add_test(names, options_alike_go_by_place);
    tcase_add_test(names, null_leaves_out);
    tcase_add_test(names, an_option_may_be_a_domain);
    tcase_add_test(names, whole_lists_may_be_chosen);
    tcase_add_test(names, whole_sections_may_be_chosen);
    tcase_add_test(names, repetitions_have_their_own);
    tcase_add_test(names, repetitions_may_share);
    tcase_add_test(names, a_fixed_count_unrolls_too);
    tcase_add_test(names, conditions_between_sections);
    tcase_add_test(names, type_alone_may_be_searched);
    suite_add_tcase(suite, names);
    tcase_add_checked_fixture(errors, setup, teardown);
    tcase_add_test(errors, errors_of_domains);
    tcase_add_test(errors, bounds_of_the_key);
    tcase_add_test(errors, errors_of_conditions);
    tcase_add_test(errors, errors_of_repeats);
    tcase_add_test(errors, what_cannot_be_searched);
    tcase_add_test(errors, errors_of_sections);
    tcase_add_test(errors, errors_of_parallel);
    tcase_add_test(errors, plans);
    tcase_add_test(errors, errors_of_objectives);
    tcase_add_test(errors, errors_of_constraints);
    tcase_add_test(errors, limits_of_size);
    suite_add_tcase(suite, errors);
    tcase_add_checked_fixture(changes, setup, teardown);
    tcase_add_test(changes, set_changes_values);
    tcase_add_test(changes, set_refuses);
    tcase_add_test(changes, apply_refuses);
    tcase_add_test(changes, defaults_are_filled_in);
    tcase_add_test(changes, paths_start_at_the_recipe);
    tcase_add_test(changes, arguments);
    suite_add_tcase(suite, changes);
    return suite;
}
