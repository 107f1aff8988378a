"""Formats of the audit log, written from their specifications and apart from the C code, so that it does not check itself:
Merkle tree and proofs (RFC 6962), signed notes, checkpoints, cosignatures, tiles, proofs (c2sp.org)."""
import base64
import binascii
import hashlib
import re
import struct

import ed25519

NOTE, COSIGNATURE = 1, 4  # types of key
PROOF_LINE = "c2sp.org/tlog-proof@v1"
DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z", re.ASCII)


class Bad(Exception):
    """Something does not hold. name: which check; index: of the first record concerned, or None."""

    def __init__(self, name, text, index=None):
        super().__init__(f"{name}{'' if index is None else f' at {index}'}: {text}")
        self.name, self.index = name, index


# ---- the tree ----

def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(n):
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def root(hashes):
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = _split(len(hashes))
    return node(root(hashes[:k]), root(hashes[k:]))


def inclusion(hashes, index):
    """RFC 6962, 2.1.1."""
    if len(hashes) == 1:
        return []
    k = _split(len(hashes))
    if index < k:
        return inclusion(hashes[:k], index) + [root(hashes[k:])]
    return inclusion(hashes[k:], index - k) + [root(hashes[:k])]


def root_of_inclusion(leaf_hash, index, size, proof):
    """Follows the definition from the top down; None where the proof has not the right length."""
    if index >= size:
        return None
    proof = list(proof)

    def walk(i, n):
        if n == 1:
            return leaf_hash
        if not proof:
            return None
        k, other = _split(n), proof.pop()
        below = walk(i, k) if i < k else walk(i - k, n - k)
        if below is None:
            return None
        return node(below, other) if i < k else node(other, below)

    result = walk(index, size)
    return None if proof else result


def consistency(hashes, old):
    """RFC 6962, 2.1.2: from the first old leaves to all; 0 < old <= len(hashes)."""
    def walk(m, part, whole):
        if m == len(part):
            return [] if whole else [root(part)]
        k = _split(len(part))
        if m <= k:
            return walk(m, part[:k], whole) + [root(part[k:])]
        return walk(m - k, part[k:], False) + [root(part[:k])]

    return walk(old, hashes, True)


def is_consistent(old, old_root, size, new_root, proof):
    if old > size:
        return False
    if old == 0:
        return not proof
    proof = list(proof)

    def walk(m, n, whole):
        """(root of the first m, root of all n), or None."""
        if m == n:
            if whole:
                return old_root, old_root
            h = proof.pop(0) if proof else None
            return (h, h) if h else None
        k = _split(n)
        if m <= k:
            below = walk(m, k, whole)
            h = proof.pop(0) if below and proof else None
            return (below[0], node(below[1], h)) if h else None
        below = walk(m - k, n - k, False)
        h = proof.pop(0) if below and proof else None
        return (node(h, below[0]), node(h, below[1])) if h else None

    both = walk(old, size, True)
    return bool(both) and not proof and both == (old_root, new_root)


# ---- notes ----

