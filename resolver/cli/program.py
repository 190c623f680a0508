"""The whole of `filament`: its commands, and the one place where what went wrong becomes an exit code."""

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

import click

from registry.language import Language, text
from resolver.cli.backup import backup, restore
from resolver.cli.benchmark import bench
from resolver.cli.book import export, load, migrate
from resolver.cli.catalogues import MESSAGES
from resolver.cli.chains import recall, trace
from resolver.cli.configuration import config
from resolver.cli.demonstration import demo
from resolver.cli.doctor import doctor
from resolver.cli.enterprises import enterprise
from resolver.cli.frame import MAX_WIDTH, Group, localized
from resolver.cli.invocation import FAILED, INTERRUPTED, SUCCESS, USAGE, Invocation, language_of
from resolver.cli.issuers import issuer
from resolver.cli.jobs import archive, job
from resolver.cli.labelling import label
from resolver.cli.login import login
from resolver.cli.naming import register, resolve
from resolver.cli.options import language_option
from resolver.cli.people import application, person, token
from resolver.cli.promises import probe, promises
from resolver.cli.purging import purge
from resolver.cli.ranges import handle_range
from resolver.cli.running import reload, renew, status, up, upgrade
from resolver.cli.searching import search
from resolver.cli.shell import completion
from resolver.cli.signed import bundle, key, prove, verify
from resolver.cli.standing import audit, state
from resolver.cli.statistics import stats
from resolver.cli.suffixes import suffix
from resolver.cli.templates import template
from resolver.cli.webhooks import webhook

NAME: Final = "filament"


def _show_version(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(version("filament-node"))
        context.exit()


@click.group(NAME, cls=Group, help="filament", context_settings={"max_content_width": MAX_WIDTH})
@language_option
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="version")
def filament() -> None:
    pass


for command in (
    demo,
    up,
    status,
    reload,
    renew,
    upgrade,
    doctor,
    purge,
    backup,
    restore,
    probe,
    promises,
    stats,
    search,
    trace,
    recall,
    state,
    audit,
    label,
    migrate,
    load,
    export,
    job,
    archive,
    enterprise,
    login,
    person,
    token,
    application,
    template,
    suffix,
    handle_range,
    issuer,
    webhook,
    resolve,
    register,
    verify,
    prove,
    bundle,
    key,
    config,
    bench,
    completion,
):
    language_option(command)
    filament.add_command(command)


def run(arguments: list[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Runs one line and returns its exit code."""
    line = sys.argv[1:] if arguments is None else arguments
    invocation = Invocation(language_of(line, environment), environment)
    program = localized(filament, invocation.language)
    try:
        outcome = program.main(line, prog_name=NAME, standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    except (click.Abort, KeyboardInterrupt):
        invocation.say("interrupted")
        return INTERRUPTED
    except click.ClickException as error:
        return _refuse_usage(error, invocation)
    except Exception as error:
        return _fail(error, invocation)
    return outcome if isinstance(outcome, int) else SUCCESS


def _reader_left() -> int:
    """Whoever read standard output has read enough (`| head`); nothing more may be written to it, at exit neither."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _fail(error: Exception, invocation: Invocation) -> int:
    from resolver.cli.failures import code_and_lines

    code, lines = code_and_lines(error, invocation.language)
    invocation.say("error", message=lines[0])
    for line in lines[1:]:
        invocation.tell(f"  {line}")
    return code


def _refuse_usage(error: click.ClickException, invocation: Invocation) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        invocation.tell(error.format_message())
        return USAGE
    invocation.say("error", message=_usage_text(error, invocation.language))
    context = getattr(error, "ctx", None)
    invocation.say("try_help", command=context.command_path if context else NAME)
    return USAGE


def _usage_text(error: click.ClickException, language: Language) -> str:
    """click's own sentences exist in English only; the kinds that people meet are said in both languages."""
    rule, culprit = _usage_rule(error)
    closest = ", ".join(getattr(error, "possibilities", None) or ())
    return text(MESSAGES, rule, language, **culprit) + (
        text(MESSAGES, "usage.closest", language, names=closest) if closest else ""
    )


def _usage_rule(error: click.ClickException) -> tuple[str, dict[str, Any]]:
    if isinstance(error, click.NoSuchOption):
        return "usage.option", {"name": error.option_name}
    if isinstance(error, click.exceptions.NoSuchCommand):
        return "usage.command", {"name": error.command_name}
    if isinstance(error, click.MissingParameter):
        return "usage.missing", {"name": _name(error)}
    if isinstance(error, click.BadParameter):
        return _value_rule(error)
    if isinstance(error, click.UsageError) and error.ctx and isinstance(error.ctx.command, click.Group):
        return "usage.no_command", {}  # nothing else can be missing there
    return "usage.other", {"reason": error.format_message()}


def _value_rule(error: click.BadParameter) -> tuple[str, dict[str, Any]]:
    kind = error.param.type if error.param is not None else None
    if isinstance(kind, click.Choice):
        return "usage.choice", {"name": _name(error), "choices": ", ".join(kind.choices)}
    if isinstance(kind, click.IntRange):
        return "usage.range", {"name": _name(error), "low": kind.min, "high": "∞" if kind.max is None else kind.max}
    if isinstance(kind, click.Path | click.File):
        return "usage.path", {"name": _name(error), "reason": error.message}
    return "usage.value", {"name": _name(error), "reason": error.message}


def _name(error: click.BadParameter) -> str:
    with contextlib.suppress(AttributeError):
        assert error.param is not None
        return error.param.get_error_hint(error.ctx).strip("'") if error.ctx else str(error.param.name)
    return str(error.param_hint or "")
