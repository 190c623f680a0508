"""A worker gives way to its successor: listening sockets first, then each connection at a moment when it is between
two requests. What cannot be handed over, because it is encrypted or has a log-in, is answered to its end here.
"""

import asyncio
import logging
import socket
from collections.abc import Mapping
from typing import Final

from registry.inheritance import Inheritance, Legacy
from registry.port import Port
from resolver.listeners.dns import DnsPort
from resolver.listeners.http.app import HttpServer
from resolver.listeners.native import NativePort

log = logging.getLogger(__name__)

HTTP: Final = "http"
STREAMS: Final = "native streams"
DATAGRAMS: Final = "native datagrams"
DNS_STREAMS: Final = "DNS streams"
DNS_DATAGRAMS: Final = "DNS datagrams"
LOOK_INTERVAL: Final = 0.02  # Seconds between two looks for connections that are between two requests.
# Seconds for connections that are never seen between two requests, or cannot be handed over. A client over TLS is told
# to come again with its next answer; one with a log-in of the native protocol has to log in again.
PATIENCE: Final = 8.0


class Succession:
    """The ways in of one worker, and how they are left."""

    def __init__(self, port: Port, server: HttpServer, native: NativePort, dns: DnsPort) -> None:
        self._port = port
        self._server = server
        self._native = native
        self._dns = dns
        self.legacy = Legacy(self._listening)

    def take_over(self, inheritance: Inheritance) -> None:
        """Has the former process stop listening, and takes the connections that it sends after."""
        inheritance.serve(self._receive)

    async def give_way(self) -> None:
        """Hands over one connection after the other, until none is left or patience is over."""
        self._port.stop_accepting()
        self._native.stop_accepting()
        self._dns.stop_accepting()
        self._server.retire()
        loop = asyncio.get_running_loop()
        ends = loop.time() + PATIENCE
        while self._hand_over() and loop.time() < ends:  # noqa: ASYNC110  # what is awaited, clients do
            await asyncio.sleep(LOOK_INTERVAL)

    def _listening(self) -> dict[str, list[socket.socket]]:
        streams, datagrams = self._native.sockets
        dns_streams, dns_datagrams = self._dns.sockets
        return {
            HTTP: self._port.sockets,
            STREAMS: streams,
            DATAGRAMS: datagrams,
            DNS_STREAMS: dns_streams,
            DNS_DATAGRAMS: dns_datagrams,
        }

    def _hand_over(self) -> bool:
        """Whether some connections are left."""
        pass_on = self.legacy.pass_on
        for silent in self._port.silent:
            if pass_on(HTTP, silent.fileno()):
                self._port.let_go(silent)
        self._server.hand_over(lambda descriptor: pass_on(HTTP, descriptor))
        self._native.hand_over(lambda descriptor: pass_on(STREAMS, descriptor))
        self._dns.hand_over(lambda descriptor: pass_on(DNS_STREAMS, descriptor))
        left = (self._port.undecided, self._server.connections, self._native.connections, self._dns.connections)
        return any(left)

    def _receive(self, kind: str, connection: socket.socket) -> None:
        connection.setblocking(False)
        ways: Mapping[str, Port | DnsPort] = {HTTP: self._port, DNS_STREAMS: self._dns}
        ways.get(kind, self._native).adopt(connection)
