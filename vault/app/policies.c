/* policies.c: the policy in force, its history, trying one out, activating one,
 * and explaining a decision. */
#include "vault/app/operations.h"

#include "store/configuration.h"
#include "store/configuration_write.h"
#include "vault/app/manage.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)
#define IDENTITY_MAX 255
#define NAME_MAX_LEN 128

/* version ... activated_by, without braces */
static void put_version(struct json *j, uint32_t version, const uint8_t *hash, size_t len, int64_t at_us, const char *by)
{
	json_key_int(j, "version", version);
	json_key(j, "hash");
	json_hex(j, hash, len);
	json_key(j, "activated_at");
	json_time(j, at_us);
	json_key_string(j, "activated_by", by);
}

enum step policies_get_decide(struct req *r, struct batch *b)
{
	const struct snapshot *s = r->snapshot;
	struct db_result *rows = NULL;
	struct json j;

	if (manage_either(r, RIGHT_MANAGE_POLICY, RIGHT_READ_AUDIT))
		return STEP_FAIL;
	r->err = configuration_policy_history(b->db, &rows);
	if (r->err)
		return STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key(&j, "active");
	json_object(&j);
	put_version(&j, s->policy_version, s->policy_hash, sizeof s->policy_hash, s->policy_activated_at_us, s->policy_activated_by);
	json_key_string(&j, "text", s->policy_text);
	json_object_end(&j);
	json_key(&j, "history");
	json_array(&j);
	for (size_t i = 0; i < db_rows(rows); i++) {
		size_t len = 0;
		const uint8_t *hash = db_bytes(rows, i, 1, &len);

		json_object(&j);
		put_version(&j, (uint32_t)db_int4(rows, i, 0), hash, len, db_time_us(rows, i, 2), db_text(rows, i, 3));
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	db_result_free(rows);
	return STEP_DONE;
}

static void put_lines(struct json *j, const char *text)
{
	json_key(j, "report");
	json_array(j);
	while (*text) {
		const size_t len = strcspn(text, "\n");

		if (len)
			json_string_len(j, text, len);
		text += len + (text[len] == '\n');
	}
	json_array_end(j);
}

static enum err run_tests(struct req *r, const struct policy *p, const struct node *tests, struct json *j)
{
	size_t len = 0, passed = 0, failed = 0;
	const char *text = node_string(tests, &len);
	struct buf report;
	enum err e;

	if (!text || len > TEXT_MAX)
		return req_fail(r, text ? ERR_LIMIT : ERR_MALFORMED, "/tests");
	buf_init(&report, (size_t)4 << 20);
	e = policy_test(p, text, len, &report, &passed, &failed);
	if (e == ERR_POLICY_TEXT) { /* some lines can't be read: reported, and no pass */
		failed += failed == 0;
		e = ERR_OK;
	}
	if (!e) {
		json_key_int(j, "passed", (int64_t)passed);
		json_key_int(j, "failed", (int64_t)failed);
		put_lines(j, buf_string(&report));
	}
	buf_fini(&report);
	return e ? req_fail(r, e, NULL) : ERR_OK;
}

enum step policy_check_decide(struct req *r, struct batch *b)
{
	static const char *const keys[] = {"text", "tests", NULL};
	struct policy_complaints complaints = {0};
	const struct node *root = NULL, *tests;
	struct policy *p = NULL;
	const char *text;
	struct json j;
	enum err e;

	(void)b;
	if (manage_either(r, RIGHT_MANAGE_POLICY, RIGHT_READ_AUDIT) || req_object(r, keys, &root))
		return STEP_FAIL;
	text = manage_text(r, root, "text", TEXT_MAX);
	if (!text)
		return STEP_FAIL;
	tests = node_get(root, "tests");
	e = policy_compile(text, strlen(text), &r->snapshot->world, &p, &complaints);
	if (e && e != ERR_POLICY_TEXT)
		return req_fail(r, e, NULL), STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key_bool(&j, "ok", !e);
	if (e)
		manage_complaints(&j, &complaints);
	else if (node_type(tests) != NODE_ABSENT && node_type(tests) != NODE_NULL)
		r->err = run_tests(r, p, tests, &j);
	json_object_end(&j);
	policy_free(p);
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* Does some role keep the right to change the policy? Else nobody could ever again. */
static bool somebody_manages(const struct policy *p)
{
	struct policy_verdict v;

	for (size_t i = 0; i < policy_roles(p); i++) {
		const struct policy_identity who = {.roles = (uint64_t)1 << i};

		if (policy_has_right(p, &who, RIGHT_MANAGE_POLICY, &v))
			return true;
	}
	return false;
}

/* Under the lock of the claim, so that no other node numbers one at the same time. */
static enum err add_audiences(struct db *db, const struct policy *p)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < policy_audiences(p) && !e; i++)
		e = configuration_add_audience(db, policy_audience_name(p, i));
	return e;
}

static enum step activate(struct req *r, struct batch *b, const char *text, const struct policy *p)
{
	const uint32_t version = r->snapshot->policy_version + 1;
	uint8_t hash[32];
	char name[16];
	enum step step = manage_claim(r, b);
	struct json j;

