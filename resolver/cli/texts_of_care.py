"""What the commands that care for a node say: examined, reloaded, replaced while it runs, backed up, restored."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "doctor": (
        "Examine a node and its machine: database, disk, clock, ports, certificate, answers over each protocol; "
        "each finding with its remedy.",
        "检查节点及其所在机器：数据库、磁盘、时钟、端口、证书与各协议的解析，每项问题附处理办法。",
    ),
    "doctor.json": ("Print JSON instead of a page.", "输出 JSON。"),
}

MESSAGES: Final[Catalogue] = {
    "doctor.bad": ("{count} findings are bad.", "{count} 项故障。"),
    "doctor.good": ("Nothing is bad.", "没有故障。"),
}
