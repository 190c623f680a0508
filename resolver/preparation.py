"""What a node does before its processes start: it looks at what it was given, and refuses what it could serve wrongly.

A database that is away is waited for, or done without; one that is another's is not.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry import identity
from registry.certificate import NODE_KEY, node_key, refuse_unusable
from registry.database import DATABASE_AWAY
from registry.identity import Tenure
from registry.migrate import migrate
from registry.settings import RegistrySettings
from registry.start_checks import refuse_for_good, refuse_full_disk
from resolver.child import FIRST_DELAY, LAST_DELAY
from resolver.settings import Settings

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
    ours = settings.resolver
    if ours.certificate:
        refuse_unusable(Path(ours.certificate), Path(ours.private_key))


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
