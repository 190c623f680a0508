"""`filament completion`: the script that lets a shell complete our commands and options."""

import click
from click.shell_completion import get_completion_class

from resolver.cli.frame import Command
from resolver.cli.invocation import Invocation

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=Command, help="completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    kind = get_completion_class(shell)
    assert kind is not None
    program = context.find_root().command
    invocation: Invocation = context.obj
    click.echo(kind(program, {"obj": invocation}, "filament", "_FILAMENT_COMPLETE").source())
    invocation.say("completion.hint", shell=shell)
