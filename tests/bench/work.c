/* work.c: what the load client asks for, and how a right answer looks. */
#include "load.h"

#include <stdio.h>
#include <string.h>

#define FIELDS "name,email,phone,birth_date,gender,address,resident_id,bank_card,tags,wechat"
/* Distinct values that search_eq looks for: below the hourly budget of an identity. */
#define SEARCHED 4000

static const struct customer *any(const struct population *p)
{
	return &p->list[random_u64() % p->n];
}

void request_post(struct text *out, const char *path, const struct text *body)
{
	text_printf(out,
	            "POST %s HTTP/1.1\r\nHost: vault\r\nX-Purpose: onboarding\r\n"
	            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	            path, body->len);
	text_add(out, body->data, body->len);
}

static void post(struct text *out, const char *path, struct text *body)
{
	request_post(out, path, body);
	body->len = 0;
}

static void read_form(struct text *out, const struct population *p, const char *form)
{
	text_printf(out, "GET /v1/customers/%s?fields=" FIELDS "&form=%s HTTP/1.1\r\nHost: vault\r\n"
	                 "X-Purpose: onboarding\r\n\r\n", any(p)->id, form);
}

static void read_plain_10(struct text *out, const struct population *p)
{
	read_form(out, p, "plain");
}

static void read_masked_10(struct text *out, const struct population *p)
{
	read_form(out, p, "masked");
}

/* The fields of the shape, which fit a URL up to 50 of them. */
static void read_shape(struct text *out, const struct population *p)
{
	text_printf(out, "GET /v1/customers/%s?fields=", any(p)->id);
	for (unsigned i = 1; i <= shape.fields; i++)
		text_printf(out, "%sg%02u", i > 1 ? "," : "", i);
	text_printf(out, "&form=plain HTTP/1.1\r\nHost: vault\r\nX-Purpose: onboarding\r\n\r\n");
}

static struct text scratch; /* one thread: bodies are built here, and the memory stays */

static void detokenize(struct text *out, const struct population *p, unsigned n)
{
	text_printf(&scratch, "{\"tokens\":[");
	for (unsigned i = 0; i < n; i++)
		text_printf(&scratch, "%s\"%s\"", i ? "," : "", any(p)->token[random_u64() % BENCH_FIELDS]);
	text_printf(&scratch, "],\"form\":\"plain\"}");
	post(out, "/v1/tokens:detokenize", &scratch);
}

static void detokenize_1(struct text *out, const struct population *p)
{
	detokenize(out, p, 1);
}

static void detokenize_100(struct text *out, const struct population *p)
{
	detokenize(out, p, 100);
}

static void create_10(struct text *out, const struct population *p)
{
	char email[64];
	(void)p;
	customer_make(&scratch, email);
	post(out, "/v1/customers", &scratch);
}

static void batch_create_1000(struct text *out, const struct population *p)
{
	char email[64];
	(void)p;
	text_printf(&scratch, "{\"mode\":\"atomic\",\"items\":[");
	for (int i = 0; i < 1000; i++) {
		if (i)
			text_add(&scratch, ",", 1);
		customer_make(&scratch, email);
	}
	text_printf(&scratch, "]}");
	post(out, "/v1/customers:batch", &scratch);
}

static void search_eq(struct text *out, const struct population *p)
{
	size_t n = p->n < SEARCHED ? p->n : SEARCHED;
	text_printf(&scratch, "{\"where\":{\"email\":\"%s\"},\"limit\":50}", p->list[random_u64() % n].email);
	post(out, "/v1/customers:search", &scratch);
}

static void get(struct text *out, const struct population *p)
{
	(void)p;
	text_printf(out, "GET / HTTP/1.1\r\nHost: vault\r\n\r\n");
}

static const struct work works[] = {
	{"read_plain_10", 200, "\"form\":\"plain\"", 10, true, read_plain_10},
	/* Of the ten, gender and tags have no mask in the shipped dictionary and come as tokens. */
	{"read_masked_10", 200, "\"form\":\"masked\"", 8, true, read_masked_10},
	{"read_shape", 200, "\"form\":\"plain\"", 1, true, read_shape},
	{"detokenize_1", 200, "\"form\":\"plain\"", 1, true, detokenize_1},
	{"detokenize_100", 200, "\"form\":\"plain\"", 100, true, detokenize_100},
	{"create_10", 201, "\"token\":\"tok1", 10, false, create_10},
	{"batch_create_1000", 200, "\"token\":\"tok1", 10000, false, batch_create_1000},
	{"search_eq", 200, "\"customer\":\"cus1", 1, true, search_eq},
	{"get", 200, "", 0, false, get},
};

const struct work *work_find(const char *name)
{
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		if (strcmp(works[i].name, name) == 0)
			return &works[i];
	return NULL;
}

void work_names(struct text *out)
{
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		text_printf(out, " %s", works[i].name);
}

bool work_reply_right(const struct work *w, int status, const char *body)
{
	unsigned seen = 0;
	if (status != w->status)
		return false;
	for (const char *at = body; w->times && (at = strstr(at, w->expect)); at += strlen(w->expect))
		seen++;
	return seen >= w->times;
}
