"""Where webhooks may be sent, and how their messages are signed."""

import ipaddress
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from registry.errors import InvalidValue
from registry.webhook_sending import MAX_URL, Guard, Sender, secret_text, signed
from tests.registry.receiver import Receiver

SECRET = bytes(range(32))
BODY = '[{"subject":"88.168.1/丝饼"}]'.encode()


@pytest.fixture
async def receiver():
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


async def sent(networks, url):
    async with Sender(Guard(networks), 1) as sender:
        return await sender.send(url, SECRET, "m", b"[]")


def test_the_reference_library_of_the_standard_believes_a_message_and_no_other():
    headers = signed(SECRET, "1.2-3-4", datetime.now(UTC), BODY)
    judge = Webhook(secret_text(SECRET))
    assert judge.verify(BODY, headers) == [{"subject": "88.168.1/丝饼"}]
    for wrong in (BODY[:-1] + b" ", BODY + b" "):
        with pytest.raises(WebhookVerificationError):
            judge.verify(wrong, headers)
    for name, other in (("webhook-id", "1.2-3-5"), ("webhook-timestamp", "1"), ("webhook-signature", "v1,AAAA")):
        with pytest.raises(WebhookVerificationError):
            judge.verify(BODY, headers | {name: other})


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:10.0.0.1"),
    ],
)
def test_an_address_that_is_not_public_is_refused_in_every_writing(address):
    assert not Guard(()).may_connect(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2400:3200::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is_allowed(address):
    assert Guard(()).may_connect(ipaddress.ip_address(address))


def test_a_network_of_the_settings_is_allowed_and_no_other():
    guard = Guard(("10.0.0.0/8", "fd00::/8"))
    assert guard.may_connect(ipaddress.ip_address("10.1.2.3"))
    assert guard.may_connect(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert guard.may_connect(ipaddress.ip_address("fd00::1"))
    assert not guard.may_connect(ipaddress.ip_address("192.168.1.1"))


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)", "http://", "http:///x"),
        *("http://user:word@example.com/", "https://example.com/#x", "http://[::1/", "http://example.com:99999/"),
        *("http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest", "http://ex\nample.com/"),
        "https://example.com/" + "x" * MAX_URL,
    ],
)
def test_an_address_that_nothing_will_be_sent_to_is_refused(url):
    with pytest.raises(InvalidValue):
        Guard(()).check_url(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_whatever_name_leads_to_a_private_address_nothing_is_sent_there(receiver, host):
    assert await sent((), f"http://{host}:{receiver.port}/hear")
    assert receiver.messages == []


async def test_an_allowed_network_is_reached(receiver):
    assert await sent(("127.0.0.0/8",), receiver.url) == ""


async def test_an_answer_with_endless_headers_is_left(receiver):
    receiver.headers = {"X-Long": "x" * 9000}
    assert "Got more than 8190 bytes" in await sent(("127.0.0.0/8",), receiver.url)
