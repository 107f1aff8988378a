/* dictionary.c: fields, record kinds and purposes: read from the snapshot,
 * changed as rows. What is stored under a declaration must stay readable, so
 * much of one can't change. */
#include "vault/app/operations.h"

#include "codec/value.h"
#include "store/configuration_write.h"
#include "vault/app/manage.h"

#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 4095
#define TITLE_MAX 200

static enum err need_role(struct req *r)
{
	return r->who.roles ? ERR_OK : req_fail(r, ERR_POLICY_DENIED, NULL);
}

/* {"name","number","version","record", and the members of the declaration} */
static void put_field(struct buf *out, const struct field *f)
{
	struct buf definition;

	buf_init(&definition, 0);
	field_to_json(f, &definition);
	buf_printf(out, "{\"name\":\"%s\",\"number\":%u,\"version\":%u,\"record\":%s,", f->name, f->number, f->version,
	           f->record ? "true" : "false");
	if (buf_ok(&definition))
		buf_append(out, definition.data + 1, definition.len - 1);
	else
		out->failed = true;
	buf_fini(&definition);
}

enum step fields_list_decide(struct req *r, struct batch *b)
{
	(void)b;
	if (need_role(r))
		return STEP_FAIL;
	buf_text(&r->out, "{\"data\":[");
	for (size_t i = 0; i < r->snapshot->n_fields; i++) {
		if (i)
			buf_byte(&r->out, ',');
		put_field(&r->out, &r->snapshot->fields[i]);
	}
	buf_text(&r->out, "]}");
	return STEP_DONE;
}

enum step field_get_decide(struct req *r, struct batch *b)
{
	int subject;

	(void)b;
	if (need_role(r))
		return STEP_FAIL;
	subject = snapshot_field(r->snapshot, r->params[0], strlen(r->params[0]));
	if (subject < 0)
		return req_fail(r, ERR_NOT_FOUND, "name"), STEP_FAIL;
	put_field(&r->out, &r->snapshot->fields[subject]);
	return STEP_DONE;
}

/* The body without "record"; a record kind needs no type. */
static enum err read_declaration(struct req *r, const struct node *root, struct field *f, struct buf *why)
{
	struct node_iter it = node_members(root);
	const struct node *value;
	struct doc *doc = NULL;
	struct buf text;
	struct json j;
	enum err e = ERR_OK;

	buf_init(&text, 0);
	json_init(&j, &text);
	json_object(&j);
	if (f->record && !node_get(root, "type"))
		json_key_string(&j, "type", "json");
	while (!e && (value = node_next(&it))) {
		if (!strcmp(it.key, "record"))
			continue;
		json_string_len(&j, it.key, it.key_len);
		buf_byte(&text, ':');
		e = node_print(value, &text);
		j.comma = true;
	}
	json_object_end(&j);
	if (!e)
		e = buf_err(&text);
	if (!e)
		e = doc_parse(text.data, text.len, &doc);
	if (!e)
		e = field_from_json(doc_root(doc), f, why);
	doc_free(doc);
	buf_fini(&text);
	if (!e)
		e = field_declaration_check(f, why);
	return e == ERR_DICTIONARY || !e ? e : req_fail(r, e, NULL);
}

/* What is stored was checked, sealed and indexed as the old declaration says. */
static const char *frozen_part(const struct field *old, const struct field *f)
{
	if (old->record != f->record)
		return "a field can't become a record kind, nor the reverse: declare another name";
	if (old->type != f->type)
		return "the type can't change: declare another field";
	if (strcmp(old->class_name, f->class_name) != 0)
		return "the class can't change: declare another field";
	if (old->list != f->list)
		return "one value or a list can't change: declare another field";
	return NULL;
}

static const char *index_part(const struct field *old, const struct field *f)
{
	if (old->indexed != f->indexed)
		return "the index can't be turned on or off for a field that exists: what is stored would be missing in it";
	if (old->indexed && old->normaliser != f->normaliser)
		return "the normaliser of an indexed field can't change: what is stored would not be found";
	return NULL;
}

/* Would the policy in force still compile if the dictionary had f at index at? */
static enum err test_policy(struct req *r, const struct field *f, size_t at, struct policy_complaints *complaints)
{
	const struct snapshot *s = r->snapshot;
	struct policy_subject *subjects = calloc(s->n_fields + 1, sizeof *subjects);
	struct policy_world world = s->world;
	struct policy *p = NULL;
	enum err e;

