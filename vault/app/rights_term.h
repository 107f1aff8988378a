/* rights_term.h: when a rights request must be answered, by jurisdiction. Pure, but for calendar_load. */
#ifndef APP_RIGHTS_TERM_H
#define APP_RIGHTS_TERM_H

#include "base/config.h"
#include "base/err.h"

#define CALENDAR_MAX 1024

/* Working days are Mondays to Fridays, but for days off and the weekend days that are worked instead. Days since 1970. */
struct calendar {
	int64_t off[CALENDAR_MAX], worked[CALENDAR_MAX];
	size_t n_off, n_worked;
};

/* A line: "2026-10-01" is a day off, "+2026-10-10" is worked; # begins a comment. false: it is neither, nor empty. */
bool calendar_add(struct calendar *c, const char *line, size_t len);
/* The file of VAULT_HOLIDAYS; "": none. Lines that are no days, or too many, are passed over and told in the log: a term
 * then ends earlier rather than later. */
void calendar_load(const char *path, struct calendar *out);

/* The end of the last day, in UTC: GDPR 12(3) one month, three where extended; PIPL pipl_days working days (15 by default),
 * twice as many where extended. false: no such jurisdiction. */
bool rights_due(const char *jurisdiction, int64_t received_us, bool extended, const struct calendar *c, int64_t pipl_days, int64_t *due_us);
bool rights_jurisdiction_known(const char *jurisdiction);

#endif
