"""A foreign client at a running node of several workers: what the reference client and the national SDKs do, in octets
that are made and read without a line of ours."""

import asyncio
import random
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from registry.value import HandleValue
from tests.journeys.foreign import (
    AUTHORITATIVE,
    CERTIFY,
    DEFAULTS,
    DO_NOT_REFER,
    ENCRYPT,
    OAKLEY_2,
    Question,
    Reply,
    Session,
    Site,
    Tcp,
    answered,
    by_private_key,
    by_secret,
    handle_value,
    over_http,
    over_udp,
    public_key_data,
    query,
    text,
    with_values,
)
from tests.journeys.foreign_keys import KeySession
from tests.registry.books import DESC, SECRET, URL, open_book, register
from tests.resolver.running_node import RunningNode, arguments, ask
from tests.resolver.test_operations_authentication import RESTRICTED

ADMINISTRATOR = ("0.NA/88.118.1", 301)
CAKE = "88.118.1/Cake"
CLIENT_KEY = rsa.generate_private_key(65537, 2048)
KEY_HANDLE = ("88.118.1/key", 3)
LISTED = 120  # Handles below the prefix; a list comes in messages of fifty.
# What the national SDK takes for a port; it dials no other.
SDK_PORT = re.compile(r"[1-9]|[1-9]\d{1,3}|[1-6][0-5][0-5][0-3][0-5]")
SDK = {"flags": 0, "version": (2, 3), "suggested": (2, 10)}


@dataclass(frozen=True)
class Port:
    native: int
    http: int


@pytest.fixture(scope="module")
def node(postgres, template, tmp_path_factory) -> Iterator[Port]:
    name = f"test_{uuid4().hex}"
    dsn = postgres.dsn_of(name)
    asyncio.run(postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}"))
    asyncio.run(_fill(dsn))
    native, both = _port_of_the_sdk(), "127.0.0.1,::1" if _has_ipv6() else "127.0.0.1"
    overrides = {"resolver__native_port": native, "resolver__listen": both}
    with RunningNode(*arguments(dsn, tmp_path_factory.mktemp("node"), 3, **overrides)) as running:
        url, _ = running.ready()
        yield Port(native, int(url.rpartition(":")[2]))
    asyncio.run(postgres.execute(f"DROP DATABASE {name} WITH (FORCE)"))


async def _fill(dsn: str) -> None:
    async with open_book(dsn) as store:
        await register(store, CAKE, URL, DESC, RESTRICTED)
        await register(store, KEY_HANDLE[0], _key_value(KEY_HANDLE[1], CLIENT_KEY.public_key()))
        await register(store, "0.NA/88.119", HandleValue(1, "HS_SITE.PREFIX", b"any site"))
        await register(store, "0.NA/88.120", HandleValue(1, "HS_SITE", b"any site"))
        for number in range(LISTED):
            await register(store, f"88.118.1/listed-{number}", URL)


def _key_value(index: int, key: rsa.RSAPublicKey) -> HandleValue:
    return HandleValue(index, "HS_PUBKEY", public_key_data(key))


def _port_of_the_sdk() -> int:
    """A port that nobody has, for neither transport, and that the SDK would dial."""
    while True:
        port = random.randrange(2642, 10_000)
        with socket.socket() as streams, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            try:
                for each in (streams, datagrams):
                    each.bind(("0.0.0.0", port))  # for a moment, to see that nobody else has it
            except OSError:
                continue
            return port


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _site(reply: Reply) -> Site:
    assert (reply.op, reply.code) == (2, 1)
    return Site.read(reply.content)


def _is_fresh(reply: Reply, question: Question) -> bool:
    """What every client checks of an answer before it looks inside."""
    assert reply.expiration > time.time() + 60
    assert reply.request_id == question.request_id
    assert reply.version == min(question.suggested, (2, 11))
    assert reply.flags & 0x80000000, "from a primary"
    return True


