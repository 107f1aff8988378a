/* zip.h: writes a ZIP file (APPNOTE 6.3, deflate, UTF-8 names) as a stream: nothing
 * is held but what the compressor holds, whatever the size. The only place that
 * sees libarchive. One thread. */
#ifndef ARCHIVE_ZIP_H
#define ARCHIVE_ZIP_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct zip;

/* sink takes the file's bytes in order; its error ends the archive. ERR_MEMORY, ERR_INTERNAL. */
enum err zip_new(enum err (*sink)(void *ctx, const void *bytes, size_t len), void *ctx, struct zip **out) MUST_CHECK;
/* Begins a file in the archive; ends the one before. */
enum err zip_file(struct zip *z, const char *name, int64_t at_us) MUST_CHECK;
enum err zip_write(struct zip *z, const void *bytes, size_t len) MUST_CHECK;
/* Ends the archive: the last bytes reach the sink. */
enum err zip_end(struct zip *z) MUST_CHECK;
void zip_free(struct zip *z); /* NULL is allowed */

#endif
