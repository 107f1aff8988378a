/* load.c: closed-loop load over N keep-alive connections for S seconds.
 *
 *   load seed --port P --ca F --cert F --key F --customers N --file F
 *   load run  --port P --ca F --cert F --key F --work W --connections N --seconds S [--warm S] [--file F] [--sync]
 *   load handshakes, load idle: see open.c
 *
 * --fields N --size B: customers are N text fields of B bytes (seed, and the work read_shape).
 * `run` opens all connections first, warms up, prints "BEGIN", measures, prints
 * "END" and, with --sync, waits for a line on stdin with all connections still
 * open, so that the caller can read CPU and memory of a server at both edges.
 * Its last line is JSON. Exit code 0: each reply was right. */
#include "load.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

struct run {
	const struct work *work;
	size_t n;
	double seconds, warm;
	bool sync;
	struct conn *conns;
	int epoll;
	struct population people;
	struct hist hist;
	uint64_t begin_us, half_us, end_us;
	uint64_t status[600]; /* wrong replies by status */
	uint64_t wrong_body, lost;
	bool told;
};

static void start_request(struct run *r, struct conn *c)
{
	c->out.len = c->sent = 0;
	r->work->make(&c->out, &r->people);
	c->busy = true;
	c->started_us = now_us();
}

static void watch(struct run *r, struct conn *c, uint32_t before)
{
	struct epoll_event e = {.events = c->events, .data.ptr = c};
	if (c->events != before)
		epoll_ctl(r->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

static void note_wrong(struct run *r, const struct conn *c)
{
	if (c->status != r->work->status)
		r->status[c->status]++;
	else
		r->wrong_body++;
	if (!r->told)
		fprintf(stderr, "load: %s: a wrong reply, %d: %.400s\n", r->work->name, c->status, conn_body(c));
	r->told = true;
}

/* The body of every 64th reply is looked into; the status of each. */
static void finish_request(struct run *r, struct conn *c)
{
	uint64_t now = now_us();
	bool look = c->done % 64 == 0;
	c->busy = false;
	if (look ? !work_reply_right(r->work, c->status, conn_body(c)) : c->status != r->work->status)
		note_wrong(r, c);
	c->done++;
	if (!r->begin_us || now < r->begin_us || now >= r->end_us)
		return;
	hist_add(&r->hist, now - c->started_us);
	if (now >= r->half_us)
		c->done_in_half++;
}

static void serve(struct run *r, struct conn *c, bool more)
{
	uint32_t before = c->events;
	enum conn_result result = conn_step(c);
	while (result == CONN_REPLY) {
		finish_request(r, c);
		if (!more)
			break;
		start_request(r, c);
		result = conn_step(c);
	}
	if (result == CONN_LOST) {
		r->lost++;
		c->busy = false;
		epoll_ctl(r->epoll, EPOLL_CTL_DEL, c->fd, NULL);
		return;
	}
	watch(r, c, before);
}

/* Serves until the moment given; without more no new request is started, and
 * it also ends once none is under way. */
static void serve_until(struct run *r, uint64_t until_us, bool more)
{
	struct epoll_event ready[128];
	for (uint64_t now = now_us(); now < until_us; now = now_us()) {
		int wait_ms = (int)((until_us - now) / 1000u) + 1;
		int n = epoll_wait(r->epoll, ready, 128, wait_ms < 100 ? wait_ms : 100);
		for (int i = 0; i < n; i++)
			serve(r, ready[i].data.ptr, more);
		size_t busy = 0;
		for (size_t i = 0; i < r->n && !more; i++)
			busy += r->conns[i].busy;
		if ((!more && busy == 0) || r->lost == r->n)
			return;
	}
}

static bool open_all(struct run *r, const struct target *t, SSL_CTX *context)
{
	for (size_t i = 0; i < r->n; i++) {
		struct conn *c = &r->conns[i];
		if (!conn_open(c, t, context))
			return false;
		struct epoll_event e = {.events = c->events, .data.ptr = c};
		if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &e))
			return false;
	}
	return true;
}

static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

static void measure(struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		start_request(r, &r->conns[i]);
		serve(r, &r->conns[i], true);
	}
	serve_until(r, now_us() + (uint64_t)(r->warm * 1e6), true);
	r->begin_us = now_us();
	r->half_us = r->begin_us + (uint64_t)(r->seconds * 5e5);
	r->end_us = r->begin_us + (uint64_t)(r->seconds * 1e6);
	say("BEGIN");
	serve_until(r, r->end_us, true);
	say("END");
	if (r->sync && getchar() == EOF)
		r->sync = false;
	serve_until(r, now_us() + 10000000u, false);
}

