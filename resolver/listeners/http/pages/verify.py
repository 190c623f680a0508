"""The page that verifies what the node signed: paste a document or open it; nothing is sent.

Its program and the node's keys stand in the page itself, so that it goes on working where there is no network, and
may be saved and opened from a disk.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any, Final

import orjson

from resolver.listeners.http.pages.layout import POLICY, Reader

PROGRAM: Final = (Path(__file__).parents[3] / "static" / "verify.js").read_text("utf-8")
_PROGRAM_HASH: Final = base64.b64encode(hashlib.sha256(PROGRAM.encode()).digest()).decode()
VERIFY_POLICY: Final = f"{POLICY}; script-src 'sha256-{_PROGRAM_HASH}'"
PATH: Final = "/verify"

_MAIN: Final = """<section class="card head"><h1>{title}</h1><p class="lead">{lead}</p>
<div class="ask"><label for="statement">{statement}</label>
<textarea id="statement" rows="6" autocapitalize="off" autocomplete="off" spellcheck="false"></textarea>
<label for="signature">{signature}</label>
<div class="field"><input id="signature" autocapitalize="off" autocomplete="off" spellcheck="false">
<button type="button" id="verify">{verify}</button></div>
<label for="file">{file}</label><input type="file" id="file"></div>
<p class="note" id="said" role="status" hidden {said}></p>
<noscript><p class="note">{script}</p></noscript></section>
<section class="card" id="shown" hidden><dl>{facts}</dl><pre></pre></section>
<script type="application/json" id="keys">{keys}</script>
<script>{program}</script>"""
_SAID: Final = ("good", "form", "key", "altered", "retired", "expired", "insecure", "unable", "sm2")
_FACTS: Final = ("when", "until", "request", "position", "key")
# What would end a script element inside of it; JSON writes each of them in another way too.
_ESCAPES: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def verify_page(reader: Reader, document: dict[str, Any]) -> str:
    """The page with the node's did:web document."""
    keys = orjson.dumps(document).decode().translate(_ESCAPES)
    said = " ".join(f'data-{rule}="{reader.say(f"verify.{rule}")}"' for rule in _SAID)
    facts = "".join(
        f'<div class="wide"><dt>{reader.say(f"verify.fact.{name}")}</dt><dd data-fact="{name}"></dd></div>'
        for name in _FACTS
    )
    named = ("lead", "statement", "signature", "verify", "file", "script")
    main = _MAIN.format(
        title=reader.say("verify.title"),
        said=said,
        facts=facts,
        keys=keys,
        program=PROGRAM,
        **{name: reader.say(f"verify.{name}") for name in named},
    )
    return reader.page(reader.say("verify.title"), main, robots="index,follow")
