"""What every native answer of this node carries besides its content: when it expires, and the node's serial number.

An operation gives `Reply` values and knows nothing of request ids, digests and versions: the same reply becomes another
message where the request was challenged first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Final

from registry.errors import HandleElsewhere, HandleError, ResponseCode
from registry.site import SiteInfo
from registry.value import HandleValue
from resolver.wire.envelope import Envelope
from resolver.wire.message import AUTHORITATIVE, Message, refused
from resolver.wire.refusal import Referral, Refusal

# Seconds that clients may take an answer for valid: they refuse one whose time is over. As the reference server's.
LIFETIME: Final = 12 * 3600
_SUCCESS: Final = int(ResponseCode.SUCCESS)  # A plain integer: packing an enumeration's member costs three times it.
SITE_LIFE: Final = 1.0  # Seconds that the site record is kept in octets; it is made anew from settings each time.


@dataclass(frozen=True, slots=True)
class Reply:
    """One message of an answer. `private` ones hold values that not everybody may read."""

    body: bytes = b""
    code: int = ResponseCode.SUCCESS
    flags: int = AUTHORITATIVE
    private: bool = False


class Replies:
    """Makes messages of replies."""

    def __init__(
        self,
        site: Callable[[], SiteInfo],
        fresh_for: Callable[[], float],
        clock: Callable[[], float] = time,
        *,
        authoritative: bool = True,
    ) -> None:
        """Of a node that is not the authority for what it answers, no answer says that it is. `fresh_for`: seconds for
        which what is kept is fresh if nothing is heard any more."""
        self.clock = clock
        # Between these, answers of what is kept have the same flags and serial number. A clock may be set back.
        self.alike_from = 0.0
        self.alike_until = 0.0
        self._authoritative = authoritative
        self._fresh_for = fresh_for
        self._flags = 0  # Of what is kept.
        self._kept_flags = -1 if authoritative else ~AUTHORITATIVE
        self._site = site
        self._site_wire = b""
        self._serial = 0

    @property
    def site_info(self) -> Reply:
        """The node's site record, bare: the Wireshark dissector expects a length in front and is wrong."""
        self.serial(self.clock())
        return Reply(self._site_wire)

    def serial(self, now: float) -> int:
        if not self.alike_from <= now < self.alike_until:
            site = self._site()
            self._site_wire = site.to_wire()
            self._serial = site.serial
            fresh_for = self._fresh_for()
            # Nobody vouches for what may be older than the bound, from the very moment on.
            self._flags = AUTHORITATIVE if self._authoritative and fresh_for > 0 else 0
            self.alike_from = now
            self.alike_until = now + (min(SITE_LIFE, fresh_for) if fresh_for > 0 else SITE_LIFE)
        return self._serial

    def validity(self, now: float) -> tuple[int, int]:
        """When an answer of now expires, and the serial number of the site record."""
        return int(now) + LIFETIME, self.serial(now)

    def found(self, request: Message, body: bytes) -> Message:
        """★ `answer` for the commonest reply, without making one."""
        now = self.clock()
        serial = self._serial if self.alike_from <= now < self.alike_until else self.serial(now)
        return request.answered(_SUCCESS, body, expiration=int(now) + LIFETIME, serial=serial, flags=self._flags)

    def answer(
        self, request: Message, reply: Reply, *, request_id: int | None = None, session_id: int | None = None
    ) -> Message:
        """The last two differ from the request's own for an answer that another message released."""
        expiration, serial = self.validity(self.clock())
        return request.answered(
            reply.code,
            reply.body,
            flags=reply.flags & self._kept_flags,
            expiration=expiration,
            serial=serial,
            request_id=request_id,
            session_id=session_id,
        )

    def refuse_envelope(self, envelope: Envelope, reply: Reply) -> Message:
        """The answer to octets behind an envelope that are no message, or one that cannot be read."""
        expiration, serial = self.validity(self.clock())
        return refused(envelope, reply.code, reply.body, expiration=expiration, serial=serial)


def refusal(error: HandleError) -> Reply:
    """A refusal as a reply, or where to ask instead. Clients show its sentence to people; it names nothing but what the
    request named."""
    if isinstance(error, HandleElsewhere):
        site = HandleValue(1, "HS_SITE", error.site)
        return Reply(Referral(b"", (site,)).to_wire(), ResponseCode.SERVICE_REFERRAL, flags=0)
    return Reply(Refusal(str(error)[:MAX_SENTENCE]).to_wire(), error.code)


MAX_SENTENCE: Final = 400  # Characters: a refusal that repeats a long name stays one datagram or two.
