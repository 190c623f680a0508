"""What `filament` says, in English and Chinese: HELP for `--help`, MESSAGES for everything else."""

from typing import Final

from registry.language import Catalogue
from resolver.cli import texts_by_family as by_family
from resolver.cli import texts_of_care as of_care
from resolver.cli import texts_of_trust as of_trust

HELP: Final[Catalogue] = {
    **by_family.HELP,
    **of_care.HELP,
    **of_trust.HELP,
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
    "config": (
        "Settings file (TOML). Also FILAMENT_CONFIG.",
        "配置文件（TOML），也可用环境变量 FILAMENT_CONFIG 指定。",
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
    "port": ("Port of HTTP and HTTPS.", "HTTP 与 HTTPS 端口。"),
    "migrate": ("Bring the schema of the database up to date.", "升级数据库结构。"),
    "load": (
        "Register the identifiers of a file of any length: NDJSON, CSV (UTF-8 or GB18030) or XLSX; - is standard "
        "input. Rows that were refused are written beside it, as NAME.refused.FORM.",
        "批量导入文件中的标识：NDJSON、CSV（UTF-8 或 GB18030）或 XLSX，长度不限；- 表示标准输入。"
        "被拒绝的行另存为同名 .refused 文件。",
    ),
    "load.form": ("Form of the file, when its name does not say it.", "文件格式；默认按扩展名判断。"),
    "load.key": (
        "What makes a second run the same load; by default the path of the file.",
        "导入任务标识，相同则视为同一次导入并续传；默认为文件路径。",
    ),
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
    "register": (
        "Register an identifier at a node, with values as TYPE=TEXT or from a file.",
        "在节点登记一个标识，值写作 TYPE=TEXT 或取自文件。",
    ),
    "register.values": (
        "Values as JSON, as in a PUT body; - is standard input.",
        "JSON 格式的值，同 PUT 请求体；- 表示标准输入。",
    ),
    "register.overwrite": ("Replace the identifier when it is registered already.", "标识已存在时替换。"),
    "register.identity": (
        "Who registers, as index:handle. Also FILAMENT_IDENTITY.",
        "登记者，写作 索引:标识；也可用环境变量 FILAMENT_IDENTITY。",
    ),
    "register.secret_file": (
        "File with the secret key of the identity. Otherwise FILAMENT_SECRET.",
        "存放登记者密钥的文件；否则取环境变量 FILAMENT_SECRET。",
    ),
    "register.direct": (
        "Write straight into the node's database, as its operator. --dsn means this too.",
        "以节点运营者身份直接写入数据库；写了 --dsn 时也是如此。",
    ),
    "export": (
        "Write the identifiers as NDJSON that `filament load` reads.",
        "导出标识为 NDJSON，可用 filament load 再导入。",
    ),
    "export.prefix": ("Only those of this prefix.", "只导出该前缀的标识。"),
    "export.with_secrets": (
        "With the identifiers that hold a secret key, which are left out otherwise.",
        "同时导出含有密钥的标识；默认不导出。",
    ),
    "export.file": ("File to write instead of standard output.", "写入文件而不是标准输出。"),
    "enterprise": ("The enterprises that register at this node.", "管理本节点的企业。"),
    "enterprise.add": (
        "Add an enterprise with its prefix. Its secret key is shown once.",
        "新增企业并分配前缀，密钥只显示一次。",
    ),
    "enterprise.delegate": (
        "Refer whoever asks for a prefix to the node that the enterprise runs itself, reached at HOST[:PORT] now.",
        "将某前缀的查询引导至企业自建节点；执行时须能在 主机[:端口] 访问该节点。",
    ),
    "enterprise.below": (
        "Refer for all prefixes below this one that have no prefix handle here.",
        "引导该前缀之下、本节点未登记的所有前缀。",
    ),
    "enterprise.list": (
        "List the enterprises, their prefixes and how much they registered.",
        "列出企业、前缀与登记数量。",
    ),
    "enterprise.searchable": (
        "Make the handles of a prefix be found by values of a type, such as BATCH; those there are given their keys.",
        "使某前缀的标识可按某类型的值检索，如 BATCH；已有标识随即建立索引。",
    ),
    "search": (
        "Show the handles of a prefix that have a value of a searchable type.",
        "显示某前缀下具有该值的标识（类型须先用 enterprise searchable 声明）。",
    ),
    "search.limit": ("At most so many.", "最多显示的数量。"),
    "enterprise.prefix": ("Prefix to home here for it, such as 88.168.9.", "为其开通的前缀，如 88.168.9。"),
    "enterprise.name_en": ("Name in English.", "英文名称。"),
    "enterprise.industry": ("Industry.", "所属行业。"),
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
    **by_family.MESSAGES,
    **of_care.MESSAGES,
    **of_trust.MESSAGES,
    "bench.not_ours": (
        "register and day write identifiers, and are measured on a node of their own only (without --url)",
        "register 与 day 会写入标识，只能在自建节点上测量（不写 --url）",
    ),
    "bench.failed": ("nothing was measured: {reason}", "未能测量：{reason}"),
    "bench.written": ("The report is in {file}.", "报告已写入 {file}。"),
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
    "resolve.stale": (
        "{handle}: the node cannot reach its registry; this answer is {age} s old",
        "{handle}：节点暂时无法访问注册库，此应答已过时 {age} 秒",
    ),
    "register.exists": (
        "{handle} is registered already; --overwrite replaces it",
        "{handle} 已经登记；加 --overwrite 可替换",
    ),
    "register.created": ("{handle} is registered.", "{handle} 已登记。"),
    "register.replaced": ("{handle} is replaced.", "{handle} 已替换。"),
    "register.assignment": (
        "{text!r}: write TYPE=TEXT, or INDEX:TYPE=TEXT",
        "{text!r}：应写作 TYPE=TEXT 或 INDEX:TYPE=TEXT",
    ),
    "register.nothing": ("no values: write TYPE=TEXT or --values FILE", "没有值：请写 TYPE=TEXT 或 --values FILE"),
    "register.identity": (
        "who registers? Give --identity, and the secret by --secret-file or FILAMENT_SECRET; the operator may use "
        "--direct",
        "缺少登记者身份：请用 --identity 指定，并用 --secret-file 或 FILAMENT_SECRET 提供密钥；运营者可用 --direct",
    ),
    "register.plain": (
        "a secret is not sent over plain HTTP; write https:// in --url",
        "不会通过明文 HTTP 发送密钥，请在 --url 中使用 https://",
    ),
    "migrate.nothing": ("The schema is up to date.", "数据库结构已是最新。"),
    "migrate.applied": ("Applied: {names}.", "已应用：{names}。"),
    "load.form": (
        "what is {path}? Give --form ndjson, csv or xlsx",
        "无法判断 {path} 的格式，请用 --form 指定 ndjson、csv 或 xlsx",
    ),
    "load.progress": ("Loading {source}", "导入 {source}"),
    "load.refused": (
        "{count} rows were refused; they are in {path} with the reasons",
        "{count} 行被拒绝，原因见 {path}",
    ),
    "export.done": ("{count} identifiers exported.", "已导出 {count} 条标识。"),
    "enterprise.searchable": (
        "Handles of {prefix} are found by {type}; {count} were given keys.",
        "{prefix} 的标识已可按 {type} 检索，为 {count} 个标识建立了索引。",
    ),
    "enterprise.added": (
        "{name} has the prefix {prefix}. Keep the secret key: it is not shown again.",
        "{name} 已分配前缀 {prefix}。请保存密钥，之后不再显示。",
    ),
    "enterprise.delegated": (
        "Whoever asks for {prefix} is referred to {address}.",
        "对 {prefix} 的查询将引导至 {address}。",
    ),
    "completion.hint": (
        '# put this in your shell\'s start file, or: eval "$(filament completion {shell})"',
        '# 写入 shell 启动文件，或执行：eval "$(filament completion {shell})"',
    ),
    "status.unready": ("the node is not ready", "节点未就绪"),
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
    "demo.credentials": ("Keys of the enterprises: {path}", "各企业密钥：{path}"),
    "demo.stay": (
        "Up since {seconds:.1f} s after the start. Ctrl-C stops it; the data stays.",
        "启动用时 {seconds:.1f} 秒。按 Ctrl-C 停止，数据保留。",
    ),
    "demo.refused": ("{count} of the demo's own rows were refused", "演示数据有 {count} 行被拒绝"),
    "demo.check_failed": ("the node answered {handle} with {code}", "节点对 {handle} 的应答为 {code}"),
}

COLUMNS: Final[Catalogue] = {
    **by_family.COLUMNS,
    **of_trust.COLUMNS,
    "scenario": ("Scenario", "场景"),
    "answers_per_second": ("Answers/s", "应答/秒"),
    "identifiers_per_second": ("Identifiers/s", "标识/秒"),
    "p50_ms": ("p50 ms", "p50 毫秒"),
    "p99_ms": ("p99 ms", "p99 毫秒"),
    "wrong": ("Wrong", "错误"),
    "lost": ("Lost", "丢失"),
    "handle": ("Handle", "标识"),
    "index": ("Index", "索引"),
    "type": ("Type", "类型"),
    "data": ("Data", "数据"),
    "ttl": ("TTL", "缓存秒数"),
    "timestamp": ("Written", "写入时间"),
    "prefix": ("Prefix", "前缀"),
    "name": ("Name", "名称"),
    "name_en": ("English name", "英文名称"),
    "industry": ("Industry", "行业"),
    "registered": ("Registered", "登记数"),
    "identity": ("Identity", "身份"),
    "secret_key": ("Secret key", "密钥"),
    "setting": ("Setting", "配置项"),
    "value": ("Value", "值"),
    "origin": ("Origin", "来源"),
    "part": ("Part", "组成"),
    "state": ("State", "状态"),
    "reason": ("Reason", "原因"),
    "source": ("File", "文件"),
    "at": ("Time", "时间"),
    "protocol": ("Protocol", "协议"),
    "system": ("Code system", "编码体系"),
    "address": ("Source", "来源"),
    "requests": ("Requests", "请求数"),
    "successes": ("Successes", "成功数"),
    "lines": ("Rows", "行数"),
    "created": ("Created", "新增"),
    "updated": ("Updated", "更新"),
    "unchanged": ("Unchanged", "未变"),
    "refused": ("Refused", "拒绝"),
    "seconds": ("Seconds", "秒"),
    "rate": ("Rows a second", "每秒行数"),
}
