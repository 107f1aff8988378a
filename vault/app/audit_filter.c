/* audit_filter.c: matching of stored records. */
#include "vault/app/audit_filter.h"

#include "base/json.h"
#include "store/audit.h"

#include <string.h>

void audit_filter_init(struct audit_filter *f)
{
	*f = (struct audit_filter){.until_us = INT64_MAX};
}

void audit_filter_times(struct audit_filter *f, int64_t since_us, int64_t until_us)
{
	f->since_us = since_us;
	f->until_us = until_us;
	f->since[0] = f->until[0] = 0;
	if (since_us > 0)
		clock_format(since_us, f->since);
	if (until_us != INT64_MAX)
		clock_format(until_us, f->until);
}

enum err audit_filter_member(struct audit_filter *f, struct arena *a, const char *member, const char *value, char kind,
                             const void *key_bytes, size_t key_len)
{
	struct buf text;
	struct json j;
	enum err e;

	if (f->n == FILTER_TERMS)
		return ERR_INTERNAL;
	buf_init(&text, 0);
	json_init(&j, &text);
	json_key_string(&j, member, value);
	e = buf_err(&text);
	if (!e && !(f->terms[f->n].text = arena_copy(a, text.data, text.len)))
		e = ERR_MEMORY;
	if (!e) {
		f->terms[f->n].len = text.len;
		f->terms[f->n++].key = audit_key(kind, key_bytes, key_len);
	}
	buf_fini(&text);
	return e;
}

/* A member stands behind { or a comma. */
static const char *find_member(const char *record, size_t len, const char *text, size_t text_len)
{
	const char *at = record, *end = record + len;

	while ((at = memmem(at, (size_t)(end - at), text, text_len))) {
		if (at > record && (at[-1] == ',' || at[-1] == '{'))
			return at;
		at++;
	}
	return NULL;
}

static bool time_matches(const struct audit_filter *f, const char *record, size_t len)
{
	static const char member[] = "\"time\":\"";
	const size_t member_len = sizeof member - 1, time_len = CLOCK_TEXT_LEN - 1;
	const char *at;

	if (!f->since[0] && !f->until[0])
		return true;
	at = find_member(record, len, member, member_len);
	if (!at || (size_t)(record + len - at) < member_len + time_len)
		return false;
	at += member_len; /* all times have one form, so text order is time order */
	return (!f->since[0] || memcmp(at, f->since, time_len) >= 0) && (!f->until[0] || memcmp(at, f->until, time_len) < 0);
}

bool audit_filter_matches(const struct audit_filter *f, const char *record, size_t len)
{
	for (size_t i = 0; i < f->n; i++)
		if (!find_member(record, len, f->terms[i].text, f->terms[i].len))
			return false;
	return time_matches(f, record, len);
}

void audit_filter_keys(const struct audit_filter *f, struct db_array *out)
{
	for (size_t i = 0; i < f->n; i++)
		db_array_int8(out, f->terms[i].key);
}

struct audit_walk audit_walk_of(const struct db_result *rows, size_t row)
{
	size_t len = 0;
	const uint8_t *bodies = db_bytes(rows, row, 4, &len);

	return (struct audit_walk){.in = reader_of(bodies, len), .seq = db_int8(rows, row, 1)};
}

bool audit_walk_next(struct audit_walk *w, const char **record, size_t *len, int64_t *seq)
{
	if (w->in.left == 0 || w->in.failed)
		return false;
	*len = reader_u16(&w->in);
	*record = (const char *)reader_bytes(&w->in, *len);
	*seq = w->seq++;
	return *record != NULL;
}
