"""`filament search`: handles of a prefix by a value; and `filament enterprise searchable`, which declares it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from resolver.cli.enterprises import enterprise
from resolver.cli.frame import Command
from resolver.cli.invocation import Invocation, run
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.prefix import Prefix
    from registry.store import Store


@click.command("search", cls=Command, help="search")
@click.argument("prefix")
@click.argument("value_type", metavar="TYPE")
@click.argument("value")
@click.option("--limit", type=click.IntRange(1), help="search.limit")
@output_option()
@settings_options
@click.pass_obj
def search(
    invocation: Invocation, chosen: Chosen, prefix: str, value_type: str, value: str, limit: int | None, form: str
) -> None:
    found = run(_found(invocation, chosen, prefix, value_type, value, limit))
    write_rows(found, ("handle",), form, invocation.language)
    if not found:
        invocation.say("search.none", prefix=prefix, type=value_type, value=value)


@enterprise.command("searchable", help="enterprise.searchable")
@language_option
@click.argument("prefix")
@click.argument("value_type", metavar="TYPE")
@settings_options
@click.pass_obj
def searchable(invocation: Invocation, chosen: Chosen, prefix: str, value_type: str) -> None:
    count = run(_declare(invocation, chosen, prefix, value_type))
    invocation.say("enterprise.searchable", prefix=prefix, type=value_type, count=count)


async def _found(
    invocation: Invocation, chosen: Chosen, named: str, value_type: str, value: str, limit: int | None
) -> list[Row]:
    from registry.search import MAX_FOUND, search

    async with _prefix_in(invocation, chosen, named) as (store, prefix):
        handles: list[str] = []
        after: str | None = ""
        while after is not None and (limit is None or len(handles) < limit):
            size = MAX_FOUND if limit is None else min(MAX_FOUND, limit - len(handles))
            page = await search(store, prefix, value_type, value.encode(), after=after, limit=size)
            handles += page.handles
            after = page.cursor
    return [{"handle": handle} for handle in handles]


async def _declare(invocation: Invocation, chosen: Chosen, named: str, value_type: str) -> int:
    from registry.search import declare

    async with _prefix_in(invocation, chosen, named) as (store, prefix):
        return await declare(store, prefix, value_type)


@asynccontextmanager
async def _prefix_in(invocation: Invocation, chosen: Chosen, named: str) -> "AsyncIterator[tuple[Store, Prefix]]":
    from resolver.cli.database import opened, prefix_of

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        yield store, prefix_of(store, named)
