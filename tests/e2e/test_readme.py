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


if __name__ == "__main__":
    vault.main()
