/* snapshot.c: loads and indexes a configuration. */
#include "app/snapshot.h"

#include "codec/value.h"
#include "store/configuration.h"
#include "store/consents.h"
#include "store/keys.h"
#include "store/watch.h"

#include <stdlib.h>
#include <string.h>

#define ADD_ATTEMPTS 100

struct snapshot *snapshot_take(struct snapshot *s)
{
	atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
	return s;
}

static void free_all(struct snapshot *s)
{
	for (size_t i = 0; i < s->n_purposes; i++)
		free(s->purposes[i].definition);
	for (size_t i = 0; i < s->n_frozen; i++)
		free(s->frozen[i]);
	policy_free(s->policy);
	free(s->fields);
	free(s->purposes);
	free(s->audiences);
	free(s->policy_text);
	free(s->policy_activated_by);
	free(s->frozen);
	free(s->canaries);
	free(s->policy_audience);
	free(s->subjects);
	free(s->purpose_names);
	free(s);
}

void snapshot_drop(struct snapshot *s)
{
	if (s && atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) == 1)
		free_all(s);
}

int snapshot_field(const struct snapshot *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n_fields; i++)
		if (!strncmp(s->fields[i].name, name, len) && !s->fields[i].name[len])
			return (int)i;
	return -1;
}

int snapshot_subject(const struct snapshot *s, unsigned number)
{
	return number < FIELD_NUMBERS ? s->subject_of_number[number] - 1 : -1;
}

int snapshot_purpose(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; i < s->n_purposes; i++)
		if (!strcmp(s->purposes[i].name, name))
			return (int)i;
	return -1;
}

int snapshot_audience(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; i < s->n_audiences; i++)
		if (!strcmp(s->audiences[i].name, name))
			return (int)i;
	return -1;
}

static int compare_srefs(const void *a, const void *b)
{
	return memcmp(a, b, SNAPSHOT_SREF_LEN);
}

bool snapshot_canary(const struct snapshot *s, const uint8_t sref[static SNAPSHOT_SREF_LEN])
{
	return s->n_canaries && bsearch(sref, s->canaries, s->n_canaries, SNAPSHOT_SREF_LEN, compare_srefs);
}

bool snapshot_frozen(const struct snapshot *s, const char *identity)
{
	for (size_t i = 0; i < s->n_frozen; i++)
		if (!strcmp(s->frozen[i], identity))
			return true;
	return false;
}

static bool copy_name(char out[FIELD_NAME_MAX], const char *text)
{
	const size_t len = strlen(text);

	if (len >= FIELD_NAME_MAX)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static enum err read_field(const struct db_result *r, size_t i, struct field *f, struct buf *why)
{
	size_t len;
	const uint8_t *definition = db_bytes(r, i, 4, &len);
	struct doc *doc = NULL;
	enum err e;

	f->number = (uint16_t)db_int4(r, i, 0);
	f->record = db_bool(r, i, 2);
	f->version = (uint32_t)db_int4(r, i, 3);
	if (!copy_name(f->name, db_text(r, i, 1)))
		return ERR_DICTIONARY;
	e = doc_parse(definition, len, &doc);
	if (!e)
		e = field_from_json(doc_root(doc), f, why);
	doc_free(doc);
	if (e)
		buf_printf(why, " (field %s)", f->name);
	return e;
}

static enum err load_fields(struct snapshot *s, struct db *db, struct buf *why)
{
	struct db_result *r = NULL;
	enum err e = configuration_fields(db, &r);

	if (!e && db_rows(r) > POLICY_SUBJECTS_MAX)
		e = ERR_DICTIONARY;
	if (!e) {
		s->fields = calloc(db_rows(r) + 1, sizeof *s->fields);
		s->subjects = calloc(db_rows(r) + 1, sizeof *s->subjects);
		if (!s->fields || !s->subjects)
			e = ERR_MEMORY;
	}
	for (size_t i = 0; !e && i < db_rows(r); i++) {
		e = read_field(r, i, &s->fields[i], why);
		if (!e && s->fields[i].number >= FIELD_NUMBERS)
			e = ERR_DICTIONARY;
		if (e)
			break;
		s->subject_of_number[s->fields[i].number] = (uint16_t)(i + 1);
		s->n_fields = i + 1;
	}
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		s->subjects[i] = (struct policy_subject){f->name, f->class_name, f->record, f->n_masks, {NULL}};
		for (size_t k = 0; k < f->n_masks; k++)
			s->subjects[i].masks[k] = f->masks[k].name;
	}
	db_result_free(r);
	return e;
}

