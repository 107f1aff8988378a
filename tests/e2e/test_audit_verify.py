"""audit verify: each way to tamper with a copy of a log is caught by its name, by vaultctl and by its twin."""

import json
import os
import random
import unittest

import logs
import vault
from logs import FAILED, OK, USAGE, Case, ed25519, make_log, some_log, tlog, verify_log

N = 700  # two full tiles and a partial one


class Tampering(unittest.TestCase):
    def setUp(self):
        self.case = Case(self.id().rsplit(".", 1)[1], some_log(N))
        self.log = self.case.log

    def caught(self, check, index=None):
        found = self.case.judge()
        self.assertEqual(found[0], check)
        if index is not None:
            self.assertEqual(found[1], index)

    def altered(self, change):
        """The records, changed, all hashed anew and signed: what the operator of the vault himself could do."""
        records = list(self.log.records)
        change(records)
        return make_log.Log(records, logs.SEED)

    def file(self, level, n, width=256):
        return self.case.copy / tlog.tile_path(level, n, width)

    def edit(self, path, change):
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)

    def test_an_untouched_log_holds(self):
        self.caught(None)

    def test_full_tiles_stand_in_for_partial_ones_that_are_gone(self):
        self.case.rewrite(some_log(768))
        (self.case.copy / "checkpoint").write_bytes(self.log.checkpoint())
        self.assertFalse(self.file(0, 2, N - 512).exists())
        self.caught("tile_missing", 0)  # of level 1, which is partial in both
        self.file(1, 0, 3).rename(self.file(1, 0, 2))
        self.caught("tile_hash", 0)  # which has not the length of its width
        self.file(1, 0, 2).write_bytes(self.file(1, 0, 2).read_bytes()[:64])
        self.caught(None)

    # ---- without the log's key ----

    def test_a_changed_body_is_caught(self):
        records = self.log.records[256:512]
        records[44] = records[44].replace(b'"asked":"plain"', b'"asked":"token"')
        self.assertNotEqual(records[44], self.log.records[300])
        self.file("entries", 1).write_bytes(tlog.bundle(records))
        self.caught("leaf_hash", 300)

    def test_a_deleted_record_in_the_middle_is_caught(self):
        self.file("entries", 1).write_bytes(tlog.bundle(self.log.records[256:300] + self.log.records[301:512]))
        self.caught("leaf_hash", 300)

    def test_the_deleted_last_record_is_caught(self):
        self.file("entries", 2, N - 512).write_bytes(tlog.bundle(self.log.records[512:-1]))
        self.caught("entries_form", N - 1)

    def test_two_swapped_records_are_caught(self):
        records = self.log.records[:256]
        records[10], records[11] = records[11], records[10]
        self.file("entries", 0).write_bytes(tlog.bundle(records))
        self.caught("leaf_hash", 10)

    def test_a_suffix_hashed_anew_is_caught(self):
        def change(records):
            records[400] = records[400].replace(b'"asked":"plain"', b'"asked":"token"')
        self.case.rewrite(self.altered(change), checkpoint=self.log.checkpoint())
        self.caught("root", N)

    def test_a_dropped_tile_of_hashes_is_caught(self):
        self.file(0, 1).unlink()
        self.caught("tile_missing", 256)

    def test_a_dropped_tile_of_a_higher_level_is_caught(self):
        self.file(1, 0, 2).unlink()
        self.caught("tile_missing", 0)

    def test_a_dropped_bundle_is_caught(self):
        self.file("entries", 2, N - 512).unlink()
        self.caught("entries_missing", 512)

    def test_a_changed_tile_is_caught(self):
        self.edit(self.file(1, 0, 2), lambda d: d.__setitem__(40, d[40] ^ 1))
        self.caught("tile_hash", 256)

    def test_a_replayed_old_checkpoint_is_caught(self):
        self.case.earlier_checkpoint(self.log.checkpoint())
        (self.case.copy / "checkpoint").write_bytes(self.log.checkpoint(512))
        self.caught("rollback")

    def test_a_checkpoint_of_another_key_is_caught(self):
        (self.case.copy / "checkpoint").write_bytes(make_log.Log(self.log.records, bytes(32)).checkpoint())
        self.caught("signature")

    def test_a_changed_size_or_root_is_caught(self):
        good = self.log.checkpoint()
        (self.case.copy / "checkpoint").write_bytes(good.replace(b"\n700\n", b"\n699\n"))
        self.caught("signature")

    def test_a_log_of_another_origin_is_caught(self):
        other = make_log.Log(self.log.records, logs.SEED, "vault.example/audit/2")
        (self.case.copy / "checkpoint").write_bytes(other.checkpoint())
        self.caught("origin")

    def test_a_checkpoint_without_its_form_is_caught(self):
        for data in (b"", b"\n\n", b"x\n1\n\n", self.log.checkpoint()[:-1], self.log.checkpoint().replace(b"\n700\n", b"\n0700\n"),
                     self.log.checkpoint() + b"x", b"\xff" + self.log.checkpoint()):
            (self.case.copy / "checkpoint").write_bytes(data)
            self.caught("checkpoint")
        (self.case.copy / "checkpoint").unlink()
        self.caught("checkpoint")

    def test_what_is_no_regular_file_is_not_there(self):
        path = self.file(0, 1)
        data = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        self.assertEqual(self.case.judge_ctl(), ("tile_missing", 256))
        path.unlink()
        (self.case.folder / "elsewhere").write_bytes(data)
        path.symlink_to(self.case.folder / "elsewhere")
        self.assertEqual(self.case.judge_ctl(), ("tile_missing", 256))

    def test_a_file_that_is_too_large_is_not_read(self):
        with open(self.file("entries", 0), "r+b") as f:
            f.truncate(1 << 40)
        self.assertEqual(self.case.judge_ctl(), ("entries_missing", 0))

    # ---- with the log's key ----

    def resigned(self, change, check, index=None):
        self.case.rewrite(self.altered(change))
        self.caught(check, index)

    def test_a_record_deleted_and_all_signed_anew_leaves_a_gap(self):
        self.resigned(lambda r: r.pop(300), "sequence")

    def test_two_records_of_a_stream_swapped_and_signed_anew_are_out_of_sequence(self):
        known = logs.ids(self.log)
        at = 20
        then = next(i for i in range(at + 1, N) if known[i][0] == known[at][0])

        def change(records):
            records[at], records[then] = records[then], records[at]
        self.resigned(change, "sequence", at)

    def test_the_last_record_of_a_stream_deleted_and_signed_anew_is_missed_by_its_successor(self):
        known = logs.ids(self.log)
        opening = next(i for i in range(N) if b'"previous_stream"' in self.log.records[i])
        before = verify_log.read_record(self.log.records[opening])["previous_stream"]
        last = max(i for i in range(N) if known[i][0] == before)

        def change(records):
            records.pop(last)
        self.assertLess(last, opening)
        self.resigned(change, "predecessor", opening - 1)

    def test_the_last_records_deleted_and_signed_anew_are_missed_by_whoever_knows_an_earlier_checkpoint(self):
        self.case.earlier_checkpoint(self.log.checkpoint(N))
        self.case.rewrite(self.log, size=N - 3)
        self.caught("rollback")

    def test_another_history_signed_anew_is_missed_by_whoever_knows_an_earlier_checkpoint(self):
        def change(records):
            records[400] = records[400].replace(b'"asked":"plain"', b'"asked":"token"')
        self.case.rewrite(self.altered(change))
        self.caught(None)  # nobody can tell without one
        self.case.earlier_checkpoint(self.log.checkpoint(350))
        self.caught(None)  # the change lies behind that one
        self.case.earlier_checkpoint(self.log.checkpoint(401))
        self.caught("fork", 401)
        self.case.earlier_checkpoint(self.log.checkpoint(N))
        self.caught("fork", N)

    def test_times_that_go_back_are_caught(self):
        known = logs.ids(self.log)
        at = next(i for i in range(300, N) if known[i][1] > 3)
        record = verify_log.read_record(self.log.records[at])
        record["time"] = "2025-12-31T23:59:59.999999Z"
        self.resigned(lambda r: r.__setitem__(at, verify_log.canonical(record)), "time", at)

    def test_a_stream_that_hides_the_one_before_it_is_caught(self):
        at = next(i for i in range(N) if b'"previous_stream"' in self.log.records[i])
        record = verify_log.read_record(self.log.records[at])
        for name in ("previous_mac", "previous_seq", "previous_stream"):
            del record[name]
        self.resigned(lambda r: r.__setitem__(at, verify_log.canonical(record)), "predecessor", at)

    def test_a_stream_without_an_opening_is_caught(self):
        self.resigned(lambda r: r.pop(0), "stream_start")

    def test_records_that_are_not_canonical_are_caught(self):
        good = verify_log.read_record(self.log.records[300])
        text = verify_log.canonical(good)
        for bad in (b"", b"{}", b"null", text[:-1], text + b" ", text + b"\n", b" " + text, text.replace(b'":', b'": ', 1),
                    text.replace(b'{"activity"', b'{"z":1,"activity"', 1), text.replace(b'"asked":"plain"', b'"asked":"pl\\u0061in"'),
                    text.replace(b'"v":1', b'"v":2'), text.replace(b'"v":1', b'"v":01'), text.replace(b'"v":1', b'"v":1.0'),
                    text.replace(b'"class_uid":6003', b'"class_uid":9007199254740992'), text.replace(b'"asked":"plain"', b'"asked":"\xff"'),
                    text.replace(b'"asked":"plain"', b'"asked":"\xed\xa0\x80"'), text.replace(b'"asked":"plain"', b'"asked":"\\ud800"'),
                    text.replace(b'"asked":"plain"', b'"asked":' + b"[" * 9 + b"]" * 9), text.replace(b'"asked":"plain"', b'"asked":-0'),
                    text.replace(b'"asked":"plain",', b'"asked":"plain","asked":"plain",'), text.replace(b'"time":"2', b'"time":"3x'),
                    text.replace(b'"operation":"customer.read"', b'"operation":7'), text.replace(b'.read"', b'.read\x00"')):
            self.assertNotEqual(bad, text)
            self.case.rewrite(self.altered(lambda r, bad=bad: r.__setitem__(300, bad)))
            self.caught("record_form", 300)

    # ---- witnesses ----

    def test_too_few_cosignatures_are_caught(self):
        seeds = [random.Random(i).randbytes(32) for i in range(2)]
        self.case.trust_witnesses(*(tlog.vkey(f"w{i}.example", tlog.COSIGNATURE, ed25519.public(s)) for i, s in enumerate(seeds)))
        self.caught("cosignatures")
        (self.case.copy / "checkpoint").write_bytes(self.log.checkpoint(cosigners=[("w0.example", seeds[0], 1)]))
        self.caught("cosignatures")
        self.assertEqual(self.case.ctl("--witnesses", self.case.witnesses, "--quorum", "1").returncode, OK)
        (self.case.copy / "checkpoint").write_bytes(self.log.checkpoint(cosigners=[("w0.example", seeds[0], 1), ("w1.example", seeds[1], 2)]))
        self.caught(None)
        bad = bytearray(self.log.checkpoint(cosigners=[("w0.example", seeds[0], 1), ("w1.example", seeds[1], 2)]))
        bad[-10] = ord("A") if bad[-10] != ord("A") else ord("B")
        (self.case.copy / "checkpoint").write_bytes(bad)
        self.caught("cosignatures")

    def test_the_same_witness_twice_does_not_count_twice(self):
        key = tlog.vkey("w.example", tlog.COSIGNATURE, ed25519.public(bytes(32)))
        self.case.trust_witnesses(key, key)
        self.assertEqual(self.case.ctl("--witnesses", self.case.witnesses).returncode, USAGE)


