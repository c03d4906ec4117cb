/* SPDX-License-Identifier: MIT
 * lib/learn/train/keys.c: the keys of the kinds "train" and "group". */
#include "learn/train/trainer.h"

static const moi_key train_keys[] = {
    MOI_INT("epochs", 10, 1, 1e9, "passes over the training data"),
    MOI_INT("batch_size", 32, 1, 1e9,
            "rows a step; the last of an epoch may have fewer"),
    {"chunk", MOPT_TYPE_INT, MOI_KEY_FIXED, 0, 0, 1e9, NULL, NULL, NULL,
     "rows worked on at a time, 0: chosen; larger batches add chunks up"},
    {"threads", MOPT_TYPE_INT, MOI_KEY_FIXED, 0, 0, 4096, NULL, NULL, NULL,
     "of the context's, for one step, 0: as many as pay; the weights are the "
     "same"},
    {"parts", MOPT_TYPE_INT, MOI_KEY_FIXED, 0, 0, 65536, NULL, NULL, NULL,
     "of a batch, that ranks share; their gradients are added by pairs; 0: 4 "
     "or 8 with a group, else one"},
    {"overlap", MOPT_TYPE_CHOICE, MOI_KEY_FIXED, 0, 0, 0, "auto",
     "auto|always|never", NULL,
     "with a group, a thread sends gradients while others are worked out; "
     "auto: over slow links; the weights are the same"},
    MOI_CHOICE("compression", "none", "none|bf16|topk",
               "what travels between ranks: whole numbers, halves of them, or "
               "the largest few; what is left out is added the next time"),
    MOI_FLOAT("topk_share", 0.01, 1e-6, 1,
              "part of the gradients that topk sends"),
    MOI_INT("local_steps", 0, 0, 1e9,
            "steps that workers take by themselves before they meet, 0: every "
            "step is of all"),
    {"local_workers", MOPT_TYPE_INT, MOI_KEY_FIXED, 0, 0, 65536, NULL, NULL,
     NULL,
     "that take such steps, each on its share of a batch; 0: one a rank"},
    {"asynchronous", MOPT_TYPE_BOOL, MOI_KEY_FIXED, 0, 0, 1, NULL, NULL, NULL,
     "with local_steps, no rank waits for another: other bits each time, and "
     "the last weights, not the best ones"},
    MOI_FLOAT("outer_rate", 0.7, 0, 1e6,
              "learning rate of the step that follows when they meet"),
    MOI_FLOAT("outer_momentum", 0.9, 0, 1,
              "Nesterov momentum of that step"),
    MOI_VARIANT("loss", "auto", moi_loss_schemas,
                "what is made small; auto: by the target"),
    MOI_VARIANT("optimizer", "adam", moi_optimizer_schemas,
                "the rule that changes the weights"),
    MOI_VARIANT("schedule", "constant", moi_schedule_schemas,
                "how the learning rate goes from step to step"),
    MOI_INT("seed", 0, 0, 9007199254740992.0,
            "of first weights, order of rows and dropout"),
    MOI_BOOL("shuffle", 1, "a new order of the rows in each epoch"),
    MOI_FLOAT("clip_norm", 0, 0, 1e300,
              "largest norm of all gradients together, 0: any"),
    MOI_FLOAT("clip_value", 0, 0, 1e300,
              "largest magnitude of a gradient, 0: any"),
    MOI_FLOAT("max_norm", 0, 0, 1e300,
              "largest norm of the weights that lead to a unit, 0: any"),
    MOI_AUGMENT_KEYS,
    MOI_TEXT("monitor", "auto",
             "figure that says which epoch is best: loss, validation.loss, "
             "validation.accuracy, ..."),
    MOI_INT("early_stopping.patience", 0, 0, 1e9,
            "epochs without improvement before training ends, 0: never"),
    MOI_FLOAT("early_stopping.min_delta", 0, 0, 1e300,
              "smallest change of the monitored figure that is one"),
    MOI_BOOL("restore_best", 1, "leave the model with its best weights"),
    {"max_steps", MOPT_TYPE_INT, MOI_KEY_FIXED, 0, 0, 1e15, NULL, NULL, NULL,
     "steps before training ends, 0: no limit"},
    {"max_seconds", MOPT_TYPE_FLOAT, MOI_KEY_FIXED, 0, 0, 1e12, NULL, NULL,
     NULL, "seconds before training ends, 0: no limit"},
    MOI_FLOAT("tolerance", 0, 0, 1e300,
              "training ends when an epoch changes its loss by less"),
    {"checkpoint", MOPT_TYPE_TEXT, MOI_KEY_FIXED, 0, 0, 0, "", NULL, NULL,
     "file to save the training to as it goes, empty: none"},
    {"checkpoint_every", MOPT_TYPE_INT, MOI_KEY_FIXED, 1, 0, 1e9, NULL, NULL,
     NULL, "epochs between two checkpoints, 0: by seconds alone"},
    {"checkpoint_seconds", MOPT_TYPE_FLOAT, MOI_KEY_FIXED, 0, 0, 1e12, NULL,
     NULL, NULL, "seconds between two checkpoints, 0: by epochs alone"},
    MOI_KEYS_END,
};

const moi_schema moi_train_schema = {"train", "how a model is trained",
                                     train_keys};

static const moi_key group_keys[] = {
    MOI_FLOAT("rate", 1, 0, 1e6, "multiplies the learning rate"),
    MOI_FLOAT("weight_decay", 0, 0, 1e6,
              "instead of the optimizer's; also for biases"),
    MOI_BOOL("frozen", 0, "leave the weights as they are"),
    MOI_KEYS_END,
};

const moi_schema moi_group_schema = {
    "group", "what some of the weights are trained with", group_keys};

void moi_settings_read(moi_settings *set, const mopt_config *config)
{
    *set = (moi_settings){
        .epochs = moi_config_int(config, "epochs"),
        .batch = moi_config_int(config, "batch_size"),
        .chunk = moi_config_int(config, "chunk"),
        .threads = moi_config_int(config, "threads"),
        .parts = moi_config_int(config, "parts"),
        .overlap = moi_config_text(config, "overlap"),
        .compression = moi_config_text(config, "compression"),
        .topk_share = moi_config_float(config, "topk_share"),
        .asynchronous = moi_config_bool(config, "asynchronous"),
        .local_steps = moi_config_int(config, "local_steps"),
        .local_workers = moi_config_int(config, "local_workers"),
        .outer_rate = moi_config_float(config, "outer_rate"),
        .outer_momentum = moi_config_float(config, "outer_momentum"),
        .max_steps = moi_config_int(config, "max_steps"),
        .max_seconds = moi_config_float(config, "max_seconds"),
        .tolerance = moi_config_float(config, "tolerance"),
        .seed = (uint64_t)moi_config_int(config, "seed"),
        .shuffle = moi_config_bool(config, "shuffle"),
        .restore_best = moi_config_bool(config, "restore_best"),
        .clip_norm = moi_config_float(config, "clip_norm"),
        .clip_value = moi_config_float(config, "clip_value"),
        .max_norm = moi_config_float(config, "max_norm"),
        .patience = moi_config_int(config, "early_stopping.patience"),
        .min_delta = moi_config_float(config, "early_stopping.min_delta"),
        .monitor = moi_config_text(config, "monitor"),
        .checkpoint = moi_config_text(config, "checkpoint"),
        .checkpoint_every = moi_config_int(config, "checkpoint_every"),
        .checkpoint_seconds = moi_config_float(config, "checkpoint_seconds"),
    };
}
