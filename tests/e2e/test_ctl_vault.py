"""vaultctl against a real vaultd and PostgreSQL."""

import json
import unittest

import vault

OK, REFUSED, USAGE, UNREACHED, SERVER = range(5)
EMAIL = "zhang.wei@example.com"


class Ctl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault.Vault().start()
        cls.addClassCleanup(cls.vault.close)

    def ctl(self, code, *args, **kwargs):
        done = self.vault.ctl(*args, **kwargs)
        self.assertEqual(done.returncode, code, f"{args}: {done.stdout}{done.stderr}")
        return done

    def file(self, text):
        path = self.vault.folder / "customer.json"
        path.write_text(text)
        return path

    def put(self, email, ref):
        document = json.dumps({"fields": {"name": "张伟", "email": email, "phone": "+8613812345678"}, "external_ref": ref, "source": "web"})
        done = self.ctl(OK, "--purpose", "onboarding", "--json", "customer", "put", self.file(document), certificate="crm-core")
        return json.loads(done.stdout)["customer"]

    def test_a_customer_goes_in_and_comes_back_in_the_form_that_policy_gives(self):
        customer = self.put(EMAIL, "crm-42")
        shown = self.ctl(OK, "--purpose", "onboarding", "customer", "get", customer, certificate="crm-core").stdout
        self.assertIn(customer, shown)
        self.assertNotIn(EMAIL, shown)
        found = self.ctl(OK, "--purpose", "support", "--json", "customer", "search", f"email={EMAIL}", certificate="service-desk").stdout
        theirs = json.loads(found)["data"][0]["customer"]
        self.assertNotEqual(theirs, customer)
        shown = self.ctl(OK, "--purpose", "support", "customer", "get", theirs, "--fields", "name,email,phone,bank_card", "--form", "best",
                         certificate="service-desk").stdout
        self.assertRegex(shown, r"(?m)^email +tok1\w+ +masked +z\*\*\*@example\.com$")
        self.assertRegex(shown, r"(?m)^phone +tok1\w+ +plain +\+8613812345678$")
        self.assertRegex(shown, r"(?m)^bank_card +deny +policy_denied$")

    def test_by_ref_updates_what_is_there(self):
        customer = self.put("first@example.com", "crm-43")
        done = self.ctl(OK, "--purpose", "onboarding", "--json", "customer", "put", "--by-ref",
                        self.file('{"external_ref":"crm-43","fields":{"email":"second@example.com"}}'), certificate="crm-core")
        reply = json.loads(done.stdout)
        self.assertEqual((reply["customer"], reply["version"]), (customer, 2))

    def test_a_refusal_is_told_with_its_code_and_never_a_value(self):
        done = self.ctl(REFUSED, "--purpose", "onboarding", "customer", "put", self.file('{"fields":{"nope":"canary"}}'), certificate="crm-core")
        self.assertRegex(done.stderr, r"^error: unknown_field: .*\(request \S+\)\n  /fields/nope: unknown_field\n$")
        done = self.ctl(REFUSED, "customer", "search", "email=canary@example.com", certificate="service-desk")
        self.assertRegex(done.stderr, r"^error: purpose_required: ")
        self.assertNotIn("canary", done.stderr + done.stdout)

    def test_a_certificate_of_another_ca_gets_no_reply(self):
        done = self.ctl(UNREACHED, "--purpose", "onboarding", "customer", "get", "cus1abc", certificate="foreign")
        self.assertIn("does the vault accept this client certificate?", done.stderr)

    def test_a_second_migration_changes_nothing_and_the_service_role_may_not_migrate(self):
        done = self.ctl(OK, "migrate", env={"VAULT_MIGRATE_URL": self.vault.cluster.migrate_url})
        self.assertEqual(done.stdout, "The schema is up to date.\n")
        self.ctl(SERVER, "migrate", env={"VAULT_MIGRATE_URL": self.vault.cluster.database_url})

    def test_the_keyring_of_the_vault_can_be_looked_at(self):
        self.assertIn("active epoch  1", self.ctl(OK, "key", "status").stdout)


if __name__ == "__main__":
    vault.main()
