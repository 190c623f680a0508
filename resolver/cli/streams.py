"""Files on their way into the book and out of it."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

from registry import migrate
from registry.bulk import Report, load
from registry.chunks import Form
from registry.export import export_handles
from registry.language import text
from registry.refusals import write_refusals
from registry.settings import RegistrySettings
from resolver.cli.catalogues import MESSAGES
from resolver.cli.database import opened, reachable
from resolver.cli.invocation import Invocation
from resolver.cli.progress import Progress

OPERATOR: Final = "filament load"  # Who a handle's history names.
STANDARD_INPUT: Final = "-"
PIECE: Final = 1 << 18  # Octets read at a time.


@dataclass(frozen=True, slots=True)
class Source:
    """A file to load, or standard input."""

    file: Path | None
    form: Form
    load_key: str
    size: int | None = None

    @classmethod
    def of(cls, file: Path, form: Form, load_key: str | None) -> "Source":
        """Raises OSError. What comes by standard input has no name by which it could be taken up again."""
        if str(file) == STANDARD_INPUT:
            return cls(None, form, load_key or str(uuid4()))
        return cls(file, form, load_key or str(file.absolute()), file.stat().st_size)

    @property
    def name(self) -> str:
        return STANDARD_INPUT if self.file is None else self.file.name

    def opened(self) -> AbstractContextManager[IO[bytes]]:
        return nullcontext(sys.stdin.buffer) if self.file is None else self.file.open("rb")

    def refused_file(self, batch_id: int) -> Path:
        """Where its refused rows go: beside it."""
        if self.file is None:
            return Path(f"load-{batch_id}.refused.{self.form}")
        return self.file.with_name(f"{self.file.stem}.refused.{self.form}")


async def bring_up_to_date(invocation: Invocation, settings: RegistrySettings) -> list[str]:
    """The names of the migrations that were applied."""
    async with reachable(settings, invocation) as found:
        return await migrate.migrate(found.dsn, exact_suffixes=found.exact_suffixes)


async def load_source(invocation: Invocation, settings: RegistrySettings, source: Source) -> Report:
    """Loads a file, and writes what was refused of it beside it."""
    label = text(MESSAGES, "load.progress", invocation.language, source=source.name)
    async with opened(settings, invocation) as store:
        with Progress(label, source.size, octets=True) as progress, source.opened() as octets:
            report = await load(
                store,
                _pieces(octets, progress.reach),
                source.form,
                source=source.name,
                load_key=source.load_key,
                loaded_by=OPERATOR,
            )
        if report.refused:
            path = source.refused_file(report.batch_id)
            with path.open("wb") as sink:
                await write_refusals(store, report.batch_id, sink, invocation.language)
            invocation.say("load.refused", count=report.refused, path=path)
    return report


async def export_to(
    invocation: Invocation, settings: RegistrySettings, file: Path | None, prefix: str | None, *, with_secrets: bool
) -> int:
    """How many handles were written, to a file or to standard output."""
    count = 0
    async with opened(settings, invocation) as store:
        with _sink(file) as sink:
            async for lines in export_handles(store, prefix, with_secrets=with_secrets):
                await asyncio.to_thread(sink.write, lines)
                count += lines.count(b"\n")
            await asyncio.to_thread(sink.flush)
    return count


def _sink(file: Path | None) -> AbstractContextManager[IO[bytes]]:
    # A copy of standard output, so that it is still open for what the command says at its end.
    return os.fdopen(os.dup(sys.stdout.fileno()), "wb") if file is None else file.open("wb")


async def _pieces(octets: IO[bytes], reach: Callable[[int], None]) -> AsyncIterator[bytes]:
    done = 0
    while piece := await _read(octets.fileno()):
        yield piece
        done += len(piece)
        reach(done)


async def _read(descriptor: int) -> bytes:
    """The next octets, from a thread that nobody has to wait for: standard input may stay silent for ever."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[bytes] = loop.create_future()

    def settle(piece: bytes, error: OSError | None) -> None:
        if not outcome.done():
            outcome.set_result(piece) if error is None else outcome.set_exception(error)

    def read() -> None:
        error, piece = None, b""
        try:
            piece = os.read(descriptor, PIECE)
        except OSError as fault:
            error = fault
        with contextlib.suppress(RuntimeError):  # the loop was closed while nothing came
            loop.call_soon_threadsafe(settle, piece, error)

    threading.Thread(target=read, name="read", daemon=True).start()
    return await outcome