def unbase64(text):
    """Standard alphabet, padded, one text for each byte string; None where it is not that."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


class Key:
    """A verifier key: NAME+HEX+BASE64. kind: NOTE or COSIGNATURE."""

    def __init__(self, text):
        parts = text.split("+", 2)
        data = unbase64(parts[2]) if len(parts) == 3 else None
        if not data or len(data) != 33 or data[0] not in (NOTE, COSIGNATURE) or not good_name(parts[0]):
            raise Bad("key", "this is no verifier key")
        self.name, self.kind, self.public = parts[0], data[0], data[1:]
        self.id = key_id(self.name, self.kind, self.public)
        if parts[1] != self.id.hex():
            raise Bad("key", "its id does not fit its name and key")


def good_name(name):
    return bool(name) and "+" not in name and not any(c.isspace() or ord(c) < 33 for c in name)


def key_id(name, kind, public):
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def vkey(name, kind, public):
    return f"{name}+{key_id(name, kind, public).hex()}+{base64.b64encode(bytes([kind]) + public).decode()}"


def signature_line(name, kind, public, signature):
    return f"— {name} {base64.b64encode(key_id(name, kind, public) + signature).decode()}\n"


def sign_note(body, name, seed):
    return signature_line(name, NOTE, ed25519.public(seed), ed25519.sign(seed, body.encode()))


def cosign_note(body, name, seed, time):
    message = f"cosignature/v1\ntime {time}\n{body}".encode()
    return signature_line(name, COSIGNATURE, ed25519.public(seed), struct.pack(">Q", time) + ed25519.sign(seed, message))


class Note:
    """body, and lines of (name, key id, signature)."""

    def __init__(self, data):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Bad("checkpoint", "it is not UTF-8") from None
        if any(ord(c) < 32 and c != "\n" for c in text):
            raise Bad("checkpoint", "it has a control character")
        body, gap, lines = text.rpartition("\n\n")
        if not gap or not lines.endswith("\n"):
            raise Bad("checkpoint", "it is no signed note")
        self.body = body + "\n"
        self.lines = []
        for line in lines[:-1].split("\n"):
            words = line.split(" ")
            data = unbase64(words[2]) if len(words) == 3 and words[0] == "—" else None
            if not data or len(data) < 5 or not good_name(words[1]):
                raise Bad("checkpoint", "a signature line has not its form")
            self.lines.append((words[1], data[:4], data[4:]))
        if len(self.lines) > 32:
            raise Bad("checkpoint", "it has too many signatures")

    def signed_by(self, key):
        """False: no line of this key; Bad: a line of this key that does not fit."""
        found = False
        for name, number, signature in self.lines:
            if name != key.name or number != key.id:
                continue
            message = self.body.encode()
            if key.kind == COSIGNATURE:
                if len(signature) != 72 or struct.unpack(">Q", signature[:8])[0] >> 63:
                    raise Bad("signature", "a cosignature has not its form")
                message = b"cosignature/v1\ntime %d\n" % struct.unpack(">Q", signature[:8])[0] + message
                signature = signature[8:]
            if not ed25519.verify(key.public, message, signature):
                raise Bad("signature", f"the signature of {key.name} does not fit")
            found = True
        return found


class Checkpoint:
    def __init__(self, data):
        self.data = data
        self.note = Note(data)
        lines = self.note.body[:-1].split("\n")
        self.root = unbase64(lines[2]) if len(lines) >= 3 else None
        if len(lines) < 3 or not all(lines) or not DECIMAL.match(lines[1]) or not self.root or len(self.root) != 32:
            raise Bad("checkpoint", "its three lines have not their form")
        self.origin, self.size = lines[0], int(lines[1])
        if self.size >= 1 << 62:
            raise Bad("checkpoint", "its size can't be")

    def check(self, key):
        if self.origin != key.name:
            raise Bad("origin", f"it is of {self.origin}, and the key of {key.name}")
        if not self.note.signed_by(key):
            raise Bad("signature", "it is not signed by the key")


def checkpoint_body(origin, size, tree_root):
    return f"{origin}\n{size}\n{base64.b64encode(tree_root).decode()}\n"


# ---- tiles ----

def tile_path(level, n, width=256):
    """level: a number or "entries"."""
    groups = [f"{n % 1000:03d}"]
    while n >= 1000:
        n //= 1000
        groups.append(f"x{n % 1000:03d}")
    return f"tile/{level}/{'/'.join(reversed(groups))}" + (f".p/{width}" if width < 256 else "")


def bundle(records):
    return b"".join(struct.pack(">H", len(r)) + r for r in records)


# ---- proofs ----

class Proof:
    def __init__(self, data):
        head, gap, rest = data.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise Bad("proof", "it is not ASCII") from None
        if not gap or lines.pop(0) != PROOF_LINE:
            raise Bad("proof", "it is no tlog-proof")
        self.extra = None
        if lines and lines[0].startswith("extra "):
            self.extra = unbase64(lines.pop(0)[6:])
            if self.extra is None:
                raise Bad("proof", "its extra data have not their form")
        if not lines or not lines[0].startswith("index ") or not DECIMAL.match(lines[0][6:]):
            raise Bad("proof", "it has no index")
        self.index = int(lines.pop(0)[6:])
        self.hashes = [unbase64(line) for line in lines]
        if len(self.hashes) > 63 or any(not h or len(h) != 32 for h in self.hashes):
            raise Bad("proof", "a hash has not its form")
        self.checkpoint = Checkpoint(rest)

    def check(self, record, key):
        self.checkpoint.check(key)
        found = root_of_inclusion(leaf(record), self.index, self.checkpoint.size, self.hashes)
        if found != self.checkpoint.root:
            raise Bad("inclusion", "the record is not in the tree of the checkpoint", self.index)


def proof_text(index, hashes, checkpoint, extra=None):
    lines = [PROOF_LINE] + ([] if extra is None else [f"extra {base64.b64encode(extra).decode()}"]) + [f"index {index}"]
    return ("\n".join(lines + [base64.b64encode(h).decode() for h in hashes]) + "\n\n").encode() + checkpoint
