/* SPDX-License-Identifier: MIT
 * lib/base/shared.c: see shared.h. POSIX shared memory. */
#include "base/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/hash.h"

static int map(int file, int64_t bytes, int access, moi_shared *s)
{
    void *data = mmap(NULL, (size_t)bytes, access, MAP_SHARED, file, 0);

    if (data == MAP_FAILED)
        return errno;
    s->data = data;
    s->bytes = bytes;
    return 0;
}

/* A name that nobody else has: the process, and what it drew. */
static int draw_name(moi_shared *s)
{
    uint64_t drawn;

    if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn)
        return errno;
    snprintf(s->name, sizeof s->name, "/modelopt-%d-%016llx", (int)getpid(),
             (unsigned long long)drawn);
    return 0;
}

int moi_shared_make(int64_t bytes, moi_shared *out)
{
    int file, code;

    memset(out, 0, sizeof *out);
    code = draw_name(out);
    if (code)
        return code;
    file = shm_open(out->name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (file < 0) {
        code = errno;
        out->name[0] = '\0';
        return code;
    }
    code = posix_fallocate(file, 0, bytes);
    if (!code)
        code = map(file, bytes, PROT_READ | PROT_WRITE, out);
    close(file);
    if (code)
        moi_shared_close(out);
    return code;
}

int moi_shared_open(const char *name, int64_t bytes, int writes,
                    moi_shared *out)
{
    struct stat is;
    int file, code = 0;

    memset(out, 0, sizeof *out);
    file = shm_open(name, writes ? O_RDWR : O_RDONLY, 0);
    if (file < 0)
        return errno;
    if (fstat(file, &is))
        code = errno;
    else if (is.st_size != bytes)
        code = ESTALE;
    else
        code = map(file, bytes, writes ? PROT_READ | PROT_WRITE : PROT_READ,
                   out);
    close(file);
    return code;
}

void moi_shared_forget(moi_shared *s)
{
    if (s->name[0])
        shm_unlink(s->name);
    s->name[0] = '\0';
}

void moi_shared_close(moi_shared *s)
{
    moi_shared_forget(s);
    if (s->data)
        munmap(s->data, (size_t)s->bytes);
    s->data = NULL;
}

uint64_t moi_shared_host(void)
{
    struct utsname names;

    return uname(&names) ? 0 : moi_hash_text(MOI_HASH_START, names.nodename);
}
