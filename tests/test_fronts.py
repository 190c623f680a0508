"""The sample fronts, really run: paths pass octet for octet, clients cannot lie about themselves, busy is said in JSON.

nginx and haproxy are taken from PATH or from .tools/, where the gate unpacks their packages.
"""

import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.ports import free_ports

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".tools" / "usr"
DEADLINE = 60.0

# Two targets that a normalising front would make one, or another one; octets that are not UTF-8; a query.
TARGETS = [
    "/api/handles/88.168.10/P.20250618.000318",
    "/api/handles/88.168.10/A%2FB%2fC",
    "/api/handles/88.168.10//A//",
    "/api/handles/88.168.10/A%3FB%23C?type=URL&index=1",
    "/api/handles/88.168.10/%E6%A1%90%E4%B9%A1",
    "/api/handles/88.168.10/%FF%41",
    "/api/handles/88.168.10/a+b;c=d,e:f@g!h*(i)'~",
    "/api/handles/88.168.10/A/../B/./C",
    "/api/handles/88.168.10/A/%2e%2e/B",
    "/api/handles/88.168.10/" + "%E4%B8%9D" * 680,
]


def program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=str(TOOLS / "sbin"))


def environment() -> dict[str, str]:
    libraries = f"{TOOLS / 'lib' / 'x86_64-linux-gnu'}:{TOOLS / 'lib' / 'aarch64-linux-gnu'}"
    return {**os.environ, "LD_LIBRARY_PATH": libraries}


@dataclass
class Node:
    """Stands where the node would: tells what arrived."""

    server: asyncio.Server

    @property
    def port(self) -> int:
        return self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.server.close()
        await self.server.wait_closed()


@dataclass(frozen=True)
class Front:
    plain: int
    secure: int

    async def get(self, target: str, *, secure: bool = False, headers: str = "") -> tuple[int, bytes, bytes]:
        """Status, head and body; the target is sent as it is."""
        context = None
        if secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        port = self.secure if secure else self.plain
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: node.example\r\nConnection: close\r\n{headers}\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), DEADLINE)
        writer.close()
        # A TLS peer that has closed first is no fault here.
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), head, body


async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    target, *lines = head.decode("latin-1").split("\r\n")
    told = {"target": target.split(" ")[1], "headers": [line.lower() for line in lines if line]}
    body = json.dumps(told).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def certificate(folder: Path) -> None:
    subject = ["-subj", "/CN=front", "-days", "2", "-nodes", "-newkey", "rsa:2048"]
    files = ["-keyout", str(folder / "front.key"), "-out", str(folder / "front.crt")]
    subprocess.run(["openssl", "req", "-x509", *subject, *files], capture_output=True, check=True)
    (folder / "front.pem").write_bytes((folder / "front.key").read_bytes() + (folder / "front.crt").read_bytes())


def replaced(text: str, *changes: tuple[str, str]) -> str:
    for pattern, by in changes:
        text, count = re.subn(pattern, by, text, flags=re.MULTILINE)
        assert count, pattern
    return text


def nginx(folder: Path, node: int, plain: int, secure: int, registry: int) -> list[str]:
    """The sample with other ports and places; the checked command that runs it."""
    temporary = "".join(
        f"    {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = replaced(
        (ROOT / "deploy" / "nginx.conf").read_text("utf-8"),
        (r"^ +listen \[::\].*\n", ""),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl;"),
        (r"listen 8443 ssl;", f"listen 127.0.0.1:{registry} ssl;"),
        (r"127\.0\.0\.1:800[01];", f"127.0.0.1:{node};"),
        (r"/etc/nginx/tls", str(folder)),
        (r"^http \{\n", f"http {{\n{temporary}"),
    )
    (folder / "nginx.conf").write_text(text, "utf-8")
    name = program("nginx")
    assert name
    command = [name, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    place = f"pid {folder}/pid; error_log stderr;"
    subprocess.run([*command, "-t", "-g", place], check=True, env=environment())
    return [*command, "-g", f"{place} daemon off; master_process off;"]


def haproxy(folder: Path, node: int, plain: int, secure: int, registry: int) -> list[str]:
    """The sample with other ports and places; the checked command that runs it."""
    text = replaced(
        (ROOT / "deploy" / "haproxy.cfg").read_text("utf-8"),
        (r"bind :80$", f"bind 127.0.0.1:{plain}"),
        (r"bind :443 ", f"bind 127.0.0.1:{secure} "),
        (r"bind :8443 ", f"bind 127.0.0.1:{registry} "),
        (r"^    server (\S+) \S+:800[01]", rf"    server \1 127.0.0.1:{node}"),
        (r"/etc/haproxy/front.pem", str(folder / "front.pem")),
    )
    (folder / "haproxy.cfg").write_text(text, "utf-8")
    name = program("haproxy")
    assert name
    command = [name, "-f", str(folder / "haproxy.cfg")]
    subprocess.run([*command, "-c"], check=True, env=environment())
    return [*command, "-db"]


async def listening(port: int, running: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                assert running.returncode is None, "the front has ended"
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = Node(await asyncio.start_server(tell, "127.0.0.1", 0))
    yield node
    await node.stop()


@pytest.fixture(params=[nginx, haproxy], ids=["nginx", "haproxy"])
async def front(request: pytest.FixtureRequest, node: Node, tmp_path: Path) -> AsyncIterator[Front]:
    if program(request.param.__name__) is None:
        pytest.skip(f"{request.param.__name__} is neither on PATH nor in .tools/")
    certificate(tmp_path)
    plain, secure, registry = free_ports(3)
    command = request.param(tmp_path, node.port, plain, secure, registry)
    running = await asyncio.create_subprocess_exec(*command, env=environment())
    try:
        await listening(plain, running)
        yield Front(plain, secure)
    finally:
        if running.returncode is None:
            running.terminate()
        await running.wait()


async def test_a_front_passes_every_path_octet_for_octet(front: Front):
    for target in TARGETS:
        status, _, body = await front.get(target)
        assert status == 200, target
        assert json.loads(body)["target"] == target


async def test_a_front_says_itself_who_asked_and_how(front: Front):
    lies = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n"
    for secure, scheme in ((False, "http"), (True, "https")):
        _, _, body = await front.get("/api/site", secure=secure, headers=lies)
        told = [line for line in json.loads(body)["headers"] if line.startswith("x-forwarded-")]
        assert sorted(told) == ["x-forwarded-for: 127.0.0.1", f"x-forwarded-proto: {scheme}"]


async def test_a_front_without_a_node_says_busy_as_the_protocol_does(front: Front, node: Node):
    await node.stop()
    status, head, body = await front.get("/api/handles/88.168.10/P.20250618.000318")
    assert status == 503
    assert json.loads(body) == {"responseCode": 3}
    assert b"retry-after: 1" in head.lower()
    assert b"content-type: application/json" in head.lower()
