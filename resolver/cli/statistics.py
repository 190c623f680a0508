"""`filament stats`: how much was resolved here, told apart in one way or another."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import Failed, Invocation, run
from resolver.cli.options import Chosen, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.statistics import Statistics

PERIODS: Final = ("minute", "hour", "day")
ASPECTS: Final = ("prefix", "protocol", "system", "source")
NAMES: Final = dict(zip(ASPECTS, ("prefix", "protocol", "system", "address"), strict=True))  # of their columns
BUSIEST: Final = ("at", "requests")
TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command("stats", cls=Command, help="stats")
@click.option("--by", "aspect", type=click.Choice(ASPECTS), default="prefix", help="stats.by")
@click.option("--per", "period", type=click.Choice(PERIODS), default="day", help="stats.per")
@click.option("--prefix", help="stats.prefix")
@click.option("--from", "begin", type=TIME, metavar="TIME", help="stats.from")
@click.option("--to", "end", type=TIME, metavar="TIME", help="stats.to")
@click.option("--busiest", is_flag=True, help="stats.busiest")
@output_option()
@settings_options
@click.pass_obj
def stats(invocation: Invocation, /, chosen: Chosen, form: str, *, busiest: bool, **asked: Any) -> None:
    if asked["aspect"] == "source":
        asked["period"] = "day"  # the only one that sources are counted by
    columns = BUSIEST if busiest else ("at", NAMES[asked["aspect"]], "requests", "successes")
    write_rows(run(_rows(invocation, chosen, busiest=busiest, **asked)), columns, form, invocation.language)


async def _rows(
    invocation: Invocation,
    chosen: Chosen,
    *,
    busiest: bool,
    aspect: Any,
    period: Any,
    prefix: str | None,
    begin: datetime | None,
    end: datetime | None,
) -> list[Row]:
    from registry.statistics import ZONE, Statistics, begin_of
    from resolver.cli.database import opened

    now = datetime.now(UTC)
    since = begin_of("day", now) if begin is None else begin_of(period, begin.replace(tzinfo=ZONE))
    until = now + timedelta(seconds=1) if end is None else end.replace(tzinfo=ZONE)
    async with opened(chosen.settings(invocation).registry, invocation) as store:
        statistics = Statistics(store)
        if busiest:
            return await _busiest(statistics, begin_of("day", since), until)
        asked = None
        if prefix is not None:
            asked = store.prefixes.find(store.key_of(f"{prefix}/".encode())[:-1])
            if asked is None:
                raise Failed("stats.prefix", prefix=prefix)
        counts = await statistics.read(aspect, period, since, until, asked)
    return [
        {
            "at": f"{row.at:%Y-%m-%d %H:%M}",
            NAMES[aspect]: row.name,
            "requests": row.requests,
            "successes": row.successes,
        }
        for row in counts
    ]


async def _busiest(statistics: "Statistics", begin: datetime, end: datetime) -> list[Row]:
    rows = await statistics.busiest(begin, end)
    return [{"at": f"{row.at:%Y-%m-%d %H:%M:%S}", "requests": row.requests} for row in rows]
