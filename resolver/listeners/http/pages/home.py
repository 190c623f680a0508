"""The start page: type, paste, scan, or read a photo. Typing needs no script, by hand or by scanner.

Only this page runs programs: its own and a reader of symbols in WebAssembly, both served by this node.
"""

import html
from typing import Final

from resolver.listeners.http.pages.layout import POLICY, Reader
from resolver.listeners.http.static import PROGRAM, READER, READER_CODE

HOME_POLICY: Final = f"{POLICY}; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
CAMERA_POLICY: Final = "camera=(self), microphone=(), geolocation=()"

_WAYS: Final = """<div id="ways" hidden><div class="ways">
<button type="button" id="camera"><svg viewBox="0 0 24 24" aria-hidden="true">\
<path d="M4 8V5a1 1 0 0 1 1-1h3M16 4h3a1 1 \
0 0 1 1 1v3M20 16v3a1 1 0 0 1-1 1h-3M8 20H5a1 1 0 0 1-1-1v-3M7 12h10"/></svg>{camera}</button>
<button type="button" class="plain" id="photo"><svg viewBox="0 0 24 24" aria-hidden="true">\
<path d="M4 5h16v14H4zM4 16l5-5 \
4 4 3-3 4 4M15 9h.01"/></svg>{photo}</button>\
<input type="file" id="picture" accept="image/*"></div></div>
<div class="view" id="view" hidden><video id="video" muted playsinline></video></div>
<button type="button" class="plain" id="stop" hidden>{stop}</button>
<p class="said" id="said" role="status" data-reader="{reader}" data-wasm="{code}" {said}></p>
<p class="note" id="insecure" hidden>{insecure}{secure}</p>"""
_HINTS: Final = """<ul class="hints"><li>{handle} <code>88.168.10/E.WINDER.A01.07</code></li><li>{codes}</li>
<li>{address}</li><li>{kinds}</li><li>{scanners}</li><li>{private}</li></ul>"""
# What the program says, by the name that it has there.
_SAID: Final = {"aim": "aim", "reading": "reading", "nothing": "nothing", "denied": "denied", "none": "no_camera",
                "broken": "broken"}  # fmt: skip


def home_page(reader: Reader, secure_address: str) -> str:
    """The page that asks for an identifier; `secure_address` is where it is over HTTPS, empty when it is here."""
    more = f'<button class="link">{reader.say("front.go")}</button>'
    form = reader.form("", label="front.label", more=more, focus=True)
    title = reader.say("front.title")
    main = (
        f'<div class="home"><section class="card head"><h1>{title}</h1><p class="lead">{reader.say("front.lead")}</p>'
        f"{_ways(reader, secure_address)}{form}</section>"
        f'<section class="card quiet"><h2>{reader.say("front.what")}</h2>{_hints(reader)}</section></div>'
    )
    head = f'<script src="{PROGRAM.path}" defer></script>\n'
    return reader.page(title, main, robots="index,follow", head=head)


def _ways(reader: Reader, secure_address: str) -> str:
    said = " ".join(f'data-{name}="{reader.say(f"front.{rule}")}"' for name, rule in _SAID.items())
    link = f' <a href="{html.escape(secure_address)}">{reader.say("front.secure")}</a>' if secure_address else ""
    named = {name: reader.say(f"front.{name}") for name in ("camera", "photo", "stop", "insecure")}
    return _WAYS.format(reader=READER.path, code=READER_CODE.path, said=said, secure=link, **named)


def _hints(reader: Reader) -> str:
    named = ("handle", "codes", "address", "kinds", "scanners", "private")
    return _HINTS.format(**{name: reader.say(f"front.{name}") for name in named})
