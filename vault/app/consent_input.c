/* consent_input.c: the members of a consent, and what purpose and law ask of them. */
#include "vault/app/consent_input.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 64
#define LANGUAGE_MAX 35 /* BCP 47 */
#define PERSONAL_MAX 1024
#define CLOCKS_APART_US ((int64_t)300 * 1000000) /* another system's clock may run ahead so much */
#define MINOR_YEARS 14

/* The parts of a consent that go into its record, in the order of RFC 8785. */
struct parts {
	const char *basis, *channel, *given_at, *language, *method, *notice;
	bool separate, written;
};

static const char *const channels[] = {"web", "app", "store", "phone", "email", "letter", "event", "other", NULL};

static bool channel_known(const char *text)
{
	for (const char *const *at = channels; *at; at++)
		if (!strcmp(*at, text))
			return true;
	return false;
}

/* A word of few letters, so that nobody's data fits in. */
static bool word_valid(const char *text, size_t most)
{
	const size_t len = strlen(text);

	return len >= 1 && len <= most &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static enum err compose_detail(struct req *r, const struct parts *p, const char **out)
{
	struct buf text;
	struct json j;
	enum err e;

	buf_init(&text, 0);
	json_init(&j, &text);
	json_object(&j);
	json_key_string(&j, "actor", r->identity);
	if (p->basis)
		json_key_string(&j, "basis", p->basis);
	if (p->channel)
		json_key_string(&j, "channel", p->channel);
	if (p->given_at)
		json_key_string(&j, "given_at", p->given_at);
	if (p->language)
		json_key_string(&j, "language", p->language);
	if (p->method)
		json_key_string(&j, "method", p->method);
	if (p->notice)
		json_key_string(&j, "notice", p->notice);
	if (r->request_id[0])
		json_key_string(&j, "request_id", r->request_id);
	if (p->separate)
		json_key_bool(&j, "separate", true);
	if (p->written)
		json_key_bool(&j, "written", true);
	json_object_end(&j);
	*out = buf_ok(&text) ? arena_copy(&r->arena, (const char *)text.data, text.len) : NULL;
	e = *out ? ERR_OK : req_fail(r, ERR_MEMORY, NULL);
	buf_fini(&text);
	return e;
}

static enum err take_word(struct req *r, const struct node *n, const char *at, const char *key, size_t most, const char **out)
{
	const struct node *member = node_get(n, key);
	size_t len;

	*out = node_string(member, &len);
	if (!member)
		return ERR_OK;
	if (!*out || !word_valid(*out, most))
		return req_fail(r, ERR_CONSENT, "%s/%s", at, key);
	return ERR_OK;
}

static enum err take_flag(struct req *r, const struct node *n, const char *at, const char *key, bool *out)
{
	const struct node *member = node_get(n, key);

	if (member && node_type(member) != NODE_BOOL)
		return req_fail(r, ERR_CONSENT, "%s/%s", at, key);
	*out = node_bool(member);
	return ERR_OK;
}

static enum err take_time(struct req *r, const struct node *n, const char *at, const char *key, int64_t fallback, int64_t *out)
{
	const struct node *member = node_get(n, key);
	size_t len = 0;
	const char *text = node_string(member, &len);

	*out = fallback;
	if (!member)
		return ERR_OK;
	if (!text || clock_parse(text, len, out))
		return req_fail(r, ERR_CONSENT, "%s/%s", at, key);
	return ERR_OK;
}

static enum err take_times(struct req *r, const struct node *n, const char *at, bool given, struct consent_event *e, char given_at[static CLOCK_TEXT_LEN])
{
	const int64_t now = clock_now_us();
	int64_t when;

	if (take_time(r, n, at, "given_at", now, &when) || take_time(r, n, at, "valid_until", INT64_MAX, &e->valid_until_us))
		return r->err;
	if (when > now + CLOCKS_APART_US || when < 0)
		return req_fail(r, ERR_CONSENT, "%s/given_at", at);
	if (node_get(n, "valid_until") && (!given || e->valid_until_us <= now))
		return req_fail(r, ERR_CONSENT, "%s/valid_until", at);
	clock_format(when, given_at);
	return ERR_OK;
}

/* On which notice: one that is published, and not older than the last that asked for consent anew. */
static enum err take_notice(struct req *r, const struct node *n, const char *at, const struct purpose *p, bool given, uint32_t *out)
{
	const struct node *member = node_get(n, "notice_version");
	const int64_t v = node_int(member);

	*out = 0;
	if (!member && (!p->notice[0] || !given))
		return ERR_OK;
	if (!member)
		return req_fail(r, ERR_CONSENT, "%s/notice_version", at);
	if (node_type(member) != NODE_INT || v < 1 || !p->notice[0] || v > (int64_t)p->notice_version)
		return req_fail(r, ERR_UNKNOWN_NOTICE, "%s/notice_version", at);
	if (given && v < (int64_t)p->renewed_version)
		return req_fail(r, ERR_CONSENT, "%s/notice_version", at);
	*out = (uint32_t)v;
	return ERR_OK;
}

static enum err take_personal(struct req *r, const struct node *n, const char *at, struct consent_input *out)
{
	static const char *const keys[] = {"evidence", "guardian"};
	struct buf text;
	struct json j;
	bool any = false;
	enum err e = ERR_OK;

	buf_init(&text, 0);
	json_init(&j, &text);
	json_object(&j);
	for (size_t i = 0; i < 2 && !e; i++) {
		const struct node *member = node_get(n, keys[i]);
		size_t len = 0;
		const char *value = node_string(member, &len);

		if (!member)
			continue;
		if (!value || len == 0 || len > PERSONAL_MAX) {
			e = req_fail(r, ERR_CONSENT, "%s/%s", at, keys[i]);
			break;
		}
		any = true;
		out->guardian = out->guardian || i == 1;
		json_key(&j, keys[i]);
		json_string_len(&j, value, len);
	}
	json_object_end(&j);
	if (!e && any) {
		out->event.personal = buf_ok(&text) ? arena_copy(&r->arena, (const char *)text.data, text.len) : NULL;
		out->event.personal_len = text.len;
		e = out->event.personal ? ERR_OK : req_fail(r, ERR_MEMORY, NULL);
	}
	buf_fini(&text);
	return e;
}

static enum err take_decision(struct req *r, const struct node *n, const char *at, enum consent_kind *kind)
{
	size_t len;
	const char *text = node_string(node_get(n, "decision"), &len);

	if (text && !strcmp(text, "given"))
		*kind = CONSENT_GIVEN;
	else if (text && !strcmp(text, "refused"))
		*kind = CONSENT_REFUSED;
	else if (text && !strcmp(text, "withdrawn"))
		*kind = CONSENT_WITHDRAWN;
	else
		return req_fail(r, ERR_CONSENT, "%s/decision", at);
	return ERR_OK;
}

enum err consent_parse(struct req *r, const struct node *n, size_t purpose, const char *at, struct consent_input *out)
{
	static const char *const keys[] = {"decision",    "notice_version", "channel",  "method",   "language", "given_at",
	                                   "valid_until", "evidence",       "guardian", "separate", "written",  NULL};
	const struct purpose *p = &r->snapshot->purposes[purpose];
	const char *unknown = node_unknown_key(n, keys);
	char given_at[CLOCK_TEXT_LEN];
	struct parts parts = {0};
	bool given;
	enum err e;

	*out = (struct consent_input){.event = {.purpose = p->number, .valid_until_us = INT64_MAX}};
	if (node_type(n) != NODE_OBJECT)
		return req_fail(r, ERR_MALFORMED, "%s", at);
	if (unknown)
		return req_fail(r, ERR_MALFORMED, "%s/%.40s", at, unknown);
	e = take_decision(r, n, at, &out->event.kind);
	given = out->event.kind == CONSENT_GIVEN;
	if (!e)
		e = take_notice(r, n, at, p, given, &out->event.notice_version);
	if (!e)
		e = take_word(r, n, at, "channel", WORD_MAX, &parts.channel);
	if (!e && parts.channel && !channel_known(parts.channel))
		e = req_fail(r, ERR_CONSENT, "%s/channel", at);
	if (!e && given && !parts.channel)
		e = req_fail(r, ERR_CONSENT, "%s/channel", at);
	if (!e)
		e = take_word(r, n, at, "method", WORD_MAX, &parts.method);
	if (!e)
		e = take_word(r, n, at, "language", LANGUAGE_MAX, &parts.language);
	if (!e)
		e = take_flag(r, n, at, "separate", &parts.separate);
	if (!e)
		e = take_flag(r, n, at, "written", &parts.written);
	if (!e && given && p->separate && !parts.separate)
		e = req_fail(r, ERR_CONSENT, "%s/separate", at);
	if (!e && given && p->written && !parts.written)
		e = req_fail(r, ERR_CONSENT, "%s/written", at);
	if (!e)
		e = take_times(r, n, at, given, &out->event, given_at);
	if (!e)
		e = take_personal(r, n, at, out);
	parts.given_at = given_at;
	parts.notice = out->event.notice_version ? p->notice : NULL;
	return e ? e : compose_detail(r, &parts, &out->event.detail);
}

enum err consents_parse(struct req *r, const struct node *n, const char *at, struct consent_input **out, size_t *count)
{
	struct node_iter it = node_members(n);
	const struct node *member;
	enum err e = ERR_OK;

	*count = 0;
	if (node_type(n) != NODE_OBJECT)
		return req_fail(r, ERR_MALFORMED, "%s", at);
	*out = arena_array(&r->arena, node_count(n) + 1, sizeof **out);
	if (!*out)
		return req_fail(r, ERR_MEMORY, NULL);
	while (!e && (member = node_next(&it))) {
		const int purpose = snapshot_purpose(r->snapshot, it.key);
		char pointer[120];

		snprintf(pointer, sizeof pointer, "%s/%.48s", at, it.key);
		if (purpose < 0)
			return req_fail(r, ERR_UNKNOWN_PURPOSE, "%s", pointer);
		e = consent_parse(r, member, (size_t)purpose, pointer, &(*out)[*count]);
		*count += !e;
	}
	return e;
}

enum err consent_plain_event(struct req *r, enum consent_kind kind, uint16_t purpose, const char *basis, struct consent_event *out)
{
	struct parts parts = {.basis = basis, .channel = req_query(r, "channel"), .method = req_query(r, "method")};

	*out = (struct consent_event){.kind = kind, .purpose = purpose, .valid_until_us = INT64_MAX};
	if (parts.channel && !channel_known(parts.channel))
		return req_fail(r, ERR_BAD_PARAMETER, "channel");
	if (parts.method && !word_valid(parts.method, WORD_MAX))
		return req_fail(r, ERR_BAD_PARAMETER, "method");
	return compose_detail(r, &parts, &out->detail);
}

/* Two digits, or four. */
static int number_of(const char *at, size_t n)
{
	int v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + (at[i] - '0');
	return v;
}

bool consent_minor(const char *text, size_t len, int64_t now_us)
{
	char now[CLOCK_TEXT_LEN];
	int years;

	if (len != sizeof "\"YYYY-MM-DD\"" - 1)
		return false;
	clock_format(now_us, now);
	years = number_of(now, 4) - number_of(text + 1, 4);
	return years < MINOR_YEARS || (years == MINOR_YEARS && strncmp(now + 5, text + 6, 5) < 0);
}

enum err consent_customer_minor(struct batch *b, const struct snapshot *s, struct customer *c, bool *minor)
{
	*minor = false;
	for (size_t i = 0; i < s->n_fields && !*minor; i++) {
		const struct unit *u = s->fields[i].type == TYPE_BIRTH_DATE ? customer_unit(c, s->fields[i].number) : NULL;
		enum err e;

		if (!u)
			continue;
		buf_reset(&b->scratch);
		e = customer_value(b, c, u, &b->scratch);
		if (!e)
			*minor = consent_minor((const char *)b->scratch.data, b->scratch.len, b->now_us);
		buf_reset(&b->scratch);
		if (e)
			return e;
	}
	return ERR_OK;
}
