/* notices.c: privacy notices: versions of a text in several languages. A version may
 * ask for all consents on it anew. */
#include "vault/app/manage.h"
#include "vault/app/operations.h"

#include "crypto/mac.h"
#include "store/consents.h"

#include <stdlib.h>
#include <string.h>

#define LANGUAGES_MAX 40
#define TEXT_MAX ((size_t)64 << 10)

struct text {
	const char *language;
	const struct node *value;
};

static int by_language(const void *a, const void *b)
{
	return strcmp(((const struct text *)a)->language, ((const struct text *)b)->language);
}

static bool language_valid(const char *text)
{
	const size_t len = strlen(text);

	return len >= 2 && len <= 35 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* {"en":"...","zh":"..."}, sorted: what is hashed and stored. */
static enum err read_texts(struct req *r, const struct node *n, struct buf *out)
{
	struct text texts[LANGUAGES_MAX];
	struct node_iter it = node_members(n);
	const struct node *value;
	size_t count = 0;
	struct json j;

	if (node_type(n) != NODE_OBJECT || node_count(n) == 0 || node_count(n) > LANGUAGES_MAX)
		return req_fail(r, ERR_MALFORMED, "/texts");
	while ((value = node_next(&it))) {
		size_t len = 0;

		if (!language_valid(it.key) || !node_string(value, &len) || len == 0 || len > TEXT_MAX)
			return req_fail(r, ERR_MALFORMED, "/texts/%.40s", it.key);
		texts[count++] = (struct text){it.key, value};
	}
	qsort(texts, count, sizeof *texts, by_language);
	json_init(&j, out);
	json_object(&j);
	for (size_t i = 0; i < count; i++) {
		size_t len = 0;
		const char *text = node_string(texts[i].value, &len); /* apart: arguments have no order */

		json_key(&j, texts[i].language);
		json_string_len(&j, text, len);
	}
	json_object_end(&j);
	return buf_err(out) ? req_fail(r, ERR_MEMORY, NULL) : ERR_OK;
}

static uint32_t newest_version(const struct db_result *rows)
{
	return db_rows(rows) ? (uint32_t)db_int4(rows, 0, 0) : 0;
}

static enum step publish(struct req *r, struct batch *b, struct buf *texts, bool renew)
{
	struct db_result *rows = NULL;
	uint8_t hash[32];
	struct notice_entry n = {.name = r->params[0], .renew = renew, .revision = r->snapshot->revision + 1, .hash = hash, .at_us = b->now_us, .by = r->identity};
	struct json j;
	enum step step = manage_claim(r, b);

	if (step != STEP_DONE)
		return step;
	r->err = notice_versions(b->db, n.name, &rows);
	n.version = newest_version(rows) + 1;
	db_result_free(rows);
	n.texts = buf_string(texts);
	if (!r->err)
		r->err = sha256_of(texts->data, texts->len, hash);
	if (!r->err)
		r->err = notice_add(b->db, &n);
	if (r->err)
		return STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key_string(&j, "name", n.name);
	json_key_int(&j, "version", n.version);
	json_key_bool(&j, "renew", renew);
	json_key(&j, "sha256");
	json_hex(&j, hash, sizeof hash);
	json_object_end(&j);
	r->status = n.version == 1 ? 201 : 200;
	return manage_done(r, b, "notice", n.name);
}

enum step notice_put_decide(struct req *r, struct batch *b)
{
	static const char *const keys[] = {"texts", "renew", NULL};
	const struct node *root = NULL, *renew;
	struct buf texts;
	enum step step;

	buf_reset(&r->out);
	if (manage_right(r, RIGHT_MANAGE_NOTICES) || req_object(r, keys, &root))
		return STEP_FAIL;
	renew = node_get(root, "renew");
	if (!field_name_valid(r->params[0]) || (renew && node_type(renew) != NODE_BOOL))
		return req_fail(r, ERR_MALFORMED, renew ? "/renew" : "name"), STEP_FAIL;
	buf_init(&texts, 0);
	step = read_texts(r, node_get(root, "texts"), &texts) ? STEP_FAIL : publish(r, b, &texts, node_bool(renew));
	buf_fini(&texts);
	return step;
}

enum step notice_get_decide(struct req *r, struct batch *b)
{
	struct db_result *rows = NULL;
	struct json j;

	buf_reset(&r->out);
	if (!r->who.roles)
		return req_fail(r, ERR_POLICY_DENIED, NULL), STEP_FAIL;
	r->err = notice_versions(b->db, r->params[0], &rows);
	if (!r->err && db_rows(rows) == 0)
		r->err = ERR_NOT_FOUND;
	json_init(&j, &r->out);
	json_object(&j);
	json_key_string(&j, "name", r->params[0]);
	json_key(&j, "versions");
	json_array(&j);
	for (size_t i = 0; !r->err && i < db_rows(rows); i++) {
		size_t len;
		const uint8_t *hash = db_bytes(rows, i, 3, &len);

		json_object(&j);
		json_key_int(&j, "version", db_int4(rows, i, 0));
		json_key_bool(&j, "renew", db_bool(rows, i, 1));
		json_key(&j, "sha256");
		json_hex(&j, hash, len);
		json_key(&j, "published_at");
		json_time(&j, db_time_us(rows, i, 4));
		json_key_string(&j, "published_by", db_text(rows, i, 5));
		json_key(&j, "texts");
		json_raw(&j, db_text(rows, i, 2), strlen(db_text(rows, i, 2)));
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	db_result_free(rows);
	return r->err ? STEP_FAIL : STEP_DONE;
}
