"""GS1 codes in every form that people and machines have them in, read as one handle: `gs1/01/06901234567892/10/ABC`.

A Digital Link URI, an element string as a scanner sends it or as it is printed, an EPC as a URN or as a reader of RFID
tags sends it, the bare figures of a GTIN or SSCC, and the path that is the canonical form itself.
"""

import re
from typing import Final

from registry.errors import InvalidHandle
from registry.handle import Handle
from registry.schemes.check_digit import has_check_digit
from registry.schemes.epc import is_epc, key_from_binary, key_from_urn
from registry.schemes.epc_binary import is_binary
from registry.schemes.gs1_digital_link import is_link, is_plausible, key_from_path, key_from_uri
from registry.schemes.gs1_element_string import is_bracketed, is_scanned, key_from_bracketed, key_from_scanned
from registry.schemes.gs1_keys import GTIN, SSCC, SYSTEM, Key

__all__ = ["SYSTEM", "check_canonical", "from_text", "key_from_text", "shape"]  # A scheme has its name here.

# Lengths of codes that are printed without saying what they are.
_BARE: Final = {8: GTIN, 12: GTIN, 13: GTIN, 14: GTIN, 18: SSCC}
# How element strings begin that a scanner sent without a word of the symbology, and how long their keys are.
_UNLABELLED: Final = {GTIN: 14, SSCC: 18}
_WEB: Final = re.compile("https?://", re.IGNORECASE)


def shape(text: str) -> bool:
    """A web address only when a key stands in its path or it may be compressed; bare figures, and element strings
    without a label, only when their check digit is right."""
    if text[:1] in ("(", "]", "\x1d"):
        return is_bracketed(text) or is_scanned(text)
    if text[:1].isdigit():
        return is_plausible(f"/{text}") or is_scanned(text) or _is_bare(text) or _is_unlabelled(text) or is_binary(text)
    return is_plausible(text) or is_epc(text) or (_WEB.match(text) is not None and is_link(text))


def from_text(text: str) -> Handle:
    """Raises InvalidHandle."""
    return key_from_text(text).handle


def check_canonical(handle: Handle) -> None:
    """Refuses to have a code registered that is wrong, or not written in its one form. Raises InvalidHandle."""
    if handle.prefix.lower() == SYSTEM:
        right = from_text(handle.suffix)
        if right.suffix != handle.suffix:
            raise InvalidHandle("gs1.canonical", handle=str(handle), right=str(right))


def key_from_text(text: str) -> Key:
    """Raises InvalidHandle."""
    path = text.removeprefix("/")
    if is_plausible(f"/{path}"):
        return key_from_path(path)
    if is_epc(text):
        return key_from_urn(text)
    if _WEB.match(text):
        return key_from_uri(text)
    if is_binary(text):
        return key_from_binary(text)
    if _is_bare(text):
        return Key.of(_BARE[len(text)], text)
    return key_from_bracketed(text) if is_bracketed(text) else key_from_scanned(text)


def _is_bare(text: str) -> bool:
    return len(text) in _BARE and has_check_digit(text)


def _is_unlabelled(text: str) -> bool:
    length = _UNLABELLED.get(text[:2])
    return length is not None and len(text) >= 2 + length and has_check_digit(text[2 : 2 + length])