class Memory(unittest.TestCase):
    """What a run keeps for the next."""

    def setUp(self):
        self.log = some_log(300)
        self.case = Case(self.id().rsplit(".", 1)[1], self.log)
        self.state = self.case.folder / "key.checkpoint"

    def test_the_last_proven_checkpoint_lies_beside_the_key_and_is_held_against_the_next(self):
        self.case.rewrite(self.log, size=280)
        self.assertIn("no earlier checkpoint", self.case.ctl().stdout)
        self.assertEqual(self.state.read_bytes(), self.log.checkpoint(280))
        self.case.rewrite(self.log)
        self.assertIn("the 280 records of an earlier checkpoint", self.case.ctl().stdout)
        self.assertEqual(self.state.read_bytes(), self.log.checkpoint())
        self.case.rewrite(self.log, size=280)
        done = self.case.ctl()
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("rollback", done.stderr)
        self.assertEqual(self.state.read_bytes(), self.log.checkpoint())

    def test_a_log_that_does_not_hold_is_not_remembered(self):
        path = self.case.copy / tlog.tile_path(0, 0)
        path.write_bytes(bytes(8192))
        self.assertEqual(self.case.ctl().returncode, FAILED)
        self.assertFalse(self.state.exists())

    def test_a_state_that_the_key_has_not_signed_is_refused(self):
        self.state.write_bytes(make_log.Log(self.log.records, bytes(32)).checkpoint(10))
        self.assertEqual(self.case.ctl().returncode, USAGE)
        self.assertIn("is no checkpoint of this log", self.case.ctl().stderr)

    def test_the_key_is_needed_and_may_be_given_as_text(self):
        self.assertEqual(vault.run(vault.VAULTCTL, "audit", "verify", self.case.copy).returncode, USAGE)
        done = vault.run(vault.VAULTCTL, "audit", "verify", self.case.copy, "--log", self.log.key())
        self.assertEqual(done.returncode, OK, done.stderr)
        witness = tlog.vkey("w.example", tlog.COSIGNATURE, ed25519.public(bytes(32)))
        self.assertEqual(vault.run(vault.VAULTCTL, "audit", "verify", self.case.copy, "--log", witness).returncode, USAGE)


