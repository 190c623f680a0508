"""Files that are there whole or not at all, after a power cut too: keys and certificates that processes share."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: bytes, *, mode: int, replace: bool = True) -> None:
    """Never readable by more than `mode` says. Raises FileExistsError unless `replace`."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a name may outlive a crash whose octets did not
        if replace:
            os.replace(name, path)
        else:
            os.link(name, path)
        write_through(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def write_through(directory: Path) -> None:
    """Has the disk hold the names that are in a directory now."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
