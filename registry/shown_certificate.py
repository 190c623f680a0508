"""The certificate that a client showed in its TLS handshake (RFC 8446, section 4.4.2).

Only the client's own handshake with this process counts: a front that shows a certificate proves itself and nobody who
asks through it.
"""

import ssl
from collections.abc import Sequence

from aiohttp import web

from registry.sources import IpNetwork, address_from_text, is_in


def shown_certificate(request: web.Request, fronts: Sequence[IpNetwork]) -> bytes | None:
    """As DER; None where none was asked for, none was shown, or one of our fronts is the client."""
    if request.transport is None:
        return None
    tls = request.transport.get_extra_info("ssl_object")
    peer = address_from_text(request.remote)
    if not isinstance(tls, ssl.SSLObject | ssl.SSLSocket) or peer is None or is_in(peer, fronts):
        return None
    return tls.getpeercert(binary_form=True)
