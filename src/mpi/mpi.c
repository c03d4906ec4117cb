/* SPDX-License-Identifier: MIT
 * src/mpi/mpi.c: groups of MPI ranks.
 *
 * Messages are started and then asked after, so that a rank that never answers
 * is an error after a while, and that only one thread is inside MPI at a time.
 * A rank that gives up tells all others on a tag of its own, which everybody
 * who waits listens to. */
#include "modelopt/mpi.h"

#include <mpi.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GIVE_UP 0           /* the tag of those who give up; channels follow */
#define BLOCK 61440         /* bytes of a message of MPI's: below the 64 KB up
                               to which MPI over TCP does not first ask for
                               leave (Open MPI 4: btl_tcp_eager_limit) */
#define WINDOW 16           /* blocks on their way at a time, each way */
#define MARKS 64            /* sizes of a first block, by how many follow, */
#define MARK 16             /* so many bytes apart */
#define EAGER 1000          /* looks at a request before others may run, */
#define CALM 20             /* of a thread that waits beside the main one */
#define LISTEN 256          /* looks between two for those who give up */
#define PATIENT 0.001       /* seconds of yielding before sleeping */
#define NAP 50000           /* nanoseconds */

/* What ranks tell each other of one that gave up; code 0: nobody did. */
typedef struct notice {
    int32_t rank, code;
} notice;

typedef struct end {
    MPI_Comm comm;
    int32_t rank, size;
    int32_t finalises;  /* it initialised MPI, too */
    int32_t broken;     /* somebody gave up, or MPI failed */
    notice quit;        /* of the first that this rank knows of */
    int32_t told;       /* the others were sent it */
    pthread_t main;     /* the thread that made it */
    pthread_mutex_t gate; /* one thread inside MPI */
} end;

/* ---- calls of MPI, one thread at a time ---- */

static int32_t say(int32_t code, const char *text)
{
    mopt_set_error(code, text);
    return code;
}

static int32_t fail(int code, const char *call)
{
    char said[MPI_MAX_ERROR_STRING + 1] = "", text[MPI_MAX_ERROR_STRING + 64];
    int length = 0;
    MPI_Error_string(code, said, &length);
    snprintf(text, sizeof(text), "%s failed: %s", call, said);
    return say(MOPT_EPEER, text);
}

static int32_t settle(end *e, int code, const char *call)
{
    if (code == MPI_SUCCESS)
        return MOPT_OK;
    e->broken = 1;
    return fail(code, call);
}

static int32_t start_sending(end *e, int32_t to, int32_t channel,
                             const char *data, int64_t bytes,
                             MPI_Request *request)
{
    pthread_mutex_lock(&e->gate);
    int32_t rc = settle(e, MPI_Isend(data, (int)bytes, MPI_BYTE, to,
                                     channel + 1, e->comm, request),
                        "MPI_Isend");
    pthread_mutex_unlock(&e->gate);
    return rc;
}

static int32_t start_receiving(end *e, int32_t from, int32_t channel,
                               char *data, int64_t bytes,
                               MPI_Request *request)
{
    pthread_mutex_lock(&e->gate);
    int32_t rc = settle(e, MPI_Irecv(data, (int)bytes, MPI_BYTE, from,
                                     channel + 1, e->comm, request),
                        "MPI_Irecv");
    pthread_mutex_unlock(&e->gate);
    return rc;
}

static int32_t fail_size(void)
{
    return say(MOPT_EINVAL, "the message has another number of "
                          "bytes than this rank expects");
}

static int32_t fail_quit(const end *e)
{
    char text[96] = "the group was given up";
    if (e->quit.code != 0)
        snprintf(text, sizeof(text), "rank %d gave up with %s",
                 (int)e->quit.rank, mopt_status_name(e->quit.code));
    return say(MOPT_EPEER, text);
}

/* Is it through? count receives the bytes that came. What another thread has
 * given up is not waited for. */
static int32_t look(end *e, MPI_Request *request, int32_t *done, int *count)
{
    MPI_Status status;
    int flag = 0;
    pthread_mutex_lock(&e->gate);
    if (e->broken) {
        int32_t gone = fail_quit(e);
        pthread_mutex_unlock(&e->gate);
        return gone;
    }
    int code = MPI_Test(request, &flag, &status);
    int kind = MPI_SUCCESS;
    if (code != MPI_SUCCESS)
        MPI_Error_class(code, &kind);
    else if (flag)
        code = MPI_Get_count(&status, MPI_BYTE, count);
    int32_t rc = kind == MPI_ERR_TRUNCATE ? fail_size()
                                          : settle(e, code, "MPI_Test");
    pthread_mutex_unlock(&e->gate);
    *done = flag;
    return rc;
}

