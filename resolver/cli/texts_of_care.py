"""What the commands that care for a node say: examined, reloaded, replaced while it runs, backed up, restored."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "reload": (
        "Have a running node read its settings and certificates again: log level, limits, certificates; a file with a "
        "fault changes nothing. Homed prefixes need nothing.",
        "让运行中的节点重新读取配置与证书（日志级别、限额、证书）；配置有误则不作任何改变。前缀变更无需重载。",
    ),
    "up.check": ("Look whether it could start, and start nothing.", "只检查能否启动，不真正启动。"),
    "renew": (
        "Replace the processes of a running node, one by one, without losing a request.",
        "逐个更换运行中节点的进程，不丢失请求。",
    ),
    "upgrade": (
        "Put the program that is installed now in the place of the running one, without losing a request.",
        "用当前已安装的程序替换运行中的程序，不丢失请求。",
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
    "renew.done": ("Every process of the node is new.", "节点的全部进程均已更换。"),
    "renew.failed": (
        "the new {part} did not become ready: the node stays as it was; its log says why",
        "新的 {part} 未能就绪，节点保持原状；原因见节点日志",
    ),
    "upgrade.refused": (
        "the installed program would not start, and the running one stays: {reason}",
        "已安装的程序无法启动，继续运行原程序：{reason}",
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
