"""`filament trace` and `recall`: what a thing came from, and what came of it."""

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import Invocation, run
from resolver.cli.options import Chosen, output_option, settings_options
from resolver.cli.output import write_rows

if TYPE_CHECKING:
    from registry.trace import Named, Traced, Walk

WAYS: Final = ("backward", "forward")
LINKS: Final = ("PART_OF", "MADE_FROM", "PACKED_IN", "ON_MACHINE")
SHOWN: Final = ("level", "handle", "relation", "via")


@click.command("trace", cls=Command, help="trace")
@click.argument("handle")
@click.option("--direction", type=click.Choice(WAYS), default="backward", help="trace.direction")
@click.option("--depth", type=click.IntRange(1, 32), default=32, help="trace.depth")
@click.option("--follow", type=click.Choice(LINKS), multiple=True, help="trace.follow")
@click.option("--limit", type=click.IntRange(1, 10_000), default=1000, help="trace.limit")
@output_option()
@settings_options
@click.pass_obj
def trace(invocation: Invocation, /, chosen: Chosen, form: str, limit: int, **asked: Any) -> None:
    page = run(_traced(invocation, chosen, limit, asked))
    rows = [{"level": one.depth, "relation": one.relation.name, "handle": one.handle, "via": one.via}
            for one in page.handles]  # fmt: skip
    write_rows(rows, SHOWN, form, invocation.language)
    if page.cursor is not None:
        invocation.say("trace.more", count=limit)
    elif page.stopped is not None:
        invocation.say("trace.stopped", bound=page.stopped)


@click.command("recall", cls=Command, help="recall")
@click.argument("handle")
@click.option("--direction", type=click.Choice(WAYS), default="forward", help="trace.direction")
@click.option("--depth", type=click.IntRange(1, 32), default=32, help="trace.depth")
@click.option("--follow", type=click.Choice(LINKS), multiple=True, help="trace.follow")
@click.option("--field", "fields", metavar="TYPE", multiple=True, help="recall.field")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="recall.file")
@settings_options
@click.pass_obj
def recall(invocation: Invocation, /, chosen: Chosen, fields: tuple[str, ...], file: Path | None, **asked: Any) -> None:
    with click.open_file("-" if file is None else str(file), "wb") as out:
        count = run(_recalled(invocation, chosen, fields, out, asked))
    invocation.say("recall.done", count=count)


async def _traced(invocation: Invocation, chosen: Chosen, limit: int, asked: dict[str, Any]) -> "Traced":
    from registry.trace import traced
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        return await traced(store, _walk(**asked), limit=limit)


async def _recalled(
    invocation: Invocation, chosen: Chosen, fields: tuple[str, ...], out: IO[bytes], asked: dict[str, Any]
) -> int:
    from registry.recall import heading, recall_rows
    from registry.trace import recalled
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        found: list[Named] = await recalled(store, _walk(**asked))
        out.write(heading(invocation.language, fields))
        async for rows in recall_rows(store, found, fields, lambda _, value: True):
            out.write(rows)
    return len(found)


def _walk(handle: str, direction: str, depth: int, follow: tuple[str, ...]) -> "Walk":
    from registry.handle import Handle
    from registry.relations import RELATIONS, Direction, Relation
    from registry.trace import Walk

    relations = tuple(RELATIONS[name] for name in follow) or tuple(Relation)
    return Walk(Handle.from_text(handle), Direction(direction), relations, depth)