def test_the_national_sdk_asks_for_the_site_keeps_its_connection_and_logs_in(node: Port):
    with Tcp(node.native) as connection:
        asked = Question(2, text("/"), **SDK)
        told = connection.ask(asked)
        assert _is_fresh(told, asked)
        site = _site(told)
        assert (site.version, site.address) == ((2, 11), "127.0.0.1")
        kind, protocol, port = site.interfaces[0]
        assert (kind, protocol, port) == (3, 1, node.native), "the SDK takes the first one, and wants TCP"
        assert all(SDK_PORT.fullmatch(str(port)) for _, protocol, port in site.interfaces if protocol < 2)

        asked = Question(1, query(CAKE) + bytes(4), **SDK)  # with the four octets that the other SDK leaves behind
        found = connection.ask(asked)
        assert _is_fresh(found, asked)
        assert found.code == 1
        assert found.content.counted() == CAKE.encode()
        assert sorted(found.values()) == [1, 2], "public values, where others are asked who they are"

        certified = connection.ask(replace(asked, flags=CERTIFY))
        assert certified.flags & CERTIFY
        assert certified.is_signed_by(site.key)
        assert connection.ask(Question(1, query("0"), **SDK)).code in (1, 100), "its heartbeat"

        write = Question(100, with_values("88.118.1/by-sdk", handle_value(1, "URL", b"http://example.org/sdk")), **SDK)
        assert connection.ask(write).code == 408, "log in first"
        log_in = Question(2001, text(ADMINISTRATOR[0]) + bytes([0, 0, 1, 45]), **SDK | {"flags": 0x00800000})
        challenge = connection.ask(log_in)
        assert (challenge.op, challenge.code) == (2001, 402)
        logged_in = connection.ask(answered(challenge, by_secret(challenge, ADMINISTRATOR, SECRET), flags=0))
        assert (logged_in.op, logged_in.code, logged_in.body) == (2001, 1, b"")
        assert connection.ask(write).code == 1
        assert connection.ask(Question(1, query(CAKE, "HS_SECKEY"), **SDK)).values()[9][1] == b"hidden"
    with Tcp(node.native) as another:
        assert another.ask(replace(write, op=101, body=text("88.118.1/by-sdk"))).code == 408, (
            "it was the other's log-in"
        )


def test_a_key_that_an_administrator_adds_logs_the_other_sdk_in(node: Port):
    """Over a connection for each message, as the reference client has it; the SDK numbers its sessions by itself."""
    key = rsa.generate_private_key(65537, 2048)
    added = with_values(ADMINISTRATOR[0], handle_value(302, "HS_PUBKEY", public_key_data(key.public_key())))
    members = b"".join(text(ADMINISTRATOR[0]) + index.to_bytes(4, "big") for index in (300, 301, 302))
    grouped = with_values(ADMINISTRATOR[0], handle_value(200, "HS_VLIST", b"\0\0\0\3" + members))
    for op, body in ((102, added), (104, grouped)):
        with Tcp(node.native) as connection:
            challenge = connection.ask(Question(op, body))
        answer = answered(challenge, by_secret(challenge, ADMINISTRATOR, SECRET))
        with Tcp(node.native) as connection:
            done = connection.ask(answer)
        assert (done.op, done.code, done.request_id, done.session_id) == (op, 1, answer.request_id, 0)
        with Tcp(node.native) as connection:
            assert connection.ask(answer).code == 500, "a nonce is good for once"

    pointer = {"version": (2, 10), "suggested": (2, 11), "session_id": 10_001}
    identity = (ADMINISTRATOR[0], 302)
    with Tcp(node.native) as connection:
        assert connection.ask(Question(2, text("/"), **pointer)).code == 1
        challenge = connection.ask(Question(2001, text(identity[0]) + bytes([0, 0, 1, 46]), **pointer))
        answer = answered(challenge, by_private_key(challenge, identity, key))
        deadline = time.monotonic() + 30  # for the worker that has this connection to hear of the new key
        while (logged_in := connection.ask(answer)).code != 1:
            assert time.monotonic() < deadline
            assert logged_in.code in (403, 406)
            challenge = connection.ask(Question(2001, text(identity[0]) + bytes([0, 0, 1, 46]), **pointer))
            answer = answered(challenge, by_private_key(challenge, identity, key))
        asked = Question(
            100, with_values("88.118.1/by-pointer", handle_value(1, "URL", b"http://example.org")), **pointer
        )
        written = connection.ask(asked)
        assert (written.code, written.session_id) == (1, 10_001)


