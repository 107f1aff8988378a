/* consent_receipt.c: what a customer may keep of a consent: a receipt in the terms of ISO/IEC TS 27560
 * and W3C DPV, signed. It names the customer by the caller's token only. */
#include "vault/app/consent_read.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"
#include "vault/app/signed.h"

#include "codec/doc.h"
#include "crypto/mac.h"
#include "store/consents.h"

#include <stdio.h>
#include <string.h>

struct facts {
	struct consent_event event;
	int64_t at_us;
	const struct purpose *purpose;
	const char *customer; /* JSON string */
	const char *notice, *notice_sha256;
	uint8_t identifier[16];
};

static void copy_member(struct json *j, const struct node *from, const char *key)
{
	size_t len;
	const char *text = node_string(node_get(from, key), &len);

	if (text)
		json_key_string(j, key, text);
}

/* DPV's words for what was decided. */
static const char *status_of(enum consent_kind kind)
{
	switch (kind) {
	case CONSENT_GIVEN: return "dpv:ConsentGiven";
	case CONSENT_REFUSED: return "dpv:ConsentRefused";
	case CONSENT_WITHDRAWN: return "dpv:ConsentWithdrawn";
	case CONSENT_EXPIRED: return "dpv:ConsentExpired";
	case BASIS_RECORDED:
	case BASIS_ENDED:
	case OBJECTION_MADE:
	case OBJECTION_LIFTED:
	case RESTRICTION_SET:
	case RESTRICTION_LIFTED:
	case CONSENT_KINDS: break;
	}
	return "dpv:ConsentUnknown";
}

static void put_consent(struct json *j, const struct facts *f, const struct node *detail)
{
	json_key(j, "consent");
	json_object(j);
	json_key(j, "at");
	json_time(j, f->at_us);
	copy_member(j, detail, "channel");
	json_key_string(j, "event", consent_kind_name((int)f->event.kind));
	copy_member(j, detail, "given_at");
	copy_member(j, detail, "language");
	copy_member(j, detail, "method");
	if (f->event.notice_version) {
		json_key(j, "notice");
		json_object(j);
		json_key_string(j, "name", f->notice);
		if (f->notice_sha256)
			json_key_string(j, "sha256", f->notice_sha256);
		json_key_int(j, "version", f->event.notice_version);
		json_object_end(j);
	}
	json_key_string(j, "status", status_of(f->event.kind));
	if (f->event.valid_until_us != INT64_MAX) {
		json_key(j, "valid_until");
		json_time(j, f->event.valid_until_us);
	}
	json_object_end(j);
}

/* Gives each member its meaning in DPV and Dublin Core, so that the document is JSON-LD without a network. */
static const char context[] =
    "{\"@vocab\":\"urn:customer-data-vault:receipt:\",\"at\":\"dct:date\",\"consent\":\"dpv:hasConsentStatus\",\"customer\":\"dpv:hasDataSubject\","
    "\"dct\":\"http://purl.org/dc/terms/\",\"dpv\":\"https://w3id.org/dpv#\",\"issued_at\":\"dct:issued\",\"jurisdictions\":\"dpv:hasJurisdiction\","
    "\"legal_basis\":\"dpv:hasLegalBasis\",\"notice\":\"dpv:hasNotice\",\"purpose\":\"dpv:hasPurpose\",\"recipients\":\"dpv:hasRecipient\","
    "\"schema\":\"dct:conformsTo\",\"status\":{\"@id\":\"dct:type\",\"@type\":\"@vocab\"},\"valid_until\":\"dct:valid\"}";

/* A member of the purpose as it is declared. */
static enum err copy_term(struct json *j, const struct node *purpose, const char *key)
{
	const struct node *n = node_get(purpose, key);
	enum err e;

	if (!n)
		return ERR_OK;
	json_key(j, key);
	e = node_print(n, j->out);
	j->comma = true;
	return e;
}

/* Members sorted by name: what is signed is canonical. */
static enum err put_document(struct json *j, const struct facts *f, const struct node *detail, const struct node *purpose, int64_t now_us)
{
	enum err e;