/* Did somebody give up? What was sent of it is there when it can be seen. */
static int32_t listen(end *e)
{
    MPI_Status status;
    int flag = 0;
    pthread_mutex_lock(&e->gate);
    int32_t rc = settle(e, MPI_Iprobe(MPI_ANY_SOURCE, GIVE_UP, e->comm, &flag,
                                      &status),
                        "MPI_Iprobe");
    if (rc == MOPT_OK && flag) {
        notice heard = {0, 0};
        MPI_Recv(&heard, sizeof(heard), MPI_BYTE, status.MPI_SOURCE, GIVE_UP,
                 e->comm, MPI_STATUS_IGNORE);
        if (e->quit.code == 0)
            e->quit = heard;
        e->broken = 1;
        rc = fail_quit(e);
    }
    pthread_mutex_unlock(&e->gate);
    return rc;
}

/* A request that is waited for no longer. Its buffer is the caller's, so that
 * MPI must let go of it: what cannot be cancelled is let go by never using
 * this communicator again. */
static void drop(end *e, MPI_Request *request)
{
    if (*request == MPI_REQUEST_NULL)
        return;
    pthread_mutex_lock(&e->gate);
    MPI_Cancel(request);
    MPI_Request_free(request);
    e->broken = 1;
    pthread_mutex_unlock(&e->gate);
}

/* ---- waiting ---- */

typedef struct patience {
    double start, until;
    int64_t looks, eager;
    int32_t whom; /* the rank that is waited for */
    const mopt_cancel *cancel;
} patience;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The thread that computes is waited for by all: it looks eagerly. Others are
 * there so that it can go on, and should leave it the core. */
static patience begin(const end *e, double timeout, const mopt_cancel *cancel)
{
    double now = seconds();
    int32_t calm = !pthread_equal(pthread_self(), e->main);
    return (patience){calm ? now - PATIENT : now, now + timeout, 0,
                      calm ? CALM : EAGER, -1, cancel};
}

static int32_t give_up(const patience *p)
{
    char text[96];
    snprintf(text, sizeof(text), "rank %d, or a rank that it waits for, was "
             "silent until the timeout", (int)p->whom);
    return say(MOPT_EPEER, text);
}

/* Between two looks: MPI moves on only while it is asked. */
static int32_t pause_between(end *e, patience *p)
{
    const struct timespec nap = {0, NAP};
    if (++p->looks < p->eager)
        return MOPT_OK;
    double now = seconds();
    if (now > p->until)
        return give_up(p);
    if (mopt_cancel_requested(p->cancel))
        return say(MOPT_ECANCELED, NULL);
    if (now - p->start < PATIENT)
        sched_yield();
    else
        nanosleep(&nap, NULL);
    return p->looks % LISTEN == 0 ? listen(e) : MOPT_OK;
}

static int32_t await(end *e, MPI_Request *request, int64_t bytes, patience *p)
{
    int32_t done = 0, rc = MOPT_OK;
    int count = 0;
    while (rc == MOPT_OK && !done) {
        rc = look(e, request, &done, &count);
        if (rc == MOPT_OK && !done)
            rc = pause_between(e, p);
    }
    if (rc == MOPT_OK && bytes >= 0 && count != bytes)
        rc = fail_size();
    return rc;
}

/* ---- the table ---- */

/* One way of a message, in blocks that are on their way at the same time. */
typedef struct way {
    int32_t peer; /* or -1: there is nobody */
    int32_t sending;
    char *data;
    int64_t bytes;
    int64_t first, next; /* blocks: the first on its way, and behind the last */
    MPI_Request requests[WINDOW];
} way;

/* Where a block begins; past the last, bytes. The first block's size says how
 * many there are, so that another number of bytes is known at once. */
static int64_t cut(const way *w, int64_t block)
{
    int64_t mark = (w->bytes + BLOCK - 1) / BLOCK % MARKS * MARK;
    int64_t at = block == 0 ? 0 : block * BLOCK + mark;
    return at < w->bytes ? at : w->bytes;
}

static int64_t size_of(const way *w, int64_t block)
{
    return cut(w, block + 1) - cut(w, block);
}

/* An empty message is a block, too. */
static int32_t has_more(const way *w)
{
    return w->peer >= 0 && (w->next == 0 || cut(w, w->next) < w->bytes);
}

