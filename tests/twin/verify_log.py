"""The verifier's twin: checks an audit log as `vaultctl audit verify` does, by other code and with the standard library only.

    python3 tests/twin/verify_log.py DIRECTORY|URL --key FILE [--earlier FILE] [--witnesses FILE --quorum K] [--cert F --tls-key F --ca F]

Prints one line of JSON: what was proved, or which check failed and the index of the first record concerned."""
import argparse
import datetime
import json
import pathlib
import re
import ssl
import sys
import urllib.error
import urllib.request

import tlog
from tlog import Bad

ID = re.compile(r"([1-9][0-9]{0,17})-([1-9][0-9]{0,17})\Z")
TIME = re.compile(r"(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z", re.ASCII)
KEY = re.compile(r"[ !#-\[\]-~]*\Z")
DEPTH_MAX = 8
RECORD_MAX = 65000


# ---- where a log lies: read gives a whole file, or None where there is none, or one above the limit ----

class Folder:
    def __init__(self, path):
        self.path = pathlib.Path(path)

    def read(self, name, limit):
        try:
            data = (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return data if len(data) <= limit else None


class Url:
    def __init__(self, prefix, context=None):
        self.prefix, self.context = prefix.rstrip("/"), context

    def read(self, name, limit):
        try:
            with urllib.request.urlopen(f"{self.prefix}/{name}", context=self.context, timeout=30) as reply:
                data = reply.read(limit + 1)
            return data if len(data) <= limit else None
        except urllib.error.HTTPError as e:
            if e.code in (404, 410):
                return None
            raise


def read_tile(source, level, n, width, index):
    name, limit = tlog.tile_path(level, n, width), 256 * 65537 if level == "entries" else 8192
    data, wanted = source.read(name, limit), width
    if data is None and width < 256:
        data, wanted = source.read(tlog.tile_path(level, n), limit), 256
    if data is None:
        raise Bad("entries_missing" if level == "entries" else "tile_missing", f"{name} is not there", index)
    if level == "entries":
        return data, wanted != width
    if len(data) != 32 * wanted:
        raise Bad("tile_hash", f"{name} has not its length", index)
    return data[:32 * width]


# ---- records ----

def _pairs(pairs):
    if len({k for k, _ in pairs}) != len(pairs) or any(not KEY.match(k) for k, _ in pairs):
        raise ValueError("names")
    return dict(pairs)


def _integer(text):
    n = int(text)
    if abs(n) > 2**53 - 1 or text != str(n):
        raise ValueError("integer")
    return n


def _no(text):
    raise ValueError(text)


def _depth(value):
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max((_depth(v) for v in inside), default=0)


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def read_record(data, index=None):
    """A record, as a dict; Bad where its bytes are not canonical JSON (RFC 8785) with what every record has."""
    try:
        if len(data) > RECORD_MAX:
            raise ValueError("length")
        record = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs, parse_int=_integer, parse_float=_no, parse_constant=_no)
        if not isinstance(record, dict) or _depth(record) > DEPTH_MAX or canonical(record) != data:
            raise ValueError("not canonical")
        if type(record.get("v")) is not int or record["v"] != 1 or not isinstance(record.get("operation"), str):
            raise ValueError("version or operation")
        if not TIME.match(record["time"]) or record["time"] < "1970":
            raise ValueError("time")
        datetime.datetime.strptime(record["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
        if record["time"][17:19] > "59" or not ID.match(record["id"]):
            raise ValueError("time or id")
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise Bad("record_form", f"the record has not its form ({type(e).__name__})", index) from None
    return record


def _positive(record, name):
    n = record.get(name)
    return n if type(n) is int and n > 0 else None


class Streams:
    """Each stream counts from 1 without a gap, its times never go back, and what its first record names as the node's previous one is
    there, at least to the end that it names."""

    def __init__(self):
        self.known = {}   # stream: [next seq, last time]
        self.latest = {}  # (node, executor): stream
        self.broken = False  # the log goes on behind a break: older streams lie in another one

    def take(self, record, index):
        stream, seq = map(int, ID.match(record["id"]).groups())
        if record["operation"] == "stream.open":
            self._open(record, stream, seq, index)
            return
        if record["operation"] == "log.open":
            if seq != 1 or self.known:
                raise Bad("stream_start", "a log opens in its middle", index)
            self.broken, self.known[stream] = True, [2, record["time"]]
            return
        s = self.known.get(stream)
        if not s and self.broken:
            s = self.known[stream] = [seq, record["time"]]
        if not s:
            raise Bad("stream_start", f"stream {stream} begins without its opening record", index)
        if seq != s[0]:
            raise Bad("sequence", f"stream {stream} has {seq} where {s[0]} belongs", index)
        if record["time"] < s[1]:
            raise Bad("time", f"stream {stream} goes back in time", index)
        s[0], s[1] = seq + 1, record["time"]

    def _open(self, record, stream, seq, index):
        if seq != 1 or stream in self.known:
            raise Bad("stream_start", f"stream {stream} opens where it may not", index)
        who = (record.get("node"), record.get("executor"))
        if not isinstance(who[0], str) or type(who[1]) is not int or who[1] < 0:
            raise Bad("record_form", "an opening record lacks its members", index)
        if ("previous_stream" in record) != ("previous_seq" in record):
            raise Bad("record_form", "an opening record lacks its members", index)
        before = self.latest.get(who)
        if "previous_stream" in record:
            named, end = _positive(record, "previous_stream"), _positive(record, "previous_seq")
            if named is None or end is None:
                raise Bad("record_form", "an opening record lacks its members", index)
            if named not in self.known and not self.broken or named in self.known and self.known[named][0] <= end:
                raise Bad("predecessor", f"the log has not stream {named} up to {end}", index)
        elif before is not None:
            raise Bad("predecessor", f"stream {stream} does not name stream {before}", index)
        self.known[stream] = [2, record["time"]]
        self.latest[who] = stream


# ---- the tree ----

class Tree:
    """Takes leaf hashes one by one and compares every stored tile."""

    def __init__(self, source, size):
        self.source, self.size, self.count = source, size, 0
        self.levels = {}  # level: hashes of the tile under way
        self.stored = {}  # level: (number, bytes) of the stored tile that was read last

    def add(self, hash_, level=0, n=None):
        index = self.count if level == 0 else None
        n = self.count if level == 0 else n
        first = n << 8 * level
        tile = n >> 8
        if self.stored.get(level, (None,))[0] != tile:
            width = min(256, (self.size >> 8 * level) - (tile << 8))
            self.stored[level] = tile, read_tile(self.source, level, tile, width, index if level == 0 else tile << 8 * (level + 1))
        at = 32 * (n & 255)
        if self.stored[level][1][at:at + 32] != hash_:
            if level == 0:
                raise Bad("leaf_hash", "the record is not the one that its hash tile names", index)
            raise Bad("tile_hash", f"{tlog.tile_path(level, tile)} is not of the tiles below it", first)
        row = self.levels.setdefault(level, [])
        row.append(hash_)
        if len(row) == 256:
            self.levels[level] = []
            self.add(tlog.root(row), level + 1, n >> 8)
        if level == 0:
            self.count += 1

    def root(self):
        found = None
        for level in sorted(self.levels):
            row = self.levels[level]
            if not row:
                continue
            # A smaller tree hangs behind the full ones as if it were one of them: RFC 6962 divides at a power of two.
            found = tlog.root(row + ([found] if found else []))
        return found or tlog.root([])


def verify(source, key, earlier=(), witnesses=(), quorum=0):
    """What was proved; Bad where something does not hold."""
    data = source.read("checkpoint", 128 << 10)
    if data is None:
        raise Bad("checkpoint", "it is not there")
    checkpoint = tlog.Checkpoint(data)
    checkpoint.check(key)
    cosigned = 0
    for witness in witnesses:
        try:
            cosigned += checkpoint.note.signed_by(witness)
        except Bad as e:
            raise Bad("cosignatures", str(e)) from None
    if cosigned < quorum:
        raise Bad("cosignatures", f"{cosigned} of {quorum}")
    for old in earlier:
        old.check(key)
        if old.size > checkpoint.size:
            raise Bad("rollback", f"an earlier checkpoint has {old.size} records, this one {checkpoint.size}")
    tree, streams = Tree(source, checkpoint.size), Streams()
    compare(tree, earlier)
    for n in range((checkpoint.size + 255) >> 8):
        width = min(256, checkpoint.size - (n << 8))
        bundle, fallback = read_tile(source, "entries", n, width, n << 8)
        records = _lazily(bundle, width, fallback, n << 8)
        for i, data in records:
            tree.add(tlog.leaf(data))
            streams.take(read_record(data, i), i)
            compare(tree, earlier)
    if tree.root() != checkpoint.root:
        raise Bad("root", "the tree of the records is not the one that the checkpoint signs", checkpoint.size)
    return {"verified": True, "origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex(),
            "streams": len(streams.known), "cosignatures": cosigned}


def _lazily(bundle, width, fallback, first):
    """So that a fault is told in the order of the records, the framing of each is looked at just before it."""
    at = 0
    for i in range(width):
        size = int.from_bytes(bundle[at:at + 2], "big")
        if at + 2 > len(bundle) or at + 2 + size > len(bundle):
            raise Bad("entries_form", "a bundle of records ends too early", first + i)
        yield first + i, bundle[at + 2:at + 2 + size]
        at += 2 + size
    if at != len(bundle) and not fallback:
        raise Bad("entries_form", "a bundle holds more than its records", first + width)


def compare(tree, earlier):
    for old in earlier:
        if old.size == tree.count and tree.root() != old.root:
            raise Bad("fork", f"the first {old.size} records are not those of an earlier checkpoint", old.size)


def keys_of(path):
    return [tlog.Key(line.strip()) for line in pathlib.Path(path).read_text().splitlines() if line.strip() and not line.startswith("#")]


def source_of(where, options):
    if not where.startswith(("https://", "http://")):
        return Folder(where)
    context = None
    if where.startswith("https://"):
        context = ssl.create_default_context(cafile=options.ca)
        context.load_cert_chain(options.cert, options.tls_key)
    return Url(where, context)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("where")
    p.add_argument("--key", required=True)
    p.add_argument("--earlier", action="append", default=[])
    p.add_argument("--witnesses")
    p.add_argument("--quorum", type=int)
    p.add_argument("--cert")
    p.add_argument("--tls-key")
    p.add_argument("--ca")
    o = p.parse_args()
    try:
        witnesses = keys_of(o.witnesses) if o.witnesses else []
        told = verify(source_of(o.where, o), keys_of(o.key)[0], [tlog.Checkpoint(pathlib.Path(f).read_bytes()) for f in o.earlier],
                      witnesses, len(witnesses) if o.quorum is None else o.quorum)
    except Bad as e:
        told = {"verified": False, "code": e.name, "index": e.index, "text": str(e)}
    print(json.dumps(told))
    return 0 if told["verified"] else 5


if __name__ == "__main__":
    sys.exit(main())
