/* watch.c: waits for the end of a rights request, and says how far it is. */
#include "rights.h"

#include "base/clock.h"
#include "ctl/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_DEFAULT 3600
#define SECONDS_MAX 86400
#define BAR 30

struct watch {
	char state[40]; /* as it was told last */
	bool people;    /* standard error is a terminal */
	bool bar;       /* one stands on the last line */
};

static void end_bar(struct watch *w)
{
	if (w->bar)
		fputc('\n', stderr);
	w->bar = false;
}

static void tell(struct watch *w, const struct node *request)
{
	const int64_t done = node_int(node_get(request, "done")), total = node_int(node_get(request, "total"));
	const int full = total > 0 && done >= 0 && done <= total ? (int)(done * BAR / total) : 0;
	struct buf state;
	size_t len = 0;
	const char *text = node_string(node_get(request, "state"), &len);

	buf_init(&state, 0);
	text_clean(text ? text : "", text ? len : 0, false, &state);
	if (strncmp(w->state, buf_string(&state), sizeof w->state - 1) != 0) {
		end_bar(w);
		fprintf(stderr, "%s\n", buf_string(&state));
		snprintf(w->state, sizeof w->state, "%s", buf_string(&state));
	}
	buf_fini(&state);
	if (w->people && total > 1) {
		fprintf(stderr, "\r[%.*s%*s] %lld of %lld", full, "##############################", BAR - full, "", (long long)done, (long long)total);
		w->bar = true;
	}
}

static bool state_is(const struct node *request, const char *const *states)
{
	size_t len;
	const char *state = node_string(node_get(request, "state"), &len);

	for (; state && *states; states++)
		if (!strcmp(*states, state))
			return true;
	return false;
}

/* One look. *ended: nothing more will come; then code is how. */
static int look(const struct arguments *a, const char *path, struct watch *w, bool *ended)
{
	static const char *const good[] = {"completed", NULL}, *const bad[] = {"denied", "cancelled", "failed", NULL};
	const struct client_request r = {.method = "GET", .path = path};
	const struct node *request;
	struct doc *doc = NULL;
	struct buf body;
	int code = remote_send(a, &r, &body);

	*ended = true;
	if (code != CTL_OK)
		return code;
	if (doc_parse(body.data, body.len, &doc) == ERR_OK) {
		request = node_get(doc_root(doc), "request");
		tell(w, request);
		*ended = state_is(request, good) || state_is(request, bad);
		code = state_is(request, bad) ? CTL_FAILED : CTL_OK;
		if (*ended)
			end_bar(w);
	} else {
		code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
	}
	if (*ended && a->globals[GLOBAL_JSON] && doc) {
		buf_byte(&body, '\n');
		if (output(&body) != CTL_OK)
			code = CTL_SERVER;
	}
	doc_free(doc);
	buf_fini(&body);
	return code;
}

int rights_watch(const struct arguments *a, const char *request)
{
	const char *seconds = arguments_option(a, "seconds");
	const struct timespec pause = {.tv_nsec = 500000000};
	struct watch w = {.people = isatty(STDERR_FILENO) != 0};
	long most = SECONDS_DEFAULT;
	struct buf path;
	bool ended = false;
	int64_t until_us;
	int code;

	if (seconds && !input_number(seconds, 1, SECONDS_MAX, &most))
		return complain(CTL_USAGE, "--seconds must be a number from 1 to %d", SECONDS_MAX);
	until_us = clock_mono_us() + (int64_t)most * 1000000;
	buf_init(&path, 0);
	buf_printf(&path, "/v1/rights-requests/%s", request);
	for (;;) {
		code = look(a, buf_string(&path), &w, &ended);
		if (ended || clock_mono_us() >= until_us)
			break;
		nanosleep(&pause, NULL);
	}
	end_bar(&w);
	if (!ended)
		code = complain(CTL_UNREACHED, "it has not ended within %ld s", most);
	buf_fini(&path);
	return code;
}

int command_request_watch(const struct arguments *a)
{
	return input_is_request(a->words[0]) ? rights_watch(a, a->words[0]) : complain(CTL_USAGE, "%s is no rights request", a->words[0]);
}
