/* client.c: one request on one connection, with libcurl's easy interface. */
#include "ctl/client.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)1 << 20)
#define CONNECT_TIMEOUT_S 10L

struct transfer {
	CURL *curl;
	struct curl_slist *headers;
	const struct client_request *request;
	struct client_reply *reply;
	struct buf line; /* the unfinished line of a stream */
	bool too_large, ended, silent;
	int64_t heard_us; /* monotonic: when a stream's last byte came */
	int64_t silence_us;
	char error[CURL_ERROR_SIZE];
};

/* What requests share: connections, so that the second has no handshake. */
static CURLSH *share;

bool client_start(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return false;
	share = curl_share_init();
	return share && curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) == CURLSHE_OK;
}

void client_stop(void)
{
	curl_share_cleanup(share);
	share = NULL;
	curl_global_cleanup();
}

void client_reply_fini(struct client_reply *reply)
{
	buf_fini(&reply->body);
}

/* A refusal of a stream is a document, and is kept whole. */
static bool is_stream(const struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	return t->request->line && status >= 200 && status < 300;
}

static bool take_lines(struct transfer *t, const char *bytes, size_t len)
{
	while (len) {
		const char *stop = memchr(bytes, '\n', len);
		const size_t part = stop ? (size_t)(stop - bytes) : len;

		buf_append(&t->line, bytes, part);
		if (!buf_ok(&t->line)) {
			t->too_large = true;
			return false;
		}
		if (stop && t->line.len && !t->request->line(t->request->ctx, buf_string(&t->line), t->line.len)) {
			t->ended = true;
			return false;
		}
		if (stop)
			buf_reset(&t->line);
		bytes += part + (stop != NULL);
		len -= part + (stop != NULL);
	}
	return true;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;

	t->heard_us = clock_mono_us();
	if (is_stream(t))
		return take_lines(t, bytes, size * n) ? size * n : 0;
	buf_append(&t->reply->body, bytes, size * n);
	t->too_large = !buf_ok(&t->reply->body);
	return t->too_large ? 0 : size * n;
}

/* libcurl calls it about once a second. Its own low-speed limit can't tell a
 * newline every 15 seconds from nothing. */
static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct transfer *t = ctx;

	(void)a, (void)b, (void)c, (void)d;
	t->silent = clock_mono_us() - t->heard_us > t->silence_us;
	return t->silent;
}

/* Sets what the settings and fixed rules say; false where libcurl is out of memory or lacks TLS 1.3. */
static bool set_up_tls(struct transfer *t, const struct client_settings *s)
{
	CURL *c = t->curl;

	return !curl_easy_setopt(c, CURLOPT_SHARE, share) && !curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") && !curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) &&
	       !curl_easy_setopt(c, CURLOPT_PROXY, "") && !curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       !curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       !curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3) &&
	       !curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) && !curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) &&
	       /* Only the given CA: not those that the system trusts. */
	       !curl_easy_setopt(c, CURLOPT_CAINFO, s->ca) && !curl_easy_setopt(c, CURLOPT_CAPATH, NULL) &&
	       !curl_easy_setopt(c, CURLOPT_SSLCERT, s->cert) && !curl_easy_setopt(c, CURLOPT_SSLKEY, s->key);
}

static bool set_up_times(struct transfer *t, const struct client_settings *s)
{
	CURL *c = t->curl;
	const long connect_s = s->timeout_s < CONNECT_TIMEOUT_S ? s->timeout_s : CONNECT_TIMEOUT_S;

	if (curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, connect_s))
		return false;
	if (!t->request->line)
		return !curl_easy_setopt(c, CURLOPT_TIMEOUT, s->timeout_s);
	t->heard_us = clock_mono_us();
	t->silence_us = (int64_t)s->timeout_s * 1000000;
	return !curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) && !curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) &&
	       !curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
}

/* Adds "NAME: VALUE"; a NULL value adds nothing. */
static bool add_header(struct transfer *t, const char *name, const char *value)
{
	struct buf line;
	struct curl_slist *longer = NULL;

	if (!value)
		return true;
	buf_init(&line, 0);
	buf_printf(&line, "%s: %s", name, value);
	if (buf_ok(&line))
		longer = curl_slist_append(t->headers, buf_string(&line));
	buf_fini(&line);
	if (longer)
		t->headers = longer;
	return longer != NULL;
}

