/* SPDX-License-Identifier: MIT
 * lib/search/store/worker.c: which process works on a trial, and does it still
 * live?
 *
 * A process id alone says little: ids are used again, other machines and
 * containers have their own. So a process is known by machine, start of the
 * machine, container, id and its own start. Only what is certainly gone is
 * called dead; where /proc is missing, less is certain. */
#include "search/store/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/context.h"
#include "base/file.h"

/* A small file of /proc without its line end; empty if it cannot be read. */
static void read_line(mopt_context *ctx, const char *path, char *buf,
                      size_t size)
{
    const moi_file_ops *files = ctx->files;
    const int fd = files->open(files->user, path, O_RDONLY | O_CLOEXEC, 0);
    const int64_t got =
        fd < 0 ? -1 : files->read(files->user, fd, buf, (int64_t)size - 1);

    buf[got > 0 ? got : 0] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    if (fd >= 0)
        files->close(files->user, fd);
}

/* State and start of a process: the 3rd and 22nd field of its stat, counted
 * from behind the name, which may have blanks and brackets (proc(5)). */
static int32_t read_stat(mopt_context *ctx, int64_t pid, char *state,
                         int64_t *started)
{
    char path[64], line[1024];
    const char *at;
    int32_t field;

    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    read_line(ctx, path, line, sizeof(line));
    at = strrchr(line, ')');
    if (!at || at[1] != ' ')
        return 0;
    at += 2;
    *state = *at;
    for (field = 3; field < 22; field++) {
        at = strchr(at, ' ');
        if (!at)
            return 0;
        at++;
    }
    *started = strtoll(at, NULL, 10);
    return 1;
}

void moi_worker_self(mopt_context *ctx, moi_worker *self)
{
    struct utsname names;
    ssize_t length;
    char state;

    memset(self, 0, sizeof(*self));
    if (uname(&names) == 0)
        snprintf(self->host, sizeof(self->host), "%.*s",
                 (int)sizeof(self->host) - 1, names.nodename);
    read_line(ctx, "/proc/sys/kernel/random/boot_id", self->boot,
              sizeof(self->boot));
    length = readlink("/proc/self/ns/pid", self->room,
                      sizeof(self->room) - 1);
    self->room[length > 0 ? length : 0] = '\0';
    self->pid = getpid();
    read_stat(ctx, self->pid, &state, &self->started);
}

int32_t moi_worker_same(const moi_worker *a, const moi_worker *b)
{
    return a->pid == b->pid && a->started == b->started &&
           strcmp(a->host, b->host) == 0 && strcmp(a->boot, b->boot) == 0 &&
           strcmp(a->room, b->room) == 0;
}

int32_t moi_worker_look(mopt_context *ctx, const moi_worker *self,
                        const moi_worker *other)
{
    int64_t started = 0;
    char state = 'R';

    if (strcmp(self->host, other->host) != 0)
        return MOI_WORKER_UNKNOWN;
    if (strcmp(self->boot, other->boot) != 0)
        return MOI_WORKER_DEAD;
    if (strcmp(self->room, other->room) != 0)
        return MOI_WORKER_UNKNOWN;
    if (self->pid == other->pid && self->started == other->started)
        return MOI_WORKER_SELF;
    if (other->pid <= 0 || other->pid != (pid_t)other->pid ||
        (getpgid((pid_t)other->pid) < 0 && errno == ESRCH))
        return MOI_WORKER_DEAD;
    if (!read_stat(ctx, other->pid, &state, &started))
        return MOI_WORKER_ALIVE;
    /* A dead process that nobody has asked for yet still has an id. */
    if (state == 'Z' || state == 'X' || started != other->started)
        return MOI_WORKER_DEAD;
    return MOI_WORKER_ALIVE;
}
