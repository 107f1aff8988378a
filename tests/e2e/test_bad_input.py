"""Bad input gets a clear 4xx with a stable code and changes nothing; nothing that a client sends crashes or hangs vaultd."""
import contextlib
import json
import socket
import ssl
import time
import unittest

import people
import vault

SNAPSHOT = """SELECT (SELECT count(*) FROM vault.customer), (SELECT count(*) FROM vault.customer_key),
 (SELECT count(*) FROM vault.customer_large), (SELECT count(*) FROM vault.record), (SELECT count(*) FROM vault.blind_index),
 (SELECT coalesce(sum(version), 0) FROM vault.customer), (SELECT revision FROM vault.vault_revision),
 (SELECT count(*) FROM vault.policy), (SELECT count(*) FROM vault.field_history), (SELECT count(*) FROM vault.idempotency)"""


def setUpModule():
    global V
    V = vault.Vault("bad", header_timeout_ms=1500, body_timeout_ms=1500, handshake_timeout_ms=1500)
    V.start()
    unittest.addModuleCleanup(V.close)
    policy = vault.folder() / "open.policy"
    policy.write_text(people.OPEN_POLICY)
    V.ctl("policy", "activate", policy, check=True)


def nested(depth):
    return b'{"fields":{"preferences":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}}"


