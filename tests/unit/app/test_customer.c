/* A customer's row: what is sealed opens in its own place only; purpose states
 * are part of it. No database: rows go from the writer to the reader. */
#include "crypto/keyring.h"
#include "crypto/secret.h"
#include "vault/app/customer.h"
#include "vault/app/values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
	char folder[64];
	struct app app;
	struct batch b;
	struct snapshot s;
	struct field fields[2];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	char keyring[128], root[128];
	struct buf why;

	*state = w;
	buf_init(&why, 0);
	snprintf(w->folder, sizeof w->folder, "/tmp/vault-customer.XXXXXX");
	if (!mkdtemp(w->folder))
		return -1;
	snprintf(keyring, sizeof keyring, "%s/keyring", w->folder);
	snprintf(root, sizeof root, "%s/root", w->folder);
	if (keyring_init(keyring, root, 1000000, &why) || keyring_open(keyring, root, &w->app.keyring, &why))
		return -1;
	unlink(keyring);
	unlink(root);
	rmdir(w->folder);
	w->fields[0] = (struct field){.number = 1, .type = TYPE_EMAIL, .indexed = true, .normaliser = NORMALISE_EMAIL, .name = "email"};
	w->fields[1] = (struct field){.number = 14, .type = TYPE_TEXT, .name = "notes"};
	w->s.fields = w->fields;
	w->s.n_fields = 2;
	w->s.subject_of_number[1] = 1;
	w->s.subject_of_number[14] = 2;
	w->b.snapshot = &w->s;
	w->b.keyring = w->app.keyring;
	w->s.key_epoch = keyring_active(w->app.keyring);
	w->b.app = &w->app;
	w->b.now_us = 1000;
	arena_init(&w->b.arena, 0);
	return mac_new(keyring_key(w->app.keyring, KEYRING_AUDIT_MAC), &w->b.audit_mac) || sealer_new(&w->b.sealer) || reads_new(&w->b.reads) || writes_new(&w->b.writes) ||
	       blind_new(keyring_key(w->app.keyring, KEYRING_INDEX), 1, 18, &w->b.blind);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	mac_free(w->b.audit_mac);
	sealer_free(w->b.sealer);
	reads_free(w->b.reads);
	writes_free(w->b.writes);
	blind_free(w->b.blind);
	arena_fini(&w->b.arena);
	keyring_free(w->app.keyring);
	free(w);
	return 0;
}

/* A customer with an e-mail and a note, and its key, as a reader would find them. */
struct stored {
	struct customer_row row;
	uint8_t wrapped[SEAL_DEK_LEN];
};

static void row_of(const struct customer_write *from, struct customer_row *to)
{
	*to = (struct customer_row){.id = from->id,
	                            .version = from->version,
	                            .dek_generation = from->dek_generation,
	                            .token_generation = from->token_generation,
	                            .state = from->state,
	                            .state_len = from->state_len,
	                            .state_valid_until_us = from->state_valid_until_us,
	                            .header = from->header,
	                            .header_len = from->header_len,
	                            .fields = from->fields,
	                            .fields_len = from->fields_len,
	                            .key_epoch = 1,
	                            .key_generation = from->dek_generation,
	                            .locked = true};
}

static void store(struct world *w, const char *email, struct stored *out)
{
	const struct change changes[] = {{1, email, strlen(email)}, {14, "\"a note\"", 8}};
	struct written written;

	assert_int_equal(customer_create(&w->b, &w->s, &(struct newcomer){.changes = changes, .n_changes = 2, .source = "web"}, &written), ERR_OK);
	row_of(&written.row, &out->row);
	/* the wrapped key, as it went into the writer */
	memcpy(out->wrapped, written.wrapped, sizeof out->wrapped);
	out->row.wrapped = out->wrapped;
	out->row.wrapped_len = sizeof out->wrapped;
}

static enum err open_row(struct world *w, const struct customer_row *row, struct customer **c)
{
	struct customer_row *copy = arena_alloc(&w->b.arena, sizeof *copy);

	*copy = *row;
	copy->opened = NULL;
	return customer_open(&w->b, copy, c);
}

static void assert_value(struct world *w, struct customer *c, uint16_t number, const char *expected)
{
	struct buf out;

	buf_init(&out, 0);
	assert_int_equal(customer_value(&w->b, c, customer_unit(c, number), &out), ERR_OK);
	assert_string_equal(buf_string(&out), expected);
	buf_fini(&out);
}

