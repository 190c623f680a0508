"""Writes tests/vectors/codes.toml: 500 codes of every system, mixed, each with the handle it is kept under.

    python -m tests.registry.schemes.codes > tests/vectors/codes.toml

Codes are put together from their parts, so nothing of what reads them is used here; the first ones are traps, by hand.
"""

import random
import sys
from collections.abc import Callable, Iterator

SEED = 6
CODES = 500
ALPHANUMERIC = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

Code = tuple[str, str, str]
"""The text, its system, and its handle or, behind a '!', the rule that refuses it."""

TRAPS: list[Code] = [
    ("88.118.8/a.b.c", "handle", "88.118.8/a.b.c"),  # Dots in the suffix, and country 88.
    ("88.608.24060301/13.05.01.20230912.000001", "handle", "88.608.24060301/13.05.01.20230912.000001"),
    ("86.100.12/00121336401058520109", "handle", "86.100.12/00121336401058520109"),
    ("88.608.8889/META_1.2.156.1", "handle", "88.608.8889/META_1.2.156.1"),
    ("88.168.10/urn:epc:id:sgtin:0614141.112345.400", "handle", "88.168.10/urn:epc:id:sgtin:0614141.112345.400"),
    ("88.168.10/01/06901234567892", "handle", "88.168.10/01/06901234567892"),
    ("20.500.12345/x", "handle", "20.500.12345/x"),
    ("10.1000/182", "handle", "10.1000/182"),
    ("1.2.156.10001/5", "handle", "1.2.156.10001/5"),  # With a '/', the arcs are a prefix.
    ("1.2", "handle", "0.NA/1.2"),  # Two arcs may be a prefix.
    ("86.122.2", "handle", "0.NA/86.122.2"),
    ("10.11.12.13", "handle", "0.NA/10.11.12.13"),  # No arc begins with 10.
    ("1.2.156.10001", "oid", "oid/1.2.156.10001"),
    ("1.2.156.3088.1.ABC", "oid", "oid/1.2.156.3088.1.abc"),
    ("1.2.156.010", "oid", "!oid.arc"),
    ("1.40.3", "oid", "!oid.root"),
    ("2.16.156.1", "oid", "oid/2.16.156.1"),
    ("/Country/CN/1", "oid", "oid/2.16.156.1"),
    ("000016901234567892", "ecode", "ecode/000016901234567892"),  # As long as an SSCC, but its check digit is not.
    ("000016901234567899", "gs1", "gs1/00/000016901234567899"),  # And here it is, and the GTIN's is not.
    ("000016901234567890", "ecode", "!ecode.gtin"),
    ("10064123456", "ecode", "ecode/10064123456"),
    ("1006412345677", "both", "!code.ambiguous"),  # A known number system of Ecode, and a GTIN with its check digit.
    ("ecode:1006412345677", "ecode", "ecode/1006412345677"),
    ("(01)01006412345677", "gs1", "gs1/01/01006412345677"),
    ("ecode:4000112345", "ecode", "!ecode.unsure"),
    ("6901234567892", "gs1", "gs1/01/06901234567892"),
    ("6901234567893", "handle", "0.NA/6901234567893"),  # Its check digit is wrong: nothing says that it is a GTIN.
    ("VAA08810012345678/abc123", "vaa", "88.100.12345678/abc123"),
    ("VAA15610012345678/abc123", "vaa", "!vaa.syntax"),
    ("VAA/abc", "handle", "VAA/abc"),
    ("MA.156.1003.1629/10.46100000.riseplatform", "ma", "ma/156.1003.1629/10.46100000.riseplatform"),
    ("MA.156.M0.100761.21234561.Sx8.M220117.L1.C3", "ma", "ma/156.M0.100761.21234561.Sx8.M220117.L1.C3"),
    ("MA.1/2", "handle", "MA.1/2"),
    ("did:cn:88.168.10", "did", "0.NA/88.168.10"),
    ("did:key:z6Mk", "did", "!did.method"),
    ("uid:1", "uid", "!uid.unsure"),
    ("086.118.000008/01.01.01.20250618.000001", "handle", "086.118.000008/01.01.01.20250618.000001"),
    ("P25061", "handle", "0.NA/P25061"),
    ("hdl:88.168.10/x", "handle", "88.168.10/x"),
    ("https://hdl.handle.net/88.168.10/x", "handle", "88.168.10/x"),
]


def check_digit(digits: str) -> str:
    odd, even = digits[::-1][::2], digits[::-1][1::2]
    return str((10 - (3 * sum(map(int, odd)) + sum(map(int, even))) % 10) % 10)


