"""Opens the keyring file without the vault's code, so that tests can look for keys and verify MACs on their own.

Layout: include/crypto/keyring.h and vault/crypto/keyring_int.h. AES-256-GCM without its tag is AES-256-CTR from counter 2,
which the openssl command line has; a wrong result shows in the body's layout."""
import struct
import subprocess

TOKEN, INDEX, AUDIT_MAC, LEDGER, CURSOR, SIGN = range(6)


def gcm_open_unchecked(key, sealed):
    """nonce 12, ciphertext, tag 16; the tag is not verified."""
    nonce, body = sealed[:12], sealed[12:-16]
    command = ["openssl", "enc", "-d", "-aes-256-ctr", "-K", key.hex(), "-iv", (nonce + b"\0\0\0\2").hex()]
    return subprocess.run(command, input=body, capture_output=True, check=True).stdout


class Keyring:
    def __init__(self, folder):
        self.root = (folder / "root").read_bytes()
        data = (folder / "keyring").read_bytes()
        assert data[:8] == b"CDVKEYR1", data[:8]
        body = gcm_open_unchecked(self.root, data[16:])
        n_keys = body[3]
        self.keys = [body[4 + 32 * i:36 + 32 * i] for i in range(n_keys)]
        at = 4 + 32 * n_keys
        (n_epochs,) = struct.unpack_from(">H", body, at)
        at += 2
        assert len(body) == at + n_epochs * 53, "the keyring's layout has changed"
        self.keks = {}
        for _ in range(n_epochs):
            (epoch,) = struct.unpack_from(">I", body, at)
            self.keks[epoch] = body[at + 21:at + 53]
            at += 53
