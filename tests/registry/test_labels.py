"""Labels are read again by another library than the one that made them: zxing-cpp for zint, pdfium for our PDF."""

import io
import re
import zipfile
from xml.etree import ElementTree

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from registry.errors import InvalidHandle, ProtocolFault
from registry.labels.drawing import png, svg
from registry.labels.job import MAX_LABELS, ONE, file_name, many
from registry.labels.label import check_base, label_of, symbology_of
from registry.labels.pdf import pdf
from registry.labels.symbol import Modules, Symbology
from registry.labels.zpl import zpl

BASE = "https://id.example.cn"
HANDLE = "88.168.10/C.POY111-48.20250618.A12S07-0421"
KEY = "(01)06901234567892(10)AB/C(21)x-1"
CASES = [
    (HANDLE, Symbology.QR, f"{BASE}/{HANDLE}"),
    ("88.168.10/纱 锭#1?", Symbology.QR, f"{BASE}/88.168.10/%E7%BA%B1%20%E9%94%AD%231%3F"),
    (KEY, Symbology.QR, f"{BASE}/01/06901234567892/10/AB%2FC/21/x-1"),
    ("gs1/01/06901234567892/10/AB%2FC/21/x-1", Symbology.QR, f"{BASE}/01/06901234567892/10/AB%2FC/21/x-1"),
    (HANDLE, Symbology.DATAMATRIX, HANDLE),
    ("88.168.10/纱 锭", Symbology.DATAMATRIX, "88.168.10/纱 锭"),
    (KEY, Symbology.DATAMATRIX, KEY),
    (KEY, Symbology.GS1_128, KEY),
    ("(00)106141412345678908", Symbology.GS1_128, "(00)106141412345678908"),
]
NAMES = [f"{identifier}-{symbology.value}" for identifier, symbology, _ in CASES]


def read(picture):
    return [(one.text, one.content_type) for one in zxingcpp.read_barcodes(picture)]


def dots_of_svg(octets, times=4):
    """Draws the rectangles that a path consists of; a module is so many pixels wide."""
    root = ElementTree.fromstring(octets)  # noqa: S314  # made by us
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    picture = Image.new("L", (round(width * times), round(height * times)), 255)
    draw = ImageDraw.Draw(picture)
    path = root.find("{http://www.w3.org/2000/svg}path").attrib["d"]
    for x, y, w, h in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-\d+z", path):
        x, y, w, h = (int(part) * times for part in (x, y, w, h))
        draw.rectangle((x, y, x + w - 1, y + h - 1), fill=0)
    return picture


def dots_of_zpl(octets):
    """What a printer puts down of the graphic field, with light paper around it."""
    text = octets.decode()
    whole, per_row, drawn = re.search(r"\^GFA,(\d+),\1,(\d+),([0-9A-F:]+)\^FS", text).groups()
    rows, digits = [], 2 * int(per_row)
    for row, again in re.findall(rf"([0-9A-F]{{{digits}}})(:*)", drawn):
        rows += [row] * (1 + len(again))
    assert len(rows) * int(per_row) == int(whole)
    dark = bytes(255 - octet for octet in bytes.fromhex("".join(rows)))
    picture = Image.frombytes("1", (int(per_row) * 8, len(rows)), dark).convert("L")
    page = Image.new("L", (picture.width + 80, picture.height + 80), 255)
    page.paste(picture, (40, 40))
    return page


def pages_of_pdf(octets):
    document = pypdfium2.PdfDocument(octets)
    try:
        return [page.render(scale=3).to_pil() for page in document]
    finally:
        document.close()


@pytest.mark.parametrize(("identifier", "symbology", "held"), CASES, ids=NAMES)
def test_every_form_of_a_label_is_read_as_what_it_is_of(identifier, symbology, held):
    label = label_of(identifier, symbology, BASE)
    gs1 = identifier == held and identifier.startswith("(")
    kind = zxingcpp.ContentType.GS1 if gs1 else zxingcpp.ContentType.Text
    expected = [(held, kind)]
    assert read(Image.open(io.BytesIO(png(label)))) == expected
    assert read(dots_of_svg(svg(label))) == expected
    assert read(dots_of_zpl(zpl(label))) == expected
    (page,) = pages_of_pdf(ONE["pdf"](label))
    assert read(page) == expected


