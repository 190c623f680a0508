"""The captured messages of tests/vectors/native.json, and what is known of the keys behind them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parents[2] / "vectors" / "native.json"


@dataclass(frozen=True, slots=True)
class Step:
    """One message; `packets` are its datagrams, in the order in which they arrived."""

    id: str
    direction: str
    transport: str
    octets: bytes
    packets: tuple[bytes, ...]
    decoded: dict[str, Any] = field(default_factory=dict)

    @property
    def is_request(self) -> bool:
        return self.direction == "c2s"


@dataclass(frozen=True, slots=True)
class Exchange:
    id: str
    steps: tuple[Step, ...]

    def pairs(self) -> Iterator[tuple[Step, Step]]:
        """Requests with the first answer to each."""
        for request, answer in pairwise(self.steps):
            if request.is_request and not answer.is_request:
                yield request, answer


@cache
def file() -> dict[str, Any]:
    return json.loads(VECTORS.read_text())


@cache
def exchanges() -> tuple[Exchange, ...]:
    return tuple(
        Exchange(
            vector["id"], tuple(_step(f"{vector['id']}#{number}", step) for number, step in enumerate(vector["steps"]))
        )
        for vector in file()["vectors"]
    )


def steps() -> tuple[Step, ...]:
    return tuple(step for exchange in exchanges() for step in exchange.steps)


def session_keys(exchange_id: str) -> dict[str, bytes]:
    """Session keys by session id, of the run that an exchange belongs to."""
    run = next((keys for name, keys in file()["sessions"].items() if exchange_id.startswith(f"{name}.")), {})
    return {name: bytes.fromhex(key) for name, key in run.items() if name.isdigit()}


def _step(name: str, step: dict[str, Any]) -> Step:
    packets = tuple(bytes.fromhex(packet) for packet in step.get("packets", ()))
    octets = bytes.fromhex(step["message"]) if "message" in step else b""
    return Step(name, step["dir"], step["transport"], octets, packets, step.get("decoded", {}))
