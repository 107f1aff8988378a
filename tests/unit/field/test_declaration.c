/* Which declarations are sound; a test for each refusal. */
#include "field_test.h"

static struct field sound(enum field_type type)
{
	struct field f = {.number = 1, .type = type, .normaliser = field_default_normaliser(type)};

	strcpy(f.name, "email");
	strcpy(f.class_name, "contact");
	return f;
}

static void add_mask(struct field *f, const char *name, enum field_mask_kind kind, uint8_t a, uint8_t b)
{
	struct field_mask *m = &f->masks[f->n_masks++];

	strcpy(m->name, name);
	m->kind = kind;
	m->a = a;
	m->b = b;
}

static void assert_sound(const struct field *f)
{
	struct buf why;

	buf_init(&why, 0);
	if (field_declaration_check(f, &why))
		fail_msg("%s: %s", field_type_name(f->type), buf_string(&why));
	assert_int_equal(why.len, 0);
	buf_fini(&why);
}

/* refused, with a line that holds word */
static void assert_unsound(const struct field *f, const char *word)
{
	struct buf why;

	buf_init(&why, 0);
	assert_int_equal(field_declaration_check(f, &why), ERR_DICTIONARY);
	if (!strstr(buf_string(&why), word) || strchr(buf_string(&why), '\n'))
		fail_msg("why: %s", buf_string(&why));
	buf_fini(&why);
}

static void every_type_is_sound_by_default(void **state)
{
	(void)state;
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		const struct field f = sound((enum field_type)t);

		assert_sound(&f);
	}
}

static void just_the_types_with_many_values_may_be_indexed(void **state)
{
	(void)state;
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		struct field f = sound((enum field_type)t);

		f.indexed = true;
		switch ((enum field_type)t) {
		case TYPE_DATE:
		case TYPE_BIRTH_DATE:
		case TYPE_GENDER:
		case TYPE_ADDRESS:
		case TYPE_INTEGER:
		case TYPE_BOOLEAN:
		case TYPE_JSON: assert_unsound(&f, "index"); break;
		case TYPE_TEXT:
		case TYPE_NAME:
		case TYPE_EMAIL:
		case TYPE_PHONE:
		case TYPE_RESIDENT_ID:
		case TYPE_PASSPORT:
		case TYPE_BANK_CARD:
		case TYPE_IBAN:
		case TYPE_USCC:
		case TYPE_URL:
		case TYPE_IP:
		case TYPE_COUNT: assert_sound(&f); break;
		}
	}
}

static void names_must_be_plain(void **state)
{
	static const char *const bad[] = {"", "Email", "1email", "_email", "e-mail", "e mail", "e.mail", "é"};
	struct field f = sound(TYPE_EMAIL);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(field_name_valid(bad[i]));
		f = sound(TYPE_EMAIL);
		strcpy(f.name, bad[i]);
		assert_unsound(&f, "name");
		f = sound(TYPE_EMAIL);
		strcpy(f.class_name, bad[i]);
		assert_unsound(&f, "class");
		f = sound(TYPE_EMAIL);
		add_mask(&f, bad[i], MASK_EMAIL, 0, 0);
		assert_unsound(&f, "mask's name");
	}
	assert_true(field_name_valid("a"));
	assert_true(field_name_valid("a23456789_123456789_123456789_123456789_1234567"));
	assert_false(field_name_valid("a23456789_123456789_123456789_123456789_12345678"));
}

static void types_masks_and_normalisers_must_exist(void **state)
{
	struct field f = sound(TYPE_EMAIL);

	(void)state;
	f.type = TYPE_COUNT;
	assert_unsound(&f, "type");
	f = sound(TYPE_EMAIL);
	f.normaliser = NORMALISE_COUNT;
	assert_unsound(&f, "normaliser");
	f = sound(TYPE_EMAIL);
	add_mask(&f, "short", MASK_COUNT, 0, 0);
	assert_unsound(&f, "mask");
}

static void a_normaliser_must_fit_its_type(void **state)
{
	struct field f = sound(TYPE_PHONE);

	(void)state;
	f.normaliser = NORMALISE_ALNUM; /* would lose the plus, and with it the country */
	assert_unsound(&f, "normaliser alnum does not fit type phone");
	f = sound(TYPE_EMAIL);
	f.normaliser = NORMALISE_PHONE;
	assert_unsound(&f, "normaliser");
}

static void a_mask_must_fit_its_type(void **state)
{
	(void)state;
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		for (unsigned k = 0; k < MASK_COUNT; k++) {
			const bool dated = t == TYPE_DATE || t == TYPE_BIRTH_DATE;
			const bool object =
			    t == TYPE_ADDRESS || t == TYPE_INTEGER || t == TYPE_BOOLEAN || t == TYPE_JSON;
			const bool fits = k == MASK_STARS || (k == MASK_EMAIL && t == TYPE_EMAIL) ||
			                  (k == MASK_PHONE && t == TYPE_PHONE) || (k == MASK_NAME && t == TYPE_NAME) ||
			                  (k == MASK_CITY && t == TYPE_ADDRESS) ||
			                  ((k == MASK_YEAR || k == MASK_DECADE) && dated) ||
			                  (k == MASK_KEEP && !dated && !object && t != TYPE_GENDER);
			struct field f = sound((enum field_type)t);

			add_mask(&f, "some", (enum field_mask_kind)k, k == MASK_KEEP, 0);
			if (fits)
				assert_sound(&f);
			else
				assert_unsound(&f, "does not fit type");
		}
	}
}