static bool set_up_request(struct transfer *t, const struct client_settings *s)
{
	const struct client_request *r = t->request;
	CURL *c = t->curl;
	size_t url_len = strlen(s->url);
	struct buf url;
	bool good;

	while (url_len && s->url[url_len - 1] == '/')
		url_len--;
	buf_init(&url, 0);
	buf_append(&url, s->url, url_len);
	buf_text(&url, r->path);
	good = buf_ok(&url) && !curl_easy_setopt(c, CURLOPT_URL, buf_string(&url)) &&
	       !curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method) &&
	       !curl_easy_setopt(c, CURLOPT_USERAGENT, "vaultctl/" VAULT_VERSION) &&
	       add_header(t, "Accept", r->accept ? r->accept : r->line ? "application/x-ndjson, application/problem+json" : "application/json") &&
	       add_header(t, "X-Purpose", s->purpose) && add_header(t, "X-Ticket", s->ticket) &&
	       add_header(t, "Idempotency-Key", r->idempotency_key);
	buf_fini(&url);
	if (good && r->body)
		good = add_header(t, "Content-Type", "application/json") && add_header(t, "Expect", "") &&
		       !curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len) &&
		       !curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body);
	return good && !curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers) &&
	       !curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) && !curl_easy_setopt(c, CURLOPT_WRITEDATA, t) &&
	       !curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error);
}

static void explain(const struct transfer *t, CURLcode code, struct buf *why)
{
	const char *reason = t->error[0] ? t->error : curl_easy_strerror(code);
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT: buf_printf(why, "%s; is vaultd running there?", reason); break;
	case CURLE_PEER_FAILED_VERIFICATION:
		buf_printf(why, "%s; is --ca the CA of this vault, and the address one of its names?", reason);
		break;
	/* Under TLS 1.3 a refused client sees its handshake succeed and then the end, in one of these ways. */
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		buf_printf(why, "the connection was closed%s (%s)",
		           status ? " in the middle of the reply" : "; does the vault accept this client certificate?", reason);
		break;
	default: buf_text(why, reason); break;
	}
}

static void read_reply_headers(struct transfer *t)
{
	struct curl_header *h = NULL;
	curl_off_t seconds = 0;
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	t->reply->status = (int)status;
	if (!curl_easy_getinfo(t->curl, CURLINFO_RETRY_AFTER, &seconds) && seconds > 0 && seconds < 86400)
		t->reply->retry_after_s = (long)seconds;
	if (curl_easy_header(t->curl, "Audit-Record", 0, CURLH_HEADER, -1, &h) == CURLHE_OK)
		snprintf(t->reply->audit_record, sizeof t->reply->audit_record, "%s", h->value);
}

static bool perform(struct transfer *t, const struct client_settings *s, struct buf *why)
{
	const CURLcode code = curl_easy_perform(t->curl);

	if (t->too_large) {
		buf_text(why, "the reply is larger than vaultctl takes");
	} else if (t->silent) {
		buf_printf(why, "%s: the vault was silent for %ld s", s->url, s->timeout_s);
	} else if (code != CURLE_OK && !t->ended) {
		buf_printf(why, "%s: ", s->url);
		explain(t, code, why);
	}
	if (t->too_large || (code != CURLE_OK && !t->ended))
		return false;
	read_reply_headers(t);
	return true;
}

bool client_send(const struct client_settings *s, const struct client_request *r, struct client_reply *reply, struct buf *why)
{
	struct transfer t = {.curl = curl_easy_init(), .request = r, .reply = reply};
	bool good = false;

	*reply = (struct client_reply){0};
	buf_init(&reply->body, CLIENT_BODY_MAX);
	buf_init(&t.line, LINE_MAX_BYTES);
	if (t.curl && set_up_tls(&t, s) && set_up_times(&t, s) && set_up_request(&t, s))
		good = perform(&t, s, why);
	else
		buf_text(why, "the TLS client could not be set up");
	buf_fini(&t.line);
	curl_slist_free_all(t.headers);
	if (t.curl)
		curl_easy_cleanup(t.curl);
	return good;
}
