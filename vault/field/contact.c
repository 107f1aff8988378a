/* contact.c: e-mail, web and network addresses. */
#include "field_int.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define EMAIL_MAX 254 /* RFC 5321 section 4.5.3.1.3, less the angle brackets */
#define LOCAL_MAX 64
#define LABEL_MAX 63 /* characters; in an internationalised label they are not the bytes of the wire */

/* One label of a domain: letters, digits and hyphens inside (RFC 5890), or
 * letters of any script. *numeric: digits only. */
static bool label_valid(const char *text, size_t len, bool *numeric)
{
	size_t characters = 0;

	*numeric = true;
	if (len == 0 || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (size_t i = 0, step; i < len; i += step) {
		uint32_t cp;
		bool fits;

		step = text_next(text + i, len - i, &cp);
		if (step == 0 || ++characters > LABEL_MAX)
			return false;
		if (cp < 0x80) {
			fits = is_digit((char)cp) || is_alpha((char)cp) || cp == '-';
		} else {
			const enum char_kind kind = text_kind(cp);

			fits = kind == CHAR_LETTER || kind == CHAR_DIGIT || kind == CHAR_MARK || cp == 0xb7;
		}
		if (!fits)
			return false;
		*numeric = *numeric && cp < 0x80 && is_digit((char)cp);
	}
	return true;
}

/* A domain of at least labels_min labels whose last one is not a number. */
static bool domain_valid(const char *text, size_t len, size_t labels_min)
{
	size_t labels = 0, start = 0;
	bool numeric = false;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '.')
			continue;
		if (!label_valid(text + start, i - start, &numeric))
			return false;
		labels++;
		start = i + 1;
	}
	return labels >= labels_min && !numeric;
}

/* The dot-atom of RFC 5321 with the UTF-8 of RFC 6531. */
static bool local_part_valid(const char *text, size_t len)
{
	bool dot = true; /* so that none comes first */

	if (len == 0 || len > LOCAL_MAX)
		return false;
	for (size_t i = 0, step; i < len; i += step) {
		uint32_t cp;

		step = text_next(text + i, len - i, &cp);
		if (step == 0)
			return false;
		if (cp == '.') {
			if (dot)
				return false;
			dot = true;
			continue;
		}
		dot = false;
		if (cp < 0x80) {
			if (!is_digit((char)cp) && !is_alpha((char)cp) &&
			    !(cp && strchr("!#$%&'*+-/=?^_`{|}~", (int)cp)))
				return false;
		} else {
			const enum char_kind kind = text_kind(cp);

			if (kind == CHAR_CONTROL || kind == CHAR_BLANK)
				return false;
		}
	}
	return !dot;
}

enum err email_check(const char *country, const char *text, size_t len, struct buf *out)
{
	const char *at = memchr(text, '@', len);
	size_t local_len;

	(void)country;
	if (len > EMAIL_MAX)
		return ERR_VALUE_TOO_LONG;
	if (!at)
		return ERR_INVALID_VALUE;
	local_len = (size_t)(at - text);
	if (!local_part_valid(text, local_len) || !domain_valid(at + 1, len - local_len - 1, 2))
		return ERR_INVALID_VALUE;
	buf_append(out, text, len);
	return buf_err(out);
}

/* Writes the RFC 5952 form; false where it is no address. */
static bool ip_form(const char *text, size_t len, char to[static INET6_ADDRSTRLEN])
{
	char z[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	int family;

	if (len >= sizeof z)
		return false;
	memcpy(z, text, len);
	z[len] = 0;
	family = memchr(z, ':', len) ? AF_INET6 : AF_INET;
	return inet_pton(family, z, bytes) == 1 && inet_ntop(family, bytes, to, INET6_ADDRSTRLEN);
}

enum err ip_check(const char *country, const char *text, size_t len, struct buf *out)
{
	char form[INET6_ADDRSTRLEN];

	(void)country;
	if (!ip_form(text, len, form))
		return ERR_INVALID_VALUE;
	buf_text(out, form);
	return buf_err(out);
}

static bool port_valid(const char *text, size_t len)
{
	unsigned port = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(text[i]))
			return false;
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	return port > 0 && port < 65536;
}

/* host[:port] of RFC 3986; a user name or password in it is refused. */
static bool authority_valid(const char *text, size_t len)
{
	char form[INET6_ADDRSTRLEN];
	const char *end, *colon;
	size_t host_len;

	if (len > 0 && text[0] == '[') {
		end = memchr(text, ']', len);
		if (!end || !memchr(text, ':', (size_t)(end - text)) ||
		    !ip_form(text + 1, (size_t)(end - text) - 1, form))
			return false;
		host_len = (size_t)(end - text) + 1;
		return host_len == len ||
		       (text[host_len] == ':' && port_valid(text + host_len + 1, len - host_len - 1));
	}
	colon = memchr(text, ':', len);
	host_len = colon ? (size_t)(colon - text) : len;
	if (colon && !port_valid(colon + 1, len - host_len - 1))
		return false;
	return domain_valid(text, host_len, 1) || ip_form(text, host_len, form);
}

/* http and https only: a "javascript:" in a customer's field is an attack on
 * whoever shows it. */
enum err url_check(const char *country, const char *text, size_t len, struct buf *out)
{
	size_t start, end;

	(void)country;
	if (len > 8 && strncasecmp(text, "https://", 8) == 0)
		start = 8;
	else if (len > 7 && strncasecmp(text, "http://", 7) == 0)
		start = 7;
	else
		return ERR_INVALID_VALUE;
	for (end = start; end < len && text[end] != '/' && text[end] != '?' && text[end] != '#'; end++)
		;
	if (!authority_valid(text + start, end - start))
		return ERR_INVALID_VALUE;
	for (size_t i = end, step; i < len; i += step) {
		uint32_t cp;

		step = text_next(text + i, len - i, &cp);
		if (step == 0 || cp <= ' ' || cp == 0x7f || (cp < 0x80 && strchr("<>\"\\^`{|}", (int)cp)) ||
		    (cp >= 0x80 && (text_kind(cp) == CHAR_CONTROL || text_kind(cp) == CHAR_BLANK)))
			return ERR_INVALID_VALUE;
	}
	buf_append(out, text, len);
	return buf_err(out);
}
