"""`python -m registry migrate | load FILE | export | serve`: the registry as a program of its own.

For services and containers, with a Postgres by DSN. At a terminal, `filament` does the same with more words, and can
run a Postgres of its own.
"""

import argparse
import asyncio
import errno
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final

import asyncpg
import orjson
import uvloop

from registry.api import serve
from registry.bulk import load
from registry.chunks import Form
from registry.database import DATABASE_AWAY
from registry.errors import HandleError
from registry.export import export_handles
from registry.language import Catalogue, Language, of_locale, text
from registry.migrate import migrate
from registry.refusals import write_refusals
from registry.settings import (
    InvalidSettings,
    RegistrySettings,
    default_environment,
    read_file,
    read_section,
)
from registry.start_checks import refuse_strange_book
from registry.start_errors import StartRefused
from registry.store import Store

DONE, FAILED, MISUSED = 0, 1, 2
PIECE: Final = 1 << 18  # Octets of a file read at a time.
NICENESS: Final = 5  # Whoever registers waits a little for whoever resolves, where both want the processor.
OPERATOR: Final = "python -m registry load"  # Who a handle's history names.
FORMS: Final[dict[str, Form]] = {".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".tsv": "csv", ".xlsx": "xlsx"}

UNUSABLE: Final = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES})  # Addresses and ports to listen on.

