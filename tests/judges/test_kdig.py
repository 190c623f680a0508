"""kdig, of the Knot DNS project, reads what we say of OIDs, over UDP and TCP."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from resolver.node import Node
from tests.judges.judge import INSTALLING, RUNNING
from tests.resolver.dns_lab import HANDLES, SAID, ZONE
from tests.resolver.http.lab import lab

OID = f"5.10001.156.2.1.{ZONE}"


@pytest.fixture(scope="module")
def kdig() -> str:
    """Taken where it is; installed where that may be done without asking anybody."""
    if shutil.which("kdig") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "-y", "-q", "knot-dnsutils"]
        subprocess.run(command, capture_output=True, timeout=INSTALLING, check=False)
    found = shutil.which("kdig")
    if found is None:
        pytest.skip("kdig is not installed: knot-dnsutils")
    return found


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, HANDLES, dns_zone=ZONE, dns_port=0) as node:
        yield node


async def ask(kdig: str, node: Node, *arguments: str) -> dict[str, object]:
    port = node.settings.resolver.dns_port
    command = [kdig, "@127.0.0.1", "-p", str(port), "+json", "+timeout=10", *arguments]
    run = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=RUNNING, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return json.loads(run.stdout)


def texts(answer: dict[str, object], section: str = "answerRRs") -> list[str]:
    return [one["rdata" + one["TYPEname"]].replace('"', "").removesuffix(" .") for one in answer.get(section, [])]


@pytest.mark.judge
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", ["+notcp", "+tcp", "+noedns"])
async def test_kdig_reads_the_records_of_an_oid(kdig: str, node: Node, way: str):
    for name in (OID, OID.upper(), f"1.1.{OID}"):
        answer = await ask(kdig, node, way, name, "NAPTR")
        assert (answer["RCODE"], answer["AA"]) == (0, 1)
        assert [text.replace("\\\\", "\\") for text in texts(answer)] == SAID


@pytest.mark.judge
@pytest.mark.timeout(900)
async def test_kdig_is_told_what_there_is_not(kdig: str, node: Node):
    for name, kind, rcode in (
        (f"6.10001.156.2.1.{ZONE}", "NAPTR", 3),
        (f"10001.156.2.1.{ZONE}", "NAPTR", 0),  # Nothing itself, but others are below it.
        (f"1.5.10001.156.2.1.{ZONE}", "NAPTR", 0),
        (f"1.{ZONE}", "NAPTR", 0),
        (f"abc.{ZONE}", "NAPTR", 3),
        (OID, "TXT", 0),
    ):
        answer = await ask(kdig, node, name, kind)
        assert (answer["RCODE"], texts(answer)) == (rcode, []), name
        assert [one["TYPEname"] for one in answer["authorityRRs"]] == ["SOA"]
    assert (await ask(kdig, node, "1.2.156.example.org", "NAPTR"))["RCODE"] == 5


@pytest.mark.judge
@pytest.mark.timeout(900)
async def test_kdig_asks_again_over_tcp_for_what_a_datagram_does_not_hold(kdig: str, node: Node):
    name = f"7.156.2.1.{ZONE}"
    cut = await ask(kdig, node, "+ignore", name, "NAPTR")
    assert (cut["TC"], texts(cut)) == (1, [])
    whole = await ask(kdig, node, name, "NAPTR")
    assert (whole["TC"], len(texts(whole))) == (0, 20)


@pytest.mark.judge
@pytest.mark.timeout(900)
async def test_kdig_learns_of_the_zone_itself(kdig: str, node: Node):
    assert texts(await ask(kdig, node, ZONE, "NS")) == [f"ns.{ZONE}."]
    assert texts(await ask(kdig, node, f"ns.{ZONE}", "A")) == ["127.0.0.1"]
    assert texts(await ask(kdig, node, ZONE, "SOA"))[0].startswith(f"ns.{ZONE}. hostmaster.{ZONE}.")
