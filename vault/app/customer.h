/* customer.h: a customer's row, opened; and the making of a new one.
 *
 * fields column: count (2 bytes), then a directory of (number 2, version 4,
 * length 2) a unit, ascending, then the units back to back. Length 0: the unit
 * stands in customer_large. Numbers from EXTERNAL_REF on are external
 * references, one an audience. The header authenticates directory and columns. */
#ifndef APP_CUSTOMER_H
#define APP_CUSTOMER_H

#include "vault/app/batch.h"

#define SREF_LEN 16
#define SOURCE_MAX 64
#define EXTERNAL_REF 0x8000u /* + audience number */
#define CUSTOMER_UNITS_MAX 512
#define LARGE_PLAIN_MIN 1024 /* sealed units longer than this go to customer_large */

struct unit {
	uint16_t number;
	uint32_t version;
	uint16_t len; /* 0: large */
	const uint8_t *sealed;
};

struct customer {
	struct customer_row *row;
	enum err err; /* what opening said */
	uint8_t dek[SEAL_KEY_LEN];
	uint8_t sref[SREF_LEN];
	char source[SOURCE_MAX + 1]; /* where the customer came from, as its creator said; sealed with sref */
	size_t n_units;
	struct unit *units;
};

/* Opens (once a batch) key and header; ERR_SEAL and an alarm where they do not
 * verify. The customer lives in the batch's arena. */
enum err customer_open(struct batch *b, struct customer_row *row, struct customer **out) MUST_CHECK;
/* Counts and logs e as an alarm where it is ERR_SEAL; gives e. */
enum err customer_alarm(enum err e, const char *what) MUST_CHECK;
/* Makes the customer's key the sealer's, unless it is already. */
enum err customer_use(struct batch *b, const struct customer *c) MUST_CHECK;
/* Purpose state bits as they hold at the batch's time. */
unsigned customer_state(const struct batch *b, const struct customer *c, uint16_t purpose_number);
/* NULL: the customer has no such field. */
const struct unit *customer_unit(const struct customer *c, uint16_t number);
/* Appends the stored text of a unit. A large one must have been read (reads_large). */
enum err customer_value(struct batch *b, struct customer *c, const struct unit *u, struct buf *out) MUST_CHECK;
/* Asks for what customer_value will need. */
void customer_want_value(struct batch *b, const struct customer *c, const struct unit *u);

/* A change to one field: text NULL removes it. */
struct change {
	uint16_t number;
	const char *text; /* stored JSON text */
	size_t len;
};

/* Writes a new customer with these fields, indexed; gives the opened customer,
 * without a row, for audit and reply: version 1, generation 1. */
struct written {
	int64_t id;
	uint32_t version, token_generation;
	uint8_t row_sha256[32];
	struct customer_write row; /* the columns as written; bytes in the batch's arena */
	uint8_t wrapped[SEAL_DEK_LEN]; /* customer_create: the new key */
	struct customer customer; /* sref for the audit record */
};
struct consent_event;
struct newcomer {
	const struct change *changes; /* ascending by number */
	size_t n_changes;
	const char *source; /* at most SOURCE_MAX bytes; NULL: none */
	const struct consent_event *consents;
	size_t n_consents;
};
enum err customer_create(struct batch *b, const struct snapshot *s, const struct newcomer *in, struct written *out) MUST_CHECK;
/* What a next version changes beside fields. */
struct customer_state {
	uint32_t token_generation;
	const uint8_t *purposes; /* four bits a purpose number, low half first */
	size_t purposes_len;
	int64_t valid_until_us;
};
/* As it is now. */
struct customer_state customer_state_of(const struct customer *c);
/* Writes the next version of a locked, opened customer. ERR_CONFLICT: no token generation is left. Old values of indexed
 * fields that change must be readable (see customer_want_value). */
enum err customer_update(struct batch *b, const struct snapshot *s, struct customer *c, const struct change *changes, size_t n,
                         const struct customer_state *next, struct written *out) MUST_CHECK;

/* The blind index space of a field or external reference number. */
uint32_t customer_space(uint16_t number);

#endif
