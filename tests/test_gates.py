"""Every place where work waits for its turn has a bound and a deadline, and is named with the test that holds it."""

import ast
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("registry", "resolver")
MAKERS = {"Semaphore", "BoundedSemaphore", "Lock", "Queue", "LifoQueue", "PriorityQueue", "Condition", "Barrier",
          "Aside", "Places", "PoolQueue", "Misses", "create_pool"}  # fmt: skip


class Gate(NamedTuple):
    """What bounds who may wait, what ends the waiting, and the test that fills it."""

    bound: str
    deadline: str
    test: str


ASIDE = "registry/test_aside.py::test_so_many_are_done_at_a_time_so_many_wait_and_the_others_are_refused"
ASIDE_IN_TIME = "registry/test_aside.py::test_who_waits_too_long_for_a_turn_is_refused_and_leaves_the_place"
POOL = "registry/test_database.py::test_who_waits_for_a_connection_waits_among_so_many_and_not_for_ever"
FULL_QUEUE = "resolver/test_misses.py::test_a_full_queue_refuses_at_once_and_serves_those_that_wait"
BATCH = "resolver/test_misses.py::test_a_batch_waits_for_its_turn_no_longer_than_a_read_may_take"
SLOW_READ = "resolver/test_misses.py::test_a_read_that_takes_too_long_is_given_up"
PASSWORDS = "registry/test_people.py::test_a_flood_of_passwords_is_told_to_come_back"
ELSEWHERE = (
    "resolver/test_recursion.py::"
    "test_a_batch_for_who_is_silent_ends_in_the_time_of_one_question_and_asks_for_so_many_at_a_time"
)
LOADS = ("MAX_LOADS, and one job", "statement_timeout of a chunk", "registry/test_bulk.py")
PLACES = ("MAX_REQUESTS", "at once")
GATES = {
    "registry/aside.py:_turn": Gate("most of each Aside", "aside.PATIENCE", ASIDE_IN_TIME),
    "registry/authentication.py:_proofs": Gate("MAX_PROOFS", "aside.PATIENCE", ASIDE),
    "registry/openid.py:_asking": Gate("the registry's connections", "openid.TIMEOUT", "registry/test_openid.py"),
    "registry/passwords.py:_computing": Gate("MAX_WAITING", "aside.PATIENCE", PASSWORDS),
    "registry/trust.py:_verifying": Gate("MAX_VERIFYING", "aside.PATIENCE", ASIDE),
    "resolver/certification.py:_signatures": Gate("MAX_WAITING", "aside.PATIENCE", ASIDE),
    "resolver/native_sessions.py:_keys": Gate("MAX_EXCHANGES", "aside.PATIENCE", ASIDE),
    "registry/database.py:create_pool": Gate("database.MAX_WAITING", "database.CONNECT_TIMEOUT", POOL),
    "registry/store.py:_queue": Gate("database.MAX_WAITING", "database.CONNECT_TIMEOUT", POOL),
    "registry/store.py:_opening": Gate("requests under way", "nothing is connected within: a moment", POOL),
    "registry/store.py:_readers": Gate("readers, and miss_queue", "miss_deadline", SLOW_READ),
    "registry/turns.py:preparing": Gate(*LOADS),
    "registry/turns.py:writing": Gate(*LOADS),
    "registry/preparers.py:_starting": Gate(*LOADS),
    "registry/preparers.py:_writing": Gate(*LOADS),
    "registry/webhook_delivery.py:_reading": Gate("webhooks", "statement_timeout", "registry/test_webhooks.py"),
    "resolver/node.py:misses": Gate("miss_queue", "miss_deadline", FULL_QUEUE),
    "resolver/misses.py:_turn": Gate("Places of batches", "miss_deadline", BATCH),
    "resolver/edge/book.py:_links": Gate("readers, and miss_queue", "miss_deadline", SLOW_READ),
    "resolver/warmth.py:_writing": Gate("two threads of one task", "a file is written", "resolver/test_warmth.py"),
    "resolver/ors.py:_looks": Gate("dns.MAX_WAITING, MAX_CONNECTIONS", "ors.DEADLINE", "resolver/test_dns.py"),
    "resolver/supervisor.py:_renewing": Gate("the operator", "control.PATIENCE", "resolver/test_supervisor.py"),
    "resolver/listeners/promised.py:_reading": Gate(
        "the status port", "promised.PATIENCE", "resolver/test_status_promises.py"
    ),
    "resolver/listeners/http/label.py:_turn": Gate("MAX_WAITING", "label.PATIENCE", "resolver/http/test_label.py"),
    "resolver/listeners/http/batch.py:_places": Gate(*PLACES, "resolver/http/test_batch.py"),
    "resolver/listeners/http/batch_elsewhere.py:_gate": Gate("MOST of a batch", "recursion.deadline", ELSEWHERE),
    "resolver/listeners/http/bundle.py:_places": Gate(*PLACES, "resolver/http/test_bundle.py"),
    "resolver/listeners/http/several.py:_places": Gate(*PLACES, "resolver/http/test_several.py"),
    "resolver/listeners/http/tree.py:_places": Gate(*PLACES, "resolver/http/test_tree.py"),
}


def gates_of(path: Path) -> set[str]:
    """Where a module makes something that work may wait for, by what it is called."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        value = getattr(node, "value", None)
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.Await) or not isinstance(value, ast.Call):
            continue
        made = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        if made in MAKERS:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            found.add(getattr(target, "attr", None) or getattr(target, "id", None) or made)
    return found


def test_every_gate_is_named_with_its_bound_and_its_deadline():
    places = {
        f"{path.relative_to(ROOT)}:{name}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "cli" not in path.relative_to(ROOT).parts  # programs that do one thing and end
        for name in gates_of(path)
    }
    assert places == set(GATES)


@pytest.mark.parametrize("gate", sorted(GATES))
def test_the_test_that_holds_a_gate_exists(gate):
    bound, deadline, test = GATES[gate]
    path, _, name = test.partition("::")
    assert bound
    assert deadline
    assert f"def {name}" in (ROOT / "tests" / path).read_text("utf-8")
