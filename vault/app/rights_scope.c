/* rights_scope.c: names, sorted and each once, so that equal scopes have equal text. */
#include "vault/app/rights_scope.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 256

static const char *const lists[] = {"classes", "fields", "purposes", "records"}; /* sorted */
#define LISTS (sizeof lists / sizeof *lists)

static bool class_known(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; i < s->n_fields; i++)
		if (!strcmp(s->fields[i].class_name, name))
			return true;
	return false;
}

static bool name_known(const struct snapshot *s, size_t list, const char *name)
{
	int subject;

	if (list == 0)
		return class_known(s, name);
	if (list == 2)
		return snapshot_purpose(s, name) >= 0;
	subject = snapshot_field(s, name, strlen(name));
	return subject >= 0 && s->fields[subject].record == (list == 3);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err put_list(struct req *r, const struct node *n, size_t list, const char *at, struct json *j)
{
	const char *names[NAMES_MAX];
	const size_t count = node_count(n);

	if (!n)
		return ERR_OK;
	if (node_type(n) != NODE_ARRAY || count > NAMES_MAX)
		return req_fail(r, ERR_MALFORMED, "%s/%s", at, lists[list]);
	for (size_t i = 0; i < count; i++) {
		size_t len;

		names[i] = node_string(node_at(n, i), &len);
		if (!names[i])
			return req_fail(r, ERR_MALFORMED, "%s/%s/%zu", at, lists[list], i);
		if (!name_known(r->snapshot, list, names[i]))
			return req_fail(r, list == 2 ? ERR_UNKNOWN_PURPOSE : list == 3 ? ERR_UNKNOWN_KIND : ERR_UNKNOWN_FIELD, "%s/%s/%zu", at, lists[list], i);
	}
	if (count == 0)
		return ERR_OK;
	qsort(names, count, sizeof *names, by_name);
	json_key(j, lists[list]);
	json_array(j);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			json_string(j, names[i]);
	json_array_end(j);
	return ERR_OK;
}

enum err scope_parse(struct req *r, const struct node *n, const char *at, const char **canonical)
{
	static const char *const keys[] = {"classes", "fields", "purposes", "records", NULL};
	const char *unknown = n ? node_unknown_key(n, keys) : NULL;
	struct buf text;
	struct json j;
	enum err e = ERR_OK;

	*canonical = "{}";
	if (!n)
		return ERR_OK;
	if (node_type(n) != NODE_OBJECT || unknown)
		return req_fail(r, ERR_MALFORMED, "%s/%.40s", at, unknown ? unknown : "");
	buf_init(&text, 0);
	json_init(&j, &text);
	json_object(&j);
	for (size_t i = 0; i < LISTS && !e; i++)
		e = put_list(r, node_get(n, lists[i]), i, at, &j);
	json_object_end(&j);
	if (!e) {
		*canonical = buf_ok(&text) ? arena_copy(&r->arena, (const char *)text.data, text.len) : NULL;
		e = *canonical ? ERR_OK : req_fail(r, ERR_MEMORY, NULL);
	}
	buf_fini(&text);
	return e;
}

static void load_name(const struct snapshot *s, size_t list, const char *name, struct rights_scope *out)
{
	int at;

	if (list == 0) {
		for (size_t i = 0; i < s->n_fields; i++)
			out->subjects[i] = out->subjects[i] || !strcmp(s->fields[i].class_name, name);
		return;
	}
	at = list == 2 ? snapshot_purpose(s, name) : snapshot_field(s, name, strlen(name));
	if (at >= 0 && list == 2)
		out->purposes |= (uint64_t)1 << (s->purposes[at].number - 1);
	else if (at >= 0)
		out->subjects[at] = true;
}

enum err scope_load(const struct snapshot *s, const char *canonical, struct rights_scope *out)
{
	struct doc *doc = NULL;
	enum err e = doc_parse(canonical, strlen(canonical), &doc);

	*out = (struct rights_scope){0};
	out->all = !e && node_count(doc_root(doc)) == 0;
	for (size_t list = 0; !e && list < LISTS; list++) {
		const struct node *n = node_get(doc_root(doc), lists[list]);

		for (size_t i = 0; i < node_count(n); i++) {
			size_t len;
			const char *name = node_string(node_at(n, i), &len);

			if (name)
				load_name(s, list, name, out);
		}
	}
	doc_free(doc);
	return e;
}

bool scope_has(const struct rights_scope *s, size_t subject)
{
	return s->all || s->subjects[subject];
}

void scope_add(struct rights_scope *to, const struct rights_scope *more)
{
	to->all = to->all || more->all;
	to->purposes |= more->purposes;
	for (size_t i = 0; i < POLICY_SUBJECTS_MAX; i++)
		to->subjects[i] = to->subjects[i] || more->subjects[i];
}
