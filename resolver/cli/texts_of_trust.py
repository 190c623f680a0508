"""Texts of the commands that sign and verify."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "verify": (
        "Verify an answer that a node signed: what ?sign=jws gives, or an answer and what stood in X-JWS-Signature.",
        "验证节点签名的应答：?sign=jws 返回的文档，或应答正文及其 X-JWS-Signature 签名。",
    ),
    "verify.signature": ("The detached signature of the file.", "该文件的分离签名。"),
    "verify.keys": (
        "The node's did:web document, saved before: nobody is asked then. Otherwise it is fetched from --url.",
        "事先保存的节点 did:web 文档，无需联网；不写则从 --url 获取。",
    ),
    "prove": (
        "Show what an identifier says, proved to be under the signed root of a day's changes.",
        "显示标识内容，并验证其包含在某日变更的已签名根之中。",
    ),
    "prove.version": ("This version; what it says now otherwise.", "该历史版本，默认为当前版本。"),
    "prove.keys": (
        "The node's did:web document, saved before. Otherwise it is fetched from --url.",
        "事先保存的节点 did:web 文档；不写则从 --url 获取。",
    ),
    "prove.to": (
        "Keep the proof in this file; `filament verify` reads it.",
        "将证明保存到文件，可用 filament verify 验证。",
    ),
    "bundle": ("Answers in one signed document, for where there is no network.", "离线包：含签名的多条应答。"),
    "bundle.make": (
        "Fetch the answers of many identifiers as one signed document. '-' reads names from standard input.",
        "将多个标识的应答下载为一个签名文档；“-”表示从标准输入读取标识。",
    ),
    "signed.algorithm": (
        "With what it is signed: EdDSA, or SM2 where the node can.",
        "签名算法：EdDSA，或节点支持时的 SM2。",
    ),
    "bundle.hours": ("For how many hours it is valid; 24.", "有效小时数，默认 24。"),
    "bundle.depth": (
        "Take along what is packed in each identifier or part of it, so many levels down.",
        "同时收入各标识所含的标识，并指定层数。",
    ),
    "bundle.to": ("File to write.", "写入的文件。"),
    "bundle.verify": ("Verify a bundle without a network.", "离线验证离线包。"),
    "bundle.show": (
        "Verify a bundle without a network, and show what it says of identifiers; of all of them if none is named.",
        "离线验证离线包并显示其中的标识内容，默认显示全部。",
    ),
    "bundle.keys": (
        "The node's did:web document, saved before. Otherwise the bundle is held to the keys that it brings along.",
        "事先保存的节点 did:web 文档；不写则使用离线包自带的公钥。",
    ),
    "key": ("The key that answers are signed with.", "应答签名密钥。"),
    "key.list": ("Every key that answers were ever signed with.", "列出使用过的全部签名公钥。"),
    "key.rotate": (
        "Sign with a new key from now on. The public half of the former one stays published.",
        "启用新的签名密钥；旧公钥继续公布。",
    ),
}

MESSAGES: Final[Catalogue] = {
    "prove.holds": (
        "{handle}, version {version}: under the root of {day}, which is signed with {key}",
        "{handle} 第 {version} 版：包含在 {day} 的根之中，签名公钥 {key}",
    ),
    "bundle.own_keys": (
        "verified with the key {key} that the bundle brought along; compare it with the node's, or give --keys",
        "使用离线包自带的公钥 {key} 验证通过；请与节点公布的公钥核对，或使用 --keys 指定",
    ),
    "bundle.made": ("{count} answers in {path}", "已写入 {path}，共 {count} 条应答"),
    "bundle.unknown": ("{handle}: not in the bundle", "{handle}：不在离线包中"),
    "key.none": (
        "there is no signing key in {directory}; the node makes it when it is first started",
        "{directory} 中没有签名密钥；节点首次启动时会生成",
    ),
    "key.rotated": (
        "Signing with {new} from now on; {former} stays published.",
        "已启用新密钥 {new}；旧公钥 {former} 继续公布。",
    ),
}

COLUMNS: Final[Catalogue] = {
    "statement": ("Statement", "文档"),
    "key": ("Key", "密钥"),
    "signed_at": ("Signed", "签名时间"),
    "expires": ("Valid until", "有效期至"),
    "position": ("Place in the change feed", "变更序列位置"),
    "request": ("Request", "请求"),
    "retired_at": ("Retired", "停用时间"),
}
