/* audit_record.c: the one place that writes a record's bytes. Members stand in
 * the order of RFC 8785 (sorted by name). */
#include "vault/app/audit_record.h"

#include "base/json.h"
#include "base/log.h"
#include "vault/app/alarm.h"
#include "vault/app/slice.h"

#include <stdio.h>
#include <string.h>

#define RECORD_MAX 65000 /* the length has two bytes */
#define CLASS_API_ACTIVITY 6003 /* OCSF */

const char *form_name(uint8_t form)
{
	switch (form) {
	case FORM_DENY: return "deny";
	case FORM_TOKEN: return "token";
	case FORM_PLAIN: return "plain";
	default: return "masked";
	}
}

void audit_mark(const struct req *r, const struct batch *b, struct audit_mark *m)
{
	*m = (struct audit_mark){.bodies_len = b->segment.bodies.len,
	                         .keys_len = b->segment.keys.bytes.len,
	                         .keys_n = b->segment.keys.n,
	                         .count = b->segment.count,
	                         .req_count = r->audit_count,
	                         .canaries = r->canaries};
}

void audit_cut(struct req *r, struct batch *b, const struct audit_mark *m)
{
	buf_truncate(&b->segment.bodies, m->bodies_len);
	buf_truncate(&b->segment.keys.bytes, m->keys_len);
	b->segment.keys.n = m->keys_n;
	b->segment.count = m->count;
	r->audit_count = m->req_count;
	r->canaries = m->canaries;
}

/* Fields by the form given: {"masked:email":[1],"plain":[3,4]}. Forms are few, so
 * each name is found by a scan: the next larger than the last written. */
static const char *form_key(const struct snapshot *s, const struct audit_field *f, char room[static 64])
{
	if (f->form < FORM_MASK(0) || f->form == FORM_PLAIN)
		return form_name(f->form);
	snprintf(room, 64, "masked:%s", s->fields[f->subject].masks[f->form - FORM_MASK(0)].name);
	return room;
}

static void put_given(struct json *j, const struct snapshot *s, const struct audit_entry *e)
{
	char last[64] = "", room[64], next[64];

	json_key(j, "given");
	json_object(j);
	for (;;) {
		next[0] = 0;
		for (size_t i = 0; i < e->n_fields; i++) {
			const char *key = form_key(s, &e->fields[i], room);

			if (strcmp(key, last) > 0 && (!next[0] || strcmp(key, next) < 0))
				memmove(next, key, strlen(key) + 1);
		}
		if (!next[0])
			break;
		json_key(j, next);
		json_array(j);
		for (size_t i = 0; i < e->n_fields; i++)
			if (!strcmp(form_key(s, &e->fields[i], room), next))
				json_uint(j, s->fields[e->fields[i].subject].number);
		json_array_end(j);
		memcpy(last, next, sizeof last);
	}
	json_object_end(j);
}

static void put_rules(struct json *j, const struct audit_entry *e)
{
	json_key(j, "rules");
	json_array(j);
	for (size_t i = 0; i < e->n_rules; i++)
		json_uint(j, e->rules[i]);
	json_array_end(j);
}

static void put_optional(struct json *j, const char *key, const char *text)
{
	if (text && *text)
		json_key_string(j, key, text);
}

/* activity ... outcome */
static void put_first_half(struct json *j, const struct req *r, const struct batch *b, const struct audit_entry *e)
{
	char id[48];

	json_key_string(j, "activity", e->activity);
	json_key_string(j, "actor", r->identity);
	json_key_string(j, "asked", e->asked ? e->asked : "none");
	json_key(j, "certificate");
	json_hex(j, r->certificate, sizeof r->certificate);
	json_key_int(j, "class_uid", CLASS_API_ACTIVITY);
	json_key_string(j, "code", err_code(e->code));
	if (e->count)
		json_key_int(j, "count", e->count);
	if (e->n_fields)
		put_given(j, r->snapshot, e);
	snprintf(id, sizeof id, "%lld-%lld", (long long)b->stream.stream, (long long)b->stream.next_seq + b->segment.count);
	json_key_string(j, "id", id);
	if (e->kind)
		json_key_int(j, "kind", e->kind);
	if (r->purpose >= 0)
		json_key_string(j, "legal_basis", r->snapshot->purposes[r->purpose].legal_basis);
	json_key_string(j, "node", b->app->node);
	put_optional(j, "object", e->object);
	json_key_string(j, "operation", r->route->operation);
	json_key_string(j, "outcome", e->code ? "failure" : "success");
}

