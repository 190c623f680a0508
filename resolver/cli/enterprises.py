"""`filament enterprise`: who registers at this node."""

from typing import Final

import click

from resolver.cli.frame import Group
from resolver.cli.invocation import Invocation, run
from resolver.cli.listing import add_list
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows

ADDED: Final = ("name", "prefix", "identity", "secret_key")
LISTED: Final = ("prefix", "name", "name_en", "industry", "registered")
OPERATOR: Final = "filament enterprise"  # Who a handle's history names.


@click.group("enterprise", cls=Group, help="enterprise")
def enterprise() -> None:
    pass


@enterprise.command("add", help="enterprise.add")
@language_option
@click.argument("name")
@click.option("--prefix", required=True, help="enterprise.prefix")
@click.option("--name-en", default="", help="enterprise.name_en")
@click.option("--industry", default="", help="enterprise.industry")
@output_option()
@settings_options
@click.pass_obj
def add(invocation: Invocation, chosen: Chosen, name: str, prefix: str, name_en: str, industry: str, form: str) -> None:
    row = run(_add(invocation, chosen, name, prefix, name_en, industry))
    write_rows([row], ADDED, form, invocation.language)
    invocation.say("enterprise.added", name=name, prefix=prefix)


@enterprise.command("delegate", help="enterprise.delegate")
@language_option
@click.argument("prefix")
@click.argument("server", metavar="HOST[:PORT]")
@click.option("--below", is_flag=True, help="enterprise.below")
@settings_options
@click.pass_obj
def delegate(invocation: Invocation, chosen: Chosen, prefix: str, server: str, below: bool) -> None:
    address = run(_delegate(invocation, chosen, prefix, server, below=below))
    invocation.say("enterprise.delegated", prefix=prefix, address=address)


async def _add(invocation: Invocation, chosen: Chosen, name: str, prefix: str, name_en: str, industry: str) -> Row:
    from registry.enterprise import add_enterprise
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        granted = await add_enterprise(store, name, name_en, industry, prefix, by=OPERATOR)
    return {
        "name": name,
        "prefix": granted.prefix,
        "identity": granted.identity,
        "secret_key": granted.secret_key,
    }


async def _delegate(invocation: Invocation, chosen: Chosen, prefix: str, server: str, *, below: bool) -> str:
    """The address at which the other node says that it is reached."""
    from registry.delegation import delegate_prefix
    from resolver.cli.database import opened
    from resolver.cli.native import site_of

    site = await site_of(server)
    async with opened(chosen.settings(invocation).registry, invocation) as store:
        await delegate_prefix(store, prefix, site, by=OPERATOR, below=below)
    return ", ".join(str(one.address) for one in site.servers)


async def _list(invocation: Invocation, chosen: Chosen) -> list[Row]:
    from registry.enterprise import list_enterprises
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        return [
            {
                "prefix": each.prefix,
                "name": each.name,
                "name_en": each.name_en,
                "industry": each.industry,
                "registered": each.handles,
            }
            for each in await list_enterprises(store)
        ]


add_list(enterprise, LISTED, _list)
