"""What the commands say that register handles, look for them, and say how they stand."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
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
        "Who registers, as index:handle. Also FILAMENT_IDENTITY. Without it a token in FILAMENT_TOKEN says who.",
        "登记者，写作 索引:标识；也可用环境变量 FILAMENT_IDENTITY。未指定时使用 FILAMENT_TOKEN 中的令牌。",
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
    "state": (
        "States of handles: reserved, active, frozen, revoked, expired.",
        "标识的状态：预留、有效、冻结、注销、过期。",
    ),
    "state.show": (
        "Show the state of a handle: since when, by whom and why.",
        "查看标识的状态：何时、由谁、因何设置。",
    ),
    "state.set": (
        "Put handles into a state, all of them or none; a name that nobody has can be reserved.",
        "设置标识的状态，全部成功或全部不变；未注册的标识可以预留。",
    ),
    "state.reason": ("Why; may be left out for active.", "原因；设为 active 时可省略。"),
    "state.successor": ("Handle that came in its place.", "后继标识。"),
    "state.expires": ("When it expires (UTC).", "到期时间（UTC）。"),
    "audit": ("The audit log: who did what at this node.", "审计日志：何人在本节点做了什么。"),
    "audit.list": ("Show acts, newest first.", "查看操作记录，最新的在前。"),
    "audit.prefix": ("Only acts on this prefix.", "只看该前缀的操作。"),
    "audit.limit": ("At most so many; 100.", "最多显示的数量，默认 100。"),
    "audit.verify": (
        "Check that no row of the log was edited, removed or inserted, and print its head.",
        "检查日志是否被修改、删除或插入，并显示其末端摘要。",
    ),
    "audit.head": (
        "Head that was noted down earlier, NUMBER:DIGEST: the log must have gone through it.",
        "此前记下的末端摘要（编号:摘要），日志必须经过该点。",
    ),
}

MESSAGES: Final[Catalogue] = {
    "search.none": (
        "No handle below {prefix} has a value of type {type!r} that says {value!r}.",
        "前缀 {prefix} 下没有类型为 {type!r}、值为 {value!r} 的标识。",
    ),
    "state.done": ("{handle} is {state} now", "{handle} 现为 {state}"),
    "audit.whole": ("The log is whole: {number} acts. Head: {head}", "日志完整，共 {number} 条。末端摘要：{head}"),
    "audit.changed": ("act {number} was edited, or one before it was replaced", "第 {number} 条被修改或替换"),
    "audit.missing": ("act {number} is missing", "第 {number} 条缺失"),
    "audit.inserted": ("a row was inserted at {number}", "第 {number} 条处被插入记录"),
    "audit.cut": ("the log should reach act {number} and does not", "日志应有第 {number} 条，但已被截去"),
    "audit.other": (
        "the log was written anew: act {number} is another than before",
        "日志被重写：第 {number} 条与此前不同",
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
        "who registers? Give a token in FILAMENT_TOKEN, or --identity, and the secret by --secret-file or "
        "FILAMENT_SECRET; the operator may use --direct",
        "缺少登记者身份：请在 FILAMENT_TOKEN 中提供令牌，或用 --identity 指定，并用 --secret-file 或 FILAMENT_SECRET "
        "提供密钥；运营者可用 --direct",
    ),
    "register.plain": (
        "a secret is not sent over plain HTTP; write https:// in --url",
        "不会通过明文 HTTP 发送密钥，请在 --url 中使用 https://",
    ),
    "load.form": (
        "what is {path}? Give --form ndjson, csv or xlsx",
        "无法判断 {path} 的格式，请用 --form 指定 ndjson、csv 或 xlsx",
    ),
    "load.progress": ("Loading {source}", "导入 {source}"),
    "load.refused": (
        "rows refused: {count}; they are in {path} with the reasons",
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
}
