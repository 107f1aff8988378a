/* calendar.h: which days are working days, from the file that VAULT_HOLIDAYS names. */
#ifndef APP_CALENDAR_H
#define APP_CALENDAR_H

#include "base/buf.h"
#include "base/err.h"

#define CALENDAR_MAX 1024

/* Working days are Mondays to Fridays, but for days off, and the weekend days that are worked instead. Days since 1970. */
struct calendar {
	int64_t off[CALENDAR_MAX], worked[CALENDAR_MAX];
	size_t n_off, n_worked;
};

/* A line: "2026-10-01" is a day off, "+2026-10-10" is worked; # begins a comment. false: it is neither, nor empty, or there
 * is no room for it. */
bool calendar_add(struct calendar *c, const char *line, size_t len);
/* path "": none. A line that is no day is passed over, and a term then ends earlier rather than later: ERR_CONFIG, with one
 * line in why, after all others have been read. Also ERR_CONFIG where the file can't be read. */
enum err calendar_read(const char *path, struct calendar *out, struct buf *why) MUST_CHECK;
bool calendar_works(const struct calendar *c, int64_t day);

#endif
