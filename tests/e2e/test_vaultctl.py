"""vaultctl against a stand-in for the vault: the program's own side of TLS, requests, tables and exit codes.

The stand-in speaks real mutual TLS on a free loopback port and answers from a table that each test fills; what vaultctl
sent is kept. Certificates are made in a temporary folder.
"""

import http.server
import json
import os
import pathlib
import queue
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import vault

VAULTCTL = vault.VAULTCTL
MAN_PAGE = vault.ROOT / "vault" / "ctl" / "vaultctl.1"
CUSTOMER = "cus1qqqsyqcyq5rqwzqfpg9scrgwpugpzysn"

OK, REFUSED, USAGE, UNREACHED, SERVER, FAILED = range(6)


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)


def make_ca(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def make_leaf(folder, ca, name, names, usage):
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage={usage}\nkeyUsage=digitalSignature\n")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-days", "2",
            "-extfile", f"{name}.ext", "-out", f"{name}.pem")


class Reply:
    """status, body (bytes, str or what JSON takes), headers; chunks: a generator of a stream's pieces instead."""

    def __init__(self, status=200, body=b"", headers=None, chunks=None, cut=False):
        self.status = status
        self.body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)).encode()
        self.headers = headers or {}
        self.chunks = chunks
        self.cut = cut


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.server.seen.append({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body})
        try:
            reply = self.server.replies.get_nowait()
        except queue.Empty:
            reply = Reply(500, "no reply was scripted")
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.chunks is not None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in reply.chunks:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(reply.body) + (100 if reply.cut else 0)))
        self.end_headers()
        self.wfile.write(reply.body)
        self.close_connection = reply.cut

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *args):
        pass


class StandIn(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder, certificate="server", client_ca="ca", newest=ssl.TLSVersion.TLSv1_3):
        super().__init__(("127.0.0.1", 0), Handler)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.maximum_version = newest
        self.context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")
        self.context.load_verify_locations(folder / f"{client_ca}.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.seen = []
        self.replies = queue.Queue()
        self.url = f"https://127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def finish_request(self, request, client_address):
        request.settimeout(20 * vault.SLOW)
        try:
            with self.context.wrap_socket(request, server_side=True) as tls:
                self.RequestHandlerClass(tls, client_address, self)
        except (ssl.SSLError, OSError):
            pass

    def stop(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


FOLDER = pathlib.Path()


def setUpModule():
    global FOLDER
    FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="vaultctl."))
    dev = FOLDER / "certs" / "dev"
    dev.mkdir(parents=True)
    make_ca(dev, "ca")
    make_ca(dev, "other-ca")
    make_leaf(dev, "ca", "server", "IP:127.0.0.1", "serverAuth")
    make_leaf(dev, "ca", "elsewhere", "DNS:elsewhere.example", "serverAuth")
    make_leaf(dev, "other-ca", "impostor", "IP:127.0.0.1", "serverAuth")
    make_leaf(dev, "ca", "crm-core", "URI:spiffe://crm.example/svc/crm-core", "clientAuth")
    make_leaf(dev, "other-ca", "foreign", "URI:spiffe://crm.example/svc/crm-core", "clientAuth")


def tearDownModule():
    shutil.rmtree(FOLDER)


