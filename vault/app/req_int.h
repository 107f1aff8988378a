/* req_int.h: the request as handlers see it, and the table of operations. */
#ifndef APP_REQ_INT_H
#define APP_REQ_INT_H

#include "app/req.h"
#include "app/snapshot.h"
#include "base/arena.h"
#include "codec/doc.h"
#include "db/executor.h"
#include "vault/app/app_int.h"

enum req_state { REQ_HEADERS, REQ_BODY, REQ_PLANNED, REQ_QUEUED, REQ_STORED, REQ_REPLIED, REQ_FAILED, REQ_STATES };

struct batch;
struct canary_hit;
struct customer;
struct req;

/* What an operation says after a step. */
enum step {
	STEP_DONE, /* decided; its writes and audit records are in the batch */
	STEP_MORE, /* it has asked for further reads: call again after them */
	STEP_FAIL, /* req->err says why */
	STEP_AGAIN /* another request of this batch is in its way: into the next batch */
};

#define ROUTE_PURPOSE 1u /* needs X-Purpose */
#define ROUTE_BODY 2u    /* takes a JSON body */
#define ROUTE_SOLO 4u    /* a batch of its own; its steps may run statements */
#define ROUTE_BULK 8u    /* goes to the bulk executor */
#define ROUTE_IDEMPOTENT 16u /* a POST that changes something: takes Idempotency-Key */
#define ROUTE_STREAM 32u
#define ROUTE_REST 128u /* the last {name} takes all that is left of the path, slashes too */
#define ROUTE_INTERNAL 64u /* the vault's own: no path, no role */

struct route {
	const char *method;
	const char *pattern; /* {name} takes one path segment or its first part */
	const char *operation; /* stable name, in audit records and metrics */
	unsigned flags;
	size_t body_limit;
	const char *query[10]; /* parameters it takes */
	/* I/O thread: body and head to a plan in the arena. Also called again by an
	 * executor when the configuration has changed. */
	enum err (*plan)(struct req *r);
	/* Executor: asks the batch for what it needs; NULL: nothing. */
	enum step (*want)(struct req *r, struct batch *b);
	/* Executor: decides, writes, audits. */
	enum step (*decide)(struct req *r, struct batch *b);
	/* Executor, while the commit runs: composes r->out. */
	enum err (*reply)(struct req *r, struct batch *b);
};

#define ROUTE_PARAMS_MAX 3
/* NULL: no such path (*allowed stays NULL), or no such method (*allowed lists the others for Allow). */
const struct route *route_find(const char *method, const char *path, struct arena *a, const char *params[ROUTE_PARAMS_MAX],
                               const char **allowed);
extern const struct route routes[];
size_t route_count(void);

#define REQ_QUERY_MAX 10

struct req {
	struct executor_job job; /* first: the executor hands it back */
	struct app *app;
	const struct route *route;
	enum req_state state;
	struct arena arena; /* parsed input, plans */
	struct buf body;    /* as it came */
	size_t body_charged; /* of app->body_memory */
	struct buf out;     /* the reply's body */
	int64_t began_us;   /* monotonic */

	const char *identity; /* SPIFFE ID */
	uint8_t certificate[32];
	char request_id[65], trace_id[65], ticket[65];
	const char *purpose_name, *idempotency_key, *if_match;
	const char *params[ROUTE_PARAMS_MAX];
	struct {
		const char *name, *value;
	} query[REQ_QUERY_MAX];
	size_t n_query;

	struct snapshot *snapshot;
	struct policy_identity who;
	const struct audience *audience; /* NULL: no role */
	int purpose;                     /* index into snapshot; -1: none needed or given */
	bool frozen;
	struct doc *doc;
	void *plan;

	enum err plan_err; /* of a plan made again by an executor */
	enum err err;
	const struct customer *about; /* opened in this batch: a refusal's record names it */
	const char *pointer; /* what the error is about; JSON pointer */
	const char *allow;
	bool decided;
	unsigned rounds;
	const struct canary_hit *canaries; /* that it has met in this batch */
	int64_t audit_stream, audit_first;
	uint32_t audit_count;

	struct req_reply reply;
	int status;
	const char *content_type;
	const char *location;
	const char *cache_control; /* NULL: no-store; of no error's reply */
	char etag[40], audit_record[64];

	void (*wake)(void *token);
	void *token;
	struct follower *stream; /* of ROUTE_STREAM */
};

/* Checks the move against the table of allowed ones; aborts on a forbidden one. */
void req_move(struct req *r, enum req_state to);
/* Sets err and pointer; returns err, for "return req_fail(...)". pointer is formatted into the arena. */
enum err req_fail(struct req *r, enum err e, const char *pointer_format, ...) __attribute__((format(printf, 3, 4)));
const char *req_query(const struct req *r, const char *name);
/* A query parameter as a number in [least, most]; fallback where absent. */
enum err req_query_number(struct req *r, const char *name, int64_t least, int64_t most, int64_t fallback, int64_t *out) MUST_CHECK;
/* The body's root object; ERR_MALFORMED where it is no object or holds a key outside allowed (NULL-ended). */
enum err req_object(struct req *r, const char *const *allowed, const struct node **out) MUST_CHECK;
/* Binds the request to a snapshot: purpose, identity, audience; then route->plan. */
enum err req_plan(struct req *r, struct snapshot *s) MUST_CHECK;
/* What a client is told of e: errors of files, keys and configuration stay in the log. */
enum err req_public(enum err e);
/* Fills reply from status, out, headers; or a problem where err is set. */
void req_compose(struct req *r);

#endif
