/* metrics.c: relaxed atomics, and the page that shows them. */
#include "base/metrics.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int64_t values[METRIC_COUNT];

static const struct {
	const char *type, *name, *help;
} described[METRIC_COUNT] = {
#define X(id, type, name, help) [id] = {#type, name, help},
    METRIC_LIST(X)
#undef X
};

void metric_add(enum metric m, int64_t delta)
{
	atomic_fetch_add_explicit(&values[m], delta, memory_order_relaxed);
}

void metric_set(enum metric m, int64_t value)
{
	atomic_store_explicit(&values[m], value, memory_order_relaxed);
}

int64_t metric_get(enum metric m)
{
	return atomic_load_explicit(&values[m], memory_order_relaxed);
}

/* Upper bounds, and how the page writes them. */
static const int64_t time_bounds_us[] = {100,	250,	500,	1000,	2500,	 5000,	  10000,   25000,
					 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};
static const char *const time_texts[] = {"0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025",
					 "0.05",   "0.1",     "0.25",	"0.5",	 "1",	   "2.5",   "5",    "10"};
#define TIME_BUCKETS (sizeof time_bounds_us / sizeof *time_bounds_us)

static const int64_t size_bounds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
static const char *const size_texts[] = {"1", "2", "4", "8", "16", "32", "64", "128", "256", "512"};
#define SIZE_BUCKETS (sizeof size_bounds / sizeof *size_bounds)

/* counts[n] is the bucket +Inf. */
static _Atomic int64_t time_counts[HISTOGRAM_COUNT][TIME_BUCKETS + 1];
static _Atomic int64_t time_sums_us[HISTOGRAM_COUNT];
static _Atomic int64_t size_counts[SIZE_BUCKETS + 1];
static _Atomic int64_t size_sum;

static const struct {
	const char *name, *help;
} histograms[HISTOGRAM_COUNT] = {
    [HISTOGRAM_REQUEST] = {"vault_request_duration_seconds", "From the request's head to its reply."},
    [HISTOGRAM_BATCH] = {"vault_batch_duration_seconds", "From a batch's BEGIN to its COMMIT."},
    [HISTOGRAM_QUEUE_WAIT] = {"vault_queue_wait_seconds", "How long a job waited for an executor."},
};

static void count(_Atomic int64_t *counts, const int64_t *bounds, size_t n, int64_t v)
{
	size_t i = 0;

	while (i < n && v > bounds[i])
		i++;
	atomic_fetch_add_explicit(&counts[i], 1, memory_order_relaxed);
}

void histogram_observe(enum histogram h, int64_t us)
{
	count(time_counts[h], time_bounds_us, TIME_BUCKETS, us);
	atomic_fetch_add_explicit(&time_sums_us[h], us, memory_order_relaxed);
}

void metric_batch_size(size_t jobs)
{
	count(size_counts, size_bounds, SIZE_BUCKETS, (int64_t)jobs);
	atomic_fetch_add_explicit(&size_sum, (int64_t)jobs, memory_order_relaxed);
}

/* The statuses that the vault answers with; any other counts as the last. */
static const int statuses[] = {200, 201, 202, 204, 206, 304, 400, 403, 404, 405, 408, 409, 410,
			       412, 413, 415, 422, 423, 428, 429, 431, 451, 500, 503, 0};
#define STATUSES (sizeof statuses / sizeof *statuses)

struct route {
	_Atomic int64_t requests[STATUSES];
	_Atomic int64_t time_us;
};

static const char *const *route_names;
static struct route *routes;
static size_t n_routes;

enum err metrics_routes(const char *const *names, size_t n)
{
	struct route *fresh = calloc(n ? n : 1, sizeof *fresh);

	if (!fresh)
		return ERR_MEMORY;
	free(routes);
	routes = fresh;
	route_names = names;
	n_routes = n;
	return ERR_OK;
}

void metric_request(size_t route, int status, int64_t us)
{
	size_t i = 0;

	histogram_observe(HISTOGRAM_REQUEST, us);
	if (route >= n_routes)
		return;
	while (i < STATUSES - 1 && statuses[i] != status)
		i++;
	atomic_fetch_add_explicit(&routes[route].requests[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&routes[route].time_us, us, memory_order_relaxed);
}

static int64_t load(const _Atomic int64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

static void heading(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* divisor: what turns the sum into the page's unit. */
static void render_histogram(struct buf *out, const char *name, const _Atomic int64_t *counts, const char *const *texts,
			     size_t n, int64_t sum, int64_t divisor)
{
	int64_t so_far = 0;

	for (size_t i = 0; i < n; i++) {
		so_far += load(&counts[i]);
		buf_printf(out, "%s_bucket{le=\"%s\"} %lld\n", name, texts[i], (long long)so_far);
	}
	so_far += load(&counts[n]);
	buf_printf(out, "%s_bucket{le=\"+Inf\"} %lld\n", name, (long long)so_far);
	if (divisor == 1)
		buf_printf(out, "%s_sum %lld\n", name, (long long)sum);
	else
		buf_printf(out, "%s_sum %lld.%06lld\n", name, (long long)(sum / divisor), (long long)(sum % divisor));
	buf_printf(out, "%s_count %lld\n", name, (long long)so_far);
}

/* A label's value with the three escapes of the text format. */
static void label(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			buf_byte(out, '\\');
		if (*text == '\n')
			buf_text(out, "\\n");
		else
			buf_byte(out, (uint8_t)*text);
	}
}

static void render_status(struct buf *out, size_t route, size_t status)
{
	const int64_t n = load(&routes[route].requests[status]);

	if (n == 0)
		return;
	buf_text(out, "vault_requests_total{route=\"");
	label(out, route_names[route]);
	if (statuses[status] != 0)
		buf_printf(out, "\",status=\"%d\"} %lld\n", statuses[status], (long long)n);
	else
		buf_printf(out, "\",status=\"other\"} %lld\n", (long long)n);
}

static void render_routes(struct buf *out)
{
	heading(out, "vault_requests_total", "counter", "Requests answered, by route and status.");
	for (size_t r = 0; r < n_routes; r++)
		for (size_t i = 0; i < STATUSES; i++)
			render_status(out, r, i);
	heading(out, "vault_request_time_seconds_total", "counter", "Time spent on requests, by route.");
	for (size_t r = 0; r < n_routes; r++) {
		const int64_t us = load(&routes[r].time_us);

		buf_text(out, "vault_request_time_seconds_total{route=\"");
		label(out, route_names[r]);
		buf_printf(out, "\"} %lld.%06lld\n", (long long)(us / 1000000), (long long)(us % 1000000));
	}
}

void metrics_render(struct buf *out)
{
	heading(out, "vault_build_info", "gauge", "Always 1; the label names the build.");
	buf_printf(out, "vault_build_info{version=\"%s\"} 1\n", VAULT_VERSION);
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		heading(out, described[i].name, described[i].type, described[i].help);
		buf_printf(out, "%s %lld\n", described[i].name, (long long)load(&values[i]));
	}
	render_routes(out);
	for (size_t h = 0; h < HISTOGRAM_COUNT; h++) {
		heading(out, histograms[h].name, "histogram", histograms[h].help);
		render_histogram(out, histograms[h].name, time_counts[h], time_texts, TIME_BUCKETS,
				 load(&time_sums_us[h]), 1000000);
	}
	heading(out, "vault_batch_size", "histogram", "Jobs in a batch.");
	render_histogram(out, "vault_batch_size", size_counts, size_texts, SIZE_BUCKETS, load(&size_sum), 1);
}
