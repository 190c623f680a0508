import contextlib
import ipaddress
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.admin import AdminRecord, value_list_from_wire
from registry.data_forms import data_to_json, key_from_json
from registry.errors import HandleError, InvalidValue, ProtocolFault, ResponseCode
from registry.keys import PublicKey
from registry.octets import Truncated
from registry.rest import (
    STATUS,
    found_to_json,
    permissions_from_text,
    record_from_json,
    time_from_text,
    time_to_text,
    values_from_json,
    values_to_json,
)
from registry.site import Interface, InterfaceKind, Protocol, ServerInfo, SiteInfo
from registry.value import HandleValue, Reference
from tests.registry.records import VALUE_TUPLES

ADMIN_WIRE = bytes.fromhex("07f30000000d" + b"0.NA/88.118.1".hex() + "000000c8")
ADMIN_FORM = {"handle": "0.NA/88.118.1", "index": 200, "permissions": "011111110011"}


def test_a_found_record_is_written_in_the_key_order_of_the_reference():
    body = found_to_json("88.118.1/hx", [HandleValue(1, "URL", b"http://example.org/x", timestamp=1795282166)])
    assert body.decode() == (
        '{"responseCode":1,"handle":"88.118.1/hx","values":[{"index":1,"type":"URL",'
        '"data":{"format":"string","value":"http://example.org/x"},"ttl":86400,"timestamp":"2026-11-21T17:29:26Z"}]}'
    )


def test_permissions_are_shown_only_when_they_are_not_the_usual_ones():
    first, second = values_to_json([HandleValue(1, "A", b"", permissions=12), HandleValue(2, "A", b"")])
    assert first["permissions"] == "1100"
    assert "permissions" not in second


def test_an_absolute_time_to_live_is_a_time():
    assert values_to_json([HandleValue(1, "A", b"", ttl=0, ttl_absolute=True)])[0]["ttl"] == "1970-01-01T00:00:00Z"


def test_an_administrator_is_shown_and_read_in_its_own_form():
    assert data_to_json("HS_ADMIN", ADMIN_WIRE) == {"format": "admin", "value": ADMIN_FORM}
    body = {"index": 100, "type": "HS_ADMIN", "data": {"format": "admin", "value": ADMIN_FORM}}
    assert values_from_json(orjson.dumps(body))[1][0].data == ADMIN_WIRE


def test_an_administrators_index_may_be_written_as_text():
    form = ADMIN_FORM | {"index": "200"}
    body = {"index": "100", "type": "HS_ADMIN", "data": {"format": "admin", "value": form}}
    assert values_from_json(orjson.dumps(body))[1][0] == HandleValue(100, "HS_ADMIN", ADMIN_WIRE)


def test_an_administrator_with_the_two_zero_octets_of_old_encoders_is_read():
    assert AdminRecord.from_wire(ADMIN_WIRE + b"\0\0") == AdminRecord(0x7F3, "0.NA/88.118.1", 200)
    with pytest.raises(Truncated):
        AdminRecord.from_wire(ADMIN_WIRE + b"\0\1")


def test_what_is_no_administrator_is_shown_as_it_is():
    assert data_to_json("HS_ADMIN", b"\xff") == {"format": "base64", "value": "/w=="}


@pytest.mark.parametrize(
    ("data", "form"),
    [
        ("工业".encode(), {"format": "string", "value": "工业"}),
        (b"a\tb\r\n", {"format": "string", "value": "a\tb\r\n"}),
        (b"\x00\x01\x02\xff", {"format": "base64", "value": "AAEC/w=="}),
        (b"a\x00", {"format": "base64", "value": "YQA="}),
        (b"\xc3\x28", {"format": "base64", "value": "wyg="}),
    ],
)
def test_clean_text_is_shown_as_text_and_the_rest_as_base64(data, form):
    assert data_to_json("DESC", data) == form


def test_a_value_list_is_read_back():
    members = [{"handle": "0.NA/88.118.1", "index": 300}, {"handle": "0.NA/88.118.2", "index": 301}]
    body = {"index": 200, "type": "HS_VLIST", "data": {"format": "vlist", "value": members}}
    data = values_from_json(orjson.dumps(body))[1][0].data
    assert value_list_from_wire(data) == (Reference("0.NA/88.118.1", 300), Reference("0.NA/88.118.2", 301))
    assert data_to_json("HS_VLIST", data)["value"] == members


SITE = SiteInfo(
    1,
    (
        ServerInfo(
            1,
            ipaddress.ip_address("127.0.0.1"),
            PublicKey("RSA_PUB_KEY", {"e": 65537, "n": (1 << 2047) + 1}).to_wire(),
            (Interface(InterfaceKind.BOTH, Protocol.TCP, 2641), Interface(InterfaceKind.QUERY, Protocol.UDP, 2641)),
        ),
        ServerInfo(2, ipaddress.ip_address("2001:db8::1"), b"", ()),
    ),
    (("desc", "测试"),),
)


def test_a_site_is_read_back_from_octets_and_from_json():
    assert SiteInfo.from_wire(SITE.to_wire()) == SITE
    shown = data_to_json("HS_SITE", SITE.to_wire())
    assert shown["format"] == "site"
    body = {"index": 1, "type": "HS_SITE", "data": json.loads(json.dumps(shown))}
    assert values_from_json(orjson.dumps(body))[1][0].data == SITE.to_wire()