/* What a write replaced, so that each customer's rows are a chain through the log. */
static void put_row(struct json *j, const struct audit_entry *e)
{
	const struct customer_row *before = e->customer && (e->row_sha256 || e->row_gone) ? e->customer->row : NULL;
	uint8_t sha256[32];

	if (before) {
		if (slice_row_sha256(before, sha256))
			j->out->failed = true;
		json_key(j, "row_before_sha256");
		json_hex(j, sha256, sizeof sha256);
	}
	if (e->row_sha256) {
		json_key(j, "row_sha256");
		json_hex(j, e->row_sha256, 32);
	}
	if (e->row_version)
		json_key_int(j, "row_version", e->row_version);
}

static const uint8_t *sref_of(const struct audit_entry *e)
{
	return e->sref || !e->customer ? e->sref : e->customer->sref;
}

static void put_second_half(struct json *j, const struct req *r, const struct batch *b, const struct audit_entry *e)
{
	json_key(j, "policy");
	json_hex(j, r->snapshot->policy_hash, sizeof r->snapshot->policy_hash);
	if (r->purpose >= 0)
		json_key_string(j, "purpose", r->snapshot->purposes[r->purpose].name);
	put_optional(j, "request_id", r->request_id);
	json_key_int(j, "revision", r->snapshot->revision);
	put_row(j, e);
	if (e->n_rules)
		put_rules(j, e);
	if (sref_of(e)) {
		json_key(j, "sref");
		json_hex(j, sref_of(e), SREF_LEN);
	}
	if (e->state >= 0)
		json_key_int(j, "state", e->state);
	put_optional(j, "ticket", r->ticket);
	json_key(j, "time");
	json_time(j, b->now_us);
	put_optional(j, "trace_id", r->trace_id);
	json_key_int(j, "v", 1);
}

static void put_keys(const struct req *r, struct batch *b, const struct audit_entry *e)
{
	const char *outcome = e->code ? "failure" : "success";
	struct audit_segment *g = &b->segment;

	audit_segment_key(g, audit_key('a', r->identity, strlen(r->identity)));
	audit_segment_key(g, audit_key('o', e->activity, strlen(e->activity)));
	audit_segment_key(g, audit_key('u', outcome, strlen(outcome)));
	if (e->code) /* who tried what he may not: segments that hold the caller, and some failure, are many */
		audit_segment_key(g, audit_key('f', r->identity, strlen(r->identity)));
	if (r->purpose >= 0) {
		const char *name = r->snapshot->purposes[r->purpose].name;

		audit_segment_key(g, audit_key('p', name, strlen(name)));
	}
	if (sref_of(e))
		audit_segment_key(g, audit_key('s', sref_of(e), SREF_LEN));
}

/* Closes a record whose length field stands at at. */
static enum err close_record(struct batch *b, size_t at)
{
	struct audit_segment *g = &b->segment;
	size_t len;
	enum err e = buf_err(&g->bodies);

	if (e)
		return e;
	len = g->bodies.len - at - 2;
	if (len > RECORD_MAX)
		return ERR_INTERNAL;
	g->bodies.data[at] = (uint8_t)(len >> 8);
	g->bodies.data[at + 1] = (uint8_t)len;
	if (!g->count++)
		g->first_at_us = b->now_us;
	g->last_at_us = b->now_us;
	return buf_err(&g->keys.bytes);
}

