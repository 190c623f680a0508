"""`filament template`: templates of the node and of its enterprises."""

import sys
from typing import IO, TYPE_CHECKING, Any, Final

import click

from resolver.cli.frame import Group
from resolver.cli.invocation import Invocation, Misused, run
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.template import Attribute, TemplateName
    from registry.templates import Kept

LISTED: Final = ("template", "state", "name", "name_en", "levels")
SHOWN: Final = ("index", "type", "name", "name_en", "kind", "required", "unit", "rule")
OPERATOR: Final = "filament template"  # Who is named as having changed it.


@click.group("template", cls=Group, help="template")
def template() -> None:
    pass


@template.command("list", help="template.list")
@language_option
@click.option("--prefix", help="template.list.prefix")
@output_option()
@settings_options
@click.pass_obj
def list_all(invocation: Invocation, chosen: Chosen, prefix: str | None, form: str) -> None:
    write_rows(run(_list(invocation, chosen, prefix)), LISTED, form, invocation.language)


@template.command("show", help="template.show")
@language_option
@click.argument("name", metavar="TEMPLATE")
@output_option(forms=("table", "csv", "json"))
@settings_options
@click.pass_obj
def show(invocation: Invocation, chosen: Chosen, name: str, form: str) -> None:
    kept = run(_show(invocation, chosen, name))
    if form == "json":
        from msgspec import json

        click.echo(json.format(json.encode(kept.template), indent=2).decode())
        return
    rows = [_attribute(attribute) for attribute in kept.template.attributes]
    write_rows(rows, SHOWN, form, invocation.language)


@template.command("save", help="template.save")
@language_option
@click.argument("prefix")
@click.argument("name")
@click.argument("file", type=click.File("rb"))
@settings_options
@click.pass_obj
def save(invocation: Invocation, chosen: Chosen, prefix: str, name: str, file: IO[bytes]) -> None:
    saved = run(_save(invocation, chosen, prefix, name, file.read()))
    write_rows([{"template": saved, "state": "draft"}], ("template", "state"), "csv", invocation.language)
    sys.stdout.flush()
    invocation.say("template.saved", template=saved)


@template.command("publish", help="template.publish")
@language_option
@click.argument("name", metavar="TEMPLATE")
@settings_options
@click.pass_obj
def publish(invocation: Invocation, chosen: Chosen, name: str) -> None:
    invocation.say("template.moved", template=run(_move(invocation, chosen, name, "PUBLISHED")), state="published")


@template.command("deprecate", help="template.deprecate")
@language_option
@click.argument("name", metavar="TEMPLATE")
@settings_options
@click.pass_obj
def deprecate(invocation: Invocation, chosen: Chosen, name: str) -> None:
    invocation.say("template.moved", template=run(_move(invocation, chosen, name, "DEPRECATED")), state="deprecated")


async def _list(invocation: Invocation, chosen: Chosen, named: str | None) -> list[Row]:
    from registry.industry import levels
    from registry.templates import Templates
    from resolver.cli.database import opened, prefix_of

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        prefix = None if named is None else prefix_of(store, named)
        listed = await Templates(store).listed(prefix, drafts=True)
    return [
        {
            "template": str(kept.name),
            "state": kept.state.name.lower(),
            "name": kept.template.zh,
            "name_en": kept.template.en,
            "levels": " ".join(levels(kept.template.industry)) if kept.template.industry else "",
        }
        for kept in listed
    ]


async def _show(invocation: Invocation, chosen: Chosen, name: str) -> "Kept":
    from registry.templates import Templates
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        return await Templates(store).one(_named(name))


async def _save(invocation: Invocation, chosen: Chosen, named: str, name: str, octets: bytes) -> str:
    from registry.bodies import form_of
    from registry.template import Template
    from registry.templates import Templates
    from resolver.cli.database import opened, prefix_of

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        prefix = prefix_of(store, named)
        version = await Templates(store).save(prefix, name, form_of(octets, Template), OPERATOR)
    return f"{prefix.spelling}/{name}@{version}"


async def _move(invocation: Invocation, chosen: Chosen, name: str, state: str) -> str:
    from registry.templates import State, Templates
    from resolver.cli.database import opened, prefix_of

    named = _named(name)
    async with opened(chosen.settings(invocation).registry, invocation) as store:
        prefix = prefix_of(store, named.owner)
        kept = await Templates(store).move(prefix, named.name, named.version, State[state], OPERATOR)
    return str(kept.name)


def _named(name: str) -> "TemplateName":
    from registry.template import TemplateName

    try:
        return TemplateName.from_text(name)
    except ValueError as error:
        raise Misused("template.name", name=name, rule=error) from None


def _attribute(attribute: "Attribute") -> dict[str, Any]:
    bounds = (attribute.minimum, attribute.maximum)
    lengths = (attribute.min_length or None, attribute.max_length)
    rules = [
        "…".join("" if bound is None else str(bound) for bound in limits)
        for limits in (bounds, lengths)
        if limits != (None, None)
    ]
    options = "|".join(option.value for option in attribute.options)
    return {
        "index": attribute.index,
        "type": attribute.type,
        "name": attribute.zh,
        "name_en": attribute.en,
        "kind": attribute.kind,
        "required": attribute.required,
        "unit": attribute.unit,
        "rule": "  ".join([*rules, *filter(None, (attribute.pattern, options))]),
    }
