/* alarm.h: alarms. Each is an audit record of its own (activity alarm, actor vault:NODE), a metric, and a line in
 * the log of the process. */
#ifndef APP_ALARM_H
#define APP_ALARM_H

#include "base/metrics.h"
#include "vault/app/customer.h"

/*    kind                   name               metric */
#define ALARM_LIST(X)                                                                                                  \
	X(ALARM_CANARY,          "canary",          METRIC_ALARM_CANARY)                                               \
	X(ALARM_CUSTOMER_BUDGET, "customer_budget", METRIC_ALARM_CUSTOMER_BUDGET)                                      \
	X(ALARM_TOKEN_FORGERY,   "token_forgery",   METRIC_ALARM_TOKEN_FORGERY)                                        \
	X(ALARM_LOG_GAP,         "log_gap",         METRIC_ALARM_LOG)                                                  \
	X(ALARM_LOG_CHANGED,     "log_changed",     METRIC_ALARM_LOG)                                                  \
	X(ALARM_LOG_STATE,       "log_state",       METRIC_ALARM_LOG)                                                  \
	X(ALARM_SEAL_LAG,        "seal_lag",        METRIC_ALARM_LOG)                                                  \
	X(ALARM_CLOCK,           "clock_back",      METRIC_ALARM_CLOCK)                                                \
	X(ALARM_ROW,             "row",             METRIC_ALARM_ROW)

enum alarm_kind {
#define X(kind, name, metric) kind,
	ALARM_LIST(X)
#undef X
	ALARM_KINDS
};

struct alarm {
	enum alarm_kind kind;
	const char *about;   /* what or who; no personal data */
	const uint8_t *sref; /* the customer; NULL: none */
	uint32_t count;      /* of repeats; 0: left out */
	const struct req *cause; /* whose request id it names; NULL: none */
};
/* Records it in the batch under way, so with what it is about or not at all. Executor. */
enum err alarm_record(struct req *internal, struct batch *b, const struct alarm *a) MUST_CHECK;

/* Notes one from any thread; the node's own thread records it at once, and repeats of the same as one a second.
 * Past 256 different ones that wait they are only counted. */
struct alarms;
enum err alarms_new(struct app *app, struct alarms **out) MUST_CHECK;
void alarm_note(struct alarms *a, enum alarm_kind kind, const char *about);
/* Before the queues close; what could not be recorded is in the log of the process. */
void alarms_stop(struct alarms *a);
void alarms_free(struct alarms *a); /* after the last one who might note */

/* Notes that a caller got, or tried to get, something of this customer, where it is a canary. The alarm stands behind
 * all records of the request, so that these are numbered as they always are. Executor. */
enum err alarm_watch(struct req *r, struct batch *b, const char *activity, const uint8_t sref[static SREF_LEN]) MUST_CHECK;
/* Records the alarms of a request whose decision stands. */
enum err alarm_canaries(const struct req *r, struct batch *b) MUST_CHECK;

#endif
