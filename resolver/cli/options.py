"""Options that several commands share, and the settings that they choose."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from resolver.cli.invocation import Invocation, Misused
from resolver.cli.output import FORMS

if TYPE_CHECKING:
    from resolver.settings import Settings

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the line says about settings: a file, and single ones over it."""

    file: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)  # by "section.key"

    def settings(self, invocation: Invocation) -> "Settings":
        """Raises InvalidSettings with every fault."""
        return self.with_origins(invocation)[0]

    def with_origins(self, invocation: Invocation) -> "tuple[Settings, Mapping[str, str]]":
        from resolver.settings import load

        return load(self.file, invocation.environment, self.overrides)

    def over(self, overrides: Mapping[str, Any]) -> "Chosen":
        """The same with more settings, which yield to those that were written out."""
        return Chosen(self.file, {**overrides, **self.overrides})


def settings_options(function: Function) -> Function:
    """--config, --dsn, --data-directory and --set, handed over as `chosen`."""

    @functools.wraps(function)
    def gathered(*arguments: Any, **options: Any) -> Any:
        overrides: dict[str, Any] = {}
        for assignment in options.pop("assignments"):
            place, equals, value = assignment.partition("=")
            if not equals or "." not in place:
                raise Misused("settings.assignment", text=assignment)
            overrides[place] = value
        for name in ("dsn", "data_directory"):
            if (value := options.pop(name)) is not None:
                overrides[f"registry.{name}"] = value
        return function(*arguments, chosen=Chosen(options.pop("config"), overrides), **options)

    for option in (
        click.option("--set", "assignments", metavar="SECTION.KEY=VALUE", multiple=True, help="set"),
        click.option("--data-directory", metavar="DIRECTORY", help="data_directory"),
        click.option("--dsn", metavar="DSN", help="dsn"),
        click.option(
            "--config", metavar="FILE", type=click.Path(path_type=Path), envvar="FILAMENT_CONFIG", help="config"
        ),
    ):
        gathered = option(gathered)
    return gathered


def output_option(default: str = "table", forms: tuple[str, ...] = tuple(FORMS)) -> Callable[[Function], Function]:
    return click.option("--output", "form", type=click.Choice(forms), default=default, help="output")


def language_option(function: Function) -> Function:
    """Looked at before the line is parsed (invocation.language_of); here so that it is accepted and explained."""
    return click.option("--lang", type=click.Choice(["zh", "en"]), expose_value=False, help="lang")(function)


def node_options(function: Function) -> Function:
    """--url and --certificate of a command that asks a node."""
    certificate = click.option(
        "--certificate",
        metavar="FILE",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="certificate",
    )
    return click.option("--url", metavar="URL", envvar="FILAMENT_URL", help="url")(certificate(function))


def in_url(address: str) -> str:
    """An address as a URL writes it."""
    return f"[{address}]" if ":" in address else address


def local_url(settings: "Settings", scheme: str = "http") -> str:
    """Where the resolvers of a node with these settings are found from its own machine."""
    return f"{scheme}://{_local(settings.resolver.listen[0])}:{settings.resolver.port}"


def local_registry_url(settings: "Settings") -> str:
    """Where the registry's own interface is found from the node's own machine."""
    return f"https://{_local(settings.registry.listen)}:{settings.registry.port}"


def _local(address: str) -> str:
    return in_url({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address))  # noqa: S104  # not listened on: replaced
