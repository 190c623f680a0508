"""What `filament range` says, in English and Chinese; part of `texts`."""

from typing import Final

Texts = dict[str, tuple[str, str]]

HELP: Final[Texts] = {
    "range": (
        "Ranges: neighbouring identifiers that end in serial numbers, registered as one.",
        "号段：将连续编号的标识作为一个整体登记。",
    ),
    "range.add": (
        "Register a range from its first identifier on. In values, {{position}}, {{serial}} and {{suffix}} stand for "
        "the place, the serial number and the suffix of each.",
        "自首个标识起登记一个号段。值中的 {{position}}、{{serial}}、{{suffix}} 代表各标识的位置、序列号和后缀。",
    ),
    "range.members": ("How many identifiers.", "标识数量。"),
    "range.width": ("Digits of the serial number; all at the end.", "序列号位数；默认为末尾的全部数字。"),
    "range.base36": ("Serial numbers of digits and capital letters.", "序列号由数字和大写字母组成（36 进制）。"),
    "range.list": ("Show the ranges of a prefix.", "列出某前缀下的号段。"),
    "range.show": ("Show the range that an identifier is in.", "显示标识所属的号段。"),
    "range.change": (
        "Give all identifiers of a range other values, but those that were changed singly.",
        "修改号段内全部标识的值；已单独修改过的标识不受影响。",
    ),
    "range.delete": (
        "Delete all identifiers of a range, but those that were changed singly.",
        "删除号段内的全部标识；已单独修改过的标识保留。",
    ),
}

MESSAGES: Final[Texts] = {
    "range.width": (
        "{handle} does not end in a digit; --base36 takes capital letters too",
        "{handle} 的末尾不是数字；加 --base36 可使用大写字母",
    ),
    "range.added": (
        "{members:,} identifiers from {handle} on are registered.",
        "已登记自 {handle} 起的 {members:,} 个标识。",
    ),
    "range.changed": ("The range from {handle} on is changed.", "已修改自 {handle} 起的号段。"),
    "range.deleted": ("The range from {handle} on is deleted.", "已删除自 {handle} 起的号段。"),
}

COLUMNS: Final[Texts] = {
    "first": ("First", "首个标识"),
    "last": ("Last", "末个标识"),
    "members": ("Identifiers", "标识数"),
    "version": ("Version", "版本"),
    "position": ("Position", "位置"),
}