/* What the definition asks of a consent. */
static enum err read_consent_terms(const struct node *n, struct purpose *p)
{
	size_t len;
	const char *notice = node_string(node_get(n, "notice"), &len);

	p->retention_days = (uint32_t)node_int(node_get(n, "retention_days")); /* 1 to 36500, or absent */
	p->separate = node_bool(node_get(n, "separate_consent"));
	p->written = node_bool(node_get(n, "written_consent"));
	return !notice || copy_name(p->notice, notice) ? ERR_OK : ERR_DICTIONARY;
}

static enum err load_notices(struct snapshot *s, struct db *db)
{
	struct db_result *r = NULL;
	enum err e = notices_in_force(db, &r);

	for (size_t i = 0; !e && i < db_rows(r); i++)
		for (size_t k = 0; k < s->n_purposes; k++) {
			struct purpose *p = &s->purposes[k];

			if (strcmp(p->notice, db_text(r, i, 0)) != 0)
				continue;
			if ((uint32_t)db_int4(r, i, 1) > p->notice_version)
				p->notice_version = (uint32_t)db_int4(r, i, 1);
			if (db_bool(r, i, 2)) {
				p->renewed_version = (uint32_t)db_int4(r, i, 1);
				p->renewed_revision = db_int8(r, i, 3);
			}
		}
	db_result_free(r);
	return e;
}

static enum err read_purpose(const struct db_result *r, size_t i, struct purpose *p)
{
	size_t len, basis_len;
	const uint8_t *definition = db_bytes(r, i, 3, &len);
	struct doc *doc = NULL;
	const char *basis;
	enum err e = doc_parse(definition, len, &doc);

	p->number = (uint16_t)db_int4(r, i, 0);
	p->version = (uint32_t)db_int4(r, i, 2);
	if (!e && !copy_name(p->name, db_text(r, i, 1)))
		e = ERR_DICTIONARY;
	basis = e ? NULL : node_string(node_get(doc_root(doc), "legal_basis"), &basis_len);
	if (!e && (!basis || !copy_name(p->legal_basis, basis)))
		e = ERR_DICTIONARY;
	if (!e)
		e = read_consent_terms(doc_root(doc), p);
	if (!e && !(p->definition = strdup((const char *)definition)))
		e = ERR_MEMORY;
	doc_free(doc);
	return e;
}

static enum err load_purposes(struct snapshot *s, struct db *db)
{
	struct db_result *r = NULL;
	enum err e = configuration_purposes(db, &r);

	if (!e && db_rows(r) > POLICY_PURPOSES_MAX)
		e = ERR_DICTIONARY;
	if (!e) {
		s->purposes = calloc(db_rows(r) + 1, sizeof *s->purposes);
		s->purpose_names = calloc(db_rows(r) + 1, sizeof *s->purpose_names);
		if (!s->purposes || !s->purpose_names)
			e = ERR_MEMORY;
	}
	for (size_t i = 0; !e && i < db_rows(r); i++) {
		s->n_purposes = i + 1;
		e = read_purpose(r, i, &s->purposes[i]);
		s->purpose_names[i] = s->purposes[i].name;
	}
	db_result_free(r);
	return e;
}

static enum err load_policy(struct snapshot *s, struct db *db, struct buf *why)
{
	struct policy_complaints complaints;
	struct db_result *r = NULL;
	size_t len, hash_len;
	enum err e = configuration_policy(db, &r);

	if (!e && db_rows(r) == 0) {
		buf_text(why, "no policy is active; run vaultctl migrate");
		e = ERR_SCHEMA;
	}
	if (!e) {
		const char *text = (const char *)db_bytes(r, 0, 2, &len);
		const uint8_t *hash = db_bytes(r, 0, 1, &hash_len);

		s->policy_version = (uint32_t)db_int4(r, 0, 0);
		s->policy_activated_at_us = db_time_us(r, 0, 3);
		s->policy_activated_by = strdup(db_text(r, 0, 4));
		s->policy_text = strdup(text);
		if (hash_len == sizeof s->policy_hash)
			memcpy(s->policy_hash, hash, hash_len);
		s->world = (struct policy_world){s->subjects, s->n_fields, s->purpose_names, s->n_purposes};
		e = s->policy_text && s->policy_activated_by ? policy_compile(text, len, &s->world, &s->policy, &complaints) : ERR_MEMORY;
		if (e == ERR_POLICY_TEXT && complaints.n)
			buf_printf(why, "active policy, line %u: %s", complaints.list[0].line, complaints.list[0].text);
	}
	db_result_free(r);
	return e;
}

