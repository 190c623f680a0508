"""Loads that take turns, chunk by chunk: one is prepared at a time and one is written, whosever they are.

So however many run, together they take what one of them takes: half a second of the database for each chunk, and a
helper process that steps back behind the resolvers. Whoever asks first is first, and a load asks for one chunk at a
time, so one of a million rows holds up none of a hundred.
"""

import asyncio


class Turns:
    """Whose turn it is; locks are given in the order in which they were asked for."""

    def __init__(self) -> None:
        self.preparing = asyncio.Lock()
        self.writing = asyncio.Lock()
