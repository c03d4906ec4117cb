/* SPDX-License-Identifier: MIT
 * docs/examples/article.cpp: article.c once more, in C++11: handles free
 * themselves, errors are exceptions, and none of them passes through C.
 *
 *   c++ article.cpp $(pkg-config --cflags --libs modelopt) -o article
 *   ./article */
#include <modelopt/modelopt.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

/* A handle that frees itself: handle<mopt_study, mopt_study_free>. */
template <typename T, void (*Free)(T *)> class handle {
public:
    handle() : pointer(nullptr) {}
    ~handle() { Free(pointer); }
    handle(const handle &) = delete;
    handle &operator=(const handle &) = delete;
    operator T *() const { return pointer; }
    T **out() { return &pointer; }

private:
    T *pointer;
};

using context = handle<mopt_context, mopt_context_free>;
using config = handle<mopt_config, mopt_config_free>;
using dataset = handle<mopt_dataset, mopt_dataset_free>;
using transform = handle<mopt_transform, mopt_transform_free>;
using model = handle<mopt_model, mopt_model_free>;
using trainer = handle<mopt_trainer, mopt_trainer_free>;
using space = handle<mopt_space, mopt_space_free>;
using study = handle<mopt_study, mopt_study_free>;
using trial = handle<mopt_trial, mopt_trial_free>;

/* Throw the library's message if a call failed. */
static void check(int32_t status)
{
    if (status == MOPT_OK)
        return;
    char message[512];
    mopt_last_error(message, sizeof message, nullptr);
    throw std::runtime_error(std::string(mopt_status_name(status)) + ": " +
                             message);
}

struct parts {
    context ctx;
    dataset train, validation;
};

/* 20,000 rows of 100 normal features; a fifth of them to validate on. The
 * transform is fitted on the training rows only. */
static void load(parts &data)
{
    config settings;
    dataset all, train, validation;
    transform ready;
    check(mopt_config_create(data.ctx, "data", settings.out()));
    check(mopt_config_set_json(settings, R"({
        "source": {"type": "linear", "count": 20000, "features": 100,
                   "classes": 10, "seed": 1},
        "split": {"validation": 0.2, "seed": 1}})"));
    check(mopt_dataset_load(data.ctx, settings, MOPT_PART_TRAIN, all.out()));
    check(mopt_dataset_split(all, settings, train.out(), validation.out(),
                             nullptr));
    check(mopt_transform_fit(train, settings, ready.out()));
    check(mopt_transform_apply(ready, train, data.train.out()));
    check(mopt_transform_apply(ready, validation, data.validation.out()));
}

/* One trial: its parameters are keys of the config. */
static double evaluate(const parts &data, mopt_trial *now)
{
    model net;
    config settings;
    trainer loop;
    double accuracy;
    check(mopt_model_build(data.ctx, 100, net.out()));
    check(mopt_model_add_dense(net, 128, "relu"));
    check(mopt_model_add_dense(net, 64, "relu"));
    check(mopt_model_add_dense(net, 10, "softmax"));
    check(mopt_config_create(data.ctx, "train", settings.out()));
    check(mopt_config_set_json(settings, R"({
        "optimizer": "adam", "epochs": 10, "seed": 1,
        "monitor": "validation.accuracy"})"));
    check(mopt_trial_apply(now, settings, nullptr));
    check(mopt_trainer_create(data.ctx, net, data.train, data.validation,
                              settings, loop.out()));
    check(mopt_trainer_fit(loop, nullptr));
    check(mopt_trainer_get(loop, "best.accuracy", &accuracy));
    return accuracy;
}

/* What C calls: exceptions end here. */
extern "C" {
static int32_t objective(void *user, mopt_trial *now, double *values)
{
    try {
        values[0] = evaluate(*static_cast<const parts *>(user), now);
        return MOPT_OK;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "article: %s\n", error.what());
        return MOPT_ECALLBACK;
    }
}
}

static void print(const mopt_trial *done)
{
    double rate, accuracy;
    int64_t batch;
    check(mopt_trial_get_float(done, "optimizer.learning_rate", &rate));
    check(mopt_trial_get_int(done, "batch_size", &batch));
    check(mopt_trial_value(done, 0, &accuracy));
    std::printf("trial %d: learning rate %g, batch size %d: %.17g\n",
                static_cast<int>(mopt_trial_number(done)), rate,
                static_cast<int>(batch), accuracy);
}

/* Every learning rate with every batch size. */
static void search(parts &data)
{
    space grid;
    config settings;
    study all;
    int64_t count;
    check(mopt_space_create(data.ctx, grid.out()));
    check(mopt_space_add_choice(grid, "optimizer.learning_rate",
                                "[0.001, 0.01, 0.1]"));
    check(mopt_space_add_choice(grid, "batch_size", "[32, 64, 128]"));
    check(mopt_config_create(data.ctx, "study", settings.out()));
    check(mopt_config_set_json(
        settings, R"({"sampler": "grid", "direction": "maximize"})"));
    check(mopt_study_create(data.ctx, grid, settings, all.out()));
    check(mopt_study_optimize(all, objective, &data, nullptr));

    check(mopt_study_count(all, -1, &count));
    for (int64_t i = 0; i < count; i++) {
        trial done;
        check(mopt_study_trial(all, i, done.out()));
        print(done);
    }
    trial best;
    check(mopt_study_best(all, best.out()));
    std::printf("best ");
    print(best);
}

int main()
{
    try {
        parts data;
        check(mopt_context_create(nullptr, nullptr, data.ctx.out()));
        load(data);
        search(data);
        return 0;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "article: %s\n", error.what());
        return 1;
    }
}
