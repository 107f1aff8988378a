/* audit_witness.c: audit witness and audit witness-key: the server around witness.h. */
#include "base/clock.h"
#include "crypto/secret.h"
#include "ctl/log.h"
#include "ctl/witness.h"
#include "http/plain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX 1024
#define DEFAULT_PORT 8490

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static void handle(void *ctx, const char *method, const char *path, const void *body, size_t len, struct plain_reply *reply)
{
	struct witness_reply r = {.body = reply->body};

	witness_handle(ctx, method, path, body, len, (uint64_t)(clock_now_us() / 1000000), &r);
	reply->status = r.status;
	reply->type = r.type;
	reply->body = r.body;
}

/* 127.0.0.1:PORT, nothing else: what is plain stays on the machine. */
static bool read_address(const char *text, long *port)
{
	static const char host[] = "127.0.0.1:";

	*port = DEFAULT_PORT;
	if (!text || (!strncmp(text, host, sizeof host - 1) && input_number(text + sizeof host - 1, 0, 65535, port)))
		return true;
	complain(CTL_USAGE, "--listen must be 127.0.0.1:PORT");
	return false;
}

/* A key file that others can read is no secret. */
static bool read_key(const char *path, struct note_key *own, uint8_t seed[static SIGN_SEED_LEN])
{
	struct stat st;
	struct buf file = {0};
	bool good = false;

	if (stat(path, &st) != 0)
		complain(CTL_USAGE, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
		complain(CTL_USAGE, "%s: must be a file of mode 0600 or 0400", path);
	else if (input_read(path, KEY_FILE_MAX, &file)) {
		good = witness_key_read((const char *)file.data, file.len, own, seed) == ERR_OK;
		if (!good)
			complain(CTL_USAGE, "%s: is no key of a witness", path);
	}
	buf_fini(&file);
	return good;
}

static int serve(struct witness *w, long port)
{
	const struct sigaction action = {.sa_handler = on_signal};
	struct plain *listener;
	struct buf why;
	int code = CTL_OK;

	buf_init(&why, 1024);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (plain_start((int)port, WITNESS_BODY_MAX, handle, w, &listener, &why)) {
		code = complain(CTL_SERVER, "%s", buf_string(&why));
	} else {
		printf("%s witnesses %s at http://127.0.0.1:%d from %llu records on\n", w->own.name, w->log.name, plain_port(listener),
		       (unsigned long long)w->last.size);
		fflush(stdout);
		while (!stopping && code == CTL_OK)
			if (!plain_run(listener, 1000) && !stopping)
				code = complain(CTL_SERVER, "the listener has failed");
		plain_stop(listener);
	}
	buf_fini(&why);
	return code;
}

static int run(const struct arguments *a, struct witness *w, long port)
{
	const char *key = arguments_option(a, "key"), *log = arguments_option(a, "log");
	struct buf why;
	int code;

	if (!key || !log || !w->state)
		return complain(CTL_USAGE, "--key, --state and --log are needed");
	if (!log_key(log, "log", NOTE_ED25519, &w->log) || !read_key(key, &w->own, w->seed))
		return CTL_USAGE;
	buf_init(&why, 1024);
	if (!file_lock(w->state, &why) || witness_open(w, arguments_option(a, "new") != NULL, &why))
		code = complain(CTL_REFUSED, "%s", why.len ? buf_string(&why) : "out of memory");
	else
		code = serve(w, port);
	witness_close(w);
	buf_fini(&why);
	return code;
}

int command_audit_witness(const struct arguments *a)
{
	struct witness w = {.state = arguments_option(a, "state")};
	long port;
	int code;

	if (!read_address(arguments_option(a, "listen"), &port))
		return CTL_USAGE;
	if (secret_start() || !(w.seed = secret_alloc(SIGN_SEED_LEN)))
		return complain(CTL_SERVER, "the cryptographic library does not work as it must");
	code = run(a, &w, port);
	secret_free(w.seed);
	secret_stop();
	return code;
}

/* ---- the key ---- */

static int store_key(const char *path, const struct buf *text)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool good;

	if (fd < 0)
		return complain(errno == EEXIST ? CTL_REFUSED : CTL_SERVER, "%s: %s", path, strerror(errno));
	good = write(fd, text->data, text->len) == (ssize_t)text->len && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	if (!good)
		unlink(path);
	return good ? CTL_OK : complain(CTL_SERVER, "%s: can't be written", path);
}

static int make_key(const char *path, const char *name, struct note_key *own, uint8_t seed[static SIGN_SEED_LEN])
{
	uint8_t public_key[SIGN_PUBLIC_LEN];
	struct buf text;
	int code;

	if (secret_random(seed, SIGN_SEED_LEN) || sign_public(seed, public_key))
		return complain(CTL_SERVER, "no key could be made");
	if (note_key_of(name, NOTE_COSIGNATURE, public_key, own))
		return complain(CTL_USAGE, "--name must be like witness.example/w1: no spaces, no plus");
	buf_init(&text, KEY_FILE_MAX);
	code = witness_key_write(own, seed, &text) ? complain(CTL_SERVER, "out of memory") : store_key(path, &text);
	buf_fini(&text);
	return code;
}

int command_audit_witness_key(const struct arguments *a)
{
	const char *path = a->words[0], *name = arguments_option(a, "name");
	struct note_key own;
	char text[NOTE_KEY_TEXT_MAX];
	uint8_t *seed;
	int code;

	if (secret_start() || !(seed = secret_alloc(SIGN_SEED_LEN)))
		return complain(CTL_SERVER, "the cryptographic library does not work as it must");
	code = name ? make_key(path, name, &own, seed) : read_key(path, &own, seed) ? CTL_OK : CTL_USAGE;
	if (code == CTL_OK) {
		note_key_write(&own, text);
		if (puts(text) < 0 || fflush(stdout))
			code = complain(CTL_SERVER, "standard output: %s", strerror(errno));
	}
	secret_free(seed);
	secret_stop();
	return code;
}
