"""The coverage-guided fuzzer (atheris; dependency group `fuzz`): looks for octets that break a surface.

    python -m tests.fuzz run INPUTS [-max_total_time=3600 …]   a campaign, with options of libFuzzer
    python -m tests.fuzz run FEW -merge=1 INPUTS               copies as many as reach everything that all reach
    python -m tests.fuzz keep FEW [OCTETS]                     takes those over for the tests, up to a size

Inputs are files in a directory. A campaign ends with its count of runs, or with a crash-… file and a traceback.
"""

import hashlib
import sys
from pathlib import Path


def run(directory: Path, options: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["registry", "resolver"]):
        from tests.fuzz import surfaces
        from tests.fuzz.corpus import seeds
    directory.mkdir(parents=True, exist_ok=True)
    merges = any(option.startswith("-merge") for option in options)
    if not merges and not any(directory.iterdir()):
        for octets in seeds():
            (directory / hashlib.sha256(octets).hexdigest()[:16]).write_bytes(octets)
    # To merge, libFuzzer starts itself once more, through a shell.
    program = f"{sys.executable} -m tests.fuzz run"
    atheris.Setup([program, str(directory), *options], surfaces.try_all)
    atheris.Fuzz()


def keep(directory: Path, options: list[str]) -> None:
    """The largest input taken over is a page: what needs more octets is no small example."""
    from tests.fuzz.corpus import keep, kept
    from tests.fuzz.surfaces import NAMES

    largest = int(options[0]) if options else 400
    inputs: dict[str, list[bytes]] = {surface: kept(surface) for surface in NAMES}
    for path in sorted(directory.iterdir()):
        octets = path.read_bytes()
        if 1 < len(octets) <= largest:
            inputs[NAMES[octets[0] % len(NAMES)]].append(octets[1:])
    for surface, found in inputs.items():
        keep(surface, found)


if __name__ == "__main__":
    {"run": run, "keep": keep}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3:])
