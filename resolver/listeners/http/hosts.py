"""Hosts that mean another machine to everybody who reads them: private and local addresses, in any writing.

A redirect to one would lead a visitor's browser to what stands inside the visitor's own network. Names are not looked
up: what a name means elsewhere nobody here knows, and a question to DNS would make each redirect wait.
"""

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from registry.public_address import is_public_address

# Names that never leave a network (RFC 6761, RFC 6762, RFC 8375, and the one that ICANN keeps for it).
_LOCAL: Final = ("localhost", "local", "internal", "home.arpa", "intranet", "lan")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DOTTED: Final = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")
_DOTS: Final = re.compile("[\u3002\uff0e\uff61]")  # Full stops that browsers read as dots (UTS #46).


@lru_cache(maxsize=4096)  # A registry leads to some hundreds of hosts, a million times each.
def is_public(authority: str) -> bool:
    """Whether the host of a web address, which may have a user in front and a port behind, is one of the Internet."""
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        return _is_public(host[1:].partition("]")[0])
    name = _DOTS.sub(".", unicodedata.normalize("NFKC", unquote(host.partition(":")[0]))).lower().removesuffix(".")
    last = name.rpartition(".")[2]
    if _NUMBER.fullmatch(last):
        # Browsers read 127.1, 0x7f000001 and 2130706433 as addresses too: only the usual writing can be judged.
        return _DOTTED.fullmatch(name) is not None and _is_public(name)
    return bool(name) and not any(name == local or name.endswith(f".{local}") for local in _LOCAL)


def _is_public(text: str) -> bool:
    try:
        return is_public_address(ipaddress.ip_address(text))
    except ValueError:
        return False
