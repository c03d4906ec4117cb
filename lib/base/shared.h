/* SPDX-License-Identifier: MIT
 * lib/base/shared.h: memory that several processes of a host see.
 *
 * A segment has a name until whoever made it drops that; the memory stays for
 * those that have it, whoever else ends. It is not the host's allocator's. */
#ifndef MOI_BASE_SHARED_H
#define MOI_BASE_SHARED_H

#include <stdint.h>

#define MOI_SHARED_NAME 48

typedef struct moi_shared {
    char name[MOI_SHARED_NAME]; /* "": it has none, or no more */
    void *data;                 /* NULL: there is none */
    int64_t bytes;
} moi_shared;

/* Make one, zeroed; all of it is there, so that nobody is killed for touching
 * it. Returns 0, or errno. */
int moi_shared_make(int64_t bytes, moi_shared *out);

/* Have one that another process has made; to read it, or to write to it, too.
 * Returns 0, or errno (ESTALE: its size is another). */
int moi_shared_open(const char *name, int64_t bytes, int writes,
                    moi_shared *out);

/* Nobody else may come by the name. */
void moi_shared_forget(moi_shared *s);
void moi_shared_close(moi_shared *s);

/* What processes have in common that may be able to share: the name of the
 * machine, or of the container. 0: it is not known. */
uint64_t moi_shared_host(void);

#endif
