"""`filament resolve` and `filament register`: one identifier, asked for or written."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import FAILED, SUCCESS, Failed, Invocation, Misused, run
from resolver.cli.options import Chosen, local_url, node_options, output_option, settings_options
from resolver.cli.output import write_rows

if TYPE_CHECKING:
    from registry.value import HandleValue
    from resolver.cli.client import Answer, Node

FOUND: Final = 1
EXISTS: Final = 101
NOT_FOUND: Final = frozenset({100, 200, 301})
JSON: Final = {"Content-Type": "application/json"}
COLUMNS: Final = ("handle", "index", "type", "data", "ttl", "timestamp")
READABLE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("resolve", cls=Command, help="resolve")
@click.argument("handles", nargs=-1, required=True, metavar="HANDLE...")
@click.option("--index", "indexes", metavar="NUMBER", type=int, multiple=True, help="resolve.index")
@click.option("--type", "types", multiple=True, help="resolve.type")
@click.option("--authoritative", is_flag=True, help="resolve.authoritative")
@click.option("--native", "servers", metavar="HOST[:PORT]", multiple=True, help="resolve.native")
@click.option("--allow", "networks", metavar="NETWORK", multiple=True, help="resolve.allow")
@node_options
@output_option()
@settings_options
@click.pass_obj
def resolve(
    invocation: Invocation,
    chosen: Chosen,
    handles: tuple[str, ...],
    indexes: tuple[int, ...],
    types: tuple[str, ...],
    authoritative: bool,
    servers: tuple[str, ...],
    networks: tuple[str, ...],
    url: str | None,
    certificate: Path | None,
    form: str,
) -> int:
    from resolver.cli.many import STDIN, ask_many, names_in, show

    names = names_in(sys.stdin.buffer) if handles == (STDIN,) else None
    if servers:
        from resolver.cli.native import ask_all

        asked = handles if names is None else tuple(names)
        answers = run(ask_all(servers, networks, asked, indexes, types, certificate, authoritative=authoritative))
    else:
        from resolver.cli.client import Node, handle_path

        at = url or local_url(chosen.settings(invocation))
        headers = {"Accept-Language": invocation.language}
        node = Node(at, certificate or own_certificate(invocation, chosen), headers)
        query = _query(indexes, types, authoritative=authoritative)
        if names is not None:
            return show(invocation, ask_many(replace(node, headers=headers | JSON), names, query), form)
        answers = [(handle, node.ask(handle_path(handle) + (f"?{query}" if query else ""))) for handle in handles]
    if form == "json":
        json.dump([answer.body for _, answer in answers], sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        write_rows(values_of(answers), COLUMNS, form, invocation.language)
    for handle, answer in answers:
        remark(invocation, handle, answer)
    return SUCCESS if all(answer.code == FOUND for _, answer in answers) else FAILED


@click.command("register", cls=Command, help="register")
@click.argument("handle", metavar="HANDLE")
@click.argument("given", nargs=-1, metavar="[TYPE=TEXT]...")
@click.option("--values", "file", metavar="FILE.json", type=click.File("rb"), help="register.values")
@click.option("--overwrite", is_flag=True, help="register.overwrite")
@click.option("--identity", metavar="INDEX:HANDLE", envvar="FILAMENT_IDENTITY", help="register.identity")
@click.option(
    "--secret-file", type=click.Path(path_type=Path, exists=True), metavar="FILE", help="register.secret_file"
)
@click.option("--direct", is_flag=True, help="register.direct")
@node_options
@settings_options
@click.pass_obj
def register(
    invocation: Invocation,
    chosen: Chosen,
    handle: str,
    given: tuple[str, ...],
    file: Any,
    overwrite: bool,
    identity: str | None,
    secret_file: Path | None,
    direct: bool,
    url: str | None,
    certificate: Path | None,
) -> None:
    values = read_values(given, file)
    if direct or chosen.overrides.get("registry.dsn"):
        from resolver.cli.writing import write_directly

        created = run(write_directly(invocation, chosen, handle, values, overwrite=overwrite))
    else:
        proof = _proof(invocation, identity, secret_file)
        at = url or local_url(chosen.settings(invocation), "https")
        node = _node(invocation, chosen, at, certificate, proof)
        created = _register_at(node, handle, values, overwrite=overwrite)
    invocation.say("register.created" if created else "register.replaced", handle=handle)


def _query(indexes: tuple[int, ...], types: tuple[str, ...], *, authoritative: bool) -> str:
    asked = [("index", str(index)) for index in indexes] + [("type", name) for name in types]
    return urlencode(asked + ([("auth", "true")] if authoritative else []))


def values_of(answers: "Iterable[tuple[str, Answer]]") -> Iterator[dict[str, Any]]:
    """A row for each value."""
    for handle, answer in answers:
        for value in answer.body.get("values", ()):
            data = value.get("data", {})
            yield {**value, "handle": handle, "data": data.get("value") if isinstance(data, dict) else data}


def remark(invocation: Invocation, handle: str, answer: "Answer") -> None:
    """Says why an answer is none, or that it is old."""
    if answer.code != FOUND:
        message = answer.body.get("message")
        if state := answer.body.get("state"):
            reason = f": {answer.body['reason']}" if "reason" in answer.body else ""
            since = answer.body.get("since", "?")
            invocation.say("resolve.state", handle=handle, state=state, since=since, reason=reason)
        elif message is None and answer.code in NOT_FOUND:
            invocation.say("resolve.not_found", handle=handle)
        else:
            invocation.say("node.refused", handle=handle, code=answer.code, message=message or f"HTTP {answer.status}")
    elif "warning" in answer.headers:
        invocation.say("resolve.stale", handle=handle, age=answer.headers.get("age", "?"))


def read_values(assignments: tuple[str, ...], file: Any) -> "tuple[HandleValue, ...]":
    from registry.record import check_values
    from registry.rest import values_from_json

    values = [] if file is None else list(values_from_json(file.read())[1])
    taken = {value.index for value in values}
    for assignment in assignments:
        values.append(_value(assignment, taken))
        taken.add(values[-1].index)
    if not values:
        raise Misused("register.nothing")
    return check_values(tuple(values))


def _value(assignment: str, taken: set[int]) -> "HandleValue":
    from registry.value import HandleValue

    place, equals, data = assignment.partition("=")
    index, colon, value_type = place.rpartition(":")
    if not equals or not value_type or (colon and not index.isdecimal()):
        raise Misused("register.assignment", text=assignment)
    free = next(number for number in range(1, len(taken) + 2) if number not in taken)
    return HandleValue(int(index) if colon else free, value_type, data.encode())


def _proof(invocation: Invocation, identity: str | None, file: Path | None) -> str:
    """What the header Authorization says: a key that is named, or else a token."""
    import base64

    secret = invocation.environment.get("FILAMENT_SECRET") if file is None else _line_of(file)
    token = invocation.environment.get("FILAMENT_TOKEN")
    if identity is None and file is None and token:
        return f"Bearer {token}"
    if identity is None or secret is None:
        raise Misused("register.identity")
    name, word = (quote(part, safe="") for part in (identity, secret))
    return "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode("ascii")


def _line_of(file: Path) -> str:
    return file.read_text(encoding="utf-8").rstrip("\r\n")  # The line break that an editor leaves is no part of it.


def _node(invocation: Invocation, chosen: Chosen, url: str, certificate: Path | None, proof: str) -> "Node":
    from resolver.cli.client import Node

    if urlsplit(url).scheme != "https":
        raise Misused("register.plain")
    headers: Mapping[str, str] = {
        "Authorization": proof,
        "Accept-Language": invocation.language,
        **JSON,
    }
    return Node(url, certificate or own_certificate(invocation, chosen), headers)


def own_certificate(invocation: Invocation, chosen: Chosen) -> Path | None:
    """The certificate that a node on this machine made for itself."""
    from registry.certificate import NODE_CERTIFICATE

    path = Path(chosen.settings(invocation).registry.data_directory, NODE_CERTIFICATE)
    return path if path.is_file() else None


def _register_at(node: "Node", handle: str, values: "tuple[HandleValue, ...]", *, overwrite: bool) -> bool:
    from registry.rest import values_to_json
    from resolver.cli.client import handle_path

    body = json.dumps({"values": values_to_json(values)}).encode()
    answer = node.ask(f"{handle_path(handle)}?overwrite={str(overwrite).lower()}", "PUT", body)
    if answer.code == EXISTS:
        raise Failed("register.exists", handle=handle)
    if answer.code != FOUND:
        message = answer.body.get("message") if isinstance(answer.body, dict) else None
        raise Failed("node.refused", handle=handle, code=answer.code, message=message or f"HTTP {answer.status}")
    return answer.status == 201
