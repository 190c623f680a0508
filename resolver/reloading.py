"""Settings read again while the node runs: what takes effect at once, what with new processes, what not at all.

A file with a fault changes nothing. Prefixes that are homed are in the book, and need nothing to be read again.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from registry.certificate import refuse_no_authorities, refuse_unusable
from registry.language import Language
from registry.settings import InvalidSettings
from registry.start_errors import StartRefused
from resolver.settings import Settings

# What a running worker takes up. Everything else is built into what it has made: its sockets, its cache, its readers.
LIVE: Final = frozenset(
    {
        "resolver.certificate",
        "resolver.private_key",
        "resolver.client_ca",
        "resolver.http_connections",
        "resolver.keepalive",
        "resolver.native_connections",
        "resolver.native_idle",
        "resolver.native_udp_rate",
        "limits.client_rate",
        "limits.prefix_rate",
        "limits.enterprise_rate",
        "limits.unlimited_clients",
        "registry.client_rate",
        "registry.unlimited_clients",
        "resolver.miss_queue",
        "resolver.miss_deadline",
        "resolver.overload_wait",
        "status.log_level",
        "status.log_format",
    }
)


class Refusal(Protocol):
    """Whatever says in the reader's language why not."""

    def text(self, language: Language) -> str: ...


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What came of it: settings in effect, those that wait for `filament upgrade`, or why nothing was changed."""

    applied: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def compare(former: Settings, asked: Settings) -> Reloaded:
    """What changes between what was asked for before and now. Raises StartRefused for a certificate of no use."""
    changed = sorted(name for name, value in flat(asked).items() if flat(former)[name] != value)
    if asked.resolver.certificate and any(name.startswith(("resolver.cert", "resolver.private")) for name in changed):
        refuse_unusable(Path(asked.resolver.certificate), Path(asked.resolver.private_key))
    if asked.resolver.client_ca and "resolver.client_ca" in changed:
        refuse_no_authorities(Path(asked.resolver.client_ca))
    applied = tuple(name for name in changed if name in LIVE)
    return Reloaded(applied, tuple(name for name in changed if name not in LIVE))


def refused(error: InvalidSettings | StartRefused) -> Reloaded:
    return Reloaded(refusals=tuple(error.faults) if isinstance(error, InvalidSettings) else (error,))


def merged(running: Settings, asked: Settings, names: tuple[str, ...]) -> Settings:
    """What runs, with these settings as they are asked for: ports that the system chose stay."""
    wanted = flat(asked)
    for section in dataclasses.fields(running):
        ours = {name.partition(".")[2]: wanted[name] for name in names if name.startswith(f"{section.name}.")}
        running = replace(running, **{section.name: replace(getattr(running, section.name), **ours)})
    return running


def flat(settings: Settings) -> Mapping[str, Any]:
    """Every setting by "section.name"."""
    return {
        f"{section.name}.{entry.name}": getattr(getattr(settings, section.name), entry.name)
        for section in dataclasses.fields(settings)
        for entry in dataclasses.fields(getattr(settings, section.name))
    }