static int32_t start_blocks(end *e, way *w, int32_t channel)
{
    int32_t rc = MOPT_OK;
    for (; rc == MOPT_OK && has_more(w) && w->next - w->first < WINDOW;
         w->next++) {
        MPI_Request *request = &w->requests[w->next % WINDOW];
        char *data = w->data + cut(w, w->next);
        int64_t bytes = size_of(w, w->next);
        rc = w->sending
                 ? start_sending(e, w->peer, channel, data, bytes, request)
                 : start_receiving(e, w->peer, channel, data, bytes, request);
    }
    return rc;
}

static int32_t is_under_way(const way *w)
{
    return w->first < w->next;
}

static int32_t await_block(end *e, way *w, patience *p)
{
    if (!is_under_way(w))
        return MOPT_OK;
    int64_t bytes = w->sending ? -1 : size_of(w, w->first);
    p->whom = w->peer;
    return await(e, &w->requests[w->first++ % WINDOW], bytes, p);
}

static way make_way(int32_t peer, int32_t sending, char *data, int64_t bytes)
{
    way w = {.peer = peer, .sending = sending, .data = data, .bytes = bytes};
    for (int i = 0; i < WINDOW; i++)
        w.requests[i] = MPI_REQUEST_NULL;
    return w;
}

/* Both ways at once; out or in may be NULL with 0 bytes, and to or from -1. */
static int32_t both(end *e, int32_t to, const char *out, int64_t out_bytes,
                    int32_t from, char *in, int64_t in_bytes, int32_t channel,
                    patience *p)
{
    way there = make_way(to, 1, (char *)(uintptr_t)out, out_bytes);
    way here = make_way(from, 0, in, in_bytes);
    int32_t rc = e->broken ? say(MOPT_EPEER, "an earlier call "
                                            "failed")
                           : MOPT_OK;
    do {
        if (rc == MOPT_OK)
            rc = start_blocks(e, &here, channel);
        if (rc == MOPT_OK)
            rc = start_blocks(e, &there, channel);
        if (rc == MOPT_OK)
            rc = await_block(e, &here, p);
        if (rc == MOPT_OK)
            rc = await_block(e, &there, p);
    } while (rc == MOPT_OK && (is_under_way(&here) || is_under_way(&there) ||
                               has_more(&here) || has_more(&there)));
    for (int i = 0; i < WINDOW; i++) {
        drop(e, &here.requests[i]);
        drop(e, &there.requests[i]);
    }
    return rc;
}

static int32_t mpi_send(void *user, int32_t to, int32_t channel,
                        const void *data, int64_t bytes, double timeout,
                        const mopt_cancel *cancel)
{
    patience p = begin(user, timeout, cancel);
    return both(user, to, data, bytes, -1, NULL, 0, channel, &p);
}

static int32_t mpi_receive(void *user, int32_t from, int32_t channel,
                           void *data, int64_t bytes, double timeout,
                           const mopt_cancel *cancel)
{
    patience p = begin(user, timeout, cancel);
    return both(user, -1, NULL, 0, from, data, bytes, channel, &p);
}

static int32_t mpi_exchange(void *user, int32_t to, const void *out,
                            int64_t out_bytes, int32_t from, void *in,
                            int64_t in_bytes, int32_t channel, double timeout,
                            const mopt_cancel *cancel)
{
    patience p = begin(user, timeout, cancel);
    return both(user, to, out, out_bytes, from, in, in_bytes, channel, &p);
}

/* Small messages leave at once: nobody waits for them to arrive. Who gives up
 * after another tells of that one, so that all hear of the same. */
static void mpi_abort(void *user, int32_t code)
{
    end *e = user;
    pthread_mutex_lock(&e->gate);
    e->broken = 1;
    if (e->quit.code == 0)
        e->quit = (notice){e->rank, code};
    for (int32_t i = 0; i < e->size && !e->told; i++) {
        MPI_Request request;
        if (i != e->rank &&
            MPI_Isend(&e->quit, sizeof(e->quit), MPI_BYTE, i, GIVE_UP, e->comm,
                      &request) == MPI_SUCCESS)
            MPI_Request_free(&request);
    }
    e->told = 1;
    pthread_mutex_unlock(&e->gate);
}

/* ---- life ---- */

static void leave(void *user)
{
    end *e = user;
    if (!e->broken) {
        MPI_Comm_free(&e->comm);
        if (e->finalises)
            MPI_Finalize();
    }
    pthread_mutex_destroy(&e->gate);
    free(e);
}

