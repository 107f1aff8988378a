/* key_vault.c: key epochs as the vault has them. */
#include "ctl/text.h"
#include "vault/ctl/key_int.h"

#include <stdio.h>
#include <string.h>

#define BAR 30

bool key_vault_named(const struct arguments *a)
{
	return a->globals[GLOBAL_AS] || arguments_global(a, GLOBAL_CERT);
}

int key_vault_ask(const struct arguments *a, struct buf *text, struct doc **doc)
{
	const struct client_request r = {.method = "GET", .path = "/v1/key-epochs"};
	struct buf body;
	int code = remote_send(a, &r, &body);

	*doc = NULL;
	if (code != CTL_OK)
		return code;
	if (doc_parse(body.data, body.len, doc) != ERR_OK)
		code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
	else
		buf_append(text, body.data, body.len);
	buf_fini(&body);
	return code;
}

static void text_cell(struct table *t, const struct node *object, const char *key)
{
	size_t len = 0;
	const char *text = node_string(node_get(object, key), &len);

	table_cell(t, text ? text : "", text ? len : 0);
}

static void number_cell(struct table *t, int64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)number);
	table_cell(t, text, strlen(text));
}

static void show_epochs(const struct node *epochs, struct buf *out)
{
	static const char *const headings[] = {"EPOCH", "STATE", "CUSTOMERS", "ACTIVATED AT", "RETIRED AT", "DESTROYABLE AT", "DESTROYED AT", "GONE AT"};
	struct table t;

	table_init(&t, headings, 8);
	for (size_t i = 0; i < node_count(epochs); i++) {
		const struct node *e = node_at(epochs, i);

		number_cell(&t, node_int(node_get(e, "epoch")));
		text_cell(&t, e, "state");
		number_cell(&t, node_int(node_get(e, "customers")));
		text_cell(&t, e, "activated_at");
		text_cell(&t, e, "retired_at");
		text_cell(&t, e, "destroyable_at");
		text_cell(&t, e, "destroyed_at");
		text_cell(&t, e, "gone_at");
	}
	table_render(&t, out);
	table_fini(&t);
}

static void show_progress(const struct node *vault, struct buf *out)
{
	const int64_t all = node_int(node_get(vault, "customers")), done = node_int(node_get(vault, "customers_on_active_epoch"));
	const int64_t tenths = all ? done * 1000 / all : 1000;
	char bar[BAR + 1];

	for (int i = 0; i < BAR; i++)
		bar[i] = i < tenths * BAR / 1000 ? '#' : '-';
	bar[BAR] = 0;
	buf_printf(out, "\n[%s] %lld.%lld%%: %lld of %lld customers' keys are under epoch %lld\n\n", bar, (long long)(tenths / 10), (long long)(tenths % 10),
	           (long long)done, (long long)all, (long long)node_int(node_get(vault, "active_epoch")));
}

static void show_nodes(const struct node *nodes, struct buf *out)
{
	static const char *const headings[] = {"NODE", "LIVE", "SEEN AT", "HOLDS EPOCHS", "FINGERPRINT"};
	struct table t;

	table_init(&t, headings, 5);
	for (size_t i = 0; i < node_count(nodes); i++) {
		const struct node *n = node_at(nodes, i), *held = node_get(n, "epochs");
		struct buf list;

		buf_init(&list, 0);
		for (size_t k = 0; k < node_count(held); k++)
			buf_printf(&list, "%s%lld", k ? " " : "", (long long)node_int(node_at(held, k)));
		text_cell(&t, n, "node");
		table_cell(&t, node_bool(node_get(n, "live")) ? "yes" : "no", node_bool(node_get(n, "live")) ? 3 : 2);
		text_cell(&t, n, "seen_at");
		table_cell(&t, buf_string(&list), list.len);
		text_cell(&t, n, "fingerprint");
		buf_fini(&list);
	}
	table_render(&t, out);
	table_fini(&t);
}

void key_vault_show(const struct node *vault, struct buf *out)
{
	buf_text(out, "\nThe vault:\n\n");
	show_epochs(node_get(vault, "epochs"), out);
	show_progress(vault, out);
	show_nodes(node_get(vault, "nodes"), out);
}
