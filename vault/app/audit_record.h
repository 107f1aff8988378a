/* audit_record.h: composes audit records: closed schema, version 1, canonical
 * JSON (RFC 8785). Its bytes are hashed for ever: members may never change
 * meaning. vault/AUDIT.md documents them. No value, no digest of a plaintext. */
#ifndef APP_AUDIT_RECORD_H
#define APP_AUDIT_RECORD_H

#include "vault/app/batch.h"

struct customer;

struct audit_field {
	uint16_t subject; /* index in the snapshot */
	uint8_t form;     /* FORM_* given */
};

struct audit_entry {
	const char *activity; /* vault/AUDIT.md lists them */
	enum err code;        /* ERR_OK: outcome success */
	const struct customer *customer; /* NULL: none, or not to be named */
	const uint8_t *sref;  /* names a customer that is not open here; NULL: as customer says */
	const char *asked;    /* form asked for; NULL: none */
	const struct audit_field *fields;
	size_t n_fields;
	uint16_t kind;        /* number of the record kind; 0: none */
	uint32_t row_version; /* 0: none */
	const uint8_t *row_sha256; /* 32 bytes of the stored ciphertext row, on writes; NULL: none */
	bool row_gone;        /* the customer's row is deleted; the version is the deleted row's */
	uint32_t count;       /* of what the activity counts (results, records, repeats); 0: left out */
	const char *object;   /* what was managed: field, policy, identity ... never a customer's data; NULL: none */
	const uint16_t *rules; /* policy lines that decided */
	size_t n_rules;
	int state;            /* purpose state bits; -1: none */
};

/* Adds one record for the request to the batch's segment. */
enum err audit_add(struct req *r, struct batch *b, const struct audit_entry *entry) MUST_CHECK;
/* One record of the request's failure (r->err). */
void audit_failure(struct req *r, struct batch *b);
/* The first record of a stream: names where the previous one ended. */
void audit_stream_opened(struct batch *b);

struct audit_mark {
	size_t bodies_len, keys_len;
	uint32_t keys_n, count, req_count;
	const struct canary_hit *canaries;
};
void audit_mark(const struct req *r, const struct batch *b, struct audit_mark *m);
void audit_cut(struct req *r, struct batch *b, const struct audit_mark *m);

/* "deny", "token", "masked", "plain" */
const char *form_name(uint8_t form);

#endif
