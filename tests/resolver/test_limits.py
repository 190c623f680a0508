"""How often a client, a prefix and an enterprise may be asked for: counted exactly, bounded, datagrams apart."""

import asyncio
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import accounts
from registry.accounts import SharedAccounts
from registry.limits import LIMITED, PREFIXES, SAVED, Limits
from registry.prefix import Prefix, PrefixTable
from registry.recent import STRANGERS
from registry.sources import networks_from
from resolver.tally import MAX_SOURCES, Tally
from tests.resolver.running_node import RunningNode, arguments, ask, text_of, until

TABLE = PrefixTable(
    [
        Prefix(1, b"88.1", "88.1", True, enterprise_id=7),
        Prefix(2, b"88.2", "88.2", True, enterprise_id=7),
        Prefix(3, b"88.3", "88.3", True),
        Prefix(4, b"88.4", "88.4", False, enterprise_id=7),
    ]
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limited(
    clock: Clock | None = None, fronts: tuple[str, ...] = (), shared: SharedAccounts | None = None, **limits: object
) -> Limits:
    made = Limits(lambda: TABLE, networks_from(fronts), clock or Clock(), shared)
    made.limit(**({"client": 0, "prefix": 0, "enterprise": 0} | limits))
    return made


def asked(limits: Limits, address: str | bytes, prefix: bytes = b"88.3", protocol: str = "http", times: int = 1) -> int:
    """How many of so many questions are allowed."""
    return sum(limits.allowance(protocol, address).excess(prefix) is None for _ in range(times))


def test_where_nothing_is_limited_there_is_no_allowance_and_no_cell_has_one():
    limits = limited()
    assert limits.allowance("http", "192.0.2.1") is None
    assert Tally(limits=limits).cells["http"]["192.0.2.1"].allowance is None


def test_a_client_may_ask_what_was_saved_and_then_as_often_as_the_limit_says():
    clock = Clock()
    limits = limited(clock, client=10)
    assert asked(limits, "192.0.2.1", times=100) == 10 * SAVED
    excess = limits.allowance("http", "192.0.2.1").excess(b"88.3")
    assert (excess.limited, excess.limit) == ("client", 10)
    assert excess.wait == pytest.approx(0.1)
    assert excess.error().culprit == {"limit": 10, "seconds": 1}
    clock.now += 1.0
    assert asked(limits, "192.0.2.1", times=100) == 10
    assert limits.refused["client"] == 100 - 20 + 1 + 90


@given(st.integers(1, 1000), st.lists(st.tuples(st.floats(0, 5), st.integers(1, 50)), max_size=60))
def test_however_the_questions_come_no_more_is_allowed_than_was_saved_and_earned(rate, bursts):
    clock = Clock()
    limits = limited(clock, client=rate)
    begun, allowed = clock.now, 0
    for pause, times in bursts:
        clock.now += pause
        allowed += asked(limits, "192.0.2.1", times=times)
        assert allowed <= rate * (SAVED + clock.now - begun) + 0.01


@given(st.integers(1, 1000), st.lists(st.floats(1.0, 3.0), max_size=60))
def test_who_asks_no_faster_than_the_limit_is_never_refused(rate, pauses):
    clock = Clock()
    limits = limited(clock, client=rate)
    for pause in pauses:
        clock.now += pause / rate
        assert asked(limits, "192.0.2.1") == 1


def test_clients_are_apart_and_the_addresses_of_one_64_are_together():
    limits = limited(client=1)
    assert asked(limits, "192.0.2.1", times=9) == asked(limits, "192.0.2.2", times=9) == 2
    assert asked(limits, "2001:db8:0:1::1", times=9) == 2
    assert asked(limits, "2001:db8:0:1:ffff::2", times=9) == 0
    assert asked(limits, "2001:db8:0:2::1", times=9) == 2
    assert asked(limits, "::ffff:192.0.2.1", times=9) == 0  # the first one, over a socket of IPv6
    assert asked(limits, bytes((192, 0, 2, 1)), times=9) == 0  # and as octets


def test_datagrams_whose_address_may_be_made_up_take_nothing_from_connections():
    limits = limited(client=1, prefix=5)
    assert asked(limits, "192.0.2.1", protocol="udp", times=9) == 2
    assert limits.allowance("udp", "192.0.2.1").silent
    assert asked(limits, "192.0.2.1", protocol="tcp", times=9) == 2
    assert not limits.allowance("tcp", "192.0.2.1").silent


def test_prefixes_and_enterprises_are_counted_over_all_clients():
    limits = limited(prefix=5, enterprise=8)
    allowed = [asked(limits, f"192.0.2.{host}", b"88.1", times=2) for host in range(1, 9)]
    assert sum(allowed) == 10
    assert asked(limits, "192.0.2.99", b"88.2", times=20) == 6  # what is left of 16 for the enterprise
    assert asked(limits, "192.0.2.99", b"88.3", times=20) == 10  # is of no enterprise
    assert limits.refused == {"client": 0, "prefix": 6 + 10, "enterprise": 14}


def test_what_one_limit_refuses_is_not_taken_from_the_others():
    limits = limited(client=100, prefix=1)
    assert asked(limits, "192.0.2.1", b"88.3", times=50) == 2
    assert asked(limits, "192.0.2.1", b"88.1", times=50) == 2
    assert limits.allowance("http", "192.0.2.1").client_excess(190) is None  # 4 of 200 are taken


def test_many_at_once_are_allowed_where_one_is_and_paid_for_before_the_next():
    clock = Clock()
    limits = limited(clock, client=10)
    assert limits.allowance("http", "192.0.2.1").client_excess(1000) is None
    assert limits.allowance("http", "192.0.2.1").client_excess().wait == pytest.approx(98.1)
    clock.now += 98.2
    assert limits.allowance("http", "192.0.2.1").client_excess() is None


def test_exempt_clients_and_fronts_are_not_limited_and_their_prefixes_are():
    limits = limited(client=1, prefix=5, exempt=("198.51.100.0/24",), fronts=("203.0.113.7",))
    assert asked(limits, "198.51.100.9", b"88.1", times=9) == 9
    assert asked(limits, "203.0.113.7", b"88.3", times=20) == 10
    assert limits.hides_client("203.0.113.7")
    assert not limits.hides_client("198.51.100.9")
    assert not limited(prefix=1, fronts=("203.0.113.7",)).hides_client("203.0.113.7")


def test_names_that_are_not_here_are_the_clients_alone_and_leave_nothing():
    limits = limited(prefix=1)
    allowance = limits.allowance("http", "192.0.2.1")
    assert all(allowance.excess(b"made-up-%d" % number) is None for number in range(100))
    assert allowance.excess(b"88.4") is None  # no more homed
    assert not allowance._by_prefix


def test_a_token_that_was_vouched_for_is_a_client_of_its_own_and_others_are_not():
    limits = limited(client=1)
    assert limits.allowance_of_token(b"made up") is None
    limits.vouch(b"known")
    assert asked(limits, "192.0.2.1", times=9) == 2
    assert limits.allowance_of_token(b"known").client_excess() is None


def test_what_is_kept_of_strangers_is_bounded():
    limits = limited(client=1, prefix=1, enterprise=1)
    for number in range(3 * STRANGERS):
        limits.allowance("udp", number.to_bytes(4, "big")).client_excess()
    rates = limits._datagrams.by
    assert len(rates["client"]._accounts) <= STRANGERS
    assert all(rates[limited]._accounts._most <= PREFIXES for limited in LIMITED if limited != "client")


def test_sources_beyond_those_told_apart_in_a_second_share_no_account():
    tally = Tally(lambda: TABLE, limits=limited(client=1))
    cells = tally.cells["udp"]
    for number in range(MAX_SOURCES):
        cells[number.to_bytes(4, "big")]
    crowd = [cells[bytes((10, 0, 0, host))] for host in range(200)]
    assert all(cell.allowance.excess(b"88.3") is None for cell in crowd)


def test_other_limits_hold_from_the_next_second_on():
    limits = limited(client=1)
    tally = Tally(lambda: TABLE, limits=limits)
    assert asked(limits, "192.0.2.1", times=9) == 2
    limits.limit(client=3, prefix=0, enterprise=0)
    assert asked(limits, "192.0.2.1", times=9) == 6
    limits.limit(client=0, prefix=0, enterprise=0)
    assert tally.cells["http"]["192.0.2.1"].allowance is None


def test_two_processes_together_allow_what_one_does(tmp_path: Path):
    clock = Clock()
    workers = [limited(clock, shared=SharedAccounts(tmp_path), client=10, prefix=15) for _ in range(2)]
    assert sum(asked(worker, "192.0.2.1", times=6) for worker in workers * 3) == 10 * SAVED
    clock.now += 1.0
    assert sum(asked(worker, "192.0.2.2", times=50) for worker in workers) == 10 * SAVED
    assert sum(asked(worker, "192.0.2.3", times=50) for worker in workers) == 15 * SAVED - 20 + 15 - 20
    assert asked(workers[0], "192.0.2.3", b"88.2", "udp") == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
            st.sampled_from([b"88.1", b"88.2", b"88.3", b"88.9"]),
            st.sampled_from(["http", "udp", "tunnel"]),
            st.sampled_from([0.0, 0.01, 0.3]),
        ),
        max_size=60,
    )
)
def test_accounts_that_are_shared_are_counted_as_ones_own(tmp_path_factory, questions):
    clock = Clock()
    limits = {"client": 3, "prefix": 5, "enterprise": 7}
    alone = limited(clock, **limits)
    shared = SharedAccounts(tmp_path_factory.mktemp("accounts"))
    workers = [limited(clock, shared=shared, **limits) for _ in range(3)]
    for number, (address, prefix, protocol, pause) in enumerate(questions):
        clock.now += pause
        assert asked(workers[number % 3], address, prefix, protocol) == asked(alone, address, prefix, protocol)


