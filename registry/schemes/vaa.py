"""VAA, the codes of issuing agency VAA (ISO/IEC 15459): a national handle in another writing, so they are handles.

`VAA`, country 3, industry 3, enterprise from 8 digits, '/', the enterprise's own code: VAA08810012345678/abc123 is
88.100.12345678/abc123. In bar codes the data identifier 25S stands in front (ISO/IEC 15418); as a DID it is the handle
behind did:vaa and the name of its contract; did:vaa with 27 to 31 characters of base58 names no enterprise and is a
DID of its own. Whether zeros may fill up an enterprise's number no source says: its digits are taken as they stand.
"""

import re
from typing import Final

from registry.errors import InvalidHandle
from registry.handle import Handle

SYSTEM: Final = "vaa"

_LOOKS: Final = re.compile(r"(?:25S)?VAA[0-9]|did:vaa:IDcontract[0-9]+:", re.IGNORECASE)
_CODE: Final = re.compile(r"(?:25S)?VAA0(86|88)([0-9]{3})([0-9]{8,128})/(.+)", re.IGNORECASE | re.DOTALL)
_DID: Final = re.compile(
    r"did:vaa:IDcontract[0-9]+:((?:86|88)\.[0-9]{3,5}\.[0-9]{1,128})/(.+)", re.IGNORECASE | re.DOTALL
)


def shape(text: str) -> bool:
    return text[:1] in "Vv2dD" and _LOOKS.match(text) is not None


def from_text(text: str) -> Handle:
    """Raises InvalidHandle."""
    if code := _CODE.fullmatch(text):
        country, industry, enterprise, own = code.groups()
        return Handle.from_text(f"{country}.{industry}.{enterprise}/{own}")
    if did := _DID.fullmatch(text):
        return Handle.from_text(f"{did[1]}/{did[2]}")
    raise InvalidHandle("vaa.syntax", code=text)
