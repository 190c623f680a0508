"""schemathesis, which reads an interface's own description and holds the interface to it."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = 25  # For each operation and phase: about 1,500 requests of sixteen operations, a minute on one core.
# A method that HTTP does not have everywhere is answered 501, as the reference server does, which would count as a
# fault; and POST may carry a message of the native protocol to any address, of which no description speaks.
CONFIGURATION = """
[phases.coverage]
unexpected-methods = ["GET", "PUT", "DELETE"]
"""


async def broken_promises(
    url: str,
    directory: Path,
    *,
    identity: str,
    secret: str,
    excluded: Sequence[str],
    seed: int = 1,
    configuration: str = CONFIGURATION,
) -> str:
    """What the interface at an address did against its description, as the identity asked it; nothing when it kept to
    it."""
    (directory / "configuration.toml").write_text(configuration)
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("schemathesis"), "--config-file", "configuration.toml", "run"),
        f"{url}/openapi.json",
        # All checks but these: named on the command line, they would be made where the configuration says otherwise.
        *("--exclude-checks", ",".join(excluded), "--continue-on-failure", "--no-color"),
        *("--max-examples", str(EXAMPLES), "--seed", str(seed)),
        *("--auth", f"{identity.replace(':', '%3A')}:{secret}"),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    report = output.decode(errors="replace")
    assert " generated, " in report, report
    if process.returncode == 0:
        return ""
    return report.partition("= FAILURES =")[2].partition("= WARNINGS =")[0] or report
