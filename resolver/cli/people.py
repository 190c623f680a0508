"""`filament person`, `token` and `application`, and how enterprises stand: who may do what at this node."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from resolver.cli.enterprises import OPERATOR, enterprise
from resolver.cli.frame import Group
from resolver.cli.invocation import Invocation, run
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.applications import Applications
    from registry.enterprise_standing import EnterpriseStanding
    from registry.people import People
    from registry.tokens import Tokens

PEOPLE: Final = ("name", "role", "active", "created_at")
TOKENS: Final = (
    *("token_id", "label", "scopes", "prefixes", "sources", "expires_at", "last_used_at", "last_source", "revoked_at"),
)
APPLICATIONS: Final = ("application_id", "state", "name", "credit_code", "prefix", "applicant", "created_at")
_enterprise_option = click.option("--enterprise", "enterprise_name", metavar="NAME", help="person.enterprise")
_reason_option = click.option("--reason", required=True, help="reason")


@click.group("person", cls=Group, help="person")
def person() -> None:
    pass


@person.command("add", help="person.add")
@language_option
@click.argument("name")
@click.option("--role", required=True, help="person.role")
@_enterprise_option
@output_option()
@settings_options
@click.pass_obj
def add(invocation: Invocation, chosen: Chosen, name: str, role: str, enterprise_name: str | None, form: str) -> None:
    async def work() -> Row:
        async with _desk(invocation, chosen) as desk:
            added, password = await desk.people.add(name, role, await desk.number(enterprise_name), by=OPERATOR)
        return {"name": added.name, "role": added.role, "password": password}

    write_rows([run(work())], ("name", "role", "password"), form, invocation.language)
    invocation.say("person.added", name=name)


@person.command("list", help="person.list")
@language_option
@_enterprise_option
@output_option()
@settings_options
@click.pass_obj
def list_people(invocation: Invocation, chosen: Chosen, enterprise_name: str | None, form: str) -> None:
    async def work() -> list[Row]:
        async with _desk(invocation, chosen) as desk:
            return _shown(await desk.people.listed(await desk.number(enterprise_name)))

    write_rows(run(work()), PEOPLE, form, invocation.language)


@person.command("password", help="person.password")
@language_option
@click.argument("name")
@output_option()
@settings_options
@click.pass_obj
def password(invocation: Invocation, chosen: Chosen, name: str, form: str) -> None:
    async def work() -> Row:
        from registry.passwords import made

        told = made()
        async with _desk(invocation, chosen) as desk:
            await desk.people.change(await desk.people.find(name), by=OPERATOR, password=told)
        return {"name": name, "password": told}

    write_rows([run(work())], ("name", "password"), form, invocation.language)
    invocation.say("person.added", name=name)


@person.command("disable", help="person.disable")
@language_option
@click.argument("name")
@settings_options
@click.pass_obj
def disable(invocation: Invocation, chosen: Chosen, name: str) -> None:
    run(_let_in(invocation, chosen, name, active=False))


@person.command("enable", help="person.enable")
@language_option
@click.argument("name")
@settings_options
@click.pass_obj
def enable(invocation: Invocation, chosen: Chosen, name: str) -> None:
    run(_let_in(invocation, chosen, name, active=True))


@click.group("token", cls=Group, help="token")
def token() -> None:
    pass


@token.command("add", help="token.add")
@language_option
@click.argument("label")
@click.option("--scope", "scopes", multiple=True, required=True, help="token.scope")
@_enterprise_option
@click.option("--prefix", "prefixes", multiple=True, help="token.prefix")
@click.option("--from", "sources", metavar="NETWORK", multiple=True, help="token.from")
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True, help="token.days")
@output_option()
@settings_options
@click.pass_obj
def add_token(
    invocation: Invocation,
    chosen: Chosen,
    label: str,
    scopes: tuple[str, ...],
    enterprise_name: str | None,
    prefixes: tuple[str, ...],
    sources: tuple[str, ...],
    days: int,
    form: str,
) -> None:
    async def work() -> Row:
        from registry.grants import SCOPES, scopes_from
        from registry.tokens import Wanted

        async with _desk(invocation, chosen) as desk:
            number = await desk.number(enterprise_name)
            limits = (prefixes or None, sources or None, timedelta(days=days))
            issued = await desk.tokens.issue(Wanted(label, scopes_from(scopes, SCOPES), number, *limits), by=OPERATOR)
        return {"token_id": issued.token_id, "token": issued.token, "expires_at": issued.expires_at.isoformat()}

    write_rows([run(work())], ("token_id", "token", "expires_at"), form, invocation.language)
    invocation.say("token.added")


@token.command("list", help="token.list")
@language_option
@_enterprise_option
@output_option()
@settings_options
@click.pass_obj
def list_tokens(invocation: Invocation, chosen: Chosen, enterprise_name: str | None, form: str) -> None:
    async def work() -> list[Row]:
        async with _desk(invocation, chosen) as desk:
            return _shown(await desk.tokens.listed(await desk.number(enterprise_name)))

    write_rows(run(work()), TOKENS, form, invocation.language)


@token.command("rotate", help="token.rotate")
@language_option
@click.argument("number", type=click.IntRange(1, (1 << 31) - 1))
@click.option("--days", type=click.IntRange(1, 366), default=90, show_default=True, help="token.days")
@output_option()
@settings_options
@click.pass_obj
def rotate(invocation: Invocation, chosen: Chosen, number: int, days: int, form: str) -> None:
    async def work() -> Row:
        async with _desk(invocation, chosen) as desk:
            issued = await desk.tokens.rotate(number, timedelta(days=days), by=OPERATOR)
        return {"token_id": issued.token_id, "token": issued.token, "expires_at": issued.expires_at.isoformat()}

    write_rows([run(work())], ("token_id", "token", "expires_at"), form, invocation.language)
    invocation.say("token.added")


@token.command("revoke", help="token.revoke")
@language_option
@click.argument("number", type=click.IntRange(1, (1 << 31) - 1))
@settings_options
@click.pass_obj
def revoke(invocation: Invocation, chosen: Chosen, number: int) -> None:
    async def work() -> None:
        async with _desk(invocation, chosen) as desk:
            await desk.tokens.owner(number)
            await desk.tokens.revoke(number, by=OPERATOR)

    run(work())
    invocation.say("token.revoked", token=number)


@click.group("application", cls=Group, help="application")
def application() -> None:
    pass


@application.command("list", help="application.list")
@language_option
@click.option("--state", help="application.state")
@output_option()
@settings_options
@click.pass_obj
def list_applications(invocation: Invocation, chosen: Chosen, state: str | None, form: str) -> None:
    async def work() -> list[Row]:
        async with _desk(invocation, chosen) as desk:
            return _shown(await desk.applications.listed(state=state))

    write_rows(run(work()), APPLICATIONS, form, invocation.language)


@application.command("review", help="application.step")
@language_option
@click.argument("number", type=click.IntRange(1, (1 << 31) - 1))
@click.argument("step", type=click.Choice(["approve", "reject", "return"]))
@_reason_option
@settings_options
@click.pass_obj
def review(invocation: Invocation, chosen: Chosen, number: int, step: str, reason: str) -> None:
    async def work() -> str:
        async with _desk(invocation, chosen) as desk:
            return await desk.applications.take(number, step, by=OPERATOR, reason=reason)

    invocation.say("application.moved", application=number, state=run(work()))


@enterprise.command("move", help="enterprise.step")
@language_option
@click.argument("name")
@click.argument("step", type=click.Choice(["suspend", "resume", "leave"]))
@_reason_option
@settings_options
@click.pass_obj
def move(invocation: Invocation, chosen: Chosen, name: str, step: str, reason: str) -> None:
    async def work() -> str:
        async with _desk(invocation, chosen) as desk:
            return await desk.standing.take(await desk.standing.named(name), step, by=OPERATOR, reason=reason)

    invocation.say("enterprise.moved", name=name, state=run(work()))


@enterprise.command("recycle", help="enterprise.recycle")
@language_option
@click.argument("prefix")
@_reason_option
@settings_options
@click.pass_obj
def recycle(invocation: Invocation, chosen: Chosen, prefix: str, reason: str) -> None:
    async def work() -> None:
        async with _desk(invocation, chosen) as desk:
            await desk.standing.recycle(prefix, by=OPERATOR, reason=reason)

    run(work())
    invocation.say("enterprise.recycled", prefix=prefix)


@enterprise.command("limit", help="enterprise.limit")
@language_option
@click.argument("name")
@click.option("--handles", type=click.IntRange(0), help="enterprise.limit.handles")
@click.option("--rate", type=click.IntRange(0), help="enterprise.limit.rate")
@click.option("--prefixes", type=click.IntRange(0), help="enterprise.limit.prefixes")
@settings_options
@click.pass_obj
def limit(
    invocation: Invocation, chosen: Chosen, name: str, handles: int | None, rate: int | None, prefixes: int | None
) -> None:
    async def work() -> None:
        from registry.enterprise_standing import Limits

        async with _desk(invocation, chosen) as desk:
            number = await desk.standing.named(name)
            await desk.standing.limit(number, Limits(handles, rate, prefixes), by=OPERATOR)

    run(work())
    invocation.say("enterprise.limited", name=name)


async def _let_in(invocation: Invocation, chosen: Chosen, name: str, *, active: bool) -> None:
    async with _desk(invocation, chosen) as desk:
        await desk.people.change(await desk.people.find(name), by=OPERATOR, active=active)
    invocation.say("person.changed", name=name)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the operator's commands need."""

    people: "People"
    tokens: "Tokens"
    applications: "Applications"
    standing: "EnterpriseStanding"

    async def number(self, enterprise_name: str | None) -> int | None:
        return None if enterprise_name is None else await self.standing.named(enterprise_name)


@asynccontextmanager
async def _desk(invocation: Invocation, chosen: Chosen) -> AsyncIterator[_Desk]:
    from registry.applications import Applications
    from registry.enterprise_standing import EnterpriseStanding
    from registry.passwords import Passwords
    from registry.people import People
    from registry.personal import Vault
    from registry.tokens import Tokens
    from resolver.cli.database import opened

    settings = chosen.settings(invocation).registry
    async with opened(settings, invocation) as store:
        tokens, passwords, vault = Tokens(store), Passwords(), Vault(Path(settings.data_directory))
        people = People(store, tokens, passwords)
        yield _Desk(people, tokens, Applications(store, vault, passwords), EnterpriseStanding(store, vault))


def _shown(rows: list[dict[str, Any]]) -> list[Row]:
    """Rows as every form of output can write them."""
    return [
        {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
        for row in rows
    ]
