/* scrub_name.c: says what is wrong in slices whose rows and log differ. It reads the whole log once, in one view
 * with the rows, and keeps what the log says last of each customer of these slices. */
#include "vault/app/watch_int.h"

#include "base/log.h"
#include "store/watch.h"
#include "vault/app/alarm.h"
#include "vault/app/internal.h"

#include <stdlib.h>
#include <string.h>

#define FINDINGS_A_SLICE 1000
#define CUSTOMERS_MAX ((size_t)1 << 21) /* of the slices in hand; more: their ids are not spread as they should be */

/* A customer of these slices. */
struct known {
	uint8_t sref[SREF_LEN];
	uint8_t logged_sha256[32], row_sha256[32];
	uint32_t logged, row; /* versions; 0: the log, or the table, has none */
	uint32_t slice;
	bool erased, no_large;
};

/* A row that does not open: all that is known of it is what its bytes hash to, and whose write that was. */
struct stray {
	uint8_t sha256[32];
	uint32_t slice;
	uint32_t owner_version; /* 0: no write of the log */
	uint8_t owner[SREF_LEN];
};

struct naming {
	struct watch *w;
	uint32_t first, n;
	const bool *marked;
	struct known **slots;
	size_t size, used;
	struct stray *strays;
	size_t n_strays, cap_strays;
};

/* ---- customers by sref ---- */

static size_t slot_of(const struct naming *m, const uint8_t sref[static SREF_LEN])
{
	uint64_t h;
	size_t at;

	memcpy(&h, sref, sizeof h);
	at = (size_t)h & (m->size - 1);
	while (m->slots[at] && memcmp(m->slots[at]->sref, sref, SREF_LEN) != 0)
		at = (at + 1) & (m->size - 1);
	return at;
}

static enum err grow(struct naming *m)
{
	struct known **old = m->slots;
	const size_t old_size = m->size;

	if (m->used >= CUSTOMERS_MAX)
		return ERR_LIMIT;
	m->size = old_size ? 2 * old_size : 1024;
	m->slots = calloc(m->size, sizeof(struct known *));
	if (!m->slots) {
		m->slots = old;
		m->size = old_size;
		return ERR_MEMORY;
	}
	for (size_t i = 0; i < old_size; i++)
		if (old[i])
			m->slots[slot_of(m, old[i]->sref)] = old[i];
	free(old);
	return ERR_OK;
}

static enum err known_of(struct naming *m, const uint8_t sref[static SREF_LEN], uint32_t slice, struct known **out)
{
	enum err e = 2 * m->used >= m->size ? grow(m) : ERR_OK;
	size_t at;

	if (e)
		return e;
	at = slot_of(m, sref);
	if (!m->slots[at]) {
		m->slots[at] = calloc(1, sizeof **m->slots);
		if (!m->slots[at])
			return ERR_MEMORY;
		memcpy(m->slots[at]->sref, sref, SREF_LEN);
		m->slots[at]->slice = slice;
		m->used++;
	}
	*out = m->slots[at];
	return ERR_OK;
}

static bool wanted(const struct naming *m, uint32_t slice)
{
	return slice >= m->first && slice < m->first + m->n && m->marked[slice - m->first];
}

/* ---- rows ---- */

static enum err add_stray(struct naming *m, uint32_t slice, const uint8_t sha256[static 32])
{
	if (m->n_strays == m->cap_strays) {
		const size_t cap = m->cap_strays ? 2 * m->cap_strays : 64;
		struct stray *moved = realloc(m->strays, cap * sizeof *moved);

		if (!moved)
			return ERR_MEMORY;
		m->strays = moved;
		m->cap_strays = cap;
	}
	m->strays[m->n_strays] = (struct stray){.slice = slice};
	memcpy(m->strays[m->n_strays++].sha256, sha256, 32);
	return ERR_OK;
}

static enum err take_row(void *ctx, uint32_t slice, const uint8_t *sref, uint32_t version, const uint8_t sha256[static 32])
{
	struct naming *m = ctx;
	struct known *k = NULL;
	enum err e;

	if (!wanted(m, slice))
		return ERR_OK;
	if (!sref)
		return add_stray(m, slice, sha256);
	e = known_of(m, sref, slice, &k);
	if (!e) {
		k->row = version;
		memcpy(k->row_sha256, sha256, 32);
	}
	return e;
}

static enum err take_no_large(void *ctx, uint32_t slice, const uint8_t *sref)
{
	struct naming *m = ctx;
	struct known *k = NULL;
	enum err e = wanted(m, slice) ? known_of(m, sref, slice, &k) : ERR_OK;

	if (k)
		k->no_large = true;
	return e;
}

/* ---- the log ---- */

