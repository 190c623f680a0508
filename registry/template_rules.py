"""What refusals say of templates, and of how suffixes are made."""

from registry.language import Catalogue

RULES: Catalogue = {
    "template.unknown": (
        "value {index}: template {template!r} is not published here",
        "索引 {index}：模板 {template!r} 未在本节点发布",
    ),
    "template.deprecated": (
        "value {index}: template {template!r} is deprecated and takes no new handles",
        "索引 {index}：模板 {template!r} 已停用，不能用于新标识",
    ),
    "template.too_many": (
        "value {index}: a load names at most {limit} templates",
        "索引 {index}：一次导入最多使用 {limit} 个模板",
    ),
    "template.compulsory": (
        "a value of type {type} is missing, at index {index}: handles like this name one of the templates {templates}",
        "缺少类型为 {type} 的值（索引 {index}）：此类标识必须使用以下模板之一：{templates}",
    ),
    "template.required": (
        "template {template!r} needs a value of type {type}: {en} ({zh})",
        "模板 {template!r} 要求填写类型为 {type} 的值：{zh}（{en}）",
    ),
    "template.text": ("value {index} of type {type} is not UTF-8", "索引 {index}（类型 {type}）不是 UTF-8 文本"),
    "template.length": (
        "value {index} of type {type} has {length} characters, not {least} to {most}: {value!r}",
        "索引 {index}（类型 {type}）长 {length} 个字符，应为 {least} 到 {most}：{value!r}",
    ),
    "template.pattern": (
        "value {index} of type {type} does not fit {pattern!r}: {value!r}",
        "索引 {index}（类型 {type}）不符合格式 {pattern!r}：{value!r}",
    ),
    "template.number": (
        "value {index} of type {type} is no number: {value!r}",
        "索引 {index}（类型 {type}）不是数字：{value!r}",
    ),
    "template.range": (
        "value {index} of type {type} is not between {least} and {most} {unit}: {value!r}",
        "索引 {index}（类型 {type}）不在 {least} 到 {most} {unit} 之间：{value!r}",
    ),
    "template.date": (
        "value {index} of type {type} is no date as 2026-01-31: {value!r}",
        "索引 {index}（类型 {type}）不是日期（如 2026-01-31）：{value!r}",
    ),
    "template.time": (
        "value {index} of type {type} is no time as 2026-01-31T08:00:00+08:00: {value!r}",
        "索引 {index}（类型 {type}）不是时间（如 2026-01-31T08:00:00+08:00）：{value!r}",
    ),
    "template.option": (
        "value {index} of type {type} is none of {options}: {value!r}",
        "索引 {index}（类型 {type}）不在可选值 {options} 之中：{value!r}",
    ),
    "template.json": (
        "value {index} of type {type} is not JSON: {reason}",
        "索引 {index}（类型 {type}）不是 JSON：{reason}",
    ),
    "template.reference": (
        "value {index} of type {type} names no identifier: {name!r}",
        "索引 {index}（类型 {type}）不是标识：{name!r}",
    ),
    "template.references": (
        "value {index} of type {type} names more than {limit} identifiers",
        "索引 {index}（类型 {type}）引用的标识超过 {limit} 个",
    ),
    "template.url": (
        "value {index} of type {type} is no address of http or https: {value!r}",
        "索引 {index}（类型 {type}）不是 http 或 https 地址：{value!r}",
    ),
    "template.digest": (
        "value {index} of type {type} is no algorithm:hex with one of {algorithms}: {value!r}",
        "索引 {index}（类型 {type}）不是“算法：十六进制”摘要，可用算法 {algorithms}：{value!r}",
    ),
    "template.not_found": ("there is no template {template!r}", "没有模板 {template!r}"),
    "template.state": ("template {template!r} is {state}", "模板 {template!r} 的状态为 {state}"),
    "suffix.rule": (
        "suffix {suffix!r} fits none of the rules of its prefix: {rules}",
        "后缀 {suffix!r} 不符合该前缀的任何一条编码规则：{rules}",
    ),
    "suffix.check": (
        "suffix {suffix!r} should end in the check character {expected!r} ({check})",
        "后缀 {suffix!r} 的校验字符应为 {expected!r}（{check}）",
    ),
    "minter.not_found": (
        "prefix {prefix!r} has no minter {minter!r}",
        "前缀 {prefix!r} 没有编码生成规则 {minter!r}",
    ),
    "minter.exhausted": (
        "minter {minter!r} ends at serial {last}; {left} are left",
        "编码生成规则 {minter!r} 的最大序号为 {last}，剩余 {left} 个",
    ),
}
