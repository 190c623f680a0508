"""`python -m registry.preparing`: the helper of a bulk load, a process that works on what its standard input brings.

A message is eight octets of length and a pickle: a function with its arguments one way, its outcome the other. The end
of the input is the end of the helper, so none outlives the load that started it, however that ended.
"""

import gc
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

LENGTH: Final = 8  # Octets before each message.
# Allocations before the collector looks: a chunk makes some hundred thousand objects, none of them in a cycle.
COLLECT: Final = (1_000_000, 10, 10)
NICENESS: Final = 10  # A tenth of a resolver's share where both want the processor: answers come before loads.


def message_of(content: Any) -> tuple[bytes, bytes]:
    """The length and the octets of a message."""
    octets = pickle.dumps(content, protocol=5)
    return len(octets).to_bytes(LENGTH, "big"), octets


def content_of(octets: bytes) -> Any:
    """What a message says. Both ends of the pipe are ours: nobody else writes into it."""
    return pickle.loads(octets)  # noqa: S301  # see above


def main() -> None:
    """Answers message after message, in order."""
    _step_back()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while length := requests.read(LENGTH):
        _answer(requests, answers, int.from_bytes(length, "big"))


def _step_back() -> None:
    os.nice(NICENESS)
    with suppress(OSError):  # Linux weighs sessions before it weighs their processes (man 7 sched); others do not.
        Path("/proc/self/autogroup").write_text(str(NICENESS), "ascii")


def _answer(requests: BinaryIO, answers: BinaryIO, length: int) -> None:
    work, arguments = content_of(requests.read(length))
    answers.writelines(message_of(work(*arguments)))
    answers.flush()


if __name__ == "__main__":
    main()