static int by_sha256(const void *a, const void *b)
{
	return memcmp(((const struct stray *)a)->sha256, ((const struct stray *)b)->sha256, 32);
}

static void find_owner(struct naming *m, const uint8_t sref[static SREF_LEN], uint32_t version, const uint8_t sha256[static 32])
{
	struct stray wanted_one = {.slice = 0};
	struct stray *s;

	memcpy(wanted_one.sha256, sha256, 32);
	s = m->n_strays ? bsearch(&wanted_one, m->strays, m->n_strays, sizeof *s, by_sha256) : NULL;
	while (s && s > m->strays && !memcmp(s[-1].sha256, sha256, 32))
		s--;
	for (; s && s < m->strays + m->n_strays && !memcmp(s->sha256, sha256, 32); s++) {
		s->owner_version = version;
		memcpy(s->owner, sref, SREF_LEN);
	}
}

static enum err take_record(void *ctx, const char *record, size_t len, bool of_row)
{
	struct naming *m = ctx;
	const int64_t version = of_row ? record_int(record, len, "row_version") : 0;
	uint8_t sref[SREF_LEN], sha256[32];
	struct known *k = NULL;
	uint32_t slice = 0;
	bool written;
	enum err e;

	if (version <= 0 || !record_hex(record, len, "sref", sref, sizeof sref))
		return ERR_OK;
	written = record_hex(record, len, "row_sha256", sha256, sizeof sha256);
	if (written)
		find_owner(m, sref, (uint32_t)version, sha256);
	e = slice_of(m->w->mac, sref, &slice);
	if (e || !wanted(m, slice))
		return e;
	e = known_of(m, sref, slice, &k);
	if (!e && !written)
		k->erased = true;
	if (!e && written && (uint32_t)version > k->logged) { /* the order of streams is not that of time; versions are */
		k->logged = (uint32_t)version;
		memcpy(k->logged_sha256, sha256, 32);
	}
	return e;
}

static void ignore(void *ctx, int64_t stream, int64_t seq, enum log_break what)
{
	(void)ctx, (void)stream, (void)seq, (void)what; /* the watcher has told of it */
}

static enum err read_log(struct naming *m, struct db *db)
{
	struct log_walk walk = {.mac = m->w->mac, .record = take_record, .broken = ignore, .ctx = m};
	bool more = true;
	enum err e = ERR_OK;

	while (!e && more)
		e = log_walk_lot(&walk, db, &more);
	log_walk_fini(&walk);
	return e;
}

/* ---- the verdict ---- */

struct finding {
	uint8_t sref[SREF_LEN];
	size_t len; /* 0: of no customer */
	const char *what;
};

struct findings {
	uint32_t slice;
	struct finding list[FINDINGS_A_SLICE];
	size_t n;
};

static void add(struct findings *f, const uint8_t *sref, const char *what)
{
	struct finding *one = &f->list[f->n];

	for (size_t i = 0; i < f->n; i++)
		if (f->list[i].what == what && f->list[i].len == (sref ? SREF_LEN : 0) && (!sref || !memcmp(f->list[i].sref, sref, SREF_LEN)))
			return;
	if (f->n == FINDINGS_A_SLICE)
		return;
	*one = (struct finding){.what = what};
	if (sref) {
		memcpy(one->sref, sref, SREF_LEN);
		one->len = SREF_LEN;
	}
	f->n++;
}

/* A row that opens, or a customer whose row was erased, against what the log says last. NULL: as it should be. */
static const char *judge_row(const struct known *k)
{
	if (k->row && k->erased)
		return "returned";
	if (k->row && !k->logged)
		return "inserted";
	if (k->row < k->logged)
		return "rolled_back";
	if (k->row > k->logged || memcmp(k->row_sha256, k->logged_sha256, 32) != 0)
		return "changed";
	return k->no_large ? "value_missing" : NULL;
}

/* The customer has no row that opens: where its last bytes stand tells why. */
static const char *judge_lost(const struct naming *m, const struct known *k, size_t unknown, size_t lost)
{
	bool others = false; /* bytes of another customer stand in this slice */

	for (size_t i = 0; i < m->n_strays; i++) {
		const struct stray *s = &m->strays[i];

		if (s->owner_version && !memcmp(s->owner, k->sref, SREF_LEN))
			return s->slice == k->slice ? "unreadable" : "swapped";
		others = others || (s->owner_version && s->slice == k->slice);
	}
	if (others)
		return "swapped";
	return unknown == 0 ? "deleted" : unknown >= lost ? "changed" : "missing";
}

static bool is_lost(const struct known *k)
{
	return k->logged && !k->row && !k->erased;
}

