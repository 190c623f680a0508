"""What single settings must be like: each function names the fault of a value, nothing where there is none.

The faults are those of `registry.settings.FAULTS`.
"""

import re
from ipaddress import ip_network
from typing import Final
from urllib.parse import parse_qs, urlsplit

from registry import spans

_DSN: Final = re.compile(r"postgres(?:ql)?://(?:[^/@]*@)?(?P<hosts>[^/?]*)(?:[/?].*)?")
_PORT: Final = re.compile(r"(?:[^:\[\]]*|\[[^]]*\])(?::(?P<port>[0-9]{0,5}))?")
_CHOICE: Final = "target_session_attrs"  # libpq's word for which of several servers is meant


def hosts_of(dsn: str) -> list[tuple[str, int]]:
    """Host and port of each server, where a DSN names several; nothing where it names one."""
    netloc = urlsplit(dsn).netloc.rpartition("@")[2]
    if "," not in netloc:
        return []
    split = [urlsplit(f"//{host}") for host in netloc.split(",")]
    return [(one.hostname or "localhost", one.port or 5432) for one in split]


def primary_among(dsn: str) -> str:
    """The DSN that leads to the primary of the hosts that this one names, unless it chooses among them itself."""
    if not hosts_of(dsn) or _CHOICE in parse_qs(urlsplit(dsn).query):
        return dsn
    return f"{dsn}{'&' if urlsplit(dsn).query else '?'}{_CHOICE}=primary"


def check_dsn(dsn: str) -> str:
    """Refuses what no server can be behind: a node would wait for it for ever."""
    match = _DSN.fullmatch(dsn)
    hosts = [_PORT.fullmatch(host) for host in match["hosts"].split(",")] if match else [None]
    good = not dsn or all(host and int(host["port"] or 5432) in range(1, 65536) for host in hosts)
    return "" if good else "no_dsn"


def check_collector(collector: str) -> str:
    if collector and not (urlsplit(collector).scheme in ("http", "https") and urlsplit(collector).netloc):
        return "no_collector"
    return "" if not collector or spans.are_installed() else "no_opentelemetry"


def check_networks(networks: tuple[str, ...]) -> str:
    try:
        _ = [ip_network(network) for network in networks]
    except ValueError:
        return "no_network"
    return ""


# As a client of the native protocol is told whom to ask; the port may be the usual one.
_SERVER: Final = re.compile(
    r"(?:(?:tcp|udp|https?)://)?(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)


_ADDRESS: Final = re.compile(r"https?://[^\s/@?#]+")


def check_address(address: str) -> str:
    return "" if not address or _ADDRESS.fullmatch(address) else "no_http"


def check_servers(servers: tuple[str, ...]) -> str:
    matches = [_SERVER.fullmatch(server) for server in servers]
    return "" if all(match and int(match["port"] or 1) in range(1, 65536) for match in matches) else "no_server"


# Over plain HTTP whoever is on the way could name keys of his own: only a provider on this machine is believed so.
_ISSUER: Final = re.compile(r"https://[^/?#@]+(/[^?#]*)?|http://(localhost|127\.0\.0\.1)(:[0-9]{1,5})?(/[^?#]*)?")
OPENID_ROLE: Final = re.compile(
    r"(?P<value>.+)=(?:(?P<ours>operator|reviewer|regulator)|(?P<theirs>administrator|member)@(?P<prefix>[^@/\s]+))"
)


def check_issuer(issuer: str) -> str:
    return "" if not issuer or _ISSUER.fullmatch(issuer) else "no_issuer"


def check_openid_roles(roles: tuple[str, ...]) -> str:
    return "" if all(OPENID_ROLE.fullmatch(role) for role in roles) else "no_openid_role"
