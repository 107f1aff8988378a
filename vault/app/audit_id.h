/* audit_id.h: the id of an audit record as text. */
#ifndef APP_AUDIT_ID_H
#define APP_AUDIT_ID_H

#include <stdbool.h>
#include <stdint.h>

/* "stream-seq", both numbers from 1; false: it is no id. */
bool audit_id_read(const char *text, int64_t *stream, int64_t *seq);

#endif
