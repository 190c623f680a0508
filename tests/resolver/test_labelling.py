"""`filament label`, run as a program."""

import io
import subprocess
import sys
import zipfile

import zxingcpp
from PIL import Image

from tests.resolver.test_cli import filament


def test_one_label_goes_into_a_file_of_the_form_that_its_name_says(tmp_path):
    file = tmp_path / "label.png"
    said = filament("label", "88.168.1/纱", "--file", str(file), "--base", "https://id.example", "--lang", "zh")
    assert "字节" in said.stderr
    assert zxingcpp.read_barcodes(Image.open(file))[0].text == "https://id.example/88.168.1/%E7%BA%B1"


def test_many_labels_of_standard_input_are_an_archive():
    command = [sys.executable, "-m", "resolver.cli", "label", "-", "--form", "svg", "--symbol", "datamatrix"]
    run = subprocess.run(command, input=b"88.168.1/A\n\n88.168.1/B\n", capture_output=True, check=True, timeout=60)
    assert zipfile.ZipFile(io.BytesIO(run.stdout)).namelist() == ["00001-88.168.1_A.svg", "00002-88.168.1_B.svg"]


def test_what_cannot_be_labelled_is_said_in_the_readers_language(tmp_path):
    assert "不是 GS1 编码" in filament("label", "88.168.1/A", "--symbol", "gs1-128", "--lang", "zh", code=1).stderr
    assert "--form" in filament("label", "88.168.1/A", "--file", str(tmp_path / "x.gif"), code=2).stderr
