"""`python -m bench SCENARIO…` is `filament bench SCENARIO…`."""

import sys

from resolver.cli.program import run

raise SystemExit(run(["bench", *sys.argv[1:]]))
