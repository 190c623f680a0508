"""`filament`: the one command that people type. Reading order: program, frame, invocation, then a module per family.

Imports nothing here, and little in `program`: what is heavy is imported inside the command that needs it.
"""


def main() -> None:
    """The entry point of the command line."""
    from resolver.cli.program import run

    raise SystemExit(run())
