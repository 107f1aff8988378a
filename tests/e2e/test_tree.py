"""The audit log's Merkle tree: what the sealer appends and signs, what the API gives of it, and that what was tampered with
in the database is neither sealed nor signed over. All is computed anew here, from the records."""

import base64
import hashlib
import json
import os
import subprocess
import threading
import time
import unittest

import audit_log
import keyring
import tlog
import vault

SEALER_LOCK = "7204, 3"
TREE_TABLES = ("audit_log", "audit_position", "audit_span", "audit_tile", "audit_edge", "audit_segment", "audit_stream")


def checkpoint(client, query=""):
    reply = client.get("/v1/audit/log/checkpoint" + query)
    assert reply.status == 200, reply
    return tlog.Checkpoint(reply.body.decode())


def covered(client, record, query=""):
    """Waits until the record is under a checkpoint; gives the reply with its proof."""
    def look():
        reply = client.get("/v1/audit/records/%s/proof" % record)
        assert reply.status == 200 or reply.code == "not_sealed", reply
        return reply if reply.status == 200 else None
    return vault.wait_until(look, 10, "record %s is sealed" % record)


def fetch(client, path, width, query=""):
    """A whole level of tiles or bundles of a tree, as a list of bodies."""
    out = []
    for i in range((width + 255) // 256):
        w = min(256, width - 256 * i)
        reply = client.get("/v1/audit/log/tile/%s/%s%s%s" % (path, tlog.tile_path(i), "" if w == 256 else ".p/%d" % w, query))
        assert reply.status == 200, (path, i, w, reply)
        out.append(reply.body)
    return out


def whole_tree(client, query=""):
    """Fetches checkpoint, all entries and all tiles, and holds them against each other. Gives (checkpoint, entries)."""
    c = checkpoint(client, query).verify(client.get("/v1/signing-key").json["key"])
    entries = [e for body in fetch(client, "entries", c.size, query) for e in tlog.bundle(body)]
    hashes = [tlog.leaf(e) for e in entries]
    assert len(entries) == c.size, (len(entries), c.size)
    assert tlog.root_of(hashes) == c.root, "the root is another"
    level = 0
    while hashes:
        assert b"".join(fetch(client, str(level), len(hashes), query)) == b"".join(hashes), "tiles of level %d" % level
        hashes = [tlog.root_of(hashes[i:i + 256]) for i in range(0, len(hashes) - 255, 256)]
        level += 1
    return c, entries


def ids(entries):
    return [json.loads(e)["id"] for e in entries]


def assert_in_sequence(case, entries):
    """Each stream's records stand in the tree in order and without a gap."""
    at = {}
    for record in ids(entries):
        stream, _, seq = record.partition("-")
        case.assertEqual(int(seq), at.get(stream, 0) + 1, record)
        at[stream] = int(seq)


def offline(case, v, origin):
    """The other implementation's verdict: vaultctl audit verify, with the log's key alone."""
    key = bytes.fromhex(v.client("security").get("/v1/signing-key").json["key"])
    text = "%s+%s+%s\n" % (origin, hashlib.sha256(origin.encode() + b"\n\x01" + key).hexdigest()[:8], base64.b64encode(b"\1" + key).decode())
    (v.folder / "log.vkey").write_text(text)
    done = v.ctl("audit", "verify", "https://127.0.0.1:%d/v1/audit/log" % v.port, "--log", v.folder / "log.vkey", certificate="security")
    case.assertEqual(done.returncode, 0, done)


class Reading(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault.Vault("reading", audit_origin="vault.example/audit").start()
        cls.core = cls.vault.client("crm-core", "onboarding")
        cls.desk = cls.vault.client("service-desk", "support")
        cls.security = cls.vault.client("security")
        for n in range(3):
            people = [{"fields": {"email": "tree.%d.%d@example.com" % (n, i)}} for i in range(150)]
            reply = cls.core.post("/v1/customers:batch", {"mode": "atomic", "items": people})
            assert reply.status == 200, reply
        cls.own = audit_log.ids_of(reply.headers["Audit-Record"])
        covered(cls.security, cls.own[-1])

    @classmethod
    def tearDownClass(cls):
        cls.vault.close()

    def test_the_tree_is_that_of_all_records(self):
        c, entries = whole_tree(self.security)
        self.assertEqual(c.origin, "vault.example/audit")
        self.assertGreater(c.size, 450)
        assert_in_sequence(self, entries)
        log = audit_log.Log(self.vault.cluster, keyring.Keyring(self.vault.keys).keys[keyring.AUDIT_MAC])
        log.read()
        self.assertEqual(len(set(ids(entries))), len(entries))
        self.assertLessEqual(set(ids(entries)), set(log.by_id))

    def test_full_tiles_may_be_cached_and_the_checkpoint_not(self):
        for path in ("tile/0/000", "tile/entries/000"):
            reply = self.security.get("/v1/audit/log/" + path)
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(reply.headers["Cache-Control"], "private, max-age=31536000, immutable")
            self.assertEqual(reply.headers["Content-Type"], "application/octet-stream")
        self.assertEqual(len(self.security.get("/v1/audit/log/tile/0/000").body), 8192)
        reply = self.security.get("/v1/audit/log/checkpoint")
        self.assertEqual(reply.headers["Cache-Control"], "no-store")
        self.assertEqual(reply.headers["Content-Type"], "text/plain; charset=utf-8")

    def test_a_smaller_tile_is_the_beginning_of_the_full_one(self):
        full = self.security.get("/v1/audit/log/tile/0/000").body
        self.assertEqual(self.security.get("/v1/audit/log/tile/0/000.p/7").body, full[:7 * 32])
        entries = self.security.get("/v1/audit/log/tile/entries/000").body
        self.assertTrue(entries.startswith(self.security.get("/v1/audit/log/tile/entries/000.p/7").body))

    def test_what_is_no_tile_of_the_tree_is_not_found(self):
        for path in ("0/x000/000", "0/0", "00/000", "64/000", "0/000.p/0", "0/000.p/256", "0/999", "1/000", "5/000.p/1", "entries/999",
                     "0/x999/x999/x999/x999/x999/999", "entries/x999/x999/x999/x999/x999/999.p/3", "data/000", "0", "0/000/", "0/../0/000"):
            reply = self.security.get("/v1/audit/log/tile/" + path)
            self.assertEqual((reply.status, reply.code), (404, "not_found"), path)
            self.assertEqual(reply.headers["Cache-Control"], "no-store")
        self.assertEqual(self.security.get("/v1/audit/log/tile/").code, "no_such_route")
        self.assertEqual(self.security.get("/v1/audit/log/checkpoint?log=2").code, "not_found")
        self.assertEqual(self.security.get("/v1/audit/log/checkpoint?log=0").code, "bad_parameter")

    def test_only_who_may_read_the_log_reads_its_tree(self):
        for path in ("checkpoint", "tile/0/000", "tile/entries/000"):
            self.assertEqual(self.core.get("/v1/audit/log/" + path).code, "policy_denied")
        self.assertEqual(self.vault.client("admin").get("/v1/audit/log/checkpoint").code, "policy_denied")

    def test_hashes_leave_no_record_and_entries_do(self):
        for path, recorded in (("checkpoint", False), ("tile/0/000", False), ("tile/entries/000", True)):
            self.assertEqual("Audit-Record" in self.security.get("/v1/audit/log/" + path).headers, recorded, path)

    def check_proof(self, reply, record):
        extra, index, path, note = tlog.proof(reply.body.decode())
        c = tlog.Checkpoint(note).verify(self.security.get("/v1/signing-key").json["key"])
        body = self.security.get("/v1/audit/records/" + record).body
        self.assertEqual(extra, tlog.leaf(body))
        self.assertEqual(tlog.climb(index, c.size, tlog.leaf(body), path), c.root)
        self.assertNotEqual(tlog.climb(index, c.size, tlog.leaf(body + b" "), path), c.root)

    def test_a_record_is_proven_to_who_reads_the_log_and_to_its_actor(self):
        for record in (self.own[0], self.own[77], self.own[-1]):
            self.check_proof(self.security.get("/v1/audit/records/%s/proof" % record), record)
            self.check_proof(self.core.get("/v1/audit/records/%s/proof" % record), record)
        mine = self.desk.get("/v1/customers/cus1py0cw3ms2dv2rrlakxt7ncnn5j5slhu8l").headers["Audit-Record"]
        self.check_proof(covered(self.desk, mine), mine)

    def test_anothers_record_is_refused_as_one_that_is_not_there(self):
        def problem(record, who):
            reply = who.get("/v1/audit/records/%s/proof" % record)
            p = reply.json
            del p["request_id"]
            return reply.status, p
        unknown = problem("999999-1", self.desk)
        self.assertEqual(unknown[0], 404)
        self.assertEqual(problem(self.own[0], self.desk), unknown)
        self.assertEqual(problem("1-999999", self.desk), unknown)
        self.assertEqual(problem("nonsense", self.desk), unknown)
        self.assertEqual(problem("1-1", self.desk), unknown)  # no actor at all
        self.assertEqual(problem(self.own[0], self.vault.client("analytics")), unknown)
        self.assertEqual(problem("999999-1", self.security), unknown)

    def test_a_record_is_under_a_checkpoint_within_a_second(self):
        for _ in range(5):
            began = time.monotonic()
            record = self.core.post("/v1/customers", {"fields": {"email": "lag@example.com"}}).headers["Audit-Record"]
            covered(self.core, record)
            self.assertLess(time.monotonic() - began, 1 * vault.SLOW + 0.5)
        self.assertLess(self.vault.metric("vault_audit_lag_us"), 1000000 * vault.SLOW)

    def test_the_service_role_can_change_no_tile(self):
        for statement in ("UPDATE vault.audit_tile SET hashes = ''", "DELETE FROM vault.audit_tile", "DELETE FROM vault.audit_span",
                          "UPDATE vault.audit_span SET count = 0", "DELETE FROM vault.audit_edge", "DELETE FROM vault.audit_log",
                          "DELETE FROM vault.audit_position"):
            with self.assertRaisesRegex(AssertionError, "permission denied"):
                self.vault.cluster.sql(statement, url=self.vault.cluster.database_url)


class Held:
    """Keeps every node from sealing, as one that died with the lock would: until let go."""

    def __init__(self, cluster):
        self.cluster = cluster

    def __enter__(self):
        self.psql = subprocess.Popen([str(self.cluster.bin / "psql"), "-XqAt", "-d", self.cluster.superuser_url], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.psql.stdin.write("SELECT pg_advisory_lock(%s), 'held';\n" % SEALER_LOCK)
        self.psql.stdin.flush()
        assert "held" in self.psql.stdout.readline()
        return self

    def __exit__(self, *_):
        self.psql.stdin.close()
        self.psql.wait(10)
        self.psql.stdout.close()


class Tampering(unittest.TestCase):
    """What the sealer sees: records changed between their commit and their sealing, and a tree changed behind its back."""

    @classmethod
    def setUpClass(cls):
        cls.vault = vault.Vault("tampered").prepare()
        cls.sql = staticmethod(cls.vault.cluster.sql)

    @classmethod
    def tearDownClass(cls):
        cls.vault.close()

    def setUp(self):
        self.vault.kill()

    def records(self, n=5):
        """Writes n records, each in a segment of its own, into a new stream; gives the stream."""
        core = self.vault.client("crm-core", "onboarding")
        record = None
        for i in range(n):
            record = core.post("/v1/customers", {"fields": {"email": "t%d@example.com" % i}}).headers["Audit-Record"]
        return int(record.split("-")[0])

    def tampered(self, statement):
        """Runs it, with {s} for the stream, on records that are not sealed yet."""
        with Held(self.vault.cluster):
            self.vault.start()
            stream = self.records()
            self.sql(statement.format(s=stream))
        return stream

    def stopped(self, stream, fault):
        vault.wait_until(lambda: self.sql("SELECT fault FROM vault.audit_position WHERE stream = %d" % stream) == [[fault]], 10, "stream %d: %s" % (stream, fault))
        self.assertIn("audit_stream_stopped stream=%d" % stream, self.vault.log())
        vault.wait_until(lambda: self.vault.metric("vault_audit_streams_stopped") >= 1, 10, "the metric")

    def seq_of(self, stream):
        return int(self.sql("SELECT next_seq FROM vault.audit_position WHERE stream = %d" % stream)[0][0])

    def test_a_segment_taken_out_of_the_middle_is_a_gap_until_it_is_back(self):
        stream = self.tampered("CREATE TABLE public.out AS SELECT * FROM vault.audit_segment WHERE stream = {s} AND first_seq = 4;"
                               "DELETE FROM vault.audit_segment WHERE stream = {s} AND first_seq = 4")
        self.stopped(stream, "gap")
        self.assertEqual(self.seq_of(stream), 4)
        lag = self.vault.metric("vault_audit_lag_us")
        vault.wait_until(lambda: self.vault.metric("vault_audit_lag_us") > max(lag, 1000000), 20, "the lag grows")
        self.sql("INSERT INTO vault.audit_segment SELECT * FROM public.out; DROP TABLE public.out")
        vault.wait_until(lambda: self.seq_of(stream) > 4, 20, "the stream goes on")
        self.assertEqual(self.sql("SELECT fault FROM vault.audit_position WHERE stream = %d" % stream), [[""]])

    def test_a_changed_body_is_found_by_the_mac(self):
        stream = self.tampered("UPDATE vault.audit_segment SET bodies = overlay(bodies PLACING '\\x58' FROM 40 FOR 1) WHERE stream = {s} AND first_seq = 3")
        self.stopped(stream, "mac")
        self.assertEqual(self.seq_of(stream), 3)

    def test_swapped_segments_are_found_by_the_mac(self):
        stream = self.tampered("UPDATE vault.audit_segment SET first_seq = first_seq + 1000 WHERE stream = {s} AND first_seq IN (3, 4);"
                               "UPDATE vault.audit_segment SET first_seq = 1007 - first_seq WHERE stream = {s} AND first_seq > 1000")
        self.stopped(stream, "mac")

    def test_a_time_moved_is_found_by_the_mac(self):
        stream = self.tampered("UPDATE vault.audit_segment SET last_at = last_at - interval '1 hour', first_at = first_at - interval '1 hour' WHERE stream = {s} AND first_seq = 3")
        self.stopped(stream, "mac")

    def test_lengths_that_do_not_fit_are_found(self):
        stream = self.tampered("UPDATE vault.audit_segment SET bodies = bodies || '\\x00' WHERE stream = {s} AND first_seq = 3")
        self.stopped(stream, "shape")

    def test_the_end_of_a_stream_is_missed_when_the_next_one_names_it(self):
        with Held(self.vault.cluster):
            self.vault.start()
            stream = self.records()
            self.vault.kill()
            self.vault.start()
            later = self.records()
            self.sql("DELETE FROM vault.audit_segment g WHERE stream = %d AND first_seq = (SELECT max(first_seq) FROM vault.audit_segment WHERE stream = g.stream)" % stream)
        self.stopped(stream, "cut")
        vault.wait_until(lambda: self.seq_of(later) > 5, 10, "the later stream goes on")
        self.assertEqual(self.sql("SELECT fault FROM vault.audit_position WHERE stream = %d" % later), [[""]])

    def refused(self, change, back, reason):
        """Changes the tree while nobody seals: the next start refuses to sign, says so, still serves; and signs when it is back."""
        self.vault.start()
        self.records(3)
        time.sleep(1)
        self.vault.stop()
        self.sql(change)
        self.vault.start()
        status, text = vault.wait_until(lambda: [r for r in [self.vault.operations("/readyz")] if "audit_log" in r[1]], 10, "it is refused")[0]
        self.assertEqual(status, 200)  # recorded as ever, and not signed
        self.assertIn(reason, text)
        self.assertEqual(self.vault.metric("vault_audit_log_refused"), 1)
        security = self.vault.client("security")
        before = vault.wait_until(lambda: security.get("/v1/audit/log/checkpoint"), 5).body
        self.records(2)
        time.sleep(1)
        self.assertEqual(security.get("/v1/audit/log/checkpoint").body, before)
        self.sql(back)
        vault.wait_until(lambda: "audit_log" not in self.vault.operations("/readyz")[1], 10, "it is signed again")
        record = self.vault.client("crm-core", "onboarding").post("/v1/customers", {"fields": {"email": "b@example.com"}}).headers["Audit-Record"]
        covered(security, record)
        self.assertEqual(self.vault.metric("vault_audit_log_refused"), 0)

    def test_a_changed_edge_is_not_signed_over(self):
        self.refused("CREATE TABLE public.edge AS SELECT * FROM vault.audit_edge; UPDATE vault.audit_edge SET hashes = overlay(hashes PLACING '\\x5858' FROM 3 FOR 2) WHERE level = 0",
                     "UPDATE vault.audit_edge e SET hashes = s.hashes FROM public.edge s WHERE s.level = e.level; DROP TABLE public.edge", "they were changed")

    def test_a_dropped_tile_is_not_made_up(self):
        self.vault.start()
        core, security = self.vault.client("crm-core", "onboarding"), self.vault.client("security")
        people = [{"fields": {"email": "d%d@example.com" % i}} for i in range(300)]
        covered(security, core.post("/v1/customers:batch", {"mode": "atomic", "items": people}).headers["Audit-Record"].split("+")[0])
        self.assertEqual(security.get("/v1/audit/log/tile/0/000").status, 200)
        self.sql("CREATE TABLE public.tile AS SELECT * FROM vault.audit_tile; DELETE FROM vault.audit_tile WHERE level = 0 AND tile = 0")
        self.assertEqual(security.get("/v1/audit/log/tile/0/000").code, "not_found")
        self.assertEqual(security.get("/v1/audit/log/tile/0/000.p/9").code, "not_found")
        self.sql("INSERT INTO vault.audit_tile SELECT * FROM public.tile WHERE level = 0 AND tile = 0; DROP TABLE public.tile")
        self.assertEqual(security.get("/v1/audit/log/tile/0/000").status, 200)

    def test_an_old_checkpoint_put_back_is_not_signed_over(self):
        self.vault.start()
        self.records(3)
        security = self.vault.client("security")
        vault.wait_until(lambda: security.get("/v1/audit/log/checkpoint").status == 200, 10, "it is signed")
        self.sql("CREATE TABLE public.old AS SELECT * FROM vault.audit_log")
        self.records(3)
        time.sleep(1)
        self.vault.stop()
        now = self.sql("SELECT size FROM vault.audit_log")[0][0]
        # A smaller tree that fits its own, once signed, checkpoint: only what lies outside the database tells.
        self.sql("UPDATE vault.audit_log l SET size = o.size, checkpoint_size = o.checkpoint_size, checkpoint = o.checkpoint FROM public.old o")
        self.vault.start()
        vault.wait_until(lambda: "older database was restored" in self.vault.operations("/readyz")[1], 10, "it is refused")
        self.assertEqual(vault.wait_until(lambda: security and self.vault.client("security").get("/v1/audit/log/checkpoint"), 5).status, 200)
        self.vault.kill()
        self.sql("UPDATE vault.audit_log SET size = %s; DROP TABLE public.old" % now)

    def test_many_segments_of_one_record_are_caught_up_with_at_once(self):
        with Held(self.vault.cluster):
            self.vault.start()
            stream = self.records(2)
            core = self.vault.client("crm-core", "onboarding")
            for i in range(3000):
                record = core.get("/v1/customers/cus1py0cw3ms2dv2rrlakxt7ncnn5j5slhu8l").headers["Audit-Record"]
        began = time.monotonic()
        covered(self.vault.client("security"), record)
        self.assertLess(time.monotonic() - began, 2.5 * vault.SLOW)  # of which one until the lead is taken
        self.assertGreater(self.seq_of(stream), 3000)

    def test_a_kill_between_commit_and_signature_is_made_good(self):
        blocked = self.vault.keys / "keyring.checkpoint.new"
        self.vault.start()
        self.records(3)
        time.sleep(1)
        blocked.mkdir()  # the file can't be written, so nothing is signed that it would not remember
        try:
            self.records(3)
            vault.wait_until(lambda: int(self.sql("SELECT size - checkpoint_size FROM vault.audit_log ORDER BY log DESC LIMIT 1")[0][0]) > 0, 10, "it is committed and not signed")
            vault.wait_until(lambda: self.vault.metric("vault_audit_lag_us") > 1000000, 10, "the lag grows")
            self.vault.kill()
        finally:
            blocked.rmdir()
        self.vault.start()
        vault.wait_until(lambda: self.sql("SELECT size - checkpoint_size FROM vault.audit_log ORDER BY log DESC LIMIT 1") == [["0"]], 10, "it is signed")


class Restore(unittest.TestCase):
    def test_a_restored_database_is_signed_on_under_a_new_origin_only(self):
        with vault.Vault("restored", audit_origin="vault.example/audit") as v:
            core, security, admin = v.client("crm-core", "onboarding"), v.client("security"), v.client("admin")

            def record():
                return core.post("/v1/customers", {"fields": {"email": "r@example.com"}}).headers["Audit-Record"]
            kept = record()
            covered(core, kept)
            v.stop()
            v.cluster.sql("CREATE SCHEMA saved;" + "".join("CREATE TABLE saved.%s AS SELECT * FROM vault.%s;" % (t, t) for t in TREE_TABLES))
            v.start()
            lost = record()
            covered(core, lost)
            last = checkpoint(security)
            v.stop()
            v.cluster.sql("".join("TRUNCATE vault.%s; INSERT INTO vault.%s OVERRIDING SYSTEM VALUE SELECT * FROM saved.%s;" % (t, t, t) for t in TREE_TABLES) + "DROP SCHEMA saved CASCADE")
            v.start()
            vault.wait_until(lambda: "older database was restored" in v.operations("/readyz")[1], 10, "it is refused")
            self.assertEqual(checkpoint(security).origin, "vault.example/audit")
            self.assertLess(checkpoint(security).size, last.size)
            self.assertEqual(core.get("/v1/audit/records/%s/proof" % record()).code, "not_sealed")

            self.assertEqual(security.post("/v1/audit/log:new-origin", {"origin": "vault.example/audit-2"}).code, "policy_denied")
            self.assertEqual(admin.post("/v1/audit/log:new-origin", {"origin": "vault.example/audit"}).code, "conflict")
            self.assertEqual(admin.post("/v1/audit/log:new-origin", {"origin": "a b"}).code, "malformed_request")
            done = v.ctl("audit", "new-origin", "vault.example/audit-2")
            self.assertEqual(done.returncode, 0, done)
            v.wait_ready()
            covered(core, record())
            c, entries = whole_tree(security)
            self.assertEqual(c.origin, "vault.example/audit-2")
            first = json.loads(entries[0])
            self.assertEqual((first["operation"], first["previous_origin"], first["previous_size"], first["previous_root"]),
                             ("log.open", "vault.example/audit", last.size, last.root.hex()))
            offline(self, v, "vault.example/audit-2")
            # What the old tree still holds is proven by the old checkpoint.
            self.assertEqual(checkpoint(security, "?log=1").origin, "vault.example/audit")
            self.assertIn("vault.example/audit\n", core.get("/v1/audit/records/%s/proof" % kept).body.decode())
            v.restart()
            covered(v.client("crm-core", "onboarding"), v.client("crm-core", "onboarding").post("/v1/customers", {"fields": {"email": "s@example.com"}}).headers["Audit-Record"])


class Leaders(unittest.TestCase):
    """Two nodes write without pause, and the one that seals is killed each second."""

    def test_killed_leaders_leave_one_tree_without_a_gap(self):
        seconds = int(os.environ.get("TREE_SECONDS", "20"))
        a = vault.Vault("a", node="node-a", audit_checkpoint=vault.folder() / "shared.checkpoint").start()
        b = vault.Vault("b", cluster=a.cluster, keys=a.keys, certs=a.certs, node="node-b", audit_checkpoint=vault.folder() / "shared.checkpoint").start()
        stop, acknowledged = threading.Event(), []

        def write(v):
            client = None
            while not stop.is_set():
                try:
                    client = client or v.client("crm-core", "onboarding")
                    reply = client.post("/v1/customers", {"fields": {"email": "k@example.com"}})
                    if reply.status == 201:
                        acknowledged.append(reply.headers["Audit-Record"])
                except OSError:
                    client = None
                    time.sleep(0.02)
                except Exception:  # a connection that broke in the middle of a reply
                    client = None

        threads = [threading.Thread(target=write, args=(v,)) for v in (a, b) for _ in range(2)]
        for t in threads:
            t.start()
        kills, takeovers, until = 0, [], time.monotonic() + seconds * vault.SLOW
        sizes = []
        while time.monotonic() < until:
            time.sleep(1)
            leader = next((v for v in (a, b) if "worker_leads worker=sealer" in v.log()), a)
            size = self.size(a)
            leader.kill()
            began = time.monotonic()
            vault.wait_until(lambda: self.size(a) > size, 10, "the other node seals")
            takeovers.append(time.monotonic() - began)
            sizes.append(self.size(a))
            leader.start()
            kills += 1
        stop.set()
        for t in threads:
            t.join()
        self.assertGreaterEqual(kills, min(5, seconds // 4))
        self.assertLess(max(takeovers), 5 * vault.SLOW)
        self.assertEqual(sizes, sorted(sizes))
        security = a.client("security")
        for record in acknowledged[-20:]:
            covered(security, record)
        c, entries = whole_tree(security)
        assert_in_sequence(self, entries)
        known = set(ids(entries))
        self.assertEqual(len(known), len(entries))
        self.assertEqual([r for r in acknowledged if r not in known], [])
        self.assertEqual(a.cluster.sql("SELECT count(*) FROM vault.audit_position WHERE fault <> ''"), [["0"]])
        offline(self, a, "vault.invalid/audit")
        # Streams of the dead are closed.
        vault.wait_until(lambda: int(a.cluster.sql("SELECT count(*) FROM vault.audit_position WHERE NOT closed")[0][0]) <= 4, 20, "streams of dead nodes are closed")
        b.close()
        a.close()

    @staticmethod
    def size(v):
        return int(v.cluster.sql("SELECT checkpoint_size FROM vault.audit_log ORDER BY log DESC LIMIT 1")[0][0])


if __name__ == "__main__":
    vault.main()
