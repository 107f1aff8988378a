/* audit_format.h: audit records as other systems take them, one JSON object a line. Pure. */
#ifndef CTL_AUDIT_FORMAT_H
#define CTL_AUDIT_FORMAT_H

#include "base/buf.h"
#include "codec/doc.h"

/* native: as stored. ocsf: OCSF 1.3, class 6003 (API Activity), the record under unmapped. ecs: Elastic Common Schema
 * 8.11, the record under vault.record. */
enum audit_format { AUDIT_NATIVE, AUDIT_OCSF, AUDIT_ECS };

/* NULL is native. False: no such format. */
bool audit_format_of(const char *name, enum audit_format *out);
/* Appends the record and a newline. Errors are out's sticky one. */
void audit_format_put(enum audit_format format, const struct node *record, struct buf *out);

#endif
