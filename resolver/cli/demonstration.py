"""`filament demo`: a whole node with realistic identifiers, from nothing to answers, and again in seconds."""

from pathlib import Path
from typing import Final

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import Invocation, run
from resolver.cli.options import Chosen, settings_options

COUNT: Final = 100_000
BASE: Final = 8000
NATIVE: Final = 2641  # What every client of the protocol tries first.
LAST_PORT_BASE: Final = 65_532  # The three ports after it are used too.


@click.command("demo", cls=Command, help="demo")
@click.option(
    "--directory",
    metavar="DIRECTORY",
    type=click.Path(path_type=Path, file_okay=False),
    default=".demo",
    help="demo.directory",
)
@click.option("--count", metavar="NUMBER", type=click.IntRange(1), default=COUNT, help="demo.count")
@click.option(
    "--port-base", metavar="NUMBER", type=click.IntRange(1, LAST_PORT_BASE), default=BASE, help="demo.port_base"
)
@click.option("--workers", metavar="NUMBER", type=click.IntRange(0, 256), default=2, help="up.workers")
@click.option("--exit-after-check", is_flag=True, help="demo.exit_after_check")
@settings_options
@click.pass_obj
def demo(
    invocation: Invocation,
    chosen: Chosen,
    directory: Path,
    count: int,
    port_base: int,
    workers: int,
    exit_after_check: bool,
) -> None:
    from resolver.cli.demo_node import run_demo

    chosen = chosen.over(
        {
            "registry.data_directory": str(directory),
            "registry.port": port_base + 1,
            "resolver.listen": ("127.0.0.1",),
            "resolver.port": port_base,
            "resolver.similar_names": ("88.168.",),
            "resolver.native_port": NATIVE if port_base == BASE else port_base + 3,
            "resolver.workers": workers,
            "status.port": port_base + 2,
            "status.log_level": "warning",
        }
    )
    run(run_demo(invocation, chosen.settings(invocation), count, stay=not exit_after_check))
    invocation.say("up.stopped")
