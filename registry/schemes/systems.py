"""The code systems: their names, which are prefixes too, and by what a text is told to be theirs."""

from typing import Final

from registry.language import Catalogue

# A prefix of this name holds the codes of the system; "handle" has no prefix of its own, and codes of VAA are handles.
SYSTEMS: Final[Catalogue] = {
    "handle": ("a handle: nothing else it could be", "Handle 标识：不符合其他编码体系的形式"),
    "oid": (
        "an OID: 'urn:oid:', a path below a root arc, or at least three arcs of which the first is 0, 1 or 2",
        "OID：以 urn:oid: 开头、根弧开头的路径，或至少三段且首段为 0、1 或 2",
    ),
    "vaa": (
        "VAA: 'VAA' or '25SVAA' and digits, or 'did:vaa:IDcontract'",
        "VAA：以 VAA 或 25SVAA 加数字开头，或以 did:vaa:IDcontract 开头",
    ),
    "did": ("a DID: begins with 'did:'", "DID：以 did: 开头"),
    "ma": ("MA (IDcode): 'MA.', three digits and a dot", "MA（统一标识）：以 MA.、三位数字和“.”开头"),
    "ecode": (
        "Ecode: begins with 'ecode:', or digits that begin with a version and number system in use",
        "Ecode：以 ecode: 开头，或以已知版本和编码体系标识开头的数字",
    ),
    "gs1": (
        "GS1: a key in the path of a web address, an element string, 'urn:epc:', an RFID tag's EPC, or the digits of a "
        "GTIN or SSCC",
        "GS1：网址路径中的标识代码、单元数据串、以 urn:epc: 开头、RFID 标签的 EPC 十六进制码，或 GTIN、SSCC 的数字",
    ),
    "uid": ("UID: begins with 'uid:'", "UID：以 uid: 开头"),
}

HANDLE: Final = "handle"


def system_of(prefix: str) -> str:
    """The system whose codes are kept under a prefix."""
    name = prefix.lower()
    return name if name in SYSTEMS else HANDLE
