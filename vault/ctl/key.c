/* key.c: key init and status, on the files of this machine; status asks the vault too, where one is named. */
#include "base/clock.h"
#include "base/json.h"
#include "crypto/keyring.h"
#include "crypto/secret.h"
#include "ctl/commands.h"
#include "ctl/text.h"
#include "vault/ctl/key_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool key_place_find(const struct arguments *a, struct key_place *p)
{
	const char *keyring = arguments_option(a, "keyring"), *root = arguments_option(a, "root");
	const char *expected = arguments_option(a, "expected-customers");
	struct buf report;
	bool good;

	buf_init(&report, 0);
	good = config_load(&p->config, arguments_option(a, "config"), &report) == ERR_OK;
	if (!good)
		fputs(report.len ? buf_string(&report) : "error: out of memory\n", stderr);
	buf_fini(&report);
	if (!good)
		return false;
	p->keyring = keyring ? keyring : p->config.keyring;
	p->root = root ? root : p->config.root_key;
	p->expected_customers = (long)p->config.expected_customers;
	if (expected && !input_number(expected, 1000, 999999999, &p->expected_customers)) {
		complain(CTL_USAGE, "--expected-customers must be a number from 1000 to 999999999");
		return false;
	}
	return true;
}

int key_failure(enum err e, struct buf *why)
{
	while (why->len && why->data[why->len - 1] == '\n')
		buf_truncate(why, why->len - 1);
	return complain(e == ERR_CONFLICT ? CTL_REFUSED : CTL_SERVER, "%s", why->len ? buf_string(why) : err_text(e));
}

int command_key_init(const struct arguments *a)
{
	struct key_place p = {0};
	struct buf why;
	int code = CTL_USAGE;

	buf_init(&why, 0);
	if (key_place_find(a, &p)) {
		enum err e = secret_start();

		if (e == ERR_OK)
			e = keyring_init(p.keyring, p.root, (uint64_t)p.expected_customers, &why);
		code = e == ERR_OK ? CTL_OK : key_failure(e, &why);
		secret_stop();
	}
	if (code == CTL_OK)
		printf("Made %s and %s.\n"
		       "Without both, no value of the vault can ever be read again: copy them to places apart\n"
		       "from each other and from the database's backups.\n",
		       p.keyring, p.root);
	config_fini(&p.config);
	buf_fini(&why);
	return code == CTL_OK && fflush(stdout) ? CTL_SERVER : code;
}

const char *key_state_name(enum keyring_state state)
{
	switch (state) {
	case EPOCH_PENDING: return "pending";
	case EPOCH_ACTIVE: return "active";
	case EPOCH_RETIRING: return "retiring";
	case EPOCH_DESTROYED: return "destroyed";
	}
	return "unknown";
}

static void status_json(const struct keyring *k, const struct buf *vault, struct buf *out)
{
	size_t n;
	const struct keyring_epoch *epochs = keyring_epochs(k, &n);
	char fingerprint[17];
	struct json j;

	snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, keyring_fingerprint(k));
	json_init(&j, out);
	json_object(&j);
	json_key_string(&j, "fingerprint", fingerprint);
	json_key_int(&j, "active_epoch", keyring_active(k));
	json_key_int(&j, "index_epoch", keyring_index_epoch(k));
	json_key_int(&j, "index_bits", keyring_index_bits(k));
	json_key(&j, "epochs");
	json_array(&j);
	for (size_t i = 0; i < n; i++) {
		json_object(&j);
		json_key_int(&j, "epoch", epochs[i].epoch);
		json_key_string(&j, "state", key_state_name(epochs[i].state));
		json_key(&j, "created_at");
		json_time(&j, epochs[i].created_at_us);
		json_key(&j, "retired_at");
		if (epochs[i].retired_at_us)
			json_time(&j, epochs[i].retired_at_us);
		else
			json_null(&j);
		json_object_end(&j);
	}
	json_array_end(&j);
	if (vault->len) {
		json_key(&j, "vault");
		json_raw(&j, (const char *)vault->data, vault->len);
	}
	json_object_end(&j);
	buf_byte(out, '\n');
}

static void time_cell(struct table *t, int64_t at_us)
{
	char text[CLOCK_TEXT_LEN] = "";

	if (at_us)
		clock_format(at_us, text);
	table_cell(t, text, strlen(text));
}

static void status_table(const struct keyring *k, struct buf *out)
{
	static const char *const headings[] = {"EPOCH", "STATE", "CREATED AT", "RETIRED AT"};
	size_t n;
	const struct keyring_epoch *epochs = keyring_epochs(k, &n);
	struct table t;

	buf_printf(out, "fingerprint   %016" PRIx64 "\nactive epoch  %u\nindex epoch   %u, tags of %u bits\n\n",
	           keyring_fingerprint(k), keyring_active(k), keyring_index_epoch(k), keyring_index_bits(k));
	table_init(&t, headings, 4);
	for (size_t i = 0; i < n; i++) {
		char number[16];

		snprintf(number, sizeof number, "%u", epochs[i].epoch);
		table_cell(&t, number, strlen(number));
		table_cell(&t, key_state_name(epochs[i].state), strlen(key_state_name(epochs[i].state)));
		time_cell(&t, epochs[i].created_at_us);
		time_cell(&t, epochs[i].retired_at_us);
	}
	table_render(&t, out);
	table_fini(&t);
}

static int show_status(const struct arguments *a, const struct keyring *k, struct buf *text)
{
	struct doc *doc = NULL;
	struct buf vault;
	int code = CTL_OK;

	buf_init(&vault, 0);
	if (key_vault_named(a))
		code = key_vault_ask(a, &vault, &doc);
	if (a->globals[GLOBAL_JSON])
		status_json(k, &vault, text);
	else
		status_table(k, text);
	if (doc && !a->globals[GLOBAL_JSON])
		key_vault_show(doc_root(doc), text);
	doc_free(doc);
	buf_fini(&vault);
	return output(text) == CTL_OK ? code : CTL_SERVER;
}

int command_key_status(const struct arguments *a)
{
	struct key_place p = {0};
	struct keyring *k = NULL;
	struct buf text;
	int code = CTL_USAGE;

	buf_init(&text, 0);
	if (key_place_find(a, &p)) {
		enum err e = secret_start();

		if (e == ERR_OK)
			e = keyring_open(p.keyring, p.root, &k, &text);
		code = e == ERR_OK ? show_status(a, k, &text) : key_failure(e, &text);
		keyring_free(k);
		secret_stop();
	}
	config_fini(&p.config);
	buf_fini(&text);
	return code;
}
