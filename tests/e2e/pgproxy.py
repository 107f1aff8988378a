"""A TCP proxy between vaultd and PostgreSQL that cuts the connection around a COMMIT.

It follows the frontend protocol just far enough to find Bind messages of the prepared statement "commit".
mode None: pass all on; "before": cut before the COMMIT reaches the server; "after": let the COMMIT reach the server and cut
before its answer comes back; "refuse": take no new connections.
"""

import socket
import struct
import threading
import time


class Proxy:
    def __init__(self, port):
        self.target = port
        self.mode = None
        self.cuts = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.mode == "refuse":
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            for s in (client, server):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            state = {"cut": False}
            self.sockets += [client, server]
            threading.Thread(target=self._forward, args=(client, server, state), daemon=True).start()
            threading.Thread(target=self._back, args=(client, server, state), daemon=True).start()

    @staticmethod
    def _holds_commit(data):
        # Bind: 'B', length, portal "" NUL, statement "commit" NUL
        return b"\x00commit\x00" in data and b"B" in data

    def _take_mode(self):
        with self.lock:
            mode = self.mode
            if mode in ("before", "after"):
                self.mode = None
                self.cuts += 1
                return mode
        return None

    def _forward(self, client, server, state):
        try:
            while True:
                data = client.recv(1 << 20)
                if not data:
                    break
                if self.mode in ("before", "after") and self._holds_commit(data) and b"P" != data[:1]:
                    mode = self._take_mode()
                    if mode == "before":
                        break
                    if mode == "after":
                        state["cut"] = True
                        server.sendall(data)
                        time.sleep(0.2)  # the server commits; its answer is thrown away
                        break
                server.sendall(data)
        except OSError:
            pass
        self._close(client, server)

    def _back(self, client, server, state):
        try:
            while True:
                data = server.recv(1 << 20)
                if not data:
                    break
                if not state["cut"]:
                    client.sendall(data)
        except OSError:
            pass
        if not state["cut"]:
            self._close(client, server)

    @staticmethod
    def _close(*sockets):
        for s in sockets:
            try:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def close(self):
        self.listener.close()
        self._close(*self.sockets)
