/* keys.c: key epochs over REST: what there is, activation, destruction. The keyrings themselves are changed on
 * each node's disk by vaultctl; the database says which epoch counts. */
#include "store/keys.h"

#include "store/configuration_write.h"
#include "vault/app/key_worker.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One epoch as the database has it. */
struct epoch_row {
	bool found, active, destroyed;
	int64_t activated_at_us, retired_at_us;
	uint32_t newest; /* of all */
};

static enum err find_epoch(struct db *db, uint32_t epoch, struct epoch_row *out)
{
	struct db_result *rows = NULL;
	enum err e = keys_epochs(db, &rows);

	*out = (struct epoch_row){.found = false};
	for (size_t i = 0; i < db_rows(rows) && !e; i++) {
		out->newest = (uint32_t)db_int4(rows, i, 0);
		if (out->newest != epoch)
			continue;
		out->found = true;
		out->active = !strcmp(db_text(rows, i, 1), "active");
		out->destroyed = !strcmp(db_text(rows, i, 1), "destroyed");
		out->activated_at_us = db_time_us(rows, i, 3);
		out->retired_at_us = db_null(rows, i, 4) ? 0 : db_time_us(rows, i, 4);
	}
	db_result_free(rows);
	return e;
}

static bool take_epoch(struct req *r, uint32_t *epoch)
{
	const char *text = r->params[0];
	const size_t len = strspn(text, "0123456789");

	*epoch = len && len < 10 && !text[len] ? (uint32_t)strtoul(text, NULL, 10) : 0;
	if (!*epoch)
		(void)req_fail(r, ERR_NOT_FOUND, "epoch");
	return *epoch > 0;
}

static void put_time(struct json *j, const char *key, const struct db_result *rows, size_t i, int column)
{
	json_key(j, key);
	if (db_null(rows, i, column))
		json_null(j);
	else
		json_time(j, db_time_us(rows, i, column));
}

static int64_t rows_on(const struct db_result *counts, int32_t epoch)
{
	for (size_t i = 0; i < db_rows(counts); i++)
		if (db_int4(counts, i, 0) == epoch)
			return db_int8(counts, i, 1);
	return 0;
}

static void put_epochs(struct json *j, const struct db_result *epochs, const struct db_result *counts, int64_t overlap_s)
{
	int64_t total = 0, current = 0;

	json_key(j, "epochs");
	json_array(j);
	for (size_t i = 0; i < db_rows(epochs); i++) {
		const int64_t rows = rows_on(counts, db_int4(epochs, i, 0));
		const char *state = db_text(epochs, i, 1);

		total += rows;
		current += strcmp(state, "active") ? 0 : rows;
		json_object(j);
		json_key_int(j, "epoch", db_int4(epochs, i, 0));
		json_key_string(j, "state", state);
		json_key_int(j, "customers", rows);
		put_time(j, "activated_at", epochs, i, 3);
		put_time(j, "retired_at", epochs, i, 4);
		json_key(j, "destroyable_at");
		if (strcmp(state, "retiring") != 0)
			json_null(j);
		else
			json_time(j, db_time_us(epochs, i, 4) + overlap_s * 1000000);
		put_time(j, "destroyed_at", epochs, i, 5);
		put_time(j, "gone_at", epochs, i, 6);
		json_object_end(j);
	}
	json_array_end(j);
	json_key_int(j, "customers", total);
	json_key_int(j, "customers_on_active_epoch", current);
}

static void put_nodes(struct json *j, const struct db_result *nodes)
{
	json_key(j, "nodes");
	json_array(j);
	for (size_t i = 0; i < db_rows(nodes); i++) {
		json_object(j);
		json_key_string(j, "node", db_text(nodes, i, 0));
		json_key_bool(j, "live", db_bool(nodes, i, 1));
		put_time(j, "seen_at", nodes, i, 2);
		json_key_string(j, "fingerprint", db_text(nodes, i, 3));
		json_key(j, "epochs");
		json_raw(j, "[", 1);
		buf_text(j->out, db_text(nodes, i, 4)); /* digits and commas */
		buf_text(j->out, "]");
		json_object_end(j);
	}
	json_array_end(j);
}

enum step key_epochs_decide(struct req *r, struct batch *b)
{
	struct db_result *epochs = NULL, *counts = NULL, *nodes = NULL;
	struct json j;

