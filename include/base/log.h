/* log.h: the operator's log: one line an event, on standard error.
 *
 *   2026-01-31T12:34:56.123456Z warn database_lost reason="..." retry_ms=200
 *
 * An event is a stable word; details are key=value. Never a field's value, a
 * token, a key or an id of a customer. Control characters are replaced. Safe
 * from any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level least);
void log_event(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
