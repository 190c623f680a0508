"""`python -m resolver.cli`: the same as `filament`."""

from resolver.cli import main

main()
