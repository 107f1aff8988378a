/* Signed notes, checkpoints, paths of tiles, proofs and additions, as C2SP writes them. */
#include "crypto/note.h"
#include "crypto/secret.h"
#include "crypto/tlog.h"
#include "tests/vectors/ed25519.h"
#include "tests/vectors/hex.h"
#include "tests/vectors/tlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DASH "\xe2\x80\x94 "

static uint8_t seed[32], public_key[32];

static int set_up(void **state)
{
	(void)state;
	hex_read(ed25519_vectors[1].seed, seed);
	return secret_start() || sign_public(seed, public_key);
}

static int tear_down(void **state)
{
	(void)state;
	secret_stop();
	return 0;
}

static struct note_key key_of(const char *text)
{
	struct note_key k;

	assert_int_equal(note_key_read(text, strlen(text), &k), ERR_OK);
	return k;
}

static enum err parse(const char *text, struct note *n)
{
	return note_parse(text, strlen(text), n);
}

static void the_published_note_verifies(void **state)
{
	const struct note_key k = key_of(NOTE_EXAMPLE_KEY);
	struct note n;
	char again[NOTE_KEY_TEXT_MAX], changed[] = NOTE_EXAMPLE;

	(void)state;
	note_key_write(&k, again);
	assert_string_equal(again, NOTE_EXAMPLE_KEY);
	assert_int_equal(parse(NOTE_EXAMPLE, &n), ERR_OK);
	assert_int_equal(n.n, 1);
	assert_int_equal(n.text_len, strlen("This is an example message.\n"));
	assert_int_equal(note_verify(&n, &k, NULL), ERR_OK);
	changed[0] = 't';
	assert_int_equal(parse(changed, &n), ERR_OK);
	assert_int_equal(note_verify(&n, &k, NULL), ERR_SEAL);
}

static void a_cosignature_is_the_one_that_others_make(void **state)
{
	const struct note_key k = key_of(COSIGNER_KEY);
	struct note n;
	struct buf out;
	uint8_t its_seed[32];
	uint64_t time = 1;

	(void)state;
	hex_read(COSIGNER_SEED, its_seed);
	buf_init(&out, 0);
	buf_text(&out, COSIGNED_TEXT "\n");
	assert_int_equal(note_sign(&k, its_seed, COSIGNED_TEXT, strlen(COSIGNED_TEXT), COSIGNER_TIME, &out), ERR_OK);
	assert_string_equal(buf_string(&out), COSIGNED_TEXT "\n" COSIGNATURE);
	assert_int_equal(note_parse((char *)out.data, out.len, &n), ERR_OK);
	assert_int_equal(note_verify(&n, &k, &time), ERR_OK);
	assert_int_equal(time, COSIGNER_TIME);
	buf_fini(&out);
}

static void a_signature_is_no_cosignature_and_the_other_way_round(void **state)
{
	struct note_key plain, timed;
	struct buf out;
	struct note n;
	uint64_t time = 1;

	(void)state;
	assert_int_equal(note_key_of("vault.example/log", NOTE_ED25519, public_key, &plain), ERR_OK);
	assert_int_equal(note_key_of("vault.example/log", NOTE_COSIGNATURE, public_key, &timed), ERR_OK);
	assert_int_not_equal(plain.id, timed.id);
	buf_init(&out, 0);
	buf_text(&out, "text\n\n");
	assert_int_equal(note_sign(&plain, seed, "text\n", 5, 0, &out), ERR_OK);
	assert_int_equal(note_parse((char *)out.data, out.len, &n), ERR_OK);
	assert_int_equal(note_verify(&n, &plain, &time), ERR_OK);
	assert_int_equal(time, 0);
	assert_int_equal(note_verify(&n, &timed, NULL), ERR_NOT_FOUND);
	timed.id = plain.id; /* even under the other's id */
	assert_int_equal(note_verify(&n, &timed, &time), ERR_SEAL);
	assert_int_equal(time, 0);
	buf_fini(&out);
}

