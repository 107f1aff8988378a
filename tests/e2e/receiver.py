"""A receiver of webhooks on loopback, for tests: keeps what it got and answers as it is told."""
import http.server
import json
import pathlib
import ssl
import subprocess
import tempfile
import threading
import time
import base64

import vault


class Receiver:
    """With folder of certificates: https with server.pem. answers: statuses for the requests to come, the last one for ever;
    "silence" holds the connection until the receiver is closed."""

    def __init__(self, certs=None, answers=(200,)):
        self.got = []  # (headers, body as bytes, arrival)
        self.answers = list(answers)
        self.closing = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body, time.monotonic()))
                answer = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                if answer == "silence":
                    receiver.closing.wait(30)
                    return
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if certs:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certs / "server.pem", certs / "server.key")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = "%s://127.0.0.1:%d/hook" % ("https" if certs else "http", self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, n, seconds=15):
        vault.wait_until(lambda: len(self.got) >= n, seconds, "%d messages; %d came" % (n, len(self.got)))
        return self.got[:n]

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


def signed_by(public_key, headers, body):
    """Checks as README.md tells receivers to: Ed25519 over "ID.TIMESTAMP.BODY"."""
    version, _, value = headers["webhook-signature"].partition(",")
    assert version == "v1a", version
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100" + public_key))
        (folder / "text").write_bytes(b"%s.%s.%s" % (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
        (folder / "signature").write_bytes(base64.b64decode(value, validate=True))
        done = subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-in", "text",
                               "-sigfile", "signature"], cwd=folder, capture_output=True, check=False)
        return done.returncode == 0


def parsed(message):
    return json.loads(message[1])