/* A communicator of our own, which returns its errors. */
static int32_t adopt(end *e, MPI_Comm comm)
{
    int rank = 0, size = 0;
    int32_t rc = settle(e, MPI_Comm_dup(comm, &e->comm), "MPI_Comm_dup");
    if (rc != MOPT_OK)
        return rc;
    rc = settle(e, MPI_Comm_set_errhandler(e->comm, MPI_ERRORS_RETURN),
                "MPI_Comm_set_errhandler");
    if (rc == MOPT_OK)
        rc = settle(e, MPI_Comm_rank(e->comm, &rank), "MPI_Comm_rank");
    if (rc == MOPT_OK)
        rc = settle(e, MPI_Comm_size(e->comm, &size), "MPI_Comm_size");
    e->rank = rank;
    e->size = size;
    return rc;
}

static int32_t make(mopt_context *ctx, MPI_Comm comm, int32_t finalises,
                    double timeout, mopt_group **out)
{
    end *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return say(MOPT_ENOMEM, NULL);
    pthread_mutex_init(&e->gate, NULL);
    e->main = pthread_self();
    e->finalises = finalises;
    int32_t rc = adopt(e, comm);
    mopt_group_table table = {
        .struct_size = sizeof(table),
        .abi_version = MOPT_GROUP_ABI,
        .name = "mpi",
        .user = e,
        .send = mpi_send,
        .receive = mpi_receive,
        .exchange = mpi_exchange,
        .abort = mpi_abort,
    };
    if (rc == MOPT_OK)
        rc = mopt_group_wrap(ctx, &table, e->rank, e->size, timeout, leave,
                             out);
    if (rc != MOPT_OK) {
        e->broken = 1; /* the others may be further: wait for nobody */
        leave(e);
    }
    return rc;
}

/* ---- MPI itself ---- */

/* Is MPI there? *ready and *over receive whether it is, and was. */
static int32_t ask_state(mopt_context *ctx, mopt_group **out, int *ready,
                         int *over)
{
    if (ctx == NULL || out == NULL)
        return say(MOPT_EINVAL, ctx == NULL
                                               ? "'ctx' must not be NULL"
                                               : "'out' must not be NULL");
    int code = MPI_Initialized(ready);
    if (code == MPI_SUCCESS)
        code = MPI_Finalized(over);
    if (code != MPI_SUCCESS)
        return fail(code, "MPI_Initialized");
    return *over ? say(MOPT_ESTATE, "MPI was finalised in this "
                                  "process, and cannot begin again")
                 : MOPT_OK;
}

/* Without an error handler of its own MPI would end the process. */
static int32_t initialise(void)
{
    int level = MPI_THREAD_SINGLE;
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level);
    if (code == MPI_SUCCESS)
        code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    return code == MPI_SUCCESS ? MOPT_OK : fail(code, "MPI_Init_thread");
}

/* Does MPI let several threads call, one at a time? */
static int32_t check_threads(void)
{
    int level = MPI_THREAD_SINGLE;
    int code = MPI_Query_thread(&level);
    if (code != MPI_SUCCESS)
        return fail(code, "MPI_Query_thread");
    if (level >= MPI_THREAD_SERIALIZED)
        return MOPT_OK;
    return say(MOPT_EUNSUPPORTED, "MPI was initialised for calls "
                          "from one thread; MPI_THREAD_SERIALIZED or more is "
                          "needed");
}

int32_t mopt_mpi_group(mopt_context *ctx, double timeout, mopt_group **out)
{
    int ready = 0, over = 0;
    int32_t rc = ask_state(ctx, out, &ready, &over);
    if (rc == MOPT_OK && !ready)
        rc = initialise();
    if (rc == MOPT_OK)
        rc = check_threads();
    return rc == MOPT_OK ? make(ctx, MPI_COMM_WORLD, !ready, timeout, out)
                         : rc;
}

int32_t mopt_mpi_wrap(mopt_context *ctx, int32_t communicator, double timeout,
                      mopt_group **out)
{
    int ready = 0, over = 0;
    int32_t rc = ask_state(ctx, out, &ready, &over);
    if (rc == MOPT_OK && !ready)
        rc = say(MOPT_ESTATE, "MPI is not initialised");
    if (rc == MOPT_OK)
        rc = check_threads();
    return rc == MOPT_OK
               ? make(ctx, MPI_Comm_f2c((MPI_Fint)communicator), 0, timeout,
                      out)
               : rc;
}
