"""Canaries: values and keys that must be found nowhere but where they belong.

Every operation is given canary values; then the database's files, WAL and log, vaultd's log at its most talkative, the
metrics, the audit log and the key folder are searched for them, in every encoding that a leak may take. The search is
proven first: a canary laid into each kind of place on purpose is found.
"""
import base64
import json
import os
import resource
import signal
import time
import unittest

import audit_log
import keyring
import people
import vault

NAME = "欧阳卡纳瑞"
CANARY = {
    "name": NAME,
    "email": "Kanarienvogel.Quetzal@canary-nest.example",
    "phone": "+8613998877665",
    "birth_date": "1953-07-29",
    "gender": "other",
    "address": {"country": "CN", "region": "云南省", "city": "丽江市", "district": "古城区", "street": "金丝雀巷7319号", "postcode": "674199"},
    "resident_id": people.resident_id("53070219530729871"),
    "passport": "EK7351942",
    "bank_card": people.luhn("622202773195846203"),
    "iban": people.iban("DE", "773195846203517394"),
    "uscc": people.uscc("91530700MA6KNRYX7"),
    "tags": ["canary-tag-zitronengelb"],
    "notes": "canary-note " + "Serinus canaria forma domestica " * 80,
    "preferences": {"cage": "canary-preference-aviary"},
    "health_note": "canary-health-psittacosis",
    "wechat": "wx_canary_finch",
}
# Looked for as text. Short or common ones (gender, a city) would be found by chance.
WORDS = [NAME, CANARY["email"], "kanarienvogel.quetzal@canary-nest.example", CANARY["phone"], "13998877665", CANARY["birth_date"],
         "金丝雀巷", "7319号", CANARY["resident_id"], CANARY["passport"], CANARY["bank_card"], CANARY["iban"], CANARY["uscc"],
         "canary-tag-zitronengelb", "Serinus canaria", "canary-preference-aviary", "psittacosis", "wx_canary_finch",
         "canary-ref-4711", "canary-record-nightingale", "canary-wrong-value", "canary-search-value"]


