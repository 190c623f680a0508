"""What `filament issuer` says."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "issuer": (
        "Who may write codes of other systems: GS1, OID, Ecode, MA, DID.",
        "管理其他编码体系（GS1、OID、Ecode、MA、DID）的写入授权。",
    ),
    "issuer.grant": (
        "Let the administrators of PREFIX write the codes of SYSTEM that begin with START: a company prefix (gs1), an "
        "OID, a version and number system (ecode), an organization (ma), or method/identifier (did).",
        "授权 PREFIX 的管理员写入 SYSTEM 中以 START 开头的编码：厂商识别代码（gs1）、OID、版本与编码体系标识（ecode）、"
        "机构代码（ma）或“方法/标识”（did）。",
    ),
    "issuer.revoke": ("Take that back; what was written stays.", "撤销授权；已写入的编码不受影响。"),
    "issuer.list": ("Show every grant.", "列出全部授权。"),
}
MESSAGES: Final[Catalogue] = {
    "issuer.granted": (
        "{prefix} may write codes of {system} that begin with {start}.",
        "{prefix} 可写入 {system} 中以 {start} 开头的编码。",
    ),
    "issuer.revoked": (
        "Codes of {system} that begin with {start} are granted to nobody.",
        "{system} 中以 {start} 开头的编码已不再授权。",
    ),
}
COLUMNS: Final[Catalogue] = {
    "start": ("start", "编码开头"),
    "granted_at": ("granted", "授权时间"),
}