class Agreement(unittest.TestCase):
    """Random logs and random damage: both verifiers say the same of each."""

    def test_whole_logs_of_many_sizes_hold(self):
        rng = random.Random(4)
        for n in [0, 1, 2, 255, 256, 257, 511, 512, 513] + [rng.randrange(1, 1200) for _ in range(12)]:
            log = make_log.random_log(rng, n, logs.SEED)
            case = Case("whole", log)
            if n:
                case.earlier_checkpoint(log.checkpoint(rng.randrange(0, n + 1)))
            self.assertEqual(case.judge(), (None, None), n)

    def damage_a_file(self, rng, case):
        path = rng.choice(logs.files(case.copy))
        data = bytearray(path.read_bytes())
        kind = rng.randrange(6)
        if kind == 0:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[rng.randrange(len(data)):]
        elif kind == 2:
            data += rng.randbytes(rng.randrange(1, 40))
        elif kind == 3:
            at = rng.randrange(len(data))
            data[at:at] = rng.randbytes(rng.randrange(1, 4))
        elif kind == 4:
            data = bytearray(rng.choice(logs.files(case.copy)).read_bytes())
        if kind == 5:
            path.unlink()
        else:
            path.write_bytes(data)

    def test_damaged_files_are_judged_alike(self):
        rng = random.Random(5)
        found = set()
        for i in range(80):
            case = Case("damaged", make_log.random_log(rng, rng.randrange(1, 600), logs.SEED))
            self.damage_a_file(rng, case)
            found.add(case.judge()[0])
        self.assertLessEqual({"leaf_hash", "entries_form", "tile_hash"}, found)

    def damage_a_record(self, rng, records):
        at = rng.randrange(len(records))
        kind = rng.randrange(5)
        if kind == 0:
            records.pop(at)
        elif kind == 1:
            records.insert(rng.randrange(len(records)), records[at])
        elif kind == 2:
            other = rng.randrange(len(records))
            records[at], records[other] = records[other], records[at]
        elif kind == 3:
            data = bytearray(records[at])
            data[rng.randrange(len(data))] = rng.choice(b'0189"{}[],:\\-anu\x00\x7f\xc3 ')
            records[at] = bytes(data)
        else:
            record = json.loads(records[at])
            name = rng.choice(sorted(record))
            record[name] = rng.choice([0, 1, 2, -1, "", "x", [], {}, True, None, 2**53 - 1, 2**53, "1-1", [[[[[[[[]]]]]]]]])
            records[at] = verify_log.canonical(record)

    def test_damaged_records_all_signed_anew_are_judged_alike(self):
        rng = random.Random(6)
        found = set()
        for i in range(120):
            log = make_log.random_log(rng, rng.randrange(2, 300), logs.SEED)
            records = list(log.records)
            self.damage_a_record(rng, records)
            found.add(Case("resigned", make_log.Log(records, logs.SEED)).judge()[0])
        self.assertLessEqual({"sequence", "stream_start", "record_form"}, found)


