/* post.c: libcurl's multi interface: all messages of a round at once, so that a slow receiver holds up no other. */
#include "post/post.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_MAX ((size_t)64 << 10)
#define POLL_MS 200

struct transfer {
	CURL *curl;
	struct curl_slist *headers;
	struct post_message *message;
	size_t replied; /* bytes of body */
};

enum err post_start(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? ERR_OK : ERR_MEMORY;
}

void post_stop(void)
{
	curl_global_cleanup();
}

/* ---- where to ---- */

static bool part_is(CURLU *u, CURLUPart part, const char *const *list)
{
	char *text = NULL;
	bool found = false;

	if (curl_url_get(u, part, &text, 0))
		return false;
	for (; *list && !found; list++)
		found = !strcmp(text, *list);
	curl_free(text);
	return found;
}

static bool part_there(CURLU *u, CURLUPart part)
{
	char *text = NULL;
	const bool there = !curl_url_get(u, part, &text, 0) && *text;

	curl_free(text);
	return there;
}

bool post_url_valid(const char *url, bool loopback)
{
	static const char *const https[] = {"https", NULL}, *const http[] = {"http", NULL}, *const here[] = {"127.0.0.1", "[::1]", NULL};
	CURLU *u;
	bool good;

	if (strlen(url) > POST_URL_MAX || strchr(url, '#'))
		return false;
	for (const char *c = url; *c; c++)
		if (*c <= 0x20 || *c > 0x7e)
			return false;
	u = curl_url();
	good = u && !curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) && part_there(u, CURLUPART_HOST) && !part_there(u, CURLUPART_USER) &&
	       !part_there(u, CURLUPART_PASSWORD);
	good = good && (part_is(u, CURLUPART_SCHEME, https) || (loopback && part_is(u, CURLUPART_SCHEME, http) && part_is(u, CURLUPART_HOST, here)));
	curl_url_cleanup(u);
	return good;
}

/* ---- one message ---- */

static size_t drop(char *bytes, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;

	(void)bytes;
	t->replied += size * n;
	return t->replied > REPLY_MAX ? 0 : size * n; /* 0: an error, so a reply without end does not hold us */
}

static bool add_header(struct transfer *t, const char *line)
{
	struct curl_slist *longer = curl_slist_append(t->headers, line);

	if (longer)
		t->headers = longer;
	return longer != NULL;
}

static bool set_up_transport(struct transfer *t, const struct post_settings *s)
{
	CURL *c = t->curl;
	bool good = !curl_easy_setopt(c, CURLOPT_URL, t->message->url) && !curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, s->loopback ? "https,http" : "https") &&
	            !curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) && !curl_easy_setopt(c, CURLOPT_PROXY, "") &&
	            !curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) && !curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) &&
	            !curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	            !curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && !curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) &&
	            !curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) && !curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, s->timeout_ms) &&
	            !curl_easy_setopt(c, CURLOPT_USERAGENT, "customer-data-vault/" VAULT_VERSION);

	if (good && *s->ca_file) /* only these: not those that the system trusts */
		good = !curl_easy_setopt(c, CURLOPT_CAINFO, s->ca_file) && !curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	return good;
}

static bool set_up(struct transfer *t, const struct post_settings *s)
{
	CURL *c = t->curl;
	bool good = c && set_up_transport(t, s) && add_header(t, "Content-Type: application/json") && add_header(t, "Expect:");

	for (size_t i = 0; good && i < POST_HEADERS_MAX && t->message->headers[i]; i++)
		good = add_header(t, t->message->headers[i]);
	return good && !curl_easy_setopt(c, CURLOPT_POST, 1L) && !curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->message->len) &&
	       !curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->message->body) && !curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers) &&
	       !curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop) && !curl_easy_setopt(c, CURLOPT_WRITEDATA, t) && !curl_easy_setopt(c, CURLOPT_PRIVATE, t);
}

/* A code of ours: libcurl's texts may hold the URL, which may hold a secret. */
static const char *trouble_of(CURLcode code)
{
	switch ((int)code) {
	case CURLE_OPERATION_TIMEDOUT: return "timeout";
	case CURLE_COULDNT_RESOLVE_HOST: return "no_such_host";
	case CURLE_COULDNT_CONNECT: return "no_connection";
	case CURLE_PEER_FAILED_VERIFICATION: return "certificate";
	case CURLE_SSL_CACERT_BADFILE: return "ca_file";
	case CURLE_SSL_CONNECT_ERROR: return "tls";
	case CURLE_WRITE_ERROR: return "reply_too_large";
	default: return "broken_connection";
	}
}

static void note_outcome(struct transfer *t, CURLcode code)
{
	long status = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && status >= 200 && status < 300)
		t->message->trouble[0] = 0;
	else if (code == CURLE_OK)
		snprintf(t->message->trouble, sizeof t->message->trouble, "status_%ld", status);
	else
		snprintf(t->message->trouble, sizeof t->message->trouble, "%s", trouble_of(code));
}

/* ---- all ---- */

static void collect(CURLM *multi)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(multi, &left))) {
		struct transfer *t = NULL;

		if (m->msg == CURLMSG_DONE && !curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t))
			note_outcome(t, m->data.result);
	}
}

static void carry(CURLM *multi, bool (*stopping)(void *ctx), void *ctx)
{
	int running = 1;

	while (running && !stopping(ctx)) {
		if (curl_multi_perform(multi, &running) || (running && curl_multi_poll(multi, NULL, 0, POLL_MS, NULL)))
			break;
		collect(multi);
	}
}

enum err post_all(const struct post_settings *s, struct post_message *list, size_t n, bool (*stopping)(void *ctx), void *ctx)
{
	struct transfer *transfers = calloc(n ? n : 1, sizeof *transfers);
	CURLM *multi = curl_multi_init();
	bool good = transfers && multi;

	for (size_t i = 0; i < n && good; i++) {
		transfers[i].message = &list[i];
		snprintf(list[i].trouble, sizeof list[i].trouble, "stopping"); /* until it is known */
		transfers[i].curl = curl_easy_init();
		good = set_up(&transfers[i], s) && !curl_multi_add_handle(multi, transfers[i].curl);
	}
	if (good)
		carry(multi, stopping, ctx);
	for (size_t i = 0; transfers && i < n; i++) {
		if (multi && transfers[i].curl)
			(void)curl_multi_remove_handle(multi, transfers[i].curl);
		curl_easy_cleanup(transfers[i].curl);
		curl_slist_free_all(transfers[i].headers);
	}
	if (multi)
		curl_multi_cleanup(multi);
	free(transfers);
	return good ? ERR_OK : ERR_MEMORY;
}