static void a_row_opens_and_gives_its_values(void **state)
{
	struct world *w = *state;
	struct customer *c;
	struct stored a;

	store(w, "\"a@example.com\"", &a);
	assert_int_equal(open_row(w, &a.row, &c), ERR_OK);
	assert_value(w, c, 1, "\"a@example.com\"");
	assert_value(w, c, 14, "\"a note\"");
	assert_null(customer_unit(c, 2));
	assert_string_equal(c->source, "web");
}

/* Each column of a in turn replaced by b's: none opens. */
static void no_column_of_one_customer_serves_another(void **state)
{
	struct world *w = *state;
	struct customer *c;
	struct stored a, b;

	store(w, "\"a@example.com\"", &a);
	store(w, "\"b@example.com\"", &b);
	for (int column = 0; column < 4; column++) {
		struct customer_row row = a.row;

		switch (column) {
		case 0: row.id = b.row.id; break;
		case 1:
			row.header = b.row.header;
			row.header_len = b.row.header_len;
			break;
		case 2: row.wrapped = b.row.wrapped; break;
		default:
			row.id = b.row.id;
			row.wrapped = b.row.wrapped;
			break;
		}
		assert_int_equal(open_row(w, &row, &c), ERR_SEAL);
	}
}

/* The units of two customers have the same directory, so only their own tags tell them apart. */
static void a_unit_of_one_customer_does_not_open_in_anothers_row(void **state)
{
	struct world *w = *state;
	struct customer *c;
	struct stored a, b;
	struct buf out;

	store(w, "\"a@example.com\"", &a);
	store(w, "\"b@example.com\"", &b);
	a.row.fields = b.row.fields;
	assert_int_equal(open_row(w, &a.row, &c), ERR_OK);
	buf_init(&out, 0);
	assert_int_equal(customer_value(&w->b, c, customer_unit(c, 1), &out), ERR_SEAL);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

static void every_public_column_is_authenticated(void **state)
{
	static const uint8_t flipped[] = {0x01};
	struct world *w = *state;
	struct customer *c;
	struct stored a;

	store(w, "\"a@example.com\"", &a);
	for (int i = 0; i < 6; i++) {
		struct customer_row row = a.row;

		switch (i) {
		case 0: row.version++; break;
		case 1: row.token_generation++; break;
		case 2: row.dek_generation = ++row.key_generation; break;
		case 3: row.state_valid_until_us--; break;
		case 4:
			row.state = flipped;
			row.state_len = 1;
			break;
		default: row.key_epoch = 2; break;
		}
		assert_int_equal(open_row(w, &row, &c), i == 5 ? ERR_NO_EPOCH : ERR_SEAL);
	}
}

static void every_single_bit_of_a_row_matters(void **state)
{
	struct world *w = *state;
	struct customer *c;
	struct stored a;
	uint8_t fields[512], header[512];

	store(w, "\"a@example.com\"", &a);
	for (size_t bit = 0; bit < 8 * (a.row.fields_len + a.row.header_len); bit++) {
		struct customer_row row = a.row;
		struct buf out;
		enum err e;

		memcpy(fields, a.row.fields, a.row.fields_len);
		memcpy(header, a.row.header, a.row.header_len);
		if (bit / 8 < a.row.fields_len)
			fields[bit / 8] ^= (uint8_t)(1 << bit % 8);
		else
			header[bit / 8 - a.row.fields_len] ^= (uint8_t)(1 << bit % 8);
		row.fields = fields;
		row.header = header;
		buf_init(&out, 0);
		e = open_row(w, &row, &c);
		for (size_t i = 0; !e && i < c->n_units; i++)
			e = customer_value(&w->b, c, &c->units[i], &out);
		assert_int_equal(e, ERR_SEAL);
		buf_fini(&out);
	}
}

static void truncated_rows_are_refused(void **state)
{
	struct world *w = *state;
	struct customer *c;
	struct stored a;

	store(w, "\"a@example.com\"", &a);
	for (size_t len = 0; len < a.row.fields_len; len++) {
		struct customer_row row = a.row;

		row.fields_len = len;
		assert_int_equal(open_row(w, &row, &c), ERR_SEAL);
	}
	for (size_t len = 0; len < a.row.header_len; len++) {
		struct customer_row row = a.row;

		row.header_len = len;
		assert_int_equal(open_row(w, &row, &c), ERR_SEAL);
	}
}

static void an_older_unit_does_not_come_back(void **state)
{
	const struct change change = {1, "\"c@example.com\"", 15};
	struct world *w = *state;
	struct customer_state next;
	struct customer_row row;
	struct written written;
	struct customer *c;
	struct stored a;

	store(w, "\"a@example.com\"", &a);
	assert_int_equal(open_row(w, &a.row, &c), ERR_OK);
	next = customer_state_of(c);
	assert_int_equal(customer_update(&w->b, &w->s, c, &change, 1, &next, &written), ERR_OK);
	row_of(&written.row, &row);
	row.wrapped = a.wrapped;
	row.wrapped_len = sizeof a.wrapped;
	assert_int_equal(open_row(w, &row, &c), ERR_OK);
	assert_value(w, c, 1, "\"c@example.com\"");
	assert_value(w, c, 14, "\"a note\"");
	assert_int_equal(row.fields_len, a.row.fields_len);
	row.fields = a.row.fields; /* version 1 of the e-mail under the header of version 2 */
	assert_int_equal(open_row(w, &row, &c), ERR_SEAL);
}

/* Tokens hold 16 bits of it: the generation after the last would be the first again. */
static void there_is_no_generation_after_the_last(void **state)
{
	struct world *w = *state;
	struct customer_state next;
	struct written written;
	struct customer *c;
	struct stored a;

	store(w, "\"a@example.com\"", &a);
	assert_int_equal(open_row(w, &a.row, &c), ERR_OK);
	next = customer_state_of(c);
	next.token_generation = 65535;
	assert_int_equal(customer_update(&w->b, &w->s, c, NULL, 0, &next, &written), ERR_OK);
	next.token_generation = 65536;
	assert_int_equal(customer_update(&w->b, &w->s, c, NULL, 0, &next, &written), ERR_CONFLICT);
}

static void a_purpose_state_is_read_for_its_purpose_until_it_expires(void **state)
{
	/* purpose 3: consented; purpose 4: objected and restricted */
	static const uint8_t purposes[] = {0x00, STATE_CONSENTED | (STATE_OBJECTED | STATE_RESTRICTED) << 4};
	struct world *w = *state;
	struct customer_state next;
	struct customer_row row;
	struct written written;
	struct customer *c;
	struct stored a;

	store(w, "\"a@example.com\"", &a);
	assert_int_equal(open_row(w, &a.row, &c), ERR_OK);
	assert_int_equal(customer_state(&w->b, c, 3), 0);
	next = customer_state_of(c);
	next.purposes = purposes;
	next.purposes_len = sizeof purposes;
	next.valid_until_us = 2000;
	assert_int_equal(customer_update(&w->b, &w->s, c, NULL, 0, &next, &written), ERR_OK);
	row_of(&written.row, &row);
	row.wrapped = a.wrapped;
	row.wrapped_len = sizeof a.wrapped;
	assert_int_equal(open_row(w, &row, &c), ERR_OK);
	assert_int_equal(customer_state(&w->b, c, 1), 0);
	assert_int_equal(customer_state(&w->b, c, 3), STATE_CONSENTED);
	assert_int_equal(customer_state(&w->b, c, 4), STATE_OBJECTED | STATE_RESTRICTED);
	assert_int_equal(customer_state(&w->b, c, 64), 0);
	w->b.now_us = 2000; /* at its second the consent stops counting; an objection does not */
	assert_int_equal(customer_state(&w->b, c, 3), 0);
	assert_int_equal(customer_state(&w->b, c, 4), STATE_OBJECTED | STATE_RESTRICTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_row_opens_and_gives_its_values, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(no_column_of_one_customer_serves_another, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_unit_of_one_customer_does_not_open_in_anothers_row, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(every_public_column_is_authenticated, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(every_single_bit_of_a_row_matters, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(truncated_rows_are_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_older_unit_does_not_come_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(there_is_no_generation_after_the_last, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_purpose_state_is_read_for_its_purpose_until_it_expires, set_up, tear_down),
	};

	if (secret_start())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
