"""`filament bench`: how fast a node answers, by the load generator that the project itself is measured with."""

from pathlib import Path
from typing import Final

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import FAILED, SUCCESS, Failed, Invocation, Misused, run
from resolver.cli.output import write_rows

NAMES: Final = ("resolve-http", "resolve-native-tcp", "resolve-native-udp", "batch", "register", "day")
COLUMNS: Final = ("scenario", "answers_per_second", "identifiers_per_second", "p50_ms", "p99_ms", "wrong", "lost")
READABLE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
WRITABLE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command("bench", cls=Command, help="bench")
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...", type=click.Choice(NAMES))
@click.option("--url", metavar="URL", default="", help="bench.url")
@click.option("--native-port", metavar="NUMBER", type=click.IntRange(1, 65535), default=2641, help="bench.native_port")
@click.option("--names", metavar="FILE", type=READABLE, help="bench.names")
@click.option(
    "--directory", metavar="DIRECTORY", type=click.Path(path_type=Path, file_okay=False), help="bench.directory"
)
@click.option("--count", metavar="NUMBER", type=click.IntRange(1), default=100_000, help="bench.count")
@click.option("--seconds", metavar="NUMBER", type=click.IntRange(1, 3600), default=5, help="bench.seconds")
@click.option("--rate", metavar="NUMBER", type=click.IntRange(0), default=0, help="bench.rate")
@click.option("--connections", metavar="NUMBER", type=click.IntRange(0, 10_000), default=0, help="bench.connections")
@click.option("--in-flight", metavar="NUMBER", type=click.IntRange(0, 1024), default=0, help="bench.in_flight")
@click.option("--processes", metavar="NUMBER", type=click.IntRange(1, 64), default=1, help="bench.processes")
@click.option("--report", metavar="FILE.html", type=WRITABLE, help="bench.report")
@click.option("--output", "form", type=click.Choice(("table", "json")), default="table", help="output")
@click.pass_obj
def bench(
    invocation: Invocation, /, scenarios: tuple[str, ...], report: Path | None, form: str, **wished: object
) -> int:
    import orjson

    from bench.report import write_report
    from bench.scenarios import NotOurs, Wish
    from bench.scenarios import run as run_scenarios
    from bench.surroundings import surroundings

    result = {"program": "bench", **surroundings(), "settings": {name: str(value) for name, value in wished.items()}}
    try:
        result["runs"] = runs = run(run_scenarios(scenarios, Wish(**wished)))  # type: ignore[arg-type]  # as declared above
    except NotOurs:
        raise Misused("bench.not_ours") from None
    except RuntimeError as error:
        raise Failed("bench.failed", reason=error) from None
    if report is not None:
        write_report([result], report)
        invocation.say("bench.written", file=report)
    if form == "json":
        click.echo(orjson.dumps(result))
    else:
        write_rows(map(_row, runs), COLUMNS, form, invocation.language)
    return SUCCESS if all(one["wrong"] == one["lost"] == 0 for one in runs) else FAILED


def _row(figures: dict[str, object]) -> dict[str, object]:
    times = figures["percentiles_us"]
    assert isinstance(times, dict)
    return {
        "scenario": figures["name"],
        "answers_per_second": figures["rate"],
        "identifiers_per_second": figures["identifier_rate"],
        "p50_ms": round(times["50"] / 1000, 3),
        "p99_ms": round(times["99"] / 1000, 3),
        "wrong": figures["wrong"],
        "lost": figures["lost"],
    }
