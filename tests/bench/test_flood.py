"""The program of floods: its good clients believe no wrong answer, and its figures say what was seen."""

import asyncio
import io
from types import SimpleNamespace

from bench.askers import HttpAsker, TcpAsker, UdpAsker
from bench.calm import HOST, ask_one
from bench.flood import RECOVERY, Asked, ceiling, p99, recovered
from tests.resolver.http.lab import URL, lab

NAME, UNKNOWN = "88.118.1/cake", "88.118.1/unknown"


async def test_good_clients_take_nothing_but_the_right_answer_and_go_on_after_another(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, {NAME: (URL,)}) as node:
        for asker in (HttpAsker(HOST, node.port), TcpAsker(HOST, node.native_port), UdpAsker(HOST, node.native_port)):
            free, out = asyncio.Queue(), io.StringIO()
            free.put_nowait(asker)
            for name in (NAME, UNKNOWN, NAME):
                await ask_one(free, "some", name, 0.0, out)
            right = [float(line.split()[2]) >= 0 for line in out.getvalue().splitlines()]
            assert right == [True, False, True]
            asker.end()


def test_a_request_without_a_right_answer_counts_as_a_second():
    asked = [Asked(0.0, "udp", 0.001)] * 98
    assert p99([*asked, *asked]) == 1.0
    assert p99([*asked, Asked(0.0, "udp", -1.0), Asked(0.0, "udp", -1.0)]) == 1000.0


def test_a_node_has_recovered_when_no_window_is_above_the_limit_any_more():
    def after(slow_until: float) -> float | None:
        asked = [
            Asked(100 + n / 100, "udp", 1.0 if n / 100 < slow_until else 0.001) for n in range(int(RECOVERY * 100))
        ]
        good = SimpleNamespace(between=lambda begin, end: [one for one in asked if begin <= one.due < end])
        return recovered(good, 100.0, 3.0)

    assert after(0.0) == 0.0
    assert after(1.2) == 1.5
    assert after(RECOVERY) is None


def test_nonsense_may_have_nothing():
    assert ceiling("nonsense", 1000, 10.0) == 0 < ceiling("reflection", 1000, 10.0)
