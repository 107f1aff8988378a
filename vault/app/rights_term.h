/* rights_term.h: when a rights request must be answered, by jurisdiction. Pure. */
#ifndef APP_RIGHTS_TERM_H
#define APP_RIGHTS_TERM_H

#include "vault/app/calendar.h"

/* The end of the last day, in UTC: GDPR 12(3) one month, three where extended; PIPL pipl_days working days (15 by default),
 * twice as many where extended. false: no such jurisdiction. */
bool rights_due(const char *jurisdiction, int64_t received_us, bool extended, const struct calendar *c, int64_t pipl_days, int64_t *due_us);
bool rights_jurisdiction_known(const char *jurisdiction);

#endif
