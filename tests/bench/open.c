/* open.c: connections for their own sake: how many full handshakes a second, and what idle ones cost. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Under TLS 1.3 a client is done before the server has looked at its certificate: only a reply tells. */
static bool one_reply(struct conn *c)
{
	c->out.len = c->sent = 0;
	text_printf(&c->out, "GET / HTTP/1.1\r\nHost: vault\r\n\r\n");
	return conn_wait(c, 10000) == CONN_REPLY;
}

static uint64_t shake(const struct target *t, double seconds)
{
	SSL_CTX *context = target_context(t);
	const uint64_t end = now_us() + (uint64_t)(seconds * 1e6);
	uint64_t n = 0;
	while (context && now_us() < end) {
		struct conn c = {.fd = -1};
		if (!conn_open(&c, t, context) || !one_reply(&c)) {
			conn_close(&c);
			n = 0;
			break;
		}
		n++;
		conn_close(&c);
	}
	SSL_CTX_free(context);
	return n;
}

bool handshakes(const struct target *t, size_t n, double seconds)
{
	uint64_t sum = 0;
	bool right = true;
	int ends[2];
	if (pipe(ends))
		return false;
	for (size_t i = 0; i < n; i++) {
		pid_t child = fork();
		if (child < 0)
			return false;
		if (child == 0) {
			uint64_t made = shake(t, seconds);
			_exit(write(ends[1], &made, sizeof(made)) == (ssize_t)sizeof(made) ? 0 : 1);
		}
	}
	close(ends[1]);
	for (size_t i = 0; i < n; i++) {
		uint64_t made = 0;
		right &= read(ends[0], &made, sizeof(made)) == (ssize_t)sizeof(made) && made > 0;
		sum += made;
	}
	while (wait(NULL) > 0)
		;
	close(ends[0]);
	printf("{\"handshakes\":%llu,\"handshakes_per_s\":%.1f}\n", (unsigned long long)sum, (double)sum / seconds);
	return right;
}

bool idle(const struct target *t, size_t n)
{
	SSL_CTX *context = target_context(t);
	struct conn *list = calloc(n, sizeof(*list));
	size_t made = 0;
	bool right = context && list;
	for (; right && made < n; made++)
		right = conn_open(&list[made], t, context) && one_reply(&list[made]);
	if (right) {
		puts("READY");
		fflush(stdout);
		(void)getchar();
	}
	for (size_t i = 0; i < made; i++)
		conn_close(&list[i]);
	free(list);
	SSL_CTX_free(context);
	return right;
}
