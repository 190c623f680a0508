"""`filament state` and `filament audit`: in which states handles are, and who did what at this node."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from resolver.cli.frame import Group
from resolver.cli.invocation import Failed, Invocation, run
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.audit import Head, Verdict
    from registry.standing import Wish

STATES: Final = ("active", "reserved", "frozen", "revoked", "expired")
SHOWN: Final = ("handle", "version", "state", "since", "by", "reason", "successor", "expires")
LISTED: Final = ("number", "at", "by", "program", "act", "subject", "detail")
OPERATOR: Final = "filament state"  # Who a handle's history names.
USUAL_LIMIT: Final = 100
TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.group("state", cls=Group, help="state")
def state() -> None:
    pass


@state.command("show", help="state.show")
@language_option
@click.argument("handle")
@output_option()
@settings_options
@click.pass_obj
def show(invocation: Invocation, chosen: Chosen, handle: str, form: str) -> None:
    write_rows([run(_show(invocation, chosen, handle))], SHOWN, form, invocation.language)


@state.command("set", help="state.set")
@language_option
@click.argument("wanted", metavar="STATE", type=click.Choice(STATES))
@click.argument("handles", metavar="HANDLE...", nargs=-1, required=True)
@click.option("--reason", default="", help="state.reason")
@click.option("--successor", default="", metavar="HANDLE", help="state.successor")
@click.option("--expires", type=TIME, metavar="TIME", help="state.expires")
@settings_options
@click.pass_obj
def set_state(
    invocation: Invocation,
    chosen: Chosen,
    wanted: str,
    handles: tuple[str, ...],
    reason: str,
    successor: str,
    expires: datetime | None,
) -> None:
    from registry.standing import State, Wish

    seconds = None if expires is None else int(expires.replace(tzinfo=UTC).timestamp())
    wish = Wish(State[wanted.upper()], reason, successor, seconds)
    for handle in run(_set(invocation, chosen, handles, wish)):
        invocation.say("state.done", handle=handle, state=wanted)


@click.group("audit", cls=Group, help="audit")
def audit() -> None:
    pass


@audit.command("list", help="audit.list")
@language_option
@click.option("--prefix", help="audit.prefix")
@click.option("--limit", type=click.IntRange(1), default=USUAL_LIMIT, help="audit.limit")
@output_option()
@settings_options
@click.pass_obj
def list_all(invocation: Invocation, chosen: Chosen, prefix: str | None, limit: int, form: str) -> None:
    write_rows(run(_list(invocation, chosen, prefix, limit)), LISTED, form, invocation.language)


@audit.command("verify", help="audit.verify")
@language_option
@click.option("--head", "known", metavar="NUMBER:DIGEST", help="audit.head")
@settings_options
@click.pass_obj
def verify(invocation: Invocation, chosen: Chosen, known: str | None) -> None:
    from registry.audit import Head

    verdict = run(_verify(invocation, chosen, Head.from_text(known) if known else None))
    if verdict.fault:
        raise Failed(f"audit.{verdict.fault}", number=verdict.number)
    invocation.say("audit.whole", number=verdict.head.number, head=verdict.head)


async def _show(invocation: Invocation, chosen: Chosen, name: str) -> Row:
    from registry.handle import Handle
    from registry.history import History
    from registry.standing import shown
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        history, handle = History(store), Handle.from_text(name)
        (newest,) = await history.versions(handle, limit=1)
        row = {"handle": str(await history.spelled(handle)), "version": newest.version, "state": newest.state.word}
    row["since"] = newest.since.strftime("%Y-%m-%dT%H:%M:%SZ")
    standing = newest.standing
    return row if standing is None else row | shown(standing) | {"by": standing.by}


async def _set(invocation: Invocation, chosen: Chosen, names: tuple[str, ...], wish: "Wish") -> list[str]:
    from registry.handle import Handle
    from registry.states import anything, put
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        handles = [Handle.from_text(name) for name in names]
        every = await put(store, handles, wish, by=OPERATOR, of_node=True, allow=anything)
    return [str(written.record.handle) for written in every]


async def _list(invocation: Invocation, chosen: Chosen, named: str | None, limit: int) -> list[Row]:
    from registry.audit import MAX_SHOWN, NEWEST, list_acts, seal
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        await seal(store)
        prefix = None if named is None else store.prefixes.find(store.key_of(f"{named}/".encode())[:-1])
        if named is not None and prefix is None:
            raise Failed("stats.prefix", prefix=named)
        rows: list[Row] = []
        before = NEWEST
        while len(rows) < limit:
            size = min(MAX_SHOWN, limit - len(rows))
            acts = await list_acts(store, None if prefix is None else prefix.prefix_id, before=before, limit=size)
            rows += [
                {
                    "number": act.number,
                    "at": f"{act.at:%Y-%m-%dT%H:%M:%SZ}",
                    "by": act.by,
                    "program": act.program,
                    "act": act.act,
                    "subject": act.subject,
                    "detail": act.detail,
                }
                for act in acts
            ]
            if len(acts) < size:
                break
            before = acts[-1].number
    return rows


async def _verify(invocation: Invocation, chosen: Chosen, known: "Head | None") -> "Verdict":
    from registry.audit import seal, verify
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        await seal(store)
        return await verify(store, known)
