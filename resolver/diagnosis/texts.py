"""What `filament doctor` says, in English and Chinese. What is refused at a start names its remedy itself."""

from typing import Final

from registry.language import Catalogue

PARTS: Final[Catalogue] = {
    "database": ("database", "数据库"),
    "schema": ("schema", "数据库结构"),
    "registry": ("registry", "注册库"),
    "upstream": ("upstream", "上游节点"),
    "change_log": ("change log", "变更日志"),
    "disk": ("disk", "磁盘"),
    "clock": ("clock", "时钟"),
    "ports": ("ports", "端口"),
    "certificate": ("certificate", "证书"),
    "huge_pages": ("huge pages", "大页内存"),
    "processes": ("processes", "进程"),
    "answers": ("answers", "解析"),
    "backup": ("backup", "备份"),
}
STATES: Final[Catalogue] = {"good": ("good", "正常"), "doubtful": ("doubtful", "可疑"), "bad": ("BAD", "故障")}

FINDINGS: Final[Catalogue] = {
    "database.reached": (
        "Postgres {version}, {role}, answers in {milliseconds:.1f} ms",
        "Postgres {version}（{role}），{milliseconds:.1f} 毫秒内应答",
    ),
    "database.away": ("the database does not answer: {reason}", "数据库没有应答：{reason}"),
    "database.not_running": (
        "the node's own Postgres does not run in {directory}",
        "{directory} 中的内嵌 Postgres 未运行",
    ),
    "upstream.reached": (
        "answers in {milliseconds:.1f} ms, and for {prefixes} prefixes",
        "{milliseconds:.1f} 毫秒内应答，前缀 {prefixes} 个",
    ),
    "upstream.away": ("records cannot be asked for: {reason}", "无法查询记录：{reason}"),
    "upstream.heard": ("its change feed is heard", "可读取变更流"),
    "upstream.silent": ("its change feed cannot be heard: {reason}", "无法读取变更流：{reason}"),
    "schema.current": ("as this program has it ({version:04})", "与本程序一致（{version:04}）"),
    "refused": ("{error}", "{error}"),
    "registry.known": ("{prefixes} prefixes, {handles:,} handles", "前缀 {prefixes} 个，标识 {handles:,} 条"),
    "change_log.heard": (
        "resolvers hear of changes; half of them after less than {delay:.3f} s",
        "解析进程正常读取变更，半数在 {delay:.3f} 秒内生效",
    ),
    "change_log.quiet": ("resolvers read it; nothing was changed yet", "解析进程正常读取，尚无变更"),
    "change_log.late": (
        "a resolver has not read it for {seconds:.1f} s",
        "有解析进程已 {seconds:.1f} 秒未读到变更日志",
    ),
    "disk.roomy": (
        "{directory}: {free:.0f} GiB free ({share:.0%})",
        "{directory}：剩余 {free:.0f} GiB（{share:.0%}）",
    ),
    "disk.short": (
        "{directory}: only {free:.1f} GiB free ({share:.0%})",
        "{directory}：仅剩 {free:.1f} GiB（{share:.0%}）",
    ),
    "clock.right": ("{seconds:.3f} s from the database's", "与数据库时钟相差 {seconds:.3f} 秒"),
    "clock.off": ("{seconds:.1f} s from the database's", "与数据库时钟相差 {seconds:.1f} 秒"),
    "clock.unsynchronised": (
        "the system says that nothing keeps the clock right",
        "系统时钟未与任何时间源同步",
    ),
    "ports.open": ("{ports} are listened on", "{ports} 均在监听"),
    "ports.closed": ("nothing listens on port {port} ({name})", "端口 {port}（{name}）无人监听"),
    "certificate.valid": ("valid for {days} more days", "还有 {days} 天到期"),
    "certificate.ends": ("valid for {days} more days only", "仅剩 {days} 天到期"),
    "certificate.old_shown": (
        "the one that clients are shown is not the one in {file}",
        "客户端收到的证书与文件 {file} 不一致",
    ),
    "huge_pages.allowed": ("the system gives them ({choice})", "系统已允许（{choice}）"),
    "huge_pages.never": (
        "the system gives none: look-ups among millions of kept answers cost more",
        "系统未允许：缓存达数百万条时查找会变慢",
    ),
    "huge_pages.unknown": ("this system does not say", "系统未提供此信息"),
    "processes.ready": ("{names}: ready", "{names}：就绪"),
    "processes.unready": ("{reason}", "{reason}"),
    "processes.silent": ("the status port does not answer: {reason}", "状态端口没有应答：{reason}"),
    "answers.came": (
        "{handle} over {protocol}: response code {code} in {milliseconds:.1f} ms",
        "{handle} 经 {protocol}：响应码 {code}，{milliseconds:.1f} 毫秒",
    ),
    "answers.wrong": ("{handle} over {protocol}: response code {code}", "{handle} 经 {protocol}：响应码 {code}"),
    "answers.none": ("{handle} over {protocol}: {reason}", "{handle} 经 {protocol}：{reason}"),
}