/* Strays of the slice that no customer who is lost can explain are rows too many. */
static void judge_strays(struct naming *m, struct findings *f, size_t lost)
{
	size_t strays = 0;
	const struct stray *copy = NULL;

	for (size_t i = 0; i < m->n_strays; i++) {
		if (m->strays[i].slice != f->slice)
			continue;
		strays++;
		if (m->strays[i].owner_version)
			copy = &m->strays[i];
	}
	if (strays > lost)
		add(f, copy ? copy->owner : NULL, "inserted");
}

static void judge(struct naming *m, struct findings *f)
{
	size_t lost = 0, unknown = 0;

	for (size_t i = 0; i < m->size; i++)
		lost += m->slots[i] && m->slots[i]->slice == f->slice && is_lost(m->slots[i]);
	for (size_t i = 0; i < m->n_strays; i++)
		unknown += m->strays[i].slice == f->slice;
	for (size_t i = 0; i < m->size; i++) {
		const struct known *k = m->slots[i];
		const char *what;

		if (!k || k->slice != f->slice || (!k->row && !is_lost(k)))
			continue;
		what = k->row ? judge_row(k) : judge_lost(m, k, unknown, lost);
		if (what)
			add(f, k->sref, what);
	}
	judge_strays(m, f, lost);
}

/* ---- kept, and told once ---- */

static bool has(const struct findings *f, const uint8_t *sref, size_t len, const char *what)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i].len == len && !memcmp(f->list[i].sref, sref, len) && !strcmp(f->list[i].what, what))
			return true;
	return false;
}

static bool was_known(const struct db_result *rows, const struct finding *one)
{
	for (size_t i = 0; i < db_rows(rows); i++) {
		size_t len;
		const uint8_t *sref = db_bytes(rows, i, 1, &len);

		if (len == one->len && !memcmp(sref, one->sref, len) && !strcmp(db_text(rows, i, 2), one->what))
			return true;
	}
	return false;
}

static enum step find_decide(struct req *r, struct batch *b)
{
	const struct findings *f = r->plan;
	struct db_result *rows = NULL;

	r->err = scrub_findings(b->db, (int32_t)f->slice, 2 * FINDINGS_A_SLICE, &rows);
	for (size_t i = 0; !r->err && i < db_rows(rows); i++) {
		size_t len;
		const uint8_t *sref = db_bytes(rows, i, 1, &len);

		if (!has(f, sref, len, db_text(rows, i, 2)))
			r->err = scrub_finding_drop(b->db, (int32_t)f->slice, sref, len, db_text(rows, i, 2));
	}
	for (size_t i = 0; !r->err && i < f->n; i++) {
		const struct finding *one = &f->list[i];
		const struct alarm alarm = {.kind = ALARM_ROW, .about = one->what, .sref = one->len ? one->sref : NULL};

		if (was_known(rows, one))
			continue;
		r->err = scrub_finding_add(b->db, (int32_t)f->slice, one->sref, one->len, one->what, b->now_us);
		if (!r->err)
			r->err = alarm_record(r, b, &alarm);
	}
	db_result_free(rows);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route find_route = {.method = "", .pattern = "", .operation = "scrub.find", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                        .decide = find_decide};

static enum err tell(struct naming *m)
{
	struct findings *f = calloc(1, sizeof *f);
	enum err e = f ? ERR_OK : ERR_MEMORY;

	for (uint32_t i = 0; i < m->n && !e; i++) {
		if (!m->marked[i])
			continue;
		*f = (struct findings){.slice = m->first + i};
		judge(m, f);
		e = internal_run(m->w->app, &find_route, f, NULL);
		if (!e && !f->n)
			log_event(LOG_INFO, "scrub_explained", "slice=%u: what differed is as the log says", f->slice);
	}
	free(f);
	return e;
}

static void release(struct naming *m)
{
	for (size_t i = 0; i < m->size; i++)
		free(m->slots[i]);
	free(m->slots);
	free(m->strays);
}

enum err scrub_name(struct watch *w, struct db *db, uint32_t first, uint32_t n, const bool *marked)
{
	struct naming m = {.w = w, .first = first, .n = n, .marked = marked};
	struct scrub_rows rows = {.row = take_row, .no_large = take_no_large, .ctx = &m};
	enum err e = watch_open(db);

	if (!e) {
		e = scrub_rows_read(w, db, first, n, &rows);
		if (!e && m.n_strays)
			qsort(m.strays, m.n_strays, sizeof *m.strays, by_sha256);
		if (!e)
			e = read_log(&m, db);
		if (db_cause(db) == DB_FINE) {
			const enum err closed = watch_close(db);

			e = e ? e : closed;
		}
	}
	if (!e)
		e = tell(&m);
	release(&m);
	return e;
}