@pytest.mark.parametrize("version", [(2, minor) for minor in range(4, 12)])
def test_the_reference_client_sets_a_session_up_over_udp_and_administers_over_tcp(node: Port, version):
    site = _site(over_udp(node.native, Question(2, text("/")))[0])
    session = Session(ADMINISTRATOR, version)
    opened, pieces = over_udp(node.native, session.setup)
    assert pieces == 2, "its answer is longer than a datagram may be"
    assert opened.is_signed_by(site.key)
    session.opened(opened)

    def one_shot(question: Question, key: bytes = b"") -> Reply:
        with Tcp(node.native) as connection:
            return connection.ask(question, key)

    name = f"88.118.1/session-{version[1]}"
    hidden = handle_value(9, "HS_SECKEY", b"nobody else reads this", 12)
    body = with_values(name, handle_value(1, "URL", b"http://example.org/1"), hidden)
    challenge = one_shot(session.ask(100, body))
    assert (challenge.code, challenge.session_id) == (402, session.id)
    answer = answered(challenge, by_secret(challenge, ADMINISTRATOR, SECRET))
    created = one_shot(answer)
    assert (created.op, created.code, created.request_id) == (100, 1, answer.request_id)
    assert created.content.counted() == name.encode()

    sealed = session.ask(
        104, with_values(name, handle_value(1, "URL", b"http://example.org/2")), DEFAULTS | ENCRYPT, sealed=True
    )
    assert b"example.org" not in sealed.octets()
    assert one_shot(sealed, session.key).code == 1
    wanted = session.ask(1, query(name), DEFAULTS & ~0x01000000)
    shown = one_shot(wanted, session.key if version >= (2, 8) else b"")
    assert shown.values() == {1: ("URL", b"http://example.org/2"), 9: ("HS_SECKEY", b"nobody else reads this")}
    certified = one_shot(session.ask(1, query(name, "URL"), DEFAULTS | CERTIFY))
    assert certified.has_mac_of(session.key)

    assert one_shot(wanted).code == 505, "said before"
    forged = session.ask(101, text(name))
    assert one_shot(replace(forged, key=bytes(32))).code == 502
    assert one_shot(replace(forged, session_id=4711)).code == 500
    assert one_shot(forged).code == 1, "and neither has used its number up"
    assert one_shot(session.ask(1, query(name), DEFAULTS | AUTHORITATIVE)).code == 100
    assert over_udp(node.native, session.ask(100, body))[0].code == 4, "no administration over datagrams"
    assert one_shot(session.ask(401, text("/"))).code == 1
    assert one_shot(session.ask(1, query(name))).code == 500


