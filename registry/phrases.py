"""The phrases that refusals give as the rule of a field or a parameter, in Chinese; in English they stand where they
are said.

An ellipsis stands for what is filled in, and a number in braces for it in the Chinese. A test finds every phrase that
the programs say and none of which stands here.
"""

import re
from functools import lru_cache
from typing import Final

CHINESE: Final = {
    # What msgspec says of JSON that is not as its form has it.
    "Expected …, got …": "应为 {0}，实际为 {1}",
    "Expected … of length >= …": "{0} 长度应不小于 {1}",
    "Expected … of length <= …": "{0} 长度应不大于 {1}",
    "Expected … >= …": "应为不小于 {1} 的 {0}",
    "Expected … <= …": "应为不大于 {1} 的 {0}",
    "Expected … > …": "应为大于 {1} 的 {0}",
    "Expected … < …": "应为小于 {1} 的 {0}",
    "Expected … matching regex …": "{0} 应符合 {1}",
    "Invalid enum value …": "{0} 不是可选的值",
    "Invalid value …": "{0} 不是可选的值",
    "JSON is malformed: … (byte …)": "JSON 格式有误：{0}（第 {1} 字节）",
    "Input data was truncated": "数据不完整",
    "line …: …": "第 {0} 行：{1}",
    # Presence, counts and bounds.
    "is missing": "缺少",
    "is not taken from an archive": "不从归档中导入",
    "is empty": "为空",
    "is there twice": "重复出现",
    "… is there twice": "{0} 重复出现",
    "is over": "已过去",
    "is to come": "尚未到来",
    "is at most … at random": "随机时最多 {0} 个",
    "is more than …": "超过 {0}",
    "has more than …": "超过 {0} 个",
    "names more than …": "超过 {0} 个",
    "are at most …": "最多 {0} 个",
    "a prefix has at most …": "一个前缀最多 {0} 个",
    "at most … columns are read": "最多读取 {0} 列",
    "is not between … and …": "应在 {0} 到 {1} 之间",
    "index … is not between … and …": "索引 {0} 应在 {1} 到 {2} 之间",
    "index … is there twice": "索引 {0} 重复出现",
    "must be … to …": "应为 {0} 到 {1}",
    "must be … to … characters that can be shown": "应为 {0} 到 {1} 个可显示的字符",
    "must be at most … characters that can be shown": "应不超过 {0} 个可显示的字符",
    "must be … to … printable ASCII characters": "应为 {0} 到 {1} 个可打印的 ASCII 字符",
    "must have … to … octets": "应为 {0} 到 {1} 个字节",
    "has … to … operations": "应有 {0} 到 {1} 项操作",
    "leads to more than … rows: ask for a shorter time": "结果超过 {0} 行，请缩短时间范围",
    "is none of …": "应为以下之一：{0}",
    "is not one of: …": "应为以下之一：{0}",
    "is none of …, with which this node signs": "应为本节点可用的签名方式之一：{0}",
    # Kinds of values.
    "is no number": "不是数字",
    "is no text": "不是文本",
    "is no object": "不是 JSON 对象",
    "is no array of handles": "不是标识数组",
    "is no version": "不是版本号",
    "is no state": "不是状态",
    "is not its state": "与其状态不符",
    "is out of order": "顺序不对",
    "is no step": "不是可执行的步骤",
    "is no time as ISO 8601 writes it": "不是 ISO 8601 格式的时间",
    "is no date or time as ISO 8601 writes it": "不是 ISO 8601 格式的日期或时间",
    "is no date as RFC 3339 writes it": "不是 RFC 3339 格式的日期",
    "is no NUMBER:DIGEST": "不是“编号:摘要”",
    "is no web address to be printed": "不是可打印的网址",
    "is no handle: write prefix/suffix": "不是标识，应写作“前缀/后缀”",
    "is not UTF-8": "不是 UTF-8 文本",
    "is printable ASCII": "应为可打印的 ASCII 字符",
    "is neither true nor false": "应为 true 或 false",
    "is neither true, false nor …": "应为 true、false 或 {0}",
    "is neither backward nor forward": "应为 backward 或 forward",
    "is not day: sources are counted by day": "应为 day：来源按天统计",
    "is none that this feed gave": "不是本变更流给出的游标",
    "is none that this walk gave": "不是本次追溯给出的游标",
    "is older than the log: begin anew with an export": "早于日志保留期，请重新导出后再订阅",
    "is of another history of the database: begin anew with an export": "属于数据库的另一段历史，请重新导出后再订阅",
    "… is not between 1970 and 2106": "{0} 应在 1970 年到 2106 年之间",
    "holds the character U+0000": "含有字符 U+0000",
    "holds a character that cannot be shown": "含有不可显示的字符",
    "can be shown": "应可显示",
    "the type is written in capitals": "类型应大写",
    "data format … is none of …": "数据格式 {0} 应为以下之一：{1}",
    "format …: …": "格式 {0}：{1}",
    "no …: …": "不是 {0}：{1}",
    "permissions …": "权限 {0}",
    "reference … has no index between 0 and …": "引用 {0} 的索引应在 0 到 {1} 之间",
    "no signed claims: …": "不是已签名的声明：{0}",
    "a certificate without a public key": "证书中没有公钥",
    # Requests.
    "name handles, or the first and the last": "请给出标识，或首尾两个标识",
    "names no handle": "没有给出标识",
    "names no host": "没有主机名",
    "is for one handle at a time": "一次只能用于一个标识",
    "makes the whole suffix": "由规则生成整个后缀，不能另给后缀",
    "is needed for this state": "该状态需要填写",
    "is needed with …: …": "给出 {0} 时必须填写：{1}",
    "is of no use in this state": "在该状态下无意义",
    "is needed by minter …": "生成规则 {0} 需要填写",
    "is published or deprecated": "应为 published 或 deprecated",
    # Tables.
    "the file is empty": "文件为空",
    "the sheet is empty": "工作表为空",
    "the header row never ends": "表头行没有结束",
    "no column names a type of values": "没有列给出值的类型",
    "… is no type of a value": "{0} 不是值的类型",
    "one column must be named handle or 标识; … are": "应有且只有一列名为 handle 或 标识，实际有 {0} 列",
    "names … to … columns of at most … characters": "应有 {0} 到 {1} 列，列名不超过 {2} 个字符",
    "… cannot be converted into …": "{0} 不能换算为 {1}",
    "it is no ZIP archive: …": "不是 ZIP 压缩包（{0}）",
    "the archive holds no workbook": "压缩包中没有工作簿",
    "the archive is damaged: …": "压缩包已损坏（{0}）",
    "it has no visible sheet": "没有可见的工作表",
    "it has a document type, which no workbook needs": "含有工作簿不需要的文档类型声明",
    "more than … parts": "超过 {0} 个部分",
    "more than … texts": "超过 {0} 个文本",
    "part … is missing": "缺少部分 {0}",
    "part … unpacks from … to … octets": "部分 {0} 从 {1} 字节解压为 {2} 字节",
    "cell … is out of place in row …": "第 {1} 行的单元格 {0} 位置不对",
    "an XML tag of more than … octets": "XML 标签超过 {0} 字节",
    "XML: …": "XML 有误（{0}）",
    # Credentials.
    "scheme … is none of Basic, Bearer and Handle": "方案 {0} 应为 Basic、Bearer 或 Handle",
    "there is no token": "没有令牌",
    "the credentials are not base64": "凭据不是 base64",
    "the identity is not UTF-8": "身份不是 UTF-8 文本",
    "no ':' between identity and password": "身份与密码之间缺少 ':'",
    "no parameter at position …": "位置 {0} 处没有参数",
    "cnonce is not base64": "cnonce 不是 base64",
    "… is not base64": "{0} 不是 base64",
    "… is missing or no text": "缺少 {0}，或其不是文本",
    "… is no number": "{0} 不是数字",
    "… stands there twice": "{0} 重复出现",
    "it did not answer a moment ago": "刚才没有应答",
    "what it says of itself is not of this issuer": "其自述与该签发方不符",
    "sub names nobody": "sub 没有指明用户",
    "the log-in was not begun here, is over or took too long": "登录不是在此处开始的，或已结束、超时",
    "a detached signature is written header..signature": "分离签名应写作 header..signature",
    "the header does not say when": "头部没有写明时间",
    "the header is no object": "头部不是对象",
    "the values are not those of the leaf": "值与叶子不符",
    # Templates and suffixes.
    "names in Chinese (zh) and English (en) have … to … characters": "中文（zh）和英文（en）名称应为 {0} 到 {1} 个字符",
    "has … to … attributes": "应有 {0} 到 {1} 个属性",
    "is the type of another attribute": "与另一属性的类型相同",
    "is the index of another attribute": "与另一属性的索引相同",
    "is … to …, but neither of …": "应为 {0} 到 {1}，且不是 {2}",
    "has … to … octets that can be shown, and is no type of the protocol's own": "应为 {0} 到 {1} 个可显示的字节，"
    "且不是协议自身的类型",
    "is for numbers alone": "只用于数字",
    "is for references alone": "只用于引用",
    "is for strings alone": "只用于字符串",
    "is no less than min_length, and at least 1": "应不小于 min_length，且至少为 1",
    "is more than the maximum": "大于最大值",
    "are … to … of an enumeration, and of nothing else": "枚举应有 {0} 到 {1} 个选项，其他类型没有选项",
    "have … to … characters, each other ones": "应为 {0} 到 {1} 个字符，且互不相同",
    "bounds numbers by numbers, dates and times by ISO 8601, and nothing else": "数字以数字为界，"
    "日期和时间以 ISO 8601 为界，其他类型没有界限",
    "is not owner/name@version, the name of small letters, digits and '-'": "应为“所有者/名称@版本”，"
    "名称由小写字母、数字和 '-' 组成",
    "is owner/name without a version, or '*'": "应为不带版本的“所有者/名称”，或 '*'",
    "names no template that is here": "没有这个模板",
    "has a pattern, a check or templates": "应有 pattern、check 或 templates",
    "is what the rule accepts": "规则接受该样例",
    "is not what the rule accepts": "规则不接受该样例",
    "has … to … small letters, digits and '-'": "应为 {0} 到 {1} 个小写字母、数字或 '-'",
    "has … to … letters, digits, '_', '-' and '.'": "应为 {0} 到 {1} 个字母、数字、'_'、'-' 或 '.'",
    "is the name of another one": "与另一条同名",
    "makes the suffixes of another one": "会生成与另一条相同的后缀",
    "has {serial} or {random}, and no part twice": "应有 {{serial}} 或 {{random}}，且各部分不重复",
    "ends in {check} if there is a check": "有校验时应以 {{check}} 结尾",
    "holds a '{' or '}' that is none of its parts, or is too long": "含有不属于任何部分的 '{{' 或 '}}'，或过长",
    "is two to four digits of GB/T 4754, perhaps behind the letter of the section": "应为 GB/T 4754 的二到四位数字，"
    "前面可加门类字母",
    "has no section: there is no division … in GB/T 4754-2017": "没有对应门类：GB/T 4754-2017 中没有大类 {0}",
    "is of section …, not …": "属于门类 {0}，不是 {1}",
    # Patterns.
    "has more than … characters": "超过 {0} 个字符",
    "has groups more than … deep": "分组嵌套超过 {0} 层",
    "')' at … closes nothing": "第 {0} 位的 ')' 没有对应的 '('",
    "'(?' at … is not known": "第 {0} 位的 '(?' 不受支持",
    "'(' at … is not closed": "第 {0} 位的 '(' 没有闭合",
    "the group at … is repeated; only characters and classes may be": "第 {0} 位的分组带有重复；"
    "只有字符和字符类可以重复",
    "… at … is more than … times": "第 {1} 位的 {0} 超过 {2} 次",
    "… at … is from more to fewer": "第 {1} 位的 {0} 上限小于下限",
    "… at … repeats a repetition": "第 {1} 位的 {0} 对重复再次重复",
    "… at … cannot be read; write … for itself": "第 {1} 位的 {0} 无法识别；表示其本身请写 {2}",
}
MAX_READ: Final = 300  # Characters of a phrase that is looked for; a longer one is said as it is.


def _read(english: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(map(re.escape, english.split("…"))), re.DOTALL)


# What leaves more open is tried later, so that "is none of …" takes nothing that another phrase says more exactly.
_PHRASES: Final = [
    (_read(english), chinese) for english, chinese in sorted(CHINESE.items(), key=lambda one: -len(one[0]))
]


@lru_cache(maxsize=1024)
def in_chinese(phrase: str) -> str:
    """A phrase in Chinese; as it is where it is none of these."""
    if len(phrase) <= MAX_READ:
        for read, chinese in _PHRASES:
            if (found := read.fullmatch(phrase)) is not None:
                return chinese.format(*found.groups())
    return phrase
