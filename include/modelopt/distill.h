/* SPDX-License-Identifier: MIT
 * modelopt/distill.h: knowledge distillation: what a large model has learnt is
 * poured into a small one.
 *
 * A distiller trains a student to say what its teachers say, by the one
 * training loop, and tells what that was worth: beside the teacher and the
 * student stands the same student trained on labels alone.
 *
 *   mopt_distill_create(ctx, student, train, validation, NULL, NULL, &d);
 *   mopt_distill_add_model(d, teacher, 1);
 *   mopt_distill_fit(d, NULL);
 *   mopt_distill_evaluate(d, test, NULL, buf, sizeof buf, NULL);
 *   mopt_model_save(student, "student.safetensors"); */
#ifndef MODELOPT_DISTILL_H
#define MODELOPT_DISTILL_H

#include "trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mopt_distill mopt_distill;

/** A teacher of the host's.
 *
 *  @param user     as registered.
 *  @param rows     rows that are asked for.
 *  @param features inputs a row.
 *  @param outputs  numbers a row.
 *  @param index    [rows], row numbers in the training data (in the data asked
 *                  about, for mopt_distill_evaluate).
 *  @param x        [rows][features], as the student sees them.
 *  @param out      [rows][outputs], receives finite numbers: logits for
 *                  classes, numbers in the unit that is learnt in.
 *  @return 0, or a value that ends the work with MOPT_ECALLBACK.
 */
typedef int32_t (*mopt_teacher_fn)(void *user, int64_t rows, int64_t features,
                                   int64_t outputs, const int64_t *index,
                                   const float *x, float *out);

/** Create a distiller.
 *
 *  The loss is (1 - weight) times the one on labels plus weight times the
 *  method's ("kd": T^2 KL of softened outputs, Hinton, Vinyals and Dean 2015;
 *  "logits": squared distance, Ba and Caruana 2014; "dkd": Zhao et al. 2022),
 *  each the mean over the rows, plus hint.weight times the squared distance of
 *  hidden layers through a learnt projection (Romero et al. 2015) and the
 *  relational terms (Park et al. 2019; of each chunk the first 128 rows for
 *  distances, the first 32 for angles). Rows without labels are learnt from
 *  the teacher alone.
 *
 *  @param student    kept alive and trained; its weights are set from the
 *                    training's "seed" unless they are set already.
 *  @param train      kept alive. Labels are optional. Raw rows go through the
 *                    student's transform; if it has none, it takes that of the
 *                    first teacher that has one.
 *  @param validation labelled; NULL for none.
 *  @param config     kind "distill"; NULL for the defaults. Read, not kept.
 *  @param training   kind "train"; NULL for the defaults. Read, not kept.
 *  @return MOPT_OK; MOPT_EINVAL (a NULL, a config of another kind; a method
 *          that does not go with student and data; "correct_bias" without
 *          validation rows of classes; "poor_teacher" is "refuse", but without
 *          a baseline, labels or validation rows no teacher can be judged);
 *          MOPT_EKEY; MOPT_ENOMEM; what mopt_transform_apply returns for
 *          raw rows.
 *  Thread: any. Since 0.1.
 */
MOPT_API int32_t mopt_distill_create(mopt_context *ctx, mopt_model *student,
                                     const mopt_dataset *train,
                                     const mopt_dataset *validation,
                                     const mopt_config *config,
                                     const mopt_config *training,
                                     mopt_distill **out);

/** Free a distiller; NULL is fine. Thread: one a handle. Since 0.1. */
MOPT_API void mopt_distill_free(mopt_distill *distill);

