"""The upstream of an edge: whether it answers over both of its interfaces, as the edge asks it."""

from time import perf_counter

from resolver.diagnosis.book import Book
from resolver.diagnosis.finding import BAD, GOOD, Finding
from resolver.edge.book import EdgeBook
from resolver.edge.interface import FeedRefused
from resolver.settings import Settings


async def look(settings: Settings) -> Book:
    """What stands in the place of what is found of a book."""
    book = EdgeBook(settings, "doctor")
    findings = []
    try:
        begun = perf_counter()
        try:
            await book.open()
            milliseconds = (perf_counter() - begun) * 1000
            told = {"prefixes": len(book.prefixes), "milliseconds": milliseconds}
            findings.append(Finding("upstream", GOOD, "upstream.reached", told))
        except OSError as error:
            findings.append(Finding("upstream", BAD, "upstream.away", {"reason": str(error) or type(error).__name__}))
        try:
            await book.interface.changes("now")
            findings.append(Finding("upstream", GOOD, "upstream.heard"))
        except (OSError, FeedRefused) as error:
            findings.append(Finding("upstream", BAD, "upstream.silent", {"reason": str(error)}))
    finally:
        await book.close()
    return Book(findings)
