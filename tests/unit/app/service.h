/* service.h: the app as the http floor sees it, on a real database: requests
 * are begun, submitted, waited for and ended, without TLS in between. */
#ifndef TESTS_UNIT_APP_SERVICE_H
#define TESTS_UNIT_APP_SERVICE_H

#include "app/app.h"
#include "app/req.h"
#include "base/clock.h"
#include "codec/doc.h"
#include "crypto/keyring.h"
#include "crypto/secret.h"
#include "store/migrate.h"
#include "tests/unit/db/cluster.h"
#include "vault/app/batch.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#define CORE "spiffe://crm.example/svc/crm-core"
#define DESK "spiffe://crm.example/svc/service-desk"
#define STRANGER "spiffe://crm.example/svc/stranger"

static char service_node[] = "unit", service_origin[] = "vault.example/unit", service_country[] = "CN", service_none[] = "", service_keyring[80], service_root[80];
static struct config service_config;
static struct app *service_app;

/* executors: of single requests. The database is the cluster's; a test that needs a private one sets url. */
static void service_start(int64_t executors, int64_t search_budget)
{
	struct buf why;
	enum err e;

	buf_init(&why, 0);
	service_config = (struct config){.database_url = cluster_service_url,
	                                 .keyring = service_keyring,
	                                 .root_key = service_root,
	                                 .node = service_node,
	                                 .ledger = service_none,
	                                 .audit_origin = service_origin,
	                                 .audit_checkpoint = service_none,
	                                 .holidays = service_none,
	                                 .default_country = service_country,
	                                 .executors = executors,
	                                 .queue_limit = 64,
	                                 .request_timeout_ms = 30000,
	                                 .key_epoch_s = 1814400,
	                                 .key_overlap_s = 604800,
	                                 .key_rewrap_rate = 100000,
	                                 .search_budget = search_budget,
	                                 .customer_budget = 1000000000};
	e = app_start(&service_config, &service_app, &why);
	if (e)
		fail_msg("%s: %s", err_code(e), buf_string(&why));
	for (int i = 0;; i++) {
		buf_reset(&why);
		if (app_ready(service_app, &why))
			break;
		if (i == 2000)
			fail_msg("%s", buf_string(&why));
		usleep(5000);
	}
	buf_fini(&why);
}

static void service_stop(void)
{
	app_stop(service_app);
	service_app = NULL;
}

/* The audit log of a program before this one is under another keyring: its checkpoint is not ours to sign on, nor
 * are its key epochs ours. */
static int service_forget_log(void)
{
	static const struct db_statement none[] = {{NULL, NULL}};
	struct db *db = NULL;
	struct buf why;
	int failed;

	buf_init(&why, 0);
	failed = db_open(cluster_owner_url, none, &db, &why) ||
	         db_run(db, "TRUNCATE key_epoch, key_node, audit_log, audit_position, audit_span, audit_tile, audit_edge, audit_segment, audit_stream", NULL, 0, NULL);
	db_close(db);
	buf_fini(&why);
	return failed;
}

/* Once for all tests of a program: cluster, schema, keyring. */
static int service_set_up(void **state)
{
	static char folder[] = "/tmp/vault-service.XXXXXX";
	struct buf report;
	int failed;

	if (secret_start() || cluster_start(state) || !mkdtemp(folder))
		return -1;
	doc_start();
	snprintf(service_keyring, sizeof service_keyring, "%s/keyring", folder);
	snprintf(service_root, sizeof service_root, "%s/root", folder);
	buf_init(&report, 0);
	failed = migrate_run(cluster_owner_url, &report) || service_forget_log() || keyring_init(service_keyring, service_root, 1000000, &report);
	if (failed)
		fprintf(stderr, "%s\n", buf_string(&report));
	buf_fini(&report);
	return failed ? -1 : 0;
}

static int service_tear_down(void **state)
{
	char checkpoint[sizeof service_keyring + 16];

	snprintf(checkpoint, sizeof checkpoint, "%s.checkpoint", service_keyring);
	unlink(checkpoint);
	unlink(service_keyring);
	unlink(service_root);
	*strrchr(service_root, '/') = 0;
	rmdir(service_root);
	return cluster_stop(state);
}

