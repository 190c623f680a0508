"""`filament suffix`: what new suffixes of a prefix look like, and how the node makes them."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final

import click

from resolver.cli.frame import Group
from resolver.cli.invocation import Invocation, run
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from registry.minting import Minting
    from registry.prefix import Prefix

RULES: Final = ("pattern", "check", "templates", "accepted", "refused_samples")
MINTERS: Final = ("name", "layout", "width", "radix", "check")
BLOCKS: Final = ("minter", "line", "day", "first", "last", "count", "reserved_by")
OPERATOR: Final = "filament suffix"  # Who is named as having changed it.


@click.group("suffix", cls=Group, help="suffix")
def suffix() -> None:
    pass


@suffix.command("reserve", help="suffix.reserve")
@language_option
@click.argument("prefix")
@click.argument("minter")
@click.option("--line", default="", help="suffix.line")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="suffix.day")
@click.option("--count", type=click.IntRange(1), default=1, help="suffix.count")
@output_option()
@settings_options
@click.pass_obj
def reserve(
    invocation: Invocation,
    chosen: Chosen,
    prefix: str,
    minter: str,
    line: str,
    day: datetime | None,
    count: int,
    form: str,
) -> None:
    rows = run(_reserve(invocation, chosen, prefix, minter, line, day, count))
    write_rows(rows, tuple(rows[0]), form, invocation.language)


@suffix.command("blocks", help="suffix.blocks")
@language_option
@click.argument("prefix")
@output_option()
@settings_options
@click.pass_obj
def blocks(invocation: Invocation, chosen: Chosen, prefix: str, form: str) -> None:
    write_rows(run(_blocks(invocation, chosen, prefix)), BLOCKS, form, invocation.language)


async def _rules(invocation: Invocation, chosen: Chosen, named: str, octets: bytes | None) -> list[Row]:
    from registry.bodies import form_of
    from registry.suffixes import SuffixRule

    async with _minting(invocation, chosen, named) as (minting, prefix):
        if octets is not None:
            await minting.set_rules(prefix, form_of(octets, list[SuffixRule]), OPERATOR)
        return [
            {
                "pattern": rule.pattern,
                "check": rule.check,
                "templates": " ".join(rule.templates),
                "accepted": " ".join(rule.accepted),
                "refused_samples": " ".join(rule.refused),
            }
            for rule in await minting.rules(prefix)
        ]


async def _minters(invocation: Invocation, chosen: Chosen, named: str, octets: bytes | None) -> list[Row]:
    from msgspec.structs import asdict

    from registry.bodies import form_of
    from registry.suffixes import Minter

    async with _minting(invocation, chosen, named) as (minting, prefix):
        if octets is not None:
            await minting.set_minters(prefix, form_of(octets, list[Minter]), OPERATOR)
        return [asdict(minter) for minter in await minting.minters(prefix)]


async def _reserve(
    invocation: Invocation, chosen: Chosen, named: str, minter: str, line: str, day: datetime | None, count: int
) -> list[Row]:
    """A row a suffix; of more than are written out, one row for all."""
    from registry.minting import Asked

    asked = Asked(minter, line, None if day is None else day.date())
    async with _minting(invocation, chosen, named) as (minting, prefix):
        block = await minting.reserve(prefix, asked, count, OPERATOR)
    if not block.suffixes:
        return [{"first": block.first, "last": block.last, "count": block.count}]
    return [{"suffix": one} for one in block.suffixes]


async def _blocks(invocation: Invocation, chosen: Chosen, named: str) -> list[Row]:
    from dataclasses import asdict

    async with _minting(invocation, chosen, named) as (minting, prefix):
        return [asdict(block) | {"day": block.day.isoformat()} for block in await minting.blocks(prefix)]


def _add_keeping(
    name: str,
    columns: Sequence[str],
    rows: Callable[[Invocation, Chosen, str, bytes | None], Coroutine[Any, Any, Sequence[Row]]],
) -> None:
    """A command that shows what is kept for a prefix, after a file took its place if one is given."""

    @suffix.command(name, help=f"suffix.{name}")
    @language_option
    @click.argument("prefix")
    @click.argument("file", type=click.File("rb"), required=False)
    @output_option()
    @settings_options
    @click.pass_obj
    def keep(invocation: Invocation, chosen: Chosen, prefix: str, file: IO[bytes] | None, form: str) -> None:
        kept = run(rows(invocation, chosen, prefix, None if file is None else file.read()))
        write_rows(kept, columns, form, invocation.language)
        invocation.say(f"suffix.{name}", prefix=prefix, count=len(kept))


_add_keeping("rules", RULES, _rules)
_add_keeping("minters", MINTERS, _minters)


@asynccontextmanager
async def _minting(invocation: Invocation, chosen: Chosen, named: str) -> "AsyncIterator[tuple[Minting, Prefix]]":
    from registry.minting import Minting
    from resolver.cli.database import opened, prefix_of

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        yield Minting(store), prefix_of(store, named)
