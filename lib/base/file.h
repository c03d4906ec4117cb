/* SPDX-License-Identifier: MIT
 * lib/base/file.h: the one seam for files.
 *
 * All reading and writing goes through the table of the context, so that tests
 * can make every call fail. Calls return 0 or more, or -errno. SQLite has its
 * own seam (its VFS). */
#ifndef MOI_BASE_FILE_H
#define MOI_BASE_FILE_H

#include <modelopt/context.h>

typedef struct moi_file_ops {
    void *user;
    /* flags and mode as open(2); returns a descriptor. */
    int (*open)(void *user, const char *path, int flags, int mode);
    int64_t (*read)(void *user, int fd, void *buf, int64_t count);
    int64_t (*write)(void *user, int fd, const void *buf, int64_t count);
    int64_t (*seek)(void *user, int fd, int64_t offset, int whence);
    int (*sync)(void *user, int fd);
    int (*close)(void *user, int fd);
    int (*rename)(void *user, const char *from, const char *to);
    int (*unlink)(void *user, const char *path);
} moi_file_ops;

extern const moi_file_ops moi_file_system;

/* A file that is read in order. Plain or gzip: told by its first bytes. */
typedef struct moi_reader moi_reader;
int32_t moi_reader_open(mopt_context *ctx, const char *path, moi_reader **out);
void moi_reader_close(moi_reader *reader);

/* Up to count bytes into buf; *got is smaller only at the end of the file. */
int32_t moi_reader_read(moi_reader *reader, void *buf, int64_t count,
                        int64_t *got);

/* Exactly count bytes, else MOPT_EFORMAT ("ends early at byte ..."). */
int32_t moi_reader_need(moi_reader *reader, void *buf, int64_t count);

/* Go on at a byte of a plain file; MOPT_EFORMAT for a packed one. */
int32_t moi_reader_seek(moi_reader *reader, int64_t offset);

/* Bytes handed out so far (of the unpacked content), and the size of the file
 * on disk: a bound on what its content can be worth (INT64_MAX for a pipe). */
int64_t moi_reader_offset(const moi_reader *reader);
int64_t moi_reader_disk_size(const moi_reader *reader);

/* Is the file packed by gzip? At most 1,032 times its size unpacks from it. */
int32_t moi_reader_packed(const moi_reader *reader);

/* A whole file of at most limit bytes, a NUL behind it; the caller frees it. */
int32_t moi_file_read_all(mopt_context *ctx, const char *path, int64_t limit,
                          char **data, int64_t *size);

/* A file written beside path and put in its place by commit: readers see the
 * old content or the new, never a part. close without commit leaves the old. */
typedef struct moi_writer moi_writer;
int32_t moi_writer_open(mopt_context *ctx, const char *path, moi_writer **out);
int32_t moi_writer_write(moi_writer *writer, const void *data, int64_t count);
int32_t moi_writer_commit(moi_writer *writer); /* fsync, rename; then close */
void moi_writer_close(moi_writer *writer);

/* Several may write one file: one opens it, the others join it by the name that
 * it has until then; each goes to where its bytes belong, and syncs; then the
 * one that opened it commits. */
const char *moi_writer_name(const moi_writer *writer);
int32_t moi_writer_join(mopt_context *ctx, const char *name,
                        moi_writer **out);
int32_t moi_writer_seek(moi_writer *writer, int64_t offset);
int32_t moi_writer_sync(moi_writer *writer);

/* Write a whole file so. */
int32_t moi_file_write_all(mopt_context *ctx, const char *path,
                           const void *data, int64_t size);

#endif
