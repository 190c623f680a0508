"""`filament up` and `filament status`: a node run here, and how it is."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from resolver.cli.frame import Command
from resolver.cli.invocation import FAILED, SUCCESS, Failed, Invocation, run
from resolver.cli.options import Chosen, in_url, output_option, settings_options
from resolver.cli.output import write_rows

STATES: Final = ("part", "state", "reason")
READY: Final = "ready"
TAKING_OVER: Final = 0.5  # Seconds between an answer of the former program and the first question to the newer one.
TAKING_OVER_WITHIN: Final = 60.0  # Seconds for that to start, with migrations.


@click.command("up", cls=Command, help="up")
@click.option("--no-migrate", is_flag=True, help="up.no_migrate")
@click.option("--workers", metavar="NUMBER", type=click.IntRange(0, 256), help="up.workers")
@click.option("--check", is_flag=True, help="up.check")
@click.option("--port", metavar="NUMBER", type=click.IntRange(0, 65535), help="port")
@settings_options
@click.pass_obj
def up(
    invocation: Invocation, chosen: Chosen, no_migrate: bool, workers: int | None, port: int | None, check: bool
) -> None:
    from resolver.cli.supervision import look_only, up_until_stopped

    named = {"resolver.workers": workers, "resolver.port": port}
    chosen = chosen.over({name: value for name, value in named.items() if value is not None})
    if check:
        look_only(chosen.settings(invocation))
        return
    run(up_until_stopped(invocation, lambda: chosen.settings(invocation), no_migrate=no_migrate))
    invocation.say("up.stopped")


@click.command("status", cls=Command, help="status")
@click.option("--url", metavar="URL", help="status.url")
@output_option()
@settings_options
@click.pass_obj
def status(invocation: Invocation, chosen: Chosen, url: str | None, form: str) -> int:
    from resolver.cli.client import Node

    at = url
    if at is None:
        settings = chosen.settings(invocation).status
        at = f"http://{in_url(settings.listen)}:{settings.port}"
    answer = Node(at, headers={"Accept-Language": invocation.language}).ask("/readyz")
    if form == "json":
        json.dump(answer.body, sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        write_rows(_states(answer.body), STATES, form, invocation.language)
    if not answer.body["ready"]:
        invocation.say("status.unready")
    return SUCCESS if answer.body["ready"] else FAILED


@click.command("renew", cls=Command, help="renew")
@settings_options
@click.pass_obj
def renew(invocation: Invocation, chosen: Chosen) -> None:
    _say_renewed(invocation, _order(invocation, chosen, "renew"))


@click.command("upgrade", cls=Command, help="upgrade")
@settings_options
@click.pass_obj
def upgrade(invocation: Invocation, chosen: Chosen) -> None:
    import time

    outcome = _order(invocation, chosen, "upgrade")
    if outcome["refused"]:
        raise Failed("upgrade.refused", reason=outcome["refused"])
    time.sleep(TAKING_OVER)
    _say_renewed(invocation, _order(invocation, chosen, "outcome", patience=TAKING_OVER_WITHIN))


def _say_renewed(invocation: Invocation, outcome: Mapping[str, Any]) -> None:
    if outcome["failed"]:
        raise Failed("renew.failed", part=outcome["failed"])
    invocation.say("renew.done")


def _order(invocation: Invocation, chosen: Chosen, name: str, patience: float = 0.0) -> Mapping[str, Any]:
    """What the running node answers; one that is not there yet is waited for."""
    import time

    from resolver import control

    directory = Path(chosen.settings(invocation).registry.data_directory)
    deadline = time.monotonic() + patience
    while True:
        try:
            return control.order(directory, name, language=invocation.language)
        except control.NoNode as error:
            if time.monotonic() > deadline:
                raise Failed("control.nobody", directory=directory, reason=error) from None
        time.sleep(TAKING_OVER)


@click.command("reload", cls=Command, help="reload")
@settings_options
@click.pass_obj
def reload(invocation: Invocation, chosen: Chosen) -> int:
    outcome = _order(invocation, chosen, "reload")
    for refusal in outcome["refusals"]:
        invocation.say("reload.refused", reason=refusal)
    if outcome["refusals"]:
        return FAILED
    invocation.say("reload.applied" if outcome["applied"] else "reload.nothing", names=", ".join(outcome["applied"]))
    if outcome["later"]:
        invocation.say("reload.later", names=", ".join(outcome["later"]))
    return SUCCESS


def _states(readiness: Any) -> list[dict[str, str]]:
    reasons = [
        {"part": reason["part"], "state": reason["name"], "reason": reason["message"]}
        for reason in readiness["reasons"]
    ]
    unready = {reason["part"] for reason in reasons}
    good = [{"part": name, "state": READY, "reason": ""} for name in readiness["processes"] if name not in unready]
    return good + reasons
