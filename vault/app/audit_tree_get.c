/* audit_tree_get.c: the tree of the audit log, read: checkpoint, tiles, entries and
 * proofs, in C2SP's forms. Hashes tell nothing of a record, so fetching them leaves
 * no record; entries are records, and do.
 *
 * Who may read the log may read all of it. Anybody with a role may have the proof of a record in which it is the actor: it
 * binds the vault to what was written about it. The record itself is not shown to it: its sref would let two audiences join. */
#include "vault/app/operations.h"

#include "crypto/tlog.h"
#include "store/audit_query.h"
#include "store/audit_tree.h"
#include "vault/app/audit_filter.h"
#include "vault/app/audit_id.h"
#include "vault/app/manage.h"

#include <string.h>

#define CACHE_FOREVER "private, max-age=31536000, immutable" /* private: each caller's own right */

/* The log asked for; by default the one in use. */
static enum err find_log(struct req *r, struct batch *b, struct audit_log_row *log, struct buf *checkpoint)
{
	int64_t number = 0;
	enum err e = req_query_number(r, "log", 1, INT32_MAX, 0, &number);

	if (!e)
		e = audit_log_get(b->db, (int32_t)number, log, checkpoint);
	if (!e && !log->log)
		e = number ? req_fail(r, ERR_NOT_FOUND, "log") : ERR_NOT_SEALED;
	return e;
}

enum step audit_checkpoint_decide(struct req *r, struct batch *b)
{
	struct audit_log_row log;

	buf_reset(&r->out);
	r->err = manage_right(r, RIGHT_READ_AUDIT);
	if (!r->err)
		r->err = find_log(r, b, &log, &r->out);
	if (!r->err && r->out.len == 0)
		r->err = ERR_NOT_SEALED;
	r->content_type = "text/plain; charset=utf-8";
	return r->err ? STEP_FAIL : STEP_DONE;
}

static enum err put_hashes(struct req *r, struct batch *b, const struct audit_log_row *log, const struct tlog_tile *t)
{
	uint8_t hashes[MERKLE_TILE_LEN];
	enum err e = audit_tree_tile(b->db, log->log, t->level, t->index, t->width, hashes);

	if (!e)
		buf_append(&r->out, hashes, (size_t)t->width * MERKLE_HASH_LEN);
	return e ? e : buf_err(&r->out);
}

static enum err put_entries(struct req *r, struct batch *b, const struct audit_log_row *log, const struct tlog_tile *t)
{
	const struct audit_entry entry = {.activity = "audit_read", .object = r->params[0], .count = t->width, .state = -1};
	enum err e = t->index < MERKLE_SIZE_MAX / MERKLE_TILE_WIDTH ? ERR_OK : ERR_NOT_FOUND;

	if (!e)
		e = audit_tree_entries(b->db, log->log, (int64_t)t->index * MERKLE_TILE_WIDTH, t->width, &r->out);
	return e ? e : audit_add(r, b, &entry);
}

enum step audit_tile_decide(struct req *r, struct batch *b)
{
	struct audit_log_row log;
	struct tlog_tile t;

	buf_reset(&r->out);
	r->err = manage_right(r, RIGHT_READ_AUDIT);
	if (!r->err && tlog_tile_read(r->params[0], strlen(r->params[0]), &t))
		r->err = req_fail(r, ERR_NOT_FOUND, "tile");
	if (!r->err)
		r->err = find_log(r, b, &log, NULL);
	if (!r->err)
		r->err = t.entries ? put_entries(r, b, &log, &t) : put_hashes(r, b, &log, &t);
	r->content_type = "application/octet-stream";
	r->cache_control = CACHE_FOREVER;
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* ---- the proof of one record ---- */

static bool is_actor(const struct req *r, const char *record, size_t len)
{
	struct doc *doc = NULL;
	size_t actor_len = 0;
	const char *actor = doc_parse(record, len, &doc) ? NULL : node_string(node_get(doc_root(doc), "actor"), &actor_len);
	const bool same = actor && actor_len == strlen(r->identity) && !memcmp(actor, r->identity, actor_len);

	doc_free(doc);
	return same && r->who.roles;
}

/* The hash of a record that the caller may have the proof of; ERR_NOT_FOUND whether it is another's or nobody's. */
static enum err find_leaf(struct req *r, struct batch *b, int64_t stream, int64_t seq, struct hash *h, uint8_t leaf[static MERKLE_HASH_LEN])
{
	struct policy_verdict v;
	const bool reads_all = policy_has_right(r->snapshot->policy, &r->who, RIGHT_READ_AUDIT, &v);
	struct db_result *rows = NULL;
	struct audit_walk w = {{0}, 0};
	const char *record = NULL;
	size_t len = 0;
	int64_t at = 0;
	enum err e = audit_query_one(b->db, stream, seq, &rows);

	if (!e && db_rows(rows))
		w = audit_walk_of(rows, 0);
	while (!e && at != seq && audit_walk_next(&w, &record, &len, &at))
		;
	if (!e && (at != seq || !(reads_all || is_actor(r, record, len))))
		e = req_fail(r, ERR_NOT_FOUND, "id");
	if (!e)
		e = merkle_leaf(h, record, len, leaf);
	db_result_free(rows);
	return e;
}

static enum err put_proof(struct req *r, struct batch *b, int64_t stream, int64_t seq, struct hash *h)
{
	struct tlog_proof p = {.extra_len = MERKLE_HASH_LEN};
	struct audit_tree_source source = {.db = b->db};
	const struct merkle_tiles tiles = {audit_tree_read, &source};
	struct audit_log_row log;
	struct buf note;
	int64_t index = 0;
	enum err e = find_leaf(r, b, stream, seq, h, p.extra);

	buf_init(&note, NOTE_MAX);
	if (!e) {
		e = audit_tree_find(b->db, stream, seq, &source.log, &index);
		e = e == ERR_NOT_FOUND ? ERR_NOT_SEALED : e;
	}
	if (!e)
		e = audit_log_get(b->db, source.log, &log, &note);
	if (!e && log.checkpoint_size <= index)
		e = ERR_NOT_SEALED;
	if (!e)
		e = merkle_inclusion(h, &tiles, (uint64_t)log.checkpoint_size, (uint64_t)index, &p.path);
	if (!e) {
		p.index = (uint64_t)index;
		p.note = (const char *)note.data;
		p.note_len = note.len;
		tlog_proof_write(&p, &r->out);
		e = buf_err(&r->out);
	}
	buf_fini(&note);
	return e;
}

enum step audit_proof_decide(struct req *r, struct batch *b)
{
	struct hash *h = NULL;
	int64_t stream, seq;

	buf_reset(&r->out);
	r->err = hash_new(&h);
	if (!r->err && !audit_id_read(r->params[0], &stream, &seq))
		r->err = req_fail(r, ERR_NOT_FOUND, "id");
	if (!r->err)
		r->err = put_proof(r, b, stream, seq, h);
	hash_free(h);
	r->content_type = "text/plain; charset=utf-8";
	return r->err ? STEP_FAIL : STEP_DONE;
}
