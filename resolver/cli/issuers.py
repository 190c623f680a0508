"""`filament issuer`: who may write codes of other systems at this node."""

from typing import Final

import click

from resolver.cli.frame import Group
from resolver.cli.invocation import Invocation, run
from resolver.cli.listing import add_list
from resolver.cli.options import Chosen, language_option, settings_options
from resolver.cli.output import Row

OPERATOR: Final = "filament issuer"  # Who the audit log names.
LISTED: Final = ("system", "start", "prefix", "granted_at")


@click.group("issuer", cls=Group, help="issuer")
def issuer() -> None:
    pass


@issuer.command("grant", help="issuer.grant")
@language_option
@click.argument("system")
@click.argument("start")
@click.argument("prefix")
@settings_options
@click.pass_obj
def grant(invocation: Invocation, chosen: Chosen, system: str, start: str, prefix: str) -> None:
    run(_grant(invocation, chosen, system, start, prefix))
    invocation.say("issuer.granted", system=system, start=start, prefix=prefix)


@issuer.command("revoke", help="issuer.revoke")
@language_option
@click.argument("system")
@click.argument("start")
@settings_options
@click.pass_obj
def revoke(invocation: Invocation, chosen: Chosen, system: str, start: str) -> None:
    run(_revoke(invocation, chosen, system, start))
    invocation.say("issuer.revoked", system=system, start=start)


async def _grant(invocation: Invocation, chosen: Chosen, system: str, start: str, prefix: str) -> None:
    from registry import issuers
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        await issuers.grant(store, system, start, prefix, by=OPERATOR)


async def _revoke(invocation: Invocation, chosen: Chosen, system: str, start: str) -> None:
    from registry import issuers
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        await issuers.revoke(store, system, start, by=OPERATOR)


async def _list(invocation: Invocation, chosen: Chosen) -> list[Row]:
    from registry.issuers import list_issuers
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        return [
            {
                "system": one.system,
                "start": one.start,
                "prefix": one.prefix,
                "granted_at": one.granted_at.isoformat(timespec="seconds"),
            }
            for one in await list_issuers(store)
        ]


add_list(issuer, LISTED, _list)