class Maker:
    """Codes of each system by chance, the same for ever."""

    def __init__(self) -> None:
        self.chance = random.Random(SEED)

    def digits(self, count: int) -> str:
        return "".join(self.chance.choices("0123456789", k=count))

    def letters(self, alphabet: str, least: int, most: int) -> str:
        return "".join(self.chance.choices(alphabet, k=self.chance.randint(least, most)))

    def handle(self) -> Code:
        prefix = (
            f"{self.chance.choice(['86', '88'])}.{self.chance.randint(100, 999)}.{self.chance.randint(1, 99999999)}"
        )
        suffix = self.chance.choice(["C.POY111-48.20250618.A12S07-0421", self.letters(ALPHANUMERIC, 4, 30), "P.2025/1"])
        return f"{self.chance.choice(['', '', 'hdl:'])}{prefix}/{suffix}", "handle", f"{prefix}/{suffix}"

    def vaa(self) -> Code:
        country, industry, enterprise = self.chance.choice(["86", "88"]), self.digits(3), self.digits(8)
        own = self.letters(ALPHANUMERIC, 3, 12)
        handle = f"{country}.{industry}.{enterprise}/{own}"
        code = f"VAA0{country}{industry}{enterprise}/{own}"
        return self.chance.choice([code, f"25S{code}", f"did:vaa:IDcontract1:{handle}"]), "vaa", handle

    def oid(self) -> Code:
        root = self.chance.choice(["1.2.156", "2.16.156", "1.3.6.1"])
        oid = ".".join([root, *(str(self.chance.randint(0, 99999)) for _ in range(self.chance.randint(1, 5)))])
        iri = f"/{oid.replace('.', '/')}"
        return self.chance.choice([oid, f"urn:oid:{oid}", iri, f"oid:{oid}"]), "oid", f"oid/{oid}"

    def ecode(self) -> Code:
        if self.chance.random() < 0.5:
            code = (
                f"{self.chance.choice(['10064', '20128', '300121'])}{self.digits(self.chance.choice([6, 10, 15, 16]))}"
            )
            return code, "ecode", f"ecode/{code}"
        code = f"{self.chance.choice(['1', '2'])}{self.digits(4)}{self.letters(ALPHANUMERIC, 5, 20)}"
        return f"ecode:{code}", "ecode", f"ecode/{code}"

    def ma(self) -> Code:
        own = f"156.{self.digits(4)}.{self.digits(self.chance.randint(3, 6))}"
        behind = self.chance.choice(["", f"/10.{self.digits(8)}.{self.letters(ALPHANUMERIC, 3, 12)}"])
        return f"MA.{own}{behind}", "ma", f"ma/{own}{behind}"

    def did(self) -> Code:
        own = self.chance.choice(["e", "z"]) + self.letters(BASE58, 30, 36)
        if self.chance.random() < 0.5:
            return f"did:bid:{own}", "did", f"did/bid/{own}"
        own = f"mill-{self.digits(3)}:{''.join(self.chance.choices('0123456789abcdef', k=64))}"
        return f"did:cn:{own}", "did", f"did/cn/{own}"

    def gs1(self) -> Code:
        body = f"069{self.digits(10)}"
        gtin = body + check_digit(body)
        lot, serial = self.letters(ALPHANUMERIC, 3, 10), self.letters(ALPHANUMERIC, 3, 10)
        container = f"3{self.digits(16)}"
        sscc = container + check_digit(container)
        return self.chance.choice(
            [
                (gtin[1:], "gs1", f"gs1/01/{gtin}"),
                (gtin, "gs1", f"gs1/01/{gtin}"),
                (sscc, "gs1", f"gs1/00/{sscc}"),
                (f"(00){sscc}", "gs1", f"gs1/00/{sscc}"),
                (f"(01){gtin}(10){lot}", "gs1", f"gs1/01/{gtin}/10/{lot}"),
                (f"]C101{gtin}10{lot}\x1d21{serial}", "gs1", f"gs1/01/{gtin}/10/{lot}/21/{serial}"),
                (f"https://id.example/01/{gtin}/21/{serial}", "gs1", f"gs1/01/{gtin}/21/{serial}"),
                (f"urn:epc:id:sgtin:{gtin[1:8]}.{gtin[0]}{gtin[8:13]}.{serial}", "gs1", f"gs1/01/{gtin}/21/{serial}"),
                (f"/01/{gtin}/10/{lot}", "gs1", f"gs1/01/{gtin}/10/{lot}"),
            ]
        )


def codes() -> Iterator[Code]:
    yield from TRAPS
    maker = Maker()
    makers: list[Callable[[], Code]] = [maker.handle, maker.vaa, maker.oid, maker.ecode, maker.ma, maker.did, maker.gs1]
    for number in range(CODES - len(TRAPS)):
        yield makers[number % len(makers)]()


def document() -> str:
    lines = ["# Made by tests/registry/schemes/codes.py, which says what is in it."]
    for text, system, handle in codes():
        escaped = text.replace("\x1d", "\\u001D")
        lines += ["", "[[code]]", f'text = "{escaped}"', f'system = "{system}"', f'handle = "{handle}"']
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
