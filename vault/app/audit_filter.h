/* audit_filter.h: which records of the log a caller asked for. Segments are
 * found by search keys; the filter looks at each record's own bytes.
 *
 * Records are canonical JSON that this vault wrote. A member "name":"value" is
 * looked for as text: inside a string every quote has a backslash before it, so
 * the text of a member stands nowhere but where a member is. */
#ifndef APP_AUDIT_FILTER_H
#define APP_AUDIT_FILTER_H

#include "base/arena.h"
#include "base/clock.h"
#include "db/connection.h"

#include <stdbool.h>

#define FILTER_TERMS 5

struct audit_filter {
	int64_t since_us, until_us; /* [since, until) */
	char since[CLOCK_TEXT_LEN], until[CLOCK_TEXT_LEN]; /* as records have it; "": open */
	struct {
		const char *text; /* "actor":"..." */
		size_t len;
		int64_t key;
	} terms[FILTER_TERMS];
	size_t n;
};

void audit_filter_init(struct audit_filter *f);
void audit_filter_times(struct audit_filter *f, int64_t since_us, int64_t until_us);
/* The member must have this value. kind and of which bytes: as audit_key. */
enum err audit_filter_member(struct audit_filter *f, struct arena *a, const char *member, const char *value, char kind,
                             const void *key_bytes, size_t key_len) MUST_CHECK;
bool audit_filter_matches(const struct audit_filter *f, const char *record, size_t len);
/* The search keys that each segment with a match must hold. */
void audit_filter_keys(const struct audit_filter *f, struct db_array *out);

/* The records of one segment: each is two bytes of length and a body. */
struct audit_walk {
	struct reader in;
	int64_t seq; /* of the record that the next call gives */
};
struct audit_walk audit_walk_of(const struct db_result *rows, size_t row);
/* false: the end (also of bytes that are no such list; the MAC says so elsewhere). */
bool audit_walk_next(struct audit_walk *w, const char **record, size_t *len, int64_t *seq);

#endif