class Proofs(unittest.TestCase):
    """audit verify-record and its twin on tlog-proofs."""

    def judge(self, case, proof, record):
        (case.folder / "proof").write_bytes(proof)
        (case.folder / "record").write_bytes(record)
        done = vault.run(vault.VAULTCTL, "audit", "verify-record", case.folder / "proof", case.folder / "record", "--log", case.key)
        try:
            tlog.Proof(proof).check(record, verify_log.keys_of(case.key)[0])
            verify_log.read_record(record)
            theirs = True
        except tlog.Bad:
            theirs = False
        self.assertEqual(done.returncode == OK, theirs, f"{done.stdout}{done.stderr}{proof}")
        return done.returncode

    def test_every_record_of_small_logs_is_proved(self):
        rng = random.Random(7)
        for n in (1, 2, 3, 7, 8, 13):
            case = Case("proofs", make_log.random_log(rng, n, logs.SEED))
            for i in range(n):
                self.assertEqual(self.judge(case, case.log.proof(i), case.log.records[i]), OK)

    def test_damaged_proofs_are_judged_alike(self):
        rng = random.Random(8)
        case = Case("damaged-proofs", make_log.random_log(rng, 300, logs.SEED))
        refused = 0
        for i in range(80):
            at = rng.randrange(300)
            proof, record = bytearray(case.log.proof(at)), case.log.records[at]
            kind = rng.randrange(5)
            if kind == 0:
                proof[rng.randrange(len(proof))] ^= 1 << rng.randrange(8)
            elif kind == 1:
                record = case.log.records[rng.randrange(300)]
            elif kind == 2:
                lines = bytes(proof).split(b"\n")
                del lines[rng.randrange(len(lines))]
                proof = b"\n".join(lines)
            elif kind == 3:
                proof = case.log.proof(at, rng.randrange(at + 1, 301))
            else:
                proof = bytes(proof).replace(b"index %d\n" % at, b"index %d\n" % rng.randrange(300))
            refused += self.judge(case, bytes(proof), record) != OK
        self.assertGreater(refused, 25)

    def test_a_proof_of_another_record_is_refused_by_its_id(self):
        case = Case("other-id", some_log(20))
        (case.folder / "proof").write_bytes(case.log.proof(5))
        (case.folder / "record").write_bytes(case.log.records[5] + b"\n")
        stream, seq = logs.ids(case.log)[5]
        args = [vault.VAULTCTL, "audit", "verify-record", case.folder / "proof", case.folder / "record"]
        self.assertEqual(vault.run(*args, "--id", f"{stream}-{seq}", "--log", case.key).returncode, OK)
        self.assertEqual(vault.run(*args, "--id", f"{stream}-{seq + 1}", "--log", case.key).returncode, FAILED)

    def test_a_proof_that_names_its_record_s_hash_needs_no_record(self):
        case = Case("by-hash", some_log(20))
        args = [vault.VAULTCTL, "audit", "verify-record", case.folder / "proof", "--log", case.key]
        for extra, code in ((case.log.hashes[5], OK), (case.log.hashes[6], FAILED), (None, FAILED), (b"x", FAILED)):
            (case.folder / "proof").write_bytes(case.log.proof(5, extra=extra))
            self.assertEqual(vault.run(*args).returncode, code, extra)
        self.assertEqual(vault.run(*args, "--id", "1-1").returncode, USAGE)


if __name__ == "__main__":
    vault.main()
