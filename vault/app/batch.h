/* batch.h: one executor's tools and the batch that it has in hand, as the
 * operations see them. All of it belongs to the executor's thread. */
#ifndef APP_BATCH_H
#define APP_BATCH_H

#include "crypto/mac.h"
#include "crypto/seal.h"
#include "crypto/token.h"
#include "store/audit.h"
#include "store/reads.h"
#include "store/writes.h"
#include "vault/app/req_int.h"

struct claim;
struct customer;
struct stranger;

struct batch {
	struct app *app;
	unsigned executor;
	struct snapshot *snapshot;
	struct keyring *keyring; /* taken for one batch, so that a KEK that was destroyed is not kept longer */
	struct db *db; /* solo operations may run statements on it, inside the transaction */
	struct sealer *sealer;
	const struct customer *in_use; /* whose key the sealer holds; NULL: another */
	struct tokens *tokens;
	struct blind *blind;
	struct mac *audit_mac;
	struct mac *tag_mac; /* ETags, Idempotency-Key bodies, budget values */
	struct reads *reads;
	struct writes *writes;
	struct audit_stream stream;
	struct audit_segment segment;
	struct audit_predecessor predecessor;
	struct buf scratch; /* a value on its way into a reply; wiped after each use */
	struct arena arena; /* opened rows; wiped at the end of the batch */
	int64_t now_us;     /* one time for the whole batch */
	struct stranger *strangers; /* tokens that did not open; in the arena */
	/* who writes what in this batch */
	struct claim *claims;
	size_t n_claims, claims_cap;
	const struct req *forger; /* whose forged token was logged last */
	bool change;      /* the acknowledgement must wait for older batches (G2) */
	bool barrier_due; /* committed, but the wait was cut off */
	bool in_doubt;    /* COMMIT has left, its answer did not come */
	bool resolved;    /* the batch in doubt was committed: known until the next batch, over several connections */
};

/* false: another request of this batch has claimed the same thing (a customer
 * to be written, an external reference): answer STEP_AGAIN. */
bool batch_claim(struct batch *b, const struct req *r, uint64_t space, int64_t thing);

/* Opens a token of the caller's audience. The result is ERR_NOT_FOUND alike for
 * a forgery and a token of another audience. */
enum err batch_token(struct batch *b, const struct req *r, const struct token_text *text, struct token_target *out);
/* Counts forgeries and foreign tokens, once the batch knows that its configuration
 * is the one in force: another node may have made an audience meanwhile. */
void batch_count_strangers(struct batch *b);
/* Writes a token of an audience as a JSON string. */
enum err batch_write_token(struct batch *b, const struct audience *a, const struct token_target *target, struct buf *out) MUST_CHECK;
/* A customer's token likewise. */
enum err batch_write_customer_token(struct batch *b, const struct audience *a, int64_t id, uint32_t generation, struct buf *out) MUST_CHECK;
/* The ETag of a version as this audience sees it: quotes included. */
enum err batch_etag(struct batch *b, const struct audience *a, int64_t id, uint32_t version, char out[static 40]) MUST_CHECK;

extern const struct executor_ops batch_ops;

#endif
