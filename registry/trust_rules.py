"""What refusals say of signed documents and of proofs that something stands in the change log."""

from registry.language import Catalogue

RULES: Catalogue = {
    "proof.pending": (
        "version {version} of {handle!r} is under no root yet: the root of a day is made when it is over (UTC)",
        "标识 {handle!r} 的第 {version} 版尚未纳入已公布的根；每日的根在当日（UTC）结束后生成",
    ),
    "proof.path": ("the proof does not lead to the root that was signed", "该证明与已签名的根不符"),
    "proof.leaf": ("the proof is of something else: {reason}", "该证明的内容不符：{reason}"),
    "signed.form": ("not a signed document: {reason}", "不是签名文档：{reason}"),
    "signed.algorithm": (
        "signed with {algorithm!r}; only EdDSA and SM2 are verified",
        "签名算法为 {algorithm!r}，只能验证 EdDSA 和 SM2",
    ),
    "signed.kind": (
        "signed as {kind!r}, and is no {expected!r}",
        "签名的文档类型为 {kind!r}，不是 {expected!r}",
    ),
    "signed.key": (
        "signed with the key {key!r}, which is none of those that are trusted",
        "签名所用的密钥 {key!r} 不在受信任的密钥之中",
    ),
    "signed.altered": (
        "the signature does not hold: something was altered since it was made",
        "签名无效：内容在签名之后被改动",
    ),
    "signed.retired": (
        "signed with the key {key!r} after that was retired",
        "签名时密钥 {key!r} 已停用",
    ),
    "signed.did": ("not a did:web document with keys: {reason}", "不是含有密钥的 did:web 文档：{reason}"),
    "signed.expired": ("valid until {until} only", "已于 {until} 过期"),
}
