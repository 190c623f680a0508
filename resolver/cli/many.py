"""`filament resolve -`: identifiers from standard input, one a line, asked for a thousand at a time.

Rows are written while more names are read, so the input may be of any length; a table alone is drawn when it ends.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final

from resolver.cli.client import Answer, Node
from resolver.cli.invocation import FAILED, SUCCESS, Failed, Invocation
from resolver.cli.naming import COLUMNS, FOUND, remark, values_of
from resolver.cli.output import write_rows

AT_ONCE: Final = 1000  # Names of a request: a tenth of what a node takes, and an answer of a megabyte or so.
STDIN: Final = "-"


def names_in(lines: IO[bytes]) -> Iterator[str]:
    """One name a line; what is no UTF-8 becomes U+FFFD, which no name has, and is reported as not found."""
    for line in lines:
        if name := line.decode("utf-8-sig", "replace").strip():
            yield name


def ask_many(node: Node, names: Iterable[str], query: str) -> Iterator[tuple[str, Answer]]:
    """The answer for each name, in order. Raises Failed when a node takes no more of them."""
    remaining = iter(names)
    path = "/api/resolve" + (f"?{query}" if query else "")
    while batch := list(islice(remaining, AT_ONCE)):
        answer = node.ask(path, "POST", json.dumps(batch).encode())
        if answer.code != FOUND or "results" not in answer.body:
            message = answer.body.get("message") if isinstance(answer.body, dict) else None
            raise Failed("node.refused", handle=batch[0], code=answer.code, message=message or f"HTTP {answer.status}")
        for name, result in zip(batch, answer.body["results"], strict=True):
            yield name, Answer(answer.status, result, answer.headers)


def show(invocation: Invocation, answers: Iterable[tuple[str, Answer]], form: str) -> int:
    """Writes answers as they come, and says of each that is none why. Returns the exit code."""
    refused = 0

    def told() -> Iterator[tuple[str, Answer]]:
        nonlocal refused
        for name, answer in answers:
            refused += answer.code != FOUND
            remark(invocation, name, answer)
            yield name, answer

    if form == "json":
        _write_array(answer.body for _, answer in told())
    else:
        write_rows(values_of(told()), COLUMNS, form, invocation.language)
    return FAILED if refused else SUCCESS


def _write_array(bodies: Iterator[Any]) -> None:
    before = "[\n"
    for body in bodies:
        sys.stdout.write(before + json.dumps(body, ensure_ascii=False))
        before = ",\n"
    sys.stdout.write("[]\n" if before == "[\n" else "\n]\n")
    sys.stdout.flush()
