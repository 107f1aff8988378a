/* phone.c: telephone numbers to E.164, from the international form (+ or 00)
 * or the national form of a default country.
 *
 * Numbering plans change every month, so only what is stable is checked:
 * calling codes, lengths, and the shape of numbers in the plans of China and
 * North America. */
#include "field_int.h"

#include <string.h>

#define DIGITS_MIN 8
#define DIGITS_MAX 15
#define NANP 1u /* the North American plan */
#define CHINA 86u

struct country {
	char name[3]; /* ISO 3166 alpha-2, sorted */
	uint16_t code;
};

/* clang-format off */
static const struct country countries[] = {
	{"AC", 247}, {"AD", 376}, {"AE", 971}, {"AF", 93}, {"AG", 1}, {"AI", 1}, {"AL", 355}, {"AM", 374},
	{"AO", 244}, {"AR", 54}, {"AS", 1}, {"AT", 43}, {"AU", 61}, {"AW", 297}, {"AX", 358}, {"AZ", 994},
	{"BA", 387}, {"BB", 1}, {"BD", 880}, {"BE", 32}, {"BF", 226}, {"BG", 359}, {"BH", 973}, {"BI", 257},
	{"BJ", 229}, {"BL", 590}, {"BM", 1}, {"BN", 673}, {"BO", 591}, {"BQ", 599}, {"BR", 55}, {"BS", 1},
	{"BT", 975}, {"BW", 267}, {"BY", 375}, {"BZ", 501}, {"CA", 1}, {"CC", 61}, {"CD", 243}, {"CF", 236},
	{"CG", 242}, {"CH", 41}, {"CI", 225}, {"CK", 682}, {"CL", 56}, {"CM", 237}, {"CN", 86}, {"CO", 57},
	{"CR", 506}, {"CU", 53}, {"CV", 238}, {"CW", 599}, {"CX", 61}, {"CY", 357}, {"CZ", 420}, {"DE", 49},
	{"DJ", 253}, {"DK", 45}, {"DM", 1}, {"DO", 1}, {"DZ", 213}, {"EC", 593}, {"EE", 372}, {"EG", 20},
	{"EH", 212}, {"ER", 291}, {"ES", 34}, {"ET", 251}, {"FI", 358}, {"FJ", 679}, {"FK", 500}, {"FM", 691},
	{"FO", 298}, {"FR", 33}, {"GA", 241}, {"GB", 44}, {"GD", 1}, {"GE", 995}, {"GF", 594}, {"GG", 44},
	{"GH", 233}, {"GI", 350}, {"GL", 299}, {"GM", 220}, {"GN", 224}, {"GP", 590}, {"GQ", 240}, {"GR", 30},
	{"GT", 502}, {"GU", 1}, {"GW", 245}, {"GY", 592}, {"HK", 852}, {"HN", 504}, {"HR", 385}, {"HT", 509},
	{"HU", 36}, {"ID", 62}, {"IE", 353}, {"IL", 972}, {"IM", 44}, {"IN", 91}, {"IO", 246}, {"IQ", 964},
	{"IR", 98}, {"IS", 354}, {"IT", 39}, {"JE", 44}, {"JM", 1}, {"JO", 962}, {"JP", 81}, {"KE", 254},
	{"KG", 996}, {"KH", 855}, {"KI", 686}, {"KM", 269}, {"KN", 1}, {"KP", 850}, {"KR", 82}, {"KW", 965},
	{"KY", 1}, {"KZ", 7}, {"LA", 856}, {"LB", 961}, {"LC", 1}, {"LI", 423}, {"LK", 94}, {"LR", 231},
	{"LS", 266}, {"LT", 370}, {"LU", 352}, {"LV", 371}, {"LY", 218}, {"MA", 212}, {"MC", 377}, {"MD", 373},
	{"ME", 382}, {"MF", 590}, {"MG", 261}, {"MH", 692}, {"MK", 389}, {"ML", 223}, {"MM", 95}, {"MN", 976},
	{"MO", 853}, {"MP", 1}, {"MQ", 596}, {"MR", 222}, {"MS", 1}, {"MT", 356}, {"MU", 230}, {"MV", 960},
	{"MW", 265}, {"MX", 52}, {"MY", 60}, {"MZ", 258}, {"NA", 264}, {"NC", 687}, {"NE", 227}, {"NF", 672},
	{"NG", 234}, {"NI", 505}, {"NL", 31}, {"NO", 47}, {"NP", 977}, {"NR", 674}, {"NU", 683}, {"NZ", 64},
	{"OM", 968}, {"PA", 507}, {"PE", 51}, {"PF", 689}, {"PG", 675}, {"PH", 63}, {"PK", 92}, {"PL", 48},
	{"PM", 508}, {"PR", 1}, {"PS", 970}, {"PT", 351}, {"PW", 680}, {"PY", 595}, {"QA", 974}, {"RE", 262},
	{"RO", 40}, {"RS", 381}, {"RU", 7}, {"RW", 250}, {"SA", 966}, {"SB", 677}, {"SC", 248}, {"SD", 249},
	{"SE", 46}, {"SG", 65}, {"SH", 290}, {"SI", 386}, {"SJ", 47}, {"SK", 421}, {"SL", 232}, {"SM", 378},
	{"SN", 221}, {"SO", 252}, {"SR", 597}, {"SS", 211}, {"ST", 239}, {"SV", 503}, {"SX", 1}, {"SY", 963},
	{"SZ", 268}, {"TA", 290}, {"TC", 1}, {"TD", 235}, {"TG", 228}, {"TH", 66}, {"TJ", 992}, {"TK", 690},
	{"TL", 670}, {"TM", 993}, {"TN", 216}, {"TO", 676}, {"TR", 90}, {"TT", 1}, {"TV", 688}, {"TW", 886},
	{"TZ", 255}, {"UA", 380}, {"UG", 256}, {"US", 1}, {"UY", 598}, {"UZ", 998}, {"VA", 39}, {"VC", 1},
	{"VE", 58}, {"VG", 1}, {"VI", 1}, {"VN", 84}, {"VU", 678}, {"WF", 681}, {"WS", 685}, {"XK", 383},
	{"YE", 967}, {"YT", 262}, {"ZA", 27}, {"ZM", 260}, {"ZW", 263},
};
/* clang-format on */