static enum err read_audiences(struct snapshot *s, struct db *db)
{
	struct db_result *r = NULL;
	enum err e = configuration_audiences(db, &r);

	free(s->audiences);
	s->n_audiences = 0;
	s->audiences = e ? NULL : calloc(db_rows(r) + 1, sizeof *s->audiences);
	if (!e && !s->audiences)
		e = ERR_MEMORY;
	for (size_t i = 0; !e && i < db_rows(r); i++) {
		struct audience *a = &s->audiences[s->n_audiences++];

		a->number = (uint16_t)db_int4(r, i, 0);
		a->token_epoch = (uint32_t)db_int4(r, i, 2);
		if (!copy_name(a->name, db_text(r, i, 1)))
			e = ERR_SCHEMA;
	}
	db_result_free(r);
	return e;
}

static enum err load_audiences(struct snapshot *s, struct db *db)
{
	const size_t n = policy_audiences(s->policy);
	enum err e = read_audiences(s, db);

	/* Others add theirs at the same time, and may take the number that we meant: then once more. */
	for (int attempt = 0; !e && attempt < ADD_ATTEMPTS; attempt++) {
		bool added = false;

		for (size_t i = 0; !e && i < n; i++)
			if (snapshot_audience(s, policy_audience_name(s->policy, i)) < 0) {
				e = configuration_add_audience(db, policy_audience_name(s->policy, i));
				added = true;
			}
		if (e || !added)
			break;
		e = read_audiences(s, db);
	}
	s->policy_audience = calloc(n + 1, sizeof *s->policy_audience);
	if (!s->policy_audience)
		return ERR_MEMORY;
	for (size_t i = 0; !e && i < n; i++) {
		const int at = snapshot_audience(s, policy_audience_name(s->policy, i));

		if (at < 0)
			e = ERR_SCHEMA;
		else
			s->policy_audience[i] = (size_t)at;
	}
	return e;
}

static enum err load_frozen(struct snapshot *s, struct db *db)
{
	struct db_result *r = NULL;
	enum err e = configuration_frozen(db, &r);

	s->frozen = e ? NULL : calloc(db_rows(r) + 1, sizeof *s->frozen);
	if (!e && !s->frozen)
		e = ERR_MEMORY;
	for (size_t i = 0; !e && i < db_rows(r); i++) {
		s->frozen[i] = strdup(db_text(r, i, 0));
		s->n_frozen += s->frozen[i] != NULL;
		if (!s->frozen[i])
			e = ERR_MEMORY;
	}
	db_result_free(r);
	return e;
}

static enum err load_canaries(struct snapshot *s, struct db *db)
{
	struct db_result *r = NULL;
	enum err e = canaries(db, &r);

	s->canaries = e ? NULL : calloc(db_rows(r) + 1, sizeof *s->canaries);
	if (!e && !s->canaries)
		e = ERR_MEMORY;
	for (size_t i = 0; !e && i < db_rows(r); i++) {
		size_t len;
		const uint8_t *sref = db_bytes(r, i, 0, &len);

		if (len == SNAPSHOT_SREF_LEN)
			memcpy(s->canaries[s->n_canaries++], sref, len);
	}
	db_result_free(r);
	return e;
}

enum err snapshot_load(struct db *db, struct snapshot **out, struct buf *why)
{
	struct snapshot *s = calloc(1, sizeof *s);
	enum err e;

	*out = NULL;
	if (!s)
		return ERR_MEMORY;
	s->references = 1;
	/* The revision first: a change that comes in between makes the next batch load again. */
	e = configuration_revision(db, &s->revision);
	if (!e)
		e = keys_active(db, &s->key_epoch, &s->key_check);
	if (!e)
		e = load_fields(s, db, why);
	if (!e)
		e = load_purposes(s, db);
	if (!e)
		e = load_notices(s, db);
	if (!e)
		e = load_policy(s, db, why);
	if (!e)
		e = load_audiences(s, db);
	if (!e)
		e = load_frozen(s, db);
	if (!e)
		e = load_canaries(s, db);
	if (e) {
		if (!why->len)
			buf_printf(why, "configuration: %s %s", err_text(e), db_error(db));
		free_all(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}
