/* manage.c: the common part of operations on configuration. */
#include "vault/app/manage.h"

#include "store/configuration_write.h"

#include <stdio.h>
#include <string.h>

enum err manage_right(struct req *r, enum policy_right right)
{
	return manage_either(r, right, right);
}

enum err manage_either(struct req *r, enum policy_right one, enum policy_right other)
{
	struct policy_verdict v;

	if (policy_has_right(r->snapshot->policy, &r->who, one, &v) || policy_has_right(r->snapshot->policy, &r->who, other, &v))
		return ERR_OK;
	return req_fail(r, ERR_POLICY_DENIED, NULL);
}

enum step manage_claim(struct req *r, struct batch *b)
{
	int64_t revision = 0;

	r->err = configuration_claim(b->db, &revision);
	if (r->err)
		return STEP_FAIL;
	return revision == r->snapshot->revision + 1 ? STEP_DONE : STEP_AGAIN;
}

enum step manage_note(struct req *r, struct batch *b, const char *kind, const char *name)
{
	struct audit_entry entry = {.activity = "manage", .state = -1};
	char object[400];

	snprintf(object, sizeof object, "%s:%s", kind, name);
	entry.object = object;
	r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum step manage_done(struct req *r, struct batch *b, const char *kind, const char *name)
{
	b->change = true;
	return manage_note(r, b, kind, name);
}

void manage_problem(struct req *r, enum err e, const char *detail, struct json *j)
{
	buf_reset(&r->out);
	json_init(j, &r->out);
	json_object(j);
	json_key_string(j, "type", "about:blank");
	json_key_string(j, "title", err_text(e));
	json_key_int(j, "status", err_status(e));
	json_key_string(j, "code", err_code(e));
	json_key_string(j, "request_id", r->request_id);
	if (detail && *detail)
		json_key_string(j, "detail", detail);
}

enum step manage_refused(struct req *r, struct batch *b, enum err e, struct json *j)
{
	const struct audit_entry entry = {.activity = "manage", .code = e, .state = -1};

	json_object_end(j);
	r->status = err_status(e);
	r->content_type = "application/problem+json";
	r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum step manage_refuse(struct req *r, struct batch *b, enum err e, const char *detail)
{
	struct json j;

	manage_problem(r, e, detail, &j);
	return manage_refused(r, b, e, &j);
}

const char *manage_text(struct req *r, const struct node *object, const char *key, size_t most)
{
	size_t len = 0;
	const char *text = node_string(node_get(object, key), &len);

	if (text && len > 0 && len <= most)
		return text;
	(void)req_fail(r, text && len > most ? ERR_LIMIT : ERR_MALFORMED, "/%s", key);
	return NULL;
}

void manage_complaints(struct json *j, const struct policy_complaints *c)
{
	json_key(j, "complaints");
	json_array(j);
	for (size_t i = 0; i < c->n; i++) {
		json_object(j);
		json_key_int(j, "line", c->list[i].line);
		json_key_int(j, "column", c->list[i].column);
		json_key_string(j, "text", c->list[i].text);
		json_key_string(j, "near", c->list[i].near);
		json_object_end(j);
	}
	json_array_end(j);
}
