"""What refusals of codes say, in English and Chinese; a part of `registry.rules`."""

from registry.language import Catalogue

SCHEME_RULES: Catalogue = {
    "oid.too_long": (
        "an OID of {octets} octets; at most {limit} are allowed",
        "OID 长 {octets} 字节，最多 {limit} 字节",
    ),
    "oid.arc": (
        "OID {oid!r}: arc {place} is {arc!r}; write a number without leading zeros",
        "OID {oid!r}：第 {place} 段为 {arc!r}，须为不带前导零的数字",
    ),
    "oid.name": (
        "OID {oid!r}: the number of {arc!r}, arc {place}, is not known here; write numbers for the first two arcs, and "
        "letters, digits or '-' below them",
        "OID {oid!r}：第 {place} 段 {arc!r} 对应的数字未知；前两段须写数字，其后可用字母、数字和“-”",
    ),
    "oid.arc_too_long": (
        "OID {oid!r}: arc {place} is longer than {limit} characters",
        "OID {oid!r}：第 {place} 段超过 {limit} 个字符",
    ),
    "oid.root": (
        "OID {oid!r}: the first arc is 0, 1 or 2, and below 0 and 1 the second is less than 40",
        "OID {oid!r}：首段须为 0、1 或 2；首段为 0 或 1 时，第二段须小于 40",
    ),
    "issuer.system": (
        "codes of {system!r} are granted to nobody; there are: {systems}",
        "编码体系 {system!r} 不能授权，可授权的有：{systems}",
    ),
    "issuer.start": (
        "{start!r} is no beginning of codes of {system}: write a company prefix (gs1), an OID, a version and number "
        "system (ecode), an organization (ma), or a method, '/' and what follows (did)",
        "{start!r} 不是 {system} 编码的有效开头："
        "须为厂商识别代码（gs1）、OID、版本与编码体系标识（ecode）、机构代码（ma）或“方法/…”（did）",
    ),
    "issuer.unknown": ("{start!r} of {system} is granted to nobody", "{system} 的 {start!r} 未授权给任何人"),
    "code.ambiguous": (
        "{code!r} can be a code of each of these systems: {systems}; write its label in front, as (01), (00) or ecode:",
        "{code!r} 可能属于多个编码体系：{systems}；请在前面写明标识符，如 (01)、(00) 或 ecode:",
    ),
    "vaa.syntax": (
        "{code!r} is no code of VAA: write VAA, 3 digits for the country (086 or 088), 3 for the industry, 8 or more "
        "for the enterprise, '/', and the enterprise's own code",
        "{code!r} 不是有效的 VAA 编码：须为 VAA、3 位国家代码（086 或 088）、"
        "3 位行业代码、8 位以上企业代码、“/”和企业内部编码",
    ),
    "ecode.version": ("Ecode {code!r}: the version is 0, 1, 2 or 3", "Ecode {code!r}：版本须为 0、1、2 或 3"),
    "ecode.syntax": (
        "Ecode {code!r}: version {version} has {digits} digits of number system and then a main code of letters and "
        "digits, at most {limit} characters in all",
        "Ecode {code!r}：版本 {version} 须有 {digits} 位数字的编码体系标识，"
        "其后为字母和数字组成的主码，总长不超过 {limit} 个字符",
    ),
    "ecode.unsure": (
        "Ecode {code!r}: how codes of this version and number system are divided is not known for sure, "
        "so it is not guessed",
        "Ecode {code!r}：该版本和编码体系的结构尚无确切依据，本节点不作猜测",
    ),
    "ecode.gtin": (
        "Ecode {code!r}: {main!r} is no GTIN of 13 digits with its check digit",
        "Ecode {code!r}：主码 {main!r} 不是校验码正确的 13 位 GTIN",
    ),
    "ma.organization": (
        "{code!r} is no code of MA: write MA, 3 digits for the country, the sector and the organization, with dots "
        "between, at most {limit} characters in all",
        "{code!r} 不是有效的 MA 编码：须为 MA、3 位国家代码、行业和机构代码，以“.”分隔，总长不超过 {limit} 个字符",
    ),
    "ma.object": (
        "MA code {code!r}: behind the organization write '/', the use, and what it names; use 10 is a category of 8 "
        "digits and a model",
        "MA 编码 {code!r}：机构代码之后须为“/”、用途和对象；用途 10 须写 8 位品类代码和型号",
    ),
    "ma.device": (
        "MA code {code!r}: behind the organization write the device, and then parts that begin with S, M, L, D, E, "
        "V or C",
        "MA 编码 {code!r}：机构代码之后须为产品标识，其后各段以 S、M、L、D、E、V 或 C 开头",
    ),
    "ma.device_parts": (
        "MA code {code!r}: each part is there once, and the check character C comes last",
        "MA 编码 {code!r}：各段不可重复，校验段 C 须在最后",
    ),
    "did.syntax": (
        "{did!r} is no DID: write did:, a method of small letters and digits, ':', and an identifier without '/', '?' "
        "or '#'",
        "{did!r} 不是有效的 DID：须为 did:、小写字母或数字的方法名、“:”和不含“/”“?”“#”的标识",
    ),
    "did.method": (
        "DID {did!r}: method {method!r} is not read here, but {methods} are",
        "DID {did!r}：不支持方法 {method!r}，支持 {methods}",
    ),
    "did.identifier": (
        "DID {did!r}: what follows is not an identifier of method {method!r}",
        "DID {did!r}：其后不是方法 {method!r} 的有效标识",
    ),
    "uid.unsure": (
        "{code!r}: how codes of UID are built is not known for sure, so they are not guessed",
        "{code!r}:UID 的编码结构尚无确切依据，本节点不作猜测",
    ),
    "gs1.identifier": (
        "{ai!r} is no GS1 application identifier",
        "{ai!r} 不是 GS1 应用标识符",
    ),
    "gs1.form": (
        "GS1 ({ai}): {value!r} is not of the form {form}",
        "GS1（{ai}）：{value!r} 不符合格式 {form}",
    ),
    "gs1.check_digit": (
        "GS1 ({ai}): the check digit of {value!r} is wrong; it should be {right}",
        "GS1（{ai}）：{value!r} 的校验码错误，应为 {right}",
    ),
    "gs1.check_pair": (
        "GS1 ({ai}): the check characters of {value!r} are wrong; they should be {right}",
        "GS1（{ai}）：{value!r} 的校验字符错误，应为 {right}",
    ),
    "gs1.company_prefix": (
        "GS1 ({ai}): {value!r} does not begin with the digits of a company prefix, {right} at least",
        "GS1（{ai}）：{value!r} 未以厂商识别代码开头（至少 {right} 位数字）",
    ),
    "gs1.date": ("GS1 ({ai}): {value!r} is no date ({right})", "GS1（{ai}）：{value!r} 不是有效日期（{right}）"),
    "gs1.time": ("GS1 ({ai}): {value!r} is no time ({right})", "GS1（{ai}）：{value!r} 不是有效时间（{right}）"),
    "gs1.piece": (
        "GS1 ({ai}): {value!r} is no piece of {right}",
        "GS1（{ai}）：{value!r} 的件序号不在总件数 {right} 之内",
    ),
    "gs1.leading_zero": (
        "GS1 ({ai}): {value!r} does not begin with {right}",
        "GS1（{ai}）：{value!r} 须以 {right} 开头",
    ),
    "gs1.number": (
        "GS1 ({ai}): {value!r} has zeros in front; write {right}",
        "GS1（{ai}）：{value!r} 不应有前导零，应写作 {right}",
    ),
    "gs1.yes": ("GS1 ({ai}): {value!r} is none of {right}", "GS1（{ai}）：{value!r} 须为 {right} 之一"),
    "gs1.repeated": ("GS1 ({ai}): there more than once", "GS1（{ai}）：重复出现"),
    "gs1.no_value": (
        "GS1: {ai!r} ends the path and has no value",
        "GS1：路径以 {ai!r} 结尾，其后没有值",
    ),
    "gs1.no_key": (
        "GS1 ({ai}): does not identify anything by itself; begin with a primary key such as (01)",
        "GS1（{ai}）：不能单独标识对象，须以 (01) 等主标识代码开头",
    ),
    "gs1.no_key_in": (
        "{text!r} holds no primary key of GS1",
        "{text!r} 中没有 GS1 主标识代码",
    ),
    "gs1.qualifiers": (
        "GS1 ({ai}): {asked} cannot qualify it so; what can, in this order: {orders}",
        "GS1（{ai}）：不能以 {asked} 限定，允许的限定符及顺序：{orders}",
    ),
    "gs1.canonical": (
        "{handle!r} is not the form in which this code is kept; write {right!r}",
        "{handle!r} 不是该编码的规范形式，应写作 {right!r}",
    ),
    "gs1.compressed": (
        "{text!r} looks like a compressed GS1 Digital Link: those are not read here; use the uncompressed form",
        "{text!r} 疑为压缩形式的 GS1 Digital Link，本节点不解析压缩形式，请使用未压缩形式",
    ),
    "gs1.escape": (
        "GS1: {text!r} holds an incomplete percent-encoding",
        "GS1:{text!r} 中的百分号编码不完整",
    ),
    "gs1.epc": ("{text!r} is no EPC that can be read", "{text!r} 不是可解析的 EPC"),
    "gs1.epc_scheme": (
        "EPC scheme {scheme!r} stands for no key of GS1",
        "EPC 方案 {scheme!r} 没有对应的 GS1 标识代码",
    ),
}