REMEDIES: Final[Catalogue] = {
    "database.away": (
        "look at the server and its network; then at [registry] dsn (filament config show)",
        "检查数据库服务器与网络，再核对 [registry] dsn（filament config show）",
    ),
    "upstream.away": (
        "look at [edge] upstream, address, token and authorities, and at the network between",
        "检查 [edge] 的 upstream、address、token 与 authorities，以及两地之间的网络",
    ),
    "upstream.silent": (
        "look at [edge] registry, token and authorities: the token needs the scope 'read' for all prefixes",
        "检查 [edge] 的 registry、token 与 authorities：令牌须有全部前缀的 read 权限",
    ),
    "database.not_running": (
        "start the node (filament up), or name the right data directory",
        "启动节点（filament up），或用 --data-directory 指定正确的目录",
    ),
    "change_log.late": (
        "look at the database and, where a standby is read from, at its replication lag",
        "检查数据库；如读取备库，检查复制延迟",
    ),
    "disk.short": (
        "make room, never inside the data directory; a bulk load needs its own size once more",
        "清理空间（勿动数据目录内的文件）；批量导入另需与数据等量的空间",
    ),
    "clock.off": (
        "let this machine and the database's keep time by the same source (chrony, systemd-timesyncd)",
        "让本机与数据库服务器使用同一时间源（chrony、systemd-timesyncd）",
    ),
    "clock.unsynchronised": (
        "run chrony or systemd-timesyncd, unless the host of this machine keeps the clock",
        "运行 chrony 或 systemd-timesyncd；若由宿主机校时可忽略",
    ),
    "ports.closed": (
        "start the node; if it runs, look at its log and at `ss --listening --tcp --processes`",
        "启动节点；若已运行，查看日志及 ss --listening --tcp --processes",
    ),
    "certificate.ends": ("replace its file; it is read again within a minute", "更换证书文件，一分钟内自动重新读取"),
    "certificate.old_shown": (
        "have it read again: filament reload; the node's log says why it was not",
        "执行 filament reload 重新读取；未生效的原因见节点日志",
    ),
    "huge_pages.never": (
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, and at each boot",
        "执行 echo madvise > /sys/kernel/mm/transparent_hugepage/enabled，并设为开机生效",
    ),
    "processes.unready": ("`filament status`, then the node's log", "查看 filament status 与节点日志"),
    "processes.silent": (
        "start the node; if it runs, look at [status] listen and port",
        "启动节点；若已运行，核对 [status] 的 listen 与 port",
    ),
    "answers.wrong": ("the node's log says what it met", "原因见节点日志"),
    "answers.none": (
        "look at the ports above, then at firewalls on this machine",
        "先看上面的端口，再检查本机防火墙",
    ),
}
