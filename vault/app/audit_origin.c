/* audit_origin.c: a new origin for the audit log. Where the database does not have what was signed (an older one was
 * restored), nothing can be signed under the old name without a lie. A person with manage keys opens a new log; its first
 * entry, a record in a stream of its own, names the old log and its last signed size and root. */
#include "vault/app/operations.h"

#include "base/json.h"
#include "base/log.h"
#include "store/audit.h"
#include "vault/app/audit_seal_int.h"
#include "vault/app/manage.h"

#include <stdio.h>
#include <string.h>

/* What was signed last: by the file, or where there is none by the database. size -1: nothing. */
static enum err last_signed(struct req *r, struct batch *b, struct checkpoint *c)
{
	uint8_t public_key[SIGN_PUBLIC_LEN];
	struct audit_log_row log;
	struct buf note, why;
	struct note n;
	enum err e = sign_public(keyring_key(r->app->keyring, KEYRING_SIGN), public_key);

	buf_init(&why, 4096);
	buf_init(&note, NOTE_MAX);
	if (!e)
		e = audit_seal_last_signed(r->app->config, public_key, c, &why);
	if (e && e != ERR_NOT_FOUND)
		log_event(LOG_ERROR, "checkpoint", "reason=\"%s\"", buf_string(&why));
	if (e == ERR_NOT_FOUND)
		e = audit_log_get(b->db, 0, &log, &note);
	else
		goto out;
	if (!e && (note.len == 0 || note_parse((const char *)note.data, note.len, &n)))
		e = ERR_CONFLICT; /* nothing was ever signed: there is no break to name */
	if (!e)
		e = checkpoint_read(n.text, n.text_len, c);
out:
	buf_fini(&note);
	buf_fini(&why);
	return e;
}

static void compose(const struct batch *b, const char *origin, const struct checkpoint *c, int64_t stream, struct buf *out)
{
	char id[32];
	struct json j;

	snprintf(id, sizeof id, "%lld-1", (long long)stream);
	json_init(&j, out);
	json_object(&j);
	json_key_string(&j, "activity", "stream");
	json_key_int(&j, "class_uid", 6003);
	json_key_string(&j, "code", "ok");
	json_key_string(&j, "id", id);
	json_key_string(&j, "node", b->app->node);
	json_key_string(&j, "object", origin);
	json_key_string(&j, "operation", "log.open");
	json_key_string(&j, "outcome", "success");
	json_key_string(&j, "previous_origin", c->origin);
	json_key(&j, "previous_root");
	json_hex(&j, c->root, sizeof c->root);
	json_key_int(&j, "previous_size", (int64_t)c->size);
	json_key(&j, "time");
	json_time(&j, b->now_us);
	json_key_int(&j, "v", 1);
	json_object_end(&j);
}

/* A stream with this one record, which nobody writes further. */
static enum err write_record(struct batch *b, const char *origin, const struct checkpoint *c, int64_t *stream)
{
	struct buf record, bodies;
	enum err e = audit_stream_single(b->db, b->app->node, stream);

	buf_init(&record, 0);
	buf_init(&bodies, 0);
	if (!e) {
		compose(b, origin, c, *stream, &record);
		buf_u16(&bodies, (uint16_t)record.len);
		buf_append(&bodies, record.data, record.len);
		e = buf_err(&bodies);
	}
	if (!e)
		e = audit_segment_single(b->db, b->audit_mac, *stream, b->now_us, &bodies);
	buf_fini(&record);
	buf_fini(&bodies);
	return e;
}

enum step audit_origin_decide(struct req *r, struct batch *b)
{
	static const char *const allowed[] = {"origin", NULL};
	const uint8_t any[SIGN_PUBLIC_LEN] = {0};
	const struct node *root;
	const char *origin;
	struct checkpoint c;
	struct audit_log_row there;
	struct note_key key;
	int64_t stream = 0;

	buf_reset(&r->out);
	if (manage_right(r, RIGHT_MANAGE_KEYS) || req_object(r, allowed, &root))
		return STEP_FAIL;
	origin = manage_text(r, root, "origin", NOTE_NAME_MAX);
	if (!origin)
		return STEP_FAIL;
	if (note_key_of(origin, NOTE_ED25519, any, &key))
		return req_fail(r, ERR_MALFORMED, "/origin"), STEP_FAIL;
	/* Refusals come before the first write: a refused request's batch is committed, with its record. */
	r->err = audit_log_by_origin(b->db, origin, &there);
	if (!r->err && there.log)
		r->err = req_fail(r, ERR_CONFLICT, "/origin");
	if (!r->err)
		r->err = last_signed(r, b, &c);
	if (!r->err)
		r->err = write_record(b, origin, &c, &stream);
	if (!r->err)
		r->err = audit_log_next(b->db, origin, stream);
	if (r->err)
		return STEP_FAIL;
	buf_printf(&r->out, "{\"origin\":\"%s\",\"previous_origin\":\"%s\",\"previous_size\":%llu,\"record\":\"%lld-1\"}", origin, c.origin,
	           (unsigned long long)c.size, (long long)stream);
	r->status = 201;
	return manage_note(r, b, "log", origin);
}
