"""Makes random audit logs as a vault's sealer would: streams side by side, restarts, records of many shapes.

    python3 tests/twin/make_log.py DIRECTORY --records N [--seed N]

writes a log of N records (checkpoint, tile/...) and its keys (key: the log's verifier key; key.seed: its seed, hex)."""
import argparse
import hashlib
import os
import pathlib
import random
import struct
import sys

import ed25519
import tlog
import verify_log

START_US = 1767225600 * 1000000  # 2026-01-01
ORIGIN = "vault.example/audit/1"


def time_text(us):
    import datetime
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Writer:
    """Invents records. rng: a random.Random; the same seed makes the same log."""

    def __init__(self, rng, nodes=2, executors=2):
        self.rng, self.now, self.last_stream = rng, START_US, 0
        self.places = [(f"node-{n}", e) for n in range(nodes) for e in range(executors)]
        self.open = {}  # place: [stream, next seq]

    def next(self):
        """One record's bytes."""
        rng = self.rng
        place = rng.choice(self.places)
        self.now += rng.randrange(0, 3000)
        if place not in self.open or rng.random() < 0.01:
            return self._opening(place)
        return self._record(place)

    def _opening(self, place):
        before = self.open.get(place)
        self.last_stream += self.rng.randrange(1, 4)
        self.open[place] = [self.last_stream, 2]
        record = {"activity": "stream", "class_uid": 6003, "code": "ok", "executor": place[1], "id": f"{self.last_stream}-1", "node": place[0],
                  "operation": "stream.open", "outcome": "success", "time": time_text(self.now), "v": 1}
        if before:
            record |= {"previous_mac": self._hex(32), "previous_seq": before[1] - 1, "previous_stream": before[0]}
        return verify_log.canonical(record)

    def log_opening(self):
        """The first record of a log that goes on behind a break."""
        self.last_stream += 1
        return verify_log.canonical({"activity": "stream", "class_uid": 6003, "code": "ok", "id": f"{self.last_stream}-1", "node": "node-0",
                                     "object": ORIGIN, "operation": "log.open", "outcome": "success", "previous_origin": "vault.example/audit/0",
                                     "previous_root": self._hex(32), "previous_size": 9, "time": time_text(self.now), "v": 1})

    def _record(self, place):
        rng, at = self.rng, self.open[place]
        code = rng.choice(["ok"] * 8 + ["policy_denied", "consent_missing"])
        record = {"activity": "read", "actor": "spiffe://crm.example/svc/service-desk", "asked": "plain", "certificate": self._hex(32),
                  "class_uid": 6003, "code": code, "given": {"masked:email": [1], "plain": sorted(rng.sample(range(2, 40), 3))},
                  "id": f"{at[0]}-{at[1]}", "legal_basis": "contract", "node": place[0], "operation": "customer.read",
                  "outcome": "success" if code == "ok" else "failure", "policy": self._hex(32), "purpose": "support",
                  "request_id": self._hex(8), "revision": rng.randrange(1, 99), "row_version": rng.randrange(1, 2**32), "rules": [rng.randrange(60)],
                  "sref": self._hex(16), "state": rng.randrange(16), "time": time_text(self.now), "v": 1}
        if rng.random() < 0.02:
            record["object"] = rng.choice(["póliza \"a\"\\\n", "名称", "\u007f\u0001\t", "𝄞", ""])
        at[1] += 1
        return verify_log.canonical(record)

    def _hex(self, n):
        return self.rng.randbytes(n).hex()


