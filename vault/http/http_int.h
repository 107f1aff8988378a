/* http_int.h: what the files of this floor share: server, connection, request.
 *
 * Threads. An I/O thread of libmicrohttpd (MHD) owns its connections. The
 * watchdog and the wakers (any thread) touch a connection only through its
 * phase word and, while it stands in the table, its socket. */
#ifndef HTTP_INT_H
#define HTTP_INT_H

#include "http/server.h"

#include "credentials_int.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* An early refusal reads and drops this much of a body before it answers; past it the connection closes. */
#define HTTP_DROP_LIMIT ((uint64_t)8 << 20)
/* MHD clears this much for each request; it bounds a request's header. */
#define HTTP_CONNECTION_MEMORY 8192
/* A complete reply up to this size leaves in one TLS record with its header. */
#define HTTP_CORK_LIMIT ((size_t)15 << 10)
/* A silent stream sends a newline after this time, the only way to notice a departed follower. */
#define HTTP_STREAM_SILENCE_MS 15000
#define HTTP_REQUEST_ID_MAX    64

/* The phases of a connection:
 *
 *   HANDSHAKE -> IDLE -> HEADER -> BODY -> REPLY -> IDLE ...
 *                  \_______________^ |       ^ \
 *                                    v       |  v
 *                                 WAITING ---+ PARKED (and back)
 *
 * and any of them to CUT. WAITING and PARKED are suspended in MHD: whoever
 * moves such a connection to REPLY, and only he, resumes it. */
enum phase {
	PHASE_HANDSHAKE,
	PHASE_IDLE,
	PHASE_HEADER,
	PHASE_BODY,
	PHASE_WAITING,
	PHASE_PARKED,
	PHASE_REPLY,
	PHASE_CUT,
	PHASE_COUNT
};

struct request {
	bool active; /* begun, and not ended yet */
	bool submitted;
	bool corked;
	bool parked;
	bool must_close; /* framing can't be trusted: nothing after this request is read */
	enum err refused;
	void *object; /* the handler's */
	int64_t (*stream)(void *request, uint8_t *out, size_t room);
	uint64_t received;
	size_t body_limit;
	struct http_head head;
	struct buf problem;
	char id[HTTP_REQUEST_ID_MAX + 1]; /* only of a refused request */
};

struct connection {
	struct http_server *server;
	struct connection *prev, *next; /* the table; under server->lock */
	struct MHD_Connection *mhd;
	gnutls_session_t session; /* gone in the CLOSED notification */
	int fd;
	_Atomic uint64_t word;	 /* phase and deadline, see watchdog.c */
	_Atomic bool timer_woke; /* a parked stream was woken by the watchdog */
	_Atomic bool timed_out;	 /* cut in the handshake */
	bool spoke;		 /* a byte came in */
	bool verified;
	bool uncorked;	     /* the socket's cork, see reply.c */
	const char *refusal; /* why the handshake was refused */
	struct credentials *credentials;
	uint64_t deny_generation; /* of the list that denied was read from; 0: none yet */
	bool denied;
	char serial[CREDENTIALS_SERIAL_MAX];
	struct http_peer peer;
	struct request request;
};

struct http_server {
	struct http_handler handler;
	struct MHD_Daemon *daemon;
	int listener;
	int port;
	int64_t handshake_ms, header_ms, body_ms, idle_ms;
	char *certificate_file, *key_file, *bundle_folder, *deny_file;

	_Atomic bool draining;
	_Atomic unsigned waking; /* threads inside connection_wake: stop must outlast them */
	_Atomic int64_t in_flight;
	_Atomic uint64_t request_number;
	uint64_t request_seed;

	_Atomic uint64_t generation; /* of credentials; read without the lock */
	pthread_mutex_t credentials_lock;
	struct credentials *credentials; /* under credentials_lock */

	pthread_mutex_t lock; /* the table */
	pthread_cond_t changed;
	struct connection *connections;
	size_t n_connections;
	bool stopping; /* the watchdog ends */
	pthread_t watchdog;
};

/* server.c */
struct credentials *server_credentials(struct http_server *s); /* a new reference */

/* connection.c: MHD's callbacks for connections. */
void connection_notify(void *server, struct MHD_Connection *mhd, void **context,
		       enum MHD_ConnectionNotificationCode code);
struct connection *connection_of(struct MHD_Connection *mhd);
/* Reads the deny list again if it changed. false: the peer is on it. */
bool connection_allowed(struct connection *c);

/* watchdog.c */
/* Moves on the I/O thread. timeout_ms 0: no deadline. A connection that was cut stays cut: false. */
bool connection_move(struct connection *c, enum phase to, int64_t timeout_ms);
enum phase connection_phase(const struct connection *c);
/* Ends it at once; on the I/O thread, where it is not suspended. */
void connection_cut(struct connection *c);
/* Moves a connection from a suspended phase to REPLY and resumes it, once however many call. Any thread. */
void connection_wake(struct connection *c, enum phase from);
enum err watchdog_start(struct http_server *s) MUST_CHECK;
void watchdog_stop(struct http_server *s);
/* One pass of the drain: lets idle connections go, ends handshakes and streams.
 * Returns how many connections are left. */
size_t watchdog_drain(struct http_server *s);
/* Shuts every connection that is not suspended; returns how many are. */
size_t watchdog_cut_all(struct http_server *s);

/* peer.c */
int peer_verify(gnutls_session_t session);

/* request.c: MHD's callbacks for requests. */
enum MHD_Result request_handle(void *server, struct MHD_Connection *mhd, const char *url, const char *method,
			       const char *version, const char *upload, size_t *upload_len, void **context);
void request_completed(void *server, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why);

/* head.c: what a request's head says. */
void head_init(struct http_head *h, struct connection *c, const char *method, const char *path);
/* Looks for what would let two readers see two requests. *body: a body follows; *length: UINT64_MAX when chunked. */
enum err head_check(struct MHD_Connection *mhd, const char *path, const char *version, bool *body, uint64_t *length,
		    bool *must_close) MUST_CHECK;
bool head_expects_continue(struct MHD_Connection *mhd);
/* MHD's hook: decodes %xx in place, strictly; what is not valid becomes \x01. Returns the new length. */
size_t head_unescape(void *unused, struct MHD_Connection *mhd, char *text);

/* reply.c */
enum MHD_Result reply_queue(struct connection *c, const struct http_reply *reply);
enum MHD_Result reply_problem(struct connection *c);
/* Sends what a corked reply holds back. */
void reply_flush(struct connection *c);

/* A listening socket at 127.0.0.1; what names it in why. -1 on an error. Owner: caller. */
int http_listen_loopback(int port, const char *what, struct buf *why);

#endif
