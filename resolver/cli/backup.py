"""`filament backup` and `filament restore`: a copy of a node, the proof that it can be restored, the restoring."""

import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from resolver.cli.frame import Command, Group
from resolver.cli.invocation import Failed, Invocation, run
from resolver.cli.options import Chosen, language_option, output_option, settings_options
from resolver.cli.output import write_rows

if TYPE_CHECKING:
    from registry.backups import Backup
    from registry.settings import RegistrySettings

LISTED: Final = ("backup", "made_at", "registered")
SEALED: Final = ".sealed"
PLACE: Final = click.Path(path_type=Path, file_okay=False)
FILE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
TIME: Final = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"])


@click.group("backup", cls=Group, help="backup")
def backup() -> None:
    pass


@backup.command("make", help="backup.make")
@language_option
@click.argument("directory", type=PLACE)
@click.option("--keep", metavar="NUMBER", type=click.IntRange(1, 10_000), help="backup.keep")
@click.option("--copy-to", metavar="DIRECTORY", type=PLACE, help="backup.copy_to")
@click.option("--public-key", metavar="FILE", type=FILE, help="backup.public_key")
@settings_options
@click.pass_obj
def make(
    invocation: Invocation,
    chosen: Chosen,
    directory: Path,
    keep: int | None,
    copy_to: Path | None,
    public_key: Path | None,
) -> None:
    from registry import backups

    if (copy_to is None) != (public_key is None):
        raise click.UsageError("--copy-to, --public-key")
    made = run(_make(invocation, chosen, directory))
    invocation.say("backup.made", name=made.name, directory=directory)
    if copy_to is not None and public_key is not None:
        invocation.say("backup.copied", file=_copy(directory, made, copy_to, public_key))
    if keep is not None:
        for name in backups.prune(directory, keep):
            invocation.say("backup.removed", name=name)


@backup.command("list", help="backup.list")
@language_option
@click.argument("directory", type=PLACE)
@output_option()
@click.pass_obj
def list_all(invocation: Invocation, directory: Path, form: str) -> None:
    from registry import backups

    rows = [
        {"backup": one.name, "made_at": one.made_at, "registered": sum(one.registered.values())}
        for one in backups.all_in(directory)
    ]
    write_rows(rows, LISTED, form, invocation.language)


@backup.command("follow", help="backup.follow")
@language_option
@click.argument("directory", type=PLACE)
@settings_options
@click.pass_obj
def follow(invocation: Invocation, chosen: Chosen, directory: Path) -> None:
    run(_follow(invocation, chosen, directory))


@backup.command("verify", help="backup.verify")
@language_option
@click.argument("directory", type=PLACE)
@click.option("--backup", "name", metavar="NAME", help="backup.name")
@settings_options
@click.pass_obj
def verify(invocation: Invocation, chosen: Chosen, directory: Path, name: str | None) -> None:
    from registry.restoring import prove

    chosen_one = _one_of(directory, name)
    proof = run(prove(directory, chosen_one, _programs(chosen.settings(invocation).registry)))
    invocation.say(
        "backup.proved", name=chosen_one.name, files=proof.files, prefixes=proof.prefixes, handles=proof.handles,
        sampled=proof.sampled, seconds=proof.seconds,
    )  # fmt: skip


@backup.command("key", help="backup.key")
@language_option
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def key(invocation: Invocation, file: Path) -> None:
    from registry.sealed_file import make_key

    invocation.say("backup.key", private=file, public=make_key(file))


@backup.command("unseal", help="backup.unseal")
@language_option
@click.argument("file", type=FILE)
@click.argument("directory", type=PLACE)
@click.option("--key", "private_key", metavar="FILE", type=FILE, required=True, help="backup.private_key")
@click.pass_obj
def unseal(invocation: Invocation, file: Path, directory: Path, private_key: Path) -> None:
    from registry import backups, sealed_file

    base = directory / backups.BASE
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = base / f"{file.name}{backups.UNFINISHED}"
    try:
        with file.open("rb") as source, opened.open("wb") as target:
            sealed_file.unseal(source, target, private_key)
        with tarfile.open(opened) as archive:
            archive.extractall(base, filter="data")
    except sealed_file.NotOpened as error:
        raise Failed("backup.not_opened", file=file, reason=error) from None
    finally:
        opened.unlink(missing_ok=True)
    invocation.say("backup.unsealed", directory=directory)


@click.command("restore", cls=Command, help="restore")
@click.argument("directory", type=PLACE)
@click.option("--backup", "name", metavar="NAME", help="backup.name")
@click.option("--until", metavar="TIME", type=TIME, help="restore.until")
@settings_options
@click.pass_obj
def restore(invocation: Invocation, chosen: Chosen, directory: Path, name: str | None, until: datetime | None) -> None:
    from registry.restoring import restore as restore_backup

    settings = chosen.settings(invocation).registry
    chosen_one = _one_of(directory, name, until)
    run(restore_backup(directory, chosen_one, Path(settings.data_directory), _programs(settings), until))
    invocation.say("restore.done", name=chosen_one.name, directory=settings.data_directory)


def _one_of(directory: Path, name: str | None, until: datetime | None = None) -> "Backup":
    """The one that is named, or the newest that was made before the moment that is to be restored."""
    from registry import backups

    fitting = [
        one
        for one in backups.all_in(directory)
        if name in (None, one.name) and (until is None or datetime.fromisoformat(one.made_at) < until)
    ]
    if not fitting:
        raise Failed("backup.none", directory=directory)
    return fitting[-1]


def _copy(directory: Path, made: "Backup", target: Path, public_key: Path) -> Path:
    """One sealed file of a backup, put in its place when it is whole."""
    from registry import backups, sealed_file

    target.mkdir(parents=True, exist_ok=True)
    sealed = target / f"{made.name}{SEALED}"
    unfinished = target / f"{made.name}{backups.UNFINISHED}"
    plain = directory / backups.BASE / f"{made.name}{backups.UNFINISHED}"
    try:
        with tarfile.open(plain, "w") as archive:
            archive.add(directory / backups.BASE / made.name, made.name)
        with plain.open("rb") as source, unfinished.open("wb") as written:
            sealed_file.seal(source, written, public_key)
        unfinished.replace(sealed)
    finally:
        plain.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)
    return sealed


async def _make(invocation: Invocation, chosen: Chosen, directory: Path) -> "Backup":
    from registry import backups

    async with _database(invocation, chosen) as found:
        return await backups.make(found, _programs(found), directory)


async def _follow(invocation: Invocation, chosen: Chosen, directory: Path) -> None:
    from registry import backups

    async with _database(invocation, chosen) as found:
        await backups.follow(found.dsn, _programs(found), directory)


@asynccontextmanager
async def _database(invocation: Invocation, chosen: Chosen) -> "AsyncIterator[RegistrySettings]":
    from resolver.cli.database import reachable

    async with reachable(chosen.settings(invocation).registry, invocation) as found:
        yield found


def _programs(settings: "RegistrySettings") -> Path:
    from registry.postgres_programs import find_binaries

    return find_binaries(settings.postgres_binaries)
