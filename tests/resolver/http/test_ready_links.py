"""The short way sends visitors of GS1 keys where the long way does, octet by octet, and leaves the rest to it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.changes import Change, ChangeKind
from registry.handle import Handle
from registry.links import LINK
from registry.packing import PackedRecord, pack
from registry.prefix import Prefix, PrefixTable
from registry.value import HandleValue
from resolver.listeners.http import ready_links
from tests.resolver.books import key
from tests.resolver.http.short_way import Bout, a_bout

GTIN = "09506000134352"
PRODUCT = f"/01/{GTIN}"
URL = HandleValue(1, "URL", b"https://brand.example/p?a='1'&b=\xe6\xa0\x87", ttl=60)
HOMED = [Prefix(1, b"88.1", "88.1", True), Prefix(2, b"GS1", "gs1", True)]


def link(index: int, href: str, **members: object) -> HandleValue:
    form = {"rel": "gs1:pip", "href": href, "title": "Page", **members}
    return HandleValue(index, LINK, json.dumps(form).encode(), ttl=3600)


RECORDS = {
    f"gs1/01/{GTIN}": (URL,),
    f"gs1/01/{GTIN}/10/LOT": (link(1, "https://brand.example/lot"),),
    f"gs1/01/{GTIN}/10/EMPTY": (HandleValue(1, "DESC", b"x"),),
    f"gs1/01/{GTIN}/21/A%2FB": (link(2, "https://brand.example/item", default=True), URL),
    f"gs1/01/{GTIN}/21/HIDDEN": (HandleValue(1, "URL", b"https://brand.example/hidden", permissions=0b1100),),
    f"gs1/01/{GTIN}/22/VARIANTS": (
        link(1, "https://brand.example/en", hreflang="en", default=True),
        link(2, "https://brand.example/zh", hreflang="zh", default=True),
    ),
    "gs1/414/9506000117843": (HandleValue(1, "HS_ALIAS", f"gs1/01/{GTIN}".encode()),),
    "gs1/00/106141412345678908": (link(1, "https://brand.example/sscc", default=True),),
}
PLAIN = [
    PRODUCT,
    PRODUCT + "/",
    "/01/9506000134352",
    f"{PRODUCT}/10/LOT",
    f"{PRODUCT}/10/LOT/21/NONE",
    f"{PRODUCT}/10/NONE/21/NONE",
    f"{PRODUCT}/10/EMPTY",
    f"{PRODUCT}/21/A%2FB",
    f"{PRODUCT}/21/%48IDDEN",
    "/00/106141412345678908",
]
OTHERS = [
    f"{PRODUCT}/22/VARIANTS",
    "/414/9506000117843",
    "/01/09506000134353",
    "/01/1",
    "/01/",
    f"{PRODUCT}/foo",
    f"{PRODUCT}?a=b",
    f"{PRODUCT}#x",
    f"{PRODUCT}/21/%zz",
    f"{PRODUCT}/21/標",
    "/8004/95060001ABC",
]


def question(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: node\r\n{headers}\r\n".encode()


@asynccontextmanager
async def a_gs1_bout() -> AsyncIterator[Bout]:
    async with a_bout() as bout:
        bout.made.book.prefixes = PrefixTable(HOMED)
        bout.made.book.records |= {
            key(name): PackedRecord(Handle.from_text(name), pack(values, 0), 0, 1) for name, values in RECORDS.items()
        }
        await both(bout, [question(path) for path in (*PLAIN, *OTHERS)])  # From here on all is kept.
        yield bout


async def both(bout: Bout, messages: Sequence[bytes]) -> bytes:
    """What both ways answer; each message comes by itself."""
    long, closed, _ = await bout.converse(bout.long, messages)
    short, closed_too, _ = await bout.converse(bout.short, messages)
    assert (short, closed_too) == (long, closed)
    return short


def taken(bout: Bout) -> int:
    return bout.metrics.counts.ready


async def test_plain_questions_are_answered_the_short_way_as_the_long_way_answers_them():
    async with a_gs1_bout() as bout:
        for path in PLAIN:
            before = taken(bout)
            answers = await both(bout, [question(path)] * 3)
            assert answers.count(b"HTTP/1.1 307 Temporary Redirect\r\n") == 3, path
            assert taken(bout) - before == 3, path


async def test_everything_else_takes_the_long_way():
    async with a_gs1_bout() as bout:
        for path in OTHERS:
            before = taken(bout)
            await both(bout, [question(path)] * 3)
            assert taken(bout) == before, path


@pytest.mark.parametrize(
    ("headers", "short"),
    [
        ("Accept: */*\r\n", True),
        ("Accept: text/html,*/*;q=0.8\r\nAccept-Language: zh\r\n", True),
        ('If-None-Match: "x"\r\n', True),
        ("Origin: https://a.example\r\n", True),
        ("Accept: application/linkset+json, */*\r\n", False),
        ("Accept: application/json\r\n", False),
        ("Accept: text/html\r\n", False),
        ("Authorization: Basic eDp5\r\n", False),
    ],
)
async def test_what_a_client_takes_decides_the_way_and_not_the_answer(headers, short):
    async with a_gs1_bout() as bout:
        await both(bout, [question(PRODUCT, headers)] * 3)
        before = taken(bout)
        await both(bout, [question(PRODUCT, headers), question(f"{PRODUCT}/10/LOT", headers)])
        assert taken(bout) - before == (2 if short else 0)


async def test_questions_that_come_together_are_answered_together():
    async with a_gs1_bout() as bout:
        messages = [question(PRODUCT), question("/api/handles/88.1/ENGINE"), question(f"{PRODUCT}/10/LOT")]
        await both(bout, [b"".join(messages)])
        octets = b"".join(messages)
        for cut in range(0, len(octets), 11):
            await both(bout, [octets[:cut], octets[cut:]])


@pytest.mark.parametrize("changed", [f"gs1/01/{GTIN}/10/LOT", f"gs1/01/{GTIN}/21/NONE"])
async def test_a_change_of_any_level_that_decided_is_seen_at_once(changed):
    async with a_gs1_bout() as bout:
        path = f"{PRODUCT}/10/LOT/21/NONE"
        assert b"brand.example/lot\r\n" in await both(bout, [question(path)] * 3)
        values = (HandleValue(1, "URL", b"https://brand.example/new", ttl=5),)
        bout.made.book.records[key(changed)] = PackedRecord(Handle.from_text(changed), pack(values, 0), 0, 2)
        bout.made.resolver.forget(Change(ChangeKind.HANDLE, key(changed)))
        assert (await both(bout, [question(path)] * 3)).count(b"Location: https://brand.example/new\r\n") == 3


async def test_a_path_is_no_key_any_more_when_its_beginning_is_homed_as_a_prefix():
    async with a_gs1_bout() as bout:
        await both(bout, [question(PRODUCT)] * 3)
        bout.made.book.prefixes = PrefixTable([*HOMED, Prefix(3, b"01", "01", True)])
        before = taken(bout)
        assert b"404" in await both(bout, [question(PRODUCT)])
        assert taken(bout) == before


async def test_no_more_paths_are_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr(ready_links, "MAX_PATHS", 3)
    async with a_gs1_bout() as bout:
        for path in PLAIN:
            await both(bout, [question(path)] * 2)


@settings(max_examples=30)
@given(
    st.lists(
        st.sampled_from([*PLAIN, *OTHERS])
        | st.from_regex(rf"{PRODUCT}(/(10|21|22)/[A-Z%/0-9]{{0,6}}){{0,3}}/?", fullmatch=True),
        min_size=1,
        max_size=6,
    )
)
async def test_both_ways_agree_on_any_paths(paths):
    async with a_gs1_bout() as bout:
        await both(bout, [question(path) for path in paths])
