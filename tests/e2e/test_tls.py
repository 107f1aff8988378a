"""Mutual TLS through the whole of vaultd: what its parts' own tests can't see. Refusals, reload and deny list by signal and
by call, and what a stalled client costs the process."""
import contextlib
import os
import shutil
import socket
import ssl
import time
import unittest

import vault

REQUEST = b"GET /v1/whoami HTTP/1.1\r\nHost: vault\r\n\r\n"


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.deny = vault.folder() / "deny"
        cls.deny.write_text("")
        cls.certs = vault.folder() / "own-pki"
        shutil.copytree(vault.pki(), cls.certs)
        cls.v = vault.Vault("tls", certs=cls.certs, deny_list=cls.deny, handshake_timeout_ms=1500, header_timeout_ms=1500)
        cls.v.start()
        cls.addClassCleanup(cls.v.close)

    def client(self, name, purpose=None):
        client = self.v.client(name, purpose)
        self.addCleanup(client.close)
        return client

    def bytes_back(self, certificate, maximum=None):
        """What a client with that certificate gets: b"" where it is refused (under TLS 1.3 that shows after the handshake)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certs / "ca.pem")
        if maximum:
            context.maximum_version = maximum
        if certificate:
            context.load_cert_chain(self.certs / f"{certificate}.pem", self.certs / f"{certificate}.key")
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            with socket.create_connection(("127.0.0.1", self.v.port), timeout=10 * vault.SLOW) as plain:
                with context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
                    sock.sendall(REQUEST)
                    return sock.recv(4096)
        return b""

    def test_who_gets_an_answer(self):
        self.assertTrue(self.bytes_back("crm-core").startswith(b"HTTP/1.1 200"))
        self.assertTrue(self.bytes_back("stranger").startswith(b"HTTP/1.1 200"), "a stranger has an identity and no rights")
        for certificate in (None, "foreign", "server"):
            with self.subTest(certificate):
                self.assertEqual(self.bytes_back(certificate), b"")
        self.assertEqual(self.bytes_back("crm-core", ssl.TLSVersion.TLSv1_2), b"")

    def test_refused_handshakes_are_counted_and_recorded_once_for_many(self):
        before = self.v.metric("vault_tls_handshake_failures_total")
        for _ in range(5):
            self.bytes_back("foreign")
        vault.wait_until(lambda: self.v.metric("vault_tls_handshake_failures_total") >= before + 5, 5, "five failures are counted")
        security = self.client("security")

        def recorded():
            page = security.get("/v1/audit/records?outcome=failure&limit=200").json["data"]
            return [r for r in page if "handshake" in r["operation"] or "handshake" in r["activity"]]
        found = vault.wait_until(recorded, 15, "an audit record of refused handshakes")
        self.assertLess(len(found), 5, "repeats become one counted record")

    def test_a_denied_identity_is_refused_on_its_open_connection_after_sighup(self):
        loyalty, core = self.client("loyalty"), self.client("crm-core")
        self.assertEqual(loyalty.get("/v1/whoami").status, 200)
        self.assertEqual(core.get("/v1/whoami").status, 200)
        kept = loyalty.connection
        self.reload("spiffe://crm.example/svc/loyalty\n")
        self.addCleanup(self.reload, "")
        reply = loyalty.get("/v1/whoami")
        self.assertEqual((reply.status, reply.code), (403, "identity_denied"), reply)
        self.assertIs(loyalty.connection, kept, "the reload dropped a connection")
        self.assertEqual(core.get("/v1/whoami").status, 200)

    def reload(self, text):
        before = self.v.metric("vault_reloads_total")
        self.deny.write_text(text)
        self.v.reload()
        vault.wait_until(lambda: self.v.metric("vault_reloads_total") > before, 5, "the reload")

    def test_a_bad_reload_keeps_the_old_and_says_so(self):
        pem = self.certs / "server.pem"
        good, before = pem.read_bytes(), self.v.metric("vault_reload_failures_total")
        pem.write_text("no certificate")
        try:
            self.v.reload()
            vault.wait_until(lambda: self.v.metric("vault_reload_failures_total") > before, 5, "the failed reload")
            self.assertIn("server.pem", self.v.log())
            self.assertEqual(self.client("crm-core").get("/v1/whoami").status, 200)
        finally:
            pem.write_bytes(good)
        self.reload("")
        self.assertEqual(self.client("crm-core").get("/v1/whoami").status, 200)

    def test_an_admin_reloads_by_a_call_and_no_other_may(self):
        path = "/v1/certificates:reload"
        before = self.v.metric("vault_reloads_total")
        self.assertEqual(self.client("crm-core").post(path).code, "policy_denied")
        self.assertIn(self.client("admin").post(path).status, (200, 202, 204))
        vault.wait_until(lambda: self.v.metric("vault_reloads_total") > before, 5, "the reload")

    def test_stalled_clients_cost_no_cpu_and_are_cut_off(self):
        stalled = [socket.create_connection(("127.0.0.1", self.v.port), timeout=10) for _ in range(40)]
        try:
            for sock in stalled:
                sock.sendall(b"\x16\x03\x01\x02")  # four bytes of a ClientHello
            time.sleep(0.2)
            begin = cpu_s(self.v.pid())
            time.sleep(1)
            self.assertLess(cpu_s(self.v.pid()) - begin, 0.1 * vault.SLOW, "waiting handshakes cost CPU")
            self.assertEqual(self.client("crm-core").get("/v1/whoami").status, 200)
            for sock in stalled:
                sock.settimeout(5 * vault.SLOW)
                with contextlib.suppress(ConnectionError):
                    self.assertEqual(sock.recv(64)[:1] in (b"", b"\x15"), True)
        finally:
            for sock in stalled:
                sock.close()


if __name__ == "__main__":
    vault.main()
