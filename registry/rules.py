"""What refusals say, in English and Chinese: the rule that was broken, with the culprit's place in the sentence."""

from registry import (
    access_rules,
    elsewhere_rules,
    enterprise_rules,
    job_rules,
    snms_rules,
    template_rules,
    trust_rules,
)
from registry.language import Catalogue
from registry.scheme_rules import SCHEME_RULES

RULES: Catalogue = {
    **access_rules.RULES,
    **trust_rules.RULES,
    **enterprise_rules.RULES,
    **elsewhere_rules.RULES,
    **template_rules.RULES,
    **job_rules.RULES,
    **snms_rules.RULES,
    **SCHEME_RULES,
    "handle.empty": ("Empty handle invalid", "标识不能为空"),
    "handle.too_long": (
        "handle of {octets} octets; at most {limit} are allowed",
        "标识长 {octets} 字节，最多 {limit} 字节",
    ),
    "handle.prefix_empty": ("handle {handle!r} has no prefix before the '/'", "标识 {handle!r} 的“/”前没有前缀"),
    "handle.suffix_empty": ("handle {handle!r} has no suffix after the '/'", "标识 {handle!r} 的“/”后没有后缀"),
    "handle.not_utf8": ("Invalid UTF8 encoding", "不是有效的 UTF-8 编码"),
    "handle.not_nfc": (
        "handle {handle!r} is not in Unicode normalization form C",
        "标识 {handle!r} 不是 Unicode NFC 规范形式",
    ),
    "handle.control_character": (
        "handle {handle!r} holds the control character U+{point:04X} at position {position}",
        "标识 {handle!r} 第 {position} 位是控制字符 U+{point:04X}",
    ),
    "prefix.national": (
        "prefix {prefix!r} is no national prefix: {rule}",
        "前缀 {prefix!r} 不符合国家编码规则：{rule}",
    ),
    "prefix.syntax": (
        "prefix {prefix!r} may only hold letters, digits, '-', '_' and single dots between them",
        "前缀 {prefix!r} 只能由字母、数字、“-”、“_”和中间的单个“.”组成",
    ),
    "prefix.not_homed": ("That prefix doesn't live here", "该前缀不在本节点"),
    "prefix.exists": ("prefix {prefix!r} is already homed here", "前缀 {prefix!r} 已在本节点"),
    "prefix.handle": ("{handle!r} is not the handle of a prefix", "{handle!r} 不是前缀的标识"),
    "prefix.reserved": ("prefix {prefix!r} belongs to the node itself", "前缀 {prefix!r} 属于节点自身"),
    "prefix.suspended": (
        "the enterprise of prefix {prefix!r} is suspended: nothing is registered or changed",
        "前缀 {prefix!r} 所属企业已被暂停，不能注册或修改",
    ),
    "prefix.in_use": (
        "prefix {prefix!r} cannot be taken back: its enterprise is {state}, {handles} handles are registered under it",
        "前缀 {prefix!r} 不能回收：所属企业状态为 {state}，其下仍有 {handles} 个标识",
    ),
    "prefix.not_granted": ("prefix {prefix!r} is nobody's", "前缀 {prefix!r} 未分配给任何企业"),
    "list.too_long": (
        "{prefix!r} has {total} handles; at most {limit} are given at once: ask with page and pageSize",
        "{prefix!r} 下有 {total} 个标识，一次最多返回 {limit} 个，请使用 page 与 pageSize 分页",
    ),
    "range.serial": (
        "handle {handle!r} does not end in a serial number of {width} digits (radix {radix})",
        "标识 {handle!r} 的末尾不是 {width} 位（{radix} 进制）序列号",
    ),
    "range.members": (
        "{members} handles from {handle!r} on: at most {limit}, and serial numbers keep their {width} digits",
        "自 {handle!r} 起 {members} 个标识：最多 {limit} 个，且序列号不得超出 {width} 位",
    ),
    "range.exists": (
        "handle {handle!r} would be in the way of the range {first} to {last}",
        "标识 {handle!r} 与已登记的号段 {first} 至 {last} 重叠",
    ),
    "range.not_found": ("handle {handle!r} is in no range", "标识 {handle!r} 不属于任何号段"),
    "range.signed": (
        "value {index} is signed; values of a range are computed and cannot be",
        "索引 {index} 为签名或证书；号段的值由系统计算，不能签名",
    ),
    "handle.not_found": ("handle {handle!r} is not registered", "标识 {handle!r} 未注册"),
    "handle.exists": ("handle {handle!r} is already registered", "标识 {handle!r} 已注册"),
    "values.not_found": ("handle {handle!r} has no value at index {index}", "标识 {handle!r} 没有索引为 {index} 的值"),
    "value.exists": ("Index conflict for {index}", "索引 {index} 冲突"),
    "value.none": ("no values are given", "没有给出任何值"),
    "value.index": ("Value indexes must be positive", "值的索引必须是正整数"),
    "value.index_range": ("index {index} is not between 1 and {limit}", "索引 {index} 不在 1 到 {limit} 之间"),
    "value.too_many": ("{count} values; a handle has at most {limit}", "共 {count} 个值，一个标识最多 {limit} 个"),
    "value.too_long": (
        "value {index} has {octets} octets of data; at most {limit} are allowed",
        "索引 {index} 的值长 {octets} 字节，最多 {limit} 字节",
    ),
    "value.type": ("value {index}: type {type!r} {rule}", "索引 {index}：类型 {type!r} {rule}"),
    "value.data": ("value {index} of type {type}: {rule}", "索引 {index}（类型 {type}）：{rule}"),
    "alias.circle": (
        "{handle!r} cannot stand for {target!r}, which leads back to it",
        "{handle!r} 不能指向 {target!r}：会形成循环",
    ),
    "alias.too_many": (
        "{handle!r} is more than {limit} aliases away from a record",
        "{handle!r} 经过超过 {limit} 次别名仍未到达记录",
    ),
    "claims.too_many": (
        "value {index} is one of more than {limit} signatures and certificates written at once",
        "索引 {index}：一次写入的签名和证书超过 {limit} 个",
    ),
    "claims.chain": (
        "value {index}: a chain of {links} certificates, at most {limit} are followed",
        "索引 {index}：信任链有 {links} 级，最多 {limit} 级",
    ),
    "claims.subject": ("value {index}: {claim} is about {subject!r}", "索引 {index}：{claim} 声明的对象是 {subject!r}"),
    "claims.expired": ("value {index}: {claim} has expired", "索引 {index}：{claim} 已过期"),
    "claims.signature": (
        "value {index}: {claim} is not signed by {issuer}",
        "索引 {index}：{claim} 不是由 {issuer} 签名的",
    ),
    "claims.digest": (
        "value {index}: value {signed} is not what was signed",
        "索引 {index}：索引 {signed} 的值与签名时不一致",
    ),
    "claims.key": (
        "value {index}: {claim} is about another key of {issuer}",
        "索引 {index}：{claim} 证明的不是 {issuer} 现在的密钥",
    ),
    "claims.permissions_many": (
        "value {index}: {count} permissions, at most {limit} are allowed",
        "索引 {index}：{count} 项权限，最多 {limit} 项",
    ),
    "claims.permissions": (
        "value {index}: {issuer} claims more than {claim} permits",
        "索引 {index}：{issuer} 的声明超出 {claim} 授予的权限",
    ),
    "record.too_long": (
        "the record has {octets} octets; a message carries at most {limit}",
        "记录长 {octets} 字节，一条消息最多 {limit} 字节",
    ),
    "batch.too_many": (
        "more than {limit} handles; ask for them in several requests",
        "标识超过 {limit} 个，请分多次请求",
    ),
    "json.syntax": ("the body is not JSON: {reason}", "请求体不是 JSON：{reason}"),
    "json.missing": ("{path} is missing", "缺少 {path}"),
    "json.unknown_field": ("there is no field {path} here", "此处没有 {path} 这一字段"),
    "json.field": ("{path}: {rule}, got {value}", "{path}：{rule}，实际为 {value}"),
    "json.handle_mismatch": (
        "the body names handle {body!r}, the address {address!r}",
        "请求体中的标识 {body!r} 与地址中的 {address!r} 不一致",
    ),
    "json.index_mismatch": (
        "the indexes in the address and in the body differ: {address} and {body}",
        "地址中的索引 {address} 与请求体中的 {body} 不一致",
    ),
    "http.media_type": ("Unsupported media type {media_type}", "不支持的媒体类型 {media_type}"),
    "http.percent_encoding": (
        "{target!r} holds an incomplete percent-encoding at position {position}",
        "{target!r} 第 {position} 位的百分号编码不完整",
    ),
    "search.not_declared": (
        "handles of {prefix!r} are not found by values of type {type!r}, but of: {types}",
        "前缀 {prefix!r} 的标识不能按类型 {type!r} 的值检索，可检索的类型：{types}",
    ),
    "link.circle": (
        "the links of {handle!r} lead back to it",
        "{handle!r} 的关联形成循环，最终指回自身",
    ),
    "link.too_far": (
        "the links of {handle!r} lead to more than {limit} handles, so that they cannot be checked for circles",
        "{handle!r} 的关联涉及超过 {limit} 个标识，无法检查是否形成循环",
    ),
    "link.not_all": (
        "the links of {handle!r} lead further than can be listed at once ({bound}, after {count} handles)",
        "{handle!r} 的关联范围过大，无法一次列出（限制：{bound}，已列 {count} 个）",
    ),
    "transfer.held": (
        "the handle was handed over to another enterprise, which changes it singly",
        "该标识已移交给另一企业，只能由其逐个修改",
    ),
    "transfer.not_held": ("{handle!r} is not the giver's to give", "{handle!r} 不归转出方所有"),
    "transfer.not_found": ("there is no transfer {transfer}", "没有编号为 {transfer} 的转移"),
    "transfer.decided": ("transfer {transfer} is decided already", "编号为 {transfer} 的转移已有结论"),
    "transfer.same": ("{prefix!r} cannot give to itself", "{prefix!r} 不能转移给自己"),
    "transfer.note": ("a note has at most {limit} characters that can be shown", "备注最多 {limit} 个可显示的字符"),
    "transfer.one_prefix": (
        "handles of one prefix are handed over at a time, and no prefixes; {handle!r} is not alone",
        "每次只能转移同一前缀的标识，且不能转移前缀本身：{handle!r}",
    ),
    "webhook.url": (
        "{url!r} is no address for a webhook: http or https with a host, without user and fragment, {limit} characters",
        "{url!r} 不能用作 webhook 地址：须为带主机名的 http 或 https，不含用户名和片段，不超过 {limit} 个字符",
    ),
    "webhook.address": (
        "{address} is not public; the setting webhook_networks names networks that webhooks may be sent into",
        "{address} 不是公网地址；可用设置 webhook_networks 指定允许的网段",
    ),
    "webhook.not_found": ("there is no webhook {webhook}", "没有编号为 {webhook} 的 webhook"),
    "webhook.too_many": (
        "a prefix has at most {limit} webhooks, and the node {of_node}",
        "每个前缀最多 {limit} 个 webhook，全节点最多 {of_node} 个",
    ),
    "http.parameter": ("parameter {name}={value!r}: {rule}", "参数 {name}={value!r}：{rule}"),
    "http.position": (
        "X-Filament-Position: {value!r} is no position that a node gave",
        "X-Filament-Position:{value!r} 不是节点给出的位置",
    ),
    "http.method": ("Unknown method {method}", "未知方法 {method}"),
    "http.endpoint": ("Unknown HTTP API endpoint {method} {path}", "未知的接口 {method} {path}"),
    "http.parameters": ("more than {limit} parameters", "参数多于 {limit} 个"),
    "http.method_of_path": ("{path} has no {method}; it has {allowed}", "{path} 不支持 {method}，支持 {allowed}"),
    "http.content_encoding": ("content encoding {encoding!r} is not accepted", "不接受内容编码 {encoding!r}"),
    "http.header_too_long": ("the request line or a header is too long", "请求行或请求头过长"),
    "http.target_too_long": (
        "the address with the query behind it has more than {limit} characters",
        "附加查询参数后的网址超过 {limit} 个字符",
    ),
    "links.no_type": (
        "{name!r} has no link of type {link_type!r}; it has: {types}",
        "{name!r} 没有类型为 {link_type!r} 的链接，可用类型：{types}",
    ),
    "links.not_found": (
        "nothing is registered for {name!r}",
        "{name!r} 没有登记任何内容",
    ),
    "http.malformed": ("the request is not HTTP: {reason}", "不是有效的 HTTP 请求：{reason}"),
    "http.body_slow": ("the body took longer than {seconds} seconds", "接收请求体超过 {seconds} 秒"),
    "http.body_too_long": ("the body is longer than {limit} octets", "请求体超过 {limit} 字节"),
    "http.too_slow": ("no octet of the body came for {seconds} seconds", "{seconds} 秒内未收到请求体数据"),
    "version.mismatch": ("the version is {current}, not {expected}", "当前版本为 {current}，不是 {expected}"),
    "write.version": (
        "handle {handle!r} is at version {version}, not at the one that was named",
        "标识 {handle!r} 当前版本为 {version}，与请求指定的版本不符",
    ),
    "write.key_reused": (
        "this Idempotency-Key was sent before with another request",
        "该 Idempotency-Key 已用于另一个不同的请求",
    ),
    "server.busy": ("the registry cannot be reached just now; try again", "暂时无法访问注册库，请稍后重试"),
    "server.disk_full": (
        "the registry's disk is full: nothing can be registered until there is room; try again later",
        "注册库磁盘已满，腾出空间前无法写入，请稍后重试",
    ),
    "server.read_only": ("the registry can only be read just now", "注册库目前只读"),
    "server.behind": (
        "the position was not reached within {seconds} seconds; try again, or ask where it was written",
        "{seconds} 秒内未追上所要求的位置，请稍后重试，或向写入所在的节点查询",
    ),
    "server.queue": ("too many requests are waiting; try again", "等待的请求过多，请稍后重试"),
    "server.overload": (
        "the node is overloaded and answers only what it holds; try again",
        "节点过载，目前只应答已缓存的标识，请稍后重试",
    ),
    "server.error": ("internal error", "内部错误"),
    "load.line_too_long": ("the row is longer than {limit} octets", "该行超过 {limit} 字节"),
    "load.quote_open": ("a quoted cell of this row never ends", "该行有未闭合的引号"),
    "load.row": ("the row cannot be read: {reason}", "无法读取该行：{reason}"),
    "load.encoding": (
        "the row is not {encoding} at character {column}",
        "该行第 {column} 个字符不是有效的 {encoding} 编码",
    ),
    "load.cells": (
        "{cells} cells in the row, {expected} in the header",
        "该行有 {cells} 个单元格，表头有 {expected} 个",
    ),
    "load.no_prefix": ("{handle!r} has no '/'; write prefix/suffix", "{handle!r} 缺少“/”，请写成 前缀/后缀"),
    "load.no_values": ("the row has a handle and no value", "该行只有标识，没有值"),
    "load.duplicate": ("line {line} has handle {handle!r} already", "标识 {handle!r} 已在第 {line} 行出现"),
    "load.may_not_write": (
        "{identity} may not load handles of prefix {prefix!r}",
        "{identity} 无权导入前缀 {prefix!r} 的标识",
    ),
    "load.formula": ("cell {cell} holds a formula; paste its result instead", "单元格 {cell} 是公式，请粘贴为数值"),
    "load.number": (
        "cell {cell} holds {shown}, a number of more than {digits} digits; format the column as text and type it again",
        "单元格 {cell} 的数字 {shown} 超过 {digits} 位，精度已丢失；请将该列设为文本后重新录入",
    ),
    "load.cell_error": ("cell {cell} shows the error {shown}", "单元格 {cell} 显示错误 {shown}"),
    "load.header": ("header, column {column}: {rule}", "表头第 {column} 列：{rule}"),
    "load.wrong_form": ("the file is {form}", "文件格式不符：{form}"),
    "load.workbook": ("the workbook cannot be read: {reason}", "无法读取工作簿：{reason}"),
    "load.not_found": ("there is no load {batch}", "没有编号为 {batch} 的导入"),
    "state.reserved": (
        "handle {handle!r} is reserved since {since} and not in use yet{why}",
        "标识 {handle!r} 自 {since} 起预留，尚未启用{why_zh}",
    ),
    "state.revoked": ("handle {handle!r} was revoked at {since}{why}", "标识 {handle!r} 已于 {since} 注销{why_zh}"),
    "state.expired": ("handle {handle!r} expired at {since}{why}", "标识 {handle!r} 已于 {since} 过期{why_zh}"),
    "state.fixed": (
        "handle {handle!r} is {state} and cannot be changed{why}",
        "标识 {handle!r} 处于“{state_zh}”状态，不能修改{why_zh}",
    ),
    "state.next": (
        "handle {handle!r} is {state}, and cannot become {wanted} but only {allowed}",
        "标识 {handle!r} 处于“{state_zh}”状态，不能变为 {wanted}，只能变为 {allowed}",
    ),
    "state.node": (
        "handle {handle!r} was made {state} by the operator of this node, who alone can change that",
        "标识 {handle!r} 由节点运营方设为“{state_zh}”，只有运营方可以更改",
    ),
    "operation.unsupported": ("operation {operation} is not supported", "不支持操作 {operation}"),
    "batch.too_long": (
        "the answers have more than {limit} octets together: ask for fewer handles",
        "应答合计超过 {limit} 字节，请减少标识数量",
    ),
    "view.rules": (
        "who may read values of {prefix} is not told to regulators",
        "前缀 {prefix} 的读取规则不向监管方公开",
    ),
    "view.not_owner": (
        "what {audience} would see is shown to those who administer the handle",
        "只有标识的管理者可以查看 {audience} 视图",
    ),
    "label.no_key": (
        "{handle!r} is no key of GS1, and a GS1-128 symbol holds nothing else",
        "{handle!r} 不是 GS1 编码，GS1-128 只能承载 GS1 编码",
    ),
    "label.too_long": (
        "{handle!r} and what belongs to it is too long for a symbol {symbol}",
        "{handle!r} 过长，无法放入 {symbol} 码",
    ),
    "label.count": ("{count} identifiers; a job has 1 to {limit}", "共 {count} 个标识，每次任务为 1 到 {limit} 个"),
    "label.refused": ("identifier {place}: {reason}", "第 {place} 个标识：{reason}"),
}