MESSAGES: Final[Catalogue] = {
    "dsn": (
        "no database: set [registry] dsn or FILAMENT_REGISTRY_DSN (`filament up` runs a Postgres of its own)",
        "没有数据库：请设置 [registry] dsn 或 FILAMENT_REGISTRY_DSN（`filament up` 可自带 Postgres）",
    ),
    "form": ("{file}: say --form ndjson, csv or xlsx", "{file}：请用 --form 指明 ndjson、csv 或 xlsx"),
    "file": ("{file}: {error}", "{file}：无法读写（{error}）"),
    "port": (
        "port {port} of {address} cannot be listened on: {error}",
        "无法监听 {address} 的端口 {port}（{error}）",
    ),
    "away": ("the database cannot be reached: {error}", "无法访问数据库：{error}"),
    "migrated": ("applied: {names}", "已执行：{names}"),
    "current": ("the schema is up to date", "数据库结构已是最新"),
    "refused": ("rows refused: {count}; they are in {file}", "{count} 行被拒绝，见 {file}"),
}
# What argparse shows, in both languages at once: it is made before anybody's language is known.
HELP: Final = {
    "program": "Migrates, loads, exports and administers the book. 注册库的升级、导入、导出与管理接口。",
    "config": "settings file / 配置文件（TOML）",
    "migrate": "bring the schema up to date / 升级数据库结构",
    "serve": "serve the registry's own interface / 提供注册接口",
    "load": "load a file; - is standard input / 批量导入文件，- 表示标准输入",
    "form": "form of the file, when its name does not say it / 文件格式，默认按扩展名判断",
    "load-key": "what makes a second run the same load (default: the path) / 导入任务标识，默认为文件路径",
    "refused": "where refused rows are written / 被拒绝的行写入的文件",
    "export": "write handles as NDJSON to standard output / 以 NDJSON 导出标识到标准输出",
    "prefix": "only those of this prefix / 只导出该前缀的标识",
    "with-secrets": "handles with secret keys, too / 同时导出含有密钥的标识",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 done, 1 failed or rows refused, 2 misused."""
    asked = _parser().parse_args(arguments)
    language = of_locale(os.environ.get("LC_ALL") or os.environ.get("LANG"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    try:
        settings = _settings(asked.config)
    except InvalidSettings as error:
        return _complain(*error.texts(language), code=MISUSED)
    if not settings.dsn:
        return _complain(text(MESSAGES, "dsn", language), code=MISUSED)
    try:
        return uvloop.run(_COMMANDS[asked.command](settings, asked, language))
    except StartRefused as error:
        return _complain(error.text(language), code=MISUSED if asked.command == "serve" else FAILED)
    except HandleError as error:
        return _complain(error.text(language))
    except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
        return _complain(_text(error, settings, language))


def _text(error: Exception, settings: RegistrySettings, language: Language) -> str:
    """OSError says of itself what it is about: a file, an address of ours, or else the database."""
    if isinstance(error, OSError) and error.filename is not None:
        return text(MESSAGES, "file", language, file=error.filename, error=error.strerror)
    if isinstance(error, OSError) and error.errno in UNUSABLE:
        return text(MESSAGES, "port", language, port=settings.port, address=settings.listen, error=error.strerror)
    return text(MESSAGES, "away", language, error=str(error) or type(error).__name__)


async def _migrate(settings: RegistrySettings, _: argparse.Namespace, language: Language) -> int:
    applied = await migrate(settings.dsn, exact_suffixes=settings.exact_suffixes)
    names = ", ".join(applied)
    print(text(MESSAGES, "migrated", language, names=names) if applied else text(MESSAGES, "current", language))
    return DONE


async def _load(settings: RegistrySettings, asked: argparse.Namespace, language: Language) -> int:
    file = Path(asked.file)
    form = asked.form or FORMS.get(file.suffix.lower())
    if form is None:
        return _complain(text(MESSAGES, "form", language, file=file), code=MISUSED)
    key = asked.load_key or _path(asked.file)
    async with _opened(settings) as store:
        with _source(asked.file) as source:
            report = await load(store, _pieces(source), form, source=file.name, load_key=key, loaded_by=OPERATOR)
        if report.refused:
            refused = Path(asked.refused or f"{file.stem if file.stem != '-' else 'load'}.refused.{form}")
            with await asyncio.to_thread(refused.open, "wb") as sink:
                await write_refusals(store, report.batch_id, sink, language)
            _complain(text(MESSAGES, "refused", language, count=report.refused, file=refused))
    print(orjson.dumps(asdict(report)).decode())
    return FAILED if report.refused else DONE


async def _export(settings: RegistrySettings, asked: argparse.Namespace, _: Language) -> int:
    async with _opened(settings) as store:
        async for lines in export_handles(store, asked.prefix, with_secrets=asked.with_secrets):
            await asyncio.to_thread(sys.stdout.buffer.write, lines)
        await asyncio.to_thread(sys.stdout.buffer.flush)
    return DONE


async def _serve(settings: RegistrySettings, _: argparse.Namespace, __: Language) -> int:
    await refuse_strange_book(settings)
    os.nice(NICENESS)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(settings, stop)
    return DONE


_COMMANDS: Final = {"migrate": _migrate, "load": _load, "export": _export, "serve": _serve}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m registry", description=HELP["program"])
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, help=HELP["config"])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", parents=[common], help=HELP["migrate"])
    commands.add_parser("serve", parents=[common], help=HELP["serve"])
    loading = commands.add_parser("load", parents=[common], help=HELP["load"])
    loading.add_argument("file")
    loading.add_argument("--form", choices=["ndjson", "csv", "xlsx"], help=HELP["form"])
    loading.add_argument("--load-key", help=HELP["load-key"])
    loading.add_argument("--refused", help=HELP["refused"])
    exporting = commands.add_parser("export", parents=[common], help=HELP["export"])
    exporting.add_argument("--prefix", help=HELP["prefix"])
    exporting.add_argument("--with-secrets", action="store_true", help=HELP["with-secrets"])
    return parser


def _settings(config: Path | None) -> RegistrySettings:
    """The [registry] table; those of the resolver may stand in the same file. Raises InvalidSettings."""
    table = read_file(config).get("registry", {})
    settings, _, faults = read_section(RegistrySettings, "registry", table, str(config), default_environment(), {})
    if faults:
        raise InvalidSettings(faults)
    return settings


@asynccontextmanager
async def _opened(settings: RegistrySettings) -> AsyncIterator[Store]:
    store = Store(settings, "registry")
    try:
        await store.open()
        yield store
    finally:
        await store.close()


def _source(file: str) -> nullcontext[BinaryIO] | BinaryIO:
    return nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb")


def _path(file: str) -> str:
    return str(Path(file).absolute())


async def _pieces(source: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(source.read, PIECE):
        yield piece


def _complain(*sentences: str, code: int = FAILED) -> int:
    for sentence in sentences:
        print(sentence, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
