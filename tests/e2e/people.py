"""Synthetic customers for the tests: every check digit is right, nobody exists."""
import random

SURNAMES = ["王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴"]
GIVEN = ["伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "洋"]


def resident_id(first17):
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    return first17 + "10X98765432"[sum(int(d) * w for d, w in zip(first17, weights)) % 11]


def luhn(digits):
    total = 0
    for i, d in enumerate(reversed(digits)):
        n = int(d) * (2 if i % 2 == 0 else 1)
        total += n - 9 if n > 9 else n
    return digits + str(-total % 10)


def iban(country, account):
    number = int("".join(str(int(c, 36)) for c in account + country + "00"))
    return f"{country}{98 - number % 97:02d}{account}"


def uscc(first17):
    """GB 32100: 31 symbols, weights are powers of 3."""
    symbols = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(symbols.index(c) * pow(3, i, 31) for i, c in enumerate(first17))
    return first17 + symbols[-total % 31]


class People:
    """Makes customers; the same seed makes the same ones. word stands in each e-mail and wechat name."""

    def __init__(self, seed=1, word="test"):
        self.random = random.Random(seed)
        self.word = word
        self.n = 0

    def digits(self, n):
        return "".join(self.random.choice("0123456789") for _ in range(n))

    def fields(self):
        """All ten fields of a common customer."""
        self.n += 1
        born = f"{self.random.randint(1950, 2004)}-{self.random.randint(1, 12):02d}-{self.random.randint(1, 28):02d}"
        return {
            "name": self.random.choice(SURNAMES) + self.random.choice(GIVEN),
            "email": f"{self.word}.{self.n}.{self.random.getrandbits(40):x}@example.com",
            "phone": "+86138" + self.digits(8),
            "birth_date": born,
            "gender": self.random.choice(["male", "female"]),
            "address": {"country": "CN", "region": "浙江省", "city": "杭州市", "district": "西湖区",
                        "street": f"文三路{self.random.randint(1, 999)}号", "postcode": "310012"},
            "resident_id": resident_id("330106" + born.replace("-", "") + self.digits(3)),
            "bank_card": luhn("622202" + self.digits(12)),
            "tags": ["gold", "newsletter"],
            "wechat": f"wx_{self.word}_{self.n}_{self.random.getrandbits(32):x}",
        }

    def few(self):
        """Name, e-mail and phone only."""
        return {k: v for k, v in self.fields().items() if k in ("name", "email", "phone")}


# One caller (crm-core) that may do everything with data for onboarding; the others as far as tests need them.
OPEN_POLICY = """
role core     is spiffe://crm.example/svc/crm-core  audience core
role desk     is spiffe://crm.example/svc/service-desk
role admin    is spiffe://crm.example/svc/admin
role security is spiffe://crm.example/svc/security
allow core to read   * as plain for onboarding
allow core to write  *          for onboarding
allow core to search *          for onboarding
allow core to delete *          for onboarding
allow core to translate *       for onboarding
allow desk to read   contact as masked for support
allow desk to search contact.email     for support
allow admin to manage policy
allow admin to manage dictionary
allow admin to manage keys
allow admin to manage callers
allow security to read audit
"""
