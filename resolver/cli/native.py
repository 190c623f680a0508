"""`filament resolve --native`: identifiers asked for in the native protocol, shown as the HTTP API's answers are."""

import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from registry.rest import values_to_json
from registry.site import SiteInfo
from resolver.cli.client import Answer
from resolver.cli.invocation import Failed, Misused
from resolver.client.client import Client
from resolver.client.errors import ClientError
from resolver.client.messages import Resolved
from resolver.client.servers import Server


async def ask_all(
    servers: Sequence[str],
    networks: Sequence[str],
    handles: Sequence[str],
    indexes: Sequence[int],
    types: Sequence[str],
    certificate: Path | None,
    *,
    authoritative: bool,
) -> list[tuple[str, Answer]]:
    """Raises Misused, Failed."""
    client = Client([_server(text) for text in servers], networks=list(map(_network, networks)), tls=_tls(certificate))
    answers = []
    for handle in handles:
        try:
            resolved = await client.resolve(handle, indexes=indexes, types=types, authoritative=authoritative)
        except ClientError as error:
            raise Failed("native.failed", handle=handle, reason=str(error)) from None
        answers.append((handle, _answer(resolved)))
    return answers


async def site_of(server: str) -> SiteInfo:
    """What a node says of itself. Raises Misused, Failed."""
    try:
        return await Client([_server(server)], tls=_tls(None)).site()
    except ClientError as error:
        raise Failed("native.failed", handle=server, reason=str(error)) from None


def _answer(resolved: Resolved) -> Answer:
    body: dict[str, Any] = {"responseCode": resolved.code, "handle": resolved.handle}
    if resolved.values:
        body["values"] = values_to_json(resolved.values)
    if resolved.text:
        body["message"] = resolved.text
    return Answer(0, body, {})


def _server(text: str) -> Server:
    try:
        return Server.from_text(text)
    except ValueError as error:
        raise Misused("native.server", text=text, reason=str(error)) from None


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise Misused("native.network", text=text) from None


def _tls(certificate: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if certificate is not None:
        context.load_verify_locations(certificate)
    return context