enum err audit_add(struct req *r, struct batch *b, const struct audit_entry *entry)
{
	const size_t at = b->segment.bodies.len;
	struct json j;
	enum err e;

	buf_u16(&b->segment.bodies, 0);
	json_init(&j, &b->segment.bodies);
	json_object(&j);
	put_first_half(&j, r, b, entry);
	put_second_half(&j, r, b, entry);
	json_object_end(&j);
	put_keys(r, b, entry);
	e = close_record(b, at);
	if (e) { /* half a record would spoil those behind it */
		buf_truncate(&b->segment.bodies, at);
		return e;
	}
	if (!r->audit_count++) {
		r->audit_stream = b->stream.stream;
		r->audit_first = b->stream.next_seq + b->segment.count - 1;
	}
	return b->snapshot->n_canaries && sref_of(entry) ? alarm_watch(r, b, entry->activity, sref_of(entry)) : ERR_OK;
}

static const char *activity_of(const struct req *r)
{
	const char *method = r->route->method;

	if (strstr(r->route->operation, "audit") && !strstr(r->route->operation, "new_origin"))
		return "audit_read";
	if (!strncmp(r->route->operation, "consent.", 8) && !strcmp(method, "GET"))
		return "consent_read";
	if (!strncmp(r->route->operation, "consent.", 8) || !strncmp(r->route->operation, "basis.", 6) ||
	    !strncmp(r->route->operation, "objection.", 10) || !strncmp(r->route->operation, "restriction.", 12))
		return "consent";
	if (strstr(r->route->operation, "search"))
		return "search";
	if (!strcmp(r->route->operation, "customer.revoke_tokens"))
		return "revoke";
	if (strstr(r->route->operation, "translate"))
		return "translate";
	if (strstr(r->route->operation, "detokenize") || !strcmp(method, "GET"))
		return "read";
	if (strstr(r->route->operation, "customer") || strstr(r->route->operation, "record"))
		return !strcmp(method, "DELETE") ? "delete" : !strcmp(method, "PATCH") ? "update" : "create";
	return "manage";
}

void audit_failure(struct req *r, struct batch *b)
{
	struct audit_entry entry = {.activity = activity_of(r), .code = r->err, .customer = r->about, .state = -1};

	if (r->about) {
		entry.row_version = r->about->row->version;
		entry.state = r->purpose < 0 ? -1 : (int)customer_state(b, r->about, r->snapshot->purposes[r->purpose].number);
	}

	if (audit_add(r, b, &entry))
		r->err = ERR_AUDIT;
}

void audit_stream_opened(struct batch *b)
{
	const size_t at = b->segment.bodies.len;
	const struct audit_predecessor *p = &b->predecessor;
	char id[48];
	struct json j;

	buf_u16(&b->segment.bodies, 0);
	json_init(&j, &b->segment.bodies);
	json_object(&j);
	json_key_string(&j, "activity", "stream");
	json_key_int(&j, "class_uid", CLASS_API_ACTIVITY);
	json_key_string(&j, "code", "ok");
	json_key_int(&j, "executor", b->executor);
	snprintf(id, sizeof id, "%lld-%lld", (long long)b->stream.stream, (long long)b->stream.next_seq);
	json_key_string(&j, "id", id);
	json_key_string(&j, "node", b->app->node);
	json_key_string(&j, "operation", "stream.open");
	json_key_string(&j, "outcome", "success");
	if (p->stream) {
		json_key(&j, "previous_mac");
		json_hex(&j, p->mac, sizeof p->mac);
		json_key_int(&j, "previous_seq", p->last_seq);
		json_key_int(&j, "previous_stream", p->stream);
	}
	json_key(&j, "time");
	json_time(&j, b->now_us);
	json_key_int(&j, "v", 1);
	json_object_end(&j);
	audit_segment_key(&b->segment, audit_key('o', "stream", 6));
	if (close_record(b, at))
		log_event(LOG_ERROR, "audit_stream", "the first record of stream %lld could not be composed", (long long)b->stream.stream);
}
