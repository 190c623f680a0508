"""Every process of a node replaced by a new one while others ask: the new one is up before the former one leaves.

One after the other, so that a program that does not work is noticed by the first, and the node stays as it was.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from resolver.child import Child, Order

log = logging.getLogger(__name__)

READY_WITHIN: Final = 60.0  # Seconds for a new process to answer, on a machine that is busy with answering.
# Seconds for a former one to hand over its connections and to finish what it does: succession and node give it 18.
LEAVING: Final = 30.0


async def renew(children: list[Child], orders: Sequence[Order], changed: Callable[[], None]) -> str:
    """Puts a new child in the place of each. The name of the one that did not become ready, or nothing."""
    async with asyncio.TaskGroup() as leaving:
        for position, order in enumerate(orders):
            former = children[position]
            if former.pid is None:  # it crashed, and is started anew by itself
                former.order = order
                continue
            successor = Child(order.after(former.pid), changed)
            successor.start()
            if not await successor.becomes_ready(READY_WITHIN):
                log.error("the new %s did not become ready; the former one stays", order.name)
                await successor.stop(0.0, asyncio.Event())
                return order.name
            successor.order = order
            children[position] = successor
            leaving.create_task(former.stop(LEAVING, asyncio.Event()))
    return ""
