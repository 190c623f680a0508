"""What refusals say in the interface of the national secondary-node software (SNMS)."""

from registry.language import Catalogue

RULES: Catalogue = {
    "snms.not_in_template": (
        "value {index} of type {type!r}: template {template!r} has no such attribute",
        "索引 {index}（类型 {type!r}）：模板 {template!r} 中没有该属性",
    ),
    "snms.format": (
        "value {index}: data format {format!r} is not taken here, only 'string'",
        "索引 {index}：此接口只接受 string 格式的数据，不接受 {format!r}",
    ),
    "snms.auth": (
        "value {index}: auth {auth!r} is reserved; leave it empty",
        "索引 {index}:auth 为预留字段，请留空（收到 {auth!r}）",
    ),
    "snms.too_many": ("{count} identifiers; a call has 1 to {limit}", "共 {count} 个标识，每次调用为 1 到 {limit} 个"),
    "snms.template_not_found": (
        "prefix {prefix!r} has no template {version!r}",
        "前缀 {prefix!r} 没有版本为 {version!r} 的模板",
    ),
    "snms.template_exists": (
        "prefix {prefix!r} has a template {version!r} already",
        "前缀 {prefix!r} 已有版本为 {version!r} 的模板",
    ),
    "snms.not_snms": (
        "template {version!r} was not made in this interface and is changed in the other one",
        "模板 {version!r} 不是由此接口创建，请通过注册接口修改",
    ),
    "snms.industry": (
        "industry {code!r}: the four codes are not levels of one class of GB/T 4754-2017",
        "行业代码 {code!r}：四级代码不是 GB/T 4754-2017 中同一类别的各级",
    ),
    "snms.item_type": (
        "item {type!r}: metadata of type {kind!r} is not taken here, only 'string'",
        "模板属性 {type!r}：此接口只接受 string 类型，不接受 {kind!r}",
    ),
    "snms.item_index": (
        "item {type!r}: the template has no item with idIndex {index} and this idType",
        "模板属性 {type!r}：模板中没有 idIndex 为 {index} 且 idType 相同的属性",
    ),
    "snms.not_served": (
        "{path} is not served here: {instead}",
        "本节点不提供 {path}：{instead_zh}",
    ),
}
