"""Why a node does not start, each with what to do about it. A node refuses here rather than serve what is wrong.

StartRefused
├── SchemaMismatch       the schema is none, older, newer, of another build, or another program's
├── DatabaseRefused      the DSN leads to no host, no database, nobody we are, or no Postgres
├── AnotherBook          not the registry that this data directory served, or hosts with different ones
├── IdentityTaken        a node with the same identity runs
├── NoRoom               the disk is full, or cannot be written to
└── CertificateRefused   its time is over or has not begun, or its files are no certificate and key

A refusal is a rule of RULES and its culprit. A database that is merely away is waited for.
"""

from registry.language import Catalogue, Refused

RULES: Catalogue = {
    "no-registry": (
        "the database holds no registry; run `filament migrate`",
        "数据库中没有注册库：请运行 filament migrate",
    ),
    "older-schema": (
        "the schema is older than this program: {version:04} {name} is not applied; run `filament migrate`",
        "数据库结构比本程序旧，尚未执行 {version:04} {name}：请运行 filament migrate",
    ),
    "newer-schema": (
        "the schema is newer than this program: it has {version:04} {name}; upgrade the program",
        "数据库结构比本程序新，已有 {version:04} {name}：请升级程序",
    ),
    "another-build": (
        "migration {version:04} {name} was applied with another text; the database belongs to another build of the "
        "program: use that build, or another database",
        "迁移 {version:04} {name} 与本程序所带的内容不同，数据库属于另一构建版本：请使用该版本程序，或换用其他数据库",
    ),
    "another-program": (
        "the database holds {name!r}, which is not a node's: give the node a database of its own "
        "(CREATE DATABASE, then --dsn)",
        "数据库中已有 {name!r}，不属于标识节点：请为节点单独建库（CREATE DATABASE），再用 --dsn 指定",
    ),
    "exact-suffixes": (
        "the registry was made with exact_suffixes = {made}, which cannot be changed; the settings say {asked}: "
        "set it back",
        "建库时 exact_suffixes = {made}，不可更改，而配置为 {asked}：请改回原值",
    ),
    "old-postgres": (
        "Postgres {found} is too old; {oldest} or later is needed",
        "Postgres {found} 版本过低：需要 {oldest} 或更高版本",
    ),
    "no-host": (
        "the database's host is not known ({reason}): correct the host in [registry] dsn, or the name service",
        "无法解析数据库主机名（{reason}）：请更正 [registry] dsn 中的主机名，或检查域名解析",
    ),
    "not-let-in": (
        "the database does not let the node in ({reason}): correct user and password in [registry] dsn, or pg_hba.conf",
        "数据库拒绝登录（{reason}）：请更正 [registry] dsn 中的用户与密码，或检查 pg_hba.conf",
    ),
    "no-database": (
        "there is no such database ({reason}): correct its name in [registry] dsn, or create it",
        "数据库不存在（{reason}）：请更正 [registry] dsn 中的库名，或先建库",
    ),
    "no-postgres": (
        "what answers there is not Postgres ({reason}): correct host and port in [registry] dsn",
        "该地址上的服务不是 Postgres（{reason}）：请更正 [registry] dsn 中的主机与端口",
    ),
    "another-book": (
        "the database holds another registry ({found}) than the one this data directory served ({expected}): correct "
        "[registry] dsn, or, if the change is wanted, remove {file!r} and start again",
        "数据库中的注册库（{found}）不是本数据目录原先所用的（{expected}）：请更正 [registry] dsn；"
        "如确需更换，请删除 {file!r} 后重新启动",
    ),
    "hosts-differ": (
        "{host} belongs to another database cluster ({found}) than {other} ({expected}): name only servers of one "
        "cluster in [registry] dsn",
        "{host} 所属的数据库集群（{found}）与 {other}（{expected}）不同：[registry] dsn 中只能写同一集群的服务器",
    ),
    "identity-taken": (
        "another node with the identity of this one runs already ({holder}): stop it, or give this one a data "
        "directory of its own, without {key} of the other",
        "已有相同身份的节点在运行（{holder}）：请停止它，或为本节点另设数据目录，不要复制对方的 {key}",
    ),
    "no-room": (
        "{directory!r} has {free} MiB free and {least} MiB are needed: make room, or move the data directory to a "
        "larger disk",
        "{directory!r} 仅剩 {free} MiB，至少需要 {least} MiB：请清理空间，或将数据目录移到更大的磁盘",
    ),
    "not-writable": (
        "{directory!r} cannot be written to ({reason}): make room, mount it writable, or correct its owner",
        "{directory!r} 无法写入（{reason}）：请清理空间、以可写方式挂载，或更正其所有者",
    ),
    "database-full": (
        "the disk of the database is full ({reason}): make room there",
        "数据库所在磁盘已满（{reason}）：请在该处清理空间",
    ),
    "expired": (
        "the certificate {file!r} expired on {at}: replace it, or remove `certificate` from [resolver] for a "
        "self-made one",
        "证书 {file!r} 已于 {at} 过期：请更换证书，或去掉 [resolver] certificate 以使用自签证书",
    ),
    "not-yet-valid": (
        "the certificate {file!r} begins on {at}, which is later than this machine's clock: set the clock, or use a "
        "certificate that is valid",
        "证书 {file!r} 自 {at} 起有效，晚于本机时间：请校准时钟，或换用有效的证书",
    ),
    "no-certificate": (
        "the certificate {file!r} and its key cannot be used ({reason}): give a certificate chain and the key that "
        "belongs to it, both PEM",
        "证书 {file!r} 及其私钥无法使用（{reason}）：请提供相互匹配的 PEM 证书链与私钥",
    ),
    "no-authorities": (
        "{file!r} holds no certificate that can be used ({reason}): give those that are to be trusted, as PEM",
        "{file!r} 中没有可用的证书（{reason}）：请提供所信任证书的 PEM 文件",
    ),
    "upstream-untrusted": (
        "the certificate that {address} shows is not trusted ({reason}): name the upstream's certificate, or its "
        "issuer's, in [edge] authorities, or correct the address",
        "{address} 出示的证书不受信任（{reason}）：请在 [edge] authorities 中填写上游证书或其签发者的文件，或更正地址",
    ),
    "upstream-no-book": (
        "the upstream {upstream} gives edges no records: it is an edge itself, or an older program. Name the servers "
        "of the node that has the book in [edge] upstream",
        "上游 {upstream} 不向边缘节点提供记录：它本身是边缘节点，或程序版本过旧。"
        "请在 [edge] upstream 中填写持有数据库的节点",
    ),
}


class StartRefused(Refused):
    catalogue = RULES


class SchemaMismatch(StartRefused):
    pass


class DatabaseRefused(StartRefused):
    pass


class AnotherBook(StartRefused):
    pass


class IdentityTaken(StartRefused):
    pass


class NoRoom(StartRefused):
    pass


class CertificateRefused(StartRefused):
    pass


class UpstreamRefused(StartRefused):
    pass
