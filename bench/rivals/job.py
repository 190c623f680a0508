"""The job that every server is given: the record of a name, some 408 octets of JSON, for any of a million names.

Every record says its own number twice, so that another one's answer shows. Only the standard library is used here:
the rivals' own environments import it too.
"""

import json
from typing import Any, Final

PREFIX: Final = "88.168.10"
DIGITS: Final = 15  # As many as make a name of 27 octets, like those of the demo's pallets.
WRITTEN_AT: Final = 1_750_000_000
WRITTEN: Final = "2025-06-15T15:06:40Z"
TTL: Final = 86400
ZONE: Final = "peers.test"  # Of the same names in the Domain Name System.
TXT_PART: Final = 255  # Octets of one character string, RFC 1035 section 3.3.


def name(number: int) -> str:
    return f"{PREFIX}/P.{number:0{DIGITS}d}"


def values(number: int) -> tuple[tuple[int, str, str], ...]:
    """Index, type and data of each value."""
    return (
        (1, "URL", f"https://id.example/pallets/{number:0{DIGITS}d}"),
        (2, "DESC", "POY 111 dtex/48 f, semi-dull, batch P24050101, winder A01, 8 boxes of 6 cakes"),
    )


def record(number: int) -> dict[str, Any]:
    """What a resolution answers."""
    return {
        "responseCode": 1,
        "handle": name(number),
        "values": [
            {
                "index": index,
                "type": kind,
                "data": {"format": "string", "value": data},
                "ttl": TTL,
                "timestamp": WRITTEN,
            }
            for index, kind, data in values(number)
        ],
    }


def body(number: int) -> bytes:
    return json.dumps(record(number), separators=(",", ":")).encode()


def domain_name(number: int) -> str:
    return f"p{number:0{DIGITS}d}.{ZONE}"


def txt(number: int) -> tuple[str, ...]:
    """The record as a text of the Domain Name System, with single quotation marks so that none has to be escaped."""
    text = body(number).decode().replace('"', "'")
    return tuple(text[start : start + TXT_PART] for start in range(0, len(text), TXT_PART))
