/* holidays.h: days that are no working days beside Saturdays and Sundays, for terms in working days. */
#ifndef APP_HOLIDAYS_H
#define APP_HOLIDAYS_H

#include "base/buf.h"
#include "base/err.h"

#define HOLIDAYS_MAX 1024

/* Reads YYYY-MM-DD a line; # begins a comment. path "": none. days: since 1970. A line that is none is passed over:
 * ERR_CONFIG, with one line in why, after all others have been read. Also ERR_CONFIG where the file can't be read. */
enum err holidays_read(const char *path, int64_t days[static HOLIDAYS_MAX], size_t *n, struct buf *why) MUST_CHECK;

#endif
