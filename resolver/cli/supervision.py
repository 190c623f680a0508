"""A supervisor run from the command line: signals, and what is said of its start and its end."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping

from registry.embedded_errors import DataDirectoryInUse
from registry.start_errors import StartRefused
from resolver.cli.invocation import Failed, Invocation, Misused
from resolver.cli.options import in_url, local_url
from resolver.logs import set_up
from resolver.preparation import bring_schema_up_to_date, prepare_nothing, refuse_unfit
from resolver.reservation import PortTaken
from resolver.settings import Settings
from resolver.supervisor import Supervisor
from resolver.upgrade import left_to_us


async def up_until_stopped(invocation: Invocation, read: Callable[[], Settings], *, no_migrate: bool) -> None:
    """Runs a node of the settings that `read` reads until a signal stops it."""
    settings = read()
    set_up(settings.status)
    prepare = prepare_nothing if no_migrate else bring_schema_up_to_date
    supervisor = Supervisor(settings, prepare=prepare, reread=read, estate=left_to_us())
    option = {
        settings.resolver.port: "--port",
        settings.resolver.native_port: "--set resolver.native_port=NUMBER",
        settings.resolver.dns_port: "--set resolver.dns_port=NUMBER",
        settings.registry.port: "--set registry.port=NUMBER",
        settings.status.port: "--set status.port=NUMBER",
    }
    await supervise(invocation, supervisor, option)


def look_only(settings: Settings) -> None:
    """Whether a node of these settings could start with this program, as far as can be said without starting it."""
    import resolver.node  # noqa: F401  # what the processes of a node import is to be there

    refuse_unfit(settings)


async def supervise(
    invocation: Invocation, supervisor: Supervisor, option: Mapping[int, str], *, announce: bool = True
) -> None:
    """Runs a supervisor until a signal stops it, and says what happens. Raises Failed when it cannot.

    `option` is what chooses another port, by port.
    """
    supervisor.follow_signals(terminal=os.isatty(sys.stderr.fileno()))
    telling = asyncio.create_task(_tell(invocation, supervisor, announce=announce))
    try:
        await supervisor.run()
    except PortTaken as error:
        way_out = option.get(error.port, "--set")
        raise Failed("port.taken", port=error.port, address=error.address, option=way_out) from None
    except (StartRefused, DataDirectoryInUse) as error:
        raise Misused("up.failed", reason=error.text(invocation.language)) from None
    finally:
        telling.cancel()


async def _tell(invocation: Invocation, supervisor: Supervisor, *, announce: bool) -> None:
    waiting = {asyncio.create_task(event.wait()) for event in (supervisor.ready, supervisor.stop)}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if supervisor.ready.is_set() and announce:
            status = supervisor.settings.status
            at = f"http://{in_url(status.listen)}:{status.port}"
            invocation.say("up.started", url=local_url(supervisor.settings), status=f"{at}/readyz")
        await supervisor.stop.wait()
        invocation.say("up.stopping")
    finally:
        for task in waiting:
            task.cancel()
