#!/usr/bin/env python3
"""Sample data for development: 1,000 synthetic customers with orders and complaints.

    sample.py print                     a JSON object a line, the same on every run
    sample.py load --url ... --certs    loads them through the API where the database is empty
    sample.py tour --url ... --certs    prints three curl lines that work when pasted
    sample.py start --url ... --certs   both

Nobody of these exists: e-mail lies in example.com/.org/.net, Western phone numbers in 555-01xx, Chinese ones in a block of
ten thousand; numbers have right check digits because the vault looks at them.
"""

import argparse
import ctypes
import datetime
import http.client
import json
import os
import random
import ssl
import sys
import threading
import urllib.parse

SEED = 20260131
CUSTOMERS = 1000
BATCH = 100
THREADS = 8
TODAY = datetime.date(2026, 1, 31)

SURNAMES = (
    "王 wang 李 li 张 zhang 刘 liu 陈 chen 杨 yang 黄 huang 赵 zhao 吴 wu 周 zhou 徐 xu 孙 sun 马 ma 朱 zhu 胡 hu 郭 guo 何 he "
    "林 lin 高 gao 罗 luo 郑 zheng 梁 liang 谢 xie 宋 song 唐 tang 许 xu 韩 han 冯 feng 邓 deng 曹 cao 彭 peng 曾 zeng "
    "欧阳 ouyang 司马 sima 诸葛 zhuge 上官 shangguan"
).split()
GIVEN_F = "芳 fang 娜 na 敏 min 静 jing 丽 li 艳 yan 娟 juan 霞 xia 秀英 xiuying 桂英 guiying 婷婷 tingting 雪梅 xuemei 欣怡 xinyi 雨桐 yutong 思涵 sihan 梦琪 mengqi".split()
GIVEN_M = "伟 wei 强 qiang 磊 lei 洋 yang 勇 yong 军 jun 杰 jie 涛 tao 超 chao 明 ming 志强 zhiqiang 建华 jianhua 浩然 haoran 子轩 zixuan 宇航 yuhang 俊熙 junxi".split()
FIRST_F = "Emma Olivia Sophia Amelia Chloë Grace Hannah Zoë Alice Julia Nora Eva Lucía Ingrid Maeve Priya".split()
FIRST_M = "Liam Noah Oliver James Henry Lucas Jack Daniel Samuel Owen Hugo Björn José Seán Arthur Milan".split()
LAST = "Smith Johnson Brown Taylor Miller Wilson Moore Clark Lewis Walker Hall Young O'Brien García Müller Nguyễn Kowalski Rossi Dubois Jensen Van-Dijk Novák".split()
CHINA = [  # code of GB/T 2260, region, city, district, postcode
    ("110105", "北京市", "北京市", "朝阳区", "100020"), ("110108", "北京市", "北京市", "海淀区", "100080"),
    ("310104", "上海市", "上海市", "徐汇区", "200030"), ("310115", "上海市", "上海市", "浦东新区", "200120"),
    ("440106", "广东省", "广州市", "天河区", "510630"), ("440305", "广东省", "深圳市", "南山区", "518000"),
    ("330106", "浙江省", "杭州市", "西湖区", "310013"), ("320102", "江苏省", "南京市", "玄武区", "210018"),
    ("510107", "四川省", "成都市", "武侯区", "610041"), ("420106", "湖北省", "武汉市", "武昌区", "430060"),
    ("610113", "陕西省", "西安市", "雁塔区", "710061"), ("350203", "福建省", "厦门市", "思明区", "361001"),
]
ROADS = "人民路 中山路 解放路 建设路 和平路 长江路 文化路 学院路 新华路 幸福路".split()
WEST = [  # country, region, city, postcode
    ("US", "New York", "New York", "10001"), ("US", "California", "San Francisco", "94103"), ("US", "Illinois", "Chicago", "60601"),
    ("US", "Texas", "Austin", "78701"), ("US", "Washington", "Seattle", "98101"), ("US", "Massachusetts", "Boston", "02108"),
    ("CA", "Ontario", "Toronto", "M5H 2N2"), ("CA", "British Columbia", "Vancouver", "V6B 1A1"),
]
AREA_CODES = "212 415 312 512 206 617 416 604 303 702".split()
STREETS = "Oak Street,Maple Avenue,Cedar Lane,High Street,Church Road,Park Avenue,Mill Lane,Station Road".split(",")
TAGS = "vip newsletter wholesale student trial churn_risk referral birthday_club app_user returning".split()
PRODUCTS = [("TEA-01", "茉莉花茶", 6800), ("TEA-02", "Earl Grey", 1250), ("CUP-11", "瓷杯", 3900), ("KET-07", "Kettle", 8990),
            ("GFT-30", "礼盒", 19900), ("BOK-02", "Notebook", 1500), ("LMP-05", "台灯", 12900), ("BAG-09", "Canvas bag", 2490)]
