"""kill -9 of vaultd or of PostgreSQL at a random moment under load, again and again.

After each restart: every acknowledged write is there, a write that was in doubt is there once or not at all (and its
repetition with the same Idempotency-Key makes it exactly once), every value that a client has received has its audit
record, and every audit stream verifies. CRASH_CYCLES (10) cycles; CRASH_SEED repeats a run's choices.
"""
import http.client
import os
import random
import signal
import sys
import ssl
import threading
import time
import unittest

import audit_log
import keyring
import people
import vault

CYCLES = int(os.environ.get("CRASH_CYCLES", "10"))
SEED = int(os.environ.get("CRASH_SEED", str(random.randrange(1 << 30))))
WORKERS = 4
LOST = (OSError, http.client.HTTPException, ssl.SSLError)


class Loader:
    """One client that writes and reads until told to stop, and remembers what it was promised."""

    def __init__(self, v, number):
        self.client = v.client("crm-core", "onboarding", timeout=20)
        self.random = random.Random(SEED * 100 + number)
        self.people = people.People(SEED * 100 + number, f"crash{number}")
        self.number = number
        self.count = 0
        self.customers = {}  # id -> {"version", "etag", "email", "maybe": set of e-mails that may have been written}
        self.doubtful = []   # (key, body): creates without an answer
        self.shown = []      # (request_id, ids of Audit-Record or None, what the body showed)
        self.wrong = []      # replies that should not have come
        self.stop = threading.Event()

    def run(self):
        while not self.stop.is_set():
            work = self.random.choices([self.create, self.read, self.patch, self.batch], [4, 8, 3, 1])[0]
            try:
                work()
            except LOST:
                time.sleep(0.02)  # vaultd is away
            except Exception as e:  # a thread's failure must reach the test
                self.wrong.append(repr(e))
                return

    def headers(self, **more):
        self.count += 1
        self.request_id = f"crash-{SEED}-{self.number}-{self.count}"
        return {"X-Request-Id": self.request_id, **more}

    def expect(self, reply, status):
        """True for that status; 503 is an honest answer while something is away; else it is a failure."""
        if reply.status == 503:
            time.sleep(0.02)
        elif reply.status != status:
            self.wrong.append(f"{self.request_id}: {reply!r}")
        return reply.status == status

    def created(self, result, fields):
        self.customers[result["customer"]] = {"version": 1, "etag": None, "email": fields["email"], "maybe": set()}

    def create(self):
        fields, key = self.people.few(), f"key-{SEED}-{self.number}-{self.count}"
        body = {"fields": fields, "external_ref": key}
        headers = self.headers(**{"Idempotency-Key": key})
        self.doubtful.append((key, body))
        reply = self.client.post("/v1/customers", body, headers=headers)
        if self.expect(reply, 201):
            self.doubtful.pop()
            self.created(reply.json, fields)

    def batch(self):
        items = [{"fields": self.people.few()} for _ in range(20)]
        reply = self.client.post("/v1/customers:batch", {"mode": "atomic", "items": items}, headers=self.headers())
        if self.expect(reply, 200):
            for item, result in zip(items, reply.json["results"]):
                self.created(result, item["fields"])

    def read(self):
        if not self.customers:
            return
        customer, known = self.random.choice(list(self.customers.items()))
        headers = self.headers()
        try:
            reply = self.client.get(f"/v1/customers/{customer}?fields=name,email,phone&form=plain", headers=headers)
        except http.client.IncompleteRead as e:
            if e.partial:  # a part of a reply is a disclosure too
                self.shown.append((self.request_id, None, None))
            raise
        if self.expect(reply, 200):
            self.shown.append((self.request_id, audit_log.ids_of(reply.headers["Audit-Record"]), reply.json))
            self.compare(known, reply)

    def compare(self, known, reply):
        value = reply.json["fields"]["email"]["value"]
        if value != known["email"] and value not in known["maybe"]:
            self.wrong.append(f"{self.request_id}: {value} was never written, or is an old value")
        if value != known["email"]:
            known["email"], known["maybe"] = value, set()
        if reply.json["version"] < known["version"]:
            self.wrong.append(f"{self.request_id}: version {reply.json['version']} after {known['version']}")
        known["version"], known["etag"] = reply.json["version"], reply.headers["ETag"]

    def patch(self):
        known_ones = [(c, k) for c, k in self.customers.items() if k["etag"]]
        if not known_ones:
            return
        customer, known = self.random.choice(known_ones)
        email = self.people.few()["email"]
        etag, known["etag"] = known["etag"], None
        known["maybe"].add(email)
        reply = self.client.patch(f"/v1/customers/{customer}", {"fields": {"email": email}},
                                  headers=self.headers(**{"If-Match": etag}))
        if reply.status == 412 and len(known["maybe"]) > 1:
            return  # a patch that was in doubt has happened
        if self.expect(reply, 200):
            known.update(email=email, version=reply.json["version"], maybe=set(), etag=reply.headers["ETag"])
        elif reply.code != "outcome_unknown":
            known["maybe"].discard(email)  # every other refusal says that nothing was done