/* What callers inside a country dial first where that is not 0. */
static const struct {
	char name[3];
	char trunk[4];
} trunks[] = {{"BY", "80"}, {"HU", "06"}, {"IT", ""}, {"KZ", "8"}, {"RU", "8"}, {"SM", ""}, {"VA", ""}};

/* A number while it is read: its digits, whether it began with a plus. */
struct number {
	char digits[DIGITS_MAX + 9]; /* room for 00 or 011, a trunk digit, and one digit too many */
	size_t len;
	bool plus;
};

static const struct country *find_country(const char *name)
{
	for (size_t i = 0; name && i < sizeof countries / sizeof countries[0]; i++)
		if (strcmp(countries[i].name, name) == 0)
			return &countries[i];
	return NULL;
}

bool field_country_known(const char *country)
{
	return find_country(country) != NULL;
}

static const char *trunk_of(const struct country *c)
{
	if (c->code == NANP)
		return "1";
	for (size_t i = 0; i < sizeof trunks / sizeof trunks[0]; i++)
		if (strcmp(trunks[i].name, c->name) == 0)
			return trunks[i].trunk;
	return "0";
}

size_t calling_code_len(const char *digits, size_t len)
{
	static const char two_digit[] =
	    "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 "
	    "65 66 81 82 84 86 90 91 92 93 94 95 98 ";
	size_t n;

	if (len == 0 || digits[0] == '1' || digits[0] == '7')
		return len ? 1 : 0;
	for (const char *at = two_digit; len > 1 && *at; at += 3)
		if (at[0] == digits[0] && at[1] == digits[1])
			return 2;
	n = 3;
	return len < n ? len : n;
}

