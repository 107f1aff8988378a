/* rights_scope.c: names, sorted and each once, so that equal scopes have equal text. */
#include "vault/app/rights_scope.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX POLICY_SUBJECTS_MAX

enum { LIST_CLASSES, LIST_FIELDS, LIST_PURPOSES, LIST_RECORDS, LISTS };
static const char *const lists[LISTS] = {"classes", "fields", "purposes", "records"}; /* sorted */

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

	if (list == LIST_CLASSES)
		return class_known(s, name);
	if (list == LIST_PURPOSES)
		return snapshot_purpose(s, name) >= 0;
	subject = snapshot_field(s, name, strlen(name));
	return subject >= 0 && s->fields[subject].record == (list == LIST_RECORDS);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum scope_use scope_use_of(enum rights_kind kind)
{
	switch (kind) {
	case RIGHTS_ERASE: return SCOPE_ERASURE;
	case RIGHTS_RESTRICT: return SCOPE_PURPOSES;
	case RIGHTS_OBJECT: return SCOPE_OBJECTION;
	case RIGHTS_EXPORT:
	case RIGHTS_RECTIFY:
	case RIGHTS_KINDS: break;
	}
	return SCOPE_DATA;
}

/* The names of one list, as they come. */
struct names {
	const char *list[2 * NAMES_MAX]; /* as given, and as added */
	size_t n;
};

static enum err read_names(struct req *r, const struct node *n, size_t list, const char *at, struct names *out)
{
	out->n = 0;
	if (!n)
		return ERR_OK;
	if (node_type(n) != NODE_ARRAY || node_count(n) == 0 || node_count(n) > NAMES_MAX)
		return req_fail(r, ERR_MALFORMED, "%s/%s", at, lists[list]);
	for (size_t i = 0; i < node_count(n); i++) {
		size_t len;
		const char *name = node_string(node_at(n, i), &len);

		if (!name)
			return req_fail(r, ERR_MALFORMED, "%s/%s/%zu", at, lists[list], i);
		if (!name_known(r->snapshot, list, name))
			return req_fail(r, list == LIST_PURPOSES ? ERR_UNKNOWN_PURPOSE : list == LIST_RECORDS ? ERR_UNKNOWN_KIND : ERR_UNKNOWN_FIELD,
			                "%s/%s/%zu", at, lists[list], i);
		out->list[out->n++] = name;
	}
	return ERR_OK;
}

/* Does policy let any role have values of the subject for the purpose, with consent and basis given? Tokens are no use of data. */
static bool used_for(const struct snapshot *s, size_t subject, size_t purpose)
{
	static const enum policy_verb verbs[] = {VERB_READ, VERB_SEARCH};

	for (size_t role = 0; role < policy_roles(s->policy); role++)
		for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++) {
			const struct policy_identity who = {.roles = (uint64_t)1 << role};
			struct policy_verdict verdict;

			policy_decide(s->policy, &who, verbs[v], subject, purpose, STATE_CONSENTED | STATE_BASIS, &verdict);
			if (verdict.form > FORM_TOKEN)
				return true;
		}
	return false;
}

static bool names_purpose(const struct names *n, const char *purpose)
{
	for (size_t i = 0; i < n->n; i++)
		if (!strcmp(n->list[i], purpose))
			return true;
	return false;
}

/* The subjects that the purposes mean: all that they use, or where alone is set what no other purpose uses. */
static void add_used(const struct snapshot *s, const struct names *purposes, bool alone, struct names all[static LISTS])
{
	for (size_t i = 0; i < s->n_fields; i++) {
		struct names *to = &all[s->fields[i].record ? LIST_RECORDS : LIST_FIELDS];
		bool named = false, other = false;

		for (size_t p = 0; p < s->n_purposes; p++) {
			const bool used = used_for(s, i, p);

			named = named || (used && names_purpose(purposes, s->purposes[p].name));
			other = other || (used && !names_purpose(purposes, s->purposes[p].name));
		}
		if (named && !(alone && other))
			to->list[to->n++] = s->fields[i].name;
	}
}

static void put_names(struct names *n, size_t list, struct json *j)
{
	if (n->n == 0)
		return;
	qsort(n->list, n->n, sizeof *n->list, by_name);
	json_key(j, lists[list]);
	json_array(j);
	for (size_t i = 0; i < n->n; i++)
		if (i == 0 || strcmp(n->list[i], n->list[i - 1]) != 0)
			json_string(j, n->list[i]);
	json_array_end(j);
}

static enum err check_use(struct req *r, const struct names all[static LISTS], enum scope_use use, const char *at)
{
	if (use != SCOPE_PURPOSES && use != SCOPE_OBJECTION)
		return ERR_OK;
	for (size_t i = 0; i < LISTS; i++)
		if (i != LIST_PURPOSES && all[i].n)
			return req_fail(r, ERR_MALFORMED, "%s/%s", at, lists[i]);
	return use == SCOPE_OBJECTION && !all[LIST_PURPOSES].n ? req_fail(r, ERR_MALFORMED, "%s/purposes", at) : ERR_OK;
}

enum err scope_parse(struct req *r, const struct node *n, enum scope_use use, const char *at, const char **canonical)
{
	static const char *const keys[] = {"classes", "fields", "purposes", "records", NULL};
	const char *unknown = n ? node_unknown_key(n, keys) : NULL;
	struct names all[LISTS] = {{{0}, 0}};
	struct buf text;
	struct json j;
	enum err e = ERR_OK;

	*canonical = "{}";
	if (n && (node_type(n) != NODE_OBJECT || unknown))
		return req_fail(r, ERR_MALFORMED, "%s/%.40s", at, unknown ? unknown : "");
	for (size_t i = 0; i < LISTS && !e; i++)
		e = read_names(r, node_get(n, lists[i]), i, at, &all[i]);
	if (!e)
		e = check_use(r, all, use, at);
	if (e)
		return e;
	if (all[LIST_PURPOSES].n && (use == SCOPE_ERASURE || use == SCOPE_HOLD))
		add_used(r->snapshot, &all[LIST_PURPOSES], use == SCOPE_ERASURE, all);
	buf_init(&text, 0);
	json_init(&j, &text);
	json_object(&j);
	for (size_t i = 0; i < LISTS; i++)
		put_names(&all[i], i, &j);
	json_object_end(&j);
	*canonical = buf_ok(&text) ? arena_copy(&r->arena, (const char *)text.data, text.len) : NULL;
	buf_fini(&text);
	return *canonical ? ERR_OK : req_fail(r, ERR_MEMORY, NULL);
}

static void load_name(const struct snapshot *s, size_t list, const char *name, struct rights_scope *out)
{
	int at;

	if (list == LIST_CLASSES) {
		for (size_t i = 0; i < s->n_fields; i++)
			out->subjects[i] = out->subjects[i] || !strcmp(s->fields[i].class_name, name);
		return;
	}
	at = list == LIST_PURPOSES ? snapshot_purpose(s, name) : snapshot_field(s, name, strlen(name));
	if (at >= 0 && list == LIST_PURPOSES)
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
