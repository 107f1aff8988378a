/* key_rotate.c: key rotate and destroy: the files of this machine and the vault, in step. Each can be run again
 * after an interruption and goes on. */
#include "base/clock.h"
#include "crypto/secret.h"
#include "vault/ctl/key_int.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEFAULT_WAIT_S 300

static int post(const struct arguments *a, const char *path)
{
	const struct client_request r = {.method = "POST", .path = path};
	struct buf body;
	int code = remote_send(a, &r, &body);

	if (code == CTL_OK)
		buf_fini(&body);
	return code;
}

static int post_epoch(const struct arguments *a, uint32_t epoch, const char *verb)
{
	char path[64];

	snprintf(path, sizeof path, "/v1/key-epochs/%u:%s", epoch, verb);
	return post(a, path);
}

static bool holds(const struct node *n, uint32_t epoch)
{
	const struct node *held = node_get(n, "epochs");

	for (size_t i = 0; i < node_count(held); i++)
		if (node_int(node_at(held, i)) == (int64_t)epoch)
			return true;
	return false;
}

/* Names of the live nodes that hold the epoch, or that do not; their number. */
static size_t name_nodes(const struct node *vault, uint32_t epoch, bool that_hold, struct buf *names)
{
	const struct node *nodes = node_get(vault, "nodes");
	size_t n = 0, len = 0;

	for (size_t i = 0; i < node_count(nodes); i++) {
		const struct node *at = node_at(nodes, i);
		const char *name = node_string(node_get(at, "node"), &len);

		if (!node_bool(node_get(at, "live")) || holds(at, epoch) != that_hold || !name)
			continue;
		buf_printf(names, "%s%s", n ? ", " : "", name);
		n++;
	}
	return n;
}

/* The file's states follow the vault's: an earlier run may have been cut off in between, or this is another machine. */
static int follow(const struct arguments *a, const struct key_place *p, uint32_t *active, struct buf *why)
{
	struct doc *doc = NULL;
	struct buf text;
	int code;

	buf_init(&text, 0);
	code = key_vault_ask(a, &text, &doc);
	*active = (uint32_t)node_int(node_get(doc_root(doc), "active_epoch"));
	doc_free(doc);
	buf_fini(&text);
	if (code == CTL_OK) {
		const enum err e = keyring_turn(p->keyring, p->root, *active, clock_now_us(), why);

		code = e ? key_failure(e, why) : CTL_OK;
	}
	return code;
}

/* *there: every live node holds the epoch. Tells when the list of the others changes. */
static int look(const struct arguments *a, uint32_t epoch, struct buf *told, bool *there)
{
	struct doc *doc = NULL;
	struct buf text, names;
	int code;

	buf_init(&text, 0);
	buf_init(&names, 0);
	code = key_vault_ask(a, &text, &doc);
	*there = code == CTL_OK && name_nodes(doc_root(doc), epoch, false, &names) == 0;
	if (code == CTL_OK && !*there && strcmp(buf_string(&names), buf_string(told)) != 0) {
		fprintf(stderr, "Waiting until these nodes hold epoch %u: %s\n", epoch, buf_string(&names));
		buf_reset(told);
		buf_text(told, buf_string(&names));
	}
	doc_free(doc);
	buf_fini(&text);
	buf_fini(&names);
	return code;
}

static int wait_for_nodes(const struct arguments *a, uint32_t epoch, long wait_s)
{
	const int64_t until = clock_mono_us() + (int64_t)wait_s * 1000000;
	const struct timespec pause = {.tv_nsec = 500000000};
	bool there = false;
	struct buf told;
	int code;

	buf_init(&told, 0);
	while ((code = look(a, epoch, &told, &there)) == CTL_OK && !there) {
		if (clock_mono_us() >= until) {
			code = complain(CTL_REFUSED, "not every live node holds epoch %u; it stays pending: bring them this keyring (vaultctl key backup, key restore), send SIGHUP, and run this again", epoch);
			break;
		}
		nanosleep(&pause, NULL);
	}
	buf_fini(&told);
	return code;
}

