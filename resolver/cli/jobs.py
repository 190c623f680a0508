"""`filament job` and `filament archive`: files of changes that the node works off, and everything that it keeps.

The commands write where a running registry looks: into its database, and its files into its data directory. So they
are for the machine of the node; from elsewhere there are /api/jobs and /api/export.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

import click

from resolver.cli.book import FORMS
from resolver.cli.frame import Command, Group
from resolver.cli.invocation import Failed, Invocation, Misused, run
from resolver.cli.listing import add_list
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.authentication import Administrator
    from registry.bulk import Kind
    from registry.job_files import JobFiles
    from registry.jobs import Job, Jobs, OnError, Order

LISTED: Final = ("job", "kind", "state", "source", "lines", "created", "updated", "unchanged", "refused", "rate")
SHOWN: Final = (*LISTED, "remaining", "by", "fault")
KINDS: Final = ("register", "update", "delete", "state")
STATES: Final = ("active", "frozen", "revoked", "expired")
OPERATOR: Final = "filament job"  # Who is named as having sent it.


@click.group("job", cls=Group, help="job")
def job() -> None:
    pass


@job.command("submit", help="job.submit")
@language_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--kind", type=click.Choice(KINDS), default="register", help="job.kind")
@click.option("--on-error", type=click.Choice(["proceed", "rollback"]), default="proceed", help="job.on_error")
@click.option("--state", type=click.Choice(STATES), help="job.state")
@click.option("--reason", default="", help="job.reason")
@click.option("--key", help="job.key")
@output_option()
@settings_options
@click.pass_obj
def submit(
    invocation: Invocation,
    chosen: Chosen,
    file: Path,
    kind: str,
    on_error: str,
    state: str | None,
    reason: str,
    key: str | None,
    form: str,
) -> None:
    order = _order(file, kind, on_error, state, reason)
    write_rows([run(_submit(invocation, chosen, file, key, order))], SHOWN, form, invocation.language)


@job.command("show", help="job.show")
@language_option
@click.argument("number", type=int)
@output_option()
@settings_options
@click.pass_obj
def show(invocation: Invocation, chosen: Chosen, number: int, form: str) -> None:
    write_rows([run(_show(invocation, chosen, number))], SHOWN, form, invocation.language)


@job.command("cancel", help="job.cancel")
@language_option
@click.argument("number", type=int)
@settings_options
@click.pass_obj
def cancel(invocation: Invocation, chosen: Chosen, number: int) -> None:
    run(_cancel(invocation, chosen, number))
    invocation.say("job.cancelled", number=number)


@job.command("results", help="job.results")
@language_option
@click.argument("number", type=int)
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="job.file")
@settings_options
@click.pass_obj
def results(invocation: Invocation, chosen: Chosen, number: int, file: Path | None) -> None:
    run(_results(invocation, chosen, number, file))


@click.command("archive", cls=Command, help="archive")
@click.option("--prefix", "prefixes", multiple=True, help="archive.prefix")
@click.option("--since", metavar="CURSOR", help="archive.since")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="archive.file")
@settings_options
@click.pass_obj
def archive(
    invocation: Invocation, chosen: Chosen, prefixes: tuple[str, ...], since: str | None, file: Path | None
) -> None:
    run(_archive(invocation, chosen, prefixes, since, file))


async def _submit(invocation: Invocation, chosen: Chosen, file: Path, key: str | None, order: "Order") -> Row:
    from uuid import uuid4

    from registry.job_files import pieces

    async with _opened(invocation, chosen) as (jobs, files):
        with file.open("rb") as source:
            received = await files.receive(pieces(source))

        def number(job_id: int) -> None:
            files.number(received, job_id, order.form)

        try:
            sent, _ = await jobs.add(order, _operator(), key or str(uuid4()), received, number)
        finally:
            files.remove(received.path)
        return await _row(invocation, jobs, sent)


async def _list(invocation: Invocation, chosen: Chosen) -> list[Row]:
    async with _opened(invocation, chosen) as (jobs, _):
        return [await _row(invocation, jobs, one) for one in await jobs.listed("", None, every=True)]


add_list(job, LISTED, _list)


async def _show(invocation: Invocation, chosen: Chosen, number: int) -> Row:
    async with _opened(invocation, chosen) as (jobs, _):
        return await _row(invocation, jobs, await jobs.find(number))


async def _cancel(invocation: Invocation, chosen: Chosen, number: int) -> None:
    async with _opened(invocation, chosen) as (jobs, _):
        await jobs.cancel(await jobs.find(number), OPERATOR)


async def _results(invocation: Invocation, chosen: Chosen, number: int, file: Path | None) -> None:
    from registry.archive_import import octets_of
    from registry.job_plan import reading
    from registry.job_results import write_results

    async with _opened(invocation, chosen) as (jobs, files):
        found = await jobs.find(number)
        path = files.path(number, found.order.form)
        if not path.exists():
            raise Failed("job.no_file", number=number)
        with _sink(file) as sink, path.open("rb") as source:
            octets = await octets_of(found.order, path, source)
            about = (found.order.form, reading(found.order), found.batch_id, sink, invocation.language)
            await write_results(jobs.store, octets, *about)
            sink.flush()


async def _archive(
    invocation: Invocation, chosen: Chosen, named: tuple[str, ...], since: str | None, file: Path | None
) -> None:
    from registry.archive import archive as lines_of
    from registry.feed import Cursor
    from registry.handle import NAMING_AUTHORITY
    from resolver.cli.database import opened, prefix_of

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        prefixes = [prefix_of(store, one) for one in named] or [
            prefix for prefix in store.prefixes.homed() if prefix.spelling != NAMING_AUTHORITY
        ]
        cursor = None if since is None else Cursor.from_text(since)
        with _sink(file) as sink:
            async for lines in lines_of(store, prefixes, lambda _, __: True, cursor):
                sink.write(lines)
            sink.flush()


def _order(file: Path, kind: str, on_error: str, state: str | None, reason: str) -> "Order":
    from registry.jobs import Order
    from registry.standing import State, Wish

    form: Any = FORMS.get(file.suffix.lower())
    if form is None:
        raise Misused("load.form", path=file)
    wish = None
    if kind == "state" and (state or reason):  # Otherwise each row names its own.
        if state is None or (state != "active" and not reason):
            raise Misused("job.wish")
        wish = Wish(State[state.upper()], reason)
    return Order(cast("Kind", kind), form, file.name, cast("OnError", on_error), wish)


def _operator() -> "Administrator":
    from registry.authentication import Administrator
    from registry.grants import SCOPES, Grant
    from registry.value import Reference

    return Administrator(Reference("", 0), Grant(OPERATOR, frozenset(SCOPES), None, scope="registry.write"))


async def _row(invocation: Invocation, jobs: "Jobs", one: "Job") -> Row:
    from registry.jobs_api import shown

    form = shown(one, await jobs.tally(one), invocation.language)
    fault = form["fault"]
    return form | {"by": form["submittedBy"], "fault": fault and fault["message"]}


@asynccontextmanager
async def _opened(invocation: Invocation, chosen: Chosen) -> "AsyncIterator[tuple[Jobs, JobFiles]]":
    from registry.job_files import JobFiles
    from registry.jobs import Jobs
    from resolver.cli.database import opened

    settings = chosen.settings(invocation).registry
    async with opened(settings, invocation) as store:
        yield Jobs(store), JobFiles(Path(settings.data_directory))


def _sink(file: Path | None) -> "IO[bytes] | nullcontext[IO[bytes]]":
    return nullcontext(sys.stdout.buffer) if file is None else file.open("wb")
