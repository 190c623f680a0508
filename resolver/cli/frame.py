"""Commands, help and usage errors in the reader's language.

Commands are declared once with rules of the catalogue where click expects help texts; `localized` copies the whole tree
into one language before anything is parsed. Lines are broken by the cells that characters take on a terminal, because a
Chinese character takes two and its sentences hold no spaces.
"""

import copy
import re
from collections.abc import Iterable
from typing import Any, Final
from unicodedata import east_asian_width

import click

from registry.language import Language, text
from resolver.cli.catalogues import HELP

_TOKEN = re.compile(r"[!-~]+ ?|\s|.[，。；：、！？）”]*", re.DOTALL)
MAX_WIDTH: Final = 100  # Cells; longer lines of help are hard to read.


def cells(words: str) -> int:
    """The width of a text on a terminal."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in words)


def wrapped(words: str, width: int) -> list[str]:
    """Lines of at most `width` cells, broken at spaces and between Chinese characters."""
    lines = [""]
    for token in _TOKEN.findall(" ".join(words.split())):
        if lines[-1] and cells(lines[-1]) + cells(token.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += token if lines[-1] else token.lstrip()
    return [line.rstrip() for line in lines]


class Formatter(click.HelpFormatter):
    """click's own counts characters and breaks only at spaces."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 34, col_spacing: int = 2) -> None:
        rows = list(rows)
        column = min(max((cells(term) for term, _ in rows), default=0), col_max) + col_spacing
        margin = " " * self.current_indent
        for term, meaning in rows:
            lines = wrapped(meaning, max(self.width - column - self.current_indent, 20))
            gap = column - cells(term)
            first = [" " * gap + lines[0], *lines[1:]] if gap >= col_spacing else ["", *lines]
            self.write(margin + term + first[0] + "\n")
            for line in first[1:]:
                self.write(margin + " " * column + line + "\n")

    def write_heading(self, heading: str) -> None:
        self.write(" " * self.current_indent + heading + "\n")

    def write_text(self, text: str) -> None:
        for line in wrapped(text, self.width - self.current_indent):
            self.write(" " * self.current_indent + line + "\n")


class Context(click.Context):
    formatter_class = Formatter


class Command(click.Command):
    """A command whose help is a rule until `localized` made it a text."""

    context_class = Context
    language: Language = "en"

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        usage = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, usage, prefix=text(HELP, "usage", self.language))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        parameters = [entry for entry in self.get_params(ctx) if isinstance(entry, click.Option)]
        records = [option.get_help_record(ctx) for option in parameters]
        with formatter.section(text(HELP, "options", self.language)):
            formatter.write_dl([record for record in records if record is not None])

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = text(HELP, "help", self.language)
        return option


class Group(Command, click.Group):
    """Commands of a family."""

    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(text(HELP, "commands", self.language)):
            formatter.write_dl([(name, command.get_short_help_str()) for name, command in self.commands.items()])

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # as declared: from first use to last


def localized(command: click.Command, language: Language) -> Any:
    """A copy of a command, with all below it, that speaks one language."""
    ours = copy.copy(command)
    ours.help = ours.short_help = text(HELP, command.help or "", language)
    ours.options_metavar = text(HELP, "options.metavar", language)
    ours.params = [_localized_parameter(parameter, language) for parameter in command.params]
    if isinstance(ours, Command):
        ours.language = language
    if isinstance(ours, click.Group):
        ours.subcommand_metavar = text(HELP, "subcommand.metavar", language)
        ours.commands = {name: localized(below, language) for name, below in ours.commands.items()}
    return ours


def _localized_parameter(parameter: click.Parameter, language: Language) -> click.Parameter:
    ours = copy.copy(parameter)
    if isinstance(ours, click.Option) and ours.help:
        ours.help = text(HELP, ours.help, language)
    return ours
