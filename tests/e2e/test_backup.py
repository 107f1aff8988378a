"""Backups: what is in them, what is not, and that a restored one does not bring an erased person back."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import keyring
import people
import test_canary
import vault

GONE = {"email": "gone-goldfinch@canary-nest.example", "phone": "+8613912345679", "notes": "gone-goldfinch " * 200}
STAYS = {"email": "stays-greenfinch@canary-nest.example", "phone": "+8613912345680", "notes": "stays-greenfinch " * 200}


class Site(unittest.TestCase):
    """A vault of its own, two customers in it, and a directory for its backups."""

    MORE = {}

    def setUp(self):
        self.v = vault.Vault(type(self).__name__[:3].lower() + "-" + self.id().rsplit(".", 1)[1][5:25], **self.MORE)
        self.addCleanup(self.v.close)
        self.v.start()
        self.backups = self.v.folder / "backups"
        self.env = {"VAULT_MIGRATE_URL": self.v.cluster.migrate_url, "PATH": f"{self.v.cluster.bin}:{os.environ['PATH']}"}
        self.clients = {}
        self.core = self.client("crm-core", "onboarding")
        self.desk = self.client("service-desk", "support")
        self.customers = {}
        for name, fields in (("gone", GONE), ("stays", STAYS)):
            reply = self.core.post("/v1/customers", {"fields": fields, "external_ref": name})
            self.assertEqual(reply.status, 201, reply)
            self.customers[name] = reply.json["customer"]

    def client(self, certificate, purpose):
        if certificate not in self.clients:
            self.clients[certificate] = self.v.client(certificate, purpose)
            self.addCleanup(self.clients[certificate].close)
        return self.clients[certificate]

    def ctl(self, *args, code=0, env=None):
        done = self.v.ctl(*args, env={**self.env, **(env or {})})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def backup(self, *args, **kwargs):
        return self.ctl("backup", self.backups, *args, **kwargs)

    def restore(self, *args, **kwargs):
        return self.ctl("restore", self.backups, *args, **kwargs)

    def manifest(self):
        return json.loads((self.backups / "manifest.json").read_text())

    def begin_erasure(self, email):
        """Up to the second approval; the path of the request."""
        seen = self.desk.post("/v1/customers:search", {"where": {"email": email}}).json["data"][0]["customer"]
        made = self.desk.post("/v1/rights-requests", {"customer": seen, "kind": "erase"}).json
        path = "/v1/rights-requests/" + made["id"]
        one, two = self.client("compliance-1", "rights"), self.client("compliance-2", "rights")
        one.post(path + ":verify")
        one.post(path + ":submit", {"identity_check": "seen"})
        for officer in (one, two):
            self.assertEqual(officer.post(path + ":approve", {"scope_hash": made["scope_hash"]}).status, 200)
        return path

    def state(self, path):
        return self.client("compliance-1", "rights").get(path).json["request"]["state"]

    def erase(self, email):
        path = self.begin_erasure(email)
        vault.wait_until(lambda: self.state(path) == "completed", 30, "the erasure is done")
        return path

    def empty_database(self):
        """As an operator would: the old database goes, a new one is made."""
        self.v.stop()
        self.v.cluster.sql("DROP SCHEMA vault CASCADE")

    def serve(self, start=True):
        """Starts what was restored. Where the audit log had been signed further than it is now, a new one is opened, as it asks."""
        if start:
            self.v.start(wait=False)
        vault.wait_until(lambda: self.v.ready() or "audit_log_refused" in self.v.log(), 30, "ready, or an older log")
        if "audit_log_refused" in self.v.log():
            self.v.ctl("audit", "new-origin", "vault.example/audit-%d" % time.monotonic_ns(), check=True)
        self.v.wait_ready(30)

    def found(self, email):
        reply = self.desk.post("/v1/customers:search", {"where": {"email": email}})
        self.assertEqual(reply.status, 200, reply)
        return len(reply.json["data"])

    def not_ready_because(self, text):
        vault.wait_until(lambda: text in self.v.operations("/readyz")[1], 20, f"not ready: {text}")

    def ledger(self):
        path = self.v.keys / "keyring.ledger"
        return path.read_text().splitlines() if path.exists() else []

    def rows_of(self, what):
        return int(self.v.cluster.sql(f"SELECT count(*) FROM vault.{what}")[0][0])


class Scenario(Site):
    def test_a_restored_backup_from_before_an_erasure_does_not_bring_the_person_back(self):
        self.backup()
        first = self.manifest()
        deks = self.deks()
        self.erase(GONE["email"])
        self.backup()
        second = self.manifest()
        self.assertEqual(len(second["data"]), 2)
        self.assertNotEqual(first["customer_key"]["name"], second["customer_key"]["name"])
        self.assertFalse((self.backups / first["customer_key"]["name"]).exists(), "one copy of the keys, the newest")
        self.assertEqual((second["customer_key"]["keys"], second["customer_key"]["ledger"]["position"]), (1, 1))

        self.empty_database()
        told = self.restore("--name", second["data"][0]["name"]).stdout
        self.assertIn("1 customers are restored", told)
        self.assertIn("the ledger of 1 entries says: 1.", told)
        self.serve()
        self.assertEqual(self.found(GONE["email"]), 0)
        self.assertEqual(self.found(STAYS["email"]), 1)
        self.assertEqual(self.core.get("/v1/customers/" + self.customers["gone"]).status, 404)
        policy = self.v.folder / "open.policy"
        policy.write_text(people.OPEN_POLICY)
        self.v.ctl("policy", "activate", policy, check=True)
        seen = self.core.post("/v1/customers:search", {"where": {"email": STAYS["email"]}}).json["data"][0]["customer"]
        got = self.core.get(f"/v1/customers/{seen}?fields=notes,phone&form=plain").json["fields"]
        self.assertEqual({name: got[name]["value"] for name in ("notes", "phone")}, {name: STAYS[name] for name in ("notes", "phone")})
        for table in ("customer", "customer_key"):
            self.assertEqual(self.rows_of(table), 1, table)
        for table in ("customer_large", "blind_index", "record", "consent_event", "export_chunk"):
            self.assertEqual(self.v.cluster.sql(f"SELECT count(*) FROM vault.{table} WHERE customer_id NOT IN (SELECT customer_id FROM vault.customer)"), [["0"]], table)
        self.nothing_of_the_person_is_left(deks)

    def deks(self):
        """Of each customer, by the number that stays inside: the wrapped key and the key itself."""
        keks = keyring.Keyring(self.v.keys).keks
        rows = self.v.cluster.sql("SELECT customer_id, epoch, encode(wrapped, 'hex') FROM vault.customer_key")
        return {customer: (bytes.fromhex(wrapped), keyring.gcm_open_unchecked(keks[int(epoch)], bytes.fromhex(wrapped))) for customer, epoch, wrapped in rows}

    def nothing_of_the_person_is_left(self, deks):
        """In the files of cluster, WAL and backups: no value and no key in clear, of anybody; and in the newest backup and
        the cluster's tables, not even the wrapped key of the person who was erased. (Dead tuples and WAL may hold that until
        the key epoch is destroyed.)"""
        alive = {row[0] for row in self.v.cluster.sql("SELECT customer_id FROM vault.customer")}
        erased = {customer: key for customer, key in deks.items() if customer not in alive}
        self.assertEqual(len(erased), 1)
        tables = self.v.cluster.sql("SELECT encode(wrapped, 'hex') FROM vault.customer_key")
        self.v.cluster.sql("CHECKPOINT")
        self.v.stop()
        self.v.cluster.stop()
        search = test_canary.Search()
        for word in (GONE["email"], GONE["phone"], "gone-goldfinch", STAYS["email"], STAYS["phone"], "stays-greenfinch"):
            search.word(word)
        for customer, (_, dek) in deks.items():
            search.key(f"the DEK of {customer}", dek)
        keys = keyring.Keyring(self.v.keys)
        for i, raw in enumerate([keys.root, *keys.keys, *(kek for kek in keys.keks.values() if any(kek))]):  # a destroyed one is zeros
            search.key(f"key {i}", raw)
        self.assertEqual(search.tree(self.v.cluster.folder), [], "cluster and WAL")
        self.assertEqual(search.tree(self.backups), [], "backups")
        wrapped = test_canary.Search()
        for customer, (raw, _) in erased.items():
            wrapped.key(f"the wrapped key of {customer}", raw)
            self.assertNotIn([raw.hex()], tables)
        self.assertEqual(wrapped.tree(self.backups), [], "the wrapped key of an erased person, in the backups")
        kept = test_canary.Search()
        kept.key("the other's wrapped key", next(raw for customer, (raw, _) in deks.items() if customer in alive))
        self.assertTrue(kept.tree(self.backups), "the search would have found it: the other customer's is there")


class Finality(Scenario):
    """The same, and the key epoch is destroyed: what dead tuples, WAL and the oldest backup hold of the person opens no more."""

    MORE = {"key_overlap_s": 1}

    def key(self, *args):
        return self.ctl("key", *args, "--url", f"https://127.0.0.1:{self.v.port}", "--ca", self.v.certs / "ca.pem", "--cert", self.v.certs / "admin.pem",
                        "--key", self.v.certs / "admin.key", env={"VAULT_KEY_OVERLAP_S": 1})

    def test_a_restored_backup_from_before_an_erasure_does_not_bring_the_person_back(self):
        self.backup()
        oldest = self.v.folder / "oldest"  # a copy that somebody has kept
        shutil.copytree(self.backups, oldest)
        deks, root = self.deks(), keyring.Keyring(self.v.keys).root
        self.erase(GONE["email"])
        self.key("rotate", "--wait", "30")
        epochs = self.v.client("admin").get
        vault.wait_until(lambda: epochs("/v1/key-epochs").json["epochs"][0]["customers"] == 0, 30, "every key is wrapped anew")
        time.sleep(1)
        self.key("destroy", 1)
        self.backup()

        self.empty_database()
        self.restore("--name", self.manifest()["data"][0]["name"])
        self.serve()
        self.assertEqual((self.found(GONE["email"]), self.found(STAYS["email"])), (0, 1))
        newest = keyring.Keyring(self.v.keys)
        self.assertNotEqual(newest.root, root)
        alive = {row[0] for row in self.v.cluster.sql("SELECT customer_id FROM vault.customer")}
        gone = [key for customer, key in deks.items() if customer not in alive]
        self.assertEqual(len(gone), 1)
        wrapped, dek = gone[0]
        search = test_canary.Search()
        search.key("the wrapped key of the erased person", wrapped)
        self.assertTrue(search.tree(oldest), "it lies in the copy, or this test shows nothing")
        for opener in (newest.root, *newest.keys, *newest.keks.values()):
            self.assertNotEqual(keyring.gcm_open_unchecked(opener, wrapped), dek)
        self.nothing_of_the_person_is_left({**deks, **self.deks()})  # the other's key, wrapped anew


class Order(Site):
    """What a backup holds, and what is refused."""

    def test_keys_lie_apart_and_every_part_is_hashed(self):
        told = self.backup().stdout
        manifest = self.manifest()
        for part in [manifest["customer_key"], *manifest["data"]]:
            content = (self.backups / part["name"]).read_bytes()
            self.assertEqual((hashlib.sha256(content).hexdigest(), len(content)), (part["sha256"], part["size"]))
            self.assertEqual((self.backups / part["name"]).stat().st_mode & 0o077, 0)
        listed = {part: vault.run(self.v.cluster.bin / "pg_restore", "--file=-", self.backups / manifest[part]["name"] if part == "customer_key" else
                                  self.backups / manifest["data"][0]["name"], check=True).stdout for part in ("customer_key", "data")}
        self.assertEqual(re.findall(r"^COPY vault\.(\w+)", listed["customer_key"], re.M), ["customer_key"])
        self.assertNotIn("customer_key", re.findall(r"^COPY vault\.(\w+)", listed["data"], re.M))
        self.assertIn("customer", re.findall(r"^COPY vault\.(\w+)", listed["data"], re.M))
        self.assertIn("key epoch 1: 2 keys, which is due to be destroyed on 20", told)
        self.assertEqual(sorted(os.listdir(self.backups)), sorted(["manifest.json", manifest["customer_key"]["name"], manifest["data"][0]["name"]]))
        away = self.backup(env={"VAULT_KEYRING": self.v.folder / "none"}).stdout
        self.assertIn("key epoch 1: 2 keys\n", away, "a machine without the keys can make backups")
        self.backup("--keep", "1")
        self.assertEqual(len(self.manifest()["data"]), 1)
        self.assertEqual(len(os.listdir(self.backups)), 3)

    def test_another_vaults_directory_and_what_is_no_backup_are_refused(self):
        self.backup()
        self.v.cluster.sql("UPDATE vault.vault_identity SET vault = 'another'")
        self.assertIn("another vault", self.backup(code=1).stderr)
        self.assertEqual(len(self.manifest()["data"]), 1)
        strange = self.v.folder / "strange"
        strange.mkdir()
        (strange / "letter.txt").write_text("mine")
        self.assertIn("no backup", self.ctl("backup", strange, code=1).stderr)
        self.assertEqual(os.listdir(strange), ["letter.txt"])
        self.ctl("restore", strange, code=4)
        (self.backups / "manifest.json").write_text("{}")
        self.assertIn("damaged", self.backup(code=5).stderr)
        self.ctl("backup", self.backups, "--keep", "0", code=2)
        self.ctl("backup", self.v.folder / "new", code=3, env={"VAULT_MIGRATE_URL": "host=/nowhere dbname=vault"})
        self.assertFalse((self.v.folder / "new" / "manifest.json").exists())

    def test_an_interrupted_backup_leaves_the_old_ones_and_the_next_tidies_up(self):
        self.backup()
        before = self.manifest()
        fake = self.v.folder / "bin"
        fake.mkdir()
        (fake / "pg_dump").write_text('#!/bin/sh\ncase "$*" in *--exclude*) exec "%s/pg_dump" "$@";; esac\nhead -c 5000 /dev/zero; kill -9 $PPID; exit 1\n' % self.v.cluster.bin)
        (fake / "pg_dump").chmod(0o755)
        killed = self.v.ctl("backup", self.backups, env={**self.env, "PATH": f"{fake}:{self.env['PATH']}"})
        self.assertEqual(killed.returncode, -signal.SIGKILL)
        self.assertEqual(self.manifest(), before, "data without its keys is no backup")
        self.assertEqual(len(os.listdir(self.backups)), 5)
        self.backup()
        self.assertEqual(len(os.listdir(self.backups)), 4, "manifest, two data backups, one copy of the keys")

    def test_a_full_database_an_old_ledger_and_a_damaged_dump_are_refused(self):
        self.erase(GONE["email"])
        self.backup()
        self.assertIn("not empty", self.restore(code=1).stderr)
        self.empty_database()
        ledger = self.v.keys / "keyring.ledger"
        ledger.rename(self.v.keys / "away")
        self.assertIn("it is an older or another one", self.restore(code=1).stderr)
        (self.v.keys / "away").rename(ledger)
        dump = self.backups / self.manifest()["data"][0]["name"]
        good = dump.read_bytes()
        dump.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        self.assertIn("damaged", self.restore(code=5).stderr)
        self.assertEqual(self.v.cluster.sql("SELECT to_regnamespace('vault') IS NULL"), [["t"]], "nothing was loaded")
        dump.write_bytes(good)
        self.assertIn("no such data backup", self.restore("--name", "data-1.dump", code=1).stderr)
        self.restore()


class Meeting(Site):
    """Data of one time, keys of another."""

    def test_who_came_after_the_backup_is_told_of_and_numbers_are_not_given_twice(self):
        record = self.core.post(f"/v1/customers/{self.customers['stays']}/records/order", {"data": {"n": 1}}).json["record"]
        self.backup()
        old = self.manifest()["data"][0]["name"]
        later = self.core.post(f"/v1/customers/{self.customers['stays']}/records/order", {"data": {"n": 2}}).json["record"]
        self.core.post("/v1/customers", {"fields": {"email": "late@example.com"}})
        self.backup()
        revision = int(self.v.cluster.sql("SELECT revision FROM vault.vault_revision")[0][0])
        self.empty_database()
        told = self.restore("--name", old).stdout
        self.assertIn("created after this backup: 1.", told)
        self.assertEqual(self.rows_of("customer_key"), 2)
        self.serve()
        path = f"/v1/customers/{self.customers['stays']}/records/order"
        self.assertEqual([r["record"] for r in self.core.get(path).json["data"]], [record])
        made = self.core.post(path, {"data": {"n": 3}}).json["record"]
        self.assertNotEqual(made, later, "the token of a record that is lost stands for another one")
        self.assertGreater(int(self.v.cluster.sql("SELECT revision FROM vault.vault_revision")[0][0]), revision)

    def test_a_row_whose_key_is_gone_goes_also_where_the_ledger_does_not_name_it(self):
        self.backup()
        old = self.manifest()["data"][0]["name"]
        self.v.cluster.sql("DELETE FROM vault.customer_key WHERE customer_id = (SELECT min(customer_id) FROM vault.customer)")
        self.backup()
        self.empty_database()
        self.assertIn("nobody could have read: 1.", self.restore("--name", old).stdout)
        self.assertEqual((self.rows_of("customer"), self.rows_of("customer_key")), (1, 1))
        self.assertEqual(self.v.cluster.sql("SELECT count(*) FROM vault.blind_index WHERE customer_id NOT IN (SELECT customer_id FROM vault.customer)"), [["0"]])

    def test_a_row_under_another_generation_of_its_key_is_told_of(self):
        self.backup()
        old = self.manifest()["data"][0]["name"]
        self.v.cluster.sql("UPDATE vault.customer_key SET dek_generation = 2 WHERE customer_id = (SELECT min(customer_id) FROM vault.customer)")
        self.backup()
        self.empty_database()
        self.assertIn("which do not open: 1.", self.restore("--name", old).stdout)


class Crash(Site):
    def hold(self, sql):
        """Runs sql in a transaction that stays open until what is returned is called."""
        session = subprocess.Popen([str(self.v.cluster.bin / "psql"), "-Xq", "-d", self.v.cluster.superuser_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def let_go():
            if session.poll() is None:
                session.communicate()

        self.addCleanup(let_go)
        session.stdin.write(f"BEGIN; {sql}; SELECT 'holds';\n")
        session.stdin.flush()
        while "holds" not in session.stdout.readline():
            self.assertIsNone(session.poll())
        return let_go

    def test_a_restore_killed_while_it_loads_begins_anew(self):
        self.backup()
        self.empty_database()
        self.killed_by("pg_restore", '*customer_key*) kill -9 $PPID; exit 1;;')
        vault.wait_until(lambda: self.v.cluster.sql("SELECT to_regnamespace('vault') IS NULL") == [["t"]], 10, "the half that was loaded is gone")
        self.assertIn("2 customers are restored", self.restore().stdout)

    def killed_by(self, program, case):
        fake = self.v.folder / "bin"
        fake.mkdir(exist_ok=True)
        (fake / program).write_text('#!/bin/sh\ncase "$*" in %s esac\nexec "%s/%s" "$@"\n' % (case, self.v.cluster.bin, program))
        (fake / program).chmod(0o755)
        done = self.v.ctl("restore", self.backups, env={**self.env, "PATH": f"{fake}:{self.env['PATH']}"})
        self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
        shutil.rmtree(fake)

    def test_a_restore_killed_between_loading_and_replay_is_not_served_and_goes_on(self):
        self.backup()
        self.erase(GONE["email"])
        self.backup()
        old, new = (part["name"] for part in self.manifest()["data"])
        self.empty_database()
        # Stopped by the lock that migrations take before the second transaction, then killed.
        lock = self.hold("SELECT pg_advisory_lock(7203115846930751)")
        waiting = subprocess.Popen([str(vault.VAULTCTL), "restore", str(self.backups), "--name", old], cwd=self.v.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=vault.clean_environment(**self.env, VAULT_KEYRING=self.v.keys / "keyring", VAULT_ROOT_KEY=self.v.keys / "root"))
        self.stop_after_load(waiting)
        lock()
        self.assertEqual(self.v.cluster.sql("SELECT restoring FROM vault.vault_identity"), [[old]])
        self.assertEqual(self.rows_of("customer"), 2, "the person who was erased is in there")
        self.v.start(wait=False)
        self.not_ready_because("vaultctl restore")
        self.assertEqual(self.desk_status(), 503)
        self.assertIn("--name " + old, self.restore("--name", new, code=1).stderr)
        self.assertIn("says: 1.", self.restore("--name", old).stdout)
        self.serve(start=False)
        self.assertEqual((self.found(GONE["email"]), self.found(STAYS["email"])), (0, 1))

    def stop_after_load(self, process):
        """Kills it when the first transaction is committed and before the second one is."""
        deadline = time.monotonic() + 60
        while self.v.cluster.sql("SELECT to_regclass('vault.vault_identity') IS NOT NULL") != [["t"]]:
            self.assertIsNone(process.poll(), "it ended before")
            self.assertLess(time.monotonic(), deadline)
        process.kill()
        process.wait()

    def desk_status(self):
        return self.desk.post("/v1/customers:search", {"where": {"email": GONE["email"]}}).status

    def test_a_crash_between_ledger_and_transaction_and_a_restore_after_it(self):
        self.backup()
        unlock = self.hold("LOCK TABLE vault.customer_large IN ACCESS EXCLUSIVE MODE")
        path = self.begin_erasure(GONE["email"])
        vault.wait_until(lambda: len(self.ledger()) == 1, 20, "the ledger has the entry")
        self.v.kill()
        unlock()
        self.assertEqual((self.rows_of("customer"), self.rows_of("erasure")), (2, 0), "killed before the transaction")
        self.backup()
        old, new = (part["name"] for part in self.manifest()["data"])
        self.v.start()
        vault.wait_until(lambda: self.state(path) == "completed", 30, "an erasure that the ledger has is completed")
        self.assertEqual((self.rows_of("customer"), self.rows_of("erasure"), len(self.ledger())), (1, 1, 1))
        for name in (old, new):
            self.empty_database()
            self.assertIn("says: 1.", self.restore("--name", name).stdout)
            self.assertEqual((self.rows_of("customer"), self.rows_of("erasure"), len(self.ledger())), (1, 1, 1))
        self.serve()
        self.assertEqual((self.found(GONE["email"]), self.found(STAYS["email"])), (0, 1))

    def test_a_database_behind_the_ledger_or_before_it_is_not_served(self):
        self.backup()
        self.erase(GONE["email"])
        self.empty_database()
        dump = self.backups / self.manifest()["data"][0]["name"]
        keys = self.backups / self.manifest()["customer_key"]["name"]
        for part in (dump, keys):  # by hand, without vaultctl restore
            vault.run(self.v.cluster.bin / "pg_restore", "-d", self.v.cluster.superuser_url, part, check=True)
        self.v.start(wait=False)
        self.not_ready_because("erasure replay")
        self.assertEqual(self.desk_status(), 503)
        self.ctl("erasure", "replay")
        self.serve(start=False)
        self.v.stop()
        (self.v.keys / "keyring.ledger").rename(self.v.keys / "away")
        self.v.start(wait=False)
        self.not_ready_because("not the ledger of this database")


if __name__ == "__main__":
    vault.main()
