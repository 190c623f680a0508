"""`filament migrate`, `load` and `export`: the book as a whole."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import FAILED, SUCCESS, Invocation, Misused, run
from resolver.cli.options import Chosen, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.bulk import Report
    from registry.chunks import Form

FORMS: Final[Mapping[str, str]] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".xlsx": "xlsx",
}
REPORTED: Final = ("source", "lines", "created", "updated", "unchanged", "refused", "seconds", "rate")


@click.command("migrate", cls=Command, help="migrate")
@settings_options
@click.pass_obj
def migrate(invocation: Invocation, chosen: Chosen) -> None:
    from resolver.cli.streams import bring_up_to_date

    applied = run(bring_up_to_date(invocation, chosen.settings(invocation).registry))
    if applied:
        invocation.say("migrate.applied", names=", ".join(applied))
    else:
        invocation.say("migrate.nothing")


@click.command("load", cls=Command, help="load")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@click.option("--form", "file_form", type=click.Choice(["ndjson", "csv", "xlsx"]), help="load.form")
@click.option("--load-key", metavar="KEY", help="load.key")
@output_option()
@settings_options
@click.pass_obj
def load(
    invocation: Invocation, chosen: Chosen, file: Path, file_form: str | None, load_key: str | None, form: str
) -> int:
    from resolver.cli.streams import Source, load_source

    kind = file_form or FORMS.get(file.suffix.lower())
    if kind is None:
        raise Misused("load.form", path=file)
    source = Source.of(file, cast("Form", kind), load_key)
    report = run(load_source(invocation, chosen.settings(invocation).registry, source))
    write_rows([_row(file, report)], REPORTED, form, invocation.language)
    return FAILED if report.refused else SUCCESS


@click.command("export", cls=Command, help="export")
@click.option("--prefix", help="export.prefix")
@click.option("--with-secrets", is_flag=True, help="export.with_secrets")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="export.file")
@settings_options
@click.pass_obj
def export(invocation: Invocation, chosen: Chosen, prefix: str | None, with_secrets: bool, file: Path | None) -> None:
    from resolver.cli.streams import export_to

    settings = chosen.settings(invocation).registry
    count = run(export_to(invocation, settings, file, prefix, with_secrets=with_secrets))
    invocation.say("export.done", count=count)


def _row(file: Path, report: "Report") -> Row:
    written = report.created + report.updated + report.unchanged
    return {
        "source": file.name,
        "lines": report.lines,
        "created": report.created,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "refused": report.refused,
        "seconds": round(report.seconds, 1),
        "rate": round(written / report.seconds) if report.seconds else written,
    }
