/* SPDX-License-Identifier: MIT
 * lib/base/file.c: reading in order, plain or gzip, and writing atomically.
 *
 * Everything goes through the context's table of calls. A gzip file is unpacked
 * by zlib's inflate over the same calls. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/context.h"
#include "base/memory.h"
#include "base/text.h"

/* ---- the system's calls ---- */

static int system_open(void *user, const char *path, int flags, int mode)
{
    (void)user;
    int fd = open(path, flags | O_CLOEXEC, mode);
    return fd < 0 ? -errno : fd;
}

static int64_t system_read(void *user, int fd, void *buf, int64_t count)
{
    (void)user;
    ssize_t got;
    do
        got = read(fd, buf, (size_t)count);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int64_t system_write(void *user, int fd, const void *buf, int64_t count)
{
    (void)user;
    ssize_t put;
    do
        put = write(fd, buf, (size_t)count);
    while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

static int64_t system_seek(void *user, int fd, int64_t offset, int whence)
{
    (void)user;
    off_t at = lseek(fd, offset, whence);
    return at < 0 ? -errno : at;
}

static int system_sync(void *user, int fd)
{
    (void)user;
    /* A folder, a pipe: nothing to be synced there is no failure. */
    return fsync(fd) == 0 || errno == EINVAL ? 0 : -errno;
}

static int system_close(void *user, int fd)
{
    (void)user;
    return close(fd) == 0 ? 0 : -errno;
}

static int system_rename(void *user, const char *from, const char *to)
{
    (void)user;
    return rename(from, to) == 0 ? 0 : -errno;
}

static int system_unlink(void *user, const char *path)
{
    (void)user;
    return unlink(path) == 0 ? 0 : -errno;
}

const moi_file_ops moi_file_system = {
    NULL,        system_open,  system_read,   system_write,  system_seek,
    system_sync, system_close, system_rename, system_unlink,
};

static int32_t fail_io(const char *path, const char *doing, int64_t error)
{
    int number = (int)-error;
    int32_t code = number == ENOENT || number == ENOTDIR ? MOPT_ENOENT
                                                         : MOPT_EIO;
    char text[128];
    if (number == EISDIR)
        return moi_fail(MOPT_EINVAL, "%s: this is a folder; name a file",
                        path);
    return moi_fail(code, "%s: %s: %s", path, doing,
                    strerror_r(number, text, sizeof text));
}

/* ---- reading ---- */

#define CHUNK 65536    /* bytes read from the disk at a time, */
#define LARGE 16777216 /* past the reader's own room */

struct moi_reader {
    mopt_context *ctx;
    char *path;
    int fd;
    int32_t packed;
    int32_t ended;    /* the file has no more bytes */
    int32_t finished; /* the gzip stream is complete */
    int64_t disk_size;
    int64_t offset;   /* bytes handed out */
    int64_t at, have; /* of chunk, when plain */
    z_stream stream;  /* when packed; its input is chunk */
    unsigned char chunk[CHUNK];
};

static int32_t fill(moi_reader *reader)
{
    const moi_file_ops *files = reader->ctx->files;
    int64_t got = files->read(files->user, reader->fd, reader->chunk, CHUNK);
    if (got < 0)
        return fail_io(reader->path, "reading", got);
    reader->ended = got == 0;
    reader->at = 0;
    reader->have = got;
    return MOPT_OK;
}

static void *zlib_alloc(void *user, unsigned count, unsigned size)
{
    return moi_alloc(user, count, size);
}

static void zlib_free(void *user, void *block)
{
    moi_free(user, block);
}

/* The first bytes say whether the content is packed. */
static int32_t detect(moi_reader *reader)
{
    int32_t status = fill(reader);
    if (status != MOPT_OK)
        return status;
    if (reader->have < 2 || reader->chunk[0] != 0x1F ||
        reader->chunk[1] != 0x8B)
        return MOPT_OK;
    reader->stream = (z_stream){.zalloc = zlib_alloc,
                                .zfree = zlib_free,
                                .opaque = reader->ctx,
                                .next_in = reader->chunk,
                                .avail_in = (unsigned)reader->have};
    /* 15 bits of window, + 16: a gzip head is expected (zlib.h). */
    if (inflateInit2(&reader->stream, 15 + 16) != Z_OK)
        return moi_fail(MOPT_ENOMEM, "%s: no memory to unpack", reader->path);
    reader->packed = 1;
    return MOPT_OK;
}

static int32_t open_file(moi_reader *reader)
{
    const moi_file_ops *files = reader->ctx->files;
    reader->fd = files->open(files->user, reader->path, O_RDONLY, 0);
    if (reader->fd < 0)
        return fail_io(reader->path, "opening", reader->fd);
    reader->disk_size = files->seek(files->user, reader->fd, 0, SEEK_END);
    if (reader->disk_size >= 0) {
        int64_t start = files->seek(files->user, reader->fd, 0, SEEK_SET);
        if (start < 0)
            return fail_io(reader->path, "seeking", start);
    } else if (reader->disk_size == -ESPIPE) {
        reader->disk_size = INT64_MAX;
    } else {
        return fail_io(reader->path, "seeking", reader->disk_size);
    }
    return detect(reader);
}

int32_t moi_reader_open(mopt_context *ctx, const char *path, moi_reader **out)
{
    moi_reader *reader = moi_alloc(ctx, 1, sizeof *reader);
    if (reader == NULL)
        return MOPT_ENOMEM;
    memset(reader, 0, offsetof(moi_reader, chunk));
    reader->ctx = ctx;
    reader->fd = -1;
    reader->path = moi_strdup(ctx, path);
    int32_t status = reader->path == NULL ? MOPT_ENOMEM : open_file(reader);
    if (status != MOPT_OK) {
        moi_reader_close(reader);
        return status;
    }
    *out = reader;
    return MOPT_OK;
}

void moi_reader_close(moi_reader *reader)
{
    if (reader == NULL)
        return;
    const moi_file_ops *files = reader->ctx->files;
    if (reader->packed)
        inflateEnd(&reader->stream);
    if (reader->fd >= 0)
        files->close(files->user, reader->fd);
    moi_free(reader->ctx, reader->path);
    moi_free(reader->ctx, reader);
}

/* A large piece straight to where it is wanted. */
static int32_t read_past(moi_reader *reader, unsigned char *out, int64_t room,
                         int64_t *got)
{
    const moi_file_ops *files = reader->ctx->files;
    int64_t n = files->read(files->user, reader->fd, out,
                            room < LARGE ? room : LARGE);
    if (n < 0)
        return fail_io(reader->path, "reading", n);
    reader->at = reader->have = 0;
    reader->ended = n == 0;
    *got += n;
    return MOPT_OK;
}

static int32_t read_plain(moi_reader *reader, unsigned char *out,
                          int64_t count, int64_t *got)
{
    while (*got < count && !reader->ended) {
        int64_t piece = reader->have - reader->at;
        if (piece == 0) {
            int64_t room = count - *got;
            int32_t status = room < CHUNK
                                 ? fill(reader)
                                 : read_past(reader, out + *got, room, got);
            if (status != MOPT_OK)
                return status;
            continue;
        }
        if (piece > count - *got)
            piece = count - *got;
        memcpy(out + *got, reader->chunk + reader->at, (size_t)piece);
        reader->at += piece;
        *got += piece;
    }
    return MOPT_OK;
}

/* More packed bytes for the stream; at the end of the file it must be done. */
static int32_t feed(moi_reader *reader)
{
    int32_t status = fill(reader);
    if (status != MOPT_OK)
        return status;
    reader->stream.next_in = reader->chunk;
    reader->stream.avail_in = (unsigned)reader->have;
    if (reader->ended && !reader->finished)
        return moi_fail(MOPT_EFORMAT, "%s: the gzip file is cut off",
                        reader->path);
    return MOPT_OK;
}

/* One call of inflate; gzip files may be several streams in a row. */
static int32_t unpack(moi_reader *reader)
{
    if (reader->finished) {
        inflateReset(&reader->stream);
        reader->finished = 0;
    }
    int result = inflate(&reader->stream, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR)
        return moi_fail(MOPT_ENOMEM, "%s: no memory to unpack", reader->path);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return moi_fail(MOPT_EFORMAT, "%s: the gzip data are damaged (%s)",
                        reader->path,
                        reader->stream.msg ? reader->stream.msg : "no reason");
    reader->finished = result == Z_STREAM_END;
    return MOPT_OK;
}

static int32_t read_packed(moi_reader *reader, unsigned char *out,
                           int64_t count, int64_t *got)
{
    while (*got < count && !reader->ended) {
        int64_t room = count - *got;
        if (room > 1 << 30)
            room = 1 << 30;
        if (reader->stream.avail_in == 0) {
            int32_t status = feed(reader);
            if (status != MOPT_OK || reader->ended)
                return status;
        }
        reader->stream.next_out = out + *got;
        reader->stream.avail_out = (unsigned)room;
        int32_t status = unpack(reader);
        if (status != MOPT_OK)
            return status;
        *got += room - (int64_t)reader->stream.avail_out;
    }
    return MOPT_OK;
}

int32_t moi_reader_read(moi_reader *reader, void *buf, int64_t count,
                        int64_t *got)
{
    *got = 0;
    int32_t status = reader->packed ? read_packed(reader, buf, count, got)
                                    : read_plain(reader, buf, count, got);
    reader->offset += *got;
    return status;
}

int32_t moi_reader_need(moi_reader *reader, void *buf, int64_t count)
{
    int64_t got;
    int32_t status = moi_reader_read(reader, buf, count, &got);
    if (status != MOPT_OK || got == count)
        return status;
    return moi_fail(MOPT_EFORMAT,
                    "%s: the file ends at byte %" PRId64 ", %" PRId64
                    " bytes early",
                    reader->path, reader->offset, count - got);
}

int64_t moi_reader_offset(const moi_reader *reader)
{
    return reader->offset;
}

int64_t moi_reader_disk_size(const moi_reader *reader)
{
    return reader->disk_size;
}

/* What is in the room already need not be read again. */
int32_t moi_reader_seek(moi_reader *reader, int64_t offset)
{
    const moi_file_ops *files = reader->ctx->files;
    int64_t first = reader->offset - reader->at;
    if (reader->packed)
        return moi_fail(MOPT_EFORMAT, "%s: packed by gzip, but is read in "
                        "pieces", reader->path);
    if (offset >= first && offset <= first + reader->have) {
        reader->at = offset - first;
    } else {
        int64_t at = files->seek(files->user, reader->fd, offset, SEEK_SET);
        if (at < 0)
            return fail_io(reader->path, "seeking", at);
        reader->at = reader->have = 0;
        reader->ended = 0;
    }
    reader->offset = offset;
    return MOPT_OK;
}

int32_t moi_reader_packed(const moi_reader *reader)
{
    return reader->packed;
}

/* A plain file says how much room it takes; others grow as they go. */
static int32_t read_all(moi_reader *reader, int64_t limit, char **data,
                        int64_t *size)
{
    mopt_context *ctx = reader->ctx;
    int64_t capacity = 0, length = 0, got = 1, step = CHUNK;
    if (!reader->packed && reader->disk_size <= limit &&
        reader->disk_size < INT64_MAX / 2)
        step += reader->disk_size;
    while (got > 0) {
        if (length > limit)
            return moi_fail(MOPT_ERANGE,
                            "%s: larger than the %" PRId64 " bytes allowed",
                            reader->path, limit);
        int32_t status = moi_grow(ctx, (void **)data, &capacity,
                                  length + step + 1, 1);
        if (status == MOPT_OK)
            status = moi_reader_read(reader, *data + length, step, &got);
        if (status != MOPT_OK)
            return status;
        length += got;
        step = CHUNK;
    }
    (*data)[length] = '\0';
    *size = length;
    return MOPT_OK;
}

int32_t moi_file_read_all(mopt_context *ctx, const char *path, int64_t limit,
                          char **data, int64_t *size)
{
    moi_reader *reader;
    char *content = NULL;
    int32_t status = moi_reader_open(ctx, path, &reader);
    if (status != MOPT_OK)
        return status;
    status = read_all(reader, limit, &content, size);
    moi_reader_close(reader);
    if (status == MOPT_OK)
        *data = content;
    else
        moi_free(ctx, content);
    return status;
}

/* ---- writing ---- */

struct moi_writer {
    mopt_context *ctx;
    char *path;   /* as it will be called */
    char *beside; /* the file being written; NULL: it is another's */
    int fd;
};

int32_t moi_writer_open(mopt_context *ctx, const char *path, moi_writer **out)
{
    const moi_file_ops *files = ctx->files;
    moi_text beside;
    moi_writer *writer = moi_calloc(ctx, 1, sizeof *writer);
    if (writer == NULL)
        return MOPT_ENOMEM;
    writer->ctx = ctx;
    writer->fd = -1;
    moi_text_init(&beside, ctx);
    moi_text_addf(&beside, "%s.%ld.%" PRIxPTR ".part", path, (long)getpid(),
                  (uintptr_t)writer);
    writer->beside = beside.data;
    writer->path = moi_strdup(ctx, path);
    int32_t status = beside.status;
    if (status == MOPT_OK && writer->path == NULL)
        status = MOPT_ENOMEM;
    if (status == MOPT_OK) {
        writer->fd = files->open(files->user, writer->beside,
                                 O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (writer->fd < 0)
            status = fail_io(path, "creating", writer->fd);
    }
    if (status != MOPT_OK) {
        moi_writer_close(writer);
        return status;
    }
    *out = writer;
    return MOPT_OK;
}

int32_t moi_writer_write(moi_writer *writer, const void *data, int64_t count)
{
    const moi_file_ops *files = writer->ctx->files;
    const char *bytes = data;
    while (count > 0) {
        int64_t put = files->write(files->user, writer->fd, bytes, count);
        if (put == 0)
            put = -ENOSPC;
        if (put < 0)
            return fail_io(writer->path, "writing", put);
        bytes += put;
        count -= put;
    }
    return MOPT_OK;
}

/* The rename itself is on the disk only when the folder is. */
static int sync_folder(const moi_file_ops *files, char *path)
{
    char *slash = strrchr(path, '/');
    char kept = slash != NULL ? slash[1] : '\0';
    if (slash != NULL)
        slash[1] = '\0';
    int fd = files->open(files->user, slash != NULL ? path : ".", O_RDONLY, 0);
    if (slash != NULL)
        slash[1] = kept;
    if (fd < 0)
        return fd;
    int result = files->sync(files->user, fd);
    files->close(files->user, fd);
    return result;
}

int32_t moi_writer_commit(moi_writer *writer)
{
    const moi_file_ops *files = writer->ctx->files;
    int32_t status = moi_writer_sync(writer);
    if (status != MOPT_OK)
        return status;
    int result = files->close(files->user, writer->fd);
    writer->fd = -1;
    if (result < 0)
        return fail_io(writer->path, "writing", result);
    result = files->rename(files->user, writer->beside, writer->path);
    if (result < 0)
        return fail_io(writer->path, "renaming", result);
    moi_free(writer->ctx, writer->beside);
    writer->beside = NULL;
    result = sync_folder(files, writer->path);
    return result < 0 ? fail_io(writer->path, "syncing its folder", result)
                      : MOPT_OK;
}

void moi_writer_close(moi_writer *writer)
{
    if (writer == NULL)
        return;
    const moi_file_ops *files = writer->ctx->files;
    if (writer->fd >= 0)
        files->close(files->user, writer->fd);
    if (writer->beside != NULL)
        files->unlink(files->user, writer->beside);
    moi_free(writer->ctx, writer->beside);
    moi_free(writer->ctx, writer->path);
    moi_free(writer->ctx, writer);
}

/* ---- several that write one file ---- */

const char *moi_writer_name(const moi_writer *writer)
{
    return writer->beside;
}

int32_t moi_writer_join(mopt_context *ctx, const char *name, moi_writer **out)
{
    const moi_file_ops *files = ctx->files;
    moi_writer *writer = moi_calloc(ctx, 1, sizeof *writer);
    int32_t status = MOPT_OK;
    if (writer == NULL)
        return MOPT_ENOMEM;
    writer->ctx = ctx;
    writer->fd = -1;
    writer->path = moi_strdup(ctx, name);
    if (writer->path == NULL)
        status = MOPT_ENOMEM;
    if (status == MOPT_OK) {
        writer->fd = files->open(files->user, name, O_WRONLY, 0);
        if (writer->fd < 0)
            status = fail_io(name, "opening", writer->fd);
    }
    if (status == MOPT_OK)
        *out = writer;
    else
        moi_writer_close(writer);
    return status;
}

int32_t moi_writer_seek(moi_writer *writer, int64_t offset)
{
    const moi_file_ops *files = writer->ctx->files;
    int64_t at = files->seek(files->user, writer->fd, offset, SEEK_SET);
    return at < 0 ? fail_io(writer->path, "seeking", at) : MOPT_OK;
}

int32_t moi_writer_sync(moi_writer *writer)
{
    const moi_file_ops *files = writer->ctx->files;
    int result = files->sync(files->user, writer->fd);
    return result < 0 ? fail_io(writer->path, "writing", result) : MOPT_OK;
}

int32_t moi_file_write_all(mopt_context *ctx, const char *path,
                           const void *data, int64_t size)
{
    moi_writer *writer;
    int32_t status = moi_writer_open(ctx, path, &writer);
    if (status != MOPT_OK)
        return status;
    status = moi_writer_write(writer, data, size);
    if (status == MOPT_OK)
        status = moi_writer_commit(writer);
    moi_writer_close(writer);
    return status;
}
