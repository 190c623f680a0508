"""What the commands that care for a node say: examined, reloaded, replaced while it runs, backed up, restored."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "reload": (
        "Have a running node read its settings and certificates again: log level, limits, certificates; a file with a "
        "fault changes nothing. Homed prefixes need nothing.",
        "让运行中的节点重新读取配置与证书（日志级别、限额、证书）；配置有误则不作任何改变。前缀变更无需重载。",
    ),
    "doctor": (
        "Examine a node and its machine: database, disk, clock, ports, certificate, answers over each protocol; "
        "each finding with its remedy.",
        "检查节点及其所在机器：数据库、磁盘、时钟、端口、证书与各协议的解析，每项问题附处理办法。",
    ),
    "doctor.json": ("Print JSON instead of a page.", "输出 JSON。"),
}

MESSAGES: Final[Catalogue] = {
    "control.nobody": (
        "no node runs with the data directory {directory} ({reason})",
        "没有节点在使用数据目录 {directory}（{reason}）",
    ),
    "reload.refused": ("Nothing is changed: {reason}", "未作任何改变：{reason}"),
    "reload.applied": ("In effect: {names}; certificates are read again.", "已生效：{names}；证书已重新读取。"),
    "reload.nothing": (
        "No setting that takes effect at once has changed; certificates are read again.",
        "没有可立即生效的配置变更；证书已重新读取。",
    ),
    "reload.later": (
        "Only with new processes (filament upgrade): {names}",
        "需更换进程后生效（filament upgrade）：{names}",
    ),
    "doctor.bad": ("{count} findings are bad.", "{count} 项故障。"),
    "doctor.good": ("Nothing is bad.", "没有故障。"),
}