def test_a_site_cut_anywhere_is_truncated():
    octets = SITE.to_wire()
    for length in range(len(octets)):
        with pytest.raises(Truncated):
            SiteInfo.from_wire(octets[:length])


@given(st.binary(max_size=200))
def test_any_octets_can_be_shown_in_every_type(octets):
    for value_type in ("HS_ADMIN", "HS_VLIST", "HS_SITE", "HS_PUBKEY", "DESC"):
        orjson.dumps(data_to_json(value_type, octets))


@given(VALUE_TUPLES)
def test_values_are_read_back_from_their_json(values):
    body = orjson.dumps({"handle": "1/2", "values": values_to_json(values)})
    name, read = record_from_json(body)
    assert name == "1/2"
    for before, after in zip(values, read, strict=True):
        assert after.says_the_same_as(before) or after.data == before.data


def test_a_key_is_shown_in_the_manner_of_a_web_key():
    key = PublicKey("RSA_PUB_KEY", {"e": 65537, "n": 0xA07190C3})
    assert data_to_json("HS_PUBKEY", key.to_wire())["value"] == {"kty": "RSA", "n": "oHGQww", "e": "AQAB"}
    assert key_from_json({"kty": "RSA", "n": "oHGQww", "e": "AQAB"}) == key
    assert PublicKey.from_wire(key.to_wire() + bytes(4)) == key


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b"[{", ProtocolFault, "the body is not JSON"),
        (b"", ProtocolFault, "the body is not JSON"),
        (b"nope", ProtocolFault, "the body is not JSON"),
        (b"[" * 100_000, ProtocolFault, r"\$\[0\]"),
        (b'[{"index":1,"data":"x"}]', ProtocolFault, r"\$\[0\]\.type is missing"),
        (b'[{"index":"a","type":"A","data":"x"}]', ProtocolFault, r"\$\[0\].index"),
        (b'{"values":{}}', ProtocolFault, r"\$.values"),
        (b'[{"index":1,"type":"A","data":{"format":"hex","value":"0"}}]', InvalidValue, "1 of type A: format hex"),
        (b'[{"index":1,"type":"A","data":{"format":"xml","value":"0"}}]', InvalidValue, "'xml' is none of"),
        (b'[{"index":1,"type":"A","data":{"format":"string","value":1}}]', InvalidValue, "is not a string"),
        (b'[{"index":1,"type":"A","data":{"format":"base64","value":"*"}}]', InvalidValue, "format base64"),
        (b'[{"index":1,"type":"A","data":{"format":"admin","value":{}}}]', InvalidValue, "format admin"),
        (b'[{"index":1,"type":"A","data":{"format":"key","value":{"kty":"X"}}}]', InvalidValue, "kty 'X'"),
        (b'[{"index":1,"type":"A","data":{"format":"key","value":[]}}]', InvalidValue, "format key"),
        (b'[{"index":1,"type":"A","data":{"format":"hex","value":[]}}]', InvalidValue, "format hex"),
        (b'[{"index":1,"type":"A","data":{"format":"site","value":{"servers":[{"serverId":1,"address":"x",'
         b'"interfaces":[]}],"serialNumber":1}}}]', InvalidValue, "format site"),
        (b'[{"index":1,"type":"A","data":"x","ttl":-1}]', InvalidValue, "ttl -1"),
        (b'[{"index":1,"type":"A","data":"x","ttl":"soon"}]', InvalidValue, "soon"),
        (b'[{"index":1,"type":"A","data":"x","ttl":"99999999999"}]', InvalidValue, "99999999999"),
        (b'[{"index":1,"type":"A","data":"x","permissions":"rwrw"}]', InvalidValue, "permissions 'rwrw'"),
        (b'[{"index":1,"type":"A","data":"\\ud800"}]', ProtocolFault, "the body is not JSON"),
        (b'[{"index":1,"type":"A","data":"x","references":[{"handle":"1/2","index":-1}]}]', InvalidValue, "reference"),
    ],
)  # fmt: skip
def test_a_faulty_body_is_refused_with_the_path_or_the_value_at_fault(body, error, message):
    with pytest.raises(error, match=message):
        values_from_json(body)


def test_a_line_without_a_handle_is_refused():
    with pytest.raises(ProtocolFault, match=r"\$.handle"):
        record_from_json(b'{"values":[]}')


@given(st.binary(max_size=100) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["values", "handle", "index", "type", "data", "format", "value", "ttl", "permissions"]), inner,
    ), max_leaves=12,
).map(lambda tree: json.dumps(tree).encode()))  # fmt: skip
def test_any_body_gives_values_or_a_refusal(body):
    with contextlib.suppress(HandleError):
        values_from_json(body)


@pytest.mark.parametrize(("text", "bits"), [("1110", 14), ("0000", 0), ("*", 15), ("0010", 2), ("00001111", 15)])
def test_permissions_are_read_literally(text, bits):
    assert permissions_from_text(text) == bits


@pytest.mark.parametrize("text", ["2026-11-21T17:29:26Z", "2026-11-21T17:29:26", "2026-11-22T01:29:26+08:00"])
def test_times_are_read_with_and_without_an_offset(text):
    assert time_to_text(time_from_text(text)) == "2026-11-21T17:29:26Z"


def test_every_refusal_of_a_request_has_an_http_status():
    assert STATUS[ResponseCode.HANDLE_NOT_FOUND] == 404
    assert STATUS[ResponseCode.AUTHENTICATION_NEEDED] == 401
    assert all(200 <= status < 600 for status in STATUS.values())
