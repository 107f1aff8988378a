/* export.c: fetches the archive of a rights request, part by part, into FILE.REQUEST.part; a download that
 * broke off goes on where it was. The last step gives it its name, and replaces nothing. */
#include "crypto/envelope.h"
#include "crypto/secret.h"
#include "ctl/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART ((int64_t)64 << 10) /* each but the last: EXPORT_CHUNK of the vault */
#define BAR 30

struct download {
	const struct arguments *a;
	const char *request, *path; /* path: of the parts */
	int fd;
	int64_t parts, next;
	char recipient[65];        /* SHA-256 of the certificate that the archive is encrypted to, hex; "": none */
	struct envelope *envelope; /* around what comes in clear; NULL: none */
};

static void read_request(struct download *d, const struct node *request, bool *completed)
{
	size_t len;
	const char *state = node_string(node_get(request, "state"), &len), *recipient = node_string(node_get(request, "recipient"), &len);

	*completed = state && !strcmp(state, "completed");
	d->parts = node_int(node_get(request, "total"));
	snprintf(d->recipient, sizeof d->recipient, "%s", recipient ? recipient : "");
}

static int ask_request(struct download *d)
{
	struct client_request r = {.method = "GET"};
	struct buf path, body;
	struct doc *doc = NULL;
	bool completed = false;
	int code;

	buf_init(&path, 0);
	buf_printf(&path, "/v1/rights-requests/%s", d->request);
	r.path = buf_string(&path);
	code = remote_send(d->a, &r, &body);
	buf_fini(&path);
	if (code != CTL_OK)
		return code;
	if (doc_parse(body.data, body.len, &doc))
		code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
	else
		read_request(d, node_get(doc_root(doc), "request"), &completed);
	if (code == CTL_OK && !completed)
		code = complain(CTL_REFUSED, "the request is not completed: there is no archive yet, or none any more");
	doc_free(doc);
	buf_fini(&body);
	return code;
}

/* ---- to a certificate ---- */

static enum err write_file(void *ctx, const void *bytes, size_t len)
{
	const struct download *d = ctx;

	while (len) {
		const ssize_t n = write(d->fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return ERR_IO;
		bytes = (const char *)bytes + (n > 0 ? n : 0);
		len -= n > 0 ? (size_t)n : 0;
	}
	return ERR_OK;
}

/* An archive that the vault has encrypted must be so to this certificate; one in clear is encrypted as it comes. */
static int use_certificate(struct download *d, const char *file)
{
	uint8_t sha256[32];
	char hex[65];
	struct buf pem;
	int code = CTL_OK;

	if (!input_read(file, ENVELOPE_PEM_MAX, &pem)) {
		buf_fini(&pem);
		return CTL_USAGE;
	}
	if (envelope_check(buf_string(&pem), pem.len, sha256))
		code = complain(CTL_USAGE, "%s: is no certificate (PEM) to which can be encrypted now", file);
	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sha256[i]);
	if (code == CTL_OK && *d->recipient && strcmp(hex, d->recipient) != 0)
		code = complain(CTL_FAILED, "the archive is encrypted to another certificate, of SHA-256 %s", d->recipient);
	if (code == CTL_OK && !*d->recipient && envelope_new(buf_string(&pem), pem.len, write_file, d, &d->envelope))
		code = complain(CTL_SERVER, "%s: can't be encrypted to", file);
	buf_fini(&pem);
	return code;
}

/* ---- the parts ---- */

