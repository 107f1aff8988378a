/* callers.c: who calls: whoami, freeze and thaw, revocation of an audience's
 * tokens, and reload of certificates. */
#include "vault/app/operations.h"

#include "base/log.h"
#include "store/configuration_write.h"
#include "vault/app/manage.h"

#include <string.h>

#define IDENTITY_MAX 255
#define REASON_MAX 500

enum step whoami_decide(struct req *r, struct batch *b)
{
	const struct policy *p = r->snapshot->policy;
	struct json j;

	(void)b;
	json_init(&j, &r->out);
	json_object(&j);
	json_key_string(&j, "identity", r->identity);
	json_key(&j, "roles");
	json_array(&j);
	for (size_t i = 0; i < policy_roles(p); i++)
		if (r->who.roles & (uint64_t)1 << i)
			json_string(&j, policy_role_name(p, i));
	json_array_end(&j);
	json_key(&j, "audience");
	if (r->audience)
		json_string(&j, r->audience->name);
	else
		json_null(&j);
	json_key_bool(&j, "frozen", r->frozen);
	json_key(&j, "rights");
	policy_rights_of(p, &r->who, &r->out);
	json_object_end(&j);
	return STEP_DONE;
}

/* spiffe:// and printable ASCII: anything else never matches a certificate. */
static const char *take_identity(struct req *r, const struct node *root)
{
	const char *identity = manage_text(r, root, "identity", IDENTITY_MAX);

	if (!identity)
		return NULL;
	for (const char *at = identity; *at; at++)
		if (*at <= 0x20 || *at > 0x7e)
			return req_fail(r, ERR_MALFORMED, "/identity"), NULL;
	if (strncmp(identity, "spiffe://", 9) != 0)
		return req_fail(r, ERR_MALFORMED, "/identity"), NULL;
	return identity;
}

static void say_frozen(struct req *r, const char *identity, bool frozen)
{
	struct json j;

	json_init(&j, &r->out);
	json_object(&j);
	json_key_string(&j, "identity", identity);
	json_key_bool(&j, "frozen", frozen);
	json_object_end(&j);
}

enum step freeze_decide(struct req *r, struct batch *b)
{
	static const char *const keys[] = {"identity", "reason", NULL};
	const struct node *root = NULL;
	const char *identity, *reason;
	enum step step;

	if (manage_right(r, RIGHT_MANAGE_CALLERS) || req_object(r, keys, &root))
		return STEP_FAIL;
	identity = take_identity(r, root);
	reason = identity ? manage_text(r, root, "reason", REASON_MAX) : NULL;
	if (!reason)
		return STEP_FAIL;
	if (!strcmp(identity, r->identity))
		return manage_refuse(r, b, ERR_CONFLICT, "no identity can freeze itself");
	step = manage_claim(r, b);
	if (step != STEP_DONE)
		return step;
	r->err = configuration_freeze(b->db, identity, reason, b->now_us, r->identity);
	if (r->err)
		return STEP_FAIL;
	say_frozen(r, identity, true);
	return manage_done(r, b, "identity", identity);
}

enum step thaw_decide(struct req *r, struct batch *b)
{
	static const char *const keys[] = {"identity", NULL};
	const struct node *root = NULL;
	const char *identity;
	int64_t rows = 0;
	enum step step;

	if (manage_right(r, RIGHT_MANAGE_CALLERS) || req_object(r, keys, &root))
		return STEP_FAIL;
	identity = take_identity(r, root);
	if (!identity)
		return STEP_FAIL;
	if (!snapshot_frozen(r->snapshot, identity))
		return req_fail(r, ERR_NOT_FOUND, "/identity"), STEP_FAIL;
	step = manage_claim(r, b);
	if (step != STEP_DONE)
		return step;
	r->err = configuration_thaw(b->db, identity, &rows);
	if (r->err)
		return STEP_FAIL;
	say_frozen(r, identity, false);
	return manage_done(r, b, "identity", identity);
}

enum step identities_decide(struct req *r, struct batch *b)
{
	struct db_result *rows = NULL;
	struct json j;

	if (manage_either(r, RIGHT_MANAGE_CALLERS, RIGHT_READ_AUDIT))
		return STEP_FAIL;
	r->err = configuration_frozen_list(b->db, &rows);
	if (r->err)
		return STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key(&j, "frozen");
	json_array(&j);
	for (size_t i = 0; i < db_rows(rows); i++) {
		json_object(&j);
		json_key_string(&j, "identity", db_text(rows, i, 0));
		json_key(&j, "frozen_at");
		json_time(&j, db_time_us(rows, i, 1));
		json_key_string(&j, "frozen_by", db_text(rows, i, 2));
		json_key_string(&j, "reason", db_text(rows, i, 3));
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	db_result_free(rows);
	return STEP_DONE;
}

enum step audience_revoke_decide(struct req *r, struct batch *b)
{
	const char *name = r->params[0];
	uint32_t epoch = 0;
	enum step step;
	struct json j;

	if (manage_right(r, RIGHT_MANAGE_KEYS))
		return STEP_FAIL;
	if (snapshot_audience(r->snapshot, name) < 0)
		return req_fail(r, ERR_NOT_FOUND, "audience"), STEP_FAIL;
	step = manage_claim(r, b);
	if (step != STEP_DONE)
		return step;
	r->err = configuration_next_token_epoch(b->db, name, &epoch);
	if (r->err || epoch == 0)
		return STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key_string(&j, "audience", name);
	json_key_int(&j, "token_epoch", epoch);
	json_object_end(&j);
	return manage_done(r, b, "audience", name);
}

enum step reload_decide(struct req *r, struct batch *b)
{
	struct buf why;
	enum err e = ERR_UNAVAILABLE;

	if (manage_either(r, RIGHT_MANAGE_CALLERS, RIGHT_MANAGE_KEYS))
		return STEP_FAIL;
	buf_init(&why, 4096);
	if (r->app->reload)
		e = r->app->reload(r->app->reload_ctx, &why);
	if (e)
		log_event(LOG_ERROR, "reload_failed", "%s; what was in force stays", buf_string(&why));
	else
		log_event(LOG_INFO, "reloaded", "certificates, trust bundles, deny list and keyring, as an administrator asked");
	buf_fini(&why);
	if (e) /* paths and parse errors are the operator's, in the log */
		return req_fail(r, ERR_INTERNAL, NULL), STEP_FAIL;
	buf_text(&r->out, "{\"reloaded\":true}");
	return manage_note(r, b, "certificates", r->app->node);
}