/* Drops what people write between digits; false at anything else. */
static bool read_digits(const char *text, size_t len, struct number *n)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '+') {
			if (n->plus || n->len > 0)
				return false;
			n->plus = true;
		} else if (is_digit(text[i])) {
			/* "+44 (0)20 ...": the zero is for callers inside the country. */
			if (n->plus && text[i] == '0' && i > 0 && i + 1 < len && text[i - 1] == '(' &&
			    text[i + 1] == ')')
				continue;
			if (n->len == sizeof n->digits)
				return false;
			n->digits[n->len++] = text[i];
		} else if (!strchr(" -().", text[i]) || text[i] == 0) {
			return false;
		}
	}
	return n->len > 0;
}

static void drop_front(struct number *n, size_t count)
{
	memmove(n->digits, n->digits + count, n->len - count);
	n->len -= count;
}

static bool starts(const struct number *n, const char *with)
{
	const size_t len = strlen(with);

	return n->len >= len && memcmp(n->digits, with, len) == 0;
}

/* Removes the international prefix if there is one. */
static bool international(struct number *n, const struct country *home)
{
	if (n->plus)
		return true;
	if (home && home->code == NANP && starts(n, "011")) {
		drop_front(n, 3);
		return true;
	}
	if (starts(n, "00")) {
		drop_front(n, 2);
		return true;
	}
	return false;
}

/* Inside the Chinese plan: a mobile, or area code and subscriber number. */
static bool chinese(const char *digits, size_t len)
{
	if (len == 11 && digits[0] == '1')
		return digits[1] >= '3' || digits[1] == '0';
	return len >= 9 && len <= 11 && digits[0] != '0';
}

/* In the plans of these three no national number begins with a zero, so one
 * behind the calling code is a trunk zero: "+86 010 ...", "+44 020 ...". */
static bool stray_zero(const struct number *n)
{
	return starts(n, "860") || starts(n, "440") || starts(n, "490");
}

static void drop_stray_zero(struct number *n)
{
	if (!stray_zero(n))
		return;
	memmove(n->digits + 2, n->digits + 3, n->len - 3);
	n->len--;
}

static bool plausible(const struct number *n)
{
	const size_t code = calling_code_len(n->digits, n->len);
	const char *national = n->digits + code;
	const size_t len = n->len - code;

	if (n->len < DIGITS_MIN || n->len > DIGITS_MAX || n->digits[0] == '0' || stray_zero(n))
		return false;
	if (starts(n, "1"))
		return len == 10 && national[0] >= '2';
	if (starts(n, "86"))
		return chinese(national, len);
	return true;
}

/* From the national form to digits with the calling code in front. */
static bool add_calling_code(struct number *n, const struct country *home)
{
	const char *trunk = trunk_of(home);
	char code[4];
	size_t code_len = 0;

	/* A Chinese mobile is dialled without a trunk zero, a landline with it;
	 * without one a number could be local to any city. */
	if (home->code == CHINA && !starts(n, "0") && !(n->len == 11 && starts(n, "1")))
		return false;
	if (starts(n, trunk))
		drop_front(n, strlen(trunk));
	for (unsigned rest = home->code; rest; rest /= 10)
		code[code_len++] = (char)('0' + rest % 10);
	if (n->len + code_len > DIGITS_MAX)
		return false;
	memmove(n->digits + code_len, n->digits, n->len);
	for (size_t i = 0; i < code_len; i++)
		n->digits[i] = code[code_len - 1 - i];
	n->len += code_len;
	return true;
}

enum err phone_check(const char *country, const char *text, size_t len, struct buf *out)
{
	const struct country *home = find_country(country);
	struct number n = {.len = 0};
	enum err e = ERR_INVALID_VALUE;

	if (!read_digits(text, len, &n))
		goto out;
	if (international(&n, home))
		drop_stray_zero(&n);
	else if (!home || !add_calling_code(&n, home))
		goto out;
	if (!plausible(&n))
		goto out;
	buf_byte(out, '+');
	buf_append(out, n.digits, n.len);
	e = buf_err(out);
out:
	explicit_bzero(&n, sizeof n);
	return e;
}
