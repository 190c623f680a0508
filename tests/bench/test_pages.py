"""The program that measures pages opens pages of what it registers."""

from bench.identifiers import records
from bench.pages import REGISTERED, paths


def test_the_pages_that_are_measured_are_of_what_is_registered():
    registered = {record.handle for record in records(REGISTERED)}
    measured = paths()
    for name in ("pallet", "cake"):
        assert measured[name].removesuffix("?noredirect").removeprefix("/") in registered
    assert measured["missing"].removesuffix("?noredirect").removeprefix("/") not in registered
