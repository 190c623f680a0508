"""What is on a label: a symbol, and under it what people read.

A QR code holds the address of the identifier's page, for phones; of a key of GS1 its Digital Link. The others hold the
identifier itself, for scanners that type: of a key of GS1 its element string.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from registry.errors import InvalidHandle, ProtocolFault
from registry.labels.symbol import Content, Modules, Symbology, modules_of
from registry.schemes import gs1
from registry.schemes.gs1_keys import Key
from registry.schemes.recognition import recognise

MAX_BASE: Final = 200  # Characters: what stands before an identifier makes every symbol of a job larger.
_BASE: Final = re.compile(r"https?://[0-9A-Za-z.:\[\]_-]+(?:/[0-9A-Za-z._~%/-]*)?", re.IGNORECASE)
_SAFE_IN_PATH: Final = "!$&'()*+,/:;=@~-._"


@dataclass(frozen=True, slots=True)
class Label:
    """A symbol and the text under it."""

    symbology: Symbology
    modules: Modules
    text: str


def label_of(identifier: str, symbology: Symbology, base: str = "") -> Label:
    """The label of an identifier in any form that is recognised; `base` stands before it in a QR code.

    Raises InvalidHandle.
    """
    key, addressed = _gs1_key(identifier), bool(base) and symbology is Symbology.QR
    if key is None:
        if symbology is Symbology.GS1_128:
            raise InvalidHandle("label.no_key", handle=identifier[:80])
        text = _address(base, quote(identifier, safe=_SAFE_IN_PATH)) if addressed else identifier
        return Label(symbology, modules_of(symbology, Content(text)), identifier)
    if addressed:
        path = "/".join(f"{ai}/{quote(value, safe='')}" for ai, value in key.elements)
        content = Content(_address(base, path))
    else:
        content = Content(elements=key.elements)
    shown = "".join(f"({ai}){value}" for ai, value in key.elements)
    return Label(symbology, modules_of(symbology, content), shown)


def symbology_of(name: str) -> Symbology:
    """Raises ProtocolFault."""
    try:
        return Symbology(name)
    except ValueError:
        known = ", ".join(one.value for one in Symbology)
        raise ProtocolFault("http.parameter", name="symbol", value=name[:40], rule=f"is none of {known}") from None


def check_base(base: str) -> str:
    """An address to put before identifiers, without a slash at its end. Raises ProtocolFault."""
    if base and (len(base) > MAX_BASE or not _BASE.fullmatch(base)):
        raise ProtocolFault("http.parameter", name="base", value=base[:40], rule="is no web address to be printed")
    return base.rstrip("/")


def _gs1_key(identifier: str) -> Key | None:
    """Raises InvalidHandle."""
    recognised = recognise(identifier)
    handle = recognised.handle
    if recognised.system != gs1.SYSTEM and handle.prefix.lower() != gs1.SYSTEM:
        return None
    return gs1.key_from_text(handle.suffix)


def _address(base: str, path: str) -> str:
    return f"{base}/{path.replace('/', '%2F', 1) if path.startswith('/') else path}"
