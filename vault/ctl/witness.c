/* witness.c: add-checkpoint and the state that it guards. */
#include "ctl/witness.h"

#include "crypto/secret.h"
#include "ctl/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT "text/plain; charset=utf-8"

static void answer(struct witness_reply *r, unsigned status, const char *text)
{
	r->status = status;
	r->type = TEXT;
	buf_reset(&r->body);
	buf_printf(&r->body, "%s\n", text);
}

/* ---- state ---- */

static enum err read_state(struct witness *w, struct buf *why)
{
	struct note note;
	enum err e;

	if (w->note.len == 0)
		return ERR_OK;
	e = checkpoint_open((const char *)w->note.data, w->note.len, &w->log, &note, &w->last);
	if (!e)
		e = note_verify(&note, &w->own, &w->last_time);
	if (e)
		buf_printf(why, "%s: is not what this witness has cosigned of this log", w->state);
	return e ? ERR_SEAL : ERR_OK;
}

enum err witness_open(struct witness *w, bool fresh, struct buf *why)
{
	const bool there = access(w->state, F_OK) == 0;
	enum err e = hash_new(&w->hash);

	buf_init(&w->note, 2 * NOTE_MAX);
	if (!e)
		e = sha256_of("", 0, w->last.root);
	if (e)
		return e;
	if (fresh && there) {
		buf_printf(why, "%s: is there; a witness begins once", w->state);
		return ERR_CONFLICT;
	}
	if (!fresh && !there) {
		buf_printf(why, "%s: is not there. A witness that has forgotten would cosign a second history: bring the file back, "
		           "or begin with --new and under a new key", w->state);
		return ERR_NOT_FOUND;
	}
	if (fresh)
		return file_replace(w->state, "", 0, why) ? ERR_OK : ERR_IO;
	if (!input_read(w->state, NOTE_MAX, &w->note)) {
		buf_printf(why, "%s: can't be read", w->state);
		return ERR_IO;
	}
	return read_state(w, why);
}

void witness_close(struct witness *w)
{
	buf_fini(&w->note);
	hash_free(w->hash);
	w->hash = NULL;
}

/* ---- add-checkpoint ---- */

/* The log's own lines of a note that was verified, so that the state names both. */
static void copy_log_lines(const struct witness *w, const struct note *note, struct buf *out)
{
	const size_t len = strlen(w->log.name);

	for (size_t i = 0; i < note->n; i++) {
		const struct note_signature *s = &note->signatures[i];

		if (s->name_len == len && !memcmp(s->name, w->log.name, len))
			buf_printf(out, "\xe2\x80\x94 %.*s %.*s\n", (int)s->name_len, s->name, (int)s->base64_len, s->base64);
	}
}

/* Cosigns, stores, and only then puts the line into the reply. */
static void cosign(struct witness *w, const struct note *note, const struct checkpoint *c, uint64_t now, struct witness_reply *reply)
{
	const uint64_t time = now > w->last_time ? now : w->last_time; /* a clock that went back says nothing older */
	struct buf line, state, why;
	enum err e;

	buf_init(&line, 1024);
	buf_init(&state, 2 * NOTE_MAX);
	buf_init(&why, 1024);
	e = note_sign(&w->own, w->seed, note->text, note->text_len, time, &line);
	buf_append(&state, note->text, note->text_len);
	buf_byte(&state, '\n');
	copy_log_lines(w, note, &state);
	buf_append(&state, line.data, line.len);
	if (!e)
		e = buf_err(&state);
	if (!e && !file_replace(w->state, state.data, state.len, &why)) {
		complain(CTL_SERVER, "%s", buf_string(&why));
		e = ERR_IO;
	}
	if (e) {
		answer(reply, 500, "the checkpoint could not be stored, so it is not cosigned");
	} else {
		struct buf old = w->note;

		w->note = state;
		state = old;
		w->last = *c;
		w->last_time = time;
		reply->status = 200;
		reply->type = TEXT;
		buf_append(&reply->body, line.data, line.len);
	}
	buf_fini(&line);
	buf_fini(&state);
	buf_fini(&why);
}

static void refuse_size(const struct witness *w, struct witness_reply *reply)
{
	reply->status = 409;
	reply->type = "text/x.tlog.size";
	buf_printf(&reply->body, "%llu\n", (unsigned long long)w->last.size);
}

