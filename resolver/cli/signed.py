"""`filament verify`, `filament prove`, `filament bundle` and `filament key`: what a node signed, and with which key."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import click

from resolver.cli.frame import Command, Group
from resolver.cli.invocation import FAILED, SUCCESS, Failed, Invocation, run
from resolver.cli.options import (
    Chosen,
    language_option,
    local_url,
    node_options,
    output_option,
    settings_options,
)
from resolver.cli.output import Row, write_rows

if TYPE_CHECKING:
    from registry.jose import PublishedKey
    from resolver.cli.client import Node
    from resolver.client.statements import Keys, Statement

READABLE: Final = click.Path(path_type=Path, exists=True, dir_okay=False)
STATEMENT: Final = ("statement", "key", "signed_at", "expires", "position", "request")
STDIN: Final = "-"
ALGORITHM: Final = click.option("--algorithm", type=click.Choice(["EdDSA", "SM2"]), help="signed.algorithm")


@click.command("verify", cls=Command, help="verify")
@click.argument("file", type=READABLE, metavar="FILE")
@click.option("--signature", metavar="TEXT", help="verify.signature")
@click.option("--keys", "keys_file", type=READABLE, metavar="DID.json", help="verify.keys")
@node_options
@output_option()
@settings_options
@click.pass_obj
def verify(
    invocation: Invocation,
    chosen: Chosen,
    file: Path,
    signature: str | None,
    keys_file: Path | None,
    url: str | None,
    certificate: Path | None,
    form: str,
) -> None:
    from registry.jose import ANSWER
    from resolver.client.statements import keys_of, read_answer, read_document

    if keys_file is not None:
        keys = keys_of(keys_file.read_bytes())
    else:
        keys = _fetched(_node(invocation, chosen, url, certificate))
    document = file.read_bytes()
    if signature is None and b'"leaf":' in document:
        _show_proof(invocation, document, keys, form)
        return
    if signature is None:
        statement = read_document(document, ANSWER, keys, time.time())
    else:
        statement = read_answer(document, signature, keys, time.time())
    write_rows([_row(statement)], STATEMENT, form, invocation.language)


@click.command("prove", cls=Command, help="prove")
@click.argument("handle", metavar="HANDLE")
@click.option("--version", type=click.IntRange(1), help="prove.version")
@ALGORITHM
@click.option("--keys", "keys_file", type=READABLE, metavar="DID.json", help="prove.keys")
@click.option("--to", "path", type=click.Path(path_type=Path, dir_okay=False), help="prove.to")
@node_options
@output_option()
@settings_options
@click.pass_obj
def prove(
    invocation: Invocation,
    chosen: Chosen,
    handle: str,
    version: int | None,
    algorithm: str | None,
    keys_file: Path | None,
    path: Path | None,
    url: str | None,
    certificate: Path | None,
    form: str,
) -> None:
    from resolver.client.statements import keys_of

    node = _node(invocation, chosen, url, certificate)
    asked = {"version": version, "algorithm": algorithm}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    answer = node.ask(f"/api/proofs/{quote(handle, safe='/')}?{query}")
    if answer.status != 200:
        message = answer.body.get("message") if isinstance(answer.body, dict) else None
        raise Failed("node.refused", handle=handle, code=answer.code, message=message or f"HTTP {answer.status}")
    document = json.dumps(answer.body).encode()
    if path is not None:
        path.write_bytes(document)
    keys = _fetched(node) if keys_file is None else keys_of(keys_file.read_bytes())
    _show_proof(invocation, document, keys, form)


def _show_proof(invocation: Invocation, document: bytes, keys: "Keys", form: str) -> None:
    from registry.rest import values_to_json
    from resolver.cli.naming import COLUMNS
    from resolver.client.statements import read_proof

    proved = read_proof(document, keys, time.time())
    rows = [
        {**value, "handle": proved.handle, "data": value["data"]["value"]} for value in values_to_json(proved.values)
    ]
    write_rows(rows, COLUMNS, form, invocation.language)
    key = proved.root.key_id
    invocation.say("prove.holds", handle=proved.handle, version=proved.version, day=proved.day, key=key)


@click.group("bundle", cls=Group, help="bundle")
def bundle() -> None:
    pass


@bundle.command("make", help="bundle.make")
@language_option
@click.argument("handles", nargs=-1, required=True, metavar="HANDLE...")
@click.option("--to", "path", required=True, type=click.Path(path_type=Path, dir_okay=False), help="bundle.to")
@click.option("--hours", type=click.IntRange(1, 720), help="bundle.hours")
@click.option("--depth", type=click.IntRange(1, 8), help="bundle.depth")
@ALGORITHM
@node_options
@settings_options
@click.pass_obj
def make(
    invocation: Invocation,
    chosen: Chosen,
    handles: tuple[str, ...],
    path: Path,
    hours: int | None,
    depth: int | None,
    algorithm: str | None,
    url: str | None,
    certificate: Path | None,
) -> None:
    from registry.jose import Signed
    from resolver.cli.many import names_in

    names = list(names_in(sys.stdin.buffer)) if handles == (STDIN,) else list(handles)
    asked = {"hours": hours, "depth": depth, "algorithm": algorithm}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    answer = _node(invocation, chosen, url, certificate).ask(
        f"/api/bundle?{query}", "POST", json.dumps(names).encode()
    )  # fmt: skip
    if answer.status != 200:
        message = answer.body.get("message") if isinstance(answer.body, dict) else None
        raise Failed("node.refused", handle="/api/bundle", code=answer.code, message=message or f"HTTP {answer.status}")
    document = json.dumps(answer.body, separators=(",", ":"))
    path.write_text(document, encoding="ascii")
    held = json.loads(Signed.from_json(document).payload)["results"]
    invocation.say("bundle.made", count=len(held), path=path)


@bundle.command("verify", help="bundle.verify")
@language_option
@click.argument("file", type=READABLE, metavar="FILE")
@click.option("--keys", "keys_file", type=READABLE, metavar="DID.json", help="bundle.keys")
@output_option()
@click.pass_obj
def verify_bundle(invocation: Invocation, file: Path, keys_file: Path | None, form: str) -> None:
    write_rows([_row(_bundle(invocation, file, keys_file))], STATEMENT, form, invocation.language)


@bundle.command("show", help="bundle.show")
@language_option
@click.argument("file", type=READABLE, metavar="FILE")
@click.argument("handles", nargs=-1, metavar="[HANDLE]...")
@click.option("--keys", "keys_file", type=READABLE, metavar="DID.json", help="bundle.keys")
@output_option()
@click.pass_obj
def show(invocation: Invocation, file: Path, handles: tuple[str, ...], keys_file: Path | None, form: str) -> int:
    from resolver.cli.client import Answer
    from resolver.cli.naming import COLUMNS, FOUND, remark, values_of

    held = {one["handle"]: Answer(200, one, {}) for one in _bundle(invocation, file, keys_file).body["results"]}
    unknown = [handle for handle in handles if handle not in held]
    answers = [(handle, held[handle]) for handle in handles or held if handle in held]
    write_rows(values_of(answers), COLUMNS, form, invocation.language)
    for handle, answer in answers:
        remark(invocation, handle, answer)
    for handle in unknown:
        invocation.say("bundle.unknown", handle=handle)
    return FAILED if unknown or any(answer.code != FOUND for _, answer in answers) else SUCCESS


@click.group("key", cls=Group, help="key")
def key() -> None:
    pass


@key.command("list", help="key.list")
@language_option
@output_option()
@settings_options
@click.pass_obj
def list_keys(invocation: Invocation, chosen: Chosen, form: str) -> None:
    rows = [
        {
            "key": one.key_id,
            "algorithm": one.algorithm,
            "retired_at": one.retired_at.isoformat() if one.retired_at else "",
        }
        for one in run(_published(invocation, chosen))
    ]
    write_rows(rows, ("key", "algorithm", "retired_at"), form, invocation.language)


@key.command("rotate", help="key.rotate")
@language_option
@settings_options
@click.pass_obj
def rotate_key(invocation: Invocation, chosen: Chosen) -> None:
    from registry.signing import FILES

    directory = chosen.settings(invocation).registry.data_directory
    there = [algorithm for algorithm, file in FILES.items() if Path(directory, file).is_file()]
    if not there:
        raise Failed("key.none", directory=directory)
    for former, new in run(_rotate(invocation, chosen, there)):
        invocation.say("key.rotated", former=former.key_id, new=new.key_id)


def _bundle(invocation: Invocation, file: Path, keys_file: Path | None) -> "Statement":
    from resolver.client.statements import keys_of, read_bundle

    keys = None if keys_file is None else keys_of(keys_file.read_bytes())
    statement = read_bundle(file.read_bytes(), time.time(), keys)
    if keys is None:
        invocation.say("bundle.own_keys", key=statement.key_id)
    return statement


def _row(statement: "Statement") -> Row:
    return {
        "statement": statement.kind,
        "key": statement.key_id,
        "signed_at": statement.signed_at.isoformat(),
        "expires": "" if statement.expires is None else statement.expires.isoformat(),
        "position": statement.position,
        "request": statement.request,
    }


def _node(invocation: Invocation, chosen: Chosen, url: str | None, certificate: Path | None) -> "Node":
    from resolver.cli.client import Node
    from resolver.cli.naming import JSON, own_certificate

    at = url or local_url(chosen.settings(invocation))
    headers = {"Accept-Language": invocation.language, **JSON}
    return Node(at, certificate or own_certificate(invocation, chosen), headers)


def _fetched(node: "Node") -> "Keys":
    from registry.did import keys_from_document

    return keys_from_document(node.ask("/.well-known/did.json").body)


async def _published(invocation: Invocation, chosen: Chosen) -> "list[PublishedKey]":
    from registry.signing import published_keys
    from resolver.cli.database import opened

    async with opened(chosen.settings(invocation).registry, invocation) as store:
        return await published_keys(store)


async def _rotate(
    invocation: Invocation, chosen: Chosen, algorithms: list[str]
) -> "list[tuple[PublishedKey, PublishedKey]]":
    from registry.signing import rotate
    from resolver.cli.database import opened

    settings = chosen.settings(invocation).registry
    async with opened(settings, invocation) as store:
        return [await rotate(store, settings.data_directory, one) for one in algorithms]
