/* load.h: the load client's parts: a histogram, a keep-alive connection over
 * mutual TLS 1.3, the works that it asks for, and their customers.
 *
 * A tool for measuring, one thread, loopback only. It is no part of the vault
 * and links none of it, so that it can't flatter it. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow; out of memory ends the program. */
struct text {
	char *data; /* always ends in NUL once something was added */
	size_t len;
	size_t cap;
};
void text_add(struct text *t, const void *bytes, size_t len);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_room(struct text *t, size_t more);
void text_free(struct text *t);

/* Latencies in microseconds, log-linear: 64 buckets an octave, so a reading is
 * at most 1.6% too high. */
#define HIST_SUB 128
#define HIST_OCTAVES 26
struct hist {
	uint64_t count[HIST_SUB * HIST_OCTAVES];
	uint64_t total;
	uint64_t max_us;
};
void hist_add(struct hist *h, uint64_t us);
/* The value that the given share (0..1) of the latencies does not exceed. */
uint64_t hist_share(const struct hist *h, double share);

struct target {
	const char *host; /* numeric IPv4 */
	int port;
	const char *ca, *cert, *key; /* PEM files */
};
SSL_CTX *target_context(const struct target *t);

enum conn_result { CONN_WAIT, CONN_REPLY, CONN_LOST };
struct conn {
	int fd;
	SSL *ssl;
	struct text out; /* the request, and how much of it has left */
	size_t sent;
	struct text in; /* the reply so far */
	size_t head_len; /* 0 until the head is complete */
	size_t body_len;
	int status;
	uint32_t events; /* what epoll watches now */
	uint64_t started_us;
	uint64_t done;         /* replies so far */
	uint64_t done_in_half; /* of those in the second half of the window */
	bool busy;             /* a request is under way */
};
/* Connects and shakes hands (blocking, at most 10 s), then makes the socket
 * non-blocking. False, with a line on stderr, when it can't. */
bool conn_open(struct conn *c, const struct target *t, SSL_CTX *context);
void conn_close(struct conn *c);
/* Sends what is in c->out and reads the reply, as far as both go without
 * blocking. After CONN_REPLY head, body_len and status are set. */
enum conn_result conn_step(struct conn *c);
/* The same, waiting for the end. */
enum conn_result conn_wait(struct conn *c, int timeout_ms);
const char *conn_body(const struct conn *c);

#define BENCH_FIELDS 10
struct customer {
	char *id;
	char *email;
	char *token[BENCH_FIELDS];
};
struct population {
	struct customer *list;
	size_t n;
	char *text; /* the file, which the strings point into */
};
/* Reads a file that seed() wrote. */
bool population_load(struct population *p, const char *file);
void population_free(struct population *p);
/* What a customer looks like where it is not the usual ten fields: n text fields g01, g02, ... of size bytes. */
struct shape {
	unsigned fields; /* 0: the usual ten */
	unsigned size;
};
extern struct shape shape;
/* Creates n customers, up to 500 a batch, and writes a line each to file:
 * customer, e-mail, tokens of the usual ten fields. */
bool seed(const struct target *t, size_t n, const char *file);
/* Appends one new synthetic customer as {"fields":{...}}; email gets its address (64 bytes). */
void customer_make(struct text *out, char email[static 64]);

struct work {
	const char *name;
	int status;           /* of a right reply */
	const char *expect;   /* stands in a right reply's body ... */
	unsigned times;       /* ... this often, at least */
	bool needs_customers;
	void (*make)(struct text *out, const struct population *p);
};
const struct work *work_find(const char *name);
void work_names(struct text *out);
/* Is this reply right? Looks at the body too. */
bool work_reply_right(const struct work *w, int status, const char *body);
/* Puts an HTTP/1.1 head before a body: POST, JSON, the bench's purpose. */
void request_post(struct text *out, const char *path, const struct text *body);

/* Full handshakes, each on a connection of its own that gets one reply, by n processes; prints one line of JSON. */
bool handshakes(const struct target *t, size_t n, double seconds);
/* Opens n connections, has one request answered on each, prints "READY" and keeps them until a line comes on stdin. */
bool idle(const struct target *t, size_t n);

uint64_t now_us(void);
uint64_t random_u64(void);

#endif