	if (!subjects)
		return ERR_MEMORY;
	memcpy(subjects, s->subjects, s->n_fields * sizeof *subjects);
	subjects[at] = (struct policy_subject){f->name, f->class_name, f->record, f->n_masks, {NULL}};
	for (size_t k = 0; k < f->n_masks; k++)
		subjects[at].masks[k] = f->masks[k].name;
	world.subjects = subjects;
	world.n_subjects = at < s->n_fields ? s->n_fields : s->n_fields + 1;
	e = policy_compile(s->policy_text, strlen(s->policy_text), &world, &p, complaints);
	policy_free(p);
	free(subjects);
	return e;
}

static enum step refuse_declaration(struct req *r, struct batch *b, const char *detail, const struct policy_complaints *complaints)
{
	struct json j;

	manage_problem(r, ERR_DICTIONARY, detail, &j);
	if (complaints)
		manage_complaints(&j, complaints);
	return manage_refused(r, b, ERR_DICTIONARY, &j);
}

/* Looks at all that may speak against the declaration. STEP_DONE with *refused false: nothing does. */
static enum step examine(struct req *r, struct batch *b, const struct field *old, const struct field *f, bool *refused)
{
	struct policy_complaints complaints = {0};
	const size_t at = old ? (size_t)(old - r->snapshot->fields) : r->snapshot->n_fields;
	const char *part = old ? frozen_part(old, f) : NULL;
	enum err e;

	*refused = true;
	if (part)
		return manage_refuse(r, b, ERR_CONFLICT, part);
	part = old ? index_part(old, f) : NULL;
	if (part)
		return refuse_declaration(r, b, part, NULL);
	if (f->number > NUMBERS_MAX || at >= POLICY_SUBJECTS_MAX)
		return manage_refuse(r, b, ERR_CONFLICT, "the dictionary is full");
	e = test_policy(r, f, at, &complaints);
	if (e == ERR_POLICY_TEXT)
		return refuse_declaration(r, b, "the policy in force would no longer compile", &complaints);
	if (e)
		return req_fail(r, e, NULL), STEP_FAIL;
	*refused = false;
	return STEP_DONE;
}

static enum step store_field(struct req *r, struct batch *b, const struct field *f)
{
	struct configuration_entry entry = {.number = f->number, .name = f->name, .record = f->record, .version = f->version,
	                                    .at_us = b->now_us, .by = r->identity};
	enum step step = manage_claim(r, b);
	struct buf definition;

	if (step != STEP_DONE)
		return step;
	buf_init(&definition, 0);
	field_to_json(f, &definition);
	entry.definition = buf_string(&definition);
	r->err = buf_err(&definition);
	if (!r->err)
		r->err = configuration_put_field(b->db, &entry);
	buf_fini(&definition);
	if (r->err)
		return STEP_FAIL;
	put_field(&r->out, f);
	r->status = f->version == 1 ? 201 : 200;
	return manage_done(r, b, f->record ? "kind" : "field", f->name);
}

/* The next number: rows are never deleted, so the highest one tells. */
static uint16_t next_number(const struct snapshot *s)
{
	uint16_t highest = 0;

	for (size_t i = 0; i < s->n_fields; i++)
		if (s->fields[i].number > highest)
			highest = s->fields[i].number;
	return (uint16_t)(highest + 1);
}

/* The declaration as asked for, upon the one that there is. */
static enum step read_field(struct req *r, struct batch *b, const struct field *old, struct field *f, bool *refused)
{
	const struct node *root = r->doc ? doc_root(r->doc) : NULL, *record = node_get(root, "record");
	const char *name = r->params[0];
	struct buf why;
	enum err e;
	enum step step = STEP_DONE;

	*f = (struct field){.number = next_number(r->snapshot), .normaliser_version = 1, .version = 1};
	if (old)
		*f = *old;
	if (node_type(root) != NODE_OBJECT)
		return req_fail(r, ERR_MALFORMED, "%s", ""), STEP_FAIL;
	if (record && node_type(record) != NODE_BOOL)
		return req_fail(r, ERR_MALFORMED, "/record"), STEP_FAIL;
	f->record = record ? node_bool(record) : f->record;
	f->version = old ? old->version + 1 : 1;
	*refused = !field_name_valid(name);
	if (*refused)
		return refuse_declaration(r, b, "a name is a small letter, then small letters, digits and _, at most 47 in all", NULL);
	memcpy(f->name, name, strlen(name) + 1);
	buf_init(&why, 4096);
	e = read_declaration(r, root, f, &why);
	*refused = e == ERR_DICTIONARY;
	if (*refused)
		step = refuse_declaration(r, b, buf_string(&why), NULL);
	else if (e)
		step = STEP_FAIL;
	buf_fini(&why);
	return step;
}

