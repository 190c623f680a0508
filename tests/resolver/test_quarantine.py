"""What was changed is not kept for some seconds, where the change may be heard before it can be read."""

from registry.changes import Change, ChangeKind
from resolver import quarantine
from resolver.quarantine import Quarantine
from tests.resolver.books import key


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_changed_name_is_held_for_its_seconds_from_its_last_change_on():
    clock = Clock()
    made = Quarantine(2.0, clock)
    made.add([Change(ChangeKind.HANDLE, key("88.1/A"))])
    clock.now += 1.5
    made.add([Change(ChangeKind.HANDLE, key("88.1/B")), Change(ChangeKind.HANDLE, key("88.1/A"))])
    clock.now += 1.5
    assert [made.holds(key(f"88.1/{name}")) for name in "ABC"] == [True, True, False]
    clock.now += 1.0
    assert not made.holds(key("88.1/A"))


def test_a_changed_range_holds_what_is_inside_it():
    clock = Clock()
    made = Quarantine(2.0, clock)
    made.add([Change(ChangeKind.RANGE, key("88.1/B"), key("88.1/D"))])
    assert [made.holds(key(f"88.1/{name}")) for name in "ABDE"] == [False, True, True, False]
    clock.now += 2.0
    assert not made.holds(key("88.1/B"))


def test_without_seconds_nothing_is_held():
    made = Quarantine(0.0, Clock())
    made.add([Change(ChangeKind.EVERYTHING)])
    assert not made.holds(key("88.1/A"))


def test_more_changes_than_are_remembered_hold_everything(monkeypatch):
    monkeypatch.setattr(quarantine, "MAX_NAMES", 3)
    clock = Clock()
    made = Quarantine(2.0, clock)
    made.add([Change(ChangeKind.HANDLE, key(f"88.1/{number}")) for number in range(4)])
    assert made.holds(key("88.2/ANOTHER"))
    clock.now += 2.0
    assert not made.holds(key("88.2/ANOTHER"))
