/* record.h: what a verifier reads of an audit record. Pure; takes bytes from
 * anywhere.
 *
 * A record is one object of canonical JSON (RFC 8785) with more of a form than
 * that asks: names are printable ASCII, numbers are integers of at most 53 bits,
 * and nothing is nested deeper than RECORD_DEPTH_MAX. One text for each meaning,
 * so what is hashed is what is read. */
#ifndef CTL_RECORD_H
#define CTL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_MAX 65000 /* bytes */
#define RECORD_DEPTH_MAX 8

enum record_kind {
	RECORD_PLAIN,
	RECORD_OPENING, /* the first of a stream */
	RECORD_BREAK    /* the first of a log that goes on behind a break, alone in its stream */
};

struct record {
	int64_t stream, seq; /* of its id, both from 1 */
	int64_t at_us;
	enum record_kind kind;
	/* Of an opening: */
	const char *node; /* its JSON text, quotes and all; borrowed */
	size_t node_len;
	int64_t executor;
	int64_t previous_stream, previous_seq; /* the stream before it and the last record of that; 0: it names none */
};

/* False: not a record. */
bool record_read(const char *bytes, size_t len, struct record *out);

#endif
