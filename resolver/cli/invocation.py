"""One call of the command line: its language, its settings, and what it says to the person who typed it.

Data goes to standard output, everything else to standard error; a command that fails raises `Failed` or a refusal of
the registry, and `program` turns that into a sentence and an exit code.
"""

import contextlib
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from registry.language import LANGUAGES, Language, Refused, of_locale, text
from resolver.cli.catalogues import MESSAGES

SUCCESS: Final = 0
FAILED: Final = 1
USAGE: Final = 2
Result = TypeVar("Result")

INTERRUPTED: Final = 130  # As a shell reports a program that SIGINT ended.


class Failed(Refused):
    """The command did not do what was asked."""

    catalogue = MESSAGES
    exit_code = FAILED


class Misused(Failed):
    """What was typed makes no sense."""

    exit_code = USAGE


@dataclass(frozen=True, slots=True)
class Invocation:
    """Who reads, in which language, in which surroundings."""

    language: Language
    environment: Mapping[str, str]

    def say(self, rule: str, /, **culprit: object) -> None:
        """One line on standard error."""
        self.tell(text(MESSAGES, rule, self.language, **culprit))

    def tell(self, line: str) -> None:
        # Nobody reads any more: no reason to stop what is being done.
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """What a command waits for, to its end. SIGTERM interrupts as Ctrl-C does: what was started is stopped first."""
    import asyncio
    import signal

    async def interruptible() -> Result:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(interruptible())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def language_of(arguments: list[str], environment: Mapping[str, str]) -> Language:
    """What --lang says anywhere in the line, else what the locale says: known before anything is parsed."""
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        name, equals, value = argument.partition("=")
        if name == "--lang":
            asked = value if equals else "".join(arguments[position + 1 : position + 2])
            return LANGUAGES.get(asked, "en")
    return of_locale(next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), None))
