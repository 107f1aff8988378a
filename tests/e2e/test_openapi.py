"""/openapi.json against the vault itself: every route's reply fits the schema that describes it, and so do the examples."""

import json
import re
import unittest

import audit_log
import vault

IDENTITY = "spiffe://crm.example/svc/"
V = None


def setUpModule():
    global V
    V = vault.Vault()
    V.start()


def tearDownModule():
    V.close()


class Description:
    """As much of JSON Schema as /openapi.json uses. A word that it does not know is an error, so nothing is left unchecked."""

    KNOWN = {"$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "pattern", "oneOf", "description", "format",
             "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "minProperties", "maxProperties", "default"}
    TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}

    def __init__(self, document):
        self.document = document

    def resolve(self, node):
        while "$ref" in node:
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def is_type(self, value, name):
        if name == "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        return isinstance(value, self.TYPES[name])

    def faults(self, schema, value, where="$"):
        schema = self.resolve(schema)
        unknown = set(schema) - self.KNOWN
        assert not unknown, f"{where}: {unknown}"
        types = schema.get("type", [])
        types = [types] if isinstance(types, str) else types
        if types and not any(self.is_type(value, t) for t in types):
            return [f"{where}: {value!r:.80} is no {types}"]
        out = []
        if "enum" in schema and value not in schema["enum"]:
            out.append(f"{where}: {value!r} is none of {schema['enum']}")
        if "oneOf" in schema and sum(not self.faults(s, value, where) for s in schema["oneOf"]) != 1:
            out.append(f"{where}: {value!r:.80} fits not exactly one")
        if isinstance(value, str):
            if "pattern" in schema and not re.search(schema["pattern"], value):
                out.append(f"{where}: {value!r} is not like {schema['pattern']}")
            if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
                out.append(f"{where}: the length of {value!r}")
            if schema.get("format") == "date-time" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value):
                out.append(f"{where}: {value!r} is no time")
        if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            out.append(f"{where}: {value} is out of range")
        if isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                out.append(f"{where}: {len(value)} items")
            for i, item in enumerate(value):
                out += self.faults(schema.get("items", {}), item, f"{where}[{i}]")
        if isinstance(value, dict):
            out += self.object_faults(schema, value, where)
        return out

    def object_faults(self, schema, value, where):
        out = [f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value]
        if not schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value)):
            out.append(f"{where}: {len(value)} members")
        more = schema.get("additionalProperties", True)
        for name, member in value.items():
            if name in schema.get("properties", {}):
                out += self.faults(schema["properties"][name], member, f"{where}.{name}")
            elif more is False:
                out.append(f"{where}: {name} is not described")
            elif isinstance(more, dict):
                out += self.faults(more, member, f"{where}.{name}")
        return out


