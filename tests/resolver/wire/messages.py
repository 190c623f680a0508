"""Messages that hypothesis makes, and one worked out by hand."""

from hypothesis import strategies as st

from resolver.wire.envelope import ENCRYPTED
from resolver.wire.message import Message

UINT8, UINT16, UINT32 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32))
INT32 = st.integers(-(1 << 31), (1 << 31) - 1)

MESSAGES = st.builds(
    Message,
    major=UINT8,
    minor=UINT8,
    flags=UINT8.map(lambda flags: flags & ~(ENCRYPTED | 0x80)),
    suggested_minor=UINT8,
    session_id=INT32,
    request_id=INT32,
    sequence=INT32,
    op_code=st.sampled_from([1, 2, 100, 105, 200, 400, 2001, 999]),
    response_code=st.sampled_from([0, 1, 4, 100, 402, 3001]),
    op_flags=UINT32,
    site_serial=UINT16,
    recursion=UINT8,
    reserved=UINT8,
    expiration=UINT32,
    body=st.binary(max_size=1200),
    credential=st.binary(max_size=60),
)

# The official client asks for the URL of a handle (native.session.resolve.url_only_type_filter.udp).
URL_QUERY = bytes.fromhex(
    "02 0b 02 0b 00000000 385b68c5 00000000 00000043"  # 2.11, suggests 2.11, no session, request id, 67 octets follow
    "00000001 00000000 19000000 0001 00 00 6b0273bf 00000027"  # resolution, REC+CA+PO, serial 1, expiration, body of 39
    "00000014 38382e3131382e312f434150643266336462376300000000"  # "88.118.1/CAPd2f3db7c", no index
    "00000001 00000003 55524c"  # one type: URL
    "00000000"  # no credential
)
