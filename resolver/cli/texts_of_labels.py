"""Texts of `filament label`."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "label": (
        "Make labels to print, of identifiers or, with '-', of those on standard input, one a line. No node is asked.",
        "生成打印标签，无需联网；写“-”则从标准输入读取标识，每行一个。",
    ),
    "label.symbol": (
        "The symbology; GS1-128 holds codes of GS1 only.",
        "码制：QR、Data Matrix 或 GS1-128（只用于 GS1 编码）。",
    ),
    "label.form": (
        "Form of the labels, when the file's name does not say it: many as SVG or PNG are a ZIP archive.",
        "标签格式，默认按文件扩展名判断；多个 SVG 或 PNG 打包为 ZIP。",
    ),
    "label.base": (
        "Address of the node that stands before the identifier in a QR code; without it, the code holds the bare one.",
        "二维码中标识之前的节点网址；不写则二维码只含标识本身。",
    ),
    "label.file": ("File to write instead of standard output.", "写入文件而不是标准输出。"),
}
MESSAGES: Final[Catalogue] = {
    "label.form": (
        "what is {file} to be? Give --form svg, png, pdf or zpl",
        "无法判断 {file} 的格式，请用 --form 指定 svg、png、pdf 或 zpl",
    ),
    "label.nothing": ("no identifiers on standard input", "标准输入中没有标识"),
    "label.written": ("{file}: {octets:,} octets.", "{file}：{octets:,} 字节。"),
}