static void every_line_of_a_known_key_must_verify_and_others_do_not_matter(void **state)
{
	const struct note_key k = key_of(NOTE_EXAMPLE_KEY), other = key_of(COSIGNER_KEY);
	struct note n;

	(void)state;
	assert_int_equal(parse(NOTE_EXAMPLE DASH "unknown.example AAAAAAAA\n" DASH "example.com/foo AAAAAAAA\n", &n), ERR_OK);
	assert_int_equal(n.n, 3);
	assert_int_equal(note_verify(&n, &k, NULL), ERR_OK);
	assert_int_equal(note_verify(&n, &other, NULL), ERR_NOT_FOUND);
	/* the right name and id, and a signature that is too short, or of another text */
	assert_int_equal(parse(NOTE_EXAMPLE DASH "example.com/foo Uw2QOgAA\n", &n), ERR_OK);
	assert_int_equal(note_verify(&n, &k, NULL), ERR_SEAL);
	assert_int_equal(parse("x\n\n" DASH "example.com/foo Uw2QOgAA\n", &n), ERR_OK);
	assert_int_equal(note_verify(&n, &k, NULL), ERR_SEAL);
}

static void what_is_no_note_is_refused(void **state)
{
	static const char *const bad[] = {
	    "", "\n", "\n\n", "text\n", "text\n\n", "text\n\nmore\n", "text\n" DASH "a AAAAAAAA\n",
	    "text\n\n" DASH "a AAAAAAAA", "text\n\n" DASH " AAAAAAAA\n", "text\n\n" DASH "a\n", "text\n\n" DASH "a \n",
	    "text\n\n" DASH "a AAAAAAA\n", "text\n\n" DASH "a AAAA====\n", "text\n\n" DASH "a AAA=AAAA\n",
	    "text\n\n" DASH "a AAAA AAAA\n", "text\n\n" DASH "a+b AAAAAAAA\n", "text\n\n" DASH "a\xe2\x80\x83" "b AAAAAAAA\n",
	    "te\txt\n\n" DASH "a AAAAAAAA\n", "te\xffxt\n\n" DASH "a AAAAAAAA\n", "te\xc0\xaf\n\n" DASH "a AAAAAAAA\n",
	    "te\xed\xa0\x80\n\n" DASH "a AAAAAAAA\n", "text\n\n-- a AAAAAAAA\n", "text\n\n" DASH "a AAAAAAAA\nmore\n",
	    "text\n\n" DASH "a AAAAAAAB==\n",
	};
	static const char nul[] = "te\0xt\n\n" DASH "a AAAAAAAA\n";
	struct note n;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(parse(bad[i], &n), ERR_MALFORMED);
	assert_int_equal(note_parse(nul, sizeof nul - 1, &n), ERR_MALFORMED);
	assert_int_equal(parse("\n\n" DASH "a AAAAAAAA\n", &n), ERR_OK);
	assert_int_equal(parse("a\n\nb\n\n" DASH "a AAAAAAAA\n", &n), ERR_OK);
	assert_int_equal(n.text_len, 5);
}

static void more_signatures_than_the_limit_are_refused(void **state)
{
	struct buf b;
	struct note n;

	(void)state;
	buf_init(&b, 0);
	buf_text(&b, "text\n\n");
	for (int i = 0; i < NOTE_SIGNATURES_MAX; i++)
		buf_text(&b, DASH "a AAAAAAAA\n");
	assert_int_equal(note_parse((char *)b.data, b.len, &n), ERR_OK);
	assert_int_equal(n.n, NOTE_SIGNATURES_MAX);
	buf_text(&b, DASH "a AAAAAAAA\n");
	assert_int_equal(note_parse((char *)b.data, b.len, &n), ERR_MALFORMED);
	buf_fini(&b);
}

