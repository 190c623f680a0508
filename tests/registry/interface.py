"""The registry's own interface, served on a port of the loopback interface."""

import base64
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import web

from registry.api import create_app
from registry.enterprise import add_enterprise
from registry.settings import RegistrySettings
from registry.store import Store

OPERATOR = "300:0.NA/88.168.1"
NDJSON = {"Content-Type": "application/x-ndjson"}


@dataclass
class Node:
    store: Store
    client: aiohttp.ClientSession
    operator: dict[str, str]
    enterprise: dict[str, str]
    directory: Path


def basic(identity: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{quote(identity)}:{password}".encode()).decode()}


@asynccontextmanager
async def open_interface(dsn: str, **more: Any) -> AsyncIterator[Node]:
    """The interface over an empty book, with the enterprise that operates the node, 88.168.1, and another, 88.168.2."""
    with tempfile.TemporaryDirectory() as directory:
        given = {"administrators": (OPERATOR,), "plain_authentication": True, "data_directory": directory} | more
        settings = RegistrySettings(dsn=dsn, **given)
        store = Store(settings, "test")
        await store.open()
        operator = await add_enterprise(store, "运营方", "Operator", "", "88.168.1", by="test")
        enterprise = await add_enterprise(store, "化纤厂", "Fibre", "chemical fibre", "88.168.2", by="test")
        runner = web.AppRunner(create_app(store))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = runner.addresses[0]
        try:
            async with aiohttp.ClientSession(f"http://{address[0]}:{address[1]}") as client:
                yield Node(
                    store,
                    client,
                    basic(operator.identity, operator.secret_key),
                    basic(enterprise.identity, enterprise.secret_key),
                    Path(directory),
                )
        finally:
            await runner.cleanup()
            await store.close()
