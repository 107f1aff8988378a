/* verify.h: proves an audit log whole, or says what is wrong with it first.
 *
 * A log is read in the form of C2SP tlog-tiles, through a callback, front to
 * back, once; memory does not grow with it. Nothing that is read is trusted but
 * what the given keys sign. Pure but for its callbacks; one thread. */
#ifndef CTL_VERIFY_H
#define CTL_VERIFY_H

#include "crypto/tlog.h"

/* Where a log is read from. */
struct log_source {
	/* The whole of "checkpoint" or "tile/..." into an empty out. ERR_NOT_FOUND: it is not there, or is
	 * longer than limit; else why it could not be read, which ends the check without a verdict. */
	enum err (*read)(void *ctx, const char *path, size_t limit, struct buf *out);
	void *ctx;
};

/* What is checked, in this order for each record; names are scripted against.
 *    member        name              what failed */
#define VERIFY_LIST(X)                                                                                                 \
	X(CHECKPOINT,   "checkpoint",      "The checkpoint is missing, or is not of its form.")                         \
	X(ORIGIN,       "origin",          "The checkpoint is of another log than the key.")                            \
	X(SIGNATURE,    "signature",       "The checkpoint is not signed by the log's key.")                            \
	X(COSIGNATURES, "cosignatures",    "Fewer witnesses have cosigned the checkpoint than are asked for.")          \
	X(ROLLBACK,     "rollback",        "The log is shorter than at an earlier checkpoint.")                         \
	X(ENTRIES_MISSING, "entries_missing", "A bundle of records is not there.")                                      \
	X(ENTRIES_FORM, "entries_form",    "A bundle of records is not of its form.")                                   \
	X(TILE_MISSING, "tile_missing",    "A tile of hashes is not there.")                                            \
	X(TILE_HASH,    "tile_hash",       "A tile of hashes is not that of what lies below it.")                       \
	X(LEAF_HASH,    "leaf_hash",       "A record is not the one whose hash the tree holds.")                        \
	X(RECORD_FORM,  "record_form",     "A record is not canonical, or lacks what every record has.")                \
	X(STREAM_START, "stream_start",    "A stream begins without its opening record, or opens twice.")               \
	X(SEQUENCE,     "sequence",        "A record of a stream is missing, or is there twice.")                       \
	X(PREDECESSOR,  "predecessor",     "The log lacks the end of the stream that came before this one.")             \
	X(TIME,         "time",            "A stream goes back in time.")                                               \
	X(LIMIT,        "limit",           "There are more streams than the verifier has room for.")                    \
	X(FORK,         "fork",            "The records of an earlier checkpoint are not those of this log.")           \
	X(ROOT,         "root",            "The tree of all records is not the one that the checkpoint signs.")         \
	X(INCLUSION,    "inclusion",       "The record is not in the tree of the checkpoint.")

enum verify_check {
	VERIFY_GOOD,
#define X(member, name, text) VERIFY_##member,
	VERIFY_LIST(X)
#undef X
	VERIFY_CHECKS
};

struct verify_fault {
	enum verify_check check; /* VERIFY_GOOD: none */
	bool has_index;
	uint64_t index;  /* of the first record concerned, from 0 */
	struct buf what; /* one line that says more; to be cleaned for a terminal */
};
/* "leaf_hash", and its sentence. */
const char *verify_name(enum verify_check c);
const char *verify_text(enum verify_check c);

#define VERIFY_EARLIER_MAX 2
#define VERIFY_WITNESSES_MAX 16

struct verify_keys {
	struct note_key log;
	struct note_key witnesses[VERIFY_WITNESSES_MAX];
	size_t n_witnesses, quorum; /* at least quorum of them must have cosigned */
};

/* Opens a checkpoint's note under the keys. false with *fault. note borrows bytes. */
bool verify_checkpoint(const struct verify_keys *keys, const char *bytes, size_t len, struct note *note, struct checkpoint *out,
                       size_t *cosigned, struct verify_fault *fault);

struct verify_job {
	struct log_source source;
	struct verify_keys keys;
	struct checkpoint earlier[VERIFY_EARLIER_MAX]; /* that the caller has checked */
	size_t n_earlier;
	void (*progress)(void *ctx, uint64_t done, uint64_t all); /* now and then; or NULL */
	void *ctx;
};

struct verify_result {
	struct checkpoint checkpoint;
	struct buf note;  /* the checkpoint's whole note */
	struct buf begin; /* the first record, where the log goes on behind a break and this names it; else empty */
	size_t cosigned, streams;
	int64_t first_us, last_us; /* earliest and latest time of a record; 0: there is none */
	struct verify_fault fault;
};

/* ERR_OK: the verdict is result->fault.check. Else it could not be had. result is the caller's, to be ended with
 * verify_result_fini in any case. */
enum err verify_log(const struct verify_job *job, struct verify_result *result) MUST_CHECK;
void verify_result_fini(struct verify_result *result);

/* That a record is in the tree of a tlog-proof's checkpoint. record NULL: the one whose leaf hash is the proof's extra
 * data, whatever it says. As verify_log. */
enum err verify_record(const struct verify_keys *keys, const char *proof, size_t proof_len, const void *record, size_t record_len,
                       struct verify_result *result) MUST_CHECK;

#endif
