/* credentials.c: loads certificate, key, bundles and deny list, all or nothing. */
#include "credentials_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX ((size_t)4 << 20)

struct bundle {
	char *domain;
	gnutls_x509_trust_list_t list;
};

struct credentials {
	_Atomic unsigned refs;
	gnutls_certificate_credentials_t x509;
	struct bundle *bundles;
	size_t n_bundles;
	struct deny_list deny;
};

/* The whole file into out. private_key: nobody else may read it. */
static enum err read_file(const char *name, bool private_key, struct buf *out, struct buf *why)
{
	const int fd = open(name, O_RDONLY | O_CLOEXEC);
	enum err e = ERR_IO;
	struct stat st;
	ssize_t got;
	uint8_t *at;

	if (fd < 0 || fstat(fd, &st) != 0) {
		buf_printf(why, "%s: %s", name, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_MAX) {
		buf_printf(why, "%s: not a file of at most 4 MiB", name);
		goto out;
	}
	if (private_key && (st.st_mode & S_IRWXO) != 0) {
		buf_printf(why, "%s: mode %03o lets others use the private key", name, (unsigned)st.st_mode & 0777);
		goto out;
	}
	do {
		at = buf_reserve(out, 16384);
		got = at ? read(fd, at, 16384) : -1;
		if (got > 0)
			out->len += (size_t)got;
	} while (got > 0 && out->len <= FILE_MAX);
	if (got == 0)
		e = ERR_OK;
	else
		buf_printf(why, "%s: %s", name, at ? strerror(errno) : "out of memory");
out:
	if (fd >= 0)
		close(fd);
	return e;
}

static gnutls_datum_t datum(struct buf *b)
{
	return (gnutls_datum_t){.data = b->data, .size = (unsigned)b->len};
}

/* A server whose own certificate has expired would be refused by each client. */
static enum err check_own_certificate(struct credentials *c, const char *name, struct buf *why)
{
	gnutls_x509_crt_t *chain = NULL;
	unsigned n = 0;
	enum err e = ERR_CONFIG;
	const time_t now = time(NULL);

	if (gnutls_certificate_get_x509_crt(c->x509, 0, &chain, &n) < 0 || n == 0)
		buf_printf(why, "%s: holds no certificate", name);
	else if (gnutls_x509_crt_get_expiration_time(chain[0]) <= now)
		buf_printf(why, "%s: the certificate has expired", name);
	else if (gnutls_x509_crt_get_activation_time(chain[0]) > now)
		buf_printf(why, "%s: the certificate is not valid yet", name);
	else
		e = ERR_OK;
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	return e;
}

static enum err load_own(struct credentials *c, const struct credentials_files *files, struct buf *why)
{
	struct buf certificate, key;
	gnutls_datum_t cert_datum, key_datum;
	enum err e;
	int rc;

	buf_init(&certificate, 0);
	buf_init(&key, 0);
	e = read_file(files->certificate, false, &certificate, why);
	if (e == ERR_OK)
		e = read_file(files->key, true, &key, why);
	if (e != ERR_OK)
		goto out;
	cert_datum = datum(&certificate);
	key_datum = datum(&key);
	rc = gnutls_certificate_set_x509_key_mem2(c->x509, &cert_datum, &key_datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc < 0) {
		buf_printf(why, "%s, %s: %s", files->certificate, files->key, gnutls_strerror(rc));
		e = ERR_CONFIG;
		goto out;
	}
	e = check_own_certificate(c, files->certificate, why);
out:
	buf_fini(&certificate);
	buf_fini(&key);
	return e;
}

/* Each certificate of a bundle must be a CA: a leaf in it would vouch for itself. */
static enum err check_bundle(gnutls_x509_crt_t *cas, unsigned n, const char *name, struct buf *why)
{
	unsigned critical;

	for (unsigned i = 0; i < n; i++)
		if (gnutls_x509_crt_get_ca_status(cas[i], &critical) <= 0) {
			buf_printf(why, "%s: certificate %u is not a CA", name, i + 1);
			return ERR_CONFIG;
		}
	return ERR_OK;
}

static enum err parse_bundle(const char *name, struct buf *text, gnutls_x509_trust_list_t list, struct buf *why)
{
	gnutls_x509_crt_t *cas = NULL;
	const gnutls_datum_t pem = datum(text);
	unsigned n = 0;
	enum err e;
	int rc;

	rc = gnutls_x509_crt_list_import2(&cas, &n, &pem, GNUTLS_X509_FMT_PEM, 0);
	if (rc < 0 || n == 0) {
		buf_printf(why, "%s: %s", name, rc < 0 ? gnutls_strerror(rc) : "holds no certificate");
		return ERR_CONFIG;
	}
	e = check_bundle(cas, n, name, why);
	if (e == ERR_OK && gnutls_x509_trust_list_add_cas(list, cas, n, 0) == (int)n) {
		gnutls_free(cas); /* the list owns the certificates now */
		return ERR_OK;
	}
	if (e == ERR_OK) {
		buf_printf(why, "%s: the same CA stands in it twice", name);
		gnutls_free(cas); /* the list owns those that it took and those that it refused */
		return ERR_CONFIG;
	}
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(cas[i]);
	gnutls_free(cas);
	return e;
}

static enum err load_bundle(struct credentials *c, const char *folder, const char *file, struct buf *why)
{
	const size_t domain_len = strlen(file) - strlen(".pem");
	struct buf name, text;
	char *domain = NULL;
	struct bundle *more;
	enum err e;

