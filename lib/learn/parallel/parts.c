/* SPDX-License-Identifier: MIT
 * lib/learn/parallel/parts.c: into how many parts a batch is cut. */
#include "learn/parallel/parts.h"

/* Where nobody says how many: few enough that products stay large
 * (bench/ranks.py), and the same for one, two and four ranks. */
#define USUAL 8
#define LEAST 4
#define ROWS 64 /* that a part has then, at least */

int64_t moi_parts_choose(int64_t asked, int64_t rows, int64_t most,
                         int64_t ranks)
{
    int64_t parts = asked > 0 ? asked : rows < USUAL * ROWS ? LEAST : USUAL;

    while (asked == 0 && parts < ranks)
        parts *= 2;
    while (parts < rows && (rows + parts - 1) / parts > most)
        parts *= 2;
    return parts < rows ? parts : rows;
}
