"""`python -m resolver [--config FILE] [--workers N]`: the resolver alone, for units and containers.

One worker runs in this process; several are supervised. The database is somebody else's care: a DSN, or the embedded
Postgres of a node that runs on the same data directory.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web

from registry.embedded import postgres_directory, running_dsn
from registry.language import Catalogue, of_locale
from registry.settings import Fault, InvalidSettings
from registry.start_checks import refuse_strange_book
from registry.start_errors import StartRefused
from resolver.housekeeping import leave_old_objects_alone
from resolver.listeners.promised import Promised
from resolver.listeners.status import Reason
from resolver.listeners.status import create_app as create_status_app
from resolver.logs import set_up
from resolver.node import Node, running
from resolver.preparation import prepare_nothing, refuse_unfit, refuse_upstream
from resolver.reservation import PortTaken
from resolver.settings import Settings, load
from resolver.supervisor import Programs, Supervisor

FAILED: Final = 1
USAGE: Final = 2
MESSAGES: Final[Catalogue] = {
    "no_database": (
        "no database: set [registry] dsn or FILAMENT_REGISTRY_DSN, or start one with `filament up`",
        "没有数据库：请设置 [registry] dsn 或 FILAMENT_REGISTRY_DSN，或用 `filament up` 启动",
    ),
}


def main() -> int:
    """The exit status: 0 stopped in order, 1 could not start, 2 settings that cannot be used, or what they lead to."""
    arguments = _arguments()
    language = of_locale(os.environ.get("LC_ALL") or os.environ.get("LANG"))
    try:
        settings = _settings(arguments.config, arguments.workers)
    except InvalidSettings as error:
        print(*error.texts(language), sep="\n", file=sys.stderr)
        return USAGE
    set_up(settings.status, "resolver")
    alone = (settings.resolver.workers or os.cpu_count() or 1) == 1
    try:
        uvloop.run(_alone(settings) if alone else _supervised(settings))
    except StartRefused as error:
        print(error.text(language), file=sys.stderr)
        return USAGE
    except (PortTaken, OSError) as error:
        print(error, file=sys.stderr)
        return FAILED
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m resolver", description="Answers resolutions. 提供标识解析服务。")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings / 配置文件（TOML）")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes, 0: one for each core / 进程数，0 为每核一个"
    )
    return parser.parse_args()


def _settings(path: Path | None, workers: int | None) -> Settings:
    settings, _ = load(path, overrides={} if workers is None else {"resolver.workers": workers})
    if settings.is_edge:
        return settings
    registry = settings.registry
    dsn = registry.dsn or running_dsn(postgres_directory(Path(registry.data_directory)))
    if not dsn:
        raise InvalidSettings([Fault("", "no_database", catalogue=MESSAGES)])
    return replace(settings, registry=replace(registry, dsn=dsn))


async def _supervised(settings: Settings) -> None:
    supervisor = Supervisor(settings, prepare=prepare_nothing, programs=Programs(postgres=False, registry=False))
    supervisor.follow_signals(terminal=False)
    await supervisor.run()


async def _alone(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    refuse_unfit(settings)
    if settings.is_edge:
        await refuse_upstream(settings)
    else:
        await refuse_strange_book(settings.registry)
    async with running(settings) as node, _status(settings, node):
        leave_old_objects_alone()
        loop.add_signal_handler(signal.SIGHUP, node.reload)
        await stop.wait()


@asynccontextmanager
async def _status(settings: Settings, node: Node) -> AsyncIterator[None]:
    app = create_status_app(_Alone(node), Promised(lambda: settings.registry))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.status.listen, settings.status.port).start()
        yield
    finally:
        await runner.cleanup()


class _Alone:
    """What the status port says of a node that is this process."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def reasons(self) -> list[Reason]:
        return [Reason(rule, "resolver", culprit) for rule, culprit in self._node.unready()]

    def notices(self) -> list[Reason]:
        return [Reason(rule, "resolver", culprit) for rule, culprit in self._node.notices()]

    def processes(self) -> Mapping[str, int]:
        return {"resolver": os.getpid()}

    def restarts(self) -> Mapping[str, int]:
        return {}


if __name__ == "__main__":
    sys.exit(main())