@pytest.mark.parametrize("version", [(2, 4), (2, 5), (2, 6), (2, 7), (2, 11)])
@pytest.mark.parametrize("mode", [1, 2, 3])
def test_a_session_key_is_sent_under_an_rsa_key_and_read_at_whichever_worker(node: Port, version, mode):
    site = _site(over_udp(node.native, Question(2, text("/")))[0])
    session = KeySession(mode, ADMINISTRATOR, version, CLIENT_KEY, KEY_HANDLE)
    opened, _ = over_udp(node.native, session.setup)
    assert opened.is_signed_by(site.key)
    sent = session.opened(opened, site.key)

    def one_shot(question: Question, key: bytes = b"") -> Reply:
        with Tcp(node.native) as connection:
            return connection.ask(question, key)

    if mode == 2:
        assert one_shot(session.ask(1, query(CAKE))).code == 500, "before it has a key"
        taken = one_shot(sent)
        assert (taken.op, taken.code, taken.session_id) == (402, 1, session.id)
        assert one_shot(sent).code == 505, "a key is taken once"
    name = f"88.118.1/mode-{mode}-{version[1]}"
    challenge = one_shot(session.ask(100, with_values(name, handle_value(1, "URL", b"http://example.org/1"))))
    assert (challenge.code, challenge.session_id) == (402, session.id)
    assert one_shot(answered(challenge, by_secret(challenge, ADMINISTRATOR, SECRET))).code == 1
    sealed = session.ask(
        104, with_values(name, handle_value(1, "URL", b"http://example.org/2")), DEFAULTS | ENCRYPT, sealed=True
    )
    assert one_shot(sealed, session.key).code == 1
    wanted = session.ask(1, query(name), DEFAULTS | CERTIFY | AUTHORITATIVE)
    certified = one_shot(wanted)
    assert certified.values() == {1: ("URL", b"http://example.org/2")}
    assert certified.has_mac_of(session.key)
    assert one_shot(wanted).code == 505
    assert one_shot(replace(session.ask(101, text(name)), key=bytes(16))).code == 502


def test_a_key_under_the_wrong_key_or_without_a_session_is_refused_by_its_code(node: Port):
    session = KeySession(2, ADMINISTRATOR, (2, 11), CLIENT_KEY, KEY_HANDLE)
    opened, _ = over_udp(node.native, session.setup)
    sent = session.opened(opened, _site(over_udp(node.native, Question(2, text("/")))[0]).key)
    forged = text(CLIENT_KEY.public_key().encrypt(bytes(32), PKCS1v15()))
    assert over_udp(node.native, replace(sent, body=forged))[0].code == 502
    assert over_udp(node.native, replace(sent, session_id=4711))[0].code == 500
    assert over_udp(node.native, sent)[0].code == 1, "and neither has ended it"


def test_a_session_that_is_too_old_or_too_weak_is_refused_by_its_code(node: Port):
    old = Session(ADMINISTRATOR).setup
    for version, code in (((2, 2), 501), ((2, 11), 504)):
        weak = replace(old, version=version, suggested=version, body=b"\0\1" + old.body[2:])
        assert over_udp(node.native, weak)[0].code == code
    small = old.body.replace(OAKLEY_2.to_bytes(129, "big"), b"\0" * 128 + b"\x17")
    assert over_udp(node.native, replace(old, body=small))[0].code == 504


def test_the_root_check_of_the_reference_client_gets_an_answer_signed_with_the_key_of_the_site(node: Port):
    """In the background it asks for 0.0/0.0 with "certify", and complains when the signature is not the site's."""
    with Tcp(node.native) as connection:
        site = _site(connection.ask(Question(2, text("/"))))
        asked = Question(1, query("0.0/0.0"), DEFAULTS | CERTIFY)
        reply = connection.ask(asked)
        assert _is_fresh(reply, asked)
        assert reply.code == 301
        assert reply.is_signed_by(site.key)


def test_a_client_that_asks_once_and_reads_until_the_end_is_not_kept_waiting(node: Port):
    for op, body in ((2, text("/")), (1, query(CAKE))):
        with Tcp(node.native) as connection:
            connection.socket.sendall(Question(op, body).octets())
            assert Reply.read(connection.end()).code == 1


def test_a_client_may_ask_from_the_port_that_it_asks(node: Port):
    """As the national SDK does over datagrams, on another address."""
    asked = Question(2, text("/"), **SDK)
    source = ("127.0.0.2", node.native)
    answer, _ = over_udp(node.native, asked, source=source)
    assert _is_fresh(answer, asked)
    assert _site(answer).interfaces[0][2] == node.native
    assert sorted(over_udp(node.native, Question(1, query(CAKE), **SDK), source=source)[0].values()) == [1, 2]


