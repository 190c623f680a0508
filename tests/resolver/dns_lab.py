"""A node that answers for the zone oid-res.test, and the handles that its tests and judges ask for."""

from registry.value import HandleValue
from tests.resolver.http.lab import URL

ZONE = "oid-res.test"
PRIVATE = HandleValue(3, "ORS.LINF", b"https://example.org/private", permissions=0b1100)
HANDLES = {
    "oid/1.2.156.10001.5": (
        URL,
        HandleValue(2, "ORS.CINF", b"https://example.org/c!nf.xml"),
        PRIVATE,
        HandleValue(4, "URL", b"javascript:alert(1)"),
        HandleValue(5, "URL", b"https://example.org/" + b"x" * 300),
    ),
    "oid/1.2.156.10001.5.1.1": (HandleValue(1, "HS_ALIAS", b"1.2.156.10001.5"),),
    "oid/1.2.156.7": tuple(HandleValue(number, "URL", b"https://x.org/%0150d" % number) for number in range(1, 20)),
}
SAID = [
    "100 10 u ORS+COID !^.*$!/1/2/156/10001/5!",
    "100 20 u ORS+RINF !^.*$!http://example.org/x!",
    "100 30 u ORS+CINF !^.*$!https://example.org/c%21nf.xml!",
]
