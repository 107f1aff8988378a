/* seed.c: synthetic customers, made here and stored through the API. */
#include "load.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_BATCH 500

static const char *const surnames[] = {"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙"};
static const char *const given[] = {"伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "军", "洋", "勇"};
static const char *const western[] = {"Anna Schmidt", "John Smith", "Marie Dubois", "Luca Rossi", "Ewa Nowak"};

static char check_digit_resident(const char *digits)
{
	static const int weight[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
	int sum = 0;
	for (int i = 0; i < 17; i++)
		sum += (digits[i] - '0') * weight[i];
	return "10X98765432"[sum % 11];
}

static char check_digit_luhn(const char *digits)
{
	int sum = 0, twice = 1;
	for (size_t i = strlen(digits); i-- > 0; twice = !twice) {
		int d = (digits[i] - '0') * (twice ? 2 : 1);
		sum += d > 9 ? d - 9 : d;
	}
	return (char)('0' + (10 - sum % 10) % 10);
}

struct shape shape;

static void customer_of_shape(struct text *out)
{
	text_printf(out, "{\"fields\":{");
	for (unsigned i = 1; i <= shape.fields; i++) {
		text_printf(out, "%s\"g%02u\":\"", i > 1 ? "," : "", i);
		for (unsigned at = 0; at < shape.size; at += 16)
			text_printf(out, "%.*s", (int)(shape.size - at < 16 ? shape.size - at : 16), "abcdefghijklmnop");
		text_printf(out, "\"");
	}
	text_printf(out, "},\"source\":\"bench\"}");
}

void customer_make(struct text *out, char email[static 64])
{
	if (shape.fields) {
		strcpy(email, "-");
		customer_of_shape(out);
		return;
	}
	uint64_t r = random_u64(), s = random_u64();
	unsigned year = 1950 + (unsigned)(r % 55), month = 1 + (unsigned)(r >> 8) % 12, day = 1 + (unsigned)(r >> 16) % 28;
	char resident[32], card[32], name[64];
	snprintf(resident, sizeof(resident), "110105%04u%02u%02u%03u", year, month, day, (unsigned)(s % 1000));
	snprintf(card, sizeof(card), "622202%012llu", (unsigned long long)(s % 1000000000000u));
	snprintf(email, 64, "c%016llx@bench.example", (unsigned long long)random_u64());
	if (r >> 63)
		snprintf(name, sizeof(name), "%s", western[(r >> 24) % 5]);
	else
		snprintf(name, sizeof(name), "%s%s", surnames[(r >> 24) % 12], given[(r >> 32) % 12]);
	text_printf(out,
	            "{\"fields\":{\"name\":\"%s\",\"email\":\"%s\",\"phone\":\"+86138%08u\","
	            "\"birth_date\":\"%04u-%02u-%02u\",\"gender\":\"%s\",\"address\":{\"country\":\"CN\","
	            "\"region\":\"北京市\",\"city\":\"北京市\",\"district\":\"朝阳区\",\"street\":\"建国路%u号\","
	            "\"postcode\":\"100022\"},\"resident_id\":\"%s%c\",\"bank_card\":\"%s%c\","
	            "\"tags\":[\"gold\",\"newsletter\"],\"wechat\":\"wx_%08x\"},\"source\":\"bench\"}",
	            name, email, (unsigned)(s >> 20) % 100000000u, year, month, day, r & 1 ? "male" : "female",
	            (unsigned)(r >> 40) % 900 + 1, resident, check_digit_resident(resident), card,
	            check_digit_luhn(card), (unsigned)(s >> 32));
}

/* One customer of a batch's reply as a line of the file. */
static bool write_line(FILE *f, const json_t *result, const char *email)
{
	const char *id = json_string_value(json_object_get(result, "customer")), *name;
	json_t *fields = json_object_get(result, "fields"), *field;
	if (!id || json_object_size(fields) != (shape.fields ? shape.fields : BENCH_FIELDS))
		return false;
	fprintf(f, "%s\t%s", id, email);
	json_object_foreach(fields, name, field) {
		const char *token = json_string_value(json_object_get(field, "token"));
		if (!token)
			return false;
		fprintf(f, "\t%s", token);
	}
	return fputc('\n', f) != EOF;
}

static bool write_lines(FILE *f, const struct conn *c, char (*email)[64], size_t n)
{
	json_error_t why;
	json_t *reply = json_loadb(conn_body(c), c->body_len, 0, &why), *results = json_object_get(reply, "results");
	bool right = json_array_size(results) == n;
	for (size_t i = 0; i < n && right; i++)
		right = write_line(f, json_array_get(results, i), email[i]);
	json_decref(reply);
	return right;
}

static bool seed_batch(struct conn *c, FILE *f, size_t n)
{
	static char email[SEED_BATCH][64];
	struct text body = {0};
	text_printf(&body, "{\"mode\":\"atomic\",\"items\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			text_add(&body, ",", 1);
		customer_make(&body, email[i]);
	}
	text_printf(&body, "]}");
	c->out.len = c->sent = 0;
	request_post(&c->out, "/v1/customers:batch", &body);
	text_free(&body);
	if (conn_wait(c, 60000) != CONN_REPLY) {
		fputs("load: the connection was lost while seeding\n", stderr);
		return false;
	}
	if (c->status != 200 || !write_lines(f, c, email, n)) {
		fprintf(stderr, "load: a batch of customers got %d: %.400s\n", c->status, conn_body(c));
		return false;
	}
	return true;
}

bool seed(const struct target *t, size_t n, const char *file)
{
	struct conn c = {.fd = -1};
	bool done = false;
	SSL_CTX *context = target_context(t);
	FILE *f = fopen(file, "w");
	if (!context || !f || !conn_open(&c, t, context))
		goto out;
	done = true;
	/* A body has a limit: large customers come in small batches. */
	const size_t bytes = (size_t)shape.fields * (shape.size + 10), fit = bytes ? ((size_t)1 << 20) / bytes + 1 : SEED_BATCH;
	const size_t most = fit < SEED_BATCH ? fit : SEED_BATCH;
	for (size_t at = 0; at < n && done; at += most)
		done = seed_batch(&c, f, n - at < most ? n - at : most);
out:
	if (f && fclose(f) != 0)
		done = false;
	conn_close(&c);
	SSL_CTX_free(context);
	return done;
}

static char *slurp(const char *file)
{
	struct text t = {0};
	FILE *f = fopen(file, "r");
	size_t got = 1;
	if (!f)
		return NULL;
	text_add(&t, "", 0);
	while (got) {
		text_room(&t, 1 << 20);
		got = fread(t.data + t.len, 1, 1 << 20, f);
		t.len += got;
	}
	t.data[t.len] = '\0';
	fclose(f);
	return t.data;
}

bool population_load(struct population *p, const char *file)
{
	size_t room = 0;
	*p = (struct population){.text = slurp(file)};
	if (!p->text)
		return false;
	for (char *rest = p->text, *line; (line = strsep(&rest, "\n")) && *line;) {
		if (p->n == room) {
			room = room ? room * 2 : 1024;
			struct customer *list = reallocarray(p->list, room, sizeof(*list));
			if (!list)
				return false;
			p->list = list;
		}
		struct customer *c = &p->list[p->n++];
		c->id = strsep(&line, "\t");
		c->email = strsep(&line, "\t");
		for (int i = 0; i < BENCH_FIELDS; i++)
			c->token[i] = strsep(&line, "\t");
	}
	return p->n > 0;
}

void population_free(struct population *p)
{
	free(p->list);
	free(p->text);
	*p = (struct population){0};
}
