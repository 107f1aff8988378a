"""The guarantees, attacked: unknown commits, a database that goes away, a database writer that tampers, full queues, stop."""

import re
import threading
import time
import unittest

import pgproxy
import vault

FIELDS = {"name": "张伟", "email": "zhang.wei@example.com", "phone": "+8613812345678", "tags": ["a", "b"]}


def person(n):
    return {"fields": {"email": "p%d@example.com" % n, "name": "Ann Li"}, "external_ref": "ref-%d" % n}


class Commits(unittest.TestCase):
    """A connection cut between COMMIT and its answer, both ways."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = vault.Cluster("commit-pg").start()
        cls.proxy = pgproxy.Proxy(cls.cluster.port)
        url = re.sub(r"port=\d+", "port=%d" % cls.proxy.port, cls.cluster.tcp_database_url)
        url = url.replace(":%d/" % cls.cluster.port, ":%d/" % cls.proxy.port)
        assert url != cls.cluster.tcp_database_url, url
        cls.vault = vault.Vault("commit", cluster=cls.cluster, database_url=url).start()
        cls.core = cls.vault.client("crm-core", "onboarding")

    @classmethod
    def tearDownClass(cls):
        cls.vault.close()
        cls.proxy.close()
        cls.cluster.remove()

    def count(self):
        return int(self.cluster.sql("SELECT count(*) FROM vault.customer")[0][0])

    def cut(self, mode, n):
        before, doubts = self.count(), self.vault.metric("vault_unknown_commits_total")
        self.proxy.mode = mode
        reply = self.core.post("/v1/customers", person(n))
        self.assertEqual(self.proxy.cuts > 0, True)
        self.assertEqual(reply.status, 201, reply)
        self.assertEqual(self.count(), before + 1)
        self.assertEqual(self.core.get("/v1/customers/" + reply.json["customer"]).status, 200)
        self.assertGreater(self.vault.metric("vault_unknown_commits_total"), doubts)
        records = self.cluster.sql("SELECT count(*) FROM vault.audit_segment WHERE position('\"activity\":\"create\"' IN encode(bodies, 'escape')) > 0")
        self.assertEqual(int(records[0][0]), self.count())

    def test_a_commit_that_never_reached_the_server_is_run_again_once(self):
        for n in range(3):
            self.cut("before", n)

    def test_a_commit_whose_answer_was_lost_is_found_and_not_run_again(self):
        for n in range(10, 13):
            self.cut("after", n)

    def test_while_the_database_is_away_requests_get_503_and_readiness_says_why(self):
        self.proxy.mode = "refuse"
        for s in list(self.proxy.sockets):
            self.proxy._close(s)
        vault.wait_until(lambda: not self.vault.ready(), 10, "not ready")
        status, text = self.vault.operations("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("database", text)
        reply = self.core.post("/v1/customers", person(100))
        self.assertEqual((reply.status, reply.code), (503, "unavailable"))
        self.assertEqual(reply.headers["Retry-After"], "1")
        self.proxy.mode = None
        vault.wait_until(self.vault.ready, 10, "ready again")
        self.assertEqual(self.core.post("/v1/customers", person(100)).status, 201)


class Tampering(unittest.TestCase):
    """What a writer in the database does to stored data is noticed, and nothing leaves."""

    @classmethod
    def setUpClass(cls):
        cls.vault = vault.Vault("tamper").start()
        cls.core = cls.vault.client("crm-core", "onboarding")
        cls.desk = cls.vault.client("service-desk", "support")

    @classmethod
    def tearDownClass(cls):
        cls.vault.close()

    def setUp(self):
        self.vault.cluster.sql("TRUNCATE vault.customer, vault.customer_key, vault.blind_index, vault.customer_large, vault.record")
        self.a = self.create("a")
        self.b = self.create("b")

    def create(self, name):
        reply = self.core.post("/v1/customers", {"fields": dict(FIELDS, email=name + "@example.com"), "external_ref": name})
        self.assertEqual(reply.status, 201, reply)
        return reply.json["customer"]

    def ids(self):
        return [r[0] for r in self.vault.cluster.sql("SELECT customer_id FROM vault.customer ORDER BY created_at")]

    def read(self, token):
        return self.core.get("/v1/customers/" + token)

    def assert_noticed(self, statement, token=None):
        before = self.vault.metric("vault_seal_failures_total")
        self.assertEqual(self.read(token or self.a).status, 200)
        self.vault.cluster.sql(statement)
        reply = self.read(token or self.a)
        self.assertEqual((reply.status, reply.code), (500, "internal"), (statement, reply))
        self.assertGreater(self.vault.metric("vault_seal_failures_total"), before)

    def test_swapped_ciphertext_is_refused(self):
        a, b = self.ids()
        self.assert_noticed("UPDATE vault.customer SET fields = (SELECT fields FROM vault.customer WHERE customer_id = %s) WHERE customer_id = %s" % (b, a))

    def test_swapped_rows_are_refused(self):
        a, b = self.ids()
        self.assert_noticed(
            "UPDATE vault.customer c SET fields = o.fields, header = o.header FROM vault.customer o WHERE c.customer_id = %s AND o.customer_id = %s" % (a, b))

    def test_swapped_keys_are_refused(self):
        a, b = self.ids()
        self.assert_noticed("UPDATE vault.customer_key SET wrapped = (SELECT wrapped FROM vault.customer_key WHERE customer_id = %s) WHERE customer_id = %s" % (b, a))

    def test_a_flipped_consent_is_refused(self):
        self.assert_noticed("UPDATE vault.customer SET purpose_state = '\\x1111'")

    def test_a_longer_consent_is_refused(self):
        self.assert_noticed("UPDATE vault.customer SET state_valid_until = now()")

    def test_another_version_is_refused(self):
        self.assert_noticed("UPDATE vault.customer SET version = version + 1")

    def test_an_older_token_generation_is_refused(self):
        revoked = self.core.post("/v1/customers/%s/tokens:revoke" % self.a)
        self.assertEqual(revoked.status, 200, revoked)
        self.assertEqual(self.read(self.a).status, 404)
        self.assert_noticed("UPDATE vault.customer SET token_generation = token_generation + 65536", revoked.json["customer"])

    def test_a_field_taken_out_of_the_row_is_noticed(self):
        # One unit fewer in the directory, its bytes cut off: the header does not match.
        self.assert_noticed("UPDATE vault.customer SET fields = '\\x0000'")

    def test_a_flipped_bit_in_a_value_gives_no_value(self):
        # The last unit of the row is the external reference, which its own audience is shown.
        self.assert_noticed("UPDATE vault.customer SET fields = set_byte(fields, length(fields) - 1, get_byte(fields, length(fields) - 1) # 1)")

    def test_a_lost_key_epoch_is_refused(self):
        reply = self.read(self.a)
        self.assertEqual(reply.status, 200)
        self.vault.cluster.sql("UPDATE vault.customer_key SET epoch = 99")
        self.assertEqual(self.read(self.a).status, 503)  # another node may have it

    def test_the_service_role_can_change_neither_schema_nor_log(self):
        for statement in ("DELETE FROM vault.audit_segment", "UPDATE vault.audit_segment SET count = 0", "DROP TABLE vault.customer",
                          "CREATE TABLE vault.x (i int)", "DELETE FROM vault.audit_stream", "UPDATE vault.policy SET text = ''"):
            with self.assertRaises(AssertionError, msg=statement):
                self.vault.cluster.sql(statement, self.vault.cluster.database_url)


class Tokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault.Vault("tokens").start()
        cls.core = cls.vault.client("crm-core", "onboarding")
        cls.desk = cls.vault.client("service-desk", "support")

    @classmethod
    def tearDownClass(cls):
        cls.vault.close()

    def test_unknown_foreign_and_erased_get_the_same_answer(self):
        token = self.core.post("/v1/customers", person(1)).json["customer"]
        gone = self.core.post("/v1/customers", person(2)).json["customer"]
        self.vault.cluster.sql("DELETE FROM vault.customer WHERE version = 1 AND customer_id NOT IN (SELECT customer_id FROM vault.customer ORDER BY created_at LIMIT 1)")
        foreign = self.desk.get("/v1/customers/" + token)
        erased = self.core.get("/v1/customers/" + gone)
        for reply in (foreign, erased):
            self.assertEqual((reply.status, reply.code), (404, "not_found"), reply)
        strip = lambda r: {k: v for k, v in r.json.items() if k != "request_id"}
        self.assertEqual(strip(foreign), strip(erased))
        self.assertEqual(set(foreign.headers.keys()), set(erased.headers.keys()))
        self.assertEqual(self.vault.metric("vault_token_foreign_total"), 1)

    def test_a_forged_block_with_a_right_checksum_raises_an_alarm(self):
        before = self.vault.metric("vault_token_forgeries_total")
        reply = self.core.get("/v1/customers/" + bech32m("cus", [1] + [7] * 26))
        self.assertEqual((reply.status, reply.code), (404, "not_found"), reply)
        self.assertEqual(self.vault.metric("vault_token_forgeries_total"), before + 1)

    def test_who_may_write_nothing_makes_no_customer(self):
        reader = self.vault.client("analytics", "analytics")
        for body in ({}, {"fields": {}}, {"external_ref": "mine"}, {"fields": {"name": "Ann"}}):
            reply = reader.post("/v1/customers", body)
            self.assertEqual((reply.status, reply.code), (403, "policy_denied"), reply)
        reply = reader.put("/v1/customers:by-ref", {"external_ref": "mine"})
        self.assertEqual((reply.status, reply.code), (403, "policy_denied"), reply)

    def test_a_mistyped_token_is_400(self):
        token = self.core.post("/v1/customers", person(3)).json["customer"]
        wrong = token[:-1] + ("q" if token[-1] != "q" else "p")
        reply = self.core.get("/v1/customers/" + wrong)
        self.assertEqual((reply.status, reply.code), (400, "bad_token"), reply)


def bech32m(prefix, data):
    charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

    def polymod(values):
        c = 1
        for v in values:
            top = c >> 25
            c = (c & 0x1FFFFFF) << 5 ^ v
            for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                if top >> i & 1:
                    c ^= g
        return c

    # The padding bits of a 16-byte block are the last two of 26 symbols: zero.
    data = data[:-1] + [data[-1] & 0b11100]
    expanded = [ord(x) >> 5 for x in prefix] + [0] + [ord(x) & 31 for x in prefix]
    check = polymod(expanded + data + [0] * 6) ^ 0x2BC830A3
    return prefix + "1" + "".join(charset[d] for d in data + [check >> 5 * (5 - i) & 31 for i in range(6)])


class Pressure(unittest.TestCase):
    def test_bulk_work_that_is_stuck_does_not_make_single_reads_wait(self):
        with vault.Vault("bulk") as v:
            core = v.client("crm-core", "onboarding")
            token = core.post("/v1/customers", person(1)).json["customer"]
            lock = threading.Thread(target=lambda: v.cluster.sql("BEGIN; LOCK vault.blind_index IN EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT"))
            done = []
            items = [person(n) for n in range(100, 1000)]
            bulk = threading.Thread(target=lambda: done.append(
                v.client("crm-core", "onboarding").post("/v1/customers:batch", {"mode": "atomic", "items": items})))
            lock.start()
            time.sleep(0.5)
            bulk.start()
            time.sleep(0.5)
            began = time.monotonic()
            for _ in range(20):
                self.assertEqual(core.get("/v1/customers/" + token).status, 200)
            self.assertLess(time.monotonic() - began, 0.9 * vault.SLOW)
            self.assertEqual(done, [], "the bulk request was to be stuck meanwhile")
            lock.join()
            bulk.join()
            self.assertEqual(done[0].status, 200, done)
            self.assertTrue(all("customer" in r for r in done[0].json["results"]))

    def test_a_full_queue_answers_503_and_stop_answers_all_in_flight(self):
        with vault.Vault("pressure", queue_limit=16) as v:
            core = v.client("crm-core", "onboarding")
            token = core.post("/v1/customers", person(1)).json["customer"]
            blocker = threading.Thread(target=lambda: v.cluster.sql("BEGIN; LOCK vault.customer IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(2); COMMIT"))
            blocker.start()
            time.sleep(0.5)
            replies = []
            clients = [v.client("crm-core", "onboarding") for _ in range(40)]
            for c in clients:
                c.connect()

            def read(c):
                replies.append(c.get("/v1/customers/" + token))

            threads = [threading.Thread(target=read, args=(c,)) for c in clients]
            for t in threads:
                t.start()
            # 16 wait and 24 are refused: then all have arrived. One that is sent while its idle connection is closed would be none in flight.
            vault.wait_until(lambda: len(replies) >= 24, 10, "the refusals")
            refused = next(r for r in replies if r.status == 503)
            self.assertEqual((refused.code, refused.headers["Retry-After"]), ("busy", "1"))
            code = v.stop()
            for t in threads:
                t.join()
            blocker.join()
            self.assertEqual(code, 0)
            self.assertEqual(len(replies), 40)
            self.assertTrue(all(r.status in (200, 503) for r in replies), replies)
            self.assertTrue(any(r.status == 200 for r in replies))


if __name__ == "__main__":
    vault.main()
