"""How long searches of a long audit log take: 10,000,000 records (--records) in segments of 25 are written straight into the
database of a private cluster, then GET /v1/audit/records is asked for the rarest and the commonest value of each filter,
alone and together. Prints p50 and p95 in ms. The log is kept for another run with --keep FOLDER.

    python3 tests/bench/audit_search.py --records 1000000
"""
import argparse
import os
import pathlib
import random
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import vault  # noqa: E402

SEGMENT = 25
DAYS = 30
EPOCH_2000 = 946684800
START = 1767225600  # 2026-01-01
ACTORS = ["spiffe://crm.example/svc/svc-%d" % i for i in range(200)]
PURPOSES = ["support", "marketing", "analytics", "onboarding", "loyalty", "survey", "billing", "rare_purpose"]
ACTIVITIES = ["read"] * 80 + ["search"] * 10 + ["create"] * 5 + ["update"] * 4 + ["translate"]
CUSTOMERS = 1000000


def key(kind, value):
    h = 0xcbf29ce484222325 ^ ord(kind)
    h = h * 0x100000001b3 & 0xffffffffffffffff
    for byte in value:
        h = (h ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return h - (1 << 64) if h >> 63 else h


def body(at, stream, seq, actor, activity, outcome, purpose, sref, stamp):
    code = "ok" if outcome == "success" else "policy_denied"
    return (f'{{"activity":"{activity}","actor":"{actor}","asked":"best","certificate":"5f0c2a7e91d4b8360e1f2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978",'
            f'"class_uid":6003,"code":"{code}","given":{{"deny":[10],"masked:email":[1],"plain":[2]}},"id":"{stream}-{seq}","legal_basis":"contract",'
            f'"node":"vault-1","operation":"customer.{activity}","outcome":"{outcome}","policy":"9f2c4be1d07a6e58c3b1f0a4d2e6978851c0de3f4a7b2968e0d1c3f5a7986b4d",'
            f'"purpose":"{purpose}","request_id":"{at:024x}","revision":7,"row_version":1,"rules":[36,38],"sref":"{sref}","state":0,"time":"{stamp}","v":1}}').encode()


class Values:
    """Some values are common and some nearly unique; those stand at the oldest end, where a walk by time comes last."""

    def __init__(self, records):
        self.random = random.Random(1)
        self.records = records
        self.actor_key = [key("a", a.encode()) for a in ACTORS]
        self.failure_key = [key("f", a.encode()) for a in ACTORS]
        self.purpose_key = {p: key("p", p.encode()) for p in PURPOSES}
        self.activity_key = {a: key("o", a.encode()) for a in set(ACTIVITIES) | {"revoke"}}
        self.outcome_key = {o: key("u", o.encode()) for o in ("success", "failure")}

    def draw(self, i):
        r = self.random.random
        n = int(min(198, (r() ** 3) * 199))
        actor = 0 if r() < 0.4 else n + (0 if n else 1)
        purpose = PURPOSES[0] if r() < 0.6 else PURPOSES[1 + int(r() * 6)]
        activity = ACTIVITIES[int(r() * 100)]
        outcome = "failure" if r() < 0.02 else "success"
        customer = 0 if r() < 0.01 else int(r() * CUSTOMERS)
        if i in (1000, 2000, 3000):  # of the rarest of each
            actor, purpose, activity = 199, "rare_purpose", "revoke"
        return actor, activity, outcome, purpose, customer


def array(values):
    return struct.pack(">iiiii", 1, 0, 20, len(values), 1) + b"".join(struct.pack(">iq", 8, v) for v in values)


def field(raw):
    return struct.pack(">i", len(raw)) + raw


def rows(records):
    values = Values(records)
    seqs = [1] * 4
    step = DAYS * 86400 * 1000000 // records
    for first in range(0, records, SEGMENT):
        at_us = START * 1000000 + first * step
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_us // 1000000)) + ".%06dZ" % (at_us % 1000000)
        which = first // SEGMENT % 4
        keys, bodies = {}, []
        for i in range(first, first + SEGMENT):
            actor, activity, outcome, purpose, customer = values.draw(i)
            sref = "%032x" % (customer * 0x9e3779b97f4a7c15f39cc0605cedc835 % (1 << 128))
            one = body(i, which + 1, seqs[which] + i - first, ACTORS[actor], activity, outcome, purpose, sref, stamp)
            bodies.append(struct.pack(">H", len(one)) + one)
            for k in (values.actor_key[actor], values.activity_key[activity], values.outcome_key[outcome], values.purpose_key[purpose],
                      key("s", bytes.fromhex(sref))):
                keys[k] = True
            if outcome == "failure":
                keys[values.failure_key[actor]] = True
        pg_us = at_us - EPOCH_2000 * 1000000
        yield struct.pack(">h", 8) + b"".join((
            field(struct.pack(">q", which + 1)), field(struct.pack(">q", seqs[which])), field(struct.pack(">i", SEGMENT)),
            field(struct.pack(">q", pg_us)), field(struct.pack(">q", pg_us)), field(array(list(keys))), field(bytes(32)), field(b"".join(bodies))))
        seqs[which] += SEGMENT


def load(cluster, records):
    cluster.sql("DROP INDEX vault.audit_segment_keys; DELETE FROM vault.audit_stream; DELETE FROM vault.audit_segment;"
                "INSERT INTO vault.audit_stream (stream, node, executor, started_at, next_batch) OVERRIDING SYSTEM VALUE "
                "SELECT n, 'vault-1', n, now(), 100 FROM generate_series(1, 4) n; SELECT setval('vault.audit_stream_stream_seq', 10)")
    copy = subprocess.Popen([str(cluster.bin / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", cluster.superuser_url, "-c",
                             "COPY vault.audit_segment (stream, first_seq, count, first_at, last_at, keys, mac, bodies) FROM STDIN BINARY"],
                            stdin=subprocess.PIPE)
    out = copy.stdin
    out.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
    for row in rows(records):
        out.write(row)
    out.write(struct.pack(">h", -1))
    out.close()
    if copy.wait():
        sys.exit("the records could not be written")
    cluster.sql("SET maintenance_work_mem = '1GB'; CREATE INDEX audit_segment_keys ON vault.audit_segment USING gin (keys) WITH (fastupdate = on)")
    cluster.sql("VACUUM ANALYZE vault.audit_segment")


def questions(oldest):
    rare = {"actor": ACTORS[199], "activity": "revoke", "outcome": "failure", "purpose": "rare_purpose"}
    common = {"actor": ACTORS[0], "activity": "read", "outcome": "success", "purpose": "support"}
    for name, value in rare.items():
        yield "rarest " + name, {name: value}
    for name, value in common.items():
        yield "commonest " + name, {name: value}
    yield "no such actor", {"actor": "spiffe://crm.example/svc/nobody"}
    yield "all four common", common
    yield "common actor, rare activity", {"actor": ACTORS[0], "activity": "revoke"}
    yield "common actor, failures", {"actor": ACTORS[0], "outcome": "failure"}
    yield "middling actor", {"actor": ACTORS[60]}
    yield "middling actor, failures", {"actor": ACTORS[60], "outcome": "failure"}
    yield "rare actor, common outcome", {"actor": ACTORS[199], "outcome": "success"}
    yield "common, in the oldest day", dict(common, until=oldest)
    yield "no filter", {}


def ask(client, query, n):
    import urllib.parse
    path = "/v1/audit/records?" + urllib.parse.urlencode(dict(query, limit=50))
    times = []
    for _ in range(n):
        began = time.perf_counter()
        reply = client.get(path)
        times.append((time.perf_counter() - began) * 1000)
        if reply.status != 200:
            sys.exit("%s: %s" % (path, reply))
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.95)], len(reply.json["data"]), reply.json["next"] is not None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--records", type=int, default=10000000)
    p.add_argument("--times", type=int, default=40)
    p.add_argument("--keep", help="a folder for the cluster, used again where it is there")
    o = p.parse_args()
    if o.keep:
        vault._folder = pathlib.Path(o.keep)
        fresh = not vault._folder.exists()
        vault._folder.mkdir(exist_ok=True)
        os.chmod(o.keep, 0o711)
    cluster = vault.Cluster("log-pg")
    if o.keep:
        cluster.remove = cluster.stop
    cluster.start()
    v = vault.Vault("search", cluster=cluster, scrub_hours=0)
    v.prepare()
    if int(cluster.sql("SELECT count(*) FROM (SELECT FROM vault.audit_segment LIMIT 1000) s")[0][0]) < 1000:
        began = time.time()
        load(cluster, o.records)
        print("loaded in %.0f s; %s" % (time.time() - began, cluster.sql("SELECT pg_size_pretty(pg_table_size('vault.audit_segment')), "
                                                                        "pg_size_pretty(pg_indexes_size('vault.audit_segment'))")[0]), flush=True)
    with v:
        client = v.client("security")
        ask(client, {}, 3)
        print("%-32s %8s %8s %6s %s" % ("", "p50 ms", "p95 ms", "found", "more"))
        for name, query in questions("2026-01-02T00:00:00Z"):
            print("%-32s %8.1f %8.1f %6d %s" % ((name,) + ask(client, query, o.times)), flush=True)


if __name__ == "__main__":
    main()
