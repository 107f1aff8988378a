"""vaultd --check looks at what stands in the files, not only whether they are there; and a start says the same."""
import datetime
import subprocess
import unittest

import vault

WHERE = vault.folder() / "check"


def setUpModule():
    global CERTS
    CERTS = vault.pki()
    (WHERE / "keys").mkdir(mode=0o700, parents=True)
    vault.run(vault.VAULTCTL, "key", "init", check=True, cwd=WHERE, env=vault.clean_environment(
        VAULT_KEYRING=WHERE / "keys/keyring", VAULT_ROOT_KEY=WHERE / "keys/root"))


def made(name, text, mode=0o600):
    at = WHERE / name
    at.parent.mkdir(exist_ok=True)
    at.write_bytes(text if isinstance(text, bytes) else text.encode())
    at.chmod(mode)
    return at


def expired():
    """A certificate and key of a server whose time is over."""
    key, certificate = WHERE / "old.key", WHERE / "old.pem"
    then = datetime.datetime(2020, 1, 1).strftime("%Y%m%d%H%M%SZ")
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", str(key)], check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-new", "-key", str(key), "-subj", "/CN=old", "-out", str(WHERE / "old.csr")], check=True, capture_output=True)
    made("ca/index.txt", "")
    made("ca/serial", "01")
    made("ca/ca.cnf", f"[ca]\ndefault_ca=x\n[x]\ndatabase={WHERE}/ca/index.txt\nserial={WHERE}/ca/serial\nnew_certs_dir={WHERE}/ca\n"
                      "policy=p\ndefault_md=default\n[p]\ncommonName=supplied\n")
    subprocess.run(["openssl", "ca", "-batch", "-config", str(WHERE / "ca/ca.cnf"), "-selfsign", "-keyfile", str(key), "-in", str(WHERE / "old.csr"),
                    "-startdate", then, "-enddate", then.replace("2020", "2021"), "-out", str(certificate)], check=True, capture_output=True)
    return {"tls_certificate": certificate, "tls_key": key}


class Check(unittest.TestCase):
    def vaultd(self, *args, **changes):
        values = {"database_url": "host=/nonexistent dbname=vault user=vault_service", "tls_certificate": CERTS / "server.pem",
                  "tls_key": CERTS / "server.key", "trust_bundles": CERTS / "bundles", "keyring": WHERE / "keys/keyring",
                  "root_key": WHERE / "keys/root", "listen_port": vault.free_port(), "operations_port": vault.free_port()}
        values.update(changes)
        made("vault.conf", "".join(f'VAULT_{k.upper()}="{v}"\n' for k, v in values.items()))
        return vault.run(vault.VAULTD, "--config", "vault.conf", *args, cwd=WHERE, env=vault.clean_environment(), timeout=30 * vault.SLOW)

    def test_a_right_configuration_is_complete(self):
        done = self.vaultd("--check")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "the configuration is complete\n", ""))
        self.assertEqual(self.vaultd("--check", ledger=WHERE / "keys/ledger", deny_list=made("deny", "0a:0b\nspiffe://crm.example/svc/x\n"),
                                     holidays=made("holidays", "# none\n2026-10-01\n"), default_country="US",
                                     migrate_url="postgresql://owner@db/vault").returncode, 0)

    def test_what_is_wrong_in_a_file_is_told_with_key_and_file(self):
        other_root = made("other/root", b"r" * 32)
        for key, changes, says in (
                ("TLS_CERTIFICATE", {"tls_certificate": made("text", "no PEM")}, "text"),
                ("TLS_CERTIFICATE", {"tls_key": CERTS / "admin.key"}, "admin.key: The certificate and the given key do not match"),
                ("TLS_CERTIFICATE", expired(), "old.pem: the certificate has expired"),
                ("TRUST_BUNDLES", {"trust_bundles": made("bundles/crm.example.pem", "no PEM").parent}, "crm.example.pem"),
                ("TRUST_BUNDLES", {"trust_bundles": made("leaf/crm.example.pem", (CERTS / "admin.pem").read_text()).parent}, "is not a CA"),
                ("DENY_LIST", {"deny_list": made("deny", "0a\nnobody\n")}, "deny:2: neither a serial"),
                ("KEYRING", {"keyring": made("other/keyring", "x")}, "other/keyring: is not a keyring"),
                ("KEYRING", {"root_key": other_root}, "keys/keyring: was sealed under another root key"),
                ("HOLIDAYS", {"holidays": made("holidays", "2026-10-01\n2026-13-01\n")}, "holidays:2: a line is no YYYY-MM-DD"),
                ("LEDGER", {"ledger": WHERE / "nowhere/ledger"}, "nowhere: No such file or directory"),
                ("DEFAULT_COUNTRY", {"default_country": "XX"}, "no country"),
                ("DATABASE_URL", {"database_url": "hots=x password=secret"}, "the connection string can't be read"),
                ("MIGRATE_URL", {"migrate_url": "postgresql://%zz:secret@h/"}, "the connection string can't be read")):
            with self.subTest(key, says=says):
                for args in (("--check",), ()):  # a start ends with the same lines
                    done = self.vaultd(*args, **changes)
                    self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
                    lines = done.stderr.splitlines()
                    self.assertEqual(len(lines), 1, done.stderr)
                    self.assertRegex(lines[0], rf"^(vault\.conf:\d+|default): VAULT_{key}: ")
                    self.assertIn(says, lines[0])
                    self.assertNotIn("secret", lines[0])

    def test_all_faults_are_told_at_once(self):
        done = self.vaultd("--check", log_level="loud", deny_list=made("deny", "nobody\n"), root_key=WHERE / "none", tls_key=WHERE / "none.key")
        told = [line.split(": ")[1] for line in done.stderr.splitlines()]
        self.assertEqual(sorted(told), ["VAULT_LOG_LEVEL", "VAULT_ROOT_KEY", "VAULT_TLS_KEY"], done.stderr)
        done = self.vaultd("--check", deny_list=made("deny", "nobody\n"), default_country="XX", holidays=made("holidays", "soon\n"))
        told = [line.split(": ")[1] for line in done.stderr.splitlines()]
        self.assertEqual(sorted(told), ["VAULT_DEFAULT_COUNTRY", "VAULT_DENY_LIST", "VAULT_HOLIDAYS"], done.stderr)

    def test_a_wrong_command_line_is_told_in_one_line(self):
        for args, says in ((["--chekc"], "--chekc is no option"), (["--config"], "--config needs a file"), (["serve"], "serve is no option")):
            done = vault.run(vault.VAULTD, *args, cwd=WHERE, env=vault.clean_environment())
            self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), done.stderr)
            self.assertIn(says, done.stderr)
            self.assertIn("vaultd --help", done.stderr)


if __name__ == "__main__":
    vault.main()