EMAIL = b'{"fields":{"email":"%s"}}'
CREATE = [  # what it is, body, status, code
    ("empty", b"", 400, "malformed_json"),
    ("no JSON", b"fields=1", 400, "malformed_json"),
    ("cut off", b'{"fields":{"email":"a@example.com"', 400, "malformed_json"),
    ("two documents", b'{"fields":{}}{"fields":{}}', 400, "malformed_json"),
    ("trailing bytes", b'{"fields":{}} x', 400, "malformed_json"),
    ("duplicate key", b'{"fields":{"email":"a@example.com"},"fields":{}}', 400, "malformed_json"),
    ("duplicate field", b'{"fields":{"email":"a@example.com","email":"b@example.com"}}', 400, "malformed_json"),
    ("duplicate key by escape", b'{"fields":{"email":"a@example.com","\\u0065mail":"b@example.com"}}', 400, "malformed_json"),
    ("depth over 32", nested(40), 400, "malformed_json"),
    ("depth of a million", b"[" * 400000, 400, "malformed_json"),
    ("NUL escaped", EMAIL % b"a\\u0000b@example.com", 400, "malformed_json"),
    ("NUL in a key", b'{"fields":{"em\\u0000ail":"a@example.com"}}', 400, "malformed_json"),
    ("NUL raw", EMAIL % b"a\0b@example.com", 400, "malformed_json"),
    ("lone high surrogate", EMAIL % b"\\ud800@example.com", 400, "malformed_json"),
    ("lone low surrogate", EMAIL % b"\\udc00@example.com", 400, "malformed_json"),
    ("not UTF-8", EMAIL % b"\xff\xfe@example.com", 400, "malformed_json"),
    ("overlong UTF-8", EMAIL % b"\xc0\xaf@example.com", 400, "malformed_json"),
    ("UTF-8 surrogate", EMAIL % b"\xed\xa0\x80@example.com", 400, "malformed_json"),
    ("byte order mark", b'\xef\xbb\xbf{"fields":{}}', 400, "malformed_json"),
    ("an array", b"[]", 400, "malformed_request"),
    ("a string", b'"fields"', 400, "malformed_request"),
    ("null", b"null", 400, "malformed_request"),
    ("unknown member", b'{"fields":{},"feilds":{}}', 400, "malformed_request"),
    ("fields is an array", b'{"fields":[]}', 400, "malformed_request"),
    ("fields is null", b'{"fields":null}', 400, "malformed_request"),
    ("unknown field", b'{"fields":{"emial":"a@example.com"}}', 400, "unknown_field"),
    ("a record kind as field", b'{"fields":{"order":"x"}}', 400, "unknown_field"),
    ("a number for text", b'{"fields":{"email":42}}', 422, "invalid_value"),
    ("null for text", b'{"fields":{"email":null}}', 422, "invalid_value"),
    ("an object for text", b'{"fields":{"email":{"a":1}}}', 422, "invalid_value"),
    ("text for a list", b'{"fields":{"tags":"gold"}}', 422, "invalid_value"),
    ("a list for text", b'{"fields":{"email":["a@example.com"]}}', 422, "invalid_value"),
    ("empty text", EMAIL % b"", 422, "invalid_value"),
    ("no e-mail", EMAIL % b"nobody", 422, "invalid_value"),
    ("no phone", b'{"fields":{"phone":"12"}}', 422, "invalid_value"),
    ("no date", b'{"fields":{"birth_date":"1990-02-30"}}', 422, "invalid_value"),
    ("born tomorrow", b'{"fields":{"birth_date":"2999-01-01"}}', 422, "invalid_value"),
    ("no gender", b'{"fields":{"gender":"M"}}', 422, "invalid_value"),
    ("unknown member of an address", b'{"fields":{"address":{"planet":"Mars"}}}', 422, "invalid_value"),
    ("resident id, check digit", b'{"fields":{"resident_id":"330106199001010000"}}', 422, "check_digit"),
    ("bank card, Luhn", b'{"fields":{"bank_card":"6222021234567890123"}}', 422, "check_digit"),
    ("iban, mod 97", b'{"fields":{"iban":"DE00370400440532013000"}}', 422, "check_digit"),
    ("uscc", b'{"fields":{"uscc":"91330106MA27XF1B00"}}', 422, "check_digit"),
    ("too long", b'{"fields":{"name":"%s"}}' % (b"x" * 20000), 422, "value_too_long"),
    ("10,000 fields", json.dumps({"fields": {f"field_{i}": "x" for i in range(10000)}}).encode(), 400, "limit_exceeded"),
    ("external_ref is a number", b'{"fields":{},"external_ref":7}', 422, "invalid_value"),
    ("external_ref is empty", b'{"fields":{},"external_ref":""}', 422, "invalid_value"),
    ("external_ref is long", b'{"fields":{},"external_ref":"%s"}' % (b"x" * 5000), 422, "invalid_value"),
    ("a huge integer", b'{"fields":{"preferences":123456789012345678901234567890}}', 400, "malformed_json"),
    ("an infinite number", b'{"fields":{"preferences":1e999}}', 400, "malformed_json"),
]
OTHERS = [  # what it is, method, path, body, status, code
    ("no such route", "GET", "/v1/nothing", None, 404, "no_such_route"),
    ("root", "GET", "/", None, 404, "no_such_route"),
    ("no such method", "DELETE", "/v1/customers", None, 405, "method_not_allowed"),
    ("PUT on the collection", "PUT", "/v1/customers", b"{}", 405, "method_not_allowed"),
    ("negative limit", "POST", "/v1/customers:search", b'{"where":{"email":"a@example.com"},"limit":-1}', 400, "malformed_request"),
    ("limit 0", "POST", "/v1/customers:search", b'{"where":{"email":"a@example.com"},"limit":0}', 400, "malformed_request"),
    ("limit is text", "POST", "/v1/customers:search", b'{"where":{"email":"a@example.com"},"limit":"50"}', 400, "malformed_request"),
    ("limit is real", "POST", "/v1/customers:search", b'{"where":{"email":"a@example.com"},"limit":1.5}', 400, "malformed_request"),
    ("where is text", "POST", "/v1/customers:search", b'{"where":"email"}', 400, "malformed_request"),
    ("nine conditions", "POST", "/v1/customers:search", json.dumps({"where": {f"f{i}": "x" for i in range(9)}}).encode(), 400, "limit_exceeded"),
    ("batch mode", "POST", "/v1/customers:batch", b'{"mode":"some","items":[]}', 400, "malformed_request"),
    ("batch items", "POST", "/v1/customers:batch", b'{"mode":"atomic","items":{}}', 400, "malformed_request"),
    ("1,001 items", "POST", "/v1/customers:batch", json.dumps({"items": [{}] * 1001}).encode(), 400, "limit_exceeded"),
    ("tokens is text", "POST", "/v1/tokens:detokenize", b'{"tokens":"tok1"}', 400, "malformed_request"),
    ("a token is a number", "POST", "/v1/tokens:detokenize", b'{"tokens":[1]}', 400, "malformed_request"),
    ("unknown form", "POST", "/v1/tokens:detokenize", b'{"tokens":[],"form":"raw"}', 400, "bad_parameter"),
    ("unknown audience", "POST", "/v1/tokens:translate", b'{"tokens":[],"audience":"nobody"}', 422, "invalid_value"),
    ("a path that is no token", "GET", "/v1/customers/42", None, 400, "bad_token"),
    ("a path with NUL", "GET", "/v1/customers/%00", None, None, None),
    ("an endless path", "GET", "/v1/customers/" + "a" * 6000, None, None, None),
    ("an SQL quote", "GET", "/v1/customers/'%20OR%201=1--", None, 400, "bad_token"),
    ("a walk up", "GET", "/v1/customers/..%2f..%2fetc", None, None, None),
]