def needles(raw):
    """A byte string in the forms in which it could lie about. A base64 text begins at any of three offsets."""
    forms = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + raw)
        clean = coded[(0, 2, 3)[offset]:].rstrip(b"=")[:-1]  # what the neighbours can't change
        forms |= {clean, clean.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


def word_needles(word):
    raw = word.encode()
    forms = needles(raw) | {word.encode("utf-16-le"), word.encode("utf-16-be"), json.dumps(word)[1:-1].encode()}
    forms |= {"".join(f"%{b:02X}" for b in raw).encode(), "".join(f"%{b:02x}" for b in raw).encode()}
    return {form for form in forms if len(form) >= 8}


class Search:
    """Needles of many secrets, looked for in files and texts."""

    def __init__(self):
        self.needles = {}  # bytes -> what it is

    def word(self, word):
        self.needles.update((form, f"the value {word!r}") for form in word_needles(word))

    def key(self, name, raw):
        self.needles.update((form, name) for form in needles(raw))

    def bytes(self, where, data):
        return [f"{what} stands in {where} as {form[:24]!r}" for form, what in self.needles.items() if form in data]

    def tree(self, folder, leave_out=()):
        found = []
        for root, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(root, name)
                if path not in leave_out and os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as f:
                        found += self.bytes(path, f.read())
        return found


class Canary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault.Vault("canary", log_level="debug").start()
        cls.addClassCleanup(cls.vault.close)
        policy = vault.folder() / "open.policy"
        policy.write_text(people.OPEN_POLICY)
        cls.vault.ctl("policy", "activate", policy, check=True)
        cls.core = cls.vault.client("crm-core", "onboarding")
        cls.texts = {}
        cls.drive()
        cls.collect()
        cls.search = cls.make_search()

    @classmethod
    def ok(cls, reply, *status):
        assert reply.status in (status or (200, 201)), reply
        return reply.json if reply.body else None

    @classmethod
    def drive(cls):
        """Every data operation, with canaries wherever a value can stand; bad ones too."""
        core, ok = cls.core, cls.ok
        made = ok(core.post("/v1/customers", {"fields": CANARY, "external_ref": "canary-ref-4711", "source": "test"},
                            headers={"Idempotency-Key": "canary-key"}))
        ok(core.post("/v1/customers:batch", {"mode": "partial", "items": [{"fields": CANARY}, {"fields": {"email": "canary-wrong-value"}}]}))
        ok(core.put("/v1/customers:by-ref", {"external_ref": "canary-ref-4711", "fields": CANARY}))
        path = "/v1/customers/" + made["customer"]
        names = ",".join(CANARY)
        shown = core.get(f"{path}?fields={names}&form=plain")
        got = ok(shown)["fields"]
        assert {n: f["value"] for n, f in got.items()} == CANARY, got  # what leaves is what came, so the needles are right
        ok(core.get(f"{path}?fields={names}&form=masked"))
        ok(core.patch(path, {"fields": {**CANARY, "gender": "unknown"}}, headers={"If-Match": shown.headers["ETag"]}))
        ok(core.post(path + "/records/complaint", {"data": {"text": "canary-record-nightingale", "caller": CANARY["phone"]}}))
        ok(core.get(path + "/records/complaint"))
        ok(core.post("/v1/tokens:detokenize", {"tokens": [f["token"] for f in got.values()], "form": "plain"}))
        for field in ("email", "phone", "resident_id", "passport", "bank_card", "iban", "uscc", "wechat"):
            ok(core.post("/v1/customers:search", {"where": {field: CANARY[field]}}))
        ok(core.post("/v1/customers:search", {"where": {"external_ref": "canary-ref-4711"}}))
        cls.mistakes(path)
        cls.loose_connections()

    @classmethod
    def mistakes(cls, path):
        core = cls.core
        bad = "canary-wrong-value"
        for reply in (core.post("/v1/customers", {"fields": {"email": bad, "phone": bad}}), core.post("/v1/customers", body=bad.encode()),
                      core.post("/v1/customers", {"fields": {bad: bad}}), core.post("/v1/customers", {bad: bad}),
                      core.post("/v1/customers", {"fields": {"resident_id": CANARY["resident_id"][:-1] + "?"}}),
                      core.patch(path, {"fields": {"email": bad}}, headers={"If-Match": "*"}),
                      core.post("/v1/customers", {"fields": CANARY}, purpose="nothing"),
                      core.post("/v1/customers", {"fields": CANARY, "external_ref": "canary-ref-4711"}),
                      core.post("/v1/customers:search", {"where": {"email": "canary-search-value"}}),
                      core.post("/v1/tokens:detokenize", {"tokens": [bad]}),
                      cls.vault.client("analytics", "analytics").post("/v1/customers", {"fields": CANARY}),
                      cls.vault.client("stranger", "onboarding").post("/v1/customers:search", {"where": {"email": CANARY["email"]}})):
            assert reply.status in (200, 400, 403, 409, 422), reply

    @classmethod
    def loose_connections(cls):
        """A request that is cut off in its body, and a database that goes away while values are on their way."""
        cut = cls.vault.client("crm-core", "onboarding")
        cut.connect()
        cut.connection.putrequest("POST", "/v1/customers")
        for name, value in (("Content-Type", "application/json"), ("X-Purpose", "onboarding"), ("Content-Length", "100000")):
            cut.connection.putheader(name, value)
        cut.connection.endheaders()
        cut.connection.send(json.dumps({"fields": CANARY}, ensure_ascii=False).encode())
        cut.close()
        cls.vault.cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vault_service'")
        for _ in range(200):
            reply = cls.core.post("/v1/customers", {"fields": CANARY})
            if reply.status == 201:
                return
            assert reply.status == 503, reply
            time.sleep(0.05)
        raise AssertionError("the vault did not find its database again")

    @classmethod
    def collect(cls):
        """Texts that vaultd gives out, its log, then all files on disk: everything flushed, all stopped."""
        cls.texts["metrics"] = cls.vault.operations("/metrics")[1].encode()
        cls.texts["readyz"] = cls.vault.operations("/readyz")[1].encode()
        security = cls.vault.client("security")
        audit, cursor = b"", ""
        while cursor is not None:
            reply = security.get("/v1/audit/records?limit=200" + (f"&cursor={cursor}" if cursor else ""))
            cls.ok(reply)
            audit, cursor = audit + reply.body, reply.json["next"]
        cls.texts["audit"] = audit
        cls.keyring = keyring.Keyring(cls.vault.keys)
        cls.log = audit_log.Log(cls.vault.cluster, cls.keyring.keys[keyring.AUDIT_MAC])
        cls.log.read()
        cls.wrapped = cls.vault.cluster.sql("SELECT customer_id, epoch, encode(wrapped, 'hex') FROM vault.customer_key")
        cls.vault.cluster.sql("CREATE TABLE planted (word text); INSERT INTO planted VALUES ('planted-canary-greenfinch')")
        cls.vault.cluster.sql("CHECKPOINT")
        cls.vault.stop()
        cls.vault.cluster.stop()

    @classmethod
    def make_search(cls):
        search = Search()
        for word in WORDS:
            search.word(word)
        for i, raw in enumerate(cls.keyring.keys):
            search.key(f"keyring key {i}", raw)
        for epoch, raw in cls.keyring.keks.items():
            search.key(f"the KEK of epoch {epoch}", raw)
        for customer, epoch, wrapped in cls.wrapped:
            search.key(f"the DEK of customer {customer}", keyring.gcm_open_unchecked(cls.keyring.keks[int(epoch)], bytes.fromhex(wrapped)))
        return search

    def test_the_search_finds_what_was_planted(self):
        search = Search()
        search.word("planted-canary-greenfinch")
        found = search.tree(self.vault.cluster.data)
        self.assertTrue([f for f in found if "/base/" in f], "not found in a table's file")
        self.assertTrue([f for f in found if "/pg_wal/" in f], "not found in the WAL")
        text = base64.b64encode(b"x" + b"planted-canary-greenfinch" + b"yz")
        self.assertTrue(search.bytes("text", text), "not found in base64")
        self.assertTrue(search.bytes("text", b"planted-canary-greenfinch".hex().encode()), "not found in hex")

    def test_the_keys_searched_for_are_the_vaults(self):
        self.assertGreaterEqual(len(self.wrapped), 3)
        self.assertTrue(self.log.records, "the audit MAC key did not verify a single segment")

    def test_the_database_holds_no_value_and_no_key(self):
        self.search.key("the root key", self.keyring.root)
        self.assertEqual(self.search.tree(self.vault.cluster.folder), [])

    def test_the_logs_hold_no_value_and_no_key(self):
        log = self.vault.log_file.read_bytes()
        self.assertGreater(len(log), 100, "nothing was logged: nothing is proven")
        self.search.key("the root key", self.keyring.root)
        self.assertEqual(self.search.bytes("vaultd's log", log), [])

    def test_metrics_and_readiness_hold_no_value_and_no_identifier(self):
        for name in ("metrics", "readyz"):
            self.assertEqual(self.search.bytes(name, self.texts[name]), [])
        for word in (b"spiffe://", b"cus1", b"tok1", b"crm-core"):
            self.assertNotIn(word, self.texts["metrics"])

    def test_the_audit_log_holds_no_value(self):
        self.assertGreater(self.texts["audit"].count(b'"activity"'), 20)
        self.assertEqual(self.search.bytes("the audit log", self.texts["audit"]), [])
        records = "\n".join(json.dumps(r, ensure_ascii=False) for r in self.log.records).encode()
        self.assertEqual(self.search.bytes("the audit segments", records), [])

    def test_the_keyring_file_holds_no_key_in_clear(self):
        search = Search()
        search.key("the root key", self.keyring.root)
        for i, raw in enumerate(self.keyring.keys + list(self.keyring.keks.values())):
            search.key(f"key {i}", raw)
        self.assertEqual(search.tree(self.vault.folder, leave_out=[str(self.vault.keys / "root")]), [])
        for name in ("root", "keyring"):
            self.assertEqual((self.vault.keys / name).stat().st_mode & 0o077, 0, name)


class NoCore(unittest.TestCase):
    """The limit on core files is lifted, so that only vaultd's own care prevents one. Where the kernel writes none for anybody,
    the limit that vaultd sets itself is what is left to see."""

    def setUp(self):
        self.limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (self.limits[1], self.limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, self.limits)

    @staticmethod
    def dumped(pid):
        os.kill(pid, signal.SIGSEGV)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSEGV, status
        return os.WCOREDUMP(status)

    def test_a_crash_leaves_no_core(self):
        v = vault.Vault("core").start()
        self.addCleanup(v.close)
        v.client("crm-core", "onboarding").post("/v1/customers", {"fields": CANARY})
        pid, v.process = v.process.pid, None
        limits = open(f"/proc/{pid}/limits", encoding="ascii").read()
        soft = next(line for line in limits.splitlines() if line.startswith("Max core file size")).split()[4]
        dumped = self.dumped(pid)
        self.assertFalse(dumped, "the kernel wrote a core")
        self.assertEqual(soft, "0", "vaultd did not set its own limit on cores")
        self.assertEqual([p for p in v.folder.rglob("*core*")], [])


if __name__ == "__main__":
    vault.main()