	if (manage_right(r, RIGHT_MANAGE_KEYS))
		return STEP_FAIL;
	r->err = keys_epochs(b->db, &epochs);
	if (!r->err)
		r->err = keys_counts(b->db, &counts);
	if (!r->err)
		r->err = keys_nodes(b->db, &nodes);
	if (!r->err) {
		json_init(&j, &r->out);
		json_object(&j);
		json_key_int(&j, "active_epoch", b->snapshot->key_epoch);
		put_epochs(&j, epochs, counts, b->app->config->key_overlap_s);
		put_nodes(&j, nodes);
		json_object_end(&j);
	}
	db_result_free(epochs);
	db_result_free(counts);
	db_result_free(nodes);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static void say_state(struct req *r, uint32_t epoch, const char *state)
{
	struct json j;

	json_init(&j, &r->out);
	json_object(&j);
	json_key_int(&j, "epoch", epoch);
	json_key_string(&j, "state", state);
	json_object_end(&j);
}

static enum step note_epoch(struct req *r, struct batch *b, uint32_t epoch, bool changed)
{
	char name[16];

	snprintf(name, sizeof name, "%u", epoch);
	return changed ? manage_done(r, b, "key_epoch", name) : manage_note(r, b, "key_epoch", name);
}

/* Refuses and names the live nodes that lack it; STEP_MORE: none does. */
static enum step refuse_lacking(struct req *r, struct batch *b, uint32_t epoch, uint64_t check)
{
	struct db_result *nodes = NULL;
	enum step step = STEP_MORE;
	struct json j;

	r->err = keys_lacking(b->db, epoch, check, &nodes);
	if (r->err)
		step = STEP_FAIL;
	if (!r->err && db_rows(nodes)) {
		manage_problem(r, ERR_KEY_NODES, NULL, &j);
		json_key(&j, "nodes");
		json_array(&j);
		for (size_t i = 0; i < db_rows(nodes); i++)
			json_string(&j, db_text(nodes, i, 0));
		json_array_end(&j);
		step = manage_refused(r, b, ERR_KEY_NODES, &j);
	}
	db_result_free(nodes);
	return step;
}

enum step key_activate_decide(struct req *r, struct batch *b)
{
	struct epoch_row row;
	uint64_t check = 0;
	uint32_t epoch;
	enum step step;

	if (manage_right(r, RIGHT_MANAGE_KEYS) || !take_epoch(r, &epoch))
		return STEP_FAIL;
	r->err = find_epoch(b->db, epoch, &row);
	if (r->err)
		return STEP_FAIL;
	if (row.active) { /* a repeat */
		say_state(r, epoch, "active");
		return note_epoch(r, b, epoch, false);
	}
	if (row.found || epoch < row.newest)
		return manage_refuse(r, b, ERR_KEY_STATE, "an epoch is made active once");
	if (!keyring_check(b->keyring, epoch, &check))
		return manage_refuse(r, b, ERR_KEY_NODES, "the keyring of this node lacks it: run vaultctl key rotate, and reload");
	step = refuse_lacking(r, b, epoch, check);
	if (step != STEP_MORE)
		return step;
	step = manage_claim(r, b);
	if (step != STEP_DONE)
		return step;
	r->err = keys_activate(b->db, epoch, check, b->now_us);
	if (r->err)
		return STEP_FAIL;
	say_state(r, epoch, "active");
	return note_epoch(r, b, epoch, true);
}

enum step key_destroy_decide(struct req *r, struct batch *b)
{
	struct epoch_row row;
	bool any = true;
	uint32_t epoch;
	enum step step;

	if (manage_right(r, RIGHT_MANAGE_KEYS) || !take_epoch(r, &epoch))
		return STEP_FAIL;
	r->err = find_epoch(b->db, epoch, &row);
	if (!r->err && !row.found)
		r->err = req_fail(r, ERR_NOT_FOUND, "epoch");
	if (!r->err)
		r->err = keys_any(b->db, epoch, &any);
	if (r->err)
		return STEP_FAIL;
	if (row.active)
		return manage_refuse(r, b, ERR_KEY_STATE, "it is the active epoch: rotate first");
	if (any)
		return manage_refuse(r, b, ERR_KEY_IN_USE, "customers' keys are still under it; vaultctl key status tells how many");
	if (row.destroyed) { /* a repeat */
		say_state(r, epoch, "destroyed");
		return note_epoch(r, b, epoch, false);
	}
	if (row.retired_at_us + b->app->config->key_overlap_s * 1000000 > b->now_us)
		return manage_refuse(r, b, ERR_KEY_IN_USE, "its overlap has not passed; vaultctl key status tells when it will have");
	step = manage_claim(r, b);
	if (step != STEP_DONE)
		return step;
	r->err = keys_destroy(b->db, epoch, b->now_us);
	if (r->err)
		return STEP_FAIL;
	say_state(r, epoch, "destroyed");
	return note_epoch(r, b, epoch, true);
}
