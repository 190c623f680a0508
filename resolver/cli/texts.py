"""What `filament` says, in English and Chinese: HELP for `--help`, MESSAGES for everything else."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "": ("", ""),
    "usage": ("Usage: ", "用法："),
    "options": ("Options:", "选项："),
    "commands": ("Commands:", "命令："),
    "options.metavar": ("[OPTIONS]", "[选项]"),
    "subcommand.metavar": ("COMMAND [ARGUMENTS]", "命令 [参数]"),
    "help": ("Show this help and leave.", "显示本帮助并退出。"),
    "version": ("Show the version and leave.", "显示版本并退出。"),
    "filament": (
        "Run an identifier resolution node (a Handle System secondary node), write in its registry, and ask it.",
        "运行工业互联网标识解析二级节点（Handle 系统节点），登记标识，查询标识。",
    ),
    "lang": (
        "Language of what is shown: zh or en. Otherwise that of LC_ALL or LANG.",
        "显示语言：zh 或 en；默认取自 LC_ALL 或 LANG。",
    ),
    "dsn": (
        "Postgres to use, as postgresql://user:password@host/database, instead of the embedded one.",
        "使用的 Postgres，如 postgresql://user:password@host/database；不写则使用内嵌数据库。",
    ),
    "data_directory": (
        "Where the embedded Postgres, the certificate and the node's state live.",
        "内嵌 Postgres、证书与节点状态的目录。",
    ),
    "set": (
        "One setting, over file and environment; may be repeated. `filament config show` lists them.",
        "指定一项配置，优先于文件和环境变量，可重复；全部配置项见 filament config show。",
    ),
    "output": ("Form of what is printed.", "输出格式。"),
    "url": ("Address of the node.", "节点地址。"),
    "certificate": (
        "Certificate (PEM) to trust besides the system's; the node's own is found in the data directory.",
        "除系统证书外另行信任的证书（PEM）；节点自签证书会在数据目录中自动找到。",
    ),
    "port": ("Port of HTTP and HTTPS.", "HTTP 与 HTTPS 端口。"),
    "resolve": (
        "Ask a node for identifiers; '-' takes them from standard input, one a line.",
        "向节点查询标识；写“-”则从标准输入读取，每行一个。",
    ),
    "resolve.index": ("Only values at this index; may be repeated.", "只取该索引的值，可重复。"),
    "resolve.type": ("Only values of this type; may be repeated.", "只取该类型的值，可重复。"),
    "resolve.authoritative": ("Past every cache.", "绕过缓存，直接读注册库。"),
    "resolve.native": (
        "Ask this server in the native protocol, over UDP and then TCP (or as tcp://, udp://, http://, https://), and "
        "follow its referrals; may be repeated.",
        "用原生协议查询该服务器，先 UDP 后 TCP（或写作 tcp://、udp://、http://、https://），并按引导继续查询；可重复。",
    ),
    "resolve.allow": (
        "Network (address or CIDR) that referrals may lead to besides the servers' own hosts; may be repeated.",
        "除所写服务器外，允许引导前往的网段（地址或 CIDR），可重复。",
    ),
}

MESSAGES: Final[Catalogue] = {
    "error": ("Error: {message}", "错误：{message}"),
    "try_help": ("`{command} --help` tells more.", "详见 {command} --help。"),
    "usage.option": ("there is no option {name}", "没有选项 {name}"),
    "usage.command": ("there is no command {name}", "没有命令 {name}"),
    "usage.closest": ("; did you mean {names}?", "；是否想用 {names}？"),
    "usage.missing": ("{name} is missing", "缺少 {name}"),
    "usage.choice": ("{name}: choose one of {choices}", "{name}：请从 {choices} 中选择"),
    "usage.range": ("{name}: a number from {low} to {high}", "{name}：应为 {low} 到 {high} 之间的整数"),
    "usage.path": ("{name}: {reason}", "{name}：文件或目录不存在，或无法读取（{reason}）"),
    "usage.no_command": ("which command?", "缺少命令"),
    "usage.value": ("{name}: {reason}", "{name} 的值有误：{reason}"),
    "usage.other": ("{reason}", "用法有误：{reason}"),
    "interrupted": ("Interrupted.", "已中断。"),
    "away": ("the database cannot be reached: {reason}", "无法访问数据库：{reason}"),
    "refused": ("the database refuses: {reason}", "数据库拒绝：{reason}"),
    "dsn": ("the DSN cannot be understood: {reason}", "无法识别数据库地址（DSN）：{reason}"),
    "file": ("{path}: {reason}", "{path}：{reason}"),
    "unexpected": ("{kind}: {reason}", "意外错误 {kind}：{reason}"),
    "settings.assignment": ("--set {text!r}: write SECTION.KEY=VALUE", "--set {text!r}：应写作 SECTION.KEY=VALUE"),
    "settings.faults": ("{count} faults in the settings:", "配置有 {count} 处错误："),
    "settings.good": ("The settings are good.", "配置正确。"),
    "native.failed": ("{handle}: no answer: {reason}", "{handle}：没有得到应答：{reason}"),
    "native.server": (
        "--native {text!r}: write HOST:PORT ({reason})",
        "--native {text!r}：应写作 主机:端口（{reason}）",
    ),
    "native.network": (
        "--allow {text!r}: write an address or a network such as 192.0.2.0/24",
        "--allow {text!r}：应写作地址或网段，如 192.0.2.0/24",
    ),
    "resolve.not_found": ("{handle}: not found", "{handle}：未找到"),
    "resolve.state": ("{handle}: {state} since {since}{reason}", "{handle}：{state}，自 {since}{reason}"),
    "resolve.stale": (
        "{handle}: the node cannot reach its registry; this answer is {age} s old",
        "{handle}：节点暂时无法访问注册库，此应答已过时 {age} 秒",
    ),
    "stats.prefix": ("{prefix!r} is no prefix of this node", "{prefix!r} 不是本节点的前缀"),
    "database.starting": ("starting the embedded Postgres in {directory}", "正在启动内嵌 Postgres：{directory}"),
    "database.shared": (
        "using the embedded Postgres of the running node in {directory}",
        "使用运行中节点的内嵌 Postgres：{directory}",
    ),
    "port.taken": (
        "port {port} of {address} is taken by another program; choose another with {option}",
        "{address} 的端口 {port} 已被占用，请用 {option} 另选",
    ),
}