def test_one_port_takes_json_and_messages_in_clear_and_in_tls(node: Port):
    asked = Question(105, text(ADMINISTRATOR[0]))
    for tls in (False, True):
        (found,) = over_http(node.http, Question(1, query(CAKE)), tls=tls, path="/88.118.1/Cake")
        assert found.values()[1] == ("URL", b"http://example.org/1")
        (challenge,) = over_http(node.http, asked, tls=tls)
        parts = over_http(node.http, answered(challenge, by_secret(challenge, ADMINISTRATOR, SECRET)), tls=tls)
        assert [len(part.content.strings()) for part in parts[:2]] == [50, 50]
        assert [bool(part.flags & 0x04000000) for part in parts] == [True] * (len(parts) - 1) + [False]
        names = {name.upper() for part in parts for name in part.content.strings()}
        assert {f"88.118.1/LISTED-{number}" for number in range(LISTED)} <= names
        assert len({part.request_id for part in parts}) == 1
    assert ask(f"http://127.0.0.1:{node.http}/api/handles/{CAKE}")[1]["responseCode"] == 1
    reply = over_http(node.http, Question(2, text("/")), tls=True)[0]
    assert {(protocol, port) for _, protocol, port in _site(reply).interfaces} == {
        (0, node.native),
        (1, node.native),
        (2, node.http),
        (3, node.http),
    }


@pytest.mark.skipif(not _has_ipv6(), reason="no IPv6 on this machine")
def test_everything_is_answered_over_ipv6_too(node: Port):
    asked = Question(1, query(CAKE))
    with Tcp(node.native, "::1") as connection:
        assert connection.ask(asked).code == 1
    assert over_udp(node.native, asked, "::1")[0].code == 1
    assert over_udp(node.native, Question(1, query(CAKE, *("T" * 40 for _ in range(20)), "URL")), "::1")[0].code == 1
    for tls in (False, True):
        assert over_http(node.http, asked, tls=tls, host="::1")[0].code == 1
    assert ask(f"http://[::1]:{node.http}/api/handles/{CAKE}")[1]["responseCode"] == 1


def test_requests_sent_together_are_answered_in_their_order_and_each_as_often_as_it_was_sent(node: Port):
    questions = [Question(1, query(CAKE if number % 3 else f"88.118.1/none-{number}")) for number in range(60)]
    questions[7] = questions[8] = questions[6]
    with Tcp(node.native) as connection:
        connection.socket.sendall(b"".join(question.octets() for question in questions))
        replies = [connection.come() for _ in questions]
    assert [reply.request_id for reply in replies] == [question.request_id for question in questions]
    assert {reply.code for reply in replies} == {1, 100}


def test_a_delegated_prefix_is_referred_in_octets_that_a_stranger_reads(node: Port):
    with Tcp(node.native) as connection:
        for asked, code, kind in (("0.NA/88.119.5", 303, "HS_SITE.PREFIX"), ("88.120/any", 302, "HS_SITE")):
            referred = connection.ask(Question(1, query(asked)))
            assert referred.code == code
            assert referred.content.counted() == (b"" if code == 303 else b"0.NA/88.120")
            assert referred.values() == {1: (kind, b"any site")}
        for asked, fields, code in (
            ("0.NA/88.119.5", {"version": (2, 9), "suggested": (2, 9)}, 100),  # who does not know 303
            ("0.NA/88.119.5", {"flags": DEFAULTS | DO_NOT_REFER}, 100),
            ("88.120/any", {"flags": DEFAULTS | DO_NOT_REFER}, 301),
            ("88.121/any", {}, 301),
        ):
            assert connection.ask(Question(1, query(asked), **fields)).code == code, asked
