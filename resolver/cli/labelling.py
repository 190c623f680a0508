"""`filament label`: labels of identifiers, made here without asking any node."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import Invocation, Misused

if TYPE_CHECKING:
    from registry.labels.label import Label
    from registry.labels.symbol import Symbology

STDIN = "-"


@click.command("label", cls=Command, help="label")
@click.argument("identifiers", nargs=-1, required=True, metavar="IDENTIFIER...")
@click.option("--symbol", type=click.Choice(["qr", "datamatrix", "gs1-128"]), default="qr", help="label.symbol")
@click.option("--form", type=click.Choice(["svg", "png", "pdf", "zpl"]), help="label.form")
@click.option("--base", metavar="URL", default="", help="label.base")
@click.option(
    "--file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, writable=True), help="label.file"
)
@click.pass_obj
def label(
    invocation: Invocation, identifiers: tuple[str, ...], symbol: str, form: str | None, base: str, file: Path | None
) -> None:
    from registry.labels.job import ONE, many
    from registry.labels.label import check_base, symbology_of

    form = form or (file.suffix.removeprefix(".").lower() if file is not None else "svg")
    if form not in ONE:
        raise Misused("label.form", file=str(file))
    labels = _labels(identifiers, symbology_of(symbol), check_base(base))
    first = next(labels, None)
    if first is None:
        raise Misused("label.nothing")
    second = next(labels, None)
    pieces = iter([ONE[form](first)]) if second is None else many(_again(first, second, labels), form)
    count = _write(pieces, file)
    if file is not None:
        invocation.say("label.written", file=str(file), octets=count)


def _labels(identifiers: tuple[str, ...], symbology: "Symbology", base: str) -> "Iterator[Label]":
    from registry.labels.label import label_of
    from resolver.cli.many import names_in

    for identifier in names_in(sys.stdin.buffer) if identifiers == (STDIN,) else identifiers:
        yield label_of(identifier, symbology, base)


def _again(first: "Label", second: "Label", others: "Iterator[Label]") -> "Iterator[Label]":
    yield first
    yield second
    yield from others


def _write(pieces: Iterator[bytes], file: Path | None) -> int:
    if file is None:
        return sum(map(sys.stdout.buffer.write, pieces))
    with file.open("wb") as out:
        return sum(map(out.write, pieces))
