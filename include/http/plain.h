/* plain.h: a small plain HTTP listener on 127.0.0.1, for a program whose only
 * business it is: one thread, which is the caller's. What has to be reached
 * from elsewhere, or kept from others on the machine, goes behind a proxy.
 *
 * A head of at most 4 KiB, a body of at most the given size, 64 connections;
 * a connection is cut that takes longer than PLAIN_DEADLINE_S for a request. */
#ifndef HTTP_PLAIN_H
#define HTTP_PLAIN_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PLAIN_DEADLINE_S 10

struct plain_reply {
	unsigned status;
	const char *type; /* of the body */
	struct buf body;  /* empty at the call; ended by the listener */
};

struct plain;

/* handle gets a whole request. port 0 picks a free one. why gets one line on an error (ERR_IO). */
enum err plain_start(int port, size_t body_max,
                     void (*handle)(void *ctx, const char *method, const char *path, const void *body, size_t len,
                                    struct plain_reply *reply),
                     void *ctx, struct plain **out, struct buf *why) MUST_CHECK;
/* Serves what there is, and waits for at most timeout_ms for it. false: the listener has failed. */
bool plain_run(struct plain *p, int timeout_ms) MUST_CHECK;
void plain_stop(struct plain *p); /* NULL is allowed */
int plain_port(const struct plain *p);

#endif
