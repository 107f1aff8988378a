"""Webhooks: declared by an administrator, signed, sent until they are taken or given up."""
import time
import unittest

import receiver
import vault

V = None
CAMPAIGNS = "spiffe://crm.example/svc/campaigns"


def setUpModule():
    global V
    V = vault.Vault(webhook_loopback=1, webhook_retry_ms=100, webhook_tries=4, webhook_timeout_ms=1000)
    V.start()


def tearDownModule():
    V.close()


class Webhooks(unittest.TestCase):
    def setUp(self):
        self.security = self.client("security")
        self.hook = "hook_%d" % time.monotonic_ns()

    def client(self, certificate, v=None):
        client = (v or V).client(certificate)
        self.addCleanup(client.close)
        return client

    def receiver(self, **more):
        r = receiver.Receiver(**more)
        self.addCleanup(r.close)
        return r

    def expect(self, reply, status, code=None):
        self.assertEqual((reply.status, reply.code), (status, code), reply)
        return reply.json

    def declare(self, url, kinds=("alarm",), status=201, **more):
        made = self.expect(self.security.put("/v1/webhooks/" + self.hook, {"url": url, "kinds": list(kinds), **more}), status)
        self.addCleanup(self.security.delete, "/v1/webhooks/" + self.hook)
        return made

    def put_message(self, data='{"n":1}', kind="alarm"):
        """As outbox_add does, from outside."""
        return V.cluster.sql("INSERT INTO vault.outbox (kind, webhook, recipient, request, data) VALUES ('%s', '%s', '', 0, '%s') RETURNING message"
                             % (kind, self.hook, data))[0][0].replace("-", "")

    def state(self, message):
        return V.cluster.sql("SELECT state, tries, trouble FROM vault.outbox WHERE replace(message::text, '-', '') = '%s'" % message)[0]

    def shown(self):
        return next(h for h in self.expect(self.security.get("/v1/webhooks"), 200)["webhooks"] if h["name"] == self.hook)

    def test_a_message_arrives_signed_and_once(self):
        r = self.receiver()
        self.declare(r.url)
        message = self.put_message()
        headers, body, _ = r.wait(1)[0]
        self.assertEqual(headers["webhook-id"], "msg_" + message)
        self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 60)
        self.assertEqual(headers["content-type"], "application/json")
        seen = receiver.parsed(r.got[0])
        self.assertEqual((seen["id"], seen["type"], seen["data"]), ("msg_" + message, "alarm", {"n": 1}))
        key = self.expect(self.security.get("/v1/signing-key"), 200)["key"]
        self.assertTrue(receiver.signed_by(key, headers, body))
        self.assertFalse(receiver.signed_by(key, headers, body.replace(b'"n":1', b'"n":2')))
        self.assertFalse(receiver.signed_by(key, {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}, body))
        vault.wait_until(lambda: self.state(message)[0] == "1", 10, "it is noted as sent")
        time.sleep(1.5)
        self.assertEqual(len(r.got), 1)
        log = self.expect(self.security.get("/v1/audit/records?activity=notify&limit=5"), 200)["data"][0]
        self.assertEqual((log["object"], log["outcome"]), ("alarm:" + self.hook, "success"))

    def test_what_fails_is_sent_again_later_and_later_under_the_same_id(self):
        r = self.receiver(answers=(500, 302, 200))
        self.declare(r.url)
        message = self.put_message()
        got = r.wait(3)
        self.assertEqual({(h["webhook-id"], b) for h, b, _ in got}, {("msg_" + message, got[0][1])})
        self.assertGreaterEqual(got[2][2] - got[0][2], 0.2)
        vault.wait_until(lambda: self.state(message) == ["1", "3", ""], 10, "sent at the third try")

    def test_a_message_that_is_never_taken_is_given_up_with_an_alarm_and_can_be_revived(self):
        r = self.receiver(answers=(503,))
        self.declare(r.url)
        message = self.put_message()
        vault.wait_until(lambda: self.state(message) == ["2", "4", "status_503"], 20, "given up after four tries")
        vault.wait_until(lambda: V.metric("vault_outbox_dead") >= 1, 10, "the metric says so")
        self.assertEqual(self.shown()["dead"], 1)
        log = self.expect(self.security.get("/v1/audit/records?activity=notify&limit=5"), 200)["data"][0]
        self.assertEqual((log["object"], log["code"]), ("alarm:" + self.hook, "undelivered"))
        r.answers = [200]
        self.assertEqual(self.expect(self.security.post("/v1/webhooks/%s:retry" % self.hook), 200), {"retried": 1})
        vault.wait_until(lambda: self.state(message)[0] == "1", 10, "taken at last")
        self.assertEqual(self.shown()["dead"], 0)

    def test_a_vault_killed_while_it_sends_sends_again(self):
        r = self.receiver(answers=("silence", 200))
        self.declare(r.url)
        message = self.put_message()
        r.wait(1)
        V.kill()
        V.start()
        got = r.wait(2)
        self.assertEqual({h["webhook-id"] for h, _, _ in got}, {"msg_" + message})
        vault.wait_until(lambda: self.state(message)[0] == "1", 10, "noted as sent")

    def test_a_silent_receiver_holds_up_no_other(self):
        silent = self.receiver(answers=("silence",))
        self.declare(silent.url)
        for _ in range(20):
            self.put_message()
        silent.wait(1)
        self.hook += "_b"
        r = self.receiver()
        self.declare(r.url)
        began = time.monotonic()
        self.put_message()
        r.wait(1)
        self.assertLess(time.monotonic() - began, 5 * vault.SLOW)

    def test_only_one_node_sends(self):
        r = self.receiver()
        self.declare(r.url)
        with vault.Vault("second", cluster=V.cluster, keys=V.keys, webhook_loopback=1, node="second"):
            messages = [self.put_message() for _ in range(10)]
            r.wait(10)
            time.sleep(1.5)
        self.assertEqual(sorted(h["webhook-id"] for h, _, _ in r.got), sorted("msg_" + m for m in messages))

    def test_https_is_checked_against_the_configured_ca(self):
        certs = vault.pki()
        strange = vault.pki(vault.folder() / "strange")
        good, bad = self.receiver(certs=certs), self.receiver(certs=strange)
        with vault.Vault("tls", webhook_ca=certs / "ca.pem", webhook_retry_ms=100) as v:
            security = self.client("security", v)
            self.expect(security.put("/v1/webhooks/plain", {"url": "http://127.0.0.1:1/", "kinds": ["alarm"]}), 400, "malformed_request")
            for name, r in (("good", good), ("bad", bad)):
                self.expect(security.put("/v1/webhooks/" + name, {"url": r.url, "kinds": ["alarm"]}), 201)
                v.cluster.sql("INSERT INTO vault.outbox (kind, webhook, recipient, request, data) VALUES ('alarm', '%s', '', 0, '{}')" % name)
            good.wait(1)
            vault.wait_until(lambda: v.cluster.sql("SELECT trouble FROM vault.outbox WHERE webhook = 'bad'") == [["certificate"]], 10, "refused")
            # A line that somebody wrote into the table itself is looked at again.
            v.cluster.sql("INSERT INTO vault.webhook VALUES ('by_hand', 1, 'http://127.0.0.1:1/', '', '{alarm}', now(), 'x')")
            v.cluster.sql("INSERT INTO vault.outbox (kind, webhook, recipient, request, data) VALUES ('alarm', 'by_hand', '', 0, '{}')")
            vault.wait_until(lambda: v.cluster.sql("SELECT trouble FROM vault.outbox WHERE webhook = 'by_hand'") == [["url"]], 10, "refused")
        self.assertEqual(bad.got, [])

    def test_a_removed_webhook_gets_nothing_and_its_versions_stay(self):
        r = self.receiver(answers=(500,))
        self.assertEqual(self.declare(r.url)["version"], 1)
        message = self.put_message()
        r.wait(1)
        self.expect(self.security.delete("/v1/webhooks/" + self.hook), 200)
        self.expect(self.security.delete("/v1/webhooks/" + self.hook), 404, "not_found")
        self.expect(self.security.post("/v1/webhooks/%s:retry" % self.hook), 404, "not_found")
        vault.wait_until(lambda: self.state(message)[0] == "2" and self.state(message)[2] == "removed", 10, "given up")
        self.assertEqual(self.declare(r.url, status=200)["version"], 3)
        self.assertEqual(len(V.cluster.sql("SELECT 1 FROM vault.webhook WHERE name = '%s'" % self.hook)), 3)

    def test_what_a_webhook_must_be(self):
        def refused(body, pointer, name=None):
            reply = self.security.put("/v1/webhooks/" + (name or self.hook), body)
            self.expect(reply, 400, "malformed_request")
            self.assertEqual(reply.json["errors"][0]["pointer"], pointer)
        good = {"url": "https://crm.example/", "kinds": ["erasure"], "recipient": CAMPAIGNS}
        refused({**good, "url": "http://crm.example/"}, "/url")
        refused({**good, "url": "https://user:word@crm.example/"}, "/url")
        refused({**good, "kinds": []}, "/kinds")
        refused({**good, "kinds": ["erasure", "erasure"]}, "/kinds/1")
        refused({**good, "kinds": ["nonsense"]}, "/kinds/0")
        refused({**good, "recipient": "campaigns"}, "/recipient")
        refused({"url": good["url"], "kinds": ["erasure"]}, "/recipient")
        refused({**good, "kinds": ["alarm"]}, "/recipient")
        self.expect(self.security.put("/v1/webhooks/BAD-NAME", good), 400, "malformed_request")

    def test_the_command_line(self):
        r = self.receiver()
        ctl = lambda *args: V.ctl("webhook", *args, certificate="security")
        self.assertEqual(ctl("put", self.hook, "https://crm.example/", "--kinds", "alarm,erasure").returncode, 1)
        made = ctl("put", self.hook, r.url, "--kinds", "erasure,rectification", "--recipient", CAMPAIGNS)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.addCleanup(self.security.delete, "/v1/webhooks/" + self.hook)
        self.assertEqual((self.shown()["kinds"], self.shown()["recipient"]), (["erasure", "rectification"], CAMPAIGNS))
        self.assertIn(self.hook, ctl("list").stdout)
        self.assertEqual(ctl("retry", self.hook).returncode, 0)
        self.assertEqual(ctl("delete", self.hook).returncode, 0)
        self.assertEqual(ctl("delete", self.hook).returncode, 1)

    def test_who_may(self):
        for who in ("service-desk", "stranger", "compliance-1"):
            client = self.client(who)
            self.expect(client.put("/v1/webhooks/" + self.hook, {"url": "https://crm.example/", "kinds": ["alarm"]}), 403, "policy_denied")
            self.expect(client.delete("/v1/webhooks/" + self.hook), 403, "policy_denied")
            self.expect(client.post("/v1/webhooks/%s:retry" % self.hook), 403, "policy_denied")
        self.expect(self.client("service-desk").get("/v1/webhooks"), 403, "policy_denied")


if __name__ == "__main__":
    vault.main()