COMPLAINTS = [("delivery", "包裹晚到三天", "The parcel came three days late."), ("quality", "杯子有裂纹", "The cup has a crack."),
              ("billing", "重复扣款", "I was charged twice."), ("service", "客服没有回电", "Nobody called me back.")]


def luhn(body):
    total = 0
    for i, digit in enumerate(reversed(body)):
        d = int(digit) * (2 if i % 2 == 0 else 1)
        total += d - 9 if d > 9 else d
    return body + str(-total % 10)


def resident_id(area, born, rng, female):
    """GB 11643: area, birth date, order number (odd: male), check digit by ISO 7064 mod 11-2."""
    body = area + born.strftime("%Y%m%d") + "%02d" % rng.randrange(100) + str(rng.randrange(5) * 2 + (0 if female else 1))
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, weights)) % 11]


def pair(rng, words):
    i = rng.randrange(len(words) // 2) * 2
    return words[i], words[i + 1]


def ascii_of(name):
    import unicodedata
    flat = unicodedata.normalize("NFD", name)
    return "".join(c for c in flat if c.isascii() and c.isalnum()).lower()


def birth_date(rng):
    return TODAY - datetime.timedelta(days=rng.randrange(18 * 366, 85 * 365))


def chinese(n, rng):
    female = rng.random() < 0.5
    surname, surname_latin = pair(rng, SURNAMES)
    given, given_latin = pair(rng, GIVEN_F if female else GIVEN_M)
    area, region, city, district, postcode = rng.choice(CHINA)
    born = birth_date(rng)
    return {
        "name": surname + given,
        "email": "%s.%s.%d@example.%s" % (given_latin, surname_latin, n, rng.choice(("com", "org", "net"))),
        "phone": "+86138000%05d" % (n * 7 % 100000),
        "resident_id": resident_id(area, born, rng, female),
        "birth_date": born.isoformat(),
        "gender": "female" if female else "male",
        "address": {"country": "CN", "region": region, "city": city, "district": district,
                    "street": "%s%d号%d室" % (rng.choice(ROADS), rng.randint(1, 399), rng.randint(101, 2904)), "postcode": postcode},
        "bank_card": luhn("621700" + "%012d" % rng.randrange(10**12)),
    }


def western(n, rng):
    female = rng.random() < 0.5
    first, last = rng.choice(FIRST_F if female else FIRST_M), rng.choice(LAST)
    country, region, city, postcode = rng.choice(WEST)
    return {
        "name": first + " " + last,
        "email": "%s.%s.%d@example.%s" % (ascii_of(first), ascii_of(last), n, rng.choice(("com", "org", "net"))),
        "phone": "+1%s55501%02d" % (AREA_CODES[n // 100 % 10], n % 100),
        "birth_date": birth_date(rng).isoformat(),
        "gender": "other" if rng.random() < 0.02 else "female" if female else "male",
        "address": {"country": country, "region": region, "city": city, "street": "%d %s" % (rng.randint(1, 1999), rng.choice(STREETS)),
                    "postcode": postcode},
        "bank_card": luhn("411111" + "%09d" % rng.randrange(10**9)),
    }


def moment(rng, days):
    at = datetime.datetime(2026, 1, 31) - datetime.timedelta(seconds=rng.randrange(days * 86400))
    return at.isoformat() + "Z"


def order(n, i, rng, currency):
    lines = []
    for sku, title, price in rng.sample(PRODUCTS, rng.randint(1, 3)):
        lines.append({"sku": sku, "title": title, "quantity": rng.randint(1, 4), "unit_price_minor": price})
    return {"number": "SO-%05d-%d" % (n, i), "placed_at": moment(rng, 700), "currency": currency, "lines": lines,
            "total_minor": sum(line["quantity"] * line["unit_price_minor"] for line in lines),
            "status": rng.choice(("paid", "shipped", "delivered", "delivered", "returned"))}


def complaint(n, i, rng, is_chinese):
    topic, text_zh, text_en = rng.choice(COMPLAINTS)
    return {"number": "CP-%05d-%d" % (n, i), "opened_at": moment(rng, 400), "channel": rng.choice(("phone", "email", "app")),
            "topic": topic, "text": text_zh if is_chinese else text_en, "status": rng.choice(("open", "closed", "closed"))}


def customers():
    """Yields (item for customers:batch, [(kind, data), ...])."""
    rng = random.Random(SEED)
    for n in range(1, CUSTOMERS + 1):
        is_chinese = rng.random() < 0.7
        fields = chinese(n, rng) if is_chinese else western(n, rng)
        fields["tags"] = sorted(rng.sample(TAGS, rng.randint(0, 4))) or ["new"]
        records = [("order", order(n, i, rng, "CNY" if is_chinese else "USD"))
                   for i in range(rng.choices(range(6), (30, 30, 20, 10, 6, 4))[0])]
        records += [("complaint", complaint(n, i, rng, is_chinese)) for i in range(rng.choices(range(6), (70, 18, 6, 3, 2, 1))[0])]
        yield {"fields": fields, "external_ref": "crm-%d" % n, "source": "sample"}, records


class Caller:
    """One keep-alive connection with the certificate of one service."""

    def __init__(self, url, certs, name, purpose):
        at = urllib.parse.urlsplit(url)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(os.path.join(certs, "ca.pem"))
        context.load_cert_chain(os.path.join(certs, name + ".pem"), os.path.join(certs, name + ".key"))
        self.connection = http.client.HTTPSConnection(at.hostname, at.port, context=context, timeout=60)
        self.headers = {"Content-Type": "application/json", "X-Purpose": purpose}

    def call(self, method, path, body=None):
        payload = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        self.connection.request(method, path, payload, self.headers)
        reply = self.connection.getresponse()
        raw = reply.read()
        try:
            return reply.status, json.loads(raw) if raw else None
        except ValueError:
            return reply.status, None


class Failed(Exception):
    pass


def load_part(args, parts, done, lock, failures):
    """A thread: takes batches until there is none; records go with their customers, so that a load that was cut off goes on
    where it stopped."""
    try:
        caller = Caller(args.url, args.certs, "crm-core", "onboarding")
        while not failures:
            with lock:
                if not parts:
                    return
                part = parts.pop()
            status, reply = caller.call("POST", "/v1/customers:batch", {"mode": "partial", "items": [item for item, _ in part]})
            if status not in (200, 201, 207):
                raise Failed("customers:batch: %s %s" % (status, reply))
            for (item, records), result in zip(part, reply["results"]):
                load_records(caller, item, records, result, done, lock)
    except Exception as e:  # shown by the main thread
        failures.append(e)


def load_records(caller, item, records, result, done, lock):
    error = result.get("error")
    if error:
        if error.get("code") != "external_ref_taken":
            raise Failed("%s: %s" % (item["external_ref"], error))
        with lock:
            done["there already"] += 1
        return
    for kind, data in records:
        status, reply = caller.call("POST", "/v1/customers/%s/records/%s" % (result["customer"], kind), {"data": data})
        if status != 201:
            raise Failed("%s of %s: %s %s" % (kind, item["external_ref"], status, reply))
    with lock:
        done["customers"] += 1
        done["records"] += len(records)


def database_is_empty(conninfo):
    """Asks by libpq itself: a connection string may hold a password, which must not stand in a list of processes."""
    pq = ctypes.CDLL("libpq.so.5")
    for name in ("PQconnectdb", "PQexec"):
        getattr(pq, name).restype = ctypes.c_void_p
    pq.PQgetvalue.restype = ctypes.c_char_p
    pq.PQerrorMessage.restype = ctypes.c_char_p
    connection = ctypes.c_void_p(pq.PQconnectdb(conninfo.encode()))
    try:
        result = ctypes.c_void_p(pq.PQexec(connection, b"SELECT NOT EXISTS (SELECT FROM vault.customer)"))
        if pq.PQresultStatus(result) != 2:
            raise Failed("the database can't be asked whether it is empty: " + pq.PQerrorMessage(connection).decode().strip())
        answer = pq.PQgetvalue(result, 0, 0)
        pq.PQclear(result)
        return answer == b"t"
    finally:
        pq.PQfinish(connection)


def load(args):
    conninfo = os.environ.get("DATABASE_URL", "")
    cut_off = args.mark and os.path.exists(args.mark)
    if conninfo and not cut_off and not database_is_empty(conninfo):
        return
    if args.mark:
        with open(args.mark, "w") as f:
            f.write("A load of sample data began and has not ended.\n")
    everything = list(customers())
    parts = [everything[i:i + BATCH] for i in range(0, len(everything), BATCH)][::-1]
    done, failures, lock = {"customers": 0, "records": 0, "there already": 0}, [], threading.Lock()
    threads = [threading.Thread(target=load_part, args=(args, parts, done, lock, failures), daemon=True) for _ in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        while t.is_alive():
            t.join(0.2)
            if sys.stdout.isatty():
                print("\rsample: %d of %d customers, %d records" % (done["customers"], CUSTOMERS, done["records"]), end="", flush=True)
    if failures:
        raise Failed(str(failures[0]) or repr(failures[0]))
    end = ", %d were there already" % done["there already"] if done["there already"] else ""
    print("%ssample: %d customers and %d records loaded%s" % ("\r" if sys.stdout.isatty() else "", done["customers"], done["records"], end))
    if args.mark:
        os.remove(args.mark)


def curl(args, name, purpose, path, body=None):
    certs = args.certs
    line = "curl -w '\\n' --cacert %s/ca.pem --cert %s/%s.pem --key %s/%s.key -H 'X-Purpose: %s'" % (certs, certs, name, certs, name, purpose)
    if body is not None:
        line += " -H 'Content-Type: application/json' -d '%s'" % json.dumps(body)
    return line + " '%s%s'" % (args.url, path)


def found(args, name, purpose, where):
    """Every audience has tokens of its own, so each caller finds the customer itself."""
    status, reply = Caller(args.url, args.certs, name, purpose).call("POST", "/v1/customers:search", {"where": where, "limit": 1})
    if status != 200 or not reply.get("data"):
        return None
    return reply["data"][0]["customer"]


def tour(args):
    item = next(customers())[0]
    email = {"email": item["fields"]["email"]}
    own = found(args, "crm-core", "onboarding", email)
    desk = found(args, "service-desk", "support", email)
    if not own or not desk:
        print("sample: the sample customers are not in this database, so there is no tour")
        return
    print("\n# The CRM's core gets tokens:")
    print(curl(args, "crm-core", "onboarding", "/v1/customers/" + own))
    print("\n# The service desk gets masked values:")
    print(curl(args, "service-desk", "support", "/v1/customers/%s?fields=name,email,phone&form=masked" % desk))
    print("\n# A stranger is refused:")
    print(curl(args, "stranger", "support", "/v1/customers:search", {"where": email}))
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description="Sample data of the vault.")
    parser.add_argument("what", choices=("print", "load", "tour", "start"))
    parser.add_argument("--url", default="https://127.0.0.1:8443")
    parser.add_argument("--certs", default="certs/dev")
    parser.add_argument("--mark", help="file that exists while a load has begun and not ended")
    args = parser.parse_args()
    try:
        if args.what == "print":
            for item, records in customers():
                print(json.dumps({**item, "records": [{"kind": k, "data": d} for k, d in records]}, ensure_ascii=False))
        else:
            if args.what in ("load", "start"):
                load(args)
            if args.what in ("tour", "start"):
                tour(args)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except (Failed, OSError, http.client.HTTPException) as e:
        print("\nsample: %s" % e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
