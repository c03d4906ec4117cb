/* SPDX-License-Identifier: MIT
 * lib/report/compare.c: what distilling or fine-tuning lost and won: models
 * side by side; several runs side by side. */
#include <math.h>
#include <string.h>

#include "report/page.h"

static const json_t *get(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

/* Whole numbers whole, others in 4 digits; a dash when it is not known. */
static void add_figure(moi_page *page, const json_t *value)
{
    double x = json_is_number(value) ? json_number_value(value) : NAN;
    if (fabs(x) >= 1000 && fabs(x) < 1e15)
        moi_html_count(&page->out, (int64_t)llround(x));
    else
        moi_html_number(&page->out, x, 4);
}

/* --- Models side by side ------------------------------------------------ */

/* A row of the table: whose it is, where the report has it. */
typedef struct subject {
    const char *key, *name, *published;
} subject;

static const subject distilled[] = {
    {"teacher", "teacher", "teacher"},
    {"alone", "student on labels alone", "alone"},
    {"student", "distilled student", "student"},
    {NULL, NULL, NULL},
};
static const subject tuned[] = {
    {"untuned", "source as it is", "untuned"},
    {"scratch", "trained from scratch", "scratch"},
    {"target", "tuned", "tuned"},
    {NULL, NULL, NULL},
};
static const subject remembered[] = {
    {"before", "before", ""},
    {"after", "after, with its own head", ""},
    {NULL, NULL, NULL},
};

static int32_t is_classes(const json_t *report, const subject *rows)
{
    int32_t found = 0;
    for (; rows->key != NULL; rows++)
        found = found || get(get(report, rows->key), "accuracy") != NULL;
    return found;
}

/* What a bar shows: less is better. */
static double badness(const json_t *model)
{
    const json_t *accuracy = get(model, "accuracy");
    return json_is_number(accuracy) ? 1 - json_number_value(accuracy)
                                    : json_number_value(get(model, "rmse"));
}

static double worst_of(const json_t *report, const subject *rows)
{
    double worst = 0;
    for (; rows->key != NULL; rows++)
        worst = fmax(worst, badness(get(report, rows->key)));
    return worst;
}

static void head(moi_page *page, const char *name, int32_t is_number)
{
    moi_text_addf(&page->out, "<th%s>%s</th>", is_number ? " class=\"n\"" : "",
                  name);
}

static void heads(moi_page *page, int32_t classes, const json_t *published)
{
    moi_text_add(&page->out, "<thead><tr><th></th>");
    head(page, "weights", 1);
    head(page, classes ? "accuracy" : "rmse", 1);
    if (classes)
        head(page, "errors", 1);
    head(page, "loss", 1);
    if (published != NULL)
        head(page, "published", 1);
    head(page, classes ? "error rate" : "rmse", 0);
    moi_text_add(&page->out, "</tr></thead>\n");
}

static void cell(moi_page *page, const json_t *value)
{
    moi_text_add(&page->out, "<td class=\"n\">");
    if (json_is_string(value))
        moi_html_text(&page->out, json_string_value(value));
    else
        add_figure(page, value);
    moi_text_add(&page->out, "</td>");
}

static void bar(moi_page *page, double part)
{
    moi_text_add(&page->out, "<td class=\"wide\"><i class=\"bar\" style=\""
                             "width:");
    moi_html_place(&page->out, isfinite(part) ? 100 * part : 0);
    moi_text_add(&page->out, "%\"></i></td>");
}

static void row(moi_page *page, const subject *who, const json_t *model,
                int32_t classes, const json_t *published, double worst)
{
    moi_text_addf(&page->out, "<tr%s><td>%s</td>",
                  who[1].key == NULL ? " class=\"best\"" : "", who->name);
    cell(page, get(model, "params"));
    cell(page, get(model, classes ? "accuracy" : "rmse"));
    if (classes)
        cell(page, get(model, "errors"));
    cell(page, get(model, "loss"));
    if (published != NULL)
        cell(page, get(published, who->published));
    bar(page, badness(model) / worst);
    moi_text_add(&page->out, "</tr>\n");
}

/* The models that were measured, the last one is what came out. */
static void models_card(moi_page *page, const char *title,
                        const json_t *report, const subject *rows,
                        const json_t *published)
{
    int32_t classes = is_classes(report, rows);
    double worst = worst_of(report, rows);
    moi_page_open_card(page, title);
    moi_text_add(&page->out, "<table class=\"models\">");
    heads(page, classes, published);
    for (; rows->key != NULL; rows++)
        if (json_is_object(get(report, rows->key)))
            row(page, rows, get(report, rows->key), classes, published,
                worst);
    moi_text_add(&page->out, "</table>\n");
    const json_t *warnings = get(report, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        moi_text_add(&page->out, "<p class=\"bad\">");
        moi_html_text(&page->out,
                      json_string_value(json_array_get(warnings, i)));
        moi_text_add(&page->out, "</p>\n");
    }
    moi_text_add(&page->out, "</div>\n");
}

/* A number, told by what it is above 0 and below. */
static void tile(moi_page *page, const json_t *value, const char *unit,
                 const char *above, const char *below)
{
    double x = json_number_value(value);
    if (!json_is_number(value))
        return;
    moi_text_add(&page->out, "<div class=\"tile\"><b>");
    moi_html_number(&page->out, fabs(x), 3);
    moi_text_addf(&page->out, "%s</b><span>%s</span></div>\n", unit,
                  x < 0 ? below : above);
}

static void distill_section(moi_page *page, const json_t *report)
{
    const char *unit = is_classes(report, distilled) ? " points" : " rmse";
    moi_page_heading(page, "What was lost and won",
                     "The teacher, the same student trained on labels alone, "
                     "and the one that learnt from the teacher.");
    moi_text_add(&page->out, "<div class=\"tiles\">\n");
    tile(page, get(report, "gap"), unit, "behind the teacher",
         "before the teacher");
    tile(page, get(report, "gain"), unit, "before labels alone",
         "behind labels alone");
    tile(page, get(report, "ratio"), "×", "fewer weights than the teacher",
         "");
    moi_text_add(&page->out, "</div>\n");
    models_card(page, "Measured on the same rows", report, distilled,
                moi_page_at(page, "recipe.published"));
}

/* --- What was tuned ----------------------------------------------------- */

static void trained_tile(moi_page *page, const json_t *report)
{
    double all = json_number_value(get(report, "params"));
    double trained = json_number_value(get(report, "trained_params"));
    moi_text_add(&page->out, "<div class=\"tile\"><b>");
    moi_html_count(&page->out, (int64_t)trained);
    moi_text_add(&page->out, "</b><span>numbers trained");
    if (all > 0) {
        moi_text_add(&page->out, ", ");
        moi_html_number(&page->out, 100 * trained / all, 3);
        moi_text_add(&page->out, " % of the model's");
    }
    moi_text_add(&page->out, "</span></div>\n");
}

static void frozen_card(moi_page *page, const json_t *report)
{
    const json_t *frozen = get(report, "frozen");
    moi_page_open_card(page, "How it was tuned");
    moi_text_add(&page->out, "<table>\n");
    moi_page_row(page, "method", get(report, "method"));
    if (get(report, "penalty") != NULL)
        moi_page_row(page, "penalty", get(report, "penalty"));
    moi_text_add(&page->out, "<tr><th>frozen</th><td>");
    for (size_t i = 0; i < json_array_size(frozen); i++) {
        moi_text_add(&page->out, i > 0 ? ", " : "");
        moi_html_path(&page->out,
                      json_string_value(json_array_get(frozen, i)));
    }
    moi_text_add(&page->out, json_array_size(frozen) > 0
                                 ? "</td></tr>\n" : "nothing</td></tr>\n");
    moi_text_add(&page->out, "</table></div>\n");
}

static void finetune_section(moi_page *page, const json_t *report)
{
    const json_t *source = get(report, "source");
    const char *unit = is_classes(report, tuned) ? " points" : " rmse";
    moi_page_heading(page, "What was won and forgotten",
                     "The source before it was tuned, where its outputs fit "
                     "the new task; the same model trained from scratch with "
                     "the same settings; and the tuned one.");
    moi_text_add(&page->out, "<div class=\"tiles\">\n");
    tile(page, get(report, "gain"), unit, "before training from scratch",
         "behind training from scratch");
    tile(page, get(source, "forgotten"),
         is_classes(source, remembered) ? " points" : " rmse",
         "of the source's own task forgotten",
         "of the source's own task won");
    trained_tile(page, report);
    moi_text_add(&page->out, "</div>\n<div class=\"stack\">\n");
    models_card(page, "The new task", report, tuned,
                moi_page_at(page, "recipe.published"));
    if (source != NULL)
        models_card(page, "The source's own task", source, remembered, NULL);
    frozen_card(page, report);
    moi_text_add(&page->out, "</div>\n");
}

void moi_page_compared(moi_page *page)
{
    const json_t *distill = moi_page_at(page, "result.distill");
    const json_t *finetune = moi_page_at(page, "result.finetune");
    if (distill != NULL)
        distill_section(page, distill);
    if (finetune != NULL)
        finetune_section(page, finetune);
}

/* --- Several runs side by side ------------------------------------------ */

static void mean_cell(moi_page *page, const json_t *summary, const char *name)
{
    const json_t *sd = get(get(summary, "sd"), name);
    moi_text_add(&page->out, "<td class=\"n\">");
    add_figure(page, get(get(summary, "mean"), name));
    if (sd != NULL) {
        moi_text_add(&page->out, " <small>± ");
        moi_html_number(&page->out, json_number_value(sd), 2);
        moi_text_add(&page->out, "</small>");
    }
    moi_text_add(&page->out, "</td>");
}

static void case_rows(moi_page *page, const json_t *names, const json_t *one,
                      size_t number)
{
    const json_t *published = get(one, "published");
    const json_t *name = get(one, "name");
    moi_text_add(&page->out, "<tr><td>");
    if (name != NULL)
        moi_html_text(&page->out, json_string_value(name));
    else
        moi_text_addf(&page->out, "case %zu", number + 1);
    moi_text_addf(&page->out, "</td><td class=\"n\">%zu</td>",
                  json_array_size(get(one, "runs")));
    for (size_t i = 0; i < json_array_size(names); i++)
        mean_cell(page, get(one, "summary"),
                  json_string_value(json_array_get(names, i)));
    moi_text_add(&page->out, "</tr>\n");
    if (json_object_size(published) == 0)
        return;
    moi_text_add(&page->out, "<tr class=\"soft\"><td>published</td><td></td>");
    for (size_t i = 0; i < json_array_size(names); i++)
        cell(page, get(published,
                       json_string_value(json_array_get(names, i))));
    moi_text_add(&page->out, "</tr>\n");
}

static const char *about_figures(const json_t *names)
{
    const char *first = json_string_value(json_array_get(names, 0));
    if (first != NULL && strcmp(first, "teacher") == 0)
        return "Mean and standard deviation over the runs of each case. "
               "Teacher, the student on labels alone and the distilled "
               "student: wrong rows, or rmse. Gap: points behind the teacher. "
               "Gain: points before labels alone.";
    if (first != NULL && strcmp(first, "untuned") == 0)
        return "Mean and standard deviation over the runs of each case. "
               "Untuned, from scratch and tuned: accuracy in points, or rmse. "
               "Gain: points before training from scratch. Forgotten: points "
               "of the source's own task. Trained: parameters.";
    return "Mean and standard deviation over the runs of each case.";
}

void moi_page_cases(moi_page *page)
{
    const json_t *names = moi_page_at(page, "result.figures");
    const json_t *cases = moi_page_at(page, "result.cases");
    moi_page_heading(page, "Cases", about_figures(names));
    moi_text_add(&page->out, "<div class=\"card\"><table><thead><tr><th>case"
                             "</th><th class=\"n\">runs</th>");
    for (size_t i = 0; i < json_array_size(names); i++)
        head(page, json_string_value(json_array_get(names, i)), 1);
    moi_text_add(&page->out, "</tr></thead>\n");
    for (size_t i = 0; i < json_array_size(cases); i++)
        case_rows(page, names, json_array_get(cases, i), i);
    moi_text_add(&page->out, "</table></div>\n");
}
