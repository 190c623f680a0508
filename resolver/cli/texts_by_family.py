"""Texts of single families of commands, beside those that all share in `texts`: statistics, webhooks,
chains of links."""

from typing import Final

from registry.language import Catalogue
from resolver.cli import texts_of_labels as of_labels

HELP: Final[Catalogue] = {
    **of_labels.HELP,
    "stats": (
        "Show how many identifiers were asked for here, and how many had content to show; today, if nothing is said.",
        "统计本节点的解析请求数与成功数，默认为今天。",
    ),
    "stats.by": ("What to tell apart.", "统计维度：前缀、协议、编码体系或来源。"),
    "stats.per": ("Period of each row; sources are counted by day.", "统计周期；来源只按天统计。"),
    "stats.prefix": ("Only this prefix.", "只统计该前缀。"),
    "stats.from": ("Date or time at which to begin, in China.", "起始日期或时间（北京时间）。"),
    "stats.to": ("Date or time before which to end, in China.", "截止日期或时间（北京时间，不含）。"),
    "stats.busiest": ("The busiest second of each day instead.", "改为显示每天解析量最大的一秒。"),
    "webhook": (
        "Have what becomes of identifiers sent to an address, signed and in order.",
        "将标识变更按顺序、带签名地推送到指定地址（webhook）。",
    ),
    "webhook.add": (
        "Send the changes of a prefix to an address. The secret of the signatures is shown once.",
        "将某前缀的变更推送到指定地址；签名密钥仅显示一次。",
    ),
    "webhook.prefix": ("Only this prefix; otherwise all of them.", "只涉及该前缀，默认为全部。"),
    "webhook.from": (
        "Place in the feed to begin at: a cursor, oldest or now.",
        "起始位置：游标、oldest（最早）或 now（现在）。",
    ),
    "webhook.list": ("Webhooks, and how far each has heard.", "列出 webhook 及其投递进度。"),
    "webhook.remove": (
        "Send nothing more, and forget what could not be sent.",
        "取消订阅，并丢弃未送达的消息。",
    ),
    "webhook.replay": (
        "Send again, and go on where it was stopped.",
        "重新投递；已停止的订阅随之恢复。",
    ),
    "webhook.replay_from": ("From this place in the feed on.", "从该位置开始重新投递。"),
    "webhook.dead_letters": (
        "The messages that were given up, too.",
        "同时重新投递曾放弃的消息（死信）。",
    ),
    "trace": (
        "Show what a thing came from, or what came of it, along the links of handles.",
        "沿标识间的关联追溯来源或追踪去向。",
    ),
    "trace.direction": (
        "backward, to what it came from; forward, to what came of it.",
        "backward 向上追溯来源，forward 向下追踪去向。",
    ),
    "trace.depth": ("Levels.", "层数。"),
    "trace.follow": ("Only along these links; may be repeated.", "只沿这种关联，可重复。"),
    "trace.limit": ("Handles shown.", "显示的标识数。"),
    "recall": (
        "List everything that came of a batch, as CSV: what is to be called back.",
        "列出某批次的全部去向（CSV），用于召回。",
    ),
    "recall.field": (
        "Type of a value to be shown beside each handle; may be repeated.",
        "每个标识同时列出的值类型，可重复。",
    ),
    "recall.file": ("Where to write; otherwise standard output.", "输出文件，默认标准输出。"),
}

MESSAGES: Final[Catalogue] = {
    "trace.more": ("There are more than {count}.", "还有更多，仅显示前 {count} 个。"),
    "trace.stopped": ("The links lead further ({bound}).", "关联尚未走完（限制：{bound}）。"),
    "recall.done": ("{count} identifiers.", "共 {count} 个标识。"),
    **of_labels.MESSAGES,
    "webhook.removed": ("Webhook {number} is removed.", "已取消 webhook {number}。"),
    "webhook.replayed": ("Webhook {number} is sent again from {cursor}.", "webhook {number} 将从 {cursor} 重新投递。"),
}

COLUMNS: Final[Catalogue] = {
    "level": ("Level", "层级"),
    "relation": ("Link", "关系"),
    "via": ("By way of", "经由"),
    "number": ("Number", "编号"),
    "url": ("Address", "地址"),
    "secret": ("Secret", "密钥"),
    "cursor": ("Heard up to", "已投递至"),
    "stopped": ("Stopped", "已停止"),
    "failures": ("Failures", "连续失败"),
    "failure": ("Why", "失败原因"),
    "dead_letters": ("Given up", "死信"),
}
