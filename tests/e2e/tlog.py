"""The tree of the audit log computed anew, from the records, by the definitions of RFC 6962: nothing of the vault's own code.

Signatures are checked with openssl(1), which the tests have."""
import base64
import hashlib
import subprocess
import tempfile


def leaf(record):
    return hashlib.sha256(b"\0" + record).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaves):
    """MTH, bottom up: a level's odd last node goes up as it is."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        level = [node(level[i], level[i + 1]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def climb(index, size, start, path):
    """The root that an inclusion path leads to."""
    last, at = size - 1, start
    for h in path:
        assert last > 0, "the path is too long"
        if index % 2 or index == last:
            at = node(h, at)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            at = node(at, h)
        index, last = index // 2, last // 2
    assert last == 0, "the path is too short"
    return at


def tile_path(index):
    parts = ["%03d" % (index % 1000)]
    while index >= 1000:
        index //= 1000
        parts.append("x%03d" % (index % 1000))
    return "/".join(reversed(parts))


class Checkpoint:
    def __init__(self, note):
        text, _, signatures = note.rpartition("\n\n")
        self.text = text + "\n"
        self.origin, size, root = text.split("\n")
        self.size, self.root = int(size), base64.b64decode(root, validate=True)
        self.signatures = [line.split(" ")[1:] for line in signatures.splitlines()]

    def verify(self, public_key):
        """By the key, hex as GET /v1/signing-key tells it, under the origin's name."""
        key = bytes.fromhex(public_key)
        name, signature = self.signatures[0]
        signature = base64.b64decode(signature, validate=True)
        assert name == self.origin, self.signatures
        assert signature[:4] == hashlib.sha256(name.encode() + b"\n\x01" + key).digest()[:4], "key id"
        with tempfile.TemporaryDirectory() as d:
            for file, content in (("key", bytes.fromhex("302a300506032b6570032100") + key), ("text", self.text.encode()), ("sig", signature[4:])):
                with open(f"{d}/{file}", "wb") as f:
                    f.write(content)
            done = subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", f"{d}/key", "-in", f"{d}/text", "-sigfile", f"{d}/sig"],
                                  capture_output=True, check=False)
            assert done.returncode == 0, done
        return self


def bundle(body):
    """The entries of a bundle."""
    out = []
    while body:
        length = int.from_bytes(body[:2], "big")
        assert len(body) >= 2 + length, "a bundle is cut off"
        out.append(body[2:2 + length])
        body = body[2 + length:]
    return out


def proof(text):
    """(extra, index, path, note) of a tlog-proof."""
    head, _, note = text.partition("\n\n")
    lines = head.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1", lines
    extra = base64.b64decode(lines.pop(1)[6:]) if lines[1].startswith("extra ") else None
    assert lines[1].startswith("index "), lines
    return extra, int(lines[1][6:]), [base64.b64decode(h, validate=True) for h in lines[2:]], note
