"""`filament config`: the settings as they stand, checked, or as a file to begin with."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from resolver.cli.frame import Group
from resolver.cli.invocation import Invocation
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import write_rows

if TYPE_CHECKING:
    from resolver.settings import Settings

HIDDEN = "…"  # Instead of a secret: it may say who can read a screen.


@click.group("config", cls=Group, help="config.family")
def config() -> None:
    pass


@config.command("show", help="config.show")
@language_option
@click.option("--origin", is_flag=True, help="config.show.origin")
@output_option()
@settings_options
@click.pass_obj
def show(invocation: Invocation, chosen: Chosen, form: str, origin: bool) -> None:
    settings, origins = chosen.with_origins(invocation)
    columns = ("setting", "value", "origin") if origin else ("setting", "value")
    write_rows(_rows(settings, origins), columns, form, invocation.language)


@config.command("check", help="config.check")
@language_option
@settings_options
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def check(invocation: Invocation, chosen: Chosen, file: Path | None) -> None:
    Chosen(file or chosen.file, chosen.overrides).settings(invocation)
    invocation.say("settings.good")


@config.command("template", help="config.template")
@language_option
def template() -> None:
    from resolver.settings_file import node_toml

    click.echo(node_toml(), nl=False)


def _rows(settings: "Settings", origins: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for section in dataclasses.fields(settings):
        values = getattr(settings, section.name)
        for entry in dataclasses.fields(values):
            name = f"{section.name}.{entry.name}"
            value = getattr(values, entry.name)
            shown = HIDDEN if entry.metadata["secret"] and value else value
            yield {"setting": name, "value": shown, "origin": origins[name]}
