"""`filament purge`: has every resolver forget kept answers, without changing anything."""

from typing import Final

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import Invocation, Misused, run
from resolver.cli.options import Chosen, settings_options

OPERATOR: Final = "filament purge"  # Who the audit log names.


@click.command("purge", cls=Command, help="purge")
@click.argument("handles", metavar="[HANDLE...]", nargs=-1)
@click.option("--prefix", "prefixes", multiple=True, help="purge.prefix")
@click.option("--beginning", "beginnings", metavar="HANDLE", multiple=True, help="purge.beginning")
@settings_options
@click.pass_obj
def purge(
    invocation: Invocation,
    chosen: Chosen,
    handles: tuple[str, ...],
    prefixes: tuple[str, ...],
    beginnings: tuple[str, ...],
) -> None:
    if not (handles or prefixes or beginnings):
        raise Misused("purge.nothing")
    run(_purge(invocation, chosen, handles, prefixes, beginnings))
    invocation.say("purge.done", count=len(handles) + len(prefixes) + len(beginnings))


async def _purge(
    invocation: Invocation,
    chosen: Chosen,
    handles: tuple[str, ...],
    prefixes: tuple[str, ...],
    beginnings: tuple[str, ...],
) -> None:
    from registry.handle import Handle
    from registry.purging import purge_beginning, purge_handle, purge_prefix
    from resolver.cli.database import opened, prefix_of

    async with opened(chosen.settings(invocation).registry, invocation) as store, store.as_one():
        for name in handles:
            await purge_handle(store, Handle.from_text(name), OPERATOR)
        for name in beginnings:
            await purge_beginning(store, Handle.from_text(name), OPERATOR)
        for name in prefixes:
            await purge_prefix(store, prefix_of(store, name), OPERATOR)
