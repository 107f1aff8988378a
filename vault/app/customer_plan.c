/* customer_plan.c: the bodies of POST /v1/customers, :batch and PUT :by-ref into
 * items, and items into the reply. */
#include "vault/app/create_int.h"

#include <string.h>

#define ITEMS_MAX 1000

static const char *const item_keys[] = {"fields", "external_ref", "source", "consents", NULL};

static enum err parse_item(struct req *r, const struct node *n, struct item *it)
{
	const struct node *ref = node_get(n, "external_ref"), *source = node_get(n, "source");
	const char *unknown = node_unknown_key(n, item_keys), *text;
	size_t len = 0;
	enum err e;

	if (node_type(n) != NODE_OBJECT)
		return req_fail(r, ERR_MALFORMED, NULL);
	if (unknown)
		return req_fail(r, ERR_MALFORMED, "/%.40s", unknown);
	e = changes_parse(r, node_get(n, "fields"), false, "/fields", &it->changes);
	if (!e && source) {
		text = node_string(source, &len);
		if (!text || len > SOURCE_MAX)
			return req_fail(r, ERR_INVALID_VALUE, "/source");
		it->source = arena_copy(&r->arena, text, len); /* the document does not outlive the plan */
		if (!it->source)
			return req_fail(r, ERR_MEMORY, NULL);
	}
	if (!e && node_get(n, "consents"))
		e = consents_parse(r, node_get(n, "consents"), "/consents", &it->consents, &it->n_consents);
	if (!e && ref) {
		text = node_string(ref, &len);
		if (!text)
			return req_fail(r, ERR_INVALID_VALUE, "/external_ref");
		e = changes_add_ref(r, &it->changes, text, len);
		it->has_ref = r->audience != NULL;
	}
	return e;
}

static struct create_plan *new_plan(struct req *r, size_t n)
{
	struct create_plan *p = arena_alloc(&r->arena, sizeof *p);

	if (p) {
		p->items = arena_array(&r->arena, n + 1, sizeof *p->items);
		p->n = n;
	}
	r->plan = p;
	return p && p->items ? p : NULL;
}

enum err create_plan(struct req *r)
{
	struct create_plan *p = new_plan(r, 1);

	return p ? parse_item(r, doc_root(r->doc), &p->items[0]) : req_fail(r, ERR_MEMORY, NULL);
}

enum err put_by_ref_plan(struct req *r)
{
	enum err e = create_plan(r);
	struct create_plan *p = r->plan;

	if (e)
		return e;
	p->by_ref = true;
	return p->items[0].has_ref || !r->audience ? ERR_OK : req_fail(r, ERR_INVALID_VALUE, "/external_ref");
}

enum err create_batch_plan(struct req *r)
{
	static const char *const keys[] = {"mode", "items", NULL};
	const struct node *root = NULL, *items;
	struct create_plan *p;
	const char *mode;
	size_t len;
	enum err e = req_object(r, keys, &root);

	if (e)
		return e;
	items = node_get(root, "items");
	mode = node_get(root, "mode") ? node_string(node_get(root, "mode"), &len) : "atomic";
	if (node_type(items) != NODE_ARRAY)
		return req_fail(r, ERR_MALFORMED, "/items");
	if (!mode || (strcmp(mode, "atomic") && strcmp(mode, "partial")))
		return req_fail(r, ERR_MALFORMED, "/mode");
	if (node_count(items) > ITEMS_MAX)
		return req_fail(r, ERR_LIMIT, "/items");
	p = new_plan(r, node_count(items));
	if (!p)
		return req_fail(r, ERR_MEMORY, NULL);
	p->batch = true;
	p->partial = !strcmp(mode, "partial");
	r->job.weight = (uint32_t)p->n + 1;
	for (size_t i = 0; i < p->n; i++) {
		p->items[i].parse_err = parse_item(r, node_at(items, i), &p->items[i]);
		p->items[i].parse_pointer = r->pointer;
		if (p->items[i].parse_err && !p->partial)
			return req_fail(r, r->err, "/items/%zu%s", i, r->pointer ? r->pointer : "");
		r->err = ERR_OK;
		r->pointer = NULL;
	}
	return ERR_OK;
}

/* Tokens of what was written, where policy lets the writer hold them. */
static enum err reply_item(struct req *r, struct batch *b, const struct item *it, struct buf *out)
{
	static const struct asked token = {"token", FORM_TOKEN};
	const struct written *w = &it->written;
	struct token_target t = {.type = TOKEN_FIELD, .customer = (uint64_t)w->id, .generation = (uint16_t)w->token_generation};
	const unsigned state = w->customer.row ? value_state(r, b, &w->customer) : 0; /* a new customer has none */
	bool comma = false;
	enum err e;

	buf_text(out, "\"customer\":");
	e = batch_write_customer_token(b, r->audience, w->id, w->token_generation, out);
	buf_printf(out, ",\"version\":%u,\"fields\":{", w->version);
	for (size_t i = 0; i < it->changes.n && !e; i++) {
		struct policy_verdict v;
		struct given g;

		if (it->changes.list[i].number >= EXTERNAL_REF || !it->changes.list[i].text)
			continue;
		value_decide(r, it->changes.subjects[i], &token, state, &g, &v);
		if (g.form < FORM_TOKEN)
			continue;
		t.subject = it->changes.list[i].number;
		buf_printf(out, "%s\"%s\":{\"token\":", comma ? "," : "", r->snapshot->fields[it->changes.subjects[i]].name);
		comma = true;
		e = batch_write_token(b, r->audience, &t, out);
		buf_byte(out, '}');
	}
	buf_byte(out, '}');
	return e;
}

enum err create_reply(struct req *r, struct batch *b)
{
	const struct create_plan *p = r->plan;
	const struct item *it = &p->items[0];
	enum err e;

	buf_byte(&r->out, '{');
	e = reply_item(r, b, it, &r->out);
	buf_byte(&r->out, '}');
	return e ? e : batch_etag(b, r->audience, it->written.id, it->written.version, r->etag);
}

enum err put_by_ref_reply(struct req *r, struct batch *b)
{
	return create_reply(r, b);
}

enum err create_batch_reply(struct req *r, struct batch *b)
{
	const struct create_plan *p = r->plan;
	struct json j;
	enum err e = ERR_OK;

	buf_text(&r->out, "{\"results\":[");
	for (size_t i = 0; i < p->n && !e; i++) {
		const struct item *it = &p->items[i];

		buf_printf(&r->out, "%s{\"index\":%zu,", i ? "," : "", i);
		json_init(&j, &r->out);
		if (it->err)
			error_member(&j, it->err, it->pointer);
		else
			e = reply_item(r, b, it, &r->out);
		buf_byte(&r->out, '}');
	}
	buf_text(&r->out, "]}");
	return e;
}
