"""`filament webhook`: who is told of changes without asking."""

from typing import TYPE_CHECKING, Final

import click

from resolver.cli.frame import Group
from resolver.cli.invocation import Failed, Invocation, run
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.store import Store
    from registry.webhooks import Webhook

ADDED: Final = ("number", "url", "secret")
LISTED: Final = ("number", "prefix", "url", "cursor", "stopped", "failures", "failure", "dead_letters")
OPERATOR: Final = "filament webhook"  # Who the book says subscribed.


@click.group("webhook", cls=Group, help="webhook")
def webhook() -> None:
    pass


@webhook.command("add", help="webhook.add")
@language_option
@click.argument("url")
@click.option("--prefix", help="webhook.prefix")
@click.option("--from", "cursor", default="now", help="webhook.from")
@output_option()
@settings_options
@click.pass_obj
def add(invocation: Invocation, chosen: Chosen, url: str, prefix: str | None, cursor: str, form: str) -> None:
    write_rows([run(_add(invocation, chosen, url, prefix, cursor))], ADDED, form, invocation.language)


@webhook.command("list", help="webhook.list")
@language_option
@click.option("--prefix", help="webhook.prefix")
@output_option()
@settings_options
@click.pass_obj
def list_all(invocation: Invocation, chosen: Chosen, prefix: str | None, form: str) -> None:
    write_rows(run(_list(invocation, chosen, prefix)), LISTED, form, invocation.language)


@webhook.command("remove", help="webhook.remove")
@language_option
@click.argument("number", type=int)
@settings_options
@click.pass_obj
def remove(invocation: Invocation, chosen: Chosen, number: int) -> None:
    run(_remove(invocation, chosen, number))
    invocation.say("webhook.removed", number=number)


@webhook.command("replay", help="webhook.replay")
@language_option
@click.argument("number", type=int)
@click.option("--from", "cursor", help="webhook.replay_from")
@click.option("--dead-letters", is_flag=True, help="webhook.dead_letters")
@settings_options
@click.pass_obj
def replay(invocation: Invocation, chosen: Chosen, number: int, cursor: str | None, dead_letters: bool) -> None:
    place = run(_replay(invocation, chosen, number, cursor, dead_letters=dead_letters))
    invocation.say("webhook.replayed", number=number, cursor=place)


async def _add(invocation: Invocation, chosen: Chosen, url: str, prefix: str | None, cursor: str) -> Row:
    from registry.feed import Feed
    from registry.webhook_sending import Guard, secret_text
    from registry.webhooks import Webhooks
    from resolver.cli.database import opened

    settings = chosen.settings(invocation).registry
    Guard(settings.webhook_networks).check_url(url)
    async with opened(settings, invocation) as store:
        place = await Feed(store).cursor(cursor)
        webhooks = Webhooks(store)
        added = await webhooks.add(_prefix_id(store, prefix), url, place, OPERATOR)
    return {"number": added.webhook_id, "url": url, "secret": secret_text(webhooks.secret_of(added))}


async def _list(invocation: Invocation, chosen: Chosen, prefix: str | None) -> list[Row]:
    from registry.webhooks import Webhooks
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        webhooks = await Webhooks(store).listed(_prefix_id(store, prefix))
        return [_row(store, webhook) for webhook in webhooks]


def _row(store: "Store", webhook: "Webhook") -> Row:
    prefix = None if webhook.prefix_id is None else store.prefixes.by_id(webhook.prefix_id)
    return {
        "number": webhook.webhook_id,
        "prefix": None if prefix is None else prefix.spelling,
        "url": webhook.url,
        "cursor": webhook.cursor,
        "stopped": webhook.stopped,
        "failures": webhook.failures,
        "failure": webhook.reason,
        "dead_letters": webhook.dead_letters,
    }


async def _remove(invocation: Invocation, chosen: Chosen, number: int) -> None:
    from registry.webhooks import Webhooks
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        webhooks = Webhooks(store)
        await webhooks.remove(await webhooks.find(number), by=OPERATOR)


async def _replay(
    invocation: Invocation, chosen: Chosen, number: int, cursor: str | None, *, dead_letters: bool
) -> str:
    from registry.feed import Feed
    from registry.webhooks import Webhooks
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        webhooks = Webhooks(store)
        found = await webhooks.find(number)
        place = None if cursor is None else await Feed(store).cursor(cursor)
        await webhooks.replay(found, place, dead_letters=dead_letters, by=OPERATOR)
        return str(place or found.cursor)


def _prefix_id(store: "Store", named: str | None) -> int | None:
    if named is None:
        return None
    prefix = store.prefixes.find(store.key_of(f"{named}/".encode())[:-1])
    if prefix is None:
        raise Failed("stats.prefix", prefix=named)
    return prefix.prefix_id
