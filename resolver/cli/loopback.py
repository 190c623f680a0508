"""Where the browser comes back to after a log-in: a port of this machine (RFC 8252, section 7.3).

Anybody on the machine, and any page in the browser, can send something there: only what names the state of this log-in
ends the wait.
"""

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Full, Queue
from threading import Thread
from typing import Final
from urllib.parse import parse_qs, urlsplit

from registry.language import Language, text
from resolver.cli.catalogues import MESSAGES
from resolver.cli.invocation import Failed

LOG_IN_LIFE: Final = 600.0  # Seconds; the node knows the log-in for as long.
SILENT: Final = 5.0  # Seconds; browsers open connections ahead and say nothing on them.
HOST: Final = "127.0.0.1"  # "The use of localhost is NOT RECOMMENDED" (section 8.3).


class Loopback:
    """Waits for what the browser brings."""

    def __init__(self, port: int, brought: "Queue[dict[str, str]]") -> None:
        self.redirect_uri = f"http://{HOST}:{port}/"
        self._brought = brought

    def wait(self) -> str:
        """The code. Raises Failed when the provider refuses, or nobody comes."""
        try:
            brought = self._brought.get(timeout=LOG_IN_LIFE)
        except Empty:
            raise Failed("login.late", minutes=int(LOG_IN_LIFE / 60)) from None
        if not brought.get("code"):
            raise Failed("login.refused", reason=brought.get("error_description") or brought.get("error") or "code")
        return brought["code"]


@contextmanager
def open_loopback(port: int, state: str, issuer: str, language: Language) -> Iterator[Loopback]:
    """Listens on this port, or on any free one. Raises Failed."""
    brought: Queue[dict[str, str]] = Queue(maxsize=1)  # Whoever comes a second time is told the same, and not heard.

    class Handler(BaseHTTPRequestHandler):
        timeout = SILENT

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            fields = {name: values[0] for name, values in parse_qs(split.query).items()}
            good = split.path == "/" and _is_ours(fields, state, issuer)
            self._answer(HTTPStatus.OK if good else HTTPStatus.NOT_FOUND, "login.done" if good else "login.stranger")
            if good:
                with contextlib.suppress(Full):
                    brought.put_nowait(fields)

        def _answer(self, status: HTTPStatus, rule: str) -> None:
            body = text(MESSAGES, rule, language).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the line would show the code."""

    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except OSError as error:
        raise Failed("login.port", port=port, reason=error.strerror) from None
    with server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Loopback(server.server_port, brought)
        finally:
            server.shutdown()
            thread.join()


def _is_ours(fields: dict[str, str], state: str, issuer: str) -> bool:
    """Whether this was asked for here, and of the provider that it says it is of (RFC 9207, section 2.4)."""
    return secrets.compare_digest(fields.get("state", "").encode(), state.encode()) and (
        fields.get("iss", issuer) == issuer
    )
