/* consent_batch.c: POST /v1/consents:batch: decisions of up to a thousand customers, a result an item. */
#include "vault/app/consent_input.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"
#include "vault/app/values.h"

#include <stdio.h>
#include <string.h>

#define CLAIM_CUSTOMER 0xc5000000000000u
#define ITEMS_MAX 1000

struct consent_item {
	struct target target;
	struct consent_input input;
	enum err parse_err, err; /* err begins each run as parse_err */
	const char *parse_pointer, *pointer;
};

struct consent_batch {
	struct consent_item *items;
	size_t n;
	bool partial;
};

/* The members of a consent, beside "customer" and "purpose". */
static enum err parse_item(struct req *r, const struct node *n, struct consent_item *it)
{
	static const char *const keys[] = {"customer", "purpose", "consent", NULL};
	const char *unknown = node_unknown_key(n, keys), *customer, *name;
	size_t len = 0;
	int purpose;

	if (node_type(n) != NODE_OBJECT)
		return req_fail(r, ERR_MALFORMED, NULL);
	if (unknown)
		return req_fail(r, ERR_MALFORMED, "/%.40s", unknown);
	customer = node_string(node_get(n, "customer"), &len);
	if (!customer)
		return req_fail(r, ERR_MALFORMED, "/customer");
	if (target_parse(r, customer, &it->target))
		return req_fail(r, ERR_BAD_TOKEN, "/customer");
	name = node_string(node_get(n, "purpose"), &len);
	purpose = name ? snapshot_purpose(r->snapshot, name) : -1;
	if (purpose < 0)
		return req_fail(r, ERR_UNKNOWN_PURPOSE, "/purpose");
	return consent_parse(r, node_get(n, "consent"), (size_t)purpose, "/consent", &it->input);
}

enum err consent_batch_plan(struct req *r)
{
	static const char *const keys[] = {"mode", "items", NULL};
	struct consent_batch *p = arena_alloc(&r->arena, sizeof *p);
	const struct node *root = NULL, *items;
	const char *mode;
	size_t len;

	r->plan = p;
	if (!p)
		return req_fail(r, ERR_MEMORY, NULL);
	if (req_object(r, keys, &root))
		return r->err;
	items = node_get(root, "items");
	mode = node_get(root, "mode") ? node_string(node_get(root, "mode"), &len) : "atomic";
	if (node_type(items) != NODE_ARRAY)
		return req_fail(r, ERR_MALFORMED, "/items");
	if (!mode || (strcmp(mode, "atomic") && strcmp(mode, "partial")))
		return req_fail(r, ERR_MALFORMED, "/mode");
	if (node_count(items) > ITEMS_MAX)
		return req_fail(r, ERR_LIMIT, "/items");
	p->partial = !strcmp(mode, "partial");
	p->n = node_count(items);
	p->items = arena_array(&r->arena, p->n + 1, sizeof *p->items);
	if (!p->items)
		return req_fail(r, ERR_MEMORY, NULL);
	r->job.weight = (uint32_t)p->n + 1;
	for (size_t i = 0; i < p->n; i++) {
		p->items[i].parse_err = parse_item(r, node_at(items, i), &p->items[i]);
		p->items[i].parse_pointer = r->pointer;
		if (p->items[i].parse_err && !p->partial)
			return req_fail(r, r->err, "/items/%zu%s", i, r->pointer ? r->pointer : "");
	}
	r->err = ERR_OK;
	r->pointer = NULL;
	return ERR_OK;
}

enum step consent_batch_want(struct req *r, struct batch *b)
{
	struct consent_batch *p = r->plan;

	for (size_t i = 0; i < p->n; i++) {
		p->items[i].err = p->items[i].parse_err;
		p->items[i].pointer = p->items[i].parse_pointer;
		if (p->items[i].err)
			continue;
		target_want(r, b, &p->items[i].target, true);
		if (p->items[i].target.id && !batch_claim(b, r, CLAIM_CUSTOMER, p->items[i].target.id))
			return STEP_AGAIN;
	}
	return STEP_MORE;
}

/* Is item i the first of its customer? Then it writes for all of them: a row gets one next version. */
static bool first_of_its_customer(const struct consent_batch *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!p->items[k].err && p->items[k].target.id == p->items[i].target.id)
			return false;
	return true;
}

static enum err check_item(struct req *r, struct batch *b, struct consent_item *it, struct customer **c)
{
	bool minor = false;
	enum err e = target_open(b, &it->target, c);

	if (!e && it->input.event.kind == CONSENT_GIVEN && !it->input.guardian)
		e = consent_customer_minor(b, r->snapshot, *c, &minor);
	if (!e && minor) {
		it->pointer = "/consent/guardian";
		e = ERR_CONSENT;
	}
	return e;
}

static enum err write_customer(struct req *r, struct batch *b, struct consent_batch *p, size_t first, struct customer *c)
{
	struct consent_event *events = arena_array(&b->arena, p->n - first + 1, sizeof *events);
	char object[32];
	struct audit_entry entry = {.activity = "consent", .customer = c, .object = object, .state = -1};
	struct written w;
	size_t n = 0;
	enum err e;

	if (!events)
		return ERR_MEMORY;
	for (size_t i = first; i < p->n; i++)
		if (!p->items[i].err && p->items[i].target.id == p->items[first].target.id)
			events[n++] = p->items[i].input.event;
	e = consent_record(b, r->snapshot, c, events, n, &w);
	snprintf(object, sizeof object, "batch:%zu", n);
	entry.row_version = w.version;
	entry.row_sha256 = w.row_sha256;
	return e ? e : audit_add(r, b, &entry);
}

enum step consent_batch_decide(struct req *r, struct batch *b)
{
	struct consent_batch *p = r->plan;
	struct customer *c;

	for (size_t i = 0; i < p->n; i++)
		if (!p->items[i].err && !target_locked(b, &p->items[i].target))
			return STEP_MORE;
	if (manage_right(r, RIGHT_RECORD_CONSENTS))
		return STEP_FAIL;
	for (size_t i = 0; i < p->n; i++) {
		if (!p->items[i].err)
			p->items[i].err = check_item(r, b, &p->items[i], &c);
		if (p->items[i].err && !p->partial)
			return req_fail(r, p->items[i].err, "/items/%zu%s", i, p->items[i].pointer ? p->items[i].pointer : ""), STEP_FAIL;
	}
	for (size_t i = 0; i < p->n && !r->err; i++)
		if (!p->items[i].err && first_of_its_customer(p, i)) {
			r->err = target_open(b, &p->items[i].target, &c);
			if (!r->err)
				r->err = write_customer(r, b, p, i, c);
		}
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum err consent_batch_reply(struct req *r, struct batch *b)
{
	const struct consent_batch *p = r->plan;
	struct json j;

	(void)b;
	json_init(&j, &r->out);
	json_object(&j);
	json_key(&j, "results");
	json_array(&j);
	for (size_t i = 0; i < p->n; i++) {
		json_object(&j);
		json_key_int(&j, "index", (int64_t)i);
		if (p->items[i].err)
			error_member(&j, p->items[i].err, p->items[i].pointer);
		else
			json_key_string(&j, "decision", consent_kind_name((int)p->items[i].input.event.kind));
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	return ERR_OK;
}