def test_where_all_places_are_others_that_paid_the_least_far_is_taken_over(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(accounts, "PLACES", accounts.WAYS)
    shared = SharedAccounts(tmp_path)
    opened = [shared.open(b"%d" % number) for number in range(accounts.WAYS)]
    for number, account in enumerate(opened):
        account.paid_until = 5.0 + (number - 3) ** 2
    assert shared.open(b"3").paid_until == 5.0
    other = shared.open(b"other")
    assert [account.is_ours for account in opened].index(False) == 3
    assert (other.is_ours, other.paid_until) == (True, 0.0)
    assert shared.open(b"0").paid_until == 14.0


async def test_a_client_of_a_node_may_ask_all_its_workers_together_what_the_limit_says(database_dsn, tmp_path: Path):
    line = arguments(database_dsn, tmp_path / "data", limits__client_rate=20, limits__unlimited_clients="10.0.0.0/8")
    with RunningNode(*line) as node:
        url, status = node.ready()
        begun = monotonic()
        answers = await asyncio.gather(*(asyncio.to_thread(ask, f"{url}/api/handles/0.NA/88.9") for _ in range(200)))
        allowed = sum(code != 429 for code, _ in answers)
        assert 0 < allowed <= 20 * (SAVED + monotonic() - begun) + 1
        until(lambda: f'filament_limited_total{{by="client"}} {200 - allowed}' in text_of(f"{status}/metrics"), "count")
