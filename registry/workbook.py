"""XLSX workbooks (ECMA-376), read from the first sheet that is to be seen, as a stream and in bounded memory.

An archive says how long its parts are; more is never unpacked, and one whose parts are absurdly longer than what they
are packed in is refused before anything is.
"""

import re
import zipfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import PurePosixPath
from types import TracebackType
from typing import IO, Final, Self

from registry.errors import ProtocolFault
from registry.rows import Row
from registry.shared_strings import SharedStrings
from registry.sheet import rows_of_sheet
from registry.sheet_cells import Convention
from registry.workbook_xml import DAMAGED, attribute, parse

MAX_PARTS: Final = 10_000
MAX_PART: Final = 4 << 30  # Octets unpacked; a million rows of forty columns are one fifth of it.
MAX_RATIO: Final = 200  # Unpacked to packed. Sheets of real files reach 30.
MAX_DIRECTORY: Final = 16 << 20  # Octets of a part that lists sheets, relations or styles.
ABOVE_SUSPICION: Final = 10 << 20  # Octets: what is shorter may be packed as well as it likes.

_OFFICE_DOCUMENT: Final = "/officeDocument"
_SHEET: Final = "/worksheet"
_STRINGS: Final = "/sharedStrings"
_STYLES: Final = "/styles"
# Number formats that every workbook has without saying so, and that show a date or a time.
_DATE_FORMATS: Final = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])
_LITERALS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
_DATE_CODE = re.compile("[ymdhs年月日]", re.IGNORECASE)


class Workbook:
    """An open workbook. Its file stays the caller's."""

    def __init__(self, file: IO[bytes]) -> None:
        """Raises ProtocolFault for what is no workbook."""
        self._stack = ExitStack()
        try:
            self._archive = self._stack.enter_context(zipfile.ZipFile(file))
        except DAMAGED as error:
            raise ProtocolFault("load.workbook", reason=f"it is no ZIP archive: {error}") from None
        if len(self._archive.filelist) > MAX_PARTS:
            raise ProtocolFault("load.workbook", reason=f"more than {MAX_PARTS} parts")
        self._strings = self._stack.enter_context(SharedStrings())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def rows(self) -> Generator[Row, None, None]:
        """The rows of the first visible sheet, as `sheet.rows_of_sheet` gives them. Raises ProtocolFault."""
        document = next((path for kind, path in self._relations("") if kind.endswith(_OFFICE_DOCUMENT)), None)
        if document is None:
            raise ProtocolFault("load.workbook", reason="the archive holds no workbook")
        related = self._relations(document)
        directory = _Directory()
        self._read(document, directory)
        sheet = self._sheet_of(directory, document)
        styles = _Styles()
        for kind, path in related:
            if kind.endswith(_STYLES):
                self._read(path, styles)
            elif kind.endswith(_STRINGS):
                with self._open(path) as part:
                    self._strings.read(part)
        convention = Convention(self._strings, styles.dates(), directory.from_1904)
        with self._open(sheet) as part:
            yield from rows_of_sheet(part, convention)

    def _sheet_of(self, directory: "_Directory", document: str) -> str:
        by_name = {name: path for name, kind, path in self._named_relations(document) if kind.endswith(_SHEET)}
        for name, visible in directory.sheets:
            if visible and name in by_name:
                return by_name[name]
        raise ProtocolFault("load.workbook", reason="it has no visible sheet")

    def _relations(self, path: str) -> list[tuple[str, str]]:
        return [(kind, target) for _, kind, target in self._named_relations(path)]

    def _named_relations(self, path: str) -> list[tuple[str, str, str]]:
        """Name, kind and target of what a part refers to; of the archive itself, when the path is empty."""
        place = PurePosixPath(path)
        relations = _Relations(place.parent)
        self._read(str(place.parent / "_rels" / f"{place.name}.rels"), relations)
        return relations.found

    def _read(self, path: str, handler: "_Handler") -> None:
        with self._open(path, MAX_DIRECTORY) as part:
            for _ in parse(part, handler.start, handler.end):
                pass

    def _open(self, path: str, limit: int = MAX_PART) -> IO[bytes]:
        try:
            entry = self._archive.getinfo(path)
        except KeyError:
            raise ProtocolFault("load.workbook", reason=f"part {path[:200]!r} is missing") from None
        suspicious = entry.file_size > ABOVE_SUSPICION and entry.file_size > MAX_RATIO * entry.compress_size
        if entry.file_size > limit or suspicious:
            packed, unpacked = entry.compress_size, entry.file_size
            raise ProtocolFault(
                "load.workbook", reason=f"part {path[:200]!r} unpacks from {packed} to {unpacked} octets"
            )
        try:
            return self._archive.open(entry)
        except DAMAGED as error:
            raise ProtocolFault("load.workbook", reason=str(error)) from None


class _Handler:
    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""


class _Relations(_Handler):
    def __init__(self, folder: PurePosixPath) -> None:
        self.found: list[tuple[str, str, str]] = []
        self._folder = folder

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            path = target[1:] if target.startswith("/") else _joined(self._folder, target)
            self.found.append((attributes.get("Id", ""), attributes.get("Type", ""), path))


class _Directory(_Handler):
    """The sheets in order, each by the name of its relation, and whether it is to be seen."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, bool]] = []
        self.from_1904 = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            relation = next((attributes[key] for key in attributes if key.endswith(":id")), "")
            self.sheets.append((relation, attributes.get("state", "visible") == "visible"))
        elif name == "workbookPr":
            self.from_1904 = attribute(attributes, "date1904") in {"1", "true", "on"}


class _Styles(_Handler):
    """Which styles of cells show a date or a time."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}
        self._formats: list[str] = []
        self._in_cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            self._formats.append(attributes.get("numFmtId", "0"))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False

    def dates(self) -> frozenset[int]:
        return frozenset(style for style, number in enumerate(self._formats) if self._is_date(number))

    def _is_date(self, number: str) -> bool:
        code = self._codes.get(number)
        if code is None:
            return number.isdecimal() and int(number) in _DATE_FORMATS
        return bool(_DATE_CODE.search(_LITERALS.sub("", code.partition(";")[0])))


def _joined(folder: PurePosixPath, target: str) -> str:
    parts: list[str] = [] if str(folder) == "." else list(folder.parts)
    for part in PurePosixPath(target).parts:
        if part == "..":
            del parts[-1:]
        else:
            parts.append(part)
    return "/".join(parts)