static void add_checkpoint(struct witness *w, const void *body, size_t len, uint64_t now, struct witness_reply *reply)
{
	struct tlog_addition a;
	struct checkpoint c;
	struct note note;
	enum err e;

	if (tlog_addition_read(body, len, &a) || note_parse(a.note, a.note_len, &note) || checkpoint_read(note.text, note.text_len, &c)) {
		answer(reply, 400, "the body is not that of add-checkpoint");
		return;
	}
	if (strcmp(c.origin, w->log.name) != 0) {
		answer(reply, 404, "this witness does not know the log");
		return;
	}
	if (note_verify(&note, &w->log, NULL)) {
		answer(reply, 403, "the checkpoint is not signed by the log's key");
		return;
	}
	if (a.old_size > c.size) {
		answer(reply, 400, "the old size is above the checkpoint's");
		return;
	}
	if (a.old_size != w->last.size) {
		refuse_size(w, reply);
		return;
	}
	e = merkle_check_consistency(w->hash, &a.path, w->last.size, w->last.root, c.size, c.root);
	if (e == ERR_OK)
		cosign(w, &note, &c, now, reply);
	else if (e == ERR_SEAL)
		answer(reply, 422, "the proof does not lead from the last cosigned checkpoint to this one");
	else
		answer(reply, 500, "the proof could not be checked");
}

/* "/" + hex of the SHA-256 of the origin + "/checkpoint" */
static bool is_monitoring_path(const struct witness *w, const char *path)
{
	char wanted[96] = "/";
	uint8_t hash[32];

	if (sha256_of(w->log.name, strlen(w->log.name), hash))
		return false;
	for (size_t i = 0; i < sizeof hash; i++)
		snprintf(wanted + 1 + 2 * i, 3, "%02x", hash[i]);
	strcat(wanted, "/checkpoint");
	return !strcmp(path, wanted);
}

void witness_handle(struct witness *w, const char *method, const char *path, const void *body, size_t len, uint64_t now,
                    struct witness_reply *reply)
{
	const bool add = !strcmp(path, "/add-checkpoint");

	reply->status = 0;
	if (add && !strcmp(method, "POST")) {
		add_checkpoint(w, body, len, now, reply);
	} else if (add || (strcmp(method, "GET") && strcmp(method, "HEAD"))) {
		answer(reply, add ? 405 : 404, add ? "add-checkpoint is a POST" : "there is nothing here");
	} else if (is_monitoring_path(w, path) && w->note.len) {
		reply->status = 200;
		reply->type = TEXT;
		buf_append(&reply->body, w->note.data, w->note.len);
	} else {
		answer(reply, 404, "there is nothing here");
	}
	if (!buf_ok(&reply->body))
		answer(reply, 500, "out of memory");
}

/* ---- the key file ---- */

enum err witness_key_read(const char *text, size_t len, struct note_key *own, uint8_t seed[static SIGN_SEED_LEN])
{
	const char *stop = memchr(text, '\n', len);
	const size_t first = stop ? (size_t)(stop - text) : 0;
	uint8_t public_key[SIGN_PUBLIC_LEN];
	enum err e;

	if (!stop || note_key_read(text, first, own) || own->type != NOTE_COSIGNATURE || len != first + 1 + 5 + 2 * SIGN_SEED_LEN + 1 ||
	    memcmp(stop + 1, "seed ", 5) != 0 || text[len - 1] != '\n' || !input_hex(stop + 6, (size_t)2 * SIGN_SEED_LEN, seed, SIGN_SEED_LEN))
		return ERR_MALFORMED;
	e = sign_public(seed, public_key);
	return e ? e : memcmp(public_key, own->public_key, sizeof public_key) != 0 ? ERR_MALFORMED : ERR_OK;
}

enum err witness_key_write(const struct note_key *own, const uint8_t seed[static SIGN_SEED_LEN], struct buf *out)
{
	char key[NOTE_KEY_TEXT_MAX];

	note_key_write(own, key);
	buf_printf(out, "%s\nseed ", key);
	for (size_t i = 0; i < SIGN_SEED_LEN; i++)
		buf_printf(out, "%02x", seed[i]);
	buf_byte(out, '\n');
	return buf_err(out);
}
