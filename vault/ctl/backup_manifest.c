/* backup_manifest.c: the manifest between JSON and struct. */
#include "vault/ctl/backup_folder.h"

#include "base/clock.h"
#include "base/json.h"
#include "codec/doc.h"

#include <string.h>

#define FORMAT 1

static void print_ledger(struct json *j, const struct backup_part *p)
{
	json_key(j, "ledger");
	json_object(j);
	json_key(j, "hash");
	json_hex(j, p->hash, sizeof p->hash);
	json_key_int(j, "position", p->position);
	json_object_end(j);
}

static void print_part(struct json *j, const struct backup_part *p, const char *rows)
{
	json_key_string(j, "name", p->name);
	json_key(j, "made_at");
	json_time(j, p->made_at_us);
	json_key(j, "sha256");
	json_hex(j, p->sha256, sizeof p->sha256);
	json_key_int(j, "size", p->size);
	json_key_int(j, "schema", p->schema);
	json_key_int(j, rows, p->rows);
	print_ledger(j, p);
}

void backup_print(const struct backup_manifest *m, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key_int(&j, "format", FORMAT);
	json_key_string(&j, "vault", m->vault);
	json_key(&j, "customer_key");
	json_object(&j);
	print_part(&j, &m->keys, "keys");
	json_key(&j, "epochs");
	json_array(&j);
	for (size_t i = 0; i < m->n_epochs; i++) {
		json_object(&j);
		json_key_int(&j, "epoch", m->epochs[i].epoch);
		json_key_int(&j, "keys", m->epochs[i].keys);
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	json_key(&j, "data");
	json_array(&j);
	for (size_t i = 0; i < m->n_data; i++) {
		json_object(&j);
		print_part(&j, &m->data[i], "customers");
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	buf_byte(out, '\n');
}

static bool read_hex(const struct node *n, uint8_t out[static 32])
{
	static const char digits[] = "0123456789abcdef";
	size_t len;
	const char *text = node_string(n, &len);

	if (!text || len != 64 || strspn(text, digits) != 64)
		return false;
	for (size_t i = 0; i < 32; i++)
		out[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 | (strchr(digits, text[2 * i + 1]) - digits));
	return true;
}

static bool read_number(const struct node *n, int64_t most, int64_t *out)
{
	*out = node_int(n);
	return node_type(n) == NODE_INT && *out >= 0 && *out <= most;
}

/* "data-" or "customer_key-", then nothing that could lead out of the folder. */
static bool read_name(const struct node *n, const char *prefix, char out[static BACKUP_NAME_MAX])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzTZ_0123456789.-";
	size_t len;
	const char *text = node_string(n, &len);

	if (!text || len >= BACKUP_NAME_MAX || strncmp(text, prefix, strlen(prefix)) || strspn(text, allowed) != len)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static bool read_part(const struct node *n, const char *prefix, const char *rows, struct backup_part *p)
{
	const struct node *ledger = node_get(n, "ledger");
	int64_t schema;
	size_t len;
	const char *at = node_string(node_get(n, "made_at"), &len);

	if (!read_name(node_get(n, "name"), prefix, p->name) || !at || clock_parse(at, len, &p->made_at_us) ||
	    !read_hex(node_get(n, "sha256"), p->sha256) || !read_number(node_get(n, "size"), INT64_MAX, &p->size) ||
	    !read_number(node_get(n, "schema"), INT32_MAX, &schema) || !read_number(node_get(n, rows), INT64_MAX, &p->rows) ||
	    !read_number(node_get(ledger, "position"), INT64_MAX, &p->position) || !read_hex(node_get(ledger, "hash"), p->hash))
		return false;
	p->schema = (int32_t)schema;
	return true;
}

static bool read_epochs(const struct node *list, struct backup_manifest *m)
{
	m->n_epochs = node_count(list);
	if (node_type(list) != NODE_ARRAY || m->n_epochs > BACKUP_EPOCHS_MAX)
		return false;
	for (size_t i = 0; i < m->n_epochs; i++) {
		int64_t epoch;

		if (!read_number(node_get(node_at(list, i), "epoch"), UINT32_MAX, &epoch) ||
		    !read_number(node_get(node_at(list, i), "keys"), INT64_MAX, &m->epochs[i].keys))
			return false;
		m->epochs[i].epoch = (uint32_t)epoch;
	}
	return true;
}

static bool read_manifest(const struct node *root, struct backup_manifest *m)
{
	const struct node *data = node_get(root, "data"), *keys = node_get(root, "customer_key");
	size_t len;
	const char *vault = node_string(node_get(root, "vault"), &len);

	if (node_int(node_get(root, "format")) != FORMAT || !vault || len == 0 || len >= BACKUP_VAULT_MAX)
		return false;
	memcpy(m->vault, vault, len + 1);
	m->n_data = node_count(data);
	if (node_type(data) != NODE_ARRAY || m->n_data > BACKUPS_MAX || !read_part(keys, "customer_key-", "keys", &m->keys) ||
	    !read_epochs(node_get(keys, "epochs"), m))
		return false;
	for (size_t i = 0; i < m->n_data; i++)
		if (!read_part(node_at(data, i), "data-", "customers", &m->data[i]))
			return false;
	return true;
}

enum err backup_parse(const void *text, size_t len, struct backup_manifest *m)
{
	struct doc *doc = NULL;
	enum err e = doc_parse(text, len, &doc);

	memset(m, 0, sizeof *m);
	if (!e && !read_manifest(doc_root(doc), m))
		e = ERR_MALFORMED_JSON;
	doc_free(doc);
	return e;
}