class BadInput(unittest.TestCase):
    def setUp(self):
        self.core = V.client("crm-core", "onboarding")
        self.addCleanup(self.core.close)
        self.before = V.cluster.sql(SNAPSHOT)
        self.pid = V.pid()

    def tearDown(self):
        self.assertIsNone(V.process.poll(), V.log()[-3000:])
        self.assertEqual(V.cluster.sql(SNAPSHOT), self.before, "bad input has changed something")
        self.assertTrue(V.ready())

    def check(self, reply, status, code):
        if status is None:
            self.assertIn(reply.status // 100, (4,), reply)
        else:
            self.assertEqual(reply.status, status, reply)
        if code:
            self.assertEqual(reply.code, code, reply)
        if reply.code:
            problem = reply.json
            self.assertEqual((problem["status"], problem["request_id"]), (reply.status, reply.headers["X-Request-Id"]))

    def test_bodies(self):
        for what, body, status, code in CREATE:
            with self.subTest(what):
                self.check(self.core.post("/v1/customers", body=body), status, code)

    def test_the_same_bodies_in_a_batch(self):
        """As an item they are refused too, and an atomic batch does nothing at all."""
        good = b'{"fields":{"email":"good@example.com"}}'
        for what, body, status, code in CREATE:
            if code in ("malformed_json",):
                continue
            with self.subTest(what):
                reply = self.core.post("/v1/customers:batch", body=b'{"mode":"atomic","items":[' + good + b"," + body + b"]}")
                self.check(reply, status, code)

    def test_no_reply_to_a_bad_value_repeats_it(self):
        secret = b"hunter2-not-an-address"
        for body in (EMAIL % secret, b'{"fields":{"phone":"%s"}}' % secret, b'{"fields":{"email":["%s"]}}' % secret, secret,
                     b'{"fields":{},"source":{"x":"%s"}}' % secret):
            reply = self.core.post("/v1/customers", body=body)
            self.assertEqual(reply.status // 100, 4)
            self.assertNotIn(secret, reply.body)
        self.assertNotIn(secret.decode(), V.log())

    def test_other_routes(self):
        for what, method, path, body, status, code in OTHERS:
            with self.subTest(what):
                self.check(self.core.request(method, path, body=body), status, code)

    def test_headers(self):
        body = b'{"fields":{"email":"a@example.com"}}'
        for headers, status, code in (
                ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
                ({"Content-Type": "application/json-seq"}, 415, "unsupported_media_type"),
                ({"X-Request-Id": "a b"}, 400, "bad_header"), ({"X-Request-Id": "x" * 65}, 400, "bad_header"),
                ({"X-Ticket": "<script>"}, 400, "bad_header"), ({"X-Request-Id": ""}, 400, "bad_header"),
                ({"traceparent": "00-zz"}, 400, "bad_header"), ({"Idempotency-Key": "x" * 129}, 400, "bad_header"),
                ({"X-Purpose": "on boarding"}, 400, "unknown_purpose"), ({"X-Purpose": "x" * 1000}, 400, "bad_header"),
                ({"X-Filler": "x" * 9000}, 431, None)):
            with self.subTest(headers={k: v[:20] for k, v in headers.items()}):
                self.check(self.core.post("/v1/customers", body=body, headers=headers), status, code)

    def test_a_header_sent_twice(self):
        for name, first, second in (("X-Purpose", "onboarding", "support"), ("X-Request-Id", "a", "b"), ("Idempotency-Key", "a", "b")):
            with self.subTest(name):
                purpose = "" if name == "X-Purpose" else "X-Purpose: onboarding\r\n"
                status = self.raw(f"GET /v1/customers/cus1 HTTP/1.1\r\nHost: x\r\n{purpose}{name}: {first}\r\n{name}: {second}\r\n\r\n".encode())
                self.assertEqual(status, 400)

    def test_bodies_over_the_limit(self):
        for path, size in (("/v1/customers", 600 << 10), ("/v1/customers", 7 << 20), ("/v1/tokens:detokenize", 300 << 10)):
            with self.subTest(path=path, size=size):
                body = b'{"fields":{"name":"' + b"x" * size + b'"}}'
                self.check(self.core.post(path, body=body), 413, "body_too_large")
        with self.subTest("over 8 MiB the connection may be closed instead"), contextlib.suppress(ssl.SSLError, ConnectionError):
            self.check(self.core.post("/v1/customers:batch", body=b'{"items":["' + b"x" * (17 << 20) + b'"]}'), 413, "body_too_large")

    def test_a_limit_announced_is_a_limit_refused(self):
        """A length of 2 GB is refused at its announcement, not after 2 GB."""
        begin = time.monotonic()
        status = self.raw(b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nX-Purpose: onboarding\r\nContent-Type: application/json\r\n"
                          b"Content-Length: 2147483648\r\n\r\n{")
        self.assertIn(status, (413, None))
        self.assertLess(time.monotonic() - begin, 5 * vault.SLOW)

    # Below HTTP: what no client library sends.

    def connect(self):
        context = self.core.context()
        sock = context.wrap_socket(socket.create_connection(("127.0.0.1", V.port), timeout=10 * vault.SLOW), server_hostname="127.0.0.1")
        self.addCleanup(sock.close)
        return sock

    def raw(self, data):
        """Sends bytes; the status of the answer, None where the connection was just closed."""
        sock = self.connect()
        try:
            sock.sendall(data)
            answer = sock.recv(4096)
        except (ConnectionError, OSError) as e:
            self.assertNotIsInstance(e, TimeoutError, "neither an answer nor an end")
            return None
        return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else None

    def test_garbage_on_the_wire(self):
        head = b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nX-Purpose: onboarding\r\nContent-Type: application/json\r\n"
        for what, data in (
                ("negative length", head + b"Content-Length: -1\r\n\r\n{}"),
                ("length is a word", head + b"Content-Length: many\r\n\r\n{}"),
                ("length overflows", head + b"Content-Length: 99999999999999999999999\r\n\r\n{}"),
                ("two lengths", head + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}"),
                ("length and chunks", head + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                ("chunk size is no hex", head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
                ("chunk size is negative", head + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n"),
                ("chunk size overflows", head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
                ("chunk without its end", head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n"),
                ("unknown transfer coding", head + b"Transfer-Encoding: gzip\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
                ("no HTTP", b"\x00\x01\x02\x03\r\n\r\n"), ("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"),
                ("no colon", b"GET /v1/whoami HTTP/1.1\r\nHost x\r\n\r\n"),
                ("200 headers", b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 100) for i in range(200)) + b"\r\n"),
                ("an endless request line", b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n\r\n")):
            with self.subTest(what):
                status = self.raw(data)
                self.assertTrue(status is None or 400 <= status < 500 or status == 505, f"{what}: {status}")

    def test_a_good_chunked_body_is_taken(self):
        """And so the refusals above are refusals of garbage."""
        status = self.raw(b"POST /v1/tokens:detokenize HTTP/1.1\r\nHost: x\r\nX-Purpose: onboarding\r\nContent-Type: application/json\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"tok\r\n8\r\nens\":[]}\r\n0\r\n\r\n")
        self.assertEqual(status, 200)

    def test_slow_senders_are_cut_off(self):
        head = b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nX-Purpose: onboarding\r\nContent-Type: application/json\r\n"
        for what, start in (("header", head), ("body", head + b"Content-Length: 500\r\n\r\n{")):
            with self.subTest(what):
                sock = self.connect()
                sock.sendall(start)
                begin, ended = time.monotonic(), False
                while not ended and time.monotonic() - begin < 10 * vault.SLOW:
                    time.sleep(0.2)
                    ended = self.drip(sock)
                self.assertTrue(ended, f"a byte now and then kept a connection alive in its {what}")
                self.assertLess(time.monotonic() - begin, 6 * vault.SLOW)

    @staticmethod
    def drip(sock):
        """One more byte; True once the other end has given up (408, or just closed)."""
        sock.setblocking(False)
        try:
            got = sock.recv(4096)
            return got == b"" or got.startswith(b"HTTP/1.1 408")
        except ssl.SSLWantReadError:
            pass
        except OSError:
            return True
        sock.settimeout(10)
        try:
            sock.sendall(b"a")
        except OSError:
            return True
        return False


if __name__ == "__main__":
    vault.main()
