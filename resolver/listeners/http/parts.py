"""What the HTTP listener is made of: everything it needs from the node, handed to it once."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from registry.authentication import Authenticator
from registry.errors import HandleElsewhere
from registry.feed import Cursor
from registry.registration import Registration
from registry.sessions import Sessions
from registry.signing import Signer
from registry.site import SiteInfo
from registry.written import WritePosition
from resolver.metrics import Metrics
from resolver.operations import Operations
from resolver.recursion import Recursion
from resolver.resolution import Resolver
from resolver.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """`site` is asked for each time, because it changes; `node_key` signs what the server says of itself, and `signer`
    what it answers; `position` is how far the change log was heard, `position_of` where a transaction stands in it,
    and `reach` waits until it was heard up to there; `recursion` asks other nodes, and an
    edge's upstream is `elsewhere`."""

    resolver: Resolver
    registration: Registration
    authenticator: Authenticator
    sessions: Sessions
    settings: Settings
    metrics: Metrics
    operations: Operations
    site: Callable[[], SiteInfo]
    node_key: RSAPrivateKey
    signer: Signer
    position: Callable[[], Cursor | None]
    position_of: Callable[[int], WritePosition | None]
    reach: Callable[[WritePosition], Awaitable[None]]
    recursion: Recursion | None = None
    elsewhere: Callable[[], HandleElsewhere] | None = None
