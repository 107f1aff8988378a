/* loopback.c: the socket of the plain listeners. */
#include "http_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int http_listen_loopback(int port, const char *what, struct buf *why)
{
	const struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 64) == 0)
			return fd;
	}
	buf_printf(why, "%s: can't listen at 127.0.0.1 port %d: %s", what, port, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}
