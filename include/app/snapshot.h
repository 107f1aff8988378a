/* snapshot.h: one revision of the configuration, immutable and shared: the
 * dictionary, purposes, audiences, the compiled policy, frozen identities.
 *
 * Taken with snapshot_take and given back with snapshot_drop, from any thread.
 * A batch decides under the snapshot whose revision it has read from the
 * database itself. */
#ifndef APP_SNAPSHOT_H
#define APP_SNAPSHOT_H

#include "db/connection.h"
#include "field/field.h"
#include "policy/policy.h"

#include <stdatomic.h>

#define SNAPSHOT_SREF_LEN 16
#define FIELD_NUMBERS 4096 /* numbers of fields and kinds are below */

struct purpose {
	uint16_t number;
	uint32_t version;
	char name[FIELD_NAME_MAX];
	char legal_basis[FIELD_NAME_MAX];
	char notice[FIELD_NAME_MAX]; /* whose text a consent refers to; "": none is needed */
	uint32_t notice_version;     /* newest; 0: none is published */
	uint32_t renewed_version;    /* newest that asks for consent anew; 0: none */
	int64_t renewed_revision;    /* consents recorded before this revision do not count any more */
	bool separate, written;      /* what a consent must be */
	uint32_t retention_days;     /* of what customers decided, after its end; 0: none */
	char *definition;
};

struct audience {
	uint16_t number;
	uint32_t token_epoch;
	char name[FIELD_NAME_MAX];
};

struct snapshot {
	_Atomic int references;
	int64_t revision;
	uint32_t key_epoch; /* active; 0: none was ever recorded */
	uint64_t key_check; /* stands for its KEK */
	struct field *fields; /* fields and record kinds, by number; index = policy subject */
	size_t n_fields;
	struct purpose *purposes; /* index = policy purpose */
	size_t n_purposes;
	struct audience *audiences;
	size_t n_audiences;
	struct policy *policy;
	uint32_t policy_version;
	uint8_t policy_hash[32];
	char *policy_text;
	int64_t policy_activated_at_us;
	char *policy_activated_by;
	char **frozen;
	size_t n_frozen;
	uint8_t (*canaries)[SNAPSHOT_SREF_LEN]; /* customers that nobody has a reason to read; ascending */
	size_t n_canaries;
	size_t *policy_audience; /* policy audience index -> index into audiences */
	uint16_t subject_of_number[FIELD_NUMBERS]; /* field number -> index + 1; 0: none */
	struct policy_world world;
	struct policy_subject *subjects;
	const char **purpose_names;
};

/* Reads all tables and compiles, on an executor's connection, outside a
 * transaction or inside one. why gets a line. */
enum err snapshot_load(struct db *db, struct snapshot **out, struct buf *why) MUST_CHECK;
struct snapshot *snapshot_take(struct snapshot *s);
void snapshot_drop(struct snapshot *s); /* NULL is allowed */

/* Index of a field or kind; -1: none. */
int snapshot_field(const struct snapshot *s, const char *name, size_t len);
/* Index of a field or kind by its number; -1: none, or no field's number at all. */
int snapshot_subject(const struct snapshot *s, unsigned number);
int snapshot_purpose(const struct snapshot *s, const char *name);
int snapshot_audience(const struct snapshot *s, const char *name);
bool snapshot_canary(const struct snapshot *s, const uint8_t sref[static SNAPSHOT_SREF_LEN]);
bool snapshot_frozen(const struct snapshot *s, const char *identity);

#endif