	json_object(j);
	json_key(j, "@context");
	json_raw(j, context, sizeof context - 1);
	json_key_string(j, "@type", "dpv:ConsentRecord");
	put_consent(j, f, detail);
	json_key(j, "customer");
	json_raw(j, f->customer, strlen(f->customer));
	json_key(j, "dct:identifier");
	json_hex(j, f->identifier, sizeof f->identifier);
	json_key(j, "issued_at");
	json_time(j, now_us);
	e = copy_term(j, purpose, "jurisdictions");
	json_key_string(j, "legal_basis", f->purpose->legal_basis);
	json_key(j, "purpose");
	json_object(j);
	copy_member(j, purpose, "dpv");
	json_key_string(j, "name", f->purpose->name);
	copy_member(j, purpose, "title");
	json_object_end(j);
	if (!e)
		e = copy_term(j, purpose, "recipients");
	if (!e)
		e = copy_term(j, purpose, "retention_days");
	json_key_string(j, "schema", "ISO/IEC TS 27560:2023");
	json_object_end(j);
	return e;
}

/* Names the record, and says nothing to who does not hold the customer's row. */
static enum err identify(struct facts *f, const struct customer *c, int64_t item)
{
	char head[64];
	uint8_t hash[32];
	const struct mac_part parts[] = {{head, (size_t)snprintf(head, sizeof head, "vault consent record 1\n%lld\n", (long long)item)}, {c->sref, SREF_LEN}};
	enum err e = sha256_parts(parts, 2, hash);

	memcpy(f->identifier, hash, sizeof f->identifier);
	return e;
}

static enum err notice_hash(struct batch *b, const struct facts *f, char hex[static 65], bool *found)
{
	struct db_result *rows = NULL;
	enum err e = f->event.notice_version ? notice_versions(b->db, f->notice, &rows) : ERR_OK;

	*found = false;
	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		size_t len;
		const uint8_t *hash = db_bytes(rows, i, 3, &len);

		if ((uint32_t)db_int4(rows, i, 0) != f->event.notice_version || len != 32)
			continue;
		for (size_t k = 0; k < 32; k++) {
			hex[2 * k] = "0123456789abcdef"[hash[k] >> 4];
			hex[2 * k + 1] = "0123456789abcdef"[hash[k] & 15];
		}
		hex[64] = 0;
		*found = true;
	}
	db_result_free(rows);
	return e;
}

static enum err write_receipt(struct req *r, struct batch *b, struct facts *f)
{
	struct doc *detail = NULL, *definition = NULL;
	struct buf document;
	char hex[65];
	bool found = false;
	size_t len;
	struct json j;
	enum err e = doc_parse(f->event.detail, strlen(f->event.detail), &detail);

	buf_init(&document, 0);
	if (!e)
		e = doc_parse(f->purpose->definition, strlen(f->purpose->definition), &definition);
	if (!e) {
		f->notice = node_string(node_get(doc_root(detail), "notice"), &len);
		f->notice = f->notice ? f->notice : f->purpose->notice; /* before there was one in the event */
		e = notice_hash(b, f, hex, &found);
		f->notice_sha256 = found ? hex : NULL;
	}
	if (!e) {
		json_init(&j, &document);
		e = put_document(&j, f, doc_root(detail), doc_root(definition), b->now_us);
	}
	if (!e)
		e = buf_err(&document);
	if (!e)
		e = signed_write(r->app, &document, &r->out);
	doc_free(detail);
	doc_free(definition);
	buf_fini(&document);
	return e;
}

static enum err find_and_write(struct req *r, struct batch *b, const struct customer *c, const struct purpose *purpose)
{
	struct facts f = {.purpose = purpose};
	struct db_result *rows = NULL;
	struct buf customer;
	enum err e = consent_last(b->db, c->row->id, purpose->number, &rows);

	buf_init(&customer, 0);
	if (!e && db_rows(rows) == 0)
		e = ERR_NOT_FOUND;
	if (!e)
		e = batch_write_customer_token(b, r->audience, c->row->id, c->row->token_generation, &customer);
	if (!e) {
		e = identify(&f, c, db_int8(rows, 0, CONSENT_ITEM));
	}
	if (!e) {
		consent_event_read(rows, 0, &f.event);
		f.at_us = db_time_us(rows, 0, CONSENT_AT);
		f.customer = buf_string(&customer);
		e = consent_kind_name((int)f.event.kind) ? write_receipt(r, b, &f) : ERR_INTERNAL;
	}
	buf_fini(&customer);
	db_result_free(rows);
	return e;
}

enum step receipt_decide(struct req *r, struct batch *b)
{
	struct audit_entry entry = {.activity = "consent_read", .object = "receipt", .state = -1};
	const struct purpose *purpose;
	struct customer *c;

	buf_reset(&r->out);
	if (manage_right(r, RIGHT_READ_CONSENTS))
		return STEP_FAIL;
	r->err = consent_read_target(r, b, &c, &purpose);
	if (!r->err)
		r->err = find_and_write(r, b, c, purpose);
	entry.customer = c;
	if (!r->err)
		r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}
