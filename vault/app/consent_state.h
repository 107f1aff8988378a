/* consent_state.h: what customers have decided, and what of it counts now.
 *
 * Events are kept for ever (consent_event). What counts stands in the customer's
 * row as the purpose state: four bits a purpose number, low half first, for all 64
 * numbers, then eight bytes: the configuration's revision under which it was
 * computed. A notice published later that asks for consent anew makes the
 * consents of such a row absent at once, without a write to it. */
#ifndef APP_CONSENT_STATE_H
#define APP_CONSENT_STATE_H

#include "vault/app/customer.h"

enum consent_kind {
	CONSENT_GIVEN = 1, /* numbers are stored: never reused */
	CONSENT_REFUSED,
	CONSENT_WITHDRAWN,
	CONSENT_EXPIRED,
	BASIS_RECORDED,
	BASIS_ENDED,
	OBJECTION_MADE,
	OBJECTION_LIFTED,
	RESTRICTION_SET,
	RESTRICTION_LIFTED,
	CONSENT_KINDS
};
/* "given", "refused", ... ; NULL: no kind. */
const char *consent_kind_name(int kind);

struct consent_event {
	enum consent_kind kind;
	uint16_t purpose; /* number; 0: every purpose (restriction only) */
	int64_t valid_until_us; /* of CONSENT_GIVEN; else INT64_MAX */
	uint32_t notice_version; /* 0: none */
	const char *detail; /* canonical JSON, no personal data */
	const char *personal; /* JSON of evidence and guardian, to be sealed; NULL: none */
	size_t personal_len;
};

#define CONSENT_STATE_LEN (POLICY_PURPOSES_MAX / 2 + 8)

struct consent_state {
	uint8_t bytes[CONSENT_STATE_LEN];
	int64_t valid_until_us;
};

/* A new customer's, before any event. */
void consent_state_init(struct consent_state *s, int64_t revision);
/* What the row says, with the consents that a newer notice has undone taken out. */
void consent_state_of(const struct snapshot *snap, const struct customer_row *row, struct consent_state *out);
/* One event later. Leaves valid_until_us at the earliest expiry of any consent, perhaps of one
 * that does not count any more: the sweep of expiries computes it anew from all events. */
void consent_state_apply(struct consent_state *s, const struct consent_event *e);
unsigned consent_state_bits(const struct consent_state *s, uint16_t purpose);
/* Has a notice been published since the row's state was computed that asks for this purpose's consent anew? */
bool consent_outdated(const struct snapshot *snap, const struct customer_row *row, uint16_t purpose);

/* Seals the personal parts under the key that the sealer holds, and queues the events. */
enum err consent_write_events(struct batch *b, int64_t customer, uint32_t dek_generation, const struct consent_event *events,
                              size_t n) MUST_CHECK;
/* A stored event's personal part: appends it as it was given. The customer's key must be in use. */
enum err consent_open_personal(struct batch *b, int64_t customer, uint32_t dek_generation, const struct consent_event *e,
                               const uint8_t *sealed, size_t len, struct buf *out) MUST_CHECK;

/* Queues the events of a locked, opened customer and gives the state that customer_update shall write. Makes
 * the acknowledgement wait for older batches (G2). */
enum err consent_next_state(struct batch *b, const struct snapshot *s, struct customer *c, const struct consent_event *events,
                            size_t n, struct customer_state *next) MUST_CHECK;
/* Both. The audit record is the caller's. */
enum err consent_record(struct batch *b, const struct snapshot *s, struct customer *c, const struct consent_event *events,
                        size_t n, struct written *out) MUST_CHECK;

#endif