static void a_mask_may_not_keep_too_much_or_nothing(void **state)
{
	struct field f = sound(TYPE_BANK_CARD);

	(void)state;
	add_mask(&f, "ends", MASK_KEEP, 6, 4);
	assert_sound(&f);
	f.masks[0].a = 7;
	assert_unsound(&f, "at most 10");
	f.masks[0].a = f.masks[0].b = 200;
	assert_unsound(&f, "at most 10");
	f.masks[0].a = f.masks[0].b = 0;
	assert_unsound(&f, "nothing");
	f = sound(TYPE_EMAIL);
	add_mask(&f, "short", MASK_EMAIL, 1, 0);
	assert_unsound(&f, "only kind keep has numbers");
}

static void masks_are_few_named_apart_and_weakest_first(void **state)
{
	struct field f = sound(TYPE_BIRTH_DATE);

	(void)state;
	add_mask(&f, "stars", MASK_STARS, 0, 0);
	add_mask(&f, "decade", MASK_DECADE, 0, 0);
	add_mask(&f, "year", MASK_YEAR, 0, 0);
	assert_sound(&f);
	strcpy(f.masks[2].name, "decade");
	assert_unsound(&f, "twice");

	f = sound(TYPE_BIRTH_DATE);
	add_mask(&f, "year", MASK_YEAR, 0, 0);
	add_mask(&f, "decade", MASK_DECADE, 0, 0);
	assert_unsound(&f, "weakest first");

	f = sound(TYPE_EMAIL);
	add_mask(&f, "short", MASK_EMAIL, 0, 0);
	add_mask(&f, "stars", MASK_STARS, 0, 0);
	assert_unsound(&f, "weakest first");

	f = sound(TYPE_BANK_CARD);
	add_mask(&f, "last4", MASK_KEEP, 0, 4);
	add_mask(&f, "ends", MASK_KEEP, 6, 4);
	assert_sound(&f);
	f.n_masks = 0;
	add_mask(&f, "ends", MASK_KEEP, 6, 4);
	add_mask(&f, "last4", MASK_KEEP, 0, 4);
	assert_unsound(&f, "weakest first");

	f = sound(TYPE_EMAIL);
	f.n_masks = FIELD_MASKS_MAX + 1;
	assert_unsound(&f, "at most 6");
}

static void lengths_and_retention_have_an_end(void **state)
{
	struct field f = sound(TYPE_EMAIL);

	(void)state;
	f.max_len = 254;
	assert_sound(&f);
	f.max_len = 255;
	assert_unsound(&f, "max_length");
	f = sound(TYPE_EMAIL);
	f.retention_days = 36525;
	assert_sound(&f);
	f.retention_days = 36526;
	assert_unsound(&f, "retention_days");
}

static void a_record_kind_is_json_and_nothing_more(void **state)
{
	struct field f = sound(TYPE_JSON);

	(void)state;
	f.record = true;
	assert_sound(&f);
	f.list = true;
	assert_unsound(&f, "list");
	f.list = false;
	f.indexed = true;
	assert_unsound(&f, "index");
	f.indexed = false;
	add_mask(&f, "stars", MASK_STARS, 0, 0);
	assert_unsound(&f, "masks");
	f = sound(TYPE_TEXT);
	f.record = true;
	assert_unsound(&f, "json");
}

static void names_of_types_masks_and_normalisers_work_both_ways(void **state)
{
	enum field_type t;
	enum field_mask_kind k;
	enum field_normaliser n;

	(void)state;
	for (unsigned i = 0; i < TYPE_COUNT; i++) {
		assert_true(field_type_of(field_type_name((enum field_type)i), &t));
		assert_int_equal(t, i);
	}
	for (unsigned i = 0; i < MASK_COUNT; i++) {
		assert_true(field_mask_of(field_mask_name((enum field_mask_kind)i), &k));
		assert_int_equal(k, i);
	}
	for (unsigned i = 0; i < NORMALISE_COUNT; i++) {
		assert_true(field_normaliser_of(field_normaliser_name((enum field_normaliser)i), &n));
		assert_int_equal(n, i);
	}
	assert_string_equal(field_type_name(TYPE_RESIDENT_ID), "resident_id");
	assert_false(field_type_of("resident", &t));
	assert_false(field_mask_of("", &k));
	assert_false(field_normaliser_of("TEXT", &n));
	assert_null(field_type_name(TYPE_COUNT));
	assert_null(field_mask_name(MASK_COUNT));
	assert_null(field_normaliser_name(NORMALISE_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_type_is_sound_by_default),
	    cmocka_unit_test(just_the_types_with_many_values_may_be_indexed),
	    cmocka_unit_test(names_must_be_plain),
	    cmocka_unit_test(types_masks_and_normalisers_must_exist),
	    cmocka_unit_test(a_normaliser_must_fit_its_type),
	    cmocka_unit_test(a_mask_must_fit_its_type),
	    cmocka_unit_test(a_mask_may_not_keep_too_much_or_nothing),
	    cmocka_unit_test(masks_are_few_named_apart_and_weakest_first),
	    cmocka_unit_test(lengths_and_retention_have_an_end),
	    cmocka_unit_test(a_record_kind_is_json_and_nothing_more),
	    cmocka_unit_test(names_of_types_masks_and_normalisers_work_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
