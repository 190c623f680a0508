"""What the commands that care for a node say: examined, reloaded, replaced while it runs, backed up, restored."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "purge": (
        "Have every resolver forget what it keeps of these names; nothing of the book is changed.",
        "让所有解析进程清除这些标识的缓存；注册内容不变。",
    ),
    "purge.prefix": ("All names of this prefix; may be given again.", "该前缀下的全部标识；可重复给出。"),
    "purge.beginning": (
        "All names that begin like this, such as 88.168.1/LOT7-; may be given again.",
        "以此开头的全部标识，如 88.168.1/LOT7-；可重复给出。",
    ),
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
    "backup": ("Copies of the node, and the proof that they can be restored.", "备份节点，并验证备份可以恢复。"),
    "backup.make": (
        "Copy the running node, database and key files, into a directory.",
        "将运行中的节点（数据库与密钥文件）备份到目录。",
    ),
    "backup.keep": ("Remove all but so many of the newest afterwards.", "之后只保留最近的若干份。"),
    "backup.copy_to": (
        "Put an encrypted copy there, too; with --public-key.",
        "另存一份加密副本，需同时给出 --public-key。",
    ),
    "backup.public_key": ("For whom the copy is encrypted (backup key).", "加密副本所用的公钥（见 backup key）。"),
    "backup.list": ("List the backups of a directory.", "列出目录中的备份。"),
    "backup.follow": (
        "Receive the database's log as it is written, until Ctrl-C: then every moment can be restored.",
        "持续接收数据库日志，按 Ctrl-C 结束；此后可恢复到任意时刻。",
    ),
    "backup.verify": (
        "Restore a backup into a directory that is thrown away, and compare sums, counts and a sample of handles.",
        "将备份恢复到临时目录，比对校验和、数量与抽样标识。",
    ),
    "backup.name": ("Which one; otherwise the newest.", "备份名称，默认为最新一份。"),
    "backup.key": (
        "Make a pair of keys for encrypted copies: the private one is kept elsewhere, the public one stays here.",
        "生成加密副本所用的密钥对：私钥另处保存，公钥留在本机。",
    ),
    "backup.unseal": ("Open an encrypted copy into a directory of backups.", "解开加密副本，放入备份目录。"),
    "backup.private_key": ("Its private key.", "对应的私钥。"),
    "restore": (
        "Make a data directory of a backup, as it was at its end or at a later moment. The running node stays.",
        "用备份建立新的数据目录，可指定恢复到的时刻；不影响运行中的节点。",
    ),
    "restore.until": (
        "Moment to restore, such as 2026-11-22T10:15:00+08:00; the log must have been followed.",
        "恢复到的时刻，如 2026-11-22T10:15:00+08:00；须曾用 backup follow 接收日志。",
    ),
    "probe": (
        "Ask a running node over each protocol, on and on, and keep what comes of it: the meter of its promises.",
        "从外部持续探测运行中的节点（各协议），并记录结果，作为服务承诺的度量。",
    ),
    "probe.handle": (
        "Identifier to ask for; otherwise one that nobody registered.",
        "所查标识；默认查询一个未登记的标识。",
    ),
    "probe.write": (
        "Write it too, with each round, and see when every protocol shows it. What it holds is replaced.",
        "每轮同时改写该标识，测量多久后各协议可见；原有内容会被替换。",
    ),
    "probe.host": (
        "Name or address at which to ask; otherwise the node on this machine.",
        "探测的主机名或地址，默认本机节点。",
    ),
    "probe.interval": ("Seconds between two rounds.", "探测间隔（秒）。"),
    "probe.metrics_port": ("Show the figures to Prometheus on this port.", "在该端口提供 Prometheus 指标。"),
    "promises": (
        "Show what was measured of the node's promises in a month of China: availability, probes, incidents.",
        "显示某月（北京时间）的服务承诺达成情况：可用率、探测结果、异常与恢复。",
    ),
    "promises.month": ("Month, such as 2026-11; otherwise this one.", "月份，如 2026-11，默认本月。"),
    "promises.show": ("What to show.", "显示内容。"),
    "doctor": (
        "Examine a node and its machine: database, disk, clock, ports, certificate, answers over each protocol; "
        "each finding with its remedy.",
        "检查节点及其所在机器：数据库、磁盘、时钟、端口、证书与各协议的解析，每项问题附处理办法。",
    ),
    "doctor.json": ("Print JSON instead of a page.", "输出 JSON。"),
}

COLUMNS: Final[Catalogue] = {
    "service": ("Service", "服务"),
    "minutes": ("Minutes", "探测分钟数"),
    "down": ("Down", "不可用分钟数"),
    "availability": ("Availability", "可用率"),
    "probe": ("Probe", "探测"),
    "asked": ("Tried", "次数"),
    "answered": ("In time", "成功"),
    "mean_ms": ("Mean ms", "平均毫秒"),
    "slowest_ms": ("Slowest ms", "最长毫秒"),
    "began_at": ("Began", "异常时间"),
    "ended_at": ("Ended", "恢复时间"),
    "cause": ("Cause", "原因"),
    "backup": ("Backup", "备份"),
    "made_at": ("Made", "时间"),
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
    "backup.made": ("Backup {name} is in {directory}.", "备份 {name} 已存入 {directory}。"),
    "backup.copied": ("Encrypted copy: {file}", "加密副本：{file}"),
    "backup.removed": ("Backup {name} is removed.", "已删除备份 {name}。"),
    "backup.none": (
        "{directory} holds no such backup; `filament backup list` shows what is there",
        "{directory} 中没有符合条件的备份，请用 filament backup list 查看",
    ),
    "backup.proved": (
        "Backup {name} can be restored ({seconds:.0f} s): {files} files, {prefixes} prefixes, {handles:,} handles, "
        "{sampled:,} of them compared.",
        "备份 {name} 可以恢复（{seconds:.0f} 秒）：文件 {files} 个，前缀 {prefixes} 个，标识 {handles:,} 条，"
        "抽样比对 {sampled:,} 条。",
    ),
    "backup.failed": ("{reason}", "备份或恢复失败：{reason}"),
    "backup.key": (
        "Keep {private} away from this machine; {public} encrypts.",
        "请将 {private} 保存到其他地方；加密只需 {public}。",
    ),
    "backup.not_opened": ("{file} cannot be opened: {reason}", "无法解开 {file}：{reason}"),
    "backup.unsealed": ("The backup is in {directory}.", "备份已放入 {directory}。"),
    "restore.done": (
        "Backup {name} is restored into {directory}; `filament up` serves it.",
        "备份 {name} 已恢复到 {directory}，可用 filament up 启动。",
    ),
    "probe.started": (
        "Probing every {seconds:g} s. Ctrl-C stops it.",
        "每 {seconds:g} 秒探测一次，按 Ctrl-C 停止。",
    ),
    "purge.nothing": ("Name a handle, --prefix or --beginning.", "请给出标识、--prefix 或 --beginning。"),
    "purge.done": ("Forgotten within moments: {count} orders.", "已下达 {count} 项清除，即刻生效。"),
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
