/* req.h: one request, from its head to its reply.
 *
 *   HEADERS -> BODY -> PLANNED -> QUEUED -> STORED -> REPLIED
 *   any of these -> FAILED (the reply is a problem document)
 *
 * HEADERS, BODY, PLANNED, REPLIED, FAILED: owned by the I/O thread of its
 * connection. QUEUED, STORED: owned by an executor, until wake(). PLANNED ->
 * FAILED covers what needs no database: bad input, a full queue. */
#ifndef APP_REQ_H
#define APP_REQ_H

#include "base/buf.h"
#include "base/err.h"

struct app;
struct req;

/* As struct http_head; borrowed while req_begin runs. */
struct req_head {
	const char *spiffe_id;
	const uint8_t *certificate_sha256;
	const char *method;
	const char *path;
	void *connection;
	const char *(*header)(void *connection, const char *name);
	void (*query_each)(void *connection, void (*each)(void *ctx, const char *name, const char *value), void *ctx);
};

#define REQ_REPLY_HEADERS_MAX 8
struct req_reply {
	int status;
	const char *content_type;
	struct {
		const char *name;
		const char *value;
	} headers[REQ_REPLY_HEADERS_MAX];
	size_t n_headers;
	const uint8_t *body;
	size_t body_len;
	bool stream; /* body comes from req_stream */
};

/* NULL with *refused: no memory only; every other error becomes the request's reply. */
struct req *req_begin(struct app *app, const struct req_head *head, size_t *body_limit, enum err *refused);
enum err req_body(struct req *r, const void *bytes, size_t len);
/* Parses and plans. true: the reply is there already; false: req_submit is next. */
bool req_ready(struct req *r);
/* The caller has parked its connection; wake(token) comes once, from any thread, also before this returns. */
void req_submit(struct req *r, void (*wake)(void *token), void *token);
const struct req_reply *req_reply(struct req *r);
/* A stream's next bytes: their number, 0: none now, -1: the end. */
int64_t req_stream(struct req *r, uint8_t *out, size_t room);
void req_stream_park(struct req *r, void (*wake)(void *token), void *token);
void req_stream_unpark(struct req *r);
/* Wipes and frees. */
void req_end(struct req *r);

/* An RFC 9457 document. request_id, pointer (JSON pointer or NULL): never a value. */
void problem_write(enum err e, const char *request_id, const char *pointer, struct buf *out);

#endif
