"""`filament login`: a token for a person whom the node's OpenID provider knows (RFC 8252; RFC 7636).

The person logs in with a browser, and nothing that he types there passes through here. The code that the browser brings
back is worth nothing without the verifier, which leaves this program only for the node.
"""

import base64
import hashlib
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import Failed, Invocation, Misused
from resolver.cli.options import Chosen, local_registry_url, node_options, output_option, settings_options
from resolver.cli.output import write_rows

if TYPE_CHECKING:
    from resolver.cli.client import Node

LOGGED_IN: Final = ("name", "role", "token", "expires_at")
OPENID: Final = "/api/login/openid"


@click.command("login", cls=Command, help="login")
@click.option("--browser/--no-browser", default=True, help="login.browser")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="login.port")
@node_options
@output_option()
@settings_options
@click.pass_obj
def login(
    invocation: Invocation,
    chosen: Chosen,
    browser: bool,
    port: int,
    url: str | None,
    certificate: Path | None,
    form: str,
) -> None:
    from resolver.cli.loopback import open_loopback

    node = _node(invocation, chosen, url, certificate)
    begun = _told(node, OPENID, None, 201)
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    with open_loopback(port, state, begun["issuer"], invocation.language) as loopback:
        place = _place(begun, verifier, state, loopback.redirect_uri)
        invocation.say("login.where", url=place)
        if browser:
            import webbrowser

            webbrowser.open(place)
        code = loopback.wait()
    proof = {"code": code, "code_verifier": verifier, "redirect_uri": loopback.redirect_uri, "nonce": begun["nonce"]}
    write_rows([_told(node, f"{OPENID}/code", proof, 200)], LOGGED_IN, form, invocation.language)
    invocation.say("token.added")


def _node(invocation: Invocation, chosen: Chosen, url: str | None, certificate: Path | None) -> "Node":
    from resolver.cli.client import Node
    from resolver.cli.naming import JSON, own_certificate

    at = url or local_registry_url(chosen.settings(invocation))
    if urlsplit(at).scheme != "https":
        raise Misused("register.plain")
    headers = {"Accept-Language": invocation.language, **JSON}
    return Node(at, certificate or own_certificate(invocation, chosen), headers)


def _told(node: "Node", path: str, form: dict[str, Any] | None, expected: int) -> dict[str, Any]:
    """What the node answers. Raises Failed with its reason for a refusal."""
    answer = node.ask(path, "POST", b"" if form is None else json.dumps(form).encode())
    if not isinstance(answer.body, dict):
        raise Failed("node.answer", url=node.url, status=answer.status)
    if answer.status != expected:
        raise Failed("login.refused", reason=answer.body.get("detail") or f"HTTP {answer.status}")
    return answer.body


def _place(begun: dict[str, Any], verifier: str, state: str, redirect_uri: str) -> str:
    """Where the browser goes (RFC 6749, section 4.1.1). Raises Failed."""
    endpoint = begun["authorization_endpoint"]
    if urlsplit(endpoint).scheme not in ("https", "http"):  # A browser opens files and starts programs, too.
        raise Failed("login.refused", reason=endpoint)
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    asked = {name: begun[name] for name in ("client_id", "nonce", "scope", "response_type", "code_challenge_method")}
    asked["code_challenge"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
    asked |= {"state": state, "redirect_uri": redirect_uri}
    # "The endpoint URI MAY include a query component, which MUST be retained" (section 3.1).
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"