class OpenApi(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        client = V.client("stranger")
        reply = client.get("/openapi.json")
        client.close()
        assert reply.status == 200, reply
        cls.document = reply.json
        cls.description = Description(cls.document)
        cls.called = set()

    def operation(self, name):
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if operation["operationId"] == name:
                    return path, method.upper(), operation
        raise AssertionError(name + " is not described")

    def call(self, certificate, operation, status=200, body=None, purpose=None, query="", headers=None, **parts):
        """Calls a route and holds question and answer against their description."""
        path, method, described = self.operation(operation)
        for name, value in {**parts, "purpose": purpose or ""}.items():
            path = path.replace("{%s}" % name, value)
        client = V.client(certificate, purpose=purpose)
        try:
            reply = client.request(method, path + query, json=body, headers=headers)
        finally:
            client.close()
        self.assertEqual(reply.status, status, reply)
        if body is not None and status < 400:
            self.assertEqual(self.description.faults(described["requestBody"]["content"]["application/json"]["schema"], body), [], operation)
        answer = self.description.resolve(described["responses"][str(status)])
        media = reply.headers["Content-Type"].partition(";")[0]
        self.assertEqual(self.description.faults(answer["content"][media]["schema"], reply.json if "json" in media else reply.body.decode("latin-1")), [], operation)
        if status < 300:
            self.assertEqual("Audit-Record" in answer.get("headers", {}), "Audit-Record" in reply.headers, operation)
            self.assertEqual("ETag" in answer.get("headers", {}), "ETag" in reply.headers, operation)
            self.called.add(operation)
        return reply

    def test_every_route_answers_as_described(self):
        call = self.call
        fields = {"name": "张伟", "email": "open@example.com", "phone": "+8613812345678", "address": {"city": "杭州市"}, "tags": ["a", "b"],
                  "preferences": {"x": [1, None]}}
        made = call("crm-core", "customer.create", 201, {"fields": fields, "external_ref": "o-1", "source": "web"}, "onboarding")
        customer = made.json["customer"]
        call("crm-core", "customer.create", 422, {"fields": {"email": "nonsense"}}, "onboarding")
        items = [{"fields": {"email": "b@example.com"}}, {"fields": {"email": "nonsense"}}]
        call("crm-core", "customer.create_batch", 200, {"mode": "partial", "items": items}, "onboarding")
        call("crm-core", "customer.create_batch", 200, {"items": items[:1]}, "onboarding")
        call("crm-core", "customer.put_by_ref", 200, {"external_ref": "o-1", "fields": {"gender": "female"}}, "onboarding")
        call("crm-core", "customer.put_by_ref", 201, {"external_ref": "o-2", "fields": {"gender": "male"}}, "onboarding")
        found = call("service-desk", "customer.search", 200, {"where": {"email": "open@example.com"}, "limit": 5}, "support")
        seen = found.json["data"][0]["customer"]
        call("service-desk", "customer.read", 200, purpose="support", customer=seen, query="?fields=email,phone,bank_card,wechat,address&form=best")
        read = call("crm-core", "customer.read", 200, purpose="onboarding", customer=customer)
        call("crm-core", "customer.update", 428, {"fields": {"wechat": "wx"}}, "onboarding", customer=customer)
        call("crm-core", "customer.update", 200, {"fields": {"wechat": "wx", "gender": None}}, "onboarding", customer=customer,
             headers={"If-Match": read.headers["ETag"]})
        made = call("crm-core", "record.create", 201, {"data": {"order_no": "A-1"}}, "onboarding", customer=customer, kind="order")
        call("crm-core", "record.list", 200, purpose="onboarding", customer=customer, kind="order")
        call("service-desk", "record.list", 200, purpose="support", customer=seen, kind="order", query="?limit=1")
        call("crm-core", "record.delete", 200, purpose="onboarding", customer=customer, kind="order", record=made.json["record"])
        tokens = [f["token"] for f in read.json["fields"].values()]
        call("crm-core", "token.detokenize", 200, {"tokens": tokens + [customer], "form": "token"}, "onboarding")
        call("crm-core", "token.translate", 200, {"tokens": tokens, "audience": "campaigns"}, "onboarding")
        self.consents(customer)
        self.rights(seen)
        call("crm-core", "customer.revoke_tokens", 200, purpose="onboarding", customer=customer)
        call("service-desk", "customer.read", 404, purpose="support", customer=customer)
        self.administration()
        self.log()
        described = {o["operationId"] for methods in self.document["paths"].values() for o in methods.values()}
        # What needs a failed or a finished job is held against the description in the tests of the rights requests.
        self.assertEqual(described - self.called, {"openapi", "rights.retry", "rights.certificate", "rights.export"})

    def consents(self, customer):
        call = self.call
        about = {"purpose": "onboarding", "customer": customer}  # the header's purpose; a path's is the same for all here
        given = {"decision": "given", "channel": "web", "method": "checkbox", "evidence": "scan-1"}
        call("crm-core", "consent.put", 200, given, **about)
        call("crm-core", "consent.put", 422, {**given, "channel": "pigeon"}, **about)
        call("crm-core", "consent.withdraw", 200, **about)
        call("crm-core", "consent.put_batch", 200, {"mode": "partial", "items": [
            {"customer": customer, "purpose": "survey", "consent": {"decision": "refused"}}, {"customer": customer, "purpose": "none", "consent": {}}]}, "onboarding")
        call("crm-core", "basis.put", 200, {"basis": "contract"}, **about)
        call("crm-core", "basis.delete", 200, **about)
        call("crm-core", "objection.put", 200, **about)
        call("crm-core", "objection.delete", 200, **about)
        call("crm-core", "restriction.put", 200, **about)
        call("crm-core", "restriction.delete", 200, **about)
        call("crm-core", "consent.list", 200, **about)
        call("crm-core", "consent.read", 200, **about)
        call("crm-core", "consent.receipt", 200, **about)
        call("crm-core", "key.signing")
        for status in (201, 200):
            call("compliance-1", "notice.put", status, {"texts": {"en": "We keep it."}, "renew": True}, name="described")
        call("crm-core", "notice.read", name="described")

    def rights(self, customer):
        call = self.call
        def open_(kind, **more):
            return call("service-desk", "rights.open", 201, {"customer": customer, "kind": kind, **more}, "support").json
        made = open_("rectify", scope={"fields": ["email"]})
        call("service-desk", "rights.open", 409, {"customer": customer, "kind": "rectify", "scope": {"fields": ["email"]}}, "support")
        one = {"id": made["id"]}
        token = call("compliance-1", "rights.read", **one).json["request"]["customer"]
        call("compliance-1", "rights.list", query="?kind=rectify")
        call("service-desk", "rights.amend", 200, {"scope": {"fields": ["email", "phone"]}}, **one)
        call("compliance-1", "rights.verify", **one)
        shown = call("compliance-1", "rights.submit", 200, {"identity_check": "seen"}, **one).json
        call("compliance-1", "rights.note", 200, {"text": "called back"}, **one)
        call("compliance-1", "rights.assign", 200, {"assignee": "officer-2"}, **one)
        call("compliance-1", "rights.extend", 200, {"reason": "complex"}, **one)
        call("compliance-1", "rights.approve", 200, {"scope_hash": shown["scope_hash"]}, **one)
        call("compliance-1", "rights.complete", **one)
        call("compliance-1", "rights.retry", 409, **one)
        call("compliance-1", "rights.certificate", 409, **one)
        call("compliance-1", "rights.export", 409, **one)
        other = {"id": open_("export")["id"]}
        call("compliance-1", "rights.deny", 200, {"reason": "identity_not_proved"}, **other)
        call("service-desk", "rights.cancel", 200, id=open_("export")["id"])
        hold = {"customer": token, "scope": {"records": ["order"]}, "reason": "lawsuit", "law": "HGB 257", "until": "2099-01-01T00:00:00Z"}
        held = {"id": call("compliance-1", "hold.propose", 201, hold, "rights").json["id"]}
        call("compliance-1", "hold.list")
        call("compliance-1", "retention.preview")
        call("compliance-1", "hold.confirm", 403, **held)
        call("compliance-2", "hold.confirm", **held)
        call("compliance-2", "hold.release", **held)

    def administration(self):
        call = self.call
        call("service-desk", "caller.whoami")
        call("stranger", "caller.whoami")
        identity = IDENTITY + "surveys"
        call("security", "identity.freeze", 200, {"identity": identity, "reason": "test"})
        call("security", "identity.list")
        call("security", "identity.freeze", 409, {"identity": IDENTITY + "security", "reason": "test"})
        call("security", "identity.thaw", 200, {"identity": identity})
        hook = {"url": "https://campaigns.crm.example/vault", "kinds": ["erasure", "rectification"], "recipient": IDENTITY + "campaigns"}
        for status in (201, 200):
            call("security", "webhook.put", status, hook, name="described")
        call("security", "webhook.list")
        call("security", "webhook.retry", name="described")
        call("security", "webhook.delete", name="described")
        call("admin", "certificate.reload")
        call("admin", "audience.revoke", audience="campaigns")
        call("admin", "key.list")
        call("admin", "key.activate", epoch="1")
        call("admin", "key.destroy", 409, epoch="1")
        V.cluster.sql("INSERT INTO vault.key_epoch (epoch, state, check_value, activated_at, retired_at) "
                               "VALUES (9, 'retiring', 0, now() - interval '90 days', now() - interval '60 days')")
        call("admin", "key.destroy", epoch="9")
        for name in ("field", "purpose"):
            call("crm-core", name + ".list")
        call("crm-core", "field.read", name="email")
        call("crm-core", "purpose.read", name="support")
        mask = [{"name": "keep", "kind": "keep", "keep": [1, 1]}]
        call("admin", "field.put", 201, {"type": "text", "class": "contact", "index": True, "masks": mask, "retention_days": None}, name="described")
        call("admin", "field.put", 200, {"type": "text", "class": "contact", "index": True, "masks": mask, "max_length": 7}, name="described")
        call("admin", "field.put", 409, {"type": "url", "class": "contact"}, name="described")
        call("admin", "field.put", 422, {"type": "phone", "class": "contact"}, name="phone")
        call("admin", "field.put", 422, {"type": "address", "class": "contact"}, name="address")
        for status in (201, 200):
            call("admin", "purpose.put", status, {"title": "Described", "legal_basis": "contract"}, name="described")
        text = call("admin", "policy.read").json["active"]["text"]
        call("admin", "policy.check", 200, {"text": text})
        call("admin", "policy.check", 200, {"text": "alow"})
        call("admin", "policy.check", 200, {"text": text, "tests": (vault.ROOT / "policy/rules/crm.tests").read_text()})
        call("admin", "policy.activate", 422, {"text": "alow"})
        call("admin", "policy.activate", 200, {"text": text + "\n# again\n"})
        for who in ("campaigns", "nobody"):
            call("admin", "policy.explain", 200, {"identity": IDENTITY + who, "purpose": "marketing", "field": "email", "state": ["consented"]})

    def log(self):
        page = self.call("security", "audit.list", query="?limit=500")
        self.assertTrue({"read", "create", "update", "delete", "search", "translate", "revoke", "manage", "stream"}
                        <= {r["activity"] for r in page.json["data"]})
        self.call("security", "audit.list", query="?limit=1")
        self.call("security", "audit.list", 400, query="?limit=0")
        self.call("security", "audit.read", id=audit_log.ids_of(page.headers["Audit-Record"])[0])
        self.call("admin", "audit.list", 403)
        record = audit_log.ids_of(page.headers["Audit-Record"])[0]
        vault.wait_until(lambda: V.client("security").get("/v1/audit/records/%s/proof" % record).status == 200, 10, "the record is sealed")
        self.call("security", "audit.proof", id=record)
        self.call("admin", "audit.proof", 404, id=record)
        self.call("security", "audit.checkpoint")
        self.call("admin", "audit.checkpoint", 403)
        self.call("security", "audit.tile", tile="entries/000.p/1")
        self.call("security", "audit.tile", 404, tile="0/x000/000")
        self.call("admin", "audit.new_origin", 409, {"origin": "vault.invalid/audit"})
        self.call("admin", "audit.new_origin", 201, {"origin": "vault.invalid/described"})
        since = "&since=2026-01-01T00:00:00Z&until=2100-01-01T00:00:00Z"
        self.call("security", "audit.scope", query="?actor=spiffe://crm.example/svc/service-desk" + since)
        self.call("security", "audit.scope", 400, query="?actor=x")
        self.call("admin", "audit.scope", 403, query="?actor=x" + since)
        streams = self.call("security", "audit.streams").json["data"]
        stream = str(next(s["stream"] for s in streams if s["next_seq"] > 2))
        self.call("security", "audit.streams", 400, query="?after=x")
        self.assertEqual(self.call("security", "audit.stream", stream=stream, query="?from=2").json["data"][0]["id"], stream + "-2")
        self.call("security", "audit.stream", 404, stream="x")
        self.call("admin", "audit.stream", 403, stream=stream)
        self.call("security", "audit.scrub", 202)
        self.call("security", "audit.scrub_status")
        self.call("admin", "audit.scrub_status", 403)
        sref = next(r["sref"] for r in page.json["data"] if "sref" in r)
        self.call("security", "canary.put", sref=sref)
        self.call("security", "canary.put", 400, sref="x")
        self.call("security", "canary.list")
        self.call("security", "canary.delete", sref=sref)
        self.call("security", "canary.delete", 404, sref=sref)
        self.call("compliance-1", "canary.list", 403)

    def test_every_example_fits_its_schema(self):
        def look(node, where):
            if isinstance(node, list):
                for i, item in enumerate(node):
                    look(item, f"{where}[{i}]")
            elif isinstance(node, dict):
                if "schema" in node and "example" in node:
                    example = node["example"]
                    if where.endswith("x-ndjson"):
                        example = json.loads(example)
                    self.assertEqual(self.description.faults(node["schema"], example), [], where)
                for name, item in node.items():
                    if name != "example":
                        look(item, where + "/" + name)
        look(self.document, "")


if __name__ == "__main__":
    vault.main()
