"""Reading the audit log: pages, filters, one record, streams; who may, and what that leaves behind."""

import http.client
import json
import socket
import ssl
import time
import unittest
import urllib.parse

import audit_log
import keyring
import vault

IDENTITY = "spiffe://crm.example/svc/"
VAULT = None


def setUpModule():
    global VAULT
    VAULT = vault.Vault(executors=2)
    VAULT.start()


def tearDownModule():
    VAULT.close()


def query(**more):
    return "/v1/audit/records?" + urllib.parse.urlencode(more)


class Follower:
    """A raw client of a stream; lines() gives what came so far."""

    def __init__(self, certificate, at=None, path=None, **filters):
        at = at or VAULT
        client = at.client(certificate)
        context = client.context()
        self.sock = context.wrap_socket(socket.create_connection(("127.0.0.1", at.port), timeout=20 * vault.SLOW),
                                        server_hostname="127.0.0.1")
        self.sock.sendall(f"GET {path or query(follow='true', **filters)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.raw = b""
        while b"\r\n\r\n" not in self.raw:
            self._more()
        head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        self.head = head.decode()
        self.body = b""
        self.lines = []
        self.over = False

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.raw += data

    def _chunks(self):
        while True:
            size, sep, rest = self.raw.partition(b"\r\n")
            if not sep:
                return
            n = int(size, 16)
            if len(rest) < n + 2:
                return
            if n == 0:
                self.over = True
            self.body += rest[:n]
            self.raw = rest[n + 2:]

    def read(self, until, seconds=10):
        """Reads until until(lines) is true; returns the lines, parsed."""
        deadline = time.monotonic() + seconds * vault.SLOW
        while True:
            self._chunks()
            *whole, self.body = self.body.split(b"\n")
            self.lines += [json.loads(line) for line in whole if line]
            if until(self.lines) or self.over:
                return self.lines
            self.sock.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                self._more()
            except (TimeoutError, socket.timeout):
                raise AssertionError(f"not in time; got {len(self.lines)} lines: {self.lines[-3:]}") from None
            except (EOFError, ssl.SSLError, ConnectionError):
                self.over = True

    def close(self):
        self.sock.close()


class Base(unittest.TestCase):
    def client(self, name, purpose=None):
        c = VAULT.client(name, purpose=purpose)
        self.addCleanup(c.close)
        return c

    def ok(self, reply, status=200):
        self.assertEqual(reply.status, status, reply)
        return reply.json

    def refused(self, reply, status, code):
        self.assertEqual((reply.status, reply.code), (status, code), reply)
        return reply

    def create(self, core=None, **fields):
        core = core or self.client("crm-core", "onboarding")
        reply = core.post("/v1/customers", {"fields": fields or {"name": "Ann"}})
        return self.ok(reply, 201)["customer"], reply.headers["Audit-Record"]

    def follow(self, certificate="security", at=None, **filters):
        f = Follower(certificate, at, **filters)
        self.addCleanup(f.close)
        return f


class Pages(Base):
    def test_records_are_those_of_the_database_byte_for_byte(self):
        _, record = self.create()
        log = audit_log.Log(VAULT.cluster, keyring.Keyring(VAULT.keys).keys[keyring.AUDIT_MAC])
        log.read()
        reply = self.client("security").get("/v1/audit/records/" + record)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(json.loads(reply.body), log.by_id[record])
        canonical = json.dumps(log.by_id[record], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        self.assertEqual(reply.body, canonical)
        page = self.client("security").get(query(limit=500))
        self.assertIn(canonical, page.body)

    def test_pages_hold_every_record_once_newest_first(self):
        core = self.client("crm-core", "onboarding")
        made = [self.create(core)[1] for _ in range(30)]
        security = self.client("security")
        seen, cursor, pages = [], None, 0
        while True:
            reply = security.get(query(limit=7, actor=IDENTITY + "crm-core", **({"cursor": cursor} if cursor else {})))
            page = self.ok(reply)
            self.assertLessEqual(len(page["data"]), 7)
            seen += page["data"]
            cursor, pages = page["next"], pages + 1
            if not cursor:
                break
        ids = [r["id"] for r in seen]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual(set(made), set(ids))
        self.assertEqual([r["time"] for r in seen], sorted((r["time"] for r in seen), reverse=True))
        stored = VAULT.cluster.sql("SELECT sum(count) FROM vault.audit_segment")[0][0]
        self.assertGreater(int(stored), len(ids))
        self.assertGreater(pages, 4)

    def test_many_records_of_one_segment_are_paged(self):
        core = self.client("crm-core", "onboarding")
        batch = self.ok(core.post("/v1/customers:batch", {"mode": "atomic", "items": [{"fields": {"name": "Ann"}} for i in range(60)]}))
        self.assertEqual(len(batch["results"]), 60)
        security = self.client("security")
        seen, cursor = [], None
        while len(seen) < 60:
            page = self.ok(security.get(query(limit=13, activity="create", actor=IDENTITY + "crm-core", **({"cursor": cursor} if cursor else {}))))
            seen += page["data"]
            cursor = page["next"]
        self.assertEqual(len({r["id"] for r in seen}), len(seen))

    def test_reading_the_log_leaves_one_record(self):
        reply = self.client("security").get(query(limit=3))
        record = reply.headers["Audit-Record"]
        self.assertNotIn("+", record)
        told = self.ok(self.client("compliance-1").get("/v1/audit/records/" + record))
        self.assertEqual((told["activity"], told["actor"], told["count"]), ("audit_read", IDENTITY + "security", len(reply.json["data"])))

    def test_only_those_who_may_read_it_do(self):
        _, record = self.create()
        for name in ("crm-core", "admin", "stranger"):
            for path in (query(), "/v1/audit/records/" + record, query(follow="true")):
                reply = self.refused(self.client(name).get(path), 403, "policy_denied")
                self.assertIn("Audit-Record", reply.headers)

    def test_bad_questions_are_refused(self):
        security = self.client("security")
        for bad in ({"since": "yesterday"}, {"until": ""}, {"limit": "x"}, {"limit": 0}, {"follow": "perhaps"}, {"surprise": 1}, {"actor": ""},
                    {"follow": "true", "limit": 3}, {"follow": "true", "cursor": "x"}):
            self.refused(security.get(query(**bad)), 400, "bad_parameter")
        self.refused(security.get(query(limit=501)), 400, "limit_exceeded")
        self.refused(security.get(query(cursor="AAAA")), 400, "bad_cursor")
        self.refused(security.get(query(customer="cus1x")), 400, "bad_token")
        for name in ("1-0", "0-1", "x", "1", "1-", "-1", "1-1-1", "99999999-1", "1-99999999", "1-9999999999999999999999"):
            self.refused(security.get("/v1/audit/records/" + name), 404, "not_found")

    def test_a_cursor_fits_its_question_and_its_caller_only(self):
        for _ in range(3):
            self.create()
        cursor = self.ok(self.client("security").get(query(limit=1)))["next"]
        self.refused(self.client("security").get(query(limit=1, cursor=cursor, outcome="success")), 400, "bad_cursor")
        self.refused(self.client("compliance-1").get(query(limit=1, cursor=cursor)), 400, "bad_cursor")
        self.ok(self.client("security").get(query(limit=2, cursor=cursor)))


class Filters(Base):
    def test_each_filter_narrows(self):
        self.create()
        self.client("stranger").get("/v1/fields")
        security = self.client("security")
        for name, value, member in (("actor", IDENTITY + "stranger", "actor"), ("activity", "create", "activity"),
                                    ("outcome", "failure", "outcome"), ("purpose", "onboarding", "purpose")):
            data = self.ok(security.get(query(limit=500, **{name: value})))["data"]
            self.assertTrue(data, name)
            self.assertEqual({r[member] for r in data}, {value})
        both = self.ok(security.get(query(actor=IDENTITY + "stranger", outcome="failure", limit=500)))["data"]
        self.assertEqual({(r["actor"], r["outcome"]) for r in both}, {(IDENTITY + "stranger", "failure")})
        self.assertEqual(self.ok(security.get(query(actor="nobody")))["data"], [])
        self.assertEqual(self.ok(security.get(query(actor='x","outcome":"success')))["data"], [])

    def test_times_bound_the_answer(self):
        _, first = self.create()
        time.sleep(0.01)
        _, second = self.create()
        security = self.client("security")
        at = {i: self.ok(security.get("/v1/audit/records/" + i))["time"] for i in (first, second)}
        since = [r["id"] for r in self.ok(security.get(query(since=at[second], limit=500)))["data"]]
        self.assertIn(second, since)
        self.assertNotIn(first, since)
        until = [r["id"] for r in self.ok(security.get(query(until=at[second], limit=500)))["data"]]
        self.assertIn(first, until)
        self.assertNotIn(second, until)
        self.assertEqual(self.ok(security.get(query(since="2999-01-01T00:00:00Z")))["data"], [])
        zoned = self.ok(security.get(query(since="2000-01-01T00:00:00+08:00", limit=500)))["data"]
        self.assertIn(first, [r["id"] for r in zoned])

    def test_a_customers_records_are_found_by_its_token(self):
        core = self.client("crm-core", "onboarding")
        self.create(core, email="one@example.com")
        other, _ = self.create(core, email="two@example.com")
        admin = self.client("admin")
        before = self.ok(admin.get("/v1/policies"))["active"]["text"]
        # compliance may find customers, so it has tokens of its own audience
        self.ok(admin.post("/v1/policies:activate", {"text": before.replace("allow compliance to manage policy\nallow compliance to manage notices\n", "allow compliance to search contact.email for rights\n")}))
        try:
            compliance = self.client("compliance-1", "rights")
            mine = self.ok(compliance.post("/v1/customers:search", {"where": {"email": "two@example.com"}}))["data"][0]["customer"]
            self.ok(core.get("/v1/customers/" + other))
            found = self.ok(compliance.get(query(customer=mine)))["data"]
            self.assertEqual({r["activity"] for r in found}, {"create", "search", "read"})
            self.assertEqual(len({r["sref"] for r in found}), 1)
            again = self.ok(compliance.get(query(customer=mine, limit=1)))
            self.assertEqual(again["data"][0]["activity"], "audit_read")  # who looks for a customer is found with it
            self.assertTrue(again["next"])
            self.refused(compliance.get(query(customer=other)), 404, "not_found")  # another audience's token
        finally:
            self.ok(admin.post("/v1/policies:activate", {"text": before}))

    def test_who_has_no_tokens_finds_a_customers_records_by_the_sref_of_one(self):
        core, security = self.client("crm-core", "onboarding"), self.client("security")
        customer, record = self.create(core)
        self.create(core)
        self.ok(core.get("/v1/customers/" + customer))
        sref = self.ok(security.get("/v1/audit/records/" + record))["sref"]
        found = self.ok(security.get(query(customer=sref)))["data"]
        self.assertEqual([(r["activity"], r["sref"]) for r in found], [("read", sref), ("create", sref)])
        page = self.ok(security.get(query(customer=sref, limit=1)))
        self.assertEqual([r["activity"] for r in self.ok(security.get(query(customer=sref, limit=1, cursor=page["next"])))["data"]], ["create"])
        self.assertEqual(self.ok(security.get(query(customer="0" * 32)))["data"], [])
        for bad in (sref.upper() if sref.upper() != sref else "A" * 32, sref + "0", sref[1:]):
            self.refused(security.get(query(customer=bad)), 400, "bad_token")
        done = VAULT.ctl("--json", "audit", "list", "--customer", sref, certificate="security", check=True)
        self.assertEqual({r["sref"] for r in json.loads(done.stdout)["data"]}, {sref})


class Handshakes(Base):
    def recorded(self):
        reply = self.ok(self.client("security").get(query(activity="handshake", limit=500)))
        return [r for r in reply["data"] if r["object"] == "unknown_ca"]

    def refuse(self):
        c = VAULT.client("foreign")
        self.addCleanup(c.close)
        with self.assertRaises((OSError, http.client.HTTPException)):
            c.get("/v1/whoami")

    def test_refused_handshakes_are_counted_into_one_record_each_ten_seconds(self):
        self.refuse()
        first = vault.wait_until(self.recorded, 5, "the first refusal is recorded")
        self.assertEqual([(r["actor"], r["outcome"], r["operation"], r["count"]) for r in first], [("unknown", "failure", "tls.handshake", 1)])
        for _ in range(5):
            self.refuse()
        self.assertEqual(len(self.recorded()), 1)
        later = vault.wait_until(lambda: len(self.recorded()) == 2 and self.recorded(), 15, "the others are recorded together")
        self.assertEqual(later[0]["count"], 5)


class Streams(Base):
    def test_records_arrive_as_they_commit_each_once(self):
        f = self.follow(actor=IDENTITY + "crm-core")
        self.assertEqual(f.status, 200, f.head)
        self.assertIn("application/x-ndjson", f.head)
        self.assertIn("Audit-Record", f.head)
        self.assertGreaterEqual(VAULT.metric("vault_audit_followers"), 1)
        core = self.client("crm-core", "onboarding")
        made = [self.create(core)[1] for _ in range(50)]
        got = [r["id"] for r in f.read(lambda lines: len(lines) >= 50)]
        self.assertEqual(sorted(got), sorted(made))
        began = time.monotonic()
        _, record = self.create(core)
        f.read(lambda lines: any(r["id"] == record for r in lines))
        self.assertLess(time.monotonic() - began, 2 * vault.SLOW)
        f.close()
        vault.wait_until(lambda: VAULT.metric("vault_audit_followers") == 0, 40, "the follower is gone")

    def test_a_bare_follow_follows(self):
        f = self.follow(path="/v1/audit/records?follow&activity=create")
        self.assertEqual((f.status, "application/x-ndjson" in f.head), (200, True), f.head)
        _, record = self.create()
        f.read(lambda lines: any(r["id"] == record for r in lines))

    def test_several_follow_with_filters_of_their_own(self):
        one, two = self.follow(outcome="failure"), self.follow("compliance-1", activity="create")
        _, made = self.create()
        denied = self.client("stranger").get("/v1/fields").headers["Audit-Record"]
        self.assertIn(made, [r["id"] for r in two.read(lambda lines: any(r["id"] == made for r in lines))])
        got = one.read(lambda lines: any(r["id"] == denied for r in lines))
        self.assertEqual({r["outcome"] for r in got}, {"failure"})

    def test_records_of_other_nodes_arrive(self):
        with vault.Vault("other", cluster=VAULT.cluster, certs=VAULT.certs, keys=VAULT.keys) as other:
            f = self.follow(actor=IDENTITY + "crm-core")
            core = other.client("crm-core", purpose="onboarding")
            self.addCleanup(core.close)
            _, record = self.create(core)
            f.read(lambda lines: any(r["id"] == record for r in lines), 5)

    def test_a_frozen_follower_is_cut_off(self):
        f = self.follow("compliance-2")
        security = self.client("security")
        identity = "spiffe://crm.example/person/compliance-2"
        self.ok(security.post("/v1/identities:freeze", {"identity": identity, "reason": "test"}))
        try:
            lines = f.read(lambda lines: False, 5)
            self.assertTrue(f.over)
            self.assertEqual(lines[-1], {"error": "policy_denied"})
        finally:
            self.ok(security.post("/v1/identities:thaw", {"identity": identity}))

    def test_a_follower_that_does_not_read_is_told_and_dropped(self):
        f = self.follow()
        core = self.client("crm-core", "onboarding")
        body = {"mode": "atomic", "items": [{"fields": {"name": "Ann"}} for _ in range(1000)]}
        deadline = time.monotonic() + 60 * vault.SLOW
        # Socket buffers take some megabytes before the vault's own buffer fills.
        for _ in range(20):
            self.ok(core.post("/v1/customers:batch", body))
            self.assertLess(time.monotonic(), deadline)
        lines = f.read(lambda lines: False, 20)
        self.assertEqual(lines[-1], {"error": "too_slow"})

    def test_it_survives_the_loss_of_the_database(self):
        f = self.follow(actor=IDENTITY + "crm-core")
        core = self.client("crm-core", "onboarding")
        _, one = self.create(core)
        f.read(lambda lines: any(r["id"] == one for r in lines))
        VAULT.cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vault_service'")
        vault.wait_until(VAULT.ready, 20, "ready again")
        _, two = self.create(core)
        f.read(lambda lines: any(r["id"] == two for r in lines), 15)

    def test_a_stopping_node_ends_its_streams_at_once(self):
        with vault.Vault("stopping", cluster=VAULT.cluster, certs=VAULT.certs, keys=VAULT.keys) as node:
            f = self.follow(at=node)
            began = time.monotonic()
            node.process.send_signal(15)
            f.read(lambda lines: False)
            self.assertTrue(f.over)
            node.process.wait(20 * vault.SLOW)
            self.assertLess(time.monotonic() - began, 5 * vault.SLOW)
            self.assertEqual(node.process.returncode, 0)
            node.process = None


if __name__ == "__main__":
    vault.main()
