"""`filament doctor`: one page on a node and its machine, each finding with its remedy."""

import json
import sys
from typing import TYPE_CHECKING

import click

from registry.language import Language, text
from resolver.cli.frame import Command, cells, wrapped
from resolver.cli.invocation import FAILED, SUCCESS, Invocation, run
from resolver.cli.options import Chosen, settings_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resolver.diagnosis.finding import Finding

WIDTH = 100  # Cells of a line: as wide as help.


@click.command("doctor", cls=Command, help="doctor")
@click.option("--json", "as_json", is_flag=True, help="doctor.json")
@settings_options
@click.pass_obj
def doctor(invocation: Invocation, chosen: Chosen, as_json: bool) -> int:
    from resolver.diagnosis.examination import examine
    from resolver.diagnosis.finding import BAD

    findings = run(examine(chosen.settings(invocation), invocation.language))
    (_write_json if as_json else _write_page)(findings, invocation.language)
    bad = sum(finding.state == BAD for finding in findings)
    invocation.say("doctor.bad" if bad else "doctor.good", count=bad)
    return FAILED if bad else SUCCESS


def _write_json(findings: "Sequence[Finding]", language: Language) -> None:
    rows = [
        {
            "part": finding.part,
            "state": finding.state,
            "rule": finding.rule,
            "message": finding.sentence(language),
            "remedy": finding.remedy(language),
        }
        for finding in findings
    ]
    json.dump(rows, sys.stdout, ensure_ascii=False, indent=2)
    print()


def _write_page(findings: "Sequence[Finding]", language: Language) -> None:
    from resolver.diagnosis.texts import PARTS, STATES

    parts = [text(PARTS, finding.part, language) for finding in findings]
    states = [text(STATES, finding.state, language) for finding in findings]
    first, second = max(map(cells, parts)) + 2, max(map(cells, states)) + 2
    former = ""
    for finding, part, state in zip(findings, parts, states, strict=True):
        shown = "" if part == former else part
        former = part
        head = _padded(shown, first) + _padded(state, second)
        _write(head, finding.sentence(language), first + second)
        if remedy := finding.remedy(language):
            _write(" " * (first + second), f"→ {remedy}", first + second)


def _write(head: str, words: str, margin: int) -> None:
    lines = wrapped(words, max(WIDTH - margin, 20))
    print(head + lines[0])
    for line in lines[1:]:
        print(" " * margin + line)


def _padded(words: str, width: int) -> str:
    return words + " " * (width - cells(words))
