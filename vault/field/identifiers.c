/* identifiers.c: numbers that carry a check digit, and passports, which carry
 * none outside their machine-readable zone. */
#include "field_int.h"

#include <string.h>

/* Appends text without blanks and dashes, in upper case, to a number of at most
 * max characters, all letters or digits. 0 where it does not fit. */
static size_t squeeze(const char *text, size_t len, const char *drop, char *to, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (strchr(drop, text[i]))
			continue;
		if (n == max || !(is_digit(text[i]) || is_alpha(text[i])))
			return 0;
		to[n++] = to_upper(text[i]);
	}
	return n;
}

static bool all_digits(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_digit(text[i]))
			return false;
	return true;
}

static enum err done(struct buf *out, char *number, size_t len)
{
	buf_append(out, number, len);
	explicit_bzero(number, len);
	return buf_err(out);
}

/* Bits for the provinces of GB/T 2260, and 91 for foreign permanent residents. */
static bool province_known(unsigned code)
{
	static const struct {
		uint8_t first, last;
	} ranges[] = {{11, 15}, {21, 23}, {31, 37}, {41, 46}, {50, 54}, {61, 65}, {71, 71}, {81, 83}, {91, 91}};

	for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* GB 11643: region 6, birth date 8, order 3, check character (ISO 7064 mod 11-2). */
enum err resident_id_check(const char *country, const char *text, size_t len, struct buf *out)
{
	static const uint8_t weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
	char id[18] = {0}, date[10];
	unsigned sum = 0;
	bool born;

	(void)country;
	if (len != sizeof id || !all_digits(text, 17) || !(is_digit(text[17]) || to_upper(text[17]) == 'X'))
		return ERR_INVALID_VALUE;
	memcpy(id, text, sizeof id);
	id[17] = to_upper(id[17]);
	memcpy(date, id + 6, 4);
	date[4] = date[7] = '-';
	memcpy(date + 5, id + 10, 2);
	memcpy(date + 8, id + 12, 2);
	born = birth_date_valid(date);
	explicit_bzero(date, sizeof date);
	for (size_t i = 0; i < 17; i++)
		sum += weights[i] * (unsigned)(id[i] - '0');
	if (!born || !province_known((unsigned)(id[0] - '0') * 10 + (unsigned)(id[1] - '0'))) {
		explicit_bzero(id, sizeof id);
		return ERR_INVALID_VALUE;
	}
	if ("10X98765432"[sum % 11] != id[17]) {
		explicit_bzero(id, sizeof id);
		return ERR_CHECK_DIGIT;
	}
	return done(out, id, sizeof id);
}

/* Five to twenty letters and digits: what passports of the world use, with room. */
enum err passport_check(const char *country, const char *text, size_t len, struct buf *out)
{
	char number[20] = {0};
	const size_t n = squeeze(text, len, "", number, sizeof number);
	size_t digits = 0;

	(void)country;
	for (size_t i = 0; i < n; i++)
		digits += is_digit(number[i]);
	explicit_bzero(number, sizeof number);
	if (n < 5 || digits < 2)
		return ERR_INVALID_VALUE;
	buf_append(out, text, len);
	return buf_err(out);
}

/* ISO/IEC 7812: 12 to 19 digits, the last one by Luhn. */
enum err bank_card_check(const char *country, const char *text, size_t len, struct buf *out)
{
	char number[19] = {0};
	const size_t n = squeeze(text, len, " -", number, sizeof number);
	unsigned sum = 0;

	(void)country;
	if (n < 12 || !all_digits(number, n) || number[0] == '0') {
		explicit_bzero(number, sizeof number);
		return ERR_INVALID_VALUE;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(number[n - 1 - i] - '0');

		if (i % 2 == 1)
			d = d > 4 ? 2 * d - 9 : 2 * d;
		sum += d;
	}
	if (sum % 10 != 0) {
		explicit_bzero(number, sizeof number);
		return ERR_CHECK_DIGIT;
	}
	return done(out, number, n);
}

/* Lengths of the countries in the IBAN registry (ISO 13616): two letters and
 * two digits each. A country that joined later is taken at any length. */
static const char iban_lengths[] =
    "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22"
    "GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20"
    "MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26"
    "UA29VA22VG24XK20YE30";

static size_t iban_length(const char country[static 2])
{
	for (const char *at = iban_lengths; *at; at += 4)
		if (at[0] == country[0] && at[1] == country[1])
			return (size_t)(at[2] - '0') * 10 + (size_t)(at[3] - '0');
	return 0;
}

static bool iban_well_formed(const char *number, size_t n)
{
	size_t expected;

	if (n < 15 || !is_alpha(number[0]) || !is_alpha(number[1]) || !all_digits(number + 2, 2))
		return false;
	expected = iban_length(number);
	return expected == 0 || expected == n;
}

/* The number with its first four characters moved to the end, letters as 10 to
 * 35, modulo 97 (ISO 7064). */
static unsigned iban_remainder(const char *number, size_t n)
{
	unsigned rest = 0;

	for (size_t i = 0; i < n; i++) {
		const char c = number[(i + 4) % n];

		if (is_digit(c))
			rest = (rest * 10 + (unsigned)(c - '0')) % 97;
		else
			rest = (rest * 100 + (unsigned)(c - 'A') + 10) % 97;
	}
	return rest;
}

enum err iban_check(const char *country, const char *text, size_t len, struct buf *out)
{
	char number[34] = {0};
	const size_t n = squeeze(text, len, " ", number, sizeof number);
	enum err e = ERR_OK;

	(void)country;
	if (!iban_well_formed(number, n))
		e = ERR_INVALID_VALUE;
	else if (iban_remainder(number, n) != 1)
		e = ERR_CHECK_DIGIT;
	if (e) {
		explicit_bzero(number, sizeof number);
		return e;
	}
	return done(out, number, n);
}

/* GB 32100: 18 characters of an alphabet of 31, the last one chosen so that
 * the sum weighted by powers of 3 is 0 modulo 31. */
enum err uscc_check(const char *country, const char *text, size_t len, struct buf *out)
{
	static const char alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
	char code[18] = {0};
	unsigned sum = 0, weight = 1;

	(void)country;
	if (len != sizeof code)
		return ERR_INVALID_VALUE;
	for (size_t i = 0; i < sizeof code; i++) {
		const char *at = text[i] ? strchr(alphabet, to_upper(text[i])) : NULL;

		if (!at) {
			explicit_bzero(code, sizeof code);
			return ERR_INVALID_VALUE;
		}
		code[i] = *at;
		/* The check character itself counts once: sum + check = 0 mod 31. */
		sum += (unsigned)(at - alphabet) * (i < 17 ? weight : 1);
		weight = weight * 3 % 31;
	}
	if (sum % 31 != 0 || !all_digits(code + 2, 6)) {
		const bool digits = all_digits(code + 2, 6);

		explicit_bzero(code, sizeof code);
		return digits ? ERR_CHECK_DIGIT : ERR_INVALID_VALUE;
	}
	return done(out, code, sizeof code);
}