	if (step != STEP_DONE)
		return step;
	r->err = sha256_of(text, strlen(text), hash);
	if (!r->err)
		r->err = configuration_activate(b->db, version, hash, text, strlen(text), b->now_us, r->identity);
	if (!r->err)
		r->err = add_audiences(b->db, p);
	if (r->err)
		return STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key_int(&j, "version", version);
	json_key(&j, "hash");
	json_hex(&j, hash, sizeof hash);
	json_object_end(&j);
	snprintf(name, sizeof name, "%u", version);
	return manage_done(r, b, "policy", name);
}

static enum step refuse_text(struct req *r, struct batch *b, const struct policy_complaints *complaints)
{
	struct json j;

	manage_problem(r, ERR_POLICY_TEXT, NULL, &j);
	manage_complaints(&j, complaints);
	return manage_refused(r, b, ERR_POLICY_TEXT, &j);
}

enum step policy_activate_decide(struct req *r, struct batch *b)
{
	static const char *const keys[] = {"text", NULL};
	struct policy_complaints complaints = {0};
	const struct node *root = NULL;
	struct policy *p = NULL;
	const char *text;
	enum step step;
	enum err e;

	if (manage_right(r, RIGHT_MANAGE_POLICY) || req_object(r, keys, &root))
		return STEP_FAIL;
	text = manage_text(r, root, "text", TEXT_MAX);
	if (!text)
		return STEP_FAIL;
	e = policy_compile(text, strlen(text), &r->snapshot->world, &p, &complaints);
	if (e == ERR_POLICY_TEXT)
		return refuse_text(r, b, &complaints);
	if (e)
		return req_fail(r, e, NULL), STEP_FAIL;
	if (somebody_manages(p))
		step = activate(r, b, text, p);
	else
		step = manage_refuse(r, b, ERR_CONFLICT, "under this policy nobody may manage policy: it could never be changed again");
	policy_free(p);
	return step;
}

/* ---- explain ---- */

static bool verb_of(const char *name, enum policy_verb *out)
{
	static const char *const names[VERB_COUNT] = {"read", "write", "search", "translate", "delete"};

	for (unsigned i = 0; i < VERB_COUNT; i++)
		if (!strcmp(names[i], name)) {
			*out = (enum policy_verb)i;
			return true;
		}
	return false;
}

static enum err read_state(struct req *r, const struct node *list, unsigned *state)
{
	static const char *const names[] = {"consented", "basis", "objected", "restricted"};

	*state = 0;
	if (list && node_type(list) != NODE_ARRAY)
		return req_fail(r, ERR_MALFORMED, "/state");
	for (size_t i = 0; i < node_count(list); i++) {
		size_t len = 0, at = 0;
		const char *word = node_string(node_at(list, i), &len);

		while (word && at < 4 && strcmp(word, names[at]) != 0)
			at++;
		if (!word || at == 4)
			return req_fail(r, ERR_MALFORMED, "/state/%zu", i);
		*state |= 1u << at;
	}
	return ERR_OK;
}

/* "phone", or "contact.phone" as policy text writes it. */
static int subject_of(const struct snapshot *s, const char *name)
{
	const char *dot = strchr(name, '.');
	const int subject = snapshot_field(s, dot ? dot + 1 : name, strlen(dot ? dot + 1 : name));

	if (subject < 0 || !dot)
		return subject;
	return strlen(s->fields[subject].class_name) == (size_t)(dot - name) && !strncmp(s->fields[subject].class_name, name, (size_t)(dot - name))
	           ? subject
	           : -1;
}

struct inquiry {
	const char *identity, *purpose, *field;
	enum policy_verb verb;
	unsigned state;
};

static enum err read_inquiry(struct req *r, struct inquiry *q)
{
	static const char *const keys[] = {"identity", "purpose", "field", "verb", "state", NULL};
	const struct node *root = NULL;
	const char *verb = "read";

	if (req_object(r, keys, &root))
		return r->err;
	q->identity = manage_text(r, root, "identity", IDENTITY_MAX);
	q->purpose = q->identity ? manage_text(r, root, "purpose", NAME_MAX_LEN) : NULL;
	q->field = q->purpose ? manage_text(r, root, "field", NAME_MAX_LEN) : NULL;
	if (q->field && node_get(root, "verb"))
		verb = manage_text(r, root, "verb", NAME_MAX_LEN);
	if (!q->field || !verb)
		return r->err ? r->err : ERR_MALFORMED;
	if (!verb_of(verb, &q->verb))
		return req_fail(r, ERR_MALFORMED, "/verb");
	return read_state(r, node_get(root, "state"), &q->state);
}

enum step policy_explain_decide(struct req *r, struct batch *b)
{
	const struct snapshot *s = r->snapshot;
	struct inquiry q = {0};
	int subject, purpose;

	(void)b;
	if (manage_either(r, RIGHT_MANAGE_POLICY, RIGHT_READ_AUDIT) || read_inquiry(r, &q) || !q.field)
		return STEP_FAIL;
	subject = subject_of(s, q.field);
	if (subject < 0)
		return req_fail(r, ERR_UNKNOWN_FIELD, "/field"), STEP_FAIL;
	purpose = snapshot_purpose(s, q.purpose);
	if (purpose < 0)
		return req_fail(r, ERR_UNKNOWN_PURPOSE, "/purpose"), STEP_FAIL;
	policy_explain(s->policy, q.identity, q.verb, (size_t)subject, (size_t)purpose, q.state, &r->out);
	return STEP_DONE;
}