/* Opens the file of parts; what is whole of an earlier run is kept, but not of one that was encrypted here: its key is gone. */
static int open_parts(struct download *d)
{
	struct stat st;

	d->fd = open(d->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600); /* for its owner alone */
	if (d->fd < 0 || fstat(d->fd, &st))
		return complain(CTL_SERVER, "%s: %s", d->path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return complain(CTL_REFUSED, "%s: is no file of yours alone", d->path);
	d->next = d->envelope ? 0 : st.st_size / PART;
	if (d->next >= d->parts) /* the last part is fetched again: it may be whole or not */
		d->next = d->parts ? d->parts - 1 : 0;
	if (ftruncate(d->fd, d->next * PART) || lseek(d->fd, 0, SEEK_END) < 0)
		return complain(CTL_SERVER, "%s: %s", d->path, strerror(errno));
	if (d->next)
		fprintf(stderr, "goes on after %lld of %lld parts\n", (long long)d->next, (long long)d->parts);
	return CTL_OK;
}

static int fetch_part(struct download *d)
{
	struct client_request r = {.method = "GET"};
	struct buf path, body;
	int code;

	buf_init(&path, 0);
	buf_printf(&path, "/v1/rights-requests/%s/export?part=%lld", d->request, (long long)d->next);
	r.path = buf_string(&path);
	code = remote_send(d->a, &r, &body);
	buf_fini(&path);
	if (code != CTL_OK)
		return code;
	if (d->next + 1 < d->parts && body.len != (size_t)PART)
		code = complain(CTL_SERVER, "part %lld has another length than parts have", (long long)d->next);
	else if (d->envelope ? envelope_write(d->envelope, body.data, body.len) : write_file(d, body.data, body.len))
		code = complain(CTL_SERVER, "%s: %s", d->path, strerror(errno));
	buf_fini(&body);
	return code;
}

static void show_progress(const struct download *d)
{
	static const char full[BAR + 1] = "##############################", rest[BAR + 1] = "..............................";
	const int n = (int)(d->next * BAR / (d->parts ? d->parts : 1));

	fprintf(stderr, "\r[%.*s%.*s] %lld of %lld", n, full, BAR - n, rest, (long long)d->next, (long long)d->parts);
}

static int fetch_all(struct download *d)
{
	const bool people = isatty(STDERR_FILENO);
	int code = CTL_OK;

	for (; code == CTL_OK && (d->next < d->parts || d->next == 0); d->next += code == CTL_OK) {
		if (people)
			show_progress(d);
		code = fetch_part(d);
	}
	if (people) {
		show_progress(d);
		fputc('\n', stderr);
	}
	if (code == CTL_OK && d->envelope && envelope_end(d->envelope))
		code = complain(CTL_SERVER, "%s: can't be written", d->path);
	if (code == CTL_OK && fsync(d->fd))
		code = complain(CTL_SERVER, "%s: %s", d->path, strerror(errno));
	return code;
}

/* link() fails where the name is taken: nothing is replaced. */
static int give_name(const struct download *d, const char *file)
{
	if (link(d->path, file))
		return complain(errno == EEXIST ? CTL_REFUSED : CTL_SERVER, "%s: %s; the archive lies in %s", file, strerror(errno), d->path);
	unlink(d->path);
	if (*d->recipient)
		fprintf(stderr, "It is encrypted to the certificate of SHA-256 %s; its owner opens it with:\n"
		                "  openssl cms -decrypt -binary -inform DER -in %s -recip CERTIFICATE -inkey KEY -out archive.zip\n",
		        d->recipient, file);
	return CTL_OK;
}

static int fetch_to(struct download *d, const char *file)
{
	const char *certificate = arguments_option(d->a, "recipient");
	int code = ask_request(d);

	if (code == CTL_OK && certificate)
		code = use_certificate(d, certificate);
	if (code == CTL_OK)
		code = open_parts(d);
	if (code != CTL_OK)
		return code;
	code = fetch_all(d);
	if (code == CTL_OK)
		return give_name(d, file);
	if (d->envelope)
		unlink(d->path);
	else
		fprintf(stderr, "what came is kept in %s: the same command goes on with it\n", d->path);
	return code;
}

int command_export_get(const struct arguments *a)
{
	const char *file = a->words[1];
	struct download d = {.a = a, .request = a->words[0], .fd = -1};
	struct buf path;
	int code;

	if (!input_is_request(d.request))
		return complain(CTL_USAGE, "%s is no rights request", d.request);
	if (!access(file, F_OK))
		return complain(CTL_REFUSED, "%s: %s", file, strerror(EEXIST));
	buf_init(&path, 0);
	buf_printf(&path, "%s.%s.part", file, d.request);
	d.path = buf_string(&path);
	code = fetch_to(&d, file);
	if (d.fd >= 0)
		close(d.fd);
	envelope_free(d.envelope);
	buf_fini(&path);
	return code;
}