static bool report(const struct run *r)
{
	size_t active = 0;
	bool right = r->lost == 0 && r->wrong_body == 0 && r->hist.total > 0;
	const char *comma = "";
	for (size_t i = 0; i < r->n; i++)
		active += r->conns[i].done_in_half > 0;
	printf("{\"work\":\"%s\",\"connections\":%zu,\"active\":%zu,\"requests\":%llu,\"requests_per_s\":%.1f,",
	       r->work->name, r->n, active, (unsigned long long)r->hist.total, (double)r->hist.total / r->seconds);
	printf("\"p50_us\":%llu,\"p90_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu,",
	       (unsigned long long)hist_share(&r->hist, 0.5), (unsigned long long)hist_share(&r->hist, 0.9),
	       (unsigned long long)hist_share(&r->hist, 0.99), (unsigned long long)r->hist.max_us);
	printf("\"lost\":%llu,\"wrong_body\":%llu,\"wrong_status\":{", (unsigned long long)r->lost,
	       (unsigned long long)r->wrong_body);
	for (int i = 0; i < 600; i++) {
		if (!r->status[i])
			continue;
		right = false;
		printf("%s\"%d\":%llu", comma, i, (unsigned long long)r->status[i]);
		comma = ",";
	}
	printf("}}\n");
	return right;
}

static int run_work(struct run *r, const struct target *t, const char *file)
{
	int code = 1;
	SSL_CTX *context = target_context(t);
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->conns = calloc(r->n, sizeof(*r->conns));
	if (!context || r->epoll < 0 || !r->conns)
		goto out;
	for (size_t i = 0; i < r->n; i++)
		r->conns[i].fd = -1;
	if (r->work->needs_customers && (!file || !population_load(&r->people, file))) {
		fputs("load: this work needs --file with the customers that `load seed` wrote\n", stderr);
		goto out;
	}
	if (!open_all(r, t, context))
		goto out;
	measure(r);
	code = report(r) ? 0 : 1;
out:
	for (size_t i = 0; r->conns && i < r->n; i++)
		conn_close(&r->conns[i]);
	free(r->conns);
	population_free(&r->people);
	if (r->epoll >= 0)
		close(r->epoll);
	SSL_CTX_free(context);
	return code;
}

static int usage(void)
{
	struct text names = {0};
	work_names(&names);
	fprintf(stderr,
	        "usage: load seed --port P --ca F --cert F --key F --customers N --file F\n"
	        "       load run  --port P --ca F --cert F --key F --work W --connections N --seconds S\n"
	        "                 [--host A] [--warm S] [--file F] [--sync]\n"
	        "       load handshakes --port P --ca F --cert F --key F --connections N --seconds S\n"
	        "       load idle --port P --ca F --cert F --key F --connections N\n"
	        "seed and run: [--fields N --size B]\nworks:%s\n",
	        names.data);
	text_free(&names);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"host", 1, NULL, 'h'},    {"port", 1, NULL, 'p'},        {"ca", 1, NULL, 'a'},
		{"cert", 1, NULL, 'c'},    {"key", 1, NULL, 'k'},         {"customers", 1, NULL, 'n'},
		{"file", 1, NULL, 'f'},    {"work", 1, NULL, 'w'},        {"connections", 1, NULL, 'N'},
		{"seconds", 1, NULL, 's'}, {"warm", 1, NULL, 'W'},        {"sync", 0, NULL, 'y'},
		{"fields", 1, NULL, 'F'},  {"size", 1, NULL, 'B'},        {NULL, 0, NULL, 0},
	};
	struct target t = {.host = "127.0.0.1"};
	static struct run r = {.n = 1, .seconds = 3, .warm = 0.5, .epoll = -1};
	const char *file = NULL;
	size_t customers = 0;
	struct rlimit files;
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (argc < 2)
		return usage();
	for (int o; (o = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1;) {
		switch (o) {
		case 'h': t.host = optarg; break;
		case 'p': t.port = atoi(optarg); break;
		case 'a': t.ca = optarg; break;
		case 'c': t.cert = optarg; break;
		case 'k': t.key = optarg; break;
		case 'n': customers = strtoul(optarg, NULL, 10); break;
		case 'f': file = optarg; break;
		case 'w': r.work = work_find(optarg); break;
		case 'N': r.n = strtoul(optarg, NULL, 10); break;
		case 's': r.seconds = atof(optarg); break;
		case 'W': r.warm = atof(optarg); break;
		case 'y': r.sync = true; break;
		case 'F': shape.fields = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'B': shape.size = (unsigned)strtoul(optarg, NULL, 10); break;
		default: return usage();
		}
	}
	if (t.port <= 0 || !t.ca || !t.cert || !t.key)
		return usage();
	if (strcmp(argv[1], "seed") == 0 && customers > 0 && file)
		return seed(&t, customers, file) ? 0 : 1;
	if (strcmp(argv[1], "run") == 0 && r.work && r.n > 0 && r.n <= 4096 && r.seconds > 0)
		return run_work(&r, &t, file);
	if (strcmp(argv[1], "handshakes") == 0 && r.n > 0 && r.n <= 64 && r.seconds > 0)
		return handshakes(&t, r.n, r.seconds) ? 0 : 1;
	if (strcmp(argv[1], "idle") == 0 && r.n > 0 && r.n <= 4096)
		return idle(&t, r.n) ? 0 : 1;
	return usage();
}
