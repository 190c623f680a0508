"""`filament range`: neighbouring handles that end in serial numbers, registered as one."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from resolver.cli.frame import Group
from resolver.cli.invocation import Invocation, Misused, run
from resolver.cli.naming import read_values
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.authentication import Administrator
    from registry.handle_range import HandleRange
    from registry.ranges import Ranges
    from registry.value import HandleValue

# Whoever reaches the database is the node's operator; a range's history names him so.
OPERATOR: Final = "300:0.NA/0.NA"
LISTED: Final = ("first", "last", "members", "version")
PLACED: Final = ("handle", "position", *LISTED)
_SERIAL: Final = {10: re.compile("[0-9]*$"), 36: re.compile("[0-9A-Z]*$")}


@click.group("range", cls=Group, help="range")
def handle_range() -> None:
    pass


@handle_range.command("add", help="range.add")
@language_option
@click.argument("first", metavar="HANDLE")
@click.argument("given", nargs=-1, metavar="[TYPE=TEXT]...")
@click.option("--members", type=click.IntRange(1), required=True, help="range.members")
@click.option("--width", type=click.IntRange(1), help="range.width")
@click.option("--base36", is_flag=True, help="range.base36")
@click.option("--values", "file", metavar="FILE.json", type=click.File("rb"), help="register.values")
@settings_options
@click.pass_obj
def add(
    invocation: Invocation,
    chosen: Chosen,
    first: str,
    given: tuple[str, ...],
    members: int,
    width: int | None,
    base36: bool,
    file: Any,
) -> None:
    values = read_values(given, file)
    radix = 36 if base36 else 10
    digits = _SERIAL[radix].search(first.partition("/")[2])
    width = width or len(digits[0] if digits else "")
    if not width:
        raise Misused("range.width", handle=first)
    run(_add(invocation, chosen, first, members, width, radix, values))
    invocation.say("range.added", handle=first, members=members)


@handle_range.command("list", help="range.list")
@language_option
@click.argument("prefix")
@output_option()
@settings_options
@click.pass_obj
def list_all(invocation: Invocation, chosen: Chosen, prefix: str, form: str) -> None:
    write_rows(run(_list(invocation, chosen, prefix)), LISTED, form, invocation.language)


@handle_range.command("show", help="range.show")
@language_option
@click.argument("member", metavar="HANDLE")
@output_option()
@settings_options
@click.pass_obj
def show(invocation: Invocation, chosen: Chosen, member: str, form: str) -> None:
    write_rows([run(_show(invocation, chosen, member))], PLACED, form, invocation.language)


@handle_range.command("change", help="range.change")
@language_option
@click.argument("member", metavar="HANDLE")
@click.argument("given", nargs=-1, metavar="[TYPE=TEXT]...")
@click.option("--values", "file", metavar="FILE.json", type=click.File("rb"), help="register.values")
@settings_options
@click.pass_obj
def change(invocation: Invocation, chosen: Chosen, member: str, given: tuple[str, ...], file: Any) -> None:
    first = run(_change(invocation, chosen, member, read_values(given, file)))
    invocation.say("range.changed", handle=first)


@handle_range.command("delete", help="range.delete")
@language_option
@click.argument("member", metavar="HANDLE")
@settings_options
@click.pass_obj
def delete(invocation: Invocation, chosen: Chosen, member: str) -> None:
    first = run(_delete(invocation, chosen, member))
    invocation.say("range.deleted", handle=first)


async def _add(
    invocation: Invocation,
    chosen: Chosen,
    first: str,
    members: int,
    width: int,
    radix: int,
    values: "tuple[HandleValue, ...]",
) -> None:
    from registry.handle import Handle
    from registry.ranges import NewRange

    async with _ranges(invocation, chosen) as (ranges, operator):
        await ranges.register(NewRange(Handle.from_text(first), members, width, radix, values), operator)


async def _list(invocation: Invocation, chosen: Chosen, prefix: str) -> list[Row]:
    from registry.ranges import MAX_LISTED

    rows: list[Row] = []
    after = ""
    async with _ranges(invocation, chosen) as (ranges, operator):
        while found := await ranges.of_prefix(prefix, operator, after=after):
            rows += map(_row, found)
            after = found[-1].first
            if len(found) < MAX_LISTED:
                break
    return rows


async def _show(invocation: Invocation, chosen: Chosen, member: str) -> Row:
    from registry.handle import Handle

    handle = Handle.from_text(member)
    async with _ranges(invocation, chosen) as (ranges, operator):
        found = await ranges.find(handle, operator)
        suffix = ranges.suffix_of(handle)
    return {"handle": str(found.handle(suffix)), "position": found.position(suffix), **_row(found)}


async def _change(invocation: Invocation, chosen: Chosen, member: str, values: "tuple[HandleValue, ...]") -> str:
    from registry.handle import Handle

    async with _ranges(invocation, chosen) as (ranges, operator):
        return str((await ranges.replace(Handle.from_text(member), values, operator)).handle)


async def _delete(invocation: Invocation, chosen: Chosen, member: str) -> str:
    from registry.handle import Handle

    async with _ranges(invocation, chosen) as (ranges, operator):
        return str((await ranges.delete(Handle.from_text(member), operator)).handle)


@asynccontextmanager
async def _ranges(invocation: Invocation, chosen: Chosen) -> "AsyncIterator[tuple[Ranges, Administrator]]":
    from registry.authentication import Administrator, identity_from_text
    from registry.ranges import Ranges
    from registry.registration import Registration
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        yield Ranges(store, Registration(store, [OPERATOR])), Administrator(identity_from_text(OPERATOR))


def _row(one: "HandleRange") -> Row:
    return {
        "first": str(one.handle(one.first)),
        "last": str(one.handle(one.last)),
        "members": one.members,
        "version": one.version,
    }
