"""Everything that is looked at, in the order in which one depends on the other."""

import asyncio

from registry.language import Language
from resolver.diagnosis import answers, book, machine, upstream
from resolver.diagnosis.finding import Finding
from resolver.questions import Place
from resolver.settings import Settings

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # not listened on: where it is reached from here


def place_of(settings: Settings) -> Place:
    """Where a node of these settings is asked from its own machine."""
    ours = settings.resolver
    ports = {"http": ours.port, "https": ours.port, "tcp": ours.native_port, "udp": ours.native_port}
    return Place(_EVERYWHERE.get(ours.listen[0], ours.listen[0]), ports)


async def examine(settings: Settings, language: Language) -> list[Finding]:
    place = place_of(settings)
    found = await (upstream.look(settings) if settings.is_edge else book.look(settings.registry))
    ports, status, resolved = await asyncio.gather(
        machine.ports(settings, place), answers.status(settings, language), answers.resolve(place, found.handle)
    )
    return [
        *found.findings,
        machine.disk(settings),
        *machine.clock(found.ahead),
        machine.huge_pages(),
        await asyncio.to_thread(machine.certificate, settings, place),
        *ports,
        *status,
        *resolved,
    ]