class Crash(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)
        self.vault = vault.Vault("crash").start()
        self.addCleanup(self.vault.close)
        policy = vault.folder() / "open.policy"
        policy.write_text(people.OPEN_POLICY)
        self.vault.ctl("policy", "activate", policy, check=True)
        self.log = audit_log.Log(self.vault.cluster, keyring.Keyring(self.vault.keys).keys[keyring.AUDIT_MAC])
        self.loaders = [Loader(self.vault, i) for i in range(WORKERS)]
        for loader in self.loaders:
            self.addCleanup(loader.client.close)
        self.killed = {"vaultd": 0, "postgres": 0, "backend": 0}

    def load(self, action):
        """Runs the loaders around action, which happens in the middle of it."""
        for loader in self.loaders:
            loader.stop.clear()
        threads = [threading.Thread(target=loader.run, daemon=True) for loader in self.loaders]
        for t in threads:
            t.start()
        try:
            time.sleep(self.random.uniform(0.05, 0.5))
            action()
        finally:
            for loader in self.loaders:
                loader.stop.set()
            for t in threads:
                t.join(60 * vault.SLOW)
        self.assertFalse([t for t in threads if t.is_alive()], "a request had no answer for a minute")

    def kill(self):
        victim = self.random.choices(["vaultd", "postgres", "backend"], [5, 4, 1])[0]
        self.killed[victim] += 1
        if victim == "vaultd":
            self.vault.kill()
            return
        if victim == "postgres":
            self.vault.cluster.kill()
        else:  # the server ends all its sessions and recovers by itself
            pids = self.vault.cluster.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'vault_service' ORDER BY 1")
            os.kill(int(self.random.choice(pids)[0]), signal.SIGKILL)
        time.sleep(self.random.uniform(0, 0.3))  # the load goes on against a vault without its database

    def recover(self):
        self.vault.cluster.start()
        if self.vault.process is None:
            self.vault.start()
        self.assertIsNone(self.vault.process.poll(), "vaultd ended by itself:\n" + self.vault.log()[-3000:])
        self.vault.wait_ready(60)

    def settle_doubts(self, loader):
        """A create without an answer is repeated under its key: afterwards it is there, once."""
        for key, body in loader.doubtful:
            reply = loader.client.post("/v1/customers", body, headers=loader.headers(**{"Idempotency-Key": key}))
            self.assertEqual(reply.status, 201, f"{key}: {reply!r}")
            loader.created(reply.json, body["fields"])
            found = loader.client.post("/v1/customers:search", {"where": {"external_ref": key}}, headers=loader.headers())
            self.assertEqual([c["customer"] for c in found.json["data"]], [reply.json["customer"]], key)
        loader.doubtful = []

    def check_writes(self, loader, sample):
        """Acknowledged writes are there; all of them in the last cycle, a sample of them before."""
        customers = list(loader.customers.items())
        for customer, known in customers if sample is None else self.random.sample(customers, min(sample, len(customers))):
            reply = loader.client.get(f"/v1/customers/{customer}?fields=email&form=plain", headers=loader.headers())
            self.assertEqual(reply.status, 200, f"an acknowledged customer is gone: {reply!r}")
            loader.compare(known, reply)

    def check_audit(self, loader):
        for request_id, ids, shown in loader.shown:
            records = self.log.by_request.get(request_id, [])
            self.assertTrue(records, f"{request_id}: values were received and there is no record of it")
            if shown is None:
                continue
            self.assertEqual([r["id"] for r in records], ids, request_id)
            given = records[0]
            self.assertEqual((given["activity"], given["outcome"], given["purpose"], given["actor"]),
                             ("read", "success", "onboarding", "spiffe://crm.example/svc/crm-core"))
            self.assertEqual(given["row_version"], shown["version"])
            plain = [name for name, f in shown["fields"].items() if f.get("form") == "plain"]
            self.assertEqual(len(given["given"].get("plain", [])), len(plain), request_id)
        loader.shown = []

    def check(self, last):
        for loader in self.loaders:
            self.settle_doubts(loader)
            self.check_writes(loader, None if last else 25)
        self.log.read()
        for loader in self.loaders:
            self.check_audit(loader)
            self.assertEqual(loader.wrong, [])

    def test_nothing_promised_is_lost_and_nothing_shown_is_unrecorded(self):
        for cycle in range(CYCLES):
            try:
                self.load(self.kill)
                self.recover()
                self.check(last=cycle == CYCLES - 1)
                if cycle % 10 == 9:
                    print(f"cycle {cycle + 1} of {CYCLES}, seed {SEED}", file=sys.stderr, flush=True)
            except AssertionError as e:
                raise AssertionError(f"cycle {cycle} of CRASH_SEED={SEED}, killed so far {self.killed}: {e}") from e
        stored = sum(len(loader.customers) for loader in self.loaders)
        print(f"\ncrash test: seed {SEED}, {CYCLES} cycles, killed {self.killed}, {stored} customers, "
              f"{len(self.log.records)} audit records in {len(self.log.end)} streams", flush=True)
        self.assertGreater(stored, CYCLES * 5, "the load was too thin to prove anything")
        self.assertEqual(sum(self.killed.values()), CYCLES)

    def fresh_log(self):
        return audit_log.Log(self.vault.cluster, self.log.mac_key).read()

    def test_the_checks_notice_what_they_are_for(self):
        """A record forged, cut out or never written, and a customer that is gone."""
        sql = self.vault.cluster.sql
        self.load(lambda: time.sleep(1))
        self.check(last=True)
        self.assertTrue(self.fresh_log())
        loader = self.loaders[0]
        self.assertTrue(loader.customers)
        loader.shown.append(("never-recorded", None, None))
        self.assertRaisesRegex(AssertionError, "no record of it", self.check_audit, loader)
        loader.shown = []
        sql("UPDATE vault.audit_segment SET bodies = set_byte(bodies, 30, get_byte(bodies, 30) # 1) WHERE first_seq = 1")
        self.assertRaisesRegex(AssertionError, "MAC", self.fresh_log)
        sql("UPDATE vault.audit_segment SET bodies = set_byte(bodies, 30, get_byte(bodies, 30) # 1) WHERE first_seq = 1")
        self.assertTrue(self.fresh_log())
        sql("DELETE FROM vault.audit_segment WHERE (stream, first_seq) = (SELECT stream, first_seq FROM vault.audit_segment"
            " WHERE first_seq > 1 ORDER BY stream, first_seq LIMIT 1)")
        self.assertRaisesRegex(AssertionError, "gap", self.fresh_log)
        sql("DELETE FROM vault.customer")
        self.assertRaisesRegex(AssertionError, "customer is gone", self.check_writes, loader, 1)


if __name__ == "__main__":
    vault.main()
