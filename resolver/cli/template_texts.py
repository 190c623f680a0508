"""What `filament template` and `filament suffix` say."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "template": (
        "Templates: what values a class of objects has, and what they may say.",
        "数据模板：一类对象有哪些值，各值如何填写。",
    ),
    "template.list": (
        "List the templates: the node's own library and what enterprises have published.",
        "列出模板：内置模板库和各企业已发布的模板。",
    ),
    "template.list.prefix": ("Only those of this prefix, drafts too.", "只列出该前缀的模板（含草稿）。"),
    "template.show": (
        "Show a version of a template (owner/name@version); with --output json as a file that can be saved.",
        "显示模板的一个版本（所有者/名称@版本）；--output json 输出可再次保存的文件。",
    ),
    "template.save": (
        "Save a file as the draft of a template's next version; - is standard input.",
        "将文件保存为模板下一版本的草稿，- 表示标准输入。",
    ),
    "template.publish": (
        "Publish a draft: from then on it never changes.",
        "发布草稿，发布后不可更改。",
    ),
    "template.deprecate": (
        "Deprecate a version: it takes no new handles, and those there go on fitting it.",
        "停用一个版本：不再用于新标识，已有标识不受影响。",
    ),
    "suffix": ("Suffixes: rules for them, and how the node makes them.", "后缀：编码规则与由节点生成的方式。"),
    "suffix.rules": (
        "Show the rules for new suffixes of a prefix, or set those of a file after trying their samples.",
        "显示前缀的后缀编码规则；给出文件时检验样例后设置规则。",
    ),
    "suffix.minters": (
        "Show how suffixes of a prefix are made, or set that from a file.",
        "显示前缀的后缀生成规则；给出文件时设置规则。",
    ),
    "suffix.reserve": (
        "Reserve suffixes that nobody else gets: for a line that is offline.",
        "预留后缀号段，供离线产线使用。",
    ),
    "suffix.line": ("The line that they are for.", "所用产线。"),
    "suffix.day": ("The day that they are for; today, in China.", "所用日期，默认为今天（北京时间）。"),
    "suffix.count": ("How many.", "数量。"),
    "suffix.blocks": ("List the blocks that were reserved.", "列出已预留的号段。"),
}

MESSAGES: Final[Catalogue] = {
    "template.saved": (
        "{template} is saved as a draft; `filament template publish {template}` publishes it",
        "{template} 已保存为草稿；发布请执行 filament template publish {template}",
    ),
    "template.moved": ("{template} is {state}", "{template} 的状态已改为 {state}"),
    "template.name": ("{name!r}: {rule}", "{name!r} 不是模板名称，请写成 所有者/名称@版本（{rule}）"),
    "suffix.rules": ("{prefix}: {count} rules for new suffixes", "{prefix}：新后缀有 {count} 条编码规则"),
    "suffix.minters": ("{prefix}: {count} ways to make suffixes", "{prefix}：有 {count} 条后缀生成规则"),
}

COLUMNS: Final[Catalogue] = {
    "template": ("Template", "模板"),
    "levels": ("GB/T 4754", "行业代码"),
    "kind": ("Kind", "类别"),
    "required": ("Required", "必填"),
    "unit": ("Unit", "单位"),
    "rule": ("Rule", "规则"),
    "pattern": ("Pattern", "格式"),
    "check": ("Check", "校验"),
    "templates": ("Templates", "必用模板"),
    "accepted": ("Fit", "符合的样例"),
    "refused_samples": ("Do not fit", "不符合的样例"),
    "layout": ("Layout", "编码结构"),
    "width": ("Width", "位数"),
    "radix": ("Base", "进制"),
    "suffix": ("Suffix", "后缀"),
    "minter": ("Minter", "生成规则"),
    "line": ("Line", "产线"),
    "day": ("Day", "日期"),
    "first": ("First", "起始"),
    "last": ("Last", "截止"),
    "count": ("Count", "数量"),
    "reserved_by": ("By", "操作者"),
}
