"""Labels by the thousand: a sheet, a file for a printer, or an archive of pictures, made piece by piece.

Whoever takes the pieces sets the pace; no more than a page or a picture is in memory.
"""

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from registry.labels.drawing import png, svg
from registry.labels.label import Label
from registry.labels.pdf import pdf
from registry.labels.zpl import zpl

MAX_LABELS: Final = 10_000  # Of one job: a shift of a large packing hall.
ONE: Final[dict[str, Callable[[Label], bytes]]] = {
    "svg": svg,
    "png": png,
    "pdf": lambda label: b"".join(pdf([label])),
    "zpl": zpl,
}
MEDIA_TYPES: Final = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "zpl": "application/zpl",
}
ARCHIVE: Final = "application/zip"
_NO_FILE_NAME: Final = re.compile(r"[^\w.-]+")
_LONGEST_NAME: Final = 80


def many(labels: Iterable[Label], form: str) -> Iterator[bytes]:
    """The labels of a job in a form of ONE: pictures in an archive, the others one behind the other."""
    if form == "pdf":
        return pdf(labels)
    if form == "zpl":
        return map(zpl, labels)
    return _archive(labels, form)


def media_type_of_many(form: str) -> str:
    return ARCHIVE if form in ("svg", "png") else MEDIA_TYPES[form]


def file_name(label: Label, form: str) -> str:
    """A name for every file system: letters, digits, '.', '-' and '_'."""
    return f"{_NO_FILE_NAME.sub('_', label.text)[:_LONGEST_NAME].strip('._') or 'label'}.{form}"


class _Pipe:
    """Takes what an archive writes, and gives it on."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, octets: bytes, /) -> int:
        self._pieces.append(bytes(octets))
        return len(octets)

    def flush(self) -> None:
        """Whoever takes the pieces flushes."""

    def close(self) -> None:
        """Nothing is held open."""

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _archive(labels: Iterable[Label], form: str) -> Iterator[bytes]:
    """Numbered, so that two labels of one name are two files, and in the order of the job."""
    pipe, drawn = _Pipe(), ONE[form]
    # A PNG is packed already; an SVG shrinks to a fifth.
    kind = zipfile.ZIP_STORED if form == "png" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(pipe, "w", kind, compresslevel=1) as archive:
        for number, label in enumerate(labels, 1):
            archive.writestr(f"{number:05}-{file_name(label, form)}", drawn(label))
            yield pipe.taken()
    yield pipe.taken()
