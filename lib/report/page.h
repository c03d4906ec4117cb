/* SPDX-License-Identifier: MIT
 * lib/report/page.h: the parts of a report. Each adds its section, or nothing
 * when there is nothing to tell. */
#ifndef MOI_REPORT_PAGE_H
#define MOI_REPORT_PAGE_H

#include "report/chart.h"

typedef struct moi_page {
    moi_text out;
    const json_t *story; /* see report.h */
    const json_t *trials;
    const json_t *space;  /* documents of the parameters by name */
    const char *metric;   /* the first objective */
    int32_t maximize;
    int64_t best;         /* number of the winner */
    int32_t lineage;      /* trials note what they started from */
} moi_page;

extern const char moi_report_style[];

/* A place in the story: "result.best.params"; NULL if there is none. */
const json_t *moi_page_at(const moi_page *page, const char *path);

/* First objective of a trial that is complete, else NaN. */
double moi_trial_objective(const json_t *trial);

/* "complete", "pruned", "failed", ... */
const char *moi_trial_state_text(const json_t *trial);

/* An axis for the first objective: the bulk of the trials, so that one that
 * went wrong does not squeeze the others into a line. */
moi_axis moi_page_objective(const moi_page *page);

/* A parameter's name as short as it can be told from the others: as many of
 * its last steps as that takes. */
const char *moi_page_short(const moi_page *page, const char *name);

/* Add a path that may be broken between its steps. */
void moi_html_path(moi_text *out, const char *path);

/* A heading; what it says below. */
void moi_page_heading(moi_page *page, const char *title, const char *about);

/* Begin a card, a <div>, with a title. */
void moi_page_open_card(moi_page *page, const char *title);

/* A row of a table: a name and a value that is HTML already. */
void moi_page_row(moi_page *page, const char *name, const json_t *value);

void moi_page_summary(moi_page *page);      /* summary.c */
void moi_page_winner(moi_page *page);
void moi_page_test(moi_page *page);
void moi_page_reproduce(moi_page *page);
void moi_page_compared(moi_page *page);     /* compare.c */
void moi_page_cases(moi_page *page);
void moi_page_progress(moi_page *page);     /* search.c */
void moi_page_curves(moi_page *page);
void moi_page_parameters(moi_page *page);
void moi_page_trials(moi_page *page);

#endif