class Case(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = FOLDER
        cls.dev = FOLDER / "certs" / "dev"
        cls.server = StandIn(cls.dev)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.server.seen.clear()
        self.server.replies = queue.Queue()

    def run_ctl(self, *args, stdin=b"", environment=None, url=None, name="crm-core"):
        env = {k: v for k, v in os.environ.items() if not k.startswith("VAULT_")}
        env["VAULT_URL"] = url or self.server.url
        env.update(environment or {})
        who = ["--as", name] if name else []
        done = subprocess.run([VAULTCTL, *who, *args], cwd=self.folder, env=env, capture_output=True, timeout=60 * vault.SLOW,
                              input=stdin if isinstance(stdin, bytes) else stdin.encode())
        self.out, self.err = done.stdout.decode(), done.stderr.decode()
        return done.returncode

    def expect(self, code, *args, **more):
        got = self.run_ctl(*args, **more)
        self.assertEqual(got, code, f"{args}: exit {got}\n{self.out}\n{self.err}")

    def reply(self, *args, **more):
        self.server.replies.put(Reply(*args, **more))

    def sent(self):
        self.assertEqual(len(self.server.seen), 1)
        return self.server.seen[0]


class Tls(Case):
    def test_a_vault_with_a_certificate_of_another_ca_is_not_trusted(self):
        impostor = StandIn(self.dev, certificate="impostor")
        self.addCleanup(impostor.stop)
        self.expect(UNREACHED, "whoami", url=impostor.url)
        self.assertEqual(impostor.seen, [])
        self.assertIn("error: https://127.0.0.1", self.err)

    def test_a_vault_with_a_certificate_for_another_name_is_not_trusted(self):
        elsewhere = StandIn(self.dev, certificate="elsewhere")
        self.addCleanup(elsewhere.stop)
        self.expect(UNREACHED, "whoami", url=elsewhere.url)
        self.assertEqual(elsewhere.seen, [])

    def test_a_vault_that_speaks_only_tls_1_2_is_not_spoken_to(self):
        old = StandIn(self.dev, newest=ssl.TLSVersion.TLSv1_2)
        self.addCleanup(old.stop)
        self.expect(UNREACHED, "whoami", url=old.url)
        self.assertEqual(old.seen, [])

    def test_a_client_certificate_that_the_vault_refuses_ends_with_3(self):
        self.expect(UNREACHED, "whoami", name="foreign")
        self.assertIn("does the vault accept this client certificate?", self.err)
        self.assertEqual(self.server.seen, [])

    def test_no_listener_ends_with_3(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.expect(UNREACHED, "whoami", url=f"https://127.0.0.1:{s.getsockname()[1]}")
        self.assertIn("is vaultd running there?", self.err)

    def test_a_vault_that_never_answers_ends_with_3_after_the_timeout(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            start = time.monotonic()
            self.expect(UNREACHED, "--timeout", "1", "whoami", url=f"https://127.0.0.1:{s.getsockname()[1]}")
            self.assertLess(time.monotonic() - start, 20 * vault.SLOW)

    def test_plain_http_and_addresses_with_a_user_are_refused_and_not_shown(self):
        for url in ("http://127.0.0.1:1", "https://u:sesame@127.0.0.1:1", "postgres://u:sesame@h/db", "https://h/?sesame"):
            self.expect(USAGE, "whoami", url=url)
            self.assertNotIn("sesame", self.err)

    def test_missing_certificates_end_with_2_before_anything_is_sent(self):
        self.expect(USAGE, "whoami", name=None)
        self.assertIn("--as NAME in development, else --cert FILE", self.err)
        self.expect(USAGE, "whoami", name="nobody")
        self.assertIn("certs/dev/nobody.pem: No such file or directory", self.err)
        self.expect(USAGE, "whoami", name="../dev/crm-core")
        self.assertEqual(self.server.seen, [])

    def test_certificates_come_from_options_before_as_before_the_environment(self):
        dev = self.dev
        env = {"VAULT_CERT": str(dev / "crm-core.pem"), "VAULT_CLIENT_KEY": str(dev / "crm-core.key"), "VAULT_CA": str(dev / "ca.pem")}
        self.reply(200, {"identity": "x"})
        self.expect(OK, "whoami", name=None, environment=env)
        self.reply(200, {"identity": "x"})
        self.expect(OK, "whoami", environment={**env, "VAULT_CERT": "/absent"})
        self.expect(USAGE, "whoami", "--cert", "absent", environment=env)

    def test_proxies_in_the_environment_are_not_used(self):
        self.reply(200, {"identity": "x"})
        proxy = "http://127.0.0.1:1"
        self.expect(OK, "whoami", environment={"https_proxy": proxy, "HTTPS_PROXY": proxy, "ALL_PROXY": proxy})


class Replies(Case):
    def test_a_refusal_is_told_with_code_text_and_request_and_ends_with_1(self):
        self.reply(403, {"type": "about:blank", "title": "Policy does not allow this for the stated purpose.", "status": 403,
                         "code": "policy_denied", "request_id": "r-17", "errors": [{"pointer": "/fields/email", "code": "invalid_value"}]},
                   {"Content-Type": "application/problem+json"})
        self.expect(REFUSED, "whoami")
        self.assertEqual(self.err, "error: policy_denied: Policy does not allow this for the stated purpose. (request r-17)\n"
                                   "  /fields/email: invalid_value\n")
        self.assertEqual(self.out, "")

    def test_a_failure_of_the_vault_ends_with_4_and_says_when_to_try_again(self):
        self.reply(503, {"title": "The vault is at its limit; try again shortly.", "code": "busy", "request_id": "r-1"}, {"Retry-After": "7"})
        self.expect(SERVER, "whoami")
        self.assertEqual(self.err, "error: busy: The vault is at its limit; try again shortly. (request r-1)\n  try again in 7 s\n")

    def test_a_reply_that_is_no_vaults_ends_with_4(self):
        self.reply(502, "<html>\x1b[31mBad gateway")
        self.expect(SERVER, "whoami")
        self.assertEqual(self.err, "error: http_502: The reply is not one of a vault.\n")
        self.reply(200, "<html>")
        self.expect(SERVER, "whoami")
        self.reply(200, '{"identity": "x", "identity": "y"}')
        self.expect(SERVER, "whoami")

    def test_a_redirect_is_not_followed(self):
        self.reply(302, b"", {"Location": self.server.url + "/v1/other"})
        self.expect(SERVER, "whoami")
        self.assertEqual(self.sent()["path"], "/v1/whoami")

    def test_a_reply_that_is_cut_off_ends_with_3_and_shows_nothing(self):
        self.reply(200, {"identity": "x"}, cut=True)
        self.expect(UNREACHED, "whoami")
        self.assertEqual(self.out, "")

    def test_output_that_can_not_be_written_is_an_error(self):
        self.reply(200, {"identity": "x"})
        with open("/dev/full", "wb") as full:
            done = subprocess.run([VAULTCTL, "--as", "crm-core", "--url", self.server.url, "whoami"], cwd=self.folder,
                                  stdout=full, stderr=subprocess.PIPE, timeout=60 * vault.SLOW)
        self.assertEqual(done.returncode, SERVER)
        self.assertIn(b"standard output", done.stderr)


class Whoami(Case):
    WHO = {"identity": "spiffe://crm.example/svc/crm-core", "roles": ["crm_core", "writer"], "audience": "crm",
           "may": [{"verb": "read", "subject": "email", "form": "token", "purpose": "onboarding", "when": None},
                   {"verb": "write", "subject": "resident_id", "form": "plain", "purpose": "onboarding", "when": None}]}

    def test_a_table_by_default(self):
        self.reply(200, self.WHO)
        self.expect(OK, "whoami")
        self.assertEqual(self.out, "identity  spiffe://crm.example/svc/crm-core\n"
                                   "roles     crm_core,writer\n"
                                   "audience  crm\n"
                                   "\n"
                                   "VERB   SUBJECT      FORM   PURPOSE\n"
                                   "read   email        token  onboarding\n"
                                   "write  resident_id  plain  onboarding\n")
        self.assertEqual(self.sent()["method"], "GET")

    def test_the_vaults_own_json_with_json(self):
        self.reply(200, self.WHO)
        self.expect(OK, "whoami", "--json")
        self.assertEqual(self.out, json.dumps(self.WHO, ensure_ascii=False) + "\n")


class Customers(Case):
    def test_get_asks_for_fields_and_form_with_purpose_and_ticket(self):
        self.reply(200, {"customer": CUSTOMER, "version": 3, "fields": {
            "name": {"token": "tok1a", "form": "plain", "value": "张伟明"},
            "email": {"token": "tok1b", "form": "masked", "value": "z***@example.com"},
            "address": {"token": "tok1c", "form": "plain", "value": {"city": "上海"}},
            "tags": {"token": "tok1d", "form": "plain", "value": ["a", "b"]},
            "phone": {"form": "deny", "code": "policy_denied"}}})
        self.expect(OK, "--purpose", "support", "--ticket", "T-1", "customer", "get", CUSTOMER, "--fields", "name,email,phone", "--form=best")
        self.assertEqual(self.out, f"customer  {CUSTOMER}\n"
                                   "version   3\n"
                                   "\n"
                                   "FIELD    TOKEN  FORM    VALUE             CODE\n"
                                   "name     tok1a  plain   张伟明\n"
                                   "email    tok1b  masked  z***@example.com\n"
                                   'address  tok1c  plain   {"city":"上海"}\n'
                                   "tags     tok1d  plain   a,b\n"
                                   "phone           deny                      policy_denied\n")
        sent = self.sent()
        self.assertEqual(sent["path"], f"/v1/customers/{CUSTOMER}?fields=name%2Cemail%2Cphone&form=best")
        self.assertEqual(sent["headers"]["X-Purpose"], "support")
        self.assertEqual(sent["headers"]["X-Ticket"], "T-1")

    def test_chinese_cells_take_two_columns_a_character(self):
        self.reply(200, {"customer": CUSTOMER, "fields": {"name": {"value": "张伟", "form": "plain"}, "nickname": {"value": "Al", "form": "plain"}}})
        self.expect(OK, "customer", "get", CUSTOMER)
        self.assertEqual(self.out.split("\n\n")[1], "FIELD     VALUE  FORM\nname      张伟   plain\nnickname  Al     plain\n")

    def test_stored_text_can_not_drive_the_terminal(self):
        self.reply(200, {"customer": CUSTOMER, "fields": {"name": {"value": "a\x1b[2Jb\u009bc\u202ed\nFAKE  row\x07"}}})
        self.expect(OK, "customer", "get", CUSTOMER)
        self.assertIn("a\ufffd[2Jb\ufffdc\ufffdd\ufffdFAKE  row\ufffd\n", self.out)

    def test_get_takes_only_a_customer_token(self):
        for bad in ("tok1abc", "zhang@example.com", CUSTOMER + "/x", "../whoami", "cus1"):
            self.expect(USAGE, "customer", "get", bad)
            self.assertNotIn("zhang", self.err)
        self.assertEqual(self.server.seen, [])

    def test_a_purpose_that_would_break_the_header_is_refused(self):
        self.expect(USAGE, "--purpose", "support\r\nX-Ticket: 1", "customer", "get", CUSTOMER)
        self.assertEqual(self.server.seen, [])

    def test_put_sends_a_file_or_standard_input(self):
        document = {"fields": {"name": "张伟", "email": "canary@example.com"}, "external_ref": "crm-42"}
        path = self.folder / "customer.json"
        path.write_text(json.dumps(document, ensure_ascii=False))
        created = {"customer": CUSTOMER, "version": 1, "fields": {"name": {"token": "tok1a"}, "email": {"token": "tok1b"}}}
        for args, stdin in ((["customer.json"], b""), (["-"], path.read_bytes()), ([], path.read_bytes())):
            self.server.seen.clear()
            self.reply(201, created)
            self.expect(OK, "--purpose", "onboarding", "customer", "put", "--idempotency-key", "k-1", *args, stdin=stdin)
            sent = self.sent()
            self.assertEqual((sent["method"], sent["path"]), ("POST", "/v1/customers"))
            self.assertEqual(sent["body"], path.read_bytes())
            self.assertEqual(sent["headers"]["Content-Type"], "application/json")
            self.assertEqual(sent["headers"]["Idempotency-Key"], "k-1")
            self.assertTrue(self.out.endswith("FIELD  TOKEN\nname   tok1a\nemail  tok1b\n"), self.out)

    def test_put_by_ref_uses_its_route(self):
        self.reply(200, {"customer": CUSTOMER, "version": 2})
        self.expect(OK, "customer", "put", "--by-ref", stdin='{"external_ref":"crm-42","fields":{}}')
        self.assertEqual((self.sent()["method"], self.sent()["path"]), ("PUT", "/v1/customers:by-ref"))

    def test_put_of_what_is_no_json_object_sends_and_shows_nothing(self):
        for bad in ("", "[1]", '{"a": "canary"', '{"a": "canary", "a": 1}', b'{"a": "canary\xff"}', '"canary"'):
            self.expect(USAGE, "customer", "put", stdin=bad)
            self.assertNotIn("canary", self.err + self.out)
        self.expect(USAGE, "customer", "put", "absent.json")
        self.assertEqual(self.server.seen, [])

    def test_a_body_of_megabytes_arrives_whole(self):
        document = json.dumps({"fields": {"json": "x" * 3_000_000}}).encode()
        self.reply(201, {"customer": CUSTOMER, "version": 1})
        self.expect(OK, "customer", "put", stdin=document)
        self.assertEqual(self.sent()["body"], document)
        self.expect(USAGE, "customer", "put", stdin=b" " * (9 << 20))
        self.assertIn("larger than", self.err)

    def test_search_terms_travel_in_the_body_only(self):
        for args, stdin in ((["email=canary=1@example.com", "external_ref=张"], ""),
                            ([], "email=canary=1@example.com\r\n\nexternal_ref=张\n")):
            self.server.seen.clear()
            self.reply(200, {"data": [{"customer": CUSTOMER}], "next": "CURSOR2"})
            self.expect(OK, "customer", "search", *args, "--limit", "5", "--cursor", "C1", stdin=stdin)
            sent = self.sent()
            self.assertEqual((sent["method"], sent["path"]), ("POST", "/v1/customers:search"))
            self.assertEqual(json.loads(sent["body"]), {"where": {"email": "canary=1@example.com", "external_ref": "张"}, "limit": 5, "cursor": "C1"})
            self.assertEqual(self.out, f"CUSTOMER\n{CUSTOMER}\n")
            self.assertEqual(self.err, "There are more: --cursor CURSOR2\n")

    def test_search_that_finds_nothing_says_so(self):
        self.reply(200, {"data": [], "next": None})
        self.expect(OK, "customer", "search", "email=a")
        self.assertEqual((self.out, self.err), ("", "None found.\n"))

    def test_bad_search_terms_are_not_repeated(self):
        for bad in ("canary@example.com", "=canary", "can ary=1", ""):
            self.expect(USAGE, "customer", "search", stdin=bad + "\n")
            self.assertNotIn("canary", self.err)
        self.expect(USAGE, "customer", "search", "email=canary", "email=canary2")
        self.assertEqual(self.err, "error: email is given twice\n")
        self.expect(USAGE, "customer", "search", "email=a", "--limit", "0")
        self.assertEqual(self.server.seen, [])


class Policies(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "p.policy").write_text('role a is spiffe://crm.example/svc/a\nallow a to raed "contact"\n')
        (self.folder / "p.tests").write_text("expect nothing\n")

    def test_check_of_a_right_policy(self):
        self.reply(200, {"ok": True})
        self.expect(OK, "policy", "check", "p.policy")
        self.assertEqual(self.out, "p.policy: compiles\n")
        self.assertEqual(self.sent()["path"], "/v1/policies:check")
        self.assertEqual(json.loads(self.sent()["body"]), {"text": (self.folder / "p.policy").read_text()})

    def test_check_tells_each_complaint_by_place_and_ends_with_5(self):
        complaints = [{"line": 2, "column": 12, "text": 'unknown verb "raed"', "near": "read"}, {"line": 3, "column": 1, "text": "unexpected end", "near": ""}]
        for args in ([], ["--json"]):
            self.reply(200, {"ok": False, "complaints": complaints})
            self.expect(FAILED, "policy", "check", "p.policy", *args)
            if args:
                self.assertEqual(json.loads(self.out)["complaints"], complaints)
            else:
                self.assertEqual(self.out, 'p.policy:2:12: unknown verb "raed"; near: read\np.policy:3:1: unexpected end\n')

    def test_check_of_a_reply_without_a_verdict_is_no_success(self):
        self.reply(200, {})
        self.expect(SERVER, "policy", "check", "p.policy")

    def test_test_sends_both_texts_and_reports(self):
        self.reply(200, {"passed": 3, "failed": 0, "report": []})
        self.expect(OK, "policy", "test", "p.policy", "p.tests")
        self.assertEqual(self.out, "3 passed, 0 failed\n")
        self.assertEqual(json.loads(self.sent()["body"]), {"text": (self.folder / "p.policy").read_text(), "tests": "expect nothing\n"})
        self.reply(200, {"passed": 3, "failed": 1, "report": ["line 12: expected masked, got deny"]})
        self.expect(FAILED, "policy", "test", "p.policy", "p.tests")
        self.assertEqual(self.out, "p.tests: line 12: expected masked, got deny\n3 passed, 1 failed\n")

    def test_tests_that_could_not_run_are_no_success(self):
        self.reply(200, {"passed": 0, "failed": 0, "report": []})
        self.expect(FAILED, "policy", "test", "p.policy", "p.tests")
        self.reply(200, {"ok": False, "complaints": [{"line": 1, "column": 1, "text": "bad", "near": ""}]})
        self.expect(FAILED, "policy", "test", "p.policy", "p.tests")
        self.assertEqual(self.out, "p.policy:1:1: bad\n")
        self.reply(200, {})
        self.expect(SERVER, "policy", "test", "p.policy", "p.tests")
        self.expect(USAGE, "policy", "test", "-", "-")

    def test_activate_shows_the_complaints_of_a_refusal(self):
        self.reply(422, {"code": "policy_invalid", "title": "The policy text does not compile.", "complaints": [{"line": 2, "column": 12, "text": "bad", "near": "good"}]})
        self.expect(REFUSED, "policy", "activate", "p.policy")
        self.assertEqual(self.err, "error: policy_invalid: The policy text does not compile.\n  policy:2:12: bad; near: good\n")
        self.reply(200, {"version": 2, "hash": "ab"})
        self.expect(OK, "policy", "activate", "p.policy")
        self.assertEqual(self.out, "version  2\nhash     ab\n")

    def test_explain_asks_one_question(self):
        self.reply(200, {"identity": "spiffe://x/y", "roles": ["campaigns"], "form": "plain",
                         "rules": [{"line": 7, "text": "allow campaigns to read contact.email as plain", "effect": "allow", "decided": True}]})
        self.expect(OK, "policy", "explain", "--identity", "spiffe://x/y", "--purpose", "marketing", "--field", "email", "--state", "consented,basis")
        self.assertEqual(json.loads(self.sent()["body"]), {"identity": "spiffe://x/y", "purpose": "marketing", "field": "email",
                                                           "verb": "read", "state": ["consented", "basis"]})
        self.assertNotIn("X-Purpose", self.sent()["headers"])
        self.assertIn("LINE  TEXT                                            EFFECT  DECIDED\n7     allow campaigns", self.out)
        self.expect(USAGE, "policy", "explain", "--identity", "spiffe://x/y", "--field", "email")

    def test_show_gives_a_policy_again(self):
        active = {"version": 2, "hash": "ab", "text": "# 规则\nrole a is spiffe://x/y\n", "activated_at": "2026-01-01T00:00:00Z", "activated_by": "spiffe://x/admin"}
        old = {"version": 1, "hash": "cd", "activated_at": "2025-01-01T00:00:00Z", "activated_by": "migration"}
        self.reply(200, {"active": active, "history": [old]})
        self.expect(OK, "policy", "show")
        self.assertTrue(self.out.startswith("# version: 2\n# hash: ab\n"))
        self.assertTrue(self.out.endswith("\n\n# 规则\nrole a is spiffe://x/y\n"))
        self.reply(200, {"active": active, "history": [old]})
        self.expect(OK, "policy", "show", "--history")
        self.assertEqual(self.out, "VERSION  HASH  ACTIVATED AT          ACTIVATED BY\n1        cd    2025-01-01T00:00:00Z  migration\n")


RECORD = {"id": "7.19", "time": "2026-01-01T00:00:00.000001Z", "node": "n1", "actor": "spiffe://crm.example/svc/campaigns", "operation": "customer_read",
          "purpose": "marketing", "outcome": "success", "code": "ok", "asked": "plain", "given": {"plain": [3, 4]}}


class Audit(Case):
    def test_list_filters_and_shows_a_table(self):
        self.reply(200, {"data": [RECORD, {**RECORD, "id": "7.2", "code": None, "given": {}}], "next": None})
        self.expect(OK, "audit", "list", "--since", "2026-01-01T08:00:00+08:00", "--until", "2026-01-02T00:00:00Z", "--actor", "spiffe://crm.example/svc/x y",
                    "--action", "read", "--outcome", "success", "--purpose", "marketing", "--limit", "10")
        self.assertEqual(self.sent()["path"], "/v1/audit/records?since=2026-01-01T00%3A00%3A00.000000Z&until=2026-01-02T00%3A00%3A00.000000Z"
                         "&actor=spiffe%3A%2F%2Fcrm.example%2Fsvc%2Fx%20y&activity=read&outcome=success&purpose=marketing&limit=10")
        self.assertNotIn("X-Purpose", self.sent()["headers"])
        self.assertEqual(self.out, "TIME                         ID    ACTOR                               OPERATION      PURPOSE    OUTCOME  CODE  ASKED  GIVEN\n"
                                   "2026-01-01T00:00:00.000001Z  7.19  spiffe://crm.example/svc/campaigns  customer_read  marketing  success  ok    plain  plain(3,4)\n"
                                   "2026-01-01T00:00:00.000001Z  7.2   spiffe://crm.example/svc/campaigns  customer_read  marketing  success        plain\n")

    def test_list_takes_a_time_ago(self):
        self.reply(200, {"data": [], "next": None})
        self.expect(OK, "audit", "list", "--since", "2h")
        at = re.search(r"since=(\d{4}-\d\d-\d\dT\d\d)%3A(\d\d)%3A(\d\d)", self.sent()["path"])
        then = time.mktime(time.strptime("".join(at.groups()), "%Y-%m-%dT%H%M%S")) - time.timezone
        self.assertAlmostEqual(time.time() - then, 7200, delta=60)
        for bad in ("yesterday", "2x", "h", "-2h", "99999999d", "2026-13-01T00:00:00Z"):
            self.expect(USAGE, "audit", "list", "--since=" + bad)

    def test_list_goes_on_by_cursor_or_to_the_end(self):
        self.reply(200, {"data": [RECORD], "next": "C+2"})
        self.expect(OK, "audit", "list")
        self.assertEqual(self.err, "There are more: --cursor C+2\n")
        self.server.seen.clear()
        for cursor in ("C+2", "C3", None):
            self.reply(200, {"data": [RECORD], "next": cursor})
        self.expect(OK, "audit", "list", "--all", "--json", "--limit", "1")
        self.assertEqual([json.loads(line)["next"] for line in self.out.splitlines()], ["C+2", "C3", None])
        self.assertEqual([s["path"] for s in self.server.seen], ["/v1/audit/records?limit=1", "/v1/audit/records?limit=1&cursor=C%2B2", "/v1/audit/records?limit=1&cursor=C3"])

    def tail(self, chunks, *args):
        self.server.replies.put(Reply(200, chunks=chunks))
        return subprocess.Popen([VAULTCTL, "--as", "crm-core", "--url", self.server.url, "audit", "tail", *args], cwd=self.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_tail_shows_a_record_as_soon_as_it_comes(self):
        go_on = threading.Event()

        def chunks():
            line = json.dumps(RECORD).encode()
            yield b"\n"
            yield line[:20]
            yield line[20:] + b"\n\n"
            self.assertTrue(go_on.wait(20 * vault.SLOW))
            yield json.dumps({**RECORD, "code": None, "given": None, "actor": "a\x1b[1mb"}).encode() + b"\n"

        with self.tail(chunks()) as p:
            self.assertEqual(p.stdout.readline().decode(), "2026-01-01T00:00:00.000001Z  7.19  spiffe://crm.example/svc/campaigns  customer_read  marketing  success  ok  plain  plain(3,4)\n")
            go_on.set()
            out, err = p.communicate(timeout=30 * vault.SLOW)
        self.assertEqual(out.decode(), "2026-01-01T00:00:00.000001Z  7.19  a\ufffd[1mb  customer_read  marketing  success  -  plain  -\n")
        self.assertEqual((p.returncode, err), (OK, b""))
        self.assertEqual(self.sent()["path"], "/v1/audit/records?follow=true")

    def test_tail_prints_the_lines_themselves_with_json(self):
        with self.tail(iter([b'{"id":"1"}\n{"id":', b'"2"}\n']), "--json", "--outcome", "failure") as p:
            out, _ = p.communicate(timeout=30 * vault.SLOW)
        self.assertEqual((p.returncode, out), (OK, b'{"id":"1"}\n{"id":"2"}\n'))
        self.assertEqual(self.sent()["path"], "/v1/audit/records?follow=true&outcome=failure")

    def test_tail_of_what_is_no_record_ends_with_4(self):
        with self.tail(iter([b'{"id":"1"}\n', b"garbage\n", b'{"id":"2"}\n']), "--json") as p:
            out, err = p.communicate(timeout=30 * vault.SLOW)
        self.assertEqual((p.returncode, out), (SERVER, b'{"id":"1"}\n'))
        self.assertIn(b"no record", err)

    def test_tail_that_is_refused_tells_why(self):
        self.reply(403, {"code": "policy_denied", "title": "No."})
        self.expect(REFUSED, "audit", "tail")
        self.assertEqual(self.err, "error: policy_denied: No.\n")

    def test_tail_lives_on_newlines_and_ends_with_3_when_they_stop(self):
        silence = 3 * vault.SLOW
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def chunks():
            for _ in range(silence * 2 + 2):
                time.sleep(0.5)
                yield b"\n"
            yield b'{"id":"1"}\n'
            go_on.wait(silence + 30)

        with self.tail(chunks(), "--json", "--timeout", str(silence)) as p:
            out, err = p.communicate(timeout=60 * vault.SLOW)
        self.assertEqual((p.returncode, out), (UNREACHED, b'{"id":"1"}\n'))
        self.assertIn(b"the vault was silent for %d s" % silence, err)

    def test_tail_whose_reader_left_ends(self):
        stop = threading.Event()

        def chunks():
            while not stop.is_set():
                yield b'{"id":"1"}\n'

        with self.tail(chunks(), "--json") as p:
            p.stdout.readline()
            p.stdout.close()
            p.stdout = None
            p.wait(timeout=30 * vault.SLOW)
            stop.set()
        self.assertNotEqual(p.returncode, OK)


class Keys(Case):
    def test_init_makes_and_status_shows_a_keyring(self):
        files = ["--keyring", "kr", "--root", "root"]
        self.expect(OK, "key", "init", *files, name=None)
        self.assertEqual(os.stat(self.folder / "root").st_mode & 0o777, 0o400)
        self.expect(REFUSED, "key", "init", *files, name=None)
        self.expect(OK, "key", "status", *files, name=None)
        self.assertRegex(self.out, r"fingerprint   [0-9a-f]{16}\nactive epoch  1\n(.*\n)*1 +active +20")
        self.expect(OK, "key", "status", "--json", *files, name=None)
        self.assertEqual(json.loads(self.out)["epochs"][0]["state"], "active")

    def test_places_come_from_the_configuration_of_vaultd(self):
        (self.folder / "v.env").write_text("VAULT_KEYRING=kr2\nVAULT_ROOT_KEY=root2\n")
        self.expect(OK, "key", "init", "--config", "v.env", name=None)
        self.expect(OK, "key", "status", name=None, environment={"VAULT_KEYRING": "kr2", "VAULT_ROOT_KEY": "root2"})
        (self.folder / "bad.env").write_text("VAULT_KEYRIN=kr2\n")
        self.expect(USAGE, "key", "status", "--config", "bad.env", name=None)
        self.assertIn("bad.env:1: VAULT_KEYRIN: unknown key; near: VAULT_KEYRING", self.err)

    def test_status_of_a_damaged_or_missing_keyring_ends_with_4(self):
        files = ["--keyring", "kr3", "--root", "root3"]
        self.expect(SERVER, "key", "status", *files, name=None)
        self.expect(OK, "key", "init", *files, name=None)
        data = bytearray((self.folder / "kr3").read_bytes())
        data[-1] ^= 1
        (self.folder / "kr3").write_bytes(data)
        self.expect(SERVER, "key", "status", *files, name=None)
        self.assertTrue(self.err.startswith("error: "))


class Migrate(Case):
    def test_no_database_is_a_usage_error(self):
        self.expect(USAGE, "migrate", name=None)
        self.assertIn("VAULT_MIGRATE_URL", self.err)

    def test_a_database_that_is_not_there_ends_with_3_and_the_password_is_not_shown(self):
        conninfo = f"host={self.folder} password=sesame dbname=vault"
        for args, env in ((["migrate", "--url", conninfo], {}), (["--url", conninfo, "migrate"], {}), (["migrate"], {"VAULT_MIGRATE_URL": conninfo})):
            self.expect(UNREACHED, *args, name=None, environment=env)
            self.assertNotIn("sesame", self.err)


class CommandLine(Case):
    def test_usage_errors_end_with_2_and_near_words(self):
        for args, part in (([], "no command is given"), (["customer"], "customer what?"), (["costumer"], "near: customer"),
                           (["customer", "serch"], "near: search"), (["whoami", "--jsno"], "near: --json"), (["customer", "get"], "this command needs: CUSTOMER"),
                           (["whoami", "extra"], "too many words"), (["whoami", "--json=1"], "--json takes no value"), (["whoami", "--url"], "--url needs a value"),
                           (["--json", "--json", "whoami"], "--json is given twice"), (["--fields", "a", "customer", "get"], "options follow the command"),
                           (["whoami", "--timeout", "0"], "--timeout")):
            self.expect(USAGE, *args)
            self.assertIn(part, self.err)

    def commands(self):
        self.expect(OK, "--help", name=None)
        section = self.out.split("Commands:\n")[1].split("\n\n")[0]
        return [re.split(r"  +", line.strip())[0].split() for line in section.splitlines()]

    def test_each_command_has_help_with_an_example(self):
        commands = self.commands()
        self.assertGreaterEqual(len(commands), 14)
        for words in commands:
            self.expect(OK, *words, "--help", name=None)
            self.assertIn("Usage: vaultctl [OPTION...] " + " ".join(words), self.out)
            self.assertIn("  vaultctl ", self.out)
        self.expect(OK, "policy", "--help", name=None)
        self.assertIn("policy explain", self.out)

    def test_the_man_page_names_each_command_option_variable_and_exit_code(self):
        page = MAN_PAGE.read_text().replace("Fl -", "--")
        texts = [" ".join(words) for words in self.commands()]
        for words in self.commands() + [[]]:
            self.expect(OK, *words, "--help", name=None)
            texts += re.findall(r"^  (--[a-z-]+)", self.out, re.M) + re.findall(r"VAULT_[A-Z_]+", self.out)
        for text in texts:
            self.assertIn(text, page)
        for code in range(6):
            self.assertRegex(page, rf"\n\.It {code}\n")

    def test_version(self):
        self.expect(OK, "--version", name=None)
        self.assertRegex(self.out, r"^vaultctl \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    if not VAULTCTL.exists():
        sys.exit(f"{VAULTCTL} is not built; run make")
    vault.main()
