"""What a node does before its processes start: it looks at what it was given, and refuses what it could serve wrongly.

A database that is away is waited for, or done without; one that is another's is not.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry import identity
from registry.certificate import NODE_KEY, node_key, refuse_no_authorities, refuse_unusable
from registry.database import DATABASE_AWAY
from registry.identity import Tenure
from registry.migrate import migrate
from registry.settings import RegistrySettings
from registry.start_checks import refuse_for_good, refuse_full_disk
from registry.start_errors import UpstreamRefused
from resolver.child import FIRST_DELAY, LAST_DELAY
from resolver.client.servers import Server
from resolver.edge.interface import Untrusted, expect_trusted
from resolver.edge.link import Link, NotSupported
from resolver.settings import Settings

UNREGISTERED: Final = b"0.NA/0.NONE"  # Asked of an upstream: that it is missing is an answer, too.

log = logging.getLogger(__name__)


async def bring_schema_up_to_date(settings: Settings, *, post: bool = True) -> None:
    """What a node does before its processes start. A database that is away now is waited for."""
    delay = FIRST_DELAY
    while True:
        try:
            await migrate(settings.registry.dsn, exact_suffixes=settings.registry.exact_suffixes, post=post)
        except (asyncpg.DiskFullError, *DATABASE_AWAY) as error:
            if isinstance(error, asyncpg.exceptions.ClientConfigurationError):
                raise  # a DSN that makes no sense now makes none later
            refuse_for_good(error, settings.registry.dsn)
            log.warning("the database cannot be reached, trying again in %.1f s: %s", delay, error)
        else:
            return
        await asyncio.sleep(delay)
        delay = min(delay * 2, LAST_DELAY)


async def prepare_nothing(settings: Settings, *, post: bool = True) -> None:
    """For a schema that is cared for elsewhere."""


def refuse_unfit(settings: Settings) -> None:
    """Looks at what needs no database. Raises StartRefused."""
    refuse_full_disk(Path(settings.registry.data_directory))
    for ours in (settings.resolver, settings.registry):
        if ours.certificate:
            refuse_unusable(Path(ours.certificate), Path(ours.private_key))
    for authorities in (settings.resolver.client_ca, settings.registry.client_ca, settings.edge.authorities):
        if authorities:
            refuse_no_authorities(Path(authorities))


async def refuse_upstream(settings: Settings) -> None:
    """Looks whether the upstream of an edge has the book: what an edge keeps is told to no other, since each would add
    its own delay to how old an answer may be; and whether anybody we trust vouches for it. One that is away is looked
    at by nobody. Raises UpstreamRefused."""
    servers = [Server.from_text(text) for text in settings.edge.upstream]
    link = Link(servers)
    try:
        await link.records([UNREGISTERED], "", settings.resolver.miss_deadline)
        await expect_trusted(settings.edge)
    except NotSupported:
        raise UpstreamRefused("upstream-no-book", upstream=", ".join(settings.edge.upstream)) from None
    except Untrusted as error:
        raise UpstreamRefused("upstream-untrusted", address=error.address, reason=error.reason) from None
    except OSError as error:  # TimeoutError is one.
        log.warning("the upstream cannot be reached, the edge starts without it: %s", error)
    finally:
        await link.close()


@asynccontextmanager
async def only_one(settings: RegistrySettings) -> AsyncIterator[None]:
    """Nobody else is this node while the block runs. Raises IdentityTaken."""
    key = node_key(Path(settings.data_directory)).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    tenure = Tenure(settings.dsn, digest, Path(settings.data_directory) / NODE_KEY)
    try:
        await tenure.take()
    except DATABASE_AWAY as error:
        log.warning("the node's identity is not held yet: %s", error)
    async with identity.held(tenure):
        yield
