"""What refusals of codes say, in English and Chinese; a part of `registry.rules`."""

from registry.language import Catalogue

SCHEME_RULES: Catalogue = {
    "oid.too_long": (
        "an OID of {octets} octets; at most {limit} are allowed",
        "OID 长 {octets} 字节,最多 {limit} 字节",
    ),
    "oid.arc": (
        "OID {oid!r}: arc {place} is {arc!r}; write a number without leading zeros",
        "OID {oid!r}:第 {place} 段为 {arc!r},须为不带前导零的数字",
    ),
    "oid.name": (
        "OID {oid!r}: the number of {arc!r}, arc {place}, is not known here; write numbers for the first two arcs, and "
        "letters, digits or '-' below them",
        "OID {oid!r}:第 {place} 段 {arc!r} 对应的数字未知;前两段须写数字,其后可用字母、数字和“-”",
    ),
    "oid.arc_too_long": (
        "OID {oid!r}: arc {place} is longer than {limit} characters",
        "OID {oid!r}:第 {place} 段超过 {limit} 个字符",
    ),
    "oid.root": (
        "OID {oid!r}: the first arc is 0, 1 or 2, and below 0 and 1 the second is less than 40",
        "OID {oid!r}:首段须为 0、1 或 2;首段为 0 或 1 时,第二段须小于 40",
    ),
}