def test_without_a_base_a_qr_code_holds_the_identifier_itself():
    assert read(Image.open(io.BytesIO(png(label_of(HANDLE, Symbology.QR)))))[0][0] == HANDLE
    assert read(Image.open(io.BytesIO(png(label_of(KEY, Symbology.QR))))) == [(KEY, zxingcpp.ContentType.GS1)]


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), min_size=1, max_size=60))
def test_any_name_is_read_back_from_a_data_matrix(suffix):
    identifier = f"88.168.10/{suffix}"
    label = label_of(identifier, Symbology.DATAMATRIX)
    assert [text for text, _ in read(Image.open(io.BytesIO(png(label))))] == [identifier]
    ElementTree.fromstring(svg(label))  # noqa: S314  # made by us
    assert re.fullmatch(rb"\^XA[^^]*(\^[A-Z][^^]*)+\^XZ\n", zpl(label))
    assert re.fullmatch(r"[\w.-]+\.svg", file_name(label, "svg"))


@pytest.mark.parametrize("symbology", Symbology)
def test_a_sheet_has_every_label_once_on_as_many_pages_as_it_needs(symbology):
    columns = 2 if symbology.linear else 3
    names = [f"(00){number:017}{check_digit(number)}" for number in range(1, 8 * columns + 3)]
    first, second = pages_of_pdf(b"".join(pdf(label_of(name, symbology) for name in names)))
    assert sorted(text for page in (first, second) for text, _ in read(page)) == names
    assert len(read(second)) == 2


def check_digit(number):
    digits = f"{number:017}"
    return -sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits)) % 10


def test_the_text_of_a_sheet_can_be_copied_in_chinese_too():
    document = pypdfium2.PdfDocument(
        b"".join(pdf([label_of("88.168.10/涤纶长丝-01", Symbology.QR), label_of(HANDLE, Symbology.QR)]))
    )
    text = document[0].get_textpage().get_text_range()
    document.close()
    assert "涤纶长丝-01" in text.replace("\r\n", "")
    assert HANDLE in text.replace("\r\n", "").replace("\ufffe", "-")


@pytest.mark.parametrize("form", ["svg", "png"])
def test_an_archive_is_made_piece_by_piece_and_holds_equal_names_apart(form):
    labels = [label_of(HANDLE, Symbology.QR), label_of(HANDLE, Symbology.QR), label_of("88.168.10/纱/锭", Symbology.QR)]
    pieces = list(many(labels, form))
    assert len(pieces) == len(labels) + 1
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    stem = "88.168.10_C.POY111-48.20250618.A12S07-0421"
    assert archive.namelist() == [f"00001-{stem}.{form}", f"00002-{stem}.{form}", f"00003-88.168.10_纱_锭.{form}"]
    assert archive.read(archive.namelist()[2]) == ONE[form](labels[2])


def test_a_job_of_the_largest_size_keeps_little_in_memory():
    label = label_of(HANDLE, Symbology.QR)
    for form in ("pdf", "zpl", "png"):
        assert max(map(len, many((label for _ in range(MAX_LABELS // 20)), form))) < 100_000


def test_what_no_symbol_can_hold_is_refused():
    with pytest.raises(InvalidHandle, match="no key of GS1"):
        label_of(HANDLE, Symbology.GS1_128)
    with pytest.raises(InvalidHandle, match="too long"):
        label_of("88.168.10/" + "纱" * 600, Symbology.QR, BASE)
    with pytest.raises(InvalidHandle):
        label_of("(01)06901234567893", Symbology.GS1_128)  # A wrong check digit.
    with pytest.raises(ProtocolFault, match="qr, datamatrix, gs1-128"):
        symbology_of("aztec")


@pytest.mark.parametrize(
    "base", ["javascript:alert(1)", "https://", "https://a b/", "//a", "https://a/" + "x" * 200, "https://a/?q"]
)
def test_what_is_no_web_address_is_not_printed(base):
    with pytest.raises(ProtocolFault):
        check_base(base)


def test_runs_of_dark_modules_are_whole():
    assert list(Modules(5, (0b10110, 0, 0b11111)).runs()) == [(0, 0, 1), (0, 2, 2), (2, 0, 5)]
