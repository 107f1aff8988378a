"""Two nodes on one database: a change binds every batch that begins after it is acknowledged, on each of them (G2)."""

import threading
import time
import unittest

import vault

OPEN = (vault.ROOT / "policy/rules/crm.policy").read_text()
SHUT = "\n".join(line for line in OPEN.splitlines() if not line.startswith("allow service_desk"))


class Nodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.a = vault.Vault("a").start()
        cls.b = vault.Vault("b", cluster=cls.a.cluster, keys=cls.a.keys, certs=cls.a.certs).start()
        cls.core = cls.a.client("crm-core", "onboarding")
        cls.admin = cls.a.client("admin")
        reply = cls.core.post("/v1/customers", {"fields": {"email": "g2@example.com", "phone": "13812345678"}})
        assert reply.status == 201, reply
        found = cls.a.client("service-desk", "support").post("/v1/customers:search", {"where": {"email": "g2@example.com"}})
        cls.token = found.json["data"][0]["customer"]

    @classmethod
    def tearDownClass(cls):
        cls.b.close()
        cls.a.close()

    def read(self, client):
        return client.get("/v1/customers/%s?fields=phone&form=plain" % self.token)

    def under_load(self, change, refused, read=None, who=("service-desk", "support")):
        """Reads on node b without pause; every read that begins after change() has returned must be refused."""
        read = read or self.read
        self.assertFalse(refused(read(self.b.client(*who))), "refused before the change")
        seen, stop = [], threading.Event()

        def reader():
            client = self.b.client(*who)
            while not stop.is_set():
                began = time.monotonic()
                seen.append((began, refused(read(client))))

        threads = [threading.Thread(target=reader) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.2)
        change()
        acknowledged = time.monotonic()
        time.sleep(0.3)
        stop.set()
        for t in threads:
            t.join()
        late = [r for began, r in seen if began > acknowledged]
        self.assertTrue(late)
        self.assertTrue(all(late), "%d of %d reads after the acknowledgement were served" % (late.count(False), len(late)))
        self.assertIn(False, [r for _, r in seen])

    def expect(self, reply, status=200):
        self.assertEqual(reply.status, status, reply)

    def test_a_freeze_on_one_node_binds_the_other_at_once(self):
        desk = "spiffe://crm.example/svc/service-desk"
        for _ in range(5):
            self.under_load(lambda: self.expect(self.admin.post("/v1/identities:freeze", {"identity": desk, "reason": "test"})),
                            lambda r: (r.status, r.code) == (403, "identity_frozen"))
            self.expect(self.admin.post("/v1/identities:thaw", {"identity": desk}))
            self.assertEqual(self.read(self.b.client("service-desk", "support")).status, 200)

    def test_a_freeze_is_acknowledged_only_when_batches_that_began_before_have_ended(self):
        desk = "spiffe://crm.example/svc/service-desk"
        lock = threading.Thread(target=lambda: self.a.cluster.sql(
            "BEGIN; LOCK vault.customer IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT"))
        results = {}
        read = threading.Thread(target=lambda: results.update(read=self.read(self.b.client("service-desk", "support"))))
        freeze = threading.Thread(target=lambda: results.update(
            freeze=self.a.client("admin").post("/v1/identities:freeze", {"identity": desk, "reason": "test"})))
        lock.start()
        time.sleep(0.5)
        read.start()  # its batch has read the configuration and waits for the customer
        time.sleep(0.5)
        freeze.start()
        freeze.join(0.5)
        self.assertTrue(freeze.is_alive(), "acknowledged while a batch that began before was still under way")
        for t in (lock, read, freeze):
            t.join()
        self.expect(results["freeze"])
        self.assertEqual(results["read"].status, 200)
        self.assertEqual(self.read(self.b.client("service-desk", "support")).code, "identity_frozen")
        self.expect(self.admin.post("/v1/identities:thaw", {"identity": desk}))

    def test_a_policy_activated_on_one_node_binds_the_other_at_once(self):
        for _ in range(5):
            self.under_load(lambda: self.expect(self.admin.post("/v1/policies:activate", {"text": SHUT})),
                            lambda r: r.status in (403, 404) or r.json["fields"]["phone"]["form"] == "deny")
            self.expect(self.admin.post("/v1/policies:activate", {"text": OPEN}))

    def test_revoked_tokens_are_dead_on_the_other_node_at_once(self):
        made = self.core.post("/v1/customers", {"fields": {"phone": "13812345679"}}).json["customer"]
        other = self.b.client("crm-core", "onboarding")
        self.assertEqual(other.get("/v1/customers/" + made).status, 200)
        fresh = self.core.post("/v1/customers/%s/tokens:revoke" % made)
        self.expect(fresh)
        self.assertEqual(other.get("/v1/customers/" + made).status, 404)
        self.assertEqual(other.get("/v1/customers/" + fresh.json["customer"]).status, 200)

    def test_a_withdrawn_consent_stops_the_campaigns_next_read_on_the_other_node(self):
        consent = {"decision": "given", "channel": "web"}
        fields = {"email": "campaign@example.com"}
        made = self.core.post("/v1/customers", {"fields": fields, "consents": {"marketing": consent}}).json
        path = "/v1/customers/" + made["customer"]
        # The shipped campaigns role gets its tokens by translation; here it shares crm-core's audience.
        policy = OPEN.replace("svc/campaigns     audience campaigns", "svc/campaigns     audience crm_core")
        self.assertNotEqual(policy, OPEN)
        self.expect(self.admin.post("/v1/policies:activate", {"text": policy}))
        self.addCleanup(lambda: self.expect(self.admin.post("/v1/policies:activate", {"text": OPEN})))

        def refused(reply):
            self.assertEqual(reply.status, 200, reply)
            got = reply.json["fields"]["email"]
            self.assertIn(got["form"], ("plain", "deny"))
            if got["form"] == "deny":
                self.assertEqual(got["code"], "consent_missing")
            return got["form"] == "deny"

        def read(client):
            return client.get(path + "?fields=email&form=plain")

        self.under_load(lambda: self.expect(self.core.post(path + "/consents/marketing:withdraw")), refused, read, ("campaigns", "marketing"))

    def test_both_nodes_write_the_same_reference_once(self):
        results = []

        def put(v, n):
            client = v.client("crm-core", "onboarding")
            for i in range(10):
                results.append(client.put("/v1/customers:by-ref", {"external_ref": "same-%d" % i, "fields": {"name": "N %s" % n}}).status)

        threads = [threading.Thread(target=put, args=(v, n)) for n, v in zip("abcd", (self.a, self.b, self.a, self.b))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(results), [200] * 30 + [201] * 10)


if __name__ == "__main__":
    vault.main()
