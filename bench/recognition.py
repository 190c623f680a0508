"""What it costs to read a code: microseconds by system, and beside the look-ups of a plain name, a code and an alias.

    python -m bench.recognition [--quick] [--keep]

Single-threaded and in memory, no server and no database; the fastest of some rounds, as in bench/cost.py.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

from bench.surroundings import keep, surroundings
from registry.handle import Handle, HandleKey, fold_whole
from registry.names import Names
from registry.packing import PackedRecord, pack
from registry.prefix import Prefix, PrefixTable
from registry.schemes.recognition import recognise
from registry.value import HandleValue
from resolver.answer import Answer, found
from resolver.listeners.http.manner import PLAIN
from resolver.listeners.http.ready import ReadyAnswers
from resolver.metrics import Metrics
from resolver.misses import Told
from resolver.tally import Cell

VECTORS: Final = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "codes.toml"
MICRO: Final = 1_000_000
ROUNDS, QUICK_ROUNDS = 200, 10
NAMES: Final = 1000  # Of each kind.
PREFIXES: Final = PrefixTable((Prefix(1, b"88.1", "88.1", True), Prefix(2, b"OID", "oid", True)))
TEXT: Final = b"https://example.org/" + b"x" * 300  # As long as the record of a yarn cake.


class Kept:
    """A source that has everything."""

    staleness = 0.0

    def __init__(self) -> None:
        self.answers: dict[HandleKey, Answer] = {}

    def keep(self, name: str, value: HandleValue) -> None:
        packed = PackedRecord(Handle.from_text(name), pack([value], 0), 0, 1)
        self.answers[fold_whole(name.encode())] = found(packed, 0)

    def peek_fresh(self, key: HandleKey) -> Answer | None:
        return self.answers.get(key)

    def ask(self, key: HandleKey, told: Told) -> None:
        told(self.answers[key])


def fastest(rounds: int, work: Callable[[], object], count: int) -> float:
    """Microseconds of one of `count`, in the fastest round."""
    best = float("inf")
    for _ in range(rounds):
        begun = perf_counter()
        work()
        best = min(best, perf_counter() - begun)
    return best / count * MICRO


def recognition(rounds: int) -> dict[str, float]:
    """By system, from the mixed codes of the tests; those that are refused are left out."""
    codes = [code for code in tomllib.loads(VECTORS.read_text())["code"] if not code["handle"].startswith("!")]
    by_system: dict[str, list[str]] = {}
    for code in codes:
        by_system.setdefault(code["system"], []).append(code["text"])

    def read(texts: Iterable[str]) -> None:
        for text in texts:
            recognise(text)

    by_system["all, mixed"] = [code["text"] for code in codes]
    return {
        f"recognise {system}": fastest(rounds, partial(read, texts), len(texts)) for system, texts in by_system.items()
    }


def answers(rounds: int) -> dict[str, float]:
    """Kept answers over the short way of HTTP: of a plain name, of a code, of an alias."""
    source, names = Kept(), Names(fold_whole, lambda: PREFIXES)
    ready = ReadyAnswers(source, names, Metrics())
    asked: dict[str, list[bytes]] = {"plain name": [], "code": [], "alias": []}
    for number in range(NAMES):
        source.keep(f"88.1/CAKE-{number}", HandleValue(1, "URL", TEXT))
        source.keep(f"oid/1.2.156.{number}", HandleValue(1, "URL", TEXT))
        source.keep(f"88.1/LABEL-{number}", HandleValue(1, "HS_ALIAS", b"88.1/CAKE-%d" % number))
        asked["plain name"].append(b"88.1/CAKE-%d" % number)
        asked["code"].append(b"1.2.156.%d" % number)
        asked["alias"].append(b"88.1/LABEL-%d" % number)
        names.key_of(asked["code"][-1])
    cell = Cell()

    def answer(every: Sequence[bytes]) -> None:
        for name in every:
            assert ready.answer(name, PLAIN, cell) is not None

    return {f"kept answer, {kind}": fastest(rounds, partial(answer, every), NAMES) for kind, every in asked.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.recognition", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a second, rough figures")
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    where = surroundings()
    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    costs = recognition(rounds) | answers(rounds)
    for stage, microseconds in costs.items():
        print(f"{stage:<28} {microseconds:8.2f} µs")
    report = {"program": "recognition", **where, "unit": "µs", "cpu": costs}
    print(json.dumps(report, ensure_ascii=False))
    if arguments.keep:
        print(keep("recognition", report), file=sys.stderr)


if __name__ == "__main__":
    main()
