/* spiffe.c: the form of a SPIFFE ID (SPIFFE-ID standard, section 2). */
#include "credentials_int.h"

#include <string.h>

static const char scheme[] = "spiffe://";
#define SCHEME_LEN (sizeof scheme - 1)

static bool is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_domain_char(char c)
{
	return is_lower_or_digit(c) || c == '.' || c == '-' || c == '_';
}

static bool is_path_char(char c)
{
	return is_domain_char(c) || (c >= 'A' && c <= 'Z');
}

/* Stricter than the standard: no empty label, for a domain is also a file's name here. */
bool spiffe_domain_valid(const char *domain, size_t len)
{
	if (len == 0 || len > SPIFFE_DOMAIN_MAX || domain[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_domain_char(domain[i]) || (domain[i] == '.' && (i == 0 || domain[i - 1] == '.')))
			return false;
	return true;
}

static bool segment_valid(const char *segment, size_t len)
{
	if (len == 0 || (len == 1 && segment[0] == '.') || (len == 2 && segment[0] == '.' && segment[1] == '.'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_path_char(segment[i]))
			return false;
	return true;
}

/* path begins behind its first slash. */
static bool path_valid(const char *path, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		if (!segment_valid(path + start, i - start))
			return false;
		start = i + 1;
	}
	return true;
}

size_t spiffe_domain_len(const char *text, size_t len)
{
	const char *domain = text + SCHEME_LEN, *slash;
	size_t domain_len;

	if (len > SPIFFE_ID_MAX || len <= SCHEME_LEN || memcmp(text, scheme, SCHEME_LEN) != 0)
		return 0;
	slash = memchr(domain, '/', len - SCHEME_LEN);
	if (!slash)
		return 0;
	domain_len = (size_t)(slash - domain);
	if (!spiffe_domain_valid(domain, domain_len) || !path_valid(slash + 1, len - SCHEME_LEN - domain_len - 1))
		return 0;
	return domain_len;
}
