"""What a request over HTTP asks for, and whether that is too much.

The request itself is counted for its client before it is looked at; the names that it turns out to ask for are counted
for their prefixes here.
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from registry.handle import HandleKey
from registry.limits import Allowance
from resolver.listeners.http.responses import ASKED

ALLOWANCE: Final = web.RequestKey("allowance", Allowance)  # Of its client; there is none where nothing is limited.


def ask_for(request: web.Request, key: HandleKey) -> None:
    """Has a request stand for the handle that it asks for. Raises TooManyRequests."""
    request[ASKED] = key
    charge(request, {key.partition(b"/")[0]: 1})


def charge(request: web.Request, times: Mapping[bytes, int]) -> None:
    """Counts names by their prefixes. Raises TooManyRequests."""
    allowance = request.get(ALLOWANCE)
    if allowance is None:
        return
    for prefix, number in times.items():
        if (excess := allowance.prefix_excess(prefix, number)) is not None:
            raise excess.error()


def charge_client(request: web.Request, times: int) -> None:
    """Counts what a request asks for besides itself. Raises TooManyRequests."""
    allowance = request.get(ALLOWANCE)
    if allowance is not None and times and (excess := allowance.client_excess(times)) is not None:
        raise excess.error()
