"""The audit log as it lies in the database, read without the vault: so that the vault can't vouch for itself."""
import hashlib
import hmac
import json
import struct

ZERO_MAC = "00" * 32


class Log:
    """All records so far; read() adds what is new. Raises AssertionError where a segment's MAC does not verify, a stream
    has a gap, or a stream's first record names another end of its predecessor."""

    def __init__(self, cluster, mac_key):
        self.cluster = cluster
        self.mac_key = mac_key
        self.records = []     # parsed, in stream order
        self.by_request = {}  # request_id -> records
        self.by_id = {}
        self.end = {}         # stream -> (next seq, MAC of its last segment)

    def read(self):
        known = ", ".join(f"({stream}, {seq})" for stream, (seq, _) in self.end.items()) or "(0, 0)"
        fresh = []
        for row in self.cluster.sql(
                "SELECT stream, first_seq, count, (extract(epoch FROM first_at) * 1000000)::bigint,"
                " (extract(epoch FROM last_at) * 1000000)::bigint, encode(mac, 'hex'), encode(bodies, 'hex')"
                f" FROM vault.audit_segment LEFT JOIN (VALUES {known}) AS known (stream, next) USING (stream)"
                " WHERE first_seq >= coalesce(next, 0) ORDER BY stream, first_seq"):
            fresh += self._segment(int(row[0]), [int(v) for v in row[1:5]], row[5], bytes.fromhex(row[6]))
        return fresh

    def _segment(self, stream, numbers, mac, bodies):
        first, count, first_at, last_at = numbers
        expected, previous = self.end.get(stream, (1, ZERO_MAC))
        assert first == expected, f"stream {stream}: a gap, {expected} to {first}"
        head = struct.pack(">QQIQQ", stream, first, count, first_at, last_at) + bytes.fromhex(previous)
        right = hmac.new(self.mac_key, b"vault audit segment 1\n" + head + bodies, hashlib.sha256).hexdigest()
        assert mac == right, f"stream {stream}, segment {first}: its MAC does not verify"
        records, at = [], 0
        while at < len(bodies):
            (length,) = struct.unpack_from(">H", bodies, at)
            body = bodies[at + 2:at + 2 + length]
            assert len(body) == length, f"stream {stream}: a record is cut off"
            records.append(self._record(stream, first + len(records), body))
            at += 2 + length
        assert len(records) == count, f"stream {stream}: segment {first} says {count}, holds {len(records)}"
        if first == 1:
            self._predecessor(stream, records[0])
        self.end[stream] = (first + count, mac)
        return records

    def _record(self, stream, seq, body):
        record = json.loads(body)
        canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert canonical == body, f"not canonical: {body!r}"
        assert record["id"] == f"{stream}-{seq}", f"record {record['id']} stands at {stream}-{seq}"
        assert record["v"] == 1, record
        self.records.append(record)
        self.by_id[record["id"]] = record
        self.by_request.setdefault(record.get("request_id"), []).append(record)
        return record

    def _predecessor(self, stream, record):
        """A stream's first record names where the previous stream of its node and executor ended."""
        assert record["activity"] == "stream" and record["operation"] in ("stream.open", "log.open"), record
        if "previous_stream" not in record:
            return
        seq, mac = self.end[record["previous_stream"]]
        assert record["previous_seq"] == seq - 1, f"stream {stream} follows {record['previous_seq']}, the last was {seq - 1}"
        assert record["previous_mac"] == mac, f"stream {stream}: the MAC of its predecessor's end is another"


def ids_of(header):
    """'3-17+2' -> ['3-17', '3-18', '3-19']: the first id and how many more follow."""
    first, _, more = header.partition("+")
    stream, _, seq = first.partition("-")
    return [f"{stream}-{int(seq) + i}" for i in range(1 + int(more or 0))]