enum step field_put_decide(struct req *r, struct batch *b)
{
	const int subject = snapshot_field(r->snapshot, r->params[0], strlen(r->params[0]));
	const struct field *old = subject < 0 ? NULL : &r->snapshot->fields[subject];
	struct field f;
	bool refused = false;
	enum step step;

	if (manage_right(r, RIGHT_MANAGE_DICTIONARY))
		return STEP_FAIL;
	step = read_field(r, b, old, &f, &refused);
	if (step == STEP_DONE && !refused)
		step = examine(r, b, old, &f, &refused);
	return step == STEP_DONE && !refused ? store_field(r, b, &f) : step;
}

/* ---- purposes ---- */

static void put_purpose(struct buf *out, const struct purpose *p)
{
	buf_printf(out, "{\"name\":\"%s\",\"number\":%u,\"version\":%u,", p->name, p->number, p->version);
	buf_text(out, p->definition + 1);
}

enum step purposes_list_decide(struct req *r, struct batch *b)
{
	(void)b;
	if (need_role(r))
		return STEP_FAIL;
	buf_text(&r->out, "{\"data\":[");
	for (size_t i = 0; i < r->snapshot->n_purposes; i++) {
		if (i)
			buf_byte(&r->out, ',');
		put_purpose(&r->out, &r->snapshot->purposes[i]);
	}
	buf_text(&r->out, "]}");
	return STEP_DONE;
}

enum step purpose_get_decide(struct req *r, struct batch *b)
{
	int at;

	(void)b;
	if (need_role(r))
		return STEP_FAIL;
	at = snapshot_purpose(r->snapshot, r->params[0]);
	if (at < 0)
		return req_fail(r, ERR_NOT_FOUND, "name"), STEP_FAIL;
	put_purpose(&r->out, &r->snapshot->purposes[at]);
	return STEP_DONE;
}

static bool basis_known(const char *basis)
{
	static const char *const known[] = {"consent",     "contract",            "legal_obligation", "vital_interest",
	                                    "public_task", "legitimate_interest", NULL};

	for (const char *const *at = known; *at; at++)
		if (!strcmp(*at, basis))
			return true;
	return false;
}

/* Members of a purpose that are kept as they came, once they are of the right form. */
static const char *const terms[] = {"dpv", "jurisdictions", "retention_days", "separate_consent", "written_consent", "recipients", "notice"};
#define TERMS (sizeof terms / sizeof *terms)

static bool bases_fit(const struct node *jurisdictions)
{
	struct node_iter it = node_members(jurisdictions);
	const struct node *n;
	size_t len;

	while ((n = node_next(&it)))
		if (!field_name_valid(it.key) || !node_string(n, &len) || !basis_known(node_string(n, &len)))
			return false;
	return true;
}

static bool texts_fit(const struct node *list)
{
	for (size_t i = 0; i < node_count(list); i++) {
		size_t len = 0;

		if (!node_string(node_at(list, i), &len) || len == 0 || len > TITLE_MAX)
			return false;
	}
	return node_count(list) <= 100;
}

/* The first member that is not what it should be; NULL: none. */
static const char *terms_wrong(const struct node *root)
{
	const struct node *n;
	size_t len = 0;

	if ((n = node_get(root, "dpv")) && (!node_string(n, &len) || len == 0 || len > TITLE_MAX))
		return "dpv";
	if ((n = node_get(root, "jurisdictions")) && (node_type(n) != NODE_OBJECT || !bases_fit(n)))
		return "jurisdictions";
	if ((n = node_get(root, "retention_days")) && (node_type(n) != NODE_INT || node_int(n) < 1 || node_int(n) > 36500))
		return "retention_days";
	if ((n = node_get(root, "separate_consent")) && node_type(n) != NODE_BOOL)
		return "separate_consent";
	if ((n = node_get(root, "written_consent")) && node_type(n) != NODE_BOOL)
		return "written_consent";
	if ((n = node_get(root, "recipients")) && (node_type(n) != NODE_ARRAY || !texts_fit(n)))
		return "recipients";
	if ((n = node_get(root, "notice")) && (!node_string(n, &len) || !field_name_valid(node_string(n, &len))))
		return "notice";
	return NULL;
}

