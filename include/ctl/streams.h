/* streams.h: what the log's streams have come to, record by record. Pure.
 *
 * Each stream counts from 1 without a gap, and its times never go back. Its
 * first record names where the stream before it, of the same node and executor,
 * ended; the log must hold that one up to there. It may hold more: a commit that
 * was under way when the node died, or a second node that runs under its name.
 *
 * A log that goes on behind a break (a restored database) begins with a record
 * that says so. What came before lies in an older log, so a stream may begin
 * in the middle there, and name one that is not in this log. Memory grows with
 * the number of streams, not of records. */
#ifndef CTL_STREAMS_H
#define CTL_STREAMS_H

#include "base/buf.h"
#include "base/err.h"
#include "ctl/record.h"

struct streams;

/* What can be wrong; in the words of verify.h. */
enum streams_fault {
	STREAMS_GOOD,
	STREAMS_START,       /* a stream begins without an opening, or opens twice */
	STREAMS_SEQUENCE,    /* a gap, or a number that comes again */
	STREAMS_PREDECESSOR, /* the log lacks what an opening says came before it, or the opening does not say */
	STREAMS_TIME,        /* earlier than the record before it */
	STREAMS_LIMIT        /* more streams than the verifier has memory for */
};

enum err streams_new(struct streams **out) MUST_CHECK;
void streams_free(struct streams *s);
/* The next record of the log. On a fault why gets one line, and s is to be used no more. */
enum streams_fault streams_take(struct streams *s, const struct record *r, struct buf *why) MUST_CHECK;
size_t streams_count(const struct streams *s);
/* Does the log begin with a break? */
bool streams_broken(const struct streams *s);

#endif
