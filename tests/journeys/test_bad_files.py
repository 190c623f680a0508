"""Files made to harm, each loaded by a process of its own: refused in words, in bounded memory, and never half."""

import asyncio
import io
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.registry.bulk_files import check_book, line, opened, table

MEMORY = 450 << 20  # Octets at the peak of one process; an import of any length takes about 150 MB.
# What the parent of a process holds when it is made counts into its own peak, for whoever waits for it: so it says
# itself, at its end, how much it held at most.
TOLD = """
import atexit, pathlib, re, runpy, sys
told, sys.argv = pathlib.Path(sys.argv[1]), sys.argv[1:]
held = lambda: re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1]
atexit.register(lambda: told.write_text(held()))
runpy.run_module("registry", run_name="__main__", alter_sys=True)
"""
GOOD = line("88.168.1/GOOD", "taken")
PIECE = 1 << 20
SHEET = "xl/worksheets/sheet1.xml"


def one_long_line() -> Iterator[bytes]:
    yield GOOD
    yield b'{"handle":"88.168.1/LONG","values":[{"index":1,"type":"DESC","data":"'
    yield from (b"x" * PIECE for _ in range(100))
    yield b'"}]}\n'


def endless_quote() -> Iterator[bytes]:
    yield table([["handle", "DESC"], ["88.168.1/GOOD", "taken"]])
    yield b'88.168.1/LONG,"'
    yield from ((b"x" * 9_999 + b"\n") * 100 for _ in range(50))


def nested() -> Iterator[bytes]:
    yield GOOD
    yield b'{"handle":"88.168.1/DEEP","values":' + b"[" * 500_000 + b"]" * 500_000 + b"}\n"


def one_handle_over_and_over() -> Iterator[bytes]:
    yield from (line("88.168.1/GOOD", str(number)) for number in range(20_000))
    yield GOOD


def truncated() -> Iterator[bytes]:
    yield GOOD
    yield line("88.168.1/CUT", "never whole")[:-20]


def no_text() -> Iterator[bytes]:
    yield GOOD
    yield from (os.urandom(PIECE).replace(b"\n", b" ") + b"\n" for _ in range(20))


def mixed_encodings() -> Iterator[bytes]:
    yield table([["handle", "DESC"], ["88.168.1/GOOD", "taken"]])
    yield "88.168.1/GB,纱饼\n".encode("gb18030")
    yield b"88.168.1/LATIN,\xe9\xff\n"


def zip_bomb() -> Iterator[bytes]:
    """A gigabyte of one cell in a megabyte."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open(SHEET, "w", force_zip64=True) as sheet:
            sheet.write(b'<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>')
            for _ in range(1024):
                sheet.write(b"x" * PIECE)
    yield file.getvalue()


# How it is made, its form, whether the good row in it is taken.
FILES: list[tuple[Callable[[], Iterator[bytes]], str, bool]] = [
    (one_long_line, "ndjson", True),
    (endless_quote, "csv", True),
    (nested, "ndjson", True),
    (one_handle_over_and_over, "ndjson", True),
    (truncated, "ndjson", True),
    (no_text, "ndjson", True),
    (mixed_encodings, "csv", True),
    (zip_bomb, "xlsx", False),
]


def load(dsn: str, directory: Path, form: str, octets: Iterator[bytes]) -> tuple[int, int, str]:
    """Exit code, peak memory in octets and what was said, of a process that is fed from a pipe."""
    told = directory / "peak"
    process = subprocess.Popen(
        [sys.executable, "-c", TOLD, str(told), "load", "-", "--form", form, "--refused", str(directory / "refused")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"FILAMENT_REGISTRY_DSN": dsn, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.append(process.stdout.read()))  # type: ignore[union-attr]  # a pipe
    reader.start()
    try:
        for piece in octets:
            process.stdin.write(piece)
        process.stdin.close()
    except BrokenPipeError:
        pass  # Refused before its end.
    process.wait()
    reader.join()
    process.stdout.close()
    return process.returncode, int(told.read_text()) * 1024, said[0].decode()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="what a process held is read from /proc")
@pytest.mark.parametrize(("octets", "form", "taken"), FILES, ids=[entry[0].__name__ for entry in FILES])
async def test_a_file_made_to_harm_is_refused_in_bounded_memory_and_leaves_nothing_half(
    database_dsn, tmp_path, octets, form, taken
):
    store = await opened(database_dsn)
    try:
        code, memory, said = await asyncio.to_thread(load, database_dsn, tmp_path, form, octets())
        assert "Traceback" not in said
        assert memory < MEMORY
        assert code == 1, said
        found = await store.fetch(store.key_of(b"88.168.1/GOOD"))
        assert (found is not None) == taken
        if found is not None:
            assert found.values[0].data == b"taken"
        assert await check_book(store) <= 2
    finally:
        await store.close()