	buf_init(&name, 0);
	buf_init(&text, 0);
	buf_printf(&name, "%s/%s", folder, file);
	if (!spiffe_domain_valid(file, domain_len)) {
		buf_printf(why, "%s: the name is no trust domain (lower case, digits, . - _)", buf_string(&name));
		e = ERR_CONFIG;
		goto out;
	}
	e = read_file(buf_string(&name), false, &text, why);
	if (e != ERR_OK)
		goto out;
	e = ERR_MEMORY;
	domain = strndup(file, domain_len);
	more = realloc(c->bundles, (c->n_bundles + 1) * sizeof *more);
	if (more)
		c->bundles = more;
	if (!more || !domain || gnutls_x509_trust_list_init(&more[c->n_bundles].list, 0) < 0)
		goto out;
	more[c->n_bundles++].domain = domain;
	domain = NULL;
	e = parse_bundle(buf_string(&name), &text, c->bundles[c->n_bundles - 1].list, why);
out:
	free(domain);
	buf_fini(&name);
	buf_fini(&text);
	return e;
}

static bool is_pem(const char *file)
{
	const size_t len = strlen(file);

	return file[0] != '.' && len > 4 && strcmp(file + len - 4, ".pem") == 0;
}

static enum err load_bundles(struct credentials *c, const char *folder, struct buf *why)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	enum err e = ERR_OK;

	if (!dir) {
		buf_printf(why, "%s: %s", folder, strerror(errno));
		return ERR_IO;
	}
	while (e == ERR_OK && (entry = readdir(dir)) != NULL)
		if (is_pem(entry->d_name))
			e = load_bundle(c, folder, entry->d_name, why);
	closedir(dir);
	if (e == ERR_OK && c->n_bundles == 0) {
		buf_printf(why, "%s: holds no bundle (DOMAIN.pem)", folder);
		e = ERR_CONFIG;
	}
	return e;
}

static enum err load_deny(struct credentials *c, const char *name, struct buf *why)
{
	struct buf text;
	size_t line = 0;
	enum err e;

	if (!name || !*name)
		return ERR_OK;
	buf_init(&text, 0);
	e = read_file(name, false, &text, why);
	if (e == ERR_OK) {
		e = deny_parse(&c->deny, (const char *)text.data, text.len, &line);
		if (e == ERR_CONFIG)
			buf_printf(why, "%s:%zu: neither a serial in hex nor a SPIFFE ID", name, line);
	}
	buf_fini(&text);
	return e;
}

static enum err load_part(struct credentials *c, const struct credentials_files *files, enum credentials_part part,
			  struct buf *why)
{
	switch (part) {
	case CREDENTIALS_OWN: return load_own(c, files, why);
	case CREDENTIALS_BUNDLES: return load_bundles(c, files->bundles, why);
	case CREDENTIALS_DENY: return load_deny(c, files->deny_list, why);
	}
	return ERR_INTERNAL;
}

static struct credentials *credentials_new(void)
{
	struct credentials *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	atomic_init(&c->refs, 1);
	if (gnutls_certificate_allocate_credentials(&c->x509) >= 0)
		return c;
	free(c);
	return NULL;
}

enum err credentials_load(const struct credentials_files *files, gnutls_certificate_verify_function *verify,
			  struct credentials **out, struct buf *why)
{
	struct credentials *c = credentials_new();
	enum err e = c ? ERR_OK : ERR_MEMORY;

	*out = NULL;
	if (c)
		gnutls_certificate_set_verify_function(c->x509, verify);
	for (int part = CREDENTIALS_OWN; part <= CREDENTIALS_DENY && e == ERR_OK; part++)
		e = load_part(c, files, (enum credentials_part)part, why);
	if (e == ERR_OK) {
		*out = c;
		c = NULL;
	}
	if (e == ERR_MEMORY)
		buf_text(why, "out of memory");
	credentials_unref(c);
	return e;
}

enum err credentials_check(const struct credentials_files *files, enum credentials_part part, struct buf *why)
{
	struct credentials *c = credentials_new();
	const enum err e = c ? load_part(c, files, part, why) : ERR_MEMORY;

	if (e == ERR_MEMORY)
		buf_text(why, "out of memory");
	credentials_unref(c);
	return e;
}

struct credentials *credentials_ref(struct credentials *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void credentials_unref(struct credentials *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (c->x509)
		gnutls_certificate_free_credentials(c->x509);
	for (size_t i = 0; i < c->n_bundles; i++) {
		gnutls_x509_trust_list_deinit(c->bundles[i].list, 1);
		free(c->bundles[i].domain);
	}
	free(c->bundles);
	deny_fini(&c->deny);
	free(c);
}

gnutls_certificate_credentials_t credentials_x509(const struct credentials *c)
{
	return c->x509;
}

gnutls_x509_trust_list_t credentials_bundle(const struct credentials *c, const char *domain, size_t domain_len)
{
	for (size_t i = 0; i < c->n_bundles; i++)
		if (strlen(c->bundles[i].domain) == domain_len && memcmp(c->bundles[i].domain, domain, domain_len) == 0)
			return c->bundles[i].list;
	return NULL;
}

bool credentials_any_bundle(const struct credentials *c, bool (*each)(void *ctx, gnutls_x509_trust_list_t bundle),
			    void *ctx)
{
	for (size_t i = 0; i < c->n_bundles; i++)
		if (each(ctx, c->bundles[i].list))
			return true;
	return false;
}

bool credentials_denied(const struct credentials *c, const char *serial, const char *spiffe_id)
{
	return deny_has(&c->deny, serial) || deny_has(&c->deny, spiffe_id);
}