static int rotate(const struct arguments *a, const struct key_place *p, long wait_s, struct buf *why)
{
	uint32_t active = 0, fresh = 0;
	enum err e;
	int code = follow(a, p, &active, why);

	if (code != CTL_OK)
		return code;
	e = keyring_add_epoch(p->keyring, p->root, clock_now_us(), &fresh, why);
	if (e)
		return key_failure(e, why);
	fprintf(stderr, "Epoch %u is pending in %s.\n", fresh, p->keyring);
	code = post(a, "/v1/certificates:reload");
	if (code == CTL_OK)
		code = wait_for_nodes(a, fresh, wait_s);
	if (code == CTL_OK)
		code = post_epoch(a, fresh, "activate");
	if (code == CTL_OK) {
		e = keyring_turn(p->keyring, p->root, fresh, clock_now_us(), why);
		code = e ? key_failure(e, why) : post(a, "/v1/certificates:reload");
	}
	if (code == CTL_OK)
		printf("Epoch %u is active on all nodes, epoch %u retires. Customers' keys are wrapped anew in the background:\n"
		       "vaultctl key status shows how far. Make a new key backup, and destroy the one before it.\n", fresh, active);
	return code;
}

int command_key_rotate(const struct arguments *a)
{
	const char *wait = arguments_option(a, "wait");
	long wait_s = DEFAULT_WAIT_S;
	struct key_place p = {0};
	struct buf why;
	int code = CTL_USAGE;

	buf_init(&why, 0);
	if (wait && !input_number(wait, 0, 86400, &wait_s)) {
		complain(CTL_USAGE, "--wait must be a number from 0 to 86400");
	} else if (key_place_find(a, &p)) {
		const enum err e = secret_start();

		code = e ? key_failure(e, &why) : rotate(a, &p, wait_s, &why);
		secret_stop();
	}
	config_fini(&p.config);
	buf_fini(&why);
	return code == CTL_OK && fflush(stdout) ? CTL_SERVER : code;
}

/* After the vault's barrier, so that no batch of before can still write: is nothing left under it? */
static int still_used(const struct arguments *a, uint32_t epoch)
{
	struct doc *doc = NULL;
	const struct node *epochs;
	struct buf text;
	int64_t rows = -1;
	int code;

	buf_init(&text, 0);
	code = key_vault_ask(a, &text, &doc);
	epochs = node_get(doc_root(doc), "epochs");
	for (size_t i = 0; i < node_count(epochs); i++)
		if (node_int(node_get(node_at(epochs, i), "epoch")) == (int64_t)epoch)
			rows = node_int(node_get(node_at(epochs, i), "customers"));
	if (code == CTL_OK && rows != 0)
		code = complain(CTL_REFUSED, "customers' keys are under epoch %u again; no file was changed: run this again later", epoch);
	doc_free(doc);
	buf_fini(&text);
	return code;
}

static int tell_holders(const struct arguments *a, uint32_t epoch)
{
	const struct timespec report = {.tv_sec = 3}; /* nodes tell every two seconds what they hold */
	struct doc *doc = NULL;
	struct buf text, names;
	int code;

	nanosleep(&report, NULL);
	buf_init(&text, 0);
	buf_init(&names, 0);
	code = key_vault_ask(a, &text, &doc);
	if (code == CTL_OK && name_nodes(doc_root(doc), epoch, true, &names))
		printf("These nodes still hold it: %s. Bring them this keyring (vaultctl key backup, key restore) and send SIGHUP.\n", buf_string(&names));
	doc_free(doc);
	buf_fini(&text);
	buf_fini(&names);
	return code;
}

static int destroy(const struct arguments *a, const struct key_place *p, uint32_t epoch, struct buf *why)
{
	uint32_t active = 0;
	int code = post_epoch(a, epoch, "destroy");

	if (code == CTL_OK)
		code = still_used(a, epoch);
	if (code == CTL_OK)
		code = follow(a, p, &active, why);
	if (code == CTL_OK) {
		const enum err e = keyring_destroy(p->keyring, p->root, epoch, why);

		code = e ? key_failure(e, why) : CTL_OK;
	}
	if (code != CTL_OK)
		return code;
	printf("Epoch %u is destroyed in %s, which has a new root key in %s; the old two files are overwritten and gone.\n"
	       "Destroy every copy of them, and key backups from before: they open what they opened before. Make a new key backup.\n",
	       epoch, p->keyring, p->root);
	code = post(a, "/v1/certificates:reload");
	return code == CTL_OK ? tell_holders(a, epoch) : code;
}

int command_key_destroy(const struct arguments *a)
{
	struct key_place p = {0};
	long epoch = 0;
	struct buf why;
	int code = CTL_USAGE;

	buf_init(&why, 0);
	if (!input_number(a->words[0], 1, 999999999, &epoch)) {
		complain(CTL_USAGE, "EPOCH must be a number from 1 on");
	} else if (key_place_find(a, &p)) {
		const enum err e = secret_start();

		code = e ? key_failure(e, &why) : destroy(a, &p, (uint32_t)epoch, &why);
		secret_stop();
	}
	config_fini(&p.config);
	buf_fini(&why);
	return code == CTL_OK && fflush(stdout) ? CTL_SERVER : code;
}
