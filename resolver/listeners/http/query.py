"""The parameters of a request, from its query or from a JSON body that stands for one."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from registry.errors import ProtocolFault
from registry.routes import FLAGS

MAX_PARAMETERS: Final = 1024  # Half as many as a record has values; nobody lists more than a few of them.
MAX_NUMBER: Final = (1 << 31) - 1  # Numbers are signed integers of four octets for the Java clients.


class Query:
    """Parameters by name, each perhaps several times."""

    __slots__ = ("_texts",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._texts: dict[str, list[str]] = {}
        for name, text in pairs:
            self._texts.setdefault(name, []).append(text)

    @classmethod
    def from_request(cls, request: web.Request) -> "Query":
        """Raises ProtocolFault."""
        raw = request.raw_path.partition("?")[2]
        if not raw:
            return cls(())
        try:
            octets = raw.encode("utf-8", "surrogateescape")
            pairs = parse_qsl(octets, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
        except ValueError:
            raise ProtocolFault("http.parameters", limit=MAX_PARAMETERS) from None
        return cls((name.decode(errors="replace"), text.decode(errors="replace")) for name, text in pairs)

    @classmethod
    def from_json(cls, form: Mapping[str, Any]) -> "Query":
        """The members of an object are parameters; a list is a parameter several times."""
        return cls((name, _text(one)) for name, value in form.items() for one in _several(value))

    def first(self, name: str) -> str | None:
        texts = self._texts.get(name)
        return texts[0] if texts else None

    def every(self, name: str) -> list[str]:
        return self._texts.get(name, [])

    def flag(self, name: str, default: bool) -> bool:
        """Whether a parameter says yes; standing there without a value does. Raises ProtocolFault."""
        text = self.first(name)
        if text is None:
            return default
        answer = FLAGS.get(text.lower())
        if answer is None:
            raise ProtocolFault("http.parameter", name=name, value=text[:40], rule="is neither true nor false")
        return answer

    def number(self, name: str) -> int | None:
        """Raises ProtocolFault."""
        text = self.first(name)
        return None if text is None else _number(name, text)

    def numbers(self, name: str) -> list[int]:
        """Raises ProtocolFault."""
        return [_number(name, text) for text in self.every(name)]


def _number(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 10 and (number := int(text)) <= MAX_NUMBER:
        return number
    raise ProtocolFault("http.parameter", name=name, value=text[:40], rule=f"is not between 0 and {MAX_NUMBER}")


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
