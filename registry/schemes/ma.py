"""MA, the codes of IDcode (统一标识): an organization, and behind a '/' what it names; or a device's UDI, all dots.

What the letters of a UDI's later parts mean is known (S serial, M made, L and D lots, E expires, V valid, C check), how
its check character is computed is not: it is kept and not judged. What other uses than 10, a product, hold between
their dots no source says, so that is taken as it stands.
"""

import re
from typing import Final

from registry.errors import InvalidHandle
from registry.handle import Handle

SYSTEM: Final = "ma"

MAX_MA: Final = 512  # Characters; a UDI with all its parts has some 80.

_LOOKS: Final = re.compile(r"MA\.[0-9]{3}\.", re.IGNORECASE)
_ORGANIZATION: Final = re.compile(r"MA\.([0-9]{3}\.[0-9A-Za-z]{1,8}\.[0-9]{1,12})", re.IGNORECASE)
_PRODUCT: Final = re.compile(r"/10\.[0-9]{8}\.[^\s/.]+(?:[./][^\s/.]+)*")
_OTHER_USE: Final = re.compile(r"/(?!10\.)[0-9]{1,3}(?:[./][^\s/.]+)+")
_DEVICE: Final = re.compile(r"\.[0-9A-Za-z]{1,20}(?:\.[SMLDEVC][0-9A-Za-z-]+)*")
_MEDICAL: Final = "M0"  # The sector whose codes are UDIs.


def shape(text: str) -> bool:
    return text[:1] in "Mm" and _LOOKS.match(text) is not None


def from_text(text: str) -> Handle:
    """Raises InvalidHandle."""
    organization = _ORGANIZATION.match(text)
    if organization is None or len(text) > MAX_MA:
        raise InvalidHandle("ma.organization", code=text, limit=MAX_MA)
    own, behind = organization[1].upper(), text[organization.end() :]
    if own.split(".")[1] == _MEDICAL:
        _check_device(text, behind)
    elif behind and not (_PRODUCT.fullmatch(behind) or _OTHER_USE.fullmatch(behind)):
        raise InvalidHandle("ma.object", code=text)
    return Handle(SYSTEM, own + behind)


def _check_device(text: str, behind: str) -> None:
    if behind and not _DEVICE.fullmatch(behind):
        raise InvalidHandle("ma.device", code=text)
    letters = [part[0] for part in behind.split(".")[2:]]
    if len(set(letters)) != len(letters) or "C" in letters[:-1]:
        raise InvalidHandle("ma.device_parts", code=text)
