"""Every process of a node is replaced while clients ask without a pause: nobody is turned away, over any protocol."""

import asyncio
import re

from bench.restless import WAYS, Count, Target, ask_without_pause
from resolver import control
from tests.resolver.running_node import RunningNode, arguments, ask
from tests.resolver.test_cli import filament

HANDLES = [f"88.168.1/{number}" for number in range(20)]
LEAST = 200  # Questions of each way that are asked while processes change.


async def book_with_handles(dsn: str, tmp_path) -> None:
    filament("enterprise", "add", "甲", "--prefix", "88.168.1", "--dsn", dsn)
    rows = "".join(
        f'{{"handle": "{handle}", "values": [{{"index": 1, "type": "SPEC", "data": "a"}}]}}\n' for handle in HANDLES
    )
    (tmp_path / "handles.ndjson").write_text(rows)
    filament("load", str(tmp_path / "handles.ndjson"), "--dsn", dsn)


def target_of(node: RunningNode) -> Target:
    port, native = re.search(r"listening on port (\d+), and (\d+) for", node.hear("listening on port").string).groups()
    return Target(int(port), int(native), HANDLES)


async def test_no_question_is_lost_while_every_process_is_replaced(database_dsn, tmp_path):
    await book_with_handles(database_dsn, tmp_path)
    with RunningNode(*arguments(database_dsn, tmp_path)) as node:
        _, status = node.ready()
        former = [node.pid_of(part) for part in ("registry", "worker 1", "worker 2")]
        count, renewed = Count(), asyncio.Event()
        enough = lambda: renewed.is_set() and all(count.asked[way] > LEAST for way in WAYS)  # noqa: E731
        asking = asyncio.create_task(ask_without_pause(target_of(node), count, enough, clients=1))
        for _ in range(2):
            outcome = await asyncio.to_thread(control.order, tmp_path, "renew")
            assert outcome == {"failed": ""}
        renewed.set()
        await asking
        assert count.failed == {}
        later = [node.pid_of(part, 3) for part in ("registry", "worker 1", "worker 2")]
        assert not set(former) & set(later)
        assert ask(f"{status}/readyz")[0] == 200