static void what_is_no_verifier_key_is_refused(void **state)
{
	static const char *const bad[] = {
	    "", "+", "++", "example.com/foo", "example.com/foo+530d903a", "example.com/foo+530d903a+",
	    "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",  /* another id */
	    "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",  /* another name */
	    "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",  /* capitals */
	    "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",  /* another type */
	    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2kAA==",
	    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
	};
	struct note_key k;
	char name[NOTE_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(note_key_read(bad[i], strlen(bad[i]), &k), ERR_MALFORMED);
	memset(name, 'n', sizeof name);
	name[NOTE_NAME_MAX + 1] = 0;
	assert_int_equal(note_key_of(name, NOTE_ED25519, public_key, &k), ERR_MALFORMED);
	name[NOTE_NAME_MAX] = 0;
	assert_int_equal(note_key_of(name, NOTE_ED25519, public_key, &k), ERR_OK);
	assert_int_equal(note_key_of("a b", NOTE_ED25519, public_key, &k), ERR_MALFORMED);
	assert_int_equal(note_key_of("", NOTE_ED25519, public_key, &k), ERR_MALFORMED);
}

static void a_seed_that_is_not_the_keys_does_not_sign(void **state)
{
	const struct note_key k = key_of(NOTE_EXAMPLE_KEY);
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(note_sign(&k, seed, "text\n", 5, 0, &out), ERR_INTERNAL);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

static void a_checkpoint_is_written_and_read(void **state)
{
	struct checkpoint c;
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(checkpoint_read(COSIGNED_TEXT, strlen(COSIGNED_TEXT), &c), ERR_OK);
	assert_string_equal(c.origin, "example.com/behind-the-sofa");
	assert_int_equal(c.size, 20852163);
	checkpoint_write(&c, &out);
	assert_string_equal(buf_string(&out), COSIGNED_TEXT);
	assert_int_equal(checkpoint_read(COSIGNED_TEXT "extension\n", strlen(COSIGNED_TEXT) + 10, &c), ERR_OK);
	buf_fini(&out);
}

static void what_is_no_checkpoint_is_refused(void **state)
{
#define ROOT "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	static const char *const bad[] = {
	    "", "o\n", "o\n1\n", "\n1\n" ROOT, "o\n01\n" ROOT, "o\n-1\n" ROOT, "o\n\n" ROOT, "o\n1 \n" ROOT, "o\n0x1\n" ROOT,
	    "o\n4611686018427387905\n" ROOT, "o\n99999999999999999999\n" ROOT, "o\n1\nCsUY\n", "o\n1\n" ROOT "\n",
	    "o\n1\n" ROOT "x", "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
	};
	struct checkpoint c;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(checkpoint_read(bad[i], strlen(bad[i]), &c), ERR_MALFORMED);
	assert_int_equal(checkpoint_read("o\n0\n" ROOT, strlen("o\n0\n" ROOT), &c), ERR_OK);
	assert_int_equal(checkpoint_read("o\n4611686018427387904\n" ROOT, strlen("o\n4611686018427387904\n" ROOT), &c), ERR_OK);
}

static void a_checkpoint_opens_under_its_own_logs_key_only(void **state)
{
	struct checkpoint c = {.origin = "vault.example/log", .size = 7}, got;
	struct note_key own, other;
	struct buf out;
	size_t len;

	(void)state;
	assert_int_equal(note_key_of(c.origin, NOTE_ED25519, public_key, &own), ERR_OK);
	assert_int_equal(note_key_of("vault.example/other", NOTE_ED25519, public_key, &other), ERR_OK);
	buf_init(&out, 0);
	checkpoint_write(&c, &out);
	len = out.len;
	buf_byte(&out, '\n');
	assert_int_equal(note_sign(&own, seed, (char *)out.data, len, 0, &out), ERR_OK);
	assert_int_equal(checkpoint_open((char *)out.data, out.len, &own, NULL, &got), ERR_OK);
	assert_int_equal(got.size, 7);
	assert_int_equal(checkpoint_open((char *)out.data, out.len, &other, NULL, &got), ERR_NOT_FOUND);
	/* signed by the other log's key, for this log: the key does not speak for this origin */
	buf_truncate(&out, len);
	buf_byte(&out, '\n');
	assert_int_equal(note_sign(&other, seed, (char *)out.data, len, 0, &out), ERR_OK);
	assert_int_equal(checkpoint_open((char *)out.data, out.len, &other, NULL, &got), ERR_NOT_FOUND);
	buf_fini(&out);
}

static void paths_of_tiles_have_one_text(void **state)
{
	static const struct {
		const char *text;
		struct tlog_tile tile;
	} good[] = {
	    {"0/000", {false, 0, 0, 256}}, {"0/x001/x234/067", {false, 0, 1234067, 256}},
	    {"2/x001/234.p/17", {false, 2, 1234, 17}}, {"63/999.p/255", {false, 63, 999, 255}},
	    {"entries/x001/000", {true, 0, 1000, 256}}, {"entries/005.p/1", {true, 0, 5, 1}},
	    {"0/x999/x999/x999/x999/x999/999", {false, 0, 999999999999999999, 256}},
	};
	static const char *const bad[] = {
	    "", "0", "0/", "0/0", "0/00", "0/0000", "0/x000/001", "0/x001", "00/000", "01/000", "64/000", "-1/000", "0/001/",
	    "0/001/002", "0/x001/x002", "0/001.p", "0/001.p/", "0/001.p/0", "0/001.p/01", "0/001.p/256", "0/001.p/999",
	    "0/001.p/1/", "entries", "entries/", "entries/x000/001", "entries0/001", "data/001", "0/x001/x001/x001/x001/x001/x001/001",
	    "0//001", "0/001 ", "0/y01", "1/x1/001",
	};
	struct tlog_tile t;
	char text[TLOG_TILE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(tlog_tile_read(good[i].text, strlen(good[i].text), &t), ERR_OK);
		assert_int_equal(t.entries, good[i].tile.entries);
		assert_int_equal(t.level, good[i].tile.level);
		assert_int_equal(t.index, good[i].tile.index);
		assert_int_equal(t.width, good[i].tile.width);
		tlog_tile_write(&t, text);
		assert_string_equal(text, good[i].text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(tlog_tile_read(bad[i], strlen(bad[i]), &t), ERR_MALFORMED);
	t = (struct tlog_tile){true, 0, UINT64_MAX, 255};
	tlog_tile_write(&t, text);
	assert_string_equal(text, "entries/x018/x446/x744/x073/x709/x551/615.p/255");
}

#define PROOF "c2sp.org/tlog-proof@v1\nindex 5\n" ROOT ROOT "\n" NOTE_EXAMPLE

static void a_proof_is_written_and_read(void **state)
{
	struct tlog_proof p, again;
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(tlog_proof_read(PROOF, strlen(PROOF), &p), ERR_OK);
	assert_int_equal(p.index, 5);
	assert_int_equal(p.path.n, 2);
	assert_int_equal(p.note_len, strlen(NOTE_EXAMPLE));
	assert_memory_equal(p.note, NOTE_EXAMPLE, p.note_len);
	tlog_proof_write(&p, &out);
	assert_string_equal(buf_string(&out), PROOF);
	buf_fini(&out);
	assert_int_equal(tlog_proof_read("c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\nnote", 46, &again), ERR_OK);
	assert_int_equal(again.path.n, 0);
	for (size_t cut = 0; cut + strlen(NOTE_EXAMPLE) <= strlen(PROOF); cut++)
		assert_int_equal(tlog_proof_read(PROOF, cut, &again), ERR_MALFORMED);
	assert_int_equal(tlog_proof_read("c2sp.org/tlog-proof@v1\nindex 05\n\nnote", 37, &again), ERR_MALFORMED);
	assert_int_equal(tlog_proof_read("c2sp.org/tlog-proof@v2\nindex 5\n\nnote", 36, &again), ERR_MALFORMED);
}

static void an_addition_is_written_and_read(void **state)
{
	const char *const text = "old 20852014\n" ROOT "\n" NOTE_EXAMPLE;
	struct tlog_addition a;
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(tlog_addition_read(text, strlen(text), &a), ERR_OK);
	assert_int_equal(a.old_size, 20852014);
	assert_int_equal(a.path.n, 1);
	tlog_addition_write(&a, &out);
	assert_string_equal(buf_string(&out), text);
	buf_reset(&out);
	buf_text(&out, "old 1\n");
	for (int i = 0; i < MERKLE_PROOF_MAX; i++)
		buf_text(&out, ROOT);
	buf_text(&out, "\nx");
	assert_int_equal(tlog_addition_read((char *)out.data, out.len, &a), ERR_OK);
	buf_truncate(&out, out.len - 2);
	buf_text(&out, ROOT "\nx"); /* 64 lines */
	assert_int_equal(tlog_addition_read((char *)out.data, out.len, &a), ERR_MALFORMED);
	buf_fini(&out);
	assert_int_equal(tlog_addition_read("old  1\n\nx", 9, &a), ERR_MALFORMED);
	assert_int_equal(tlog_addition_read("new 1\n\nx", 8, &a), ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_published_note_verifies),
	    cmocka_unit_test(a_cosignature_is_the_one_that_others_make),
	    cmocka_unit_test(a_signature_is_no_cosignature_and_the_other_way_round),
	    cmocka_unit_test(every_line_of_a_known_key_must_verify_and_others_do_not_matter),
	    cmocka_unit_test(what_is_no_note_is_refused),
	    cmocka_unit_test(more_signatures_than_the_limit_are_refused),
	    cmocka_unit_test(what_is_no_verifier_key_is_refused),
	    cmocka_unit_test(a_seed_that_is_not_the_keys_does_not_sign),
	    cmocka_unit_test(a_checkpoint_is_written_and_read),
	    cmocka_unit_test(what_is_no_checkpoint_is_refused),
	    cmocka_unit_test(a_checkpoint_opens_under_its_own_logs_key_only),
	    cmocka_unit_test(paths_of_tiles_have_one_text),
	    cmocka_unit_test(a_proof_is_written_and_read),
	    cmocka_unit_test(an_addition_is_written_and_read),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
