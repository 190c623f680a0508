"""Asking a node over HTTP or HTTPS, without a server's libraries: one request, one JSON answer."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from resolver.cli.invocation import Failed

TIMEOUT: Final = 30.0  # Seconds; a node answers in milliseconds, or says within seconds that it cannot.
MAX_ANSWER: Final = 64 << 20  # Octets; a record has at most a quarter of a MiB, and JSON grows it by less than ten.


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> int:
        """The response code of the Handle protocol; 2 (error) for what is no Handle answer."""
        return int(self.body.get("responseCode", 2)) if isinstance(self.body, dict) else 2


@dataclass(frozen=True, slots=True)
class Node:
    """A node at an address, trusted by the system's certificates and perhaps one more."""

    url: str
    certificate: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Answer:
        """Raises Failed when there is no answer, or none in JSON."""
        url = self.url.rstrip("/") + path
        request = urllib.request.Request(url, body, {**self.headers}, method=method)  # noqa: S310  # checked below
        if not url.startswith(("http://", "https://")):
            raise Failed("node.unreachable", url=url, reason="http:// or https://")
        try:
            with self._opener().open(request, timeout=TIMEOUT) as response:
                return _answer(url, response.status, response.read(MAX_ANSWER), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(url, error.code, error.read(MAX_ANSWER), error.headers)
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise Failed("node.certificate", url=url, reason=error.reason.verify_message) from None
            raise Failed("node.unreachable", url=url, reason=_reason(error.reason)) from None
        except OSError as error:
            raise Failed("node.unreachable", url=url, reason=_reason(error)) from None

    def _opener(self) -> urllib.request.OpenerDirector:
        context = ssl.create_default_context()
        if self.certificate is not None:
            context.load_verify_locations(self.certificate)
        return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))


def handle_path(handle: str) -> str:
    """Where a handle's record is; every octet that a path could lose is percent-encoded."""
    return f"/api/handles/{quote(handle, safe='/')}"


def _answer(url: str, status: int, octets: bytes, headers: Any) -> Answer:
    try:
        return Answer(status, json.loads(octets), {name.lower(): value for name, value in headers.items()})
    except ValueError:
        raise Failed("node.answer", url=url, status=status) from None


def _reason(error: object) -> str:
    return getattr(error, "strerror", None) or str(error)