/* ---- one request ---- */

struct call {
	const char *identity, *method, *path;
	const char *headers[16]; /* name, value, ..., NULL */
	const char *query[8];
	const char *body;
	/* the answer */
	struct req *req;
	const struct req_reply *reply;
	char *text;
	_Atomic int woken;
};

static const char *call_header(void *connection, const char *name)
{
	const struct call *c = connection;

	for (size_t i = 0; i < 16 && c->headers[i]; i += 2)
		if (!strcasecmp(c->headers[i], name))
			return c->headers[i + 1];
	return NULL;
}

static void call_query(void *connection, void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
	const struct call *c = connection;

	for (size_t i = 0; i < 8 && c->query[i]; i += 2)
		each(ctx, c->query[i], c->query[i + 1]);
}

static void call_wake(void *token)
{
	atomic_fetch_add(&((struct call *)token)->woken, 1);
}

/* true: the reply is there already. */
static bool call_begin(struct call *c)
{
	static const uint8_t certificate[32];
	const struct req_head head = {.spiffe_id = c->identity,
	                              .certificate_sha256 = certificate,
	                              .method = c->method,
	                              .path = c->path,
	                              .connection = c,
	                              .header = call_header,
	                              .query_each = call_query};
	size_t limit;
	enum err refused = ERR_OK;

	c->req = req_begin(service_app, &head, &limit, &refused);
	assert_non_null(c->req);
	if (c->body)
		assert_int_equal(req_body(c->req, c->body, strlen(c->body)), ERR_OK);
	return req_ready(c->req);
}

static void call_submit(struct call *c)
{
	atomic_store(&c->woken, 0);
	req_submit(c->req, call_wake, c);
}

static void call_wait(struct call *c, int64_t seconds)
{
	const int64_t until = clock_mono_us() + seconds * 1000000;

	while (!atomic_load(&c->woken)) {
		if (clock_mono_us() > until)
			fail_msg("%s %s is not answered", c->method, c->path);
		usleep(200);
	}
}

static int call_answer(struct call *c)
{
	c->reply = req_reply(c->req);
	free(c->text);
	c->text = strndup(c->reply->body ? (const char *)c->reply->body : "", c->reply->body_len);
	return c->reply->status;
}

static void call_end(struct call *c)
{
	req_end(c->req);
	c->req = NULL;
	free(c->text);
	c->text = NULL;
}

/* Begin to answer; the status. */
static int call_run(struct call *c)
{
	if (!call_begin(c)) {
		call_submit(c);
		call_wait(c, 20);
	}
	return call_answer(c);
}

__attribute__((unused)) static const char *call_reply_header(const struct call *c, const char *name)
{
	for (size_t i = 0; i < c->reply->n_headers; i++)
		if (!strcmp(c->reply->headers[i].name, name))
			return c->reply->headers[i].value;
	return NULL;
}

/* The string after "key":" in the answer; the caller frees. */
__attribute__((unused)) static char *call_string(const struct call *c, const char *key)
{
	char pattern[64];
	const char *at;

	snprintf(pattern, sizeof pattern, "\"%s\":\"", key);
	at = strstr(c->text, pattern);
	if (!at)
		fail_msg("no %s in %s", key, c->text);
	at += strlen(pattern);
	return strndup(at, strcspn(at, "\""));
}

/* A statement by the superuser; the first column of its first row as int8, or 0. */
static int64_t service_sql(const char *sql)
{
	struct db *db = NULL;
	struct db_result *r = NULL;
	struct buf why;
	int64_t v = 0;

	buf_init(&why, 0);
	if (db_open(cluster_superuser_url, NULL, &db, &why))
		fail_msg("%s", buf_string(&why));
	if (db_run(db, sql, NULL, 0, &r))
		fail_msg("%s", db_error(db));
	if (db_rows(r))
		v = db_int8(r, 0, 0);
	db_result_free(r);
	db_close(db);
	buf_fini(&why);
	return v;
}

#endif