class Log:
    """A whole log in memory, small ones."""

    def __init__(self, records, seed, origin=ORIGIN):
        self.records, self.seed, self.origin = list(records), seed, origin
        self.hashes = [tlog.leaf(r) for r in self.records]

    def checkpoint(self, size=None, cosigners=(), body=None):
        size = len(self.records) if size is None else size
        body = body or tlog.checkpoint_body(self.origin, size, tlog.root(self.hashes[:size]))
        return (body + "\n" + tlog.sign_note(body, self.origin, self.seed) +
                "".join(tlog.cosign_note(body, name, seed, time) for name, seed, time in cosigners)).encode()

    def key(self):
        return tlog.vkey(self.origin, tlog.NOTE, ed25519.public(self.seed))

    def write(self, folder, size=None, checkpoint=None):
        size = len(self.records) if size is None else size
        folder = pathlib.Path(folder)
        put(folder / "checkpoint", checkpoint or self.checkpoint(size))
        row, level = self.hashes[:size], 0
        while row:
            for n in range(0, len(row), 256):
                part = row[n:n + 256]
                put(folder / tlog.tile_path(level, n >> 8, len(part)), b"".join(part))
                if level == 0:
                    put(folder / tlog.tile_path("entries", n >> 8, len(part)), tlog.bundle(self.records[n:n + 256][:len(part)]))
            row = [tlog.root(row[n:n + 256]) for n in range(0, len(row) - 255, 256)]
            level += 1

    def proof(self, index, size=None, extra=None):
        size = len(self.records) if size is None else size
        return tlog.proof_text(index, tlog.inclusion(self.hashes[:size], index), self.checkpoint(size), extra)


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def random_log(rng, n, seed=None):
    writer = Writer(rng, rng.randrange(1, 4), rng.randrange(1, 4))
    records = []
    if n and rng.random() < 0.25:  # what came before lies in an older log
        for _ in range(rng.randrange(200)):
            writer.next()
        records.append(writer.log_opening())
    return Log(records + [writer.next() for _ in range(n - len(records))], seed or rng.randbytes(32))


# ---- large ones, for the bench: one stream's record as a template, tile by tile ----

def write_large(folder, n, seed):
    rng = random.Random(7)
    writer = Writer(rng, 1, 1)
    first = writer.next()
    stream = writer.open[writer.places[0]]
    hex_ = b"%032x"
    pattern = writer._record(writer.places[0])
    pattern = pattern.replace(b'"id":"%d-2"' % stream[0], b'"id":"%d-%%d"' % stream[0])
    start = pattern.index(b'"sref":"') + 8
    pattern = pattern[:start] + hex_ + pattern[start + 32:]
    start = pattern.index(b'"time":"') + 8
    pattern = pattern[:start] + b"2026-01-01T00:%02d:%02d.%06dZ" + pattern[start + 27:]
    assert pattern.count(b"%") == 5
    rows, tiles = {}, {}
    sha, pack = hashlib.sha256, struct.pack

    def add(level, h):
        row = rows.setdefault(level, [])
        row.append(h)
        if len(row) == 256:
            flush(level)

    def flush(level):
        row = rows[level]
        k = tiles.get(level, 0)
        put(pathlib.Path(folder) / tlog.tile_path(level, k, len(row)), b"".join(row))
        if len(row) == 256:
            tiles[level], rows[level] = k + 1, []
            add(level + 1, tlog.root(row))

    for k in range(0, n, 256):
        part = []
        for i in range(k, min(k + 256, n)):
            us = 3000 + i * 3
            part.append(first if i == 0 else pattern % (i + 1, i * 0x9e3779b97f4a7c15, us // 60000000 % 60, us // 1000000 % 60, us % 1000000))
        put(pathlib.Path(folder) / tlog.tile_path("entries", k >> 8, len(part)), b"".join([pack(">H", len(r)) + r for r in part]))
        for r in part:
            add(0, sha(b"\0" + r).digest())
    found = None
    for level in sorted(rows):
        if rows[level]:
            if len(rows[level]) < 256:
                flush(level)
            found = tlog.root(rows[level] + ([found] if found else []))
    body = tlog.checkpoint_body(ORIGIN, n, found)
    put(pathlib.Path(folder) / "checkpoint", (body + "\n" + tlog.sign_note(body, ORIGIN, seed)).encode())


def main():
    p = argparse.ArgumentParser()
    p.add_argument("directory")
    p.add_argument("--records", type=int, required=True)
    p.add_argument("--seed", type=int, default=0)
    o = p.parse_args()
    folder = pathlib.Path(o.directory)
    folder.mkdir(parents=True, exist_ok=True)
    seed = random.Random(o.seed).randbytes(32) if o.seed else os.urandom(32)
    if o.records <= 20000:
        random_log(random.Random(o.seed), o.records, seed).write(folder)
    else:
        write_large(folder, o.records, seed)
    put(folder / "key", (tlog.vkey(ORIGIN, tlog.NOTE, ed25519.public(seed)) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
