"""Users for people who know locust: over HTTP, and over TCP in the native protocol.

    locust -f bench/locustfile.py --host http://127.0.0.1:8000 --names names.txt HttpUser
    locust -f bench/locustfile.py --host http://127.0.0.1:8000 --names names.txt --native-port 2641 NativeUser

The extra `bench` installs locust. Without --names the demo's first identifiers are asked for. Locust is a closed loop,
and busy long before a node is: for figures there is `filament bench`.
"""

import random
import socket
import time
from argparse import Namespace
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import gevent
from locust import FastHttpUser, User, events, task
from locust.argument_parser import LocustArgumentParser

from bench.identifiers import records
from bench.pools import PLAIN, native
from registry.errors import ResponseCode
from resolver.wire.envelope import ENVELOPE, Envelope
from resolver.wire.message import Message

DEMO: Final = 20_000  # Identifiers, when no file names others.
BATCH: Final = 48  # Identifiers of a pallet.
TIMEOUT: Final = 10.0
OK: Final = 200
NAMES: list[str] = []


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    parser.add_argument("--names", default="", help="file of names, one a line / 标识列表，每行一个")
    parser.add_argument("--native-port", type=int, default=2641, help="native protocol / 原生协议端口")


@events.init.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Locust sets its timer by a clock that stood still since gevent was imported: --run-time would end early."""
    gevent.get_hub().loop.update_now()
    options: Namespace = environment.parsed_options
    if options.names:
        NAMES.extend(filter(None, Path(options.names).read_text("utf-8").split("\n")))
    else:
        NAMES.extend(record.handle for record in records(DEMO))


class HttpUser(FastHttpUser):
    """Scans one label after the other, and now and then a pallet's whole list."""

    connection_timeout = network_timeout = TIMEOUT

    @task(24)
    def resolve(self) -> None:
        name = random.choice(NAMES)
        with self.client.get(f"/api/handles/{quote(name, safe=PLAIN)}", name="resolve", catch_response=True) as answer:
            if answer.status_code != OK or answer.json()["handle"] != name:
                answer.failure(f"{name}: {answer.status_code}")

    @task(1)
    def resolve_list(self) -> None:
        asked = random.choices(NAMES, k=BATCH)
        with self.client.post("/api/resolve", json=asked, name="resolve list", catch_response=True) as answer:
            if answer.status_code != OK or answer.json()["counts"]["found"] != BATCH:
                answer.failure(f"{answer.status_code}: {answer.text[-200:] if answer.text else ''}")


class NativeUser(User):
    """Keeps one connection, as the reference client does not, and asks one thing at a time on it."""

    def on_start(self) -> None:
        host = urlsplit(self.host).hostname or "127.0.0.1"
        self._ids = count(1)
        self._socket = socket.create_connection((host, self.environment.parsed_options.native_port), TIMEOUT)

    def on_stop(self) -> None:
        self._socket.close()

    @task
    def resolve(self) -> None:
        name, begun, octets = random.choice(NAMES), time.perf_counter(), b""
        try:
            octets = self._ask(native(name).octets)
            fault = _fault(octets, name)
        except OSError as error:
            fault = error
        self.environment.events.request.fire(
            request_type="native",
            name="resolve",
            response_time=(time.perf_counter() - begun) * 1000,
            response_length=len(octets),
            exception=fault,
            context={},
        )

    def _ask(self, request: bytes) -> bytes:
        request_id = next(self._ids).to_bytes(4, "big")
        self._socket.sendall(request[:8] + request_id + request[12:])
        envelope = self._receive(ENVELOPE)
        if envelope[8:12] != request_id:
            raise ConnectionError(f"an answer to request {envelope[8:12].hex()}, not {request_id.hex()}")
        return envelope + self._receive(Envelope.from_wire(envelope).checked().length)

    def _receive(self, length: int) -> bytes:
        octets = bytearray()
        while len(octets) < length:
            piece = self._socket.recv(length - len(octets))
            if not piece:
                raise ConnectionError("the node closed the connection")
            octets += piece
        return bytes(octets)


def _fault(octets: bytes, name: str) -> Exception | None:
    """What is wrong with an answer."""
    answer = Message.from_wire(octets)
    if answer.response_code != ResponseCode.SUCCESS or name.encode() not in answer.content:
        return ValueError(f"{name}: response code {answer.response_code}")
    return None
