"""`filament probe` and `filament promises`: the meter of what a node promises, and what it has shown."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import Invocation, run
from resolver.cli.options import Chosen, output_option, settings_options
from resolver.cli.output import write_rows

SHOWN: Final = ("service", "minutes", "down", "availability")
PROBES: Final = ("probe", "asked", "answered", "mean_ms", "slowest_ms")
INCIDENTS: Final = ("service", "began_at", "ended_at", "cause")
UNREGISTERED: Final = "0.NA/0.probe"  # Asked for where nothing else is named: that it is missing is an answer, too.


@click.command("probe", cls=Command, help="probe")
@click.option("--handle", metavar="HANDLE", help="probe.handle")
@click.option("--write", is_flag=True, help="probe.write")
@click.option("--host", metavar="HOST", help="probe.host")
@click.option("--interval", metavar="SECONDS", type=click.FloatRange(0.1, 60), default=10.0, help="probe.interval")
@click.option("--metrics-port", metavar="NUMBER", type=click.IntRange(1, 65535), help="probe.metrics_port")
@settings_options
@click.pass_obj
def probe(
    invocation: Invocation,
    chosen: Chosen,
    handle: str | None,
    write: bool,
    host: str | None,
    interval: float,
    metrics_port: int | None,
) -> None:
    if write and handle is None:
        raise click.UsageError("--write --handle")
    run(_probe(invocation, chosen, handle, host, interval, metrics_port, write=write))


@click.command("promises", cls=Command, help="promises")
@click.option("--month", metavar="YYYY-MM", type=click.DateTime(["%Y-%m"]), help="promises.month")
@click.option(
    "--show", type=click.Choice(["services", "probes", "incidents"]), default="services", help="promises.show"
)
@output_option()
@settings_options
@click.pass_obj
def promises(invocation: Invocation, chosen: Chosen, month: datetime | None, show: str, form: str) -> None:
    columns = {"services": SHOWN, "probes": PROBES, "incidents": INCIDENTS}[show]
    write_rows(run(_shown(invocation, chosen, month, show)), columns, form, invocation.language)


async def _probe(
    invocation: Invocation,
    chosen: Chosen,
    handle: str | None,
    host: str | None,
    interval: float,
    port: int | None,
    *,
    write: bool,
) -> None:
    from prometheus_client import start_http_server

    from registry.handle import Handle
    from resolver.cli.database import reachable
    from resolver.diagnosis.examination import place_of
    from resolver.logs import set_up
    from resolver.prober import Prober
    from resolver.questions import Questioner

    settings = chosen.settings(invocation)
    set_up(settings.status, "prober")
    written = Handle.from_text(handle) if write and handle is not None else None
    async with reachable(settings.registry, invocation) as found:
        if port is not None:
            start_http_server(port, settings.status.listen)
        place = place_of(settings)
        place = place if host is None else replace(place, host=host)
        prober = Prober(found, Questioner(place), handle or UNREGISTERED, written)
        invocation.say("probe.started", seconds=interval)
        await prober.run(interval)


async def _shown(invocation: Invocation, chosen: Chosen, month: datetime | None, show: str) -> list[dict[str, Any]]:
    from registry.promises import INCIDENTS as FOUND
    from registry.promises import MONTH, account
    from registry.statistics import ZONE, month_of
    from resolver.cli.database import opened

    first, end = month_of(datetime.now(UTC) if month is None else month.replace(tzinfo=ZONE))
    async with (
        opened(chosen.settings(invocation).registry, invocation) as store,
        store.connection() as connection,
    ):
        if show == "services":
            return [
                {"service": one.service, "minutes": one.minutes, "down": one.down, "availability": one.availability}
                for one in await account(connection, first, end)
            ]
        if show == "incidents":
            return [dict(row) for row in await connection.fetch(FOUND, first, end)]
        return [
            {
                **dict(row),
                "mean_ms": None if row["mean"] is None else round(row["mean"] * 1000, 2),
                "slowest_ms": round(row["slowest"] * 1000, 2),
            }
            for row in await connection.fetch(MONTH, first, end)
        ]
