"""What the commands say that run a node or measure it: up, demo, bench, migrate, config, status."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "config": (
        "Settings file (TOML). Also FILAMENT_CONFIG.",
        "配置文件（TOML），也可用环境变量 FILAMENT_CONFIG 指定。",
    ),
    "demo": (
        "Show the whole of it: a node of its own with 28 enterprises and 100,000 identifiers, until Ctrl-C.",
        "完整演示：28 家企业、10 万条标识的独立节点，按 Ctrl-C 结束。",
    ),
    "demo.directory": ("Where the demo keeps its data.", "演示数据目录。"),
    "demo.count": ("Identifiers to make and load.", "生成并导入的标识数量。"),
    "demo.port_base": (
        "HTTP(S) on this port, registry, status and the native protocol on the next three; with 8000 the native "
        "protocol is on 2641.",
        "HTTP(S) 端口；注册、状态与 Handle 原生协议用其后三个端口；为 8000 时原生协议用 2641。",
    ),
    "demo.exit_after_check": (
        "Stop after the first answers instead of staying up.",
        "首批解析成功后即停止，不持续运行。",
    ),
    "up": (
        "Run the node: Postgres (embedded, or --dsn), the registry and the resolvers, restarted when they crash.",
        "启动节点：Postgres（内嵌或 --dsn）、注册服务与解析进程，崩溃后自动重启。",
    ),
    "up.no_migrate": ("Do not bring the schema up to date first.", "启动前不升级数据库结构。"),
    "up.workers": ("Resolver processes; 0 is one per core.", "解析进程数；0 表示每核一个。"),
    "bench": (
        "Measure how fast a node answers: resolve-http, resolve-native-tcp, resolve-native-udp, batch, register, day; "
        "a node of its own with the demo's identifiers, unless --url names one.",
        "测量节点性能：resolve-http、resolve-native-tcp、resolve-native-udp、batch（批量）、register（登记）、"
        "day（混合负载日）；不写 --url 时自建节点，使用演示标识。",
    ),
    "bench.url": (
        "Node to ask, over plain HTTP; it has to know the names. Nothing is written there.",
        "被测节点地址（明文 HTTP），须已登记所查标识；不会向其写入。",
    ),
    "bench.native_port": ("Port of the native protocol of that node.", "该节点的原生协议端口。"),
    "bench.names": ("Names to ask for, one a line; otherwise the demo's.", "所查标识，每行一个；默认为演示标识。"),
    "bench.directory": (
        "Data directory of a registry to serve; what register and day write stays in it.",
        "以该数据目录中的注册库启动节点；register 与 day 写入的内容会保留。",
    ),
    "bench.count": ("The demo's identifiers to make and ask for.", "演示标识的数量。"),
    "bench.seconds": ("How long each scenario lasts.", "每个场景的时长（秒）。"),
    "bench.rate": (
        "Requests a second, whatever the node does; times count from when each was due. 0: as fast as answers come.",
        "固定的每秒请求数，时延自应发时刻计；0 表示收到应答后立即发下一个。",
    ),
    "bench.connections": ("Connections; 0: as the scenario has it.", "连接数；0 为场景默认值。"),
    "bench.in_flight": ("Requests under way on each.", "每个连接上的并发请求数。"),
    "bench.processes": ("Processes that send.", "发送进程数。"),
    "bench.report": ("Write a page with plots, too.", "另存一份含图表的网页报告。"),
    "migrate": ("Bring the schema of the database up to date.", "升级数据库结构。"),
    "status": ("Show whether a node is ready, and why not.", "查看节点是否就绪及原因。"),
    "status.url": ("Address of the node's status interface.", "节点状态接口地址。"),
    "config.family": ("Settings of the node.", "查看与检查配置。"),
    "config.show": ("Show every setting as it stands.", "显示全部生效的配置。"),
    "config.show.origin": ("And where each came from.", "并显示各项来源。"),
    "config.check": ("Check a settings file and name every fault.", "检查配置文件并指出全部错误。"),
    "config.template": (
        "Print a settings file with every setting, its default and its meaning.",
        "输出包含全部配置项、默认值与说明的配置文件。",
    ),
    "completion": (
        "Print the completion script of a shell: bash, zsh or fish.",
        "输出命令补全脚本：bash、zsh 或 fish。",
    ),
}

MESSAGES: Final[Catalogue] = {
    "bench.not_ours": (
        "register and day write identifiers, and are measured on a node of their own only (without --url)",
        "register 与 day 会写入标识，只能在自建节点上测量（不写 --url）",
    ),
    "bench.failed": ("nothing was measured: {reason}", "未能测量：{reason}"),
    "bench.written": ("The report is in {file}.", "报告已写入 {file}。"),
    "node.unreachable": ("{url} cannot be reached: {reason}", "无法访问 {url}：{reason}"),
    "node.answer": (
        "{url} gave an answer that is no Handle answer (HTTP {status})",
        "{url} 的应答不是标识解析应答（HTTP {status}）",
    ),
    "node.refused": ("{handle}: {message} (response code {code})", "{handle}：{message}（响应码 {code}）"),
    "node.certificate": (
        "the certificate of {url} is not trusted ({reason}); give it with --certificate",
        "{url} 的证书不受信任（{reason}），可用 --certificate 指定",
    ),
    "migrate.nothing": ("The schema is up to date.", "数据库结构已是最新。"),
    "migrate.applied": ("Applied: {names}.", "已应用：{names}。"),
    "completion.hint": (
        '# put this in your shell\'s start file, or: eval "$(filament completion {shell})"',
        '# 写入 shell 启动文件，或执行：eval "$(filament completion {shell})"',
    ),
    "status.unready": ("the node is not ready", "节点未就绪"),
    "up.started": (
        "The node is up: {url} (status: {status}). Ctrl-C stops it.",
        "节点已启动：{url}（状态：{status}）。按 Ctrl-C 停止。",
    ),
    "up.stopping": (
        "Stopping; requests in flight are finished. Ctrl-C again stops at once.",
        "正在停止，先完成进行中的请求；再按 Ctrl-C 立即停止。",
    ),
    "up.stopped": ("Stopped.", "已停止。"),
    "up.failed": ("the node could not start: {reason}", "节点无法启动：{reason}"),
    "demo.directory": ("Demo node in {directory}", "演示节点目录：{directory}"),
    "demo.postgres": ("Postgres is up ({seconds:.1f} s)", "Postgres 已启动（{seconds:.1f} 秒）"),
    "demo.enterprises": (
        "{count} enterprises, each with a prefix under {prefix}",
        "{count} 家企业，前缀均在 {prefix} 之下",
    ),
    "demo.identifiers": ("the demo's identifiers", "演示标识"),
    "demo.loaded": (
        "{count:,} identifiers loaded in {seconds:.1f} s ({rate:,.0f} a second)",
        "已导入 {count:,} 条标识，用时 {seconds:.1f} 秒（每秒 {rate:,.0f} 条）",
    ),
    "demo.kept": ("{count:,} identifiers are there from before", "已有 {count:,} 条标识，无需再次导入"),
    "demo.started": ("registry and resolver are up ({seconds:.1f} s)", "注册服务与解析服务已启动（{seconds:.1f} 秒）"),
    "demo.resolved": ("resolved {handle}", "解析 {handle}"),
    "demo.open": ("Open in a browser:", "可在浏览器打开："),
    "demo.page": ("an identifier", "标识页面"),
    "demo.answer": ("its answer", "解析应答"),
    "demo.documentation": ("interface documentation", "接口文档"),
    "demo.status": ("readiness", "就绪状态"),
    "demo.codes": ("Codes of other systems to type on its start page:\n{codes}", "可在首页输入的其他编码：\n{codes}"),
    "demo.credentials": ("Keys of the enterprises: {path}", "各企业密钥：{path}"),
    "demo.stay": (
        "Up since {seconds:.1f} s after the start. Ctrl-C stops it; the data stays.",
        "启动用时 {seconds:.1f} 秒。按 Ctrl-C 停止，数据保留。",
    ),
    "demo.refused": ("{count} of the demo's own rows were refused", "演示数据有 {count} 行被拒绝"),
    "demo.check_failed": ("the node answered {handle} with {code}", "节点对 {handle} 的应答为 {code}"),
}
