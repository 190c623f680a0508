"""EPCs as readers of RFID tags send them: the examples of the standard (TDS, appendix E), and any other figures."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidHandle
from registry.schemes.epc_binary import is_binary
from registry.schemes.gs1 import key_from_text
from registry.schemes.recognition import recognise

EXAMPLES = {
    "3074257BF7194E4000001A85": "urn:epc:tag:sgtin-96:3.0614141.812345.6789",
    "3174257BF4499602D2000000": "urn:epc:tag:sscc-96:3.0614141.1234567890",
    "3274257BF46072000000162E": "urn:epc:tag:sgln-96:3.0614141.12345.5678",
    "3374257BF40C0E400000162E": "urn:epc:tag:grai-96:3.0614141.12345.5678",
    "3474257BF40000000000162E": "urn:epc:tag:giai-96:3.0614141.5678",
    "2D74257BF4499602D2000000": "urn:epc:tag:gsrn-96:3.0614141.1234567890",
    "2C74257BF46072000000162E": "urn:epc:tag:gdti-96:3.0614141.12345.5678",
    "3674257BF6B7A659B2C2BF1000000000000000000000000000": "urn:epc:tag:sgtin-198:3.0614141.712345.32a%2Fb",
}
HEADERS = st.sampled_from(sorted({figures[:2] for figures in EXAMPLES} | {"2E"}))


@pytest.mark.parametrize(("figures", "urn"), EXAMPLES.items())
def test_what_a_reader_sends_is_the_key_of_its_urn(figures, urn):
    for text in (figures, figures.lower()):
        assert recognise(text).system == "gs1"
        assert key_from_text(text) == key_from_text(urn)


def test_a_long_epc_is_read_in_whole_octets_and_in_whole_words():
    (figures,) = [one for one in EXAMPLES if one.startswith("36")]
    assert key_from_text(f"{figures}00") == key_from_text(figures)
    with pytest.raises(InvalidHandle):
        key_from_text(f"{figures}01")


@pytest.mark.parametrize(
    "figures",
    [
        "307C257BF7194E4000001A85",  # Partition 7.
        "3174257BF4499602D2000001",  # Reserved bits.
        "3017FFFFFFFFFFC000001A85",  # A company prefix of 40 bits that is more than twelve figures.
        "3674257BF6B7A640000000000000000000000000000000000000"[:50],  # No serial number.
    ],
)
def test_what_contradicts_itself_is_refused(figures):
    with pytest.raises(InvalidHandle) as refused:
        key_from_text(figures)
    assert refused.value.rule == "gs1.epc"


@pytest.mark.parametrize("text", ["E28011700000020F1234ABCD", "3574257BF7194E4000001A85", "3074257BF7194E4", ""])
def test_other_headers_and_lengths_are_no_epc(text):
    assert not is_binary(text)


@given(HEADERS, st.text("0123456789ABCDEF", min_size=22, max_size=22))
def test_any_figures_are_a_key_or_refused(header, rest):
    try:
        key = key_from_text(header + rest)
    except InvalidHandle:
        return
    assert key_from_text(str(key)) == key


@given(st.integers(0, 6), st.integers(0), st.integers(0), st.integers(0, (1 << 38) - 1))
def test_the_parts_of_a_key_come_back_for_every_length_of_company_prefixes(partition, company, reference, serial):
    figures = 12 - partition
    company %= 10**figures
    reference %= 10 ** (13 - figures)
    size = (40, 37, 34, 30, 27, 24, 20)[partition]
    number = (((0x30 << 6 | 1 << 3 | partition) << size | company) << (44 - size) | reference) << 38 | serial
    urn = f"urn:epc:id:sgtin:{company:0{figures}}.{reference:0{13 - figures}}.{serial}"
    try:
        expected = key_from_text(urn)
    except InvalidHandle as refused:
        with pytest.raises(InvalidHandle, match=re.escape(str(refused))):
            key_from_text(f"{number:024X}")
        return
    assert key_from_text(f"{number:024X}") == expected