static enum err put_terms(const struct node *root, struct json *j)
{
	for (size_t i = 0; i < TERMS; i++) {
		const struct node *n = node_get(root, terms[i]);
		enum err e;

		if (!n)
			continue;
		json_key(j, terms[i]);
		e = node_print(n, j->out);
		j->comma = true;
		if (e)
			return e;
	}
	return ERR_OK;
}

/* The definition as it is stored; false: r->err is set or the refusal composed. */
static enum step read_purpose(struct req *r, struct batch *b, struct buf *definition, bool *refused)
{
	static const char *const keys[] = {"title", "legal_basis", "dpv", "jurisdictions", "retention_days", "separate_consent",
	                                   "written_consent", "recipients", "notice", NULL};
	const struct node *root = NULL;
	const char *title, *basis, *wrong;
	struct json j;

	if (req_object(r, keys, &root))
		return STEP_FAIL;
	title = manage_text(r, root, "title", TITLE_MAX);
	basis = title ? manage_text(r, root, "legal_basis", FIELD_NAME_MAX - 1) : NULL;
	if (!basis)
		return STEP_FAIL;
	wrong = terms_wrong(root);
	if (wrong)
		return req_fail(r, ERR_MALFORMED, "/%s", wrong), STEP_FAIL;
	*refused = true;
	if (!basis_known(basis))
		return refuse_declaration(r, b, "legal_basis is consent, contract, legal_obligation, vital_interest, public_task or legitimate_interest", NULL);
	if (!field_name_valid(r->params[0]))
		return refuse_declaration(r, b, "a name is a small letter, then small letters, digits and _, at most 47 in all", NULL);
	*refused = false;
	json_init(&j, definition);
	json_object(&j);
	json_key_string(&j, "title", title);
	json_key_string(&j, "legal_basis", basis);
	r->err = put_terms(root, &j);
	json_object_end(&j);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static enum step store_purpose(struct req *r, struct batch *b, const struct purpose *p)
{
	const struct configuration_entry entry = {.number = p->number, .name = p->name, .version = p->version,
	                                          .definition = p->definition, .at_us = b->now_us, .by = r->identity};
	enum step step = manage_claim(r, b);

	if (step != STEP_DONE)
		return step;
	r->err = configuration_put_purpose(b->db, &entry);
	if (r->err)
		return STEP_FAIL;
	put_purpose(&r->out, p);
	r->status = p->version == 1 ? 201 : 200;
	return manage_done(r, b, "purpose", p->name);
}

/* A purpose that had no notice may get one. */
static bool keeps_notice(const struct purpose *old, const struct req *r)
{
	size_t len;
	const char *notice = node_string(node_get(doc_root(r->doc), "notice"), &len);

	return !old->notice[0] || (notice && !strcmp(notice, old->notice));
}

enum step purpose_put_decide(struct req *r, struct batch *b)
{
	const struct snapshot *s = r->snapshot;
	const int at = snapshot_purpose(s, r->params[0]);
	struct purpose p = {.number = 1, .version = 1};
	struct buf definition;
	bool refused = false;
	enum step step;

	if (manage_right(r, RIGHT_MANAGE_DICTIONARY))
		return STEP_FAIL;
	if (s->n_purposes) /* by number, and none is ever deleted */
		p.number = (uint16_t)(s->purposes[s->n_purposes - 1].number + 1);
	buf_init(&definition, 0);
	step = read_purpose(r, b, &definition, &refused);
	if (step == STEP_DONE && !refused && at < 0 && p.number > POLICY_PURPOSES_MAX) {
		refused = true;
		step = manage_refuse(r, b, ERR_CONFLICT, "there is no room for another purpose");
	}
	if (step == STEP_DONE && !refused && at >= 0 && !keeps_notice(&s->purposes[at], r)) {
		refused = true;
		step = manage_refuse(r, b, ERR_CONFLICT, "the notice of a purpose can't change: consents name versions of it; declare another purpose");
	}
	if (step == STEP_DONE && !refused) {
		if (at >= 0) {
			p.number = s->purposes[at].number;
			p.version = s->purposes[at].version + 1;
		}
		memcpy(p.name, r->params[0], strlen(r->params[0]) + 1);
		p.definition = arena_copy(&r->arena, buf_string(&definition), strlen(buf_string(&definition)));
		step = p.definition ? store_purpose(r, b, &p) : STEP_FAIL;
	}
	buf_fini(&definition);
	return step;
}
