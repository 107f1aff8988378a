/* zip.c: libarchive's ZIP writer behind a sink. */
#include "archive/zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdlib.h>

struct zip {
	struct archive *a;
	struct archive_entry *entry;
	enum err (*sink)(void *ctx, const void *bytes, size_t len);
	void *ctx;
	enum err err; /* of the sink; sticky: no more bytes reach it */
};

/* An error of the sink is not told to libarchive: in its failed state it leaks the compressor of the file under way. */

static la_ssize_t pass_on(struct archive *a, void *client, const void *bytes, size_t len)
{
	struct zip *z = client;

	(void)a;
	if (!z->err)
		z->err = z->sink(z->ctx, bytes, len);
	return (la_ssize_t)len;
}

static enum err outcome(const struct zip *z, bool good)
{
	return z->err ? z->err : good ? ERR_OK : ERR_INTERNAL;
}

enum err zip_new(enum err (*sink)(void *ctx, const void *bytes, size_t len), void *ctx, struct zip **out)
{
	struct zip *z = calloc(1, sizeof *z);

	*out = z;
	if (!z)
		return ERR_MEMORY;
	z->sink = sink;
	z->ctx = ctx;
	z->a = archive_write_new();
	z->entry = archive_entry_new();
	if (!z->a || !z->entry)
		return ERR_MEMORY;
	/* No padding at the end: what is written is the file. */
	return outcome(z, archive_write_set_format_zip(z->a) == ARCHIVE_OK && archive_write_set_options(z->a, "compression=deflate") == ARCHIVE_OK &&
	                      archive_write_set_bytes_in_last_block(z->a, 1) == ARCHIVE_OK &&
	                      archive_write_open(z->a, z, NULL, pass_on, NULL) == ARCHIVE_OK);
}

enum err zip_file(struct zip *z, const char *name, int64_t at_us)
{
	archive_entry_clear(z->entry);
	archive_entry_set_pathname_utf8(z->entry, name);
	archive_entry_set_filetype(z->entry, AE_IFREG);
	archive_entry_set_perm(z->entry, 0600);
	archive_entry_set_mtime(z->entry, at_us / 1000000, 0);
	archive_entry_unset_size(z->entry); /* known only at the end */
	return outcome(z, archive_write_header(z->a, z->entry) == ARCHIVE_OK);
}

enum err zip_write(struct zip *z, const void *bytes, size_t len)
{
	return outcome(z, len == 0 || archive_write_data(z->a, bytes, len) == (la_ssize_t)len);
}

enum err zip_end(struct zip *z)
{
	return outcome(z, archive_write_close(z->a) == ARCHIVE_OK);
}

void zip_free(struct zip *z)
{
	if (!z)
		return;
	if (!z->err)
		z->err = ERR_STOPPING; /* no last bytes to a sink that may be gone */
	if (z->a)
		(void)archive_write_free(z->a);
	archive_entry_free(z->entry);
	free(z);
}
