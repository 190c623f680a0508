"""Jobs of labels, asked of the registry's own interface over HTTP."""

import io
import json
import zipfile

import pypdfium2
import pytest
import zxingcpp

from registry.label_api import MAX_JOB
from registry.labels.job import MAX_LABELS
from tests.registry.interface import open_interface


async def ask(node, job, **more):
    headers = more.get("headers", node.enterprise) | {"Content-Type": "application/json"}
    async with node.client.post("/api/labels", data=io.BytesIO(json.dumps(job).encode()), headers=headers) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.read()


@pytest.fixture
async def node(database_dsn):
    async with open_interface(database_dsn) as node:
        yield node


async def test_a_job_is_a_sheet_a_printer_file_or_an_archive(node):
    names = [f"88.168.2/C.{number:04}" for number in range(30)]
    job = {"identifiers": names, "base": "https://id.example.cn/"}
    status, kind, sheet = await ask(node, job)
    assert (status, kind) == (200, "application/pdf")
    document = pypdfium2.PdfDocument(sheet)
    read = [one.text for page in document for one in zxingcpp.read_barcodes(page.render(scale=3).to_pil())]
    document.close()
    assert sorted(read) == [f"https://id.example.cn/{name}" for name in names]
    status, kind, printer = await ask(node, job | {"form": "zpl", "symbol": "datamatrix"})
    assert (status, kind, printer.count(b"^XA")) == (200, "application/zpl", 30)
    status, kind, packed = await ask(node, job | {"form": "svg"})
    assert (status, kind) == (200, "application/zip")
    assert len(zipfile.ZipFile(io.BytesIO(packed)).namelist()) == 30


async def test_a_job_of_the_largest_size_is_done_whole(node):
    names = [f"88.168.2/C.{number:04}" for number in range(MAX_LABELS)]
    status, _, printer = await ask(node, {"identifiers": names, "form": "zpl", "symbol": "datamatrix"})
    assert (status, printer.count(b"^XZ")) == (200, MAX_LABELS)


@pytest.mark.parametrize(
    ("job", "status", "said"),
    [
        ({"identifiers": []}, 400, b"1 to 10000"),
        ({"identifiers": ["88.168.2/A"] * (MAX_LABELS + 1)}, 400, b"10001 identifiers"),
        ({"identifiers": ["88.168.2/A"], "form": "gif"}, 400, b"svg, png, pdf, zpl"),
        ({"identifiers": ["88.168.2/A"], "symbol": "aztec"}, 400, b"gs1-128"),
        ({"identifiers": ["88.168.2/A"], "base": "ftp://a.example"}, 400, b"no web address"),
        ({"identifiers": ["(01)06901234567892", "88.168.2/A"], "symbol": "gs1-128"}, 400, b"identifier 2"),
        ({"identifiers": ["x" * MAX_JOB]}, 413, b"longer than"),
        ({"names": []}, 400, b"identifiers"),
    ],
)
async def test_a_job_that_cannot_be_done_whole_is_refused_before_it_begins(node, job, status, said):
    answered, kind, body = await ask(node, job)
    assert (answered, kind) == (status, "application/problem+json")
    assert said in body


async def test_labels_by_the_thousand_are_for_those_who_register_here(node):
    assert (await ask(node, {"identifiers": ["88.168.2/A"]}, headers={}))[0] == 401