/** Add a teacher: several are averaged, their softened probabilities by "kd"
 *  and "dkd", their outputs by "logits". Without any teacher a student teaches
 *  itself: see "generations".
 *
 *  @param teacher kept alive, not changed; takes the inputs that the student
 *                 takes, and gives as many outputs.
 *  @param weight  above 0; weights are divided by their sum.
 *  @return MOPT_OK, MOPT_EINVAL (also: the rows went through another transform
 *          of inputs than the teacher's), MOPT_ESTATE (the teachers are
 *          settled; or the teacher's weights are not set), MOPT_ENOMEM; what
 *          mopt_transform_apply returns for rows that do not fit.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_distill_add_model(mopt_distill *distill,
                                        mopt_model *teacher, double weight);

/** Add a teacher of the host's.
 *
 *  @param destroy called with user when the distiller is freed; may be NULL.
 *                 On an error it is not called.
 *  @param name    stands for the function in the key of a cache: another
 *                 teacher, another name.
 *  @return as mopt_distill_add_model.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_distill_add_callback(mopt_distill *distill,
                                           mopt_teacher_fn fn, void *user,
                                           mopt_destroy_fn destroy,
                                           const char *name, double weight);

/** Add a file of outputs for the training rows, in their order: an NPY array,
 *  or a safetensors file with a tensor "outputs", [rows][outputs] of logits. A
 *  file that a distiller kept as its "cache" is one; its checksum counts.
 *
 *  @return as mopt_distill_add_model; what is wrong with the file is told by
 *          mopt_distill_trainer or _fit, which read it.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_distill_add_file(mopt_distill *distill,
                                       const char *path, double weight);

/** The trainer of the student, for callbacks, history, checkpoints and resume.
 *  Asking for it settles the teachers and computes or reads their outputs:
 *  kept in memory once for all epochs ("outputs": "cached"; from and in the
 *  file "cache" too, that carries a checksum and is used again for the same
 *  teacher, data and augmentation; it is read once, and may change or go
 *  then), or made for each batch ("live", and always with hints and with an
 *  augmentation of endless views).
 *
 *  @param out receives the trainer; it lives as long as the distiller.
 *  @return MOPT_OK, MOPT_EINVAL (teacher, student and data do not fit; a file
 *          of other sizes; "poor_teacher" is "refuse", and a teacher is a file,
 *          that cannot be judged), MOPT_ESTATE (there is no teacher),
 *          MOPT_ENOENT, MOPT_EIO, MOPT_EFORMAT, MOPT_EDIVERGED (a teacher's
 *          output is not finite), MOPT_ECALLBACK, MOPT_EBACKEND, MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_distill_trainer(mopt_distill *distill,
                                      mopt_trainer **out);

/** Distil: train the student, and unless "baseline" is off the same student,
 *  from the same first weights, on labels alone. After a cancelled or stopped
 *  call it goes on where it was, in whichever of the generations that is.
 *
 *  @param cancel may be NULL.
 *  @return as mopt_trainer_fit and mopt_distill_trainer; MOPT_EINVAL also if
 *          "poor_teacher" is "refuse" and the teacher is no better on the
 *          validation data than the student on labels alone.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_distill_fit(mopt_distill *distill, mopt_cancel *cancel);

/** What was lost and won, as JSON: {"teacher", "alone", "student"}, each with
 *  "params", "flops" and, as far as they are known, "accuracy" and "errors"
 *  (rows that are wrong) for classes, "rmse" for numbers, "loss"; "gap": how
 *  far the student is behind the teacher, and "gain": how far before the same
 *  student on labels alone, both in points of 100 for classes, in rmse for
 *  numbers; "ratio": parameters of the teacher for one of the student's;
 *  "rows"; "warnings": a list of texts. What is not known (no baseline; a file
 *  of outputs on other rows) is null.
 *
 *  @param test   labelled rows; NULL for the validation data.
 *  @param cancel may be NULL.
 *  @return MOPT_OK, MOPT_EINVAL (no labelled rows), MOPT_ESTATE (not fitted
 *          yet), MOPT_ECANCELED, MOPT_ECALLBACK, MOPT_EBACKEND, MOPT_ERANGE
 *          (cut), MOPT_ENOMEM.
 *  Thread: one a handle. Since 0.1.
 */
MOPT_API int32_t mopt_distill_evaluate(mopt_distill *distill,
                                       const mopt_dataset *test,
                                       mopt_cancel *cancel, char *buf,
                                       size_t cap, size_t *needed);

#ifdef __cplusplus
}
#endif

#endif
