"""What strangers' octets reach over HTTP as codes of GS1, links and targets of redirects, and what must hold there."""

from contextlib import suppress
from urllib.parse import urlsplit

from registry.errors import HandleError, ProtocolFault
from registry.links import Link
from registry.schemes import gs1
from registry.schemes.gs1_digital_link import check_query, is_plausible, key_from_path
from registry.schemes.gs1_keys import Key
from resolver.listeners.http.link_choice import Level, Preferences, best_of, default_of, weighted
from resolver.listeners.http.target import MAX_TARGET, Destinations, target_of, with_query

ALLOWED = Destinations(("http", "https", "ftp", "mailto"))
CHOICES = (
    Link("a", "https://a.example/", "a", "text/html", ("zh-Hans", "en"), ("CN",), True),
    Link("a", "https://b.example/", "b", "application/pdf", ("zh",), (), True),
    Link("a", "https://c.example/", "c", "", (), ("CN", "EU")),
)


def code(octets: bytes) -> None:
    """A text is a key whose canonical form is read back as itself, or is refused in both languages."""
    text = octets.decode("utf-8", "replace")
    assert isinstance(gs1.shape(text), bool)
    read = _read(text)
    if isinstance(read, Key):
        _holds(read)
    else:
        assert read.text("en")
        assert read.text("zh")
    path, _, query = text.partition("?")
    with suppress(HandleError):
        key = key_from_path(path.removeprefix("/"))
        assert is_plausible(f"{key.path}/") or len(key.value) < 4
        check_query(key, query)


def _read(text: str) -> Key | HandleError:
    try:
        return gs1.key_from_text(text)
    except HandleError as refused:
        return refused


def _holds(key: Key) -> None:
    assert gs1.key_from_text(str(key)) == key
    assert key_from_path(key.path[1:]) == key
    gs1.check_canonical(key.handle)
    levels = key.levels()
    assert levels[0] == key
    assert len(set(levels)) == len(levels) <= 7
    assert all(level.value == key.value for level in levels)


def link(octets: bytes) -> None:
    """Octets are a link that is gone to safely, or are none."""
    try:
        made = Link.from_data(octets)
    except ValueError:
        return
    target = target_of(made.href, ALLOWED)
    assert target is None or target.startswith(("http", "HTTP"))
    assert Level.of("/", (made,), None).default == made


def target(octets: bytes) -> None:
    """A redirect is one line of visible ASCII to a host, and what is appended or passed on changes no host."""
    text, _, more = octets.decode("utf-8", "surrogateescape").partition("\n")
    for append in ("", more):
        found = target_of(text, ALLOWED, append)
        if found is not None:
            assert found.isascii()
            assert found.isprintable()
            assert " " not in found
            assert urlsplit(found).scheme in ALLOWED.schemes
            with suppress(ProtocolFault):
                longer = with_query(found, more)
                assert len(longer) <= MAX_TARGET
                assert longer.isascii()
                assert urlsplit(longer).netloc == urlsplit(found).netloc


def preferences(octets: bytes) -> None:
    """Whatever headers say, one link or several are chosen, and a default is a default."""
    accept, _, rest = octets.decode("utf-8", "replace").partition("\n")
    languages, _, contexts = rest.partition("\n")
    preferred = Preferences(weighted(accept), weighted(languages), tuple(contexts.split(",")))
    chosen = best_of(CHOICES, preferred)
    assert set(chosen) <= set(CHOICES)
    assert chosen
    assert default_of(Level.of("/", CHOICES, None), preferred) in CHOICES[:2]
