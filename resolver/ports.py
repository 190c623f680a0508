"""The ports of a node: found to be free before anything is started, or taken over from the program before.

They stay reserved for the processes that share them; ports that were left open (0) become known here.
"""

import socket
from contextlib import AsyncExitStack
from dataclasses import replace

from registry.settings import RegistrySettings
from resolver.reservation import hold, reserve
from resolver.settings import ResolverSettings, StatusSettings
from resolver.upgrade import Estate


def reserved(settings: ResolverSettings, stack: AsyncExitStack) -> ResolverSettings:
    """Raises PortTaken."""
    held = reserve(settings.listen, settings.port)
    stack.callback(held.release)
    native = reserve(held.addresses, settings.native_port, datagrams=True)
    stack.callback(native.release)
    if settings.dns_zone:
        dns = reserve(held.addresses, settings.dns_port, datagrams=True)
        stack.callback(dns.release)
        settings = replace(settings, dns_port=dns.port)
    return replace(settings, listen=held.addresses, port=held.port, native_port=native.port)


def free(settings: RegistrySettings) -> RegistrySettings:
    """Not held: the registry is one process, which binds its port alone. Raises PortTaken."""
    found = reserve([settings.listen], settings.port)
    found.release()
    return replace(settings, port=found.port)


def taken_over(settings: ResolverSettings, left: Estate, stack: AsyncExitStack) -> ResolverSettings:
    """Those that our processes listen on already."""
    stack.callback(hold(left.addresses, left.port).release)
    stack.callback(hold(left.addresses, left.native_port).release)
    if settings.dns_zone and left.dns_port:
        stack.callback(hold(left.addresses, left.dns_port).release)
        settings = replace(settings, dns_port=left.dns_port)
    return replace(settings, listen=left.addresses, port=left.port, native_port=left.native_port)


def listening_for_status(settings: StatusSettings, left: Estate | None) -> socket.socket:
    """Raises PortTaken."""
    if left is not None:
        return socket.socket(fileno=left.status)
    found = reserve([settings.listen], settings.port)
    found.release()
    family = socket.AF_INET6 if ":" in settings.listen else socket.AF_INET
    return socket.create_server((settings.listen, found.port), family=family)
