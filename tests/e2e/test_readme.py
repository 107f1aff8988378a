"""The tour of README.md works as it stands there: its lines are run, not copies of them."""

import json
import re
import unittest

import vault


class Tour(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault.Vault().start()
        cls.addClassCleanup(cls.vault.close)

    def paste(self, text, **replace):
        """Runs lines of the tour with bash; the JSON of each reply."""
        text = text.replace("https://127.0.0.1:8443", "https://127.0.0.1:%d" % self.vault.port)
        text = text.replace("certs/dev/", "%s/" % self.vault.certs)
        for word, by in replace.items():
            text = text.replace(word, by)
        done = vault.run("bash", "-euc", text, check=True)
        return [json.loads(line) for line in done.stdout.splitlines() if line]

    def test_each_line_does_what_the_text_above_it_says(self):
        readme = (vault.ROOT / "README.md").read_text()
        block = re.search(r"```sh\n(as\(\) .*?)```", readme, re.S).group(1)
        steps = re.split(r"\n\n", block.strip())
        head = steps.pop(0)
        self.assertEqual(len(steps), 6)

        def step(**replace):
            return self.paste(head + "\n" + steps.pop(0), **replace)[0]

        self.assertEqual(step()["identity"], "spiffe://crm.example/svc/crm-core")
        stored = step()
        self.assertEqual(set(stored["fields"]), {"name", "email", "phone"})
        found = step()["data"][0]["customer"]
        self.assertNotEqual(found, stored["customer"])
        seen = step(CUSTOMER=found)["fields"]
        self.assertEqual(seen["name"]["value"], "张*")
        self.assertEqual(seen["email"]["value"], "z***@example.com")
        self.assertEqual(seen["phone"]["value"], "+8613812345678")
        self.assertEqual(step()["code"], "policy_denied")
        records = step()
        self.assertIn("data", records, records)
        records = records["data"]
        self.assertGreaterEqual(len(records), 3)
        self.assertNotIn("example.com", json.dumps(records))

    def test_the_log_is_proved_by_the_three_commands(self):
        readme = (vault.ROOT / "README.md").read_text()
        block = re.search(r"```sh\n([^`]*vaultctl --as security audit log-key.*?)```", readme, re.S).group(1)
        certs = self.vault.certs
        block = block.replace("https://127.0.0.1:8443", f"https://127.0.0.1:{self.vault.port}")
        block = block.replace("--as security", f"--cert {certs}/security.pem --key {certs}/security.key --ca {certs}/ca.pem")
        here = vault.folder() / "proving"
        here.mkdir()
        core, security = self.vault.client("crm-core", "onboarding"), self.vault.client("security")
        record = core.post("/v1/customers", {"fields": {"name": "张伟"}, "source": "web"}).headers["Audit-Record"]
        vault.wait_until(lambda: security.get(f"/v1/audit/records/{record}/proof").status == 200, 20, "the record is sealed")
        core.close()
        security.close()
        env = vault.clean_environment(PATH=f"{vault.BUILD}:/usr/bin:/bin")
        env["VAULT_URL"] = f"https://127.0.0.1:{self.vault.port}"
        done = vault.run("bash", "-euc", block, check=True, cwd=here, env=env)
        self.assertIn("The log is whole", done.stdout)


if __name__ == "__main__":
    vault.main()
