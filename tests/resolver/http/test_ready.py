"""The short way answers what aiohttp's own way would, octet by octet, and nothing else."""

import asyncio
import logging
import re
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.changes import Change, ChangeKind
from resolver.answer import found
from resolver.listeners.http.connection import HEAD_END
from resolver.listeners.http.ready import MAX_BLOCKS, MAX_FORMS
from resolver.listeners.http.ready_connection import MAX_HELD, SEGMENT, ReadyConnection
from resolver.listeners.http.trial import misfit
from tests.resolver.books import key, record
from tests.resolver.http.short_way import ABSENT, ENGINE, Bout, Line, a_bout, question, turns

ASK = question()
AGENT = question(headers="User-Agent: x/1\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n")
FOREIGN = question("99.9/X")
TAG = found(record(ENGINE, ENGINE), 0).etag
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\n"


def traced(value: str, headers: str = "") -> bytes:
    """A question with a header that is another one each time."""
    return question(headers=f"Traceparent: {value}\r\n{headers}")


# Conversations, message by message.
CORPUS = {
    "found": (ASK, ASK),
    "missing": (question(ABSENT), ASK, question(ABSENT)),
    "not homed here": (ASK, FOREIGN, ASK),
    "another spelling": (ASK, question("88.1/engine"), question("88.1/gEAR.7")),
    "escaped": (ASK, question("88.1/%e5%8f%91%E5%8A%A8%E6%9C%BA"), question("88.1%2FENGINE"), question("88.1/a%25b")),
    "needing escape in JSON": (ASK, question("88.1/%22q%22"), question('88.1/"q"')),
    "broken escape": (ASK, question("88.1/a%b"), question("88.1/ENGINE%")),
    "not ASCII": (ASK, question("88.1/发动机"), b"GET /api/handles/88.1/\xff\xfe HTTP/1.1\r\nHost: node\r\n\r\n"),
    "no name": (ASK, question(""), question("88.1"), question("/")),
    "query": (ASK, question(f"{ENGINE}?type=DESC"), question(f"{ENGINE}?"), question(f"{ENGINE}?pretty"), ASK),
    "fragment": (ASK, question(f"{ENGINE}#x"), ASK),
    "agents": (AGENT, ASK, AGENT),
    "varying": (*(traced(str(number), "Accept: */*\r\n") for number in range(4)), ASK),
    "varying, and not visible": (*map(traced, ("1", "2", "3", "a\tb", "é", "4")),),
    "varying, and malformed": (traced("1"), traced("2"), traced("3"), traced("\x7f"), traced("a\0b"), ASK),
    "varying, and folded": (traced("1"), traced("2"), traced("3"), traced("4\r\n folded"), ASK),
    "varying, and another line": (traced("1"), traced("2"), traced("3"), traced("4\r\nContent-Length: 3"), ASK),
    "varying, and more spaces": (traced("1"), traced("2"), traced("3"), traced(""), traced("  4  "), ASK),
    "varying in what matters": (
        *(traced(str(number), f"Accept-Language: en\r\nOrigin: {number}\r\n") for number in range(4)),
        traced("5", "Accept-Language: zh\r\nConnection: close\r\n"),
    ),
    "accept": (
        question(headers="Accept: text/html\r\n"),
        question(headers="Accept: application/json\r\n"),
        question(headers="accept: text/html, */*;q=0.1\r\n"),
    ),
    "language": (question(headers="Accept-Language: zh\r\n"), question(ABSENT, "Accept-Language: zh\r\n")),
    "conditional": (
        ASK,
        question(headers='If-None-Match: "1"\r\n'),
        question(headers="If-None-Match: *\r\n"),
        question(ABSENT, headers="If-None-Match: *\r\n"),
        question(headers=f"If-None-Match: W/{TAG}\r\n"),
        ASK,
    ),
    "conditional by a list": (
        question(headers=f'If-None-Match: "1", {TAG}\r\n'),
        ASK,
        question(headers="If-None-Match: nonsense\r\n"),
        question(headers="If-None-Match: \r\n"),
    ),
    "conditional by time": (
        ASK,
        question(headers="If-Modified-Since: Sat, 21 Nov 2026 00:00:00 GMT\r\n"),
    ),
    "ranged": (ASK, question(headers="Range: bytes=0-3\r\n"), ASK),
    "origin": (
        ASK,
        question(headers="Origin: https://example.org\r\n"),
        question(headers=f"Origin: null\r\nIf-None-Match: {TAG}\r\nAccept-Language: zh\r\n"),
        question("99.9/X", "Origin: https://发动机.cn\r\nAccept-Language: zh\r\n"),
        ASK,
    ),
    "credentials": (question(headers="Authorization: Basic eDp5\r\n"), ASK),
    "upgraded": (ASK, question(headers=UPGRADE), ASK, ASK),
    "another upgrade": (ASK, question(headers="Connection: Upgrade\r\nUpgrade: h2c\r\n"), ASK),
    "expecting": (question(headers="Expect: 100-continue\r\n"), ASK),
    "closing": (ASK, question(headers="Connection: close\r\n"), ASK),
    "old": (b"GET /api/handles/88.1/ENGINE HTTP/1.0\r\n\r\n", ASK),
    "old and staying": (b"GET /api/handles/88.1/ENGINE HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ASK),
    "body": (ASK, question(headers="Content-Length: 40\r\n") + ASK[:36] + b"\r\n\r\n", ASK, ASK),
    "question in a body": (ASK, question(headers=f"Content-Length: {len(ASK)}\r\n") + ASK, ASK),
    "question in a chunk": (
        question(headers="Transfer-Encoding: chunked\r\n") + b"%x\r\n" % len(ASK) + ASK + b"\r\n0\r\n\r\n",
        ASK,
    ),
    "malformed chunk": (question(headers="Transfer-Encoding: chunked\r\n") + b"3\r\n" + ASK + b"\r\n0\r\n\r\n", ASK),
    "question in a header": (ASK, question("99.9/X", "X: ")[:-2] + ASK, ASK),
    "question in a header, read while another is served": (
        ASK,
        FOREIGN,
        ASK,
        question("99.9/X", "X: ")[:-2] + ASK,
        ASK,
    ),
    "question in a target": (ASK, b"GET /" + ASK, ASK),
    "empty body": (ASK, question(headers="Content-Length: 0\r\n"), ASK),
    "chunked body": (
        question(headers="Transfer-Encoding: chunked\r\n") + b"3\r\nabc\r\n0\r\n\r\n",
        ASK,
    ),
    "both lengths": (ASK, question(headers="Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), ASK),
    "absolute form": (ASK, question().replace(b"/api", b"http://node/api"), ASK),
    "lower case": (ASK, ASK.replace(b"GET", b"get"), ASK),
    "other methods": (
        ASK.replace(b"GET", b"HEAD"),
        ASK,
        ASK.replace(b"GET", b"OPTIONS"),
        ASK.replace(b"GET", b"QUERY"),
    ),
    "other paths": (ASK, ASK.replace(b"handles/", b"handles?"), ASK.replace(b"/api/handles/", b"/api/handle/"), ASK),
    "bare line feed": (ASK, ASK.replace(b"\r\n", b"\n"), ASK),
    "bare line feed in a header": (ASK, question(headers="X: a\nY: b\r\n"), ASK),
    "bare carriage return": (ASK, question(headers="X: a\rY: b\r\n"), ASK),
    "folded": (ASK, question(headers="X: a\r\n b\r\n"), ASK),
    "empty lines before": (b"\r\n", ASK, b"\r\n\r\n", ASK),
    "null": (ASK, question(headers="X: \0\r\n"), ASK),
    "no host": (b"GET /api/handles/88.1/ENGINE HTTP/1.1\r\n\r\n", ASK),
    "two hosts": (ASK, question(headers="Host: other\r\n"), ASK),
    "space before the colon": (ASK, question(headers="Content-Length : 3\r\n"), ASK),
    "two spaces": (ASK, ASK.replace(b" HTTP", b"  HTTP"), ASK),
    "another version": (ASK, ASK.replace(b"1.1", b"2.0"), ASK),
    "nonsense": (ASK, b"nonsense\r\n\r\n", ASK),
}
OVERSIZED = {
    "long header": (ASK, question(headers=f"X: {'x' * 9000}\r\n"), ASK),
    "long block": (question(headers=f"X: {'x' * 5000}\r\nY: {'y' * 5000}\r\n"),) * 2,
    "long target": (ASK, question("88.1/" + "x" * 9000), ASK),
    "long name": (ASK, question("88.1/" + "x" * 3000), ASK),
    "many headers": (ASK, question(headers="X: y\r\n" * 200), ASK),
}


def cut_at(octets: bytes, *places: int) -> list[bytes]:
    edges = sorted({0, len(octets), *(place for place in places if place < len(octets))})
    return [octets[begin:end] for begin, end in pairwise(edges)]


def ends_of_heads(octets: bytes) -> list[int]:
    return [found.end() for found in re.finditer(HEAD_END, octets)]


async def hold_against(bout: Bout, messages: tuple[bytes, ...], *cuts: int, cold: bool = False) -> None:
    """What aiohttp does with a message depends on what came in the same segment: a question before a malformed one is
    answered when it came apart, and lost when not. So the short way must answer what aiohttp does for the same
    segments, some of them perhaps cut once more behind a head, as any network may cut them."""
    octets = b"".join(messages)
    ends = ends_of_heads(octets)
    answered = await bout.converse(bout.short, cut_at(octets, *cuts), cold=cold)
    expected = []
    for count in range(len(ends), -1, -1):
        for places in combinations(ends, count):
            expected.append(await bout.converse(bout.long, cut_at(octets, *cuts, *places), cold=cold))
            if answered == expected[-1]:
                return
    raise AssertionError(f"{cut_at(octets, *cuts)}\n{answered}\n{expected}")


@pytest.mark.parametrize("name", CORPUS)
async def test_both_ways_answer_the_same_octets_wherever_a_conversation_is_cut(name: str):
    messages = CORPUS[name]
    async with a_bout() as bout:
        for place in range(sum(map(len, messages)) + 1):
            await hold_against(bout, messages, place)


@pytest.mark.parametrize("name", CORPUS)
async def test_both_ways_answer_the_same_octets_when_every_name_has_to_be_read(name: str):
    messages = CORPUS[name]
    async with a_bout() as bout:
        for known in (False, True):
            for place in range(0, sum(map(len, messages)) + 1, 5):
                await hold_against(bout, messages, place, cold=True)
            if not known:
                await bout.converse(bout.short, [ASK] * 3)


@pytest.mark.parametrize("name", OVERSIZED)
async def test_both_ways_answer_the_same_to_what_is_too_long(name: str):
    messages = OVERSIZED[name]
    async with a_bout() as bout:
        for place in (0, 40, len(ASK), len(ASK) + 20, sum(map(len, messages)) - 3):
            await hold_against(bout, messages, place)


async def test_a_question_takes_the_short_way_from_its_first_time_on_and_past_the_parser_from_its_third():
    async with a_bout() as bout:
        line = Line(bout.short())
        await line.say(ASK, ASK)
        assert bout.metrics.counts.ready == 2
        parser, line.connection._parser = line.connection._parser, None  # nobody to parse
        assert (await line.say(ASK, question("88.1/Gear.7"))).count(b'"responseCode":1,') == 2
        assert bout.metrics.counts.ready == 4
        line.connection._parser = parser
        await line.hang_up()


async def test_a_name_that_has_to_be_read_takes_the_short_way_and_holds_what_is_said_behind_it():
    async with a_bout() as bout:
        line = Line(bout.short())
        await line.say(ASK, ASK, ASK)
        bout.made.resolver.forget(Change(ChangeKind.EVERYTHING))
        bout.reading.cancel()
        assert await line.say(ASK + question("88.1/Gear.7"), ASK[:30], ASK[30:]) == b""
        read = await bout.made.book.next_read()
        assert read.keys == [key(ENGINE)]
        read.answer()
        assert (await line.say()).count(b'"handle":"88.1/ENGINE"') == 1
        (await bout.made.book.next_read()).answer()
        answers = await line.say()
        assert re.findall(rb'"handle":"([^"]*)"', answers) == [b"88.1/Gear.7", b"88.1/ENGINE"]
        assert bout.metrics.counts.ready == 6
        await line.hang_up()


async def test_a_client_that_says_too_much_while_it_waits_is_not_read_on_until_it_is_answered():
    async with a_bout() as bout:
        line = Line(bout.short())
        await line.say(ASK)
        bout.made.resolver.forget(Change(ChangeKind.EVERYTHING))
        bout.reading.cancel()
        reading: list[bool] = []
        line.transport.pause_reading = lambda: reading.append(False)
        line.transport.resume_reading = lambda: reading.append(True)
        count = 2 * MAX_HELD // len(ASK)
        await line.say(*[ASK * (count // 4)] * 4)
        assert reading == [False]
        (await bout.made.book.next_read()).answer()
        answers = b""
        while more := await line.say():
            answers += more
        assert answers.count(b'"responseCode":1,') == 4 * (count // 4)
        assert reading == [False, True]
        await line.hang_up()


async def test_a_client_that_goes_away_while_its_answer_is_read_harms_nobody():
    async with a_bout() as bout:
        gone, patient = Line(bout.short()), Line(bout.short())
        await gone.say(ASK)
        bout.made.resolver.forget(Change(ChangeKind.EVERYTHING))
        bout.reading.cancel()
        await gone.say(ASK)
        await patient.say(ASK)
        await gone.hang_up()
        (await bout.made.book.next_read()).answer()
        assert b'"responseCode":1,' in await patient.say()
        await patient.hang_up()


async def test_a_connection_whose_answer_is_read_is_not_idle():
    async with a_bout() as bout:
        line = Line(bout.short())
        await line.say(ASK)
        bout.made.resolver.forget(Change(ChangeKind.EVERYTHING))
        bout.reading.cancel()
        await line.say(ASK)
        line.connection._next_keepalive_close_time = 0.0
        line.connection._process_keepalive()
        assert not line.transport.closing
        (await bout.made.book.next_read()).answer()
        assert b'"responseCode":1,' in await line.say()
        line.connection._next_keepalive_close_time = 0.0
        line.connection._process_keepalive()
        assert line.transport.closing
        await line.hang_up()


async def test_an_answer_that_is_being_read_is_waited_for_when_the_node_stops():
    async with a_bout() as bout:
        line = Line(bout.short())
        await line.say(ASK)
        bout.made.resolver.forget(Change(ChangeKind.EVERYTHING))
        bout.reading.cancel()
        await line.say(ASK)
        bout.short.pre_shutdown()
        stopping = asyncio.create_task(bout.short.shutdown(5.0))
        await turns()
        assert not stopping.done()
        assert not line.transport.closing
        (await bout.made.book.next_read()).answer()
        await stopping
        assert line.transport.answers_from(0).count(b'"responseCode":1,') == 2
        assert line.transport.closing
        await line.hang_up()


async def test_when_nothing_can_be_read_the_short_way_refuses_at_once_in_the_readers_language():
    async with a_bout() as bout:
        bout.made.misses.fault = "database"
        line = Line(bout.short())
        answer = await line.say(question("88.1/UNREAD", "Accept-Language: zh\r\n"))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        assert b"\r\nContent-Language: zh\r\n" in answer
        assert (bout.metrics.counts.ready, bout.metrics.counts.busy) == (1, 1)
        assert answer == (await bout.converse(bout.long, [question("88.1/UNREAD", "Accept-Language: zh\r\n")]))[0]
        await line.hang_up()


async def test_headers_that_differ_every_time_take_the_short_way_too_and_leave_nothing_behind():
    async with a_bout() as bout:
        line = Line(bout.short())
        for number in range(20):
            await line.say(traced(str(number)))
        assert bout.metrics.counts.ready == 20
        assert not bout.short._prepared.blocks
        assert len(bout.short._prepared.forms) == 1
        await line.hang_up()


async def test_a_header_that_differs_every_time_passes_the_parser_by_once_its_form_is_known():
    async with a_bout() as bout:
        line = Line(bout.short())
        await line.say(traced("1"), traced("2"))
        parser, line.connection._parser = line.connection._parser, None  # nobody to parse
        assert (await line.say(traced("3"), traced("4") + traced("5"))).count(b'"responseCode":1,') == 3
        line.connection._parser = parser
        later = Line(bout.short())
        await later.say(traced("6"))
        assert later.connection._form is line.connection._form
        for one in (line, later):
            await one.hang_up()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=12), min_size=1, max_size=3))
async def test_both_ways_answer_the_same_whatever_an_open_header_holds(values: list[str]):
    async with a_bout() as bout:
        await hold_against(bout, (traced("1"), traced("2"), *[traced(value) for value in values], ASK), 0)
        segments = [traced("1"), traced("2"), *[traced(value) for value in values], ASK]
        assert await bout.converse(bout.short, segments) == await bout.converse(bout.long, segments)


async def test_forms_are_bounded_in_number():
    async with a_bout() as bout:
        line = Line(bout.short())
        forms = bout.short._prepared.forms
        forms.update((b"%d" % number, None) for number in range(MAX_FORMS))
        await line.say(traced("1"), traced("2"))
        assert len(forms) == 1
        await line.hang_up()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (f"If-None-Match: {TAG}\r\n", 304),
        ('If-None-Match: "older"\r\n', 200),
        ("Origin: https://example.org\r\nAccept-Language: zh\r\n", 200),
    ],
)
async def test_headers_that_change_an_answer_in_a_known_way_take_the_short_way_too(headers: str, status: int):
    async with a_bout() as bout:
        line = Line(bout.short())
        answers = await line.say(*[question(headers=headers)] * 4)
        assert answers.count(b"HTTP/1.1 %d " % status) == 4
        assert (answers.count(b"Access-Control-Allow-Origin: https://example.org\r\n") == 4) == ("Origin" in headers)
        assert bout.metrics.counts.ready == 4
        await line.hang_up()


async def test_a_hundred_questions_in_one_segment_are_answered_in_order_in_one_write():
    async with a_bout() as bout:
        line = Line(bout.short())
        names = [ENGINE, "88.1/Gear.7", ABSENT] * 33
        answers = await line.say(b"".join(map(question, names)))
        assert [name for name in names if f'"{name}"'.encode() in answers] == names
        assert answers == b"".join([await line.say(question(name)) for name in names])
        assert bout.metrics.counts.ready == 198
        await line.hang_up()


async def test_more_questions_behind_a_half_than_aiohttp_reads_ahead_are_all_answered():
    async with a_bout() as bout:
        line = Line(bout.short())
        answers = await line.say(ASK[:10], ASK[10:] + ASK * 100)
        while answers.count(b'"responseCode":1,') < 101:
            more = await line.say()
            assert more
            answers += more
        assert (await line.say(ASK)).count(b'"responseCode":1,') == 1
        await line.hang_up()


@settings(max_examples=100, deadline=None)
@given(
    messages=st.lists(st.sampled_from(sorted({one for messages in CORPUS.values() for one in messages})), max_size=3),
    places=st.lists(st.integers(0, 300), max_size=4),
    known=st.booleans(),
    cold=st.booleans(),
)
async def test_both_ways_answer_the_same_to_any_conversation(
    messages: list[bytes], places: list[int], known: bool, cold: bool
):
    async with a_bout() as bout:
        if known:
            await bout.converse(bout.short, [ASK] * 3)
        await hold_against(bout, tuple(messages), *places, cold=cold)


async def test_a_client_that_does_not_read_is_not_written_to_without_end():
    async with a_bout() as bout:
        line = Line(bout.short())
        await line.say(ASK)
        one = len(line.transport.written)
        writes = []
        transport_write = line.transport.write

        def write(octets: bytes) -> None:
            transport_write(octets)
            writes.append(len(octets))
            if not line.connection.writing_paused:
                line.connection.pause_writing()

        line.transport.write = write
        await line.say(ASK * 1000)
        assert sum(writes) <= SEGMENT + 2 * one
        while sum(writes) < 1000 * one:  # The client reads again and again.
            done = len(writes)
            line.connection.resume_writing()
            await turns()
            assert len(writes) > done
        assert sum(writes) == 1000 * one
        await line.hang_up()


async def test_an_answer_starts_the_time_anew_that_an_idle_connection_is_kept():
    async with a_bout() as bout:
        line = Line(bout.short())
        for _ in range(3):
            line.connection._next_keepalive_close_time = 0.0
            before = line.connection._loop.time() + line.connection.keepalive_timeout
            await line.say(ASK)
            assert before <= line.connection._next_keepalive_close_time <= before + 60
        await line.hang_up()


async def test_a_connection_that_is_shut_down_answers_nothing_more():
    async with a_bout() as bout:
        line = Line(bout.short())
        await line.say(ASK)
        bout.short.pre_shutdown()
        line.connection.data_received(ASK)
        assert await line.say() == b""
        await line.hang_up()


@pytest.mark.parametrize("guarded", [False, True])
async def test_where_certificates_may_say_who_asks_only_aiohttps_way_is_taken_over_tls(guarded: bool):
    async with a_bout() as bout:
        connection = ReadyConnection(bout.short, bout.short._prepared, keepalive=60.0, guarded=guarded)
        line = Line(connection, sslcontext=object())
        assert b'"responseCode":1,' in await line.say(ASK)
        assert bout.metrics.counts.ready == (not guarded)
        await line.hang_up()


async def test_blocks_are_bounded_in_number():
    async with a_bout() as bout:
        line = Line(bout.short())
        bout.short._prepared.blocks.update(dict.fromkeys(b"%d" % number for number in range(MAX_BLOCKS)))
        await line.say(ASK, ASK)
        assert list(bout.short._prepared.blocks) == [b" HTTP/1.1\r\nHost: node\r\n\r\n"]
        await line.hang_up()


CHANGES = (
    Change(ChangeKind.HANDLE, key(ENGINE)),
    Change(ChangeKind.RANGE, key("88.1/A"), key("88.1/Z")),
    Change(ChangeKind.PREFIX, key("88.1/")),
    Change(ChangeKind.EVERYTHING),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.kind.name)
async def test_nothing_older_than_a_change_is_answered_once_it_was_heard(change: Change):
    async with a_bout() as bout:
        line = Line(bout.short())
        for version in range(2, 20):
            text = f"version {version}"
            bout.made.book.records[key(ENGINE)] = record(ENGINE, text, version)
            bout.made.resolver.forget(change)
            ready = bout.metrics.counts.ready
            answers = await line.say(ASK + ASK, ASK)
            assert answers.count(text.encode()) == 3
            assert bout.metrics.counts.ready == ready + 3
        await line.hang_up()


async def test_a_stale_answer_says_so_and_so_takes_the_long_way():
    async with a_bout() as bout:
        line = Line(bout.short())
        assert b"Warning" not in await line.say(ASK)
        bout.made.now += 10.0
        assert b"Warning: 110" in await line.say(ASK)
        assert bout.metrics.counts.ready == 1
        bout.made.resolver.heard()
        assert b"Warning" not in await line.say(ASK)
        assert bout.metrics.counts.ready == 2
        await line.hang_up()


async def test_an_answer_whose_time_is_over_is_read_again():
    async with a_bout() as bout:
        line = Line(bout.short())
        await line.say(ASK)
        misses = bout.metrics.counts.misses
        bout.made.now += 301.0
        bout.made.resolver.heard()
        await line.say(ASK)
        assert bout.metrics.counts.misses == misses + 1
        await line.hang_up()


class Renamed(ReadyConnection):
    """As if another aiohttp called it otherwise."""

    @property
    def _waiter(self) -> None:
        raise AttributeError("_waiter")

    @_waiter.setter
    def _waiter(self, waiter: object) -> None:
        pass


class Mute(ReadyConnection):
    def _answer_known(self, ready, data: bytes, begin: int) -> int:
        return len(data)


class Rude(ReadyConnection):
    def _send(self, ready, answers: list[bytes], begun: float) -> None:
        super()._send(ready, [answer.replace(b"200 OK", b"200 Okay") for answer in answers], begun)


class Slow(ReadyConnection):
    def data_received(self, data: bytes) -> None:
        self._parse(data)


MISFITS = {Renamed: "_waiter", Mute: "TimeoutError", Rude: "differently", Slow: "0 of 8 answers"}


@pytest.mark.parametrize("connection", MISFITS)
async def test_an_aiohttp_that_does_not_fit_is_left_to_its_own_way_with_a_warning(
    connection: type[ReadyConnection], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("resolver.listeners.http.trial.DEADLINE", 0.2)
    async with a_bout() as bout:
        bout.metrics.ready_way = 0
        await bout.long.shorten(connection)
        assert bout.metrics.ready_way == 0
        assert [record.levelno for record in caplog.records if MISFITS[connection] in record.getMessage()] == [
            logging.WARNING
        ]
        line = Line(bout.long())
        assert b'"responseCode":1,' in await line.say(ASK, ASK)
        assert bout.metrics.counts.ready == 0
        await line.hang_up()


async def test_the_aiohttp_that_is_installed_fits():
    assert await misfit() == ""
