/* webhooks.c: who is told of what: PUT, GET and DELETE of webhooks. A change is a new version, and recorded. */
#include "post/post.h"
#include "store/outbox.h"
#include "vault/app/background.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"

#include <string.h>

#define IDENTITY_MAX 255

static const struct {
	const char *name;
	bool recipient;
} kinds[] = {
#define X(name, recipient) {name, recipient},
    OUTBOX_KINDS(X)
#undef X
};
#define KINDS (sizeof kinds / sizeof *kinds)

/* Each once; *recipient: one of them concerns a recipient. */
static enum err read_kinds(struct req *r, const struct node *list, struct db_array *out, bool *recipient)
{
	bool seen[KINDS] = {false};

	*recipient = false;
	if (node_type(list) != NODE_ARRAY || node_count(list) == 0 || node_count(list) > KINDS)
		return req_fail(r, ERR_MALFORMED, "/kinds");
	for (size_t i = 0; i < node_count(list); i++) {
		size_t len, k = 0;
		const char *name = node_string(node_at(list, i), &len);

		while (k < KINDS && (!name || strcmp(name, kinds[k].name) != 0))
			k++;
		if (k == KINDS || seen[k])
			return req_fail(r, ERR_MALFORMED, "/kinds/%zu", i);
		seen[k] = true;
		*recipient = *recipient || kinds[k].recipient;
		db_array_bytes(out, name, len);
	}
	return ERR_OK;
}

static enum err read_webhook(struct req *r, struct webhook_entry *w)
{
	static const char *const keys[] = {"url", "recipient", "kinds", NULL};
	const struct node *root = NULL, *recipient;
	bool needed;

	if (req_object(r, keys, &root))
		return r->err;
	w->url = manage_text(r, root, "url", POST_URL_MAX);
	if (!w->url)
		return r->err;
	if (!post_url_valid(w->url, r->app->config->webhook_loopback != 0))
		return req_fail(r, ERR_MALFORMED, "/url");
	if (read_kinds(r, node_get(root, "kinds"), w->kinds, &needed))
		return r->err;
	recipient = node_get(root, "recipient");
	w->recipient = recipient ? manage_text(r, root, "recipient", IDENTITY_MAX) : "";
	if (!w->recipient)
		return r->err;
	if (needed != (*w->recipient != 0) || (needed && strncmp(w->recipient, "spiffe://", 9) != 0))
		return req_fail(r, ERR_MALFORMED, "/recipient");
	return ERR_OK;
}

static enum err write_webhook(struct req *r, const struct db_result *rows, size_t i, struct json *j)
{
	json_object(j);
	json_key_string(j, "name", db_text(rows, i, WEBHOOK_NAME));
	json_key_int(j, "version", db_int4(rows, i, WEBHOOK_VERSION));
	json_key_string(j, "url", db_text(rows, i, WEBHOOK_URL));
	json_key(j, "recipient");
	if (*db_text(rows, i, WEBHOOK_RECIPIENT))
		json_string(j, db_text(rows, i, WEBHOOK_RECIPIENT));
	else
		json_null(j);
	json_key(j, "kinds");
	json_raw(j, db_text(rows, i, WEBHOOK_KINDS), strlen(db_text(rows, i, WEBHOOK_KINDS)));
	json_key(j, "changed_at");
	json_time(j, db_time_us(rows, i, WEBHOOK_CHANGED_AT));
	json_key_string(j, "changed_by", db_text(rows, i, WEBHOOK_CHANGED_BY));
	json_key_int(j, "waiting", db_int8(rows, i, WEBHOOK_WAITING));
	json_key_int(j, "dead", db_int8(rows, i, WEBHOOK_DEAD));
	json_object_end(j);
	return buf_err(&r->out);
}

enum step webhooks_list_decide(struct req *r, struct batch *b)
{
	struct db_result *rows = NULL;
	struct json j;

	buf_reset(&r->out);
	if (manage_either(r, RIGHT_MANAGE_CALLERS, RIGHT_READ_AUDIT))
		return STEP_FAIL;
	r->err = webhook_list(b->db, NULL, &rows);
	json_init(&j, &r->out);
	json_object(&j);
	json_key(&j, "webhooks");
	json_array(&j);
	for (size_t i = 0; !r->err && i < db_rows(rows); i++)
		r->err = write_webhook(r, rows, i, &j);
	json_array_end(&j);
	json_object_end(&j);
	db_result_free(rows);
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* Taken by batches one at a time, so that two changes do not claim the same version. */
static enum step change(struct req *r, struct batch *b, struct webhook_entry *w)
{
	const enum step step = manage_claim(r, b);
	int32_t version = 0;

	if (step != STEP_DONE)
		return step;
	w->name = r->params[0];
	w->at_us = b->now_us;
	w->by = r->identity;
	r->err = webhook_add(b->db, w, &version);
	r->status = version == 1 ? 201 : 200;
	return r->err ? STEP_FAIL : manage_done(r, b, "webhook", w->name);
}

static enum step put(struct req *r, struct batch *b, struct webhook_entry *w)
{
	struct db_result *rows = NULL;
	enum step step;
	struct json j;

	if (!field_name_valid(r->params[0]))
		return req_fail(r, ERR_MALFORMED, "name"), STEP_FAIL;
	if (read_webhook(r, w))
		return STEP_FAIL;
	step = change(r, b, w);
	if (step != STEP_DONE)
		return step;
	r->err = webhook_list(b->db, r->params[0], &rows);
	json_init(&j, &r->out);
	if (!r->err)
		r->err = db_rows(rows) ? write_webhook(r, rows, 0, &j) : ERR_INTERNAL;
	db_result_free(rows);
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum step webhook_put_decide(struct req *r, struct batch *b)
{
	struct webhook_entry w = {0};
	struct db_array list;
	enum step step;

	buf_reset(&r->out);
	if (manage_right(r, RIGHT_MANAGE_CALLERS))
		return STEP_FAIL;
	db_array_init(&list, DB_TEXT);
	w.kinds = &list;
	step = put(r, b, &w);
	db_array_fini(&list);
	return step;
}

static enum err must_exist(struct req *r, struct batch *b)
{
	struct db_result *rows = NULL;
	enum err e = manage_right(r, RIGHT_MANAGE_CALLERS);

	if (!e)
		e = webhook_list(b->db, r->params[0], &rows);
	if (!e && db_rows(rows) == 0)
		e = req_fail(r, ERR_NOT_FOUND, "name");
	db_result_free(rows);
	return e;
}

enum step webhook_delete_decide(struct req *r, struct batch *b)
{
	struct webhook_entry w = {.url = "", .recipient = ""};
	struct db_array none;
	enum step step;

	buf_reset(&r->out);
	r->err = must_exist(r, b);
	if (r->err)
		return STEP_FAIL;
	db_array_init(&none, DB_TEXT);
	w.kinds = &none;
	step = change(r, b, &w);
	db_array_fini(&none);
	r->status = 200;
	buf_text(&r->out, "{\"removed\":true}");
	return step;
}

enum step webhook_retry_decide(struct req *r, struct batch *b)
{
	int64_t n = 0;

	buf_reset(&r->out);
	r->err = must_exist(r, b);
	if (!r->err)
		r->err = outbox_revive(b->db, r->params[0], &n);
	if (r->err)
		return STEP_FAIL;
	buf_printf(&r->out, "{\"retried\":%lld}", (long long)n);
	worker_wake(r->app->workers[BACKGROUND_OUTBOX]);
	return manage_note(r, b, "webhook_retry", r->params[0]);
}
