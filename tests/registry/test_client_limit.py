"""The registry's interface holds a client to a limit: problem details with Retry-After, and a proof is a client."""

import asyncio

from registry.limits import SAVED
from tests.registry.interface import open_interface

DEADLINE = 60.0
ALLOWED = int(SAVED)  # of a rate of one a second, at once
PATH = "/api/enterprises"


async def statuses(node, times: int, **headers: str) -> list[int]:
    found = []
    for _ in range(times):
        async with node.client.get(PATH, headers=headers) as response:
            found.append(response.status)
    return found


async def refused(node, **headers: str) -> None:
    while await statuses(node, 1, **headers) != [429]:
        pass


async def test_a_client_that_asks_too_often_hears_when_to_come_again(database_dsn):
    async with open_interface(database_dsn, client_rate=1, unlimited_clients=()) as node, asyncio.timeout(DEADLINE):
        assert 429 not in await statuses(node, ALLOWED)
        while True:  # How many are answered depends on the machine: each second that it stalls earns one.
            async with node.client.get(PATH, headers={"Accept-Language": "zh"}) as response:
                if response.status == 429:
                    break
        assert response.content_type == "application/problem+json"
        assert int(response.headers["Retry-After"]) >= 1


async def test_the_problem_names_rule_code_and_limit(database_dsn):
    async with open_interface(database_dsn, client_rate=1, unlimited_clients=()) as node, asyncio.timeout(DEADLINE):
        problem = {"status": 401}
        while problem["status"] != 429:
            async with node.client.get(PATH, headers={"Accept-Language": "zh"}) as response:
                problem = await response.json()
        assert (problem["rule"], problem["responseCode"]) == ("limit.client", 603)
        assert problem["detail"].startswith("您的请求超过每秒 1 次")


async def test_who_was_known_by_a_proof_is_a_client_of_his_own(database_dsn):
    async with open_interface(database_dsn, client_rate=1, unlimited_clients=()) as node, asyncio.timeout(DEADLINE):
        assert await statuses(node, 1, **node.operator) == [200]
        await refused(node)
        assert await statuses(node, 1, **node.operator) == [200]
        await refused(node, Authorization="Bearer made-up")


async def test_without_a_limit_nobody_is_refused(database_dsn):
    async with open_interface(database_dsn) as node, asyncio.timeout(DEADLINE):
        assert 429 not in await statuses(node, 20)
