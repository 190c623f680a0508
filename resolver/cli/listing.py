"""The command `list` of a group: all there is of its kind, row by row."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import click

from resolver.cli.invocation import Invocation, run
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows


def add_list(
    group: click.Group,
    columns: Sequence[str],
    rows: Callable[[Invocation, Chosen], Coroutine[Any, Any, Sequence[Row]]],
) -> None:
    """Its help is that of `GROUP.list`."""

    @group.command("list", help=f"{group.name}.list")
    @language_option
    @output_option()
    @settings_options
    @click.pass_obj
    def list_all(invocation: Invocation, chosen: Chosen, form: str) -> None:
        write_rows(run(rows(invocation, chosen)), columns, form, invocation.language)
