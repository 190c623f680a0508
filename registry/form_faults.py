"""What is wrong with JSON that is not as its form has it: at which path, which rule, and the value that is there."""

import re
from typing import Any, Final

import msgspec

from registry.errors import ProtocolFault

MAX_SHOWN: Final = 60  # Characters of the value.
SECRET: Final = frozenset({"password", "secret", "token"})
_PATH: Final = re.compile(r"(?P<rule>.*?)(?: - at `(?P<path>.*)`)?", re.DOTALL)
_FIELD: Final = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_STEPS: Final = re.compile(r"\.([^.\[]+)|\[([0-9]+)\]")
_RULES: Final = {"missing required": "json.missing", "contains unknown": "json.unknown_field"}


def fault_of(error: Exception, body: bytes) -> ProtocolFault:
    """What msgspec refused a body for."""
    if not isinstance(error, msgspec.ValidationError):
        return ProtocolFault("json.syntax", reason=str(error))
    said = _PATH.fullmatch(str(error))
    assert said is not None
    path = said["path"] or "$"
    if (field := _FIELD.fullmatch(said["rule"])) is not None:
        return ProtocolFault(_RULES[field["what"]], path=f"{path}.{field['name']}")
    return ProtocolFault("json.field", path=path, rule=said["rule"], value=_shown(path, body))


def _shown(path: str, body: bytes) -> str:
    """The value at a path as JSON; of what cannot be found or must not be shown, an ellipsis."""
    if "[...]" in path or path.rpartition(".")[2].lower() in SECRET:
        return "…"
    try:
        value: Any = msgspec.json.decode(body)
        for name, number in _STEPS.findall(path):
            value = value[name] if name else value[int(number)]
    except (LookupError, TypeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "…"  # What stands behind the fault was not read yet, and may be no JSON at all.
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
