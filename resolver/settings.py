"""Settings of a node: [registry], [resolver], [limits], [status], read from TOML, the environment and the command line.

Every fault of every source is reported at once. deploy/node.toml is what settings_file makes of the fields below.
"""

import dataclasses
import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from registry.errors import InvalidHandle
from registry.handle import Handle
from registry.language import Catalogue
from registry.settings import Fault, InvalidSettings, RegistrySettings, read_file, read_section, setting
from resolver.limit_settings import LimitSettings
from resolver.other_nodes import EdgeSettings, RecursionSettings, edge_contradictions

LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("text", "json")
# Labels of letters, digits and '-' (RFC 1123, section 2.1), in half of what a name may have: OIDs stand below.
_ZONE: Final = re.compile(r"(?=.{1,120}$)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*\.?")
EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # noqa: S104  # a resolver answers the public


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """[resolver]: what answers the public."""

    listen: tuple[str, ...] = setting(
        EVERY_ADDRESS, "Addresses on which resolutions are served.", "解析服务的监听地址。"
    )
    port: int = setting(
        8000,
        "Port of HTTP and HTTPS; both are served on it.",
        "HTTP 与 HTTPS 共用的端口。",
        low=0,
        high=65535,
    )
    native_port: int = setting(
        2641,
        "Port of the native Handle protocol, TCP and UDP.",
        "Handle 原生协议的端口（TCP 与 UDP）。",
        low=0,
        high=65535,
    )
    dns_zone: str = setting(
        "",
        "Zone of DNS below which OIDs are answered for, such as oid-res.org (ITU-T X.672). Empty: no DNS.",
        "以 DNS 应答 OID 的区域名，如 oid-res.org（ITU-T X.672）；留空则不启用 DNS。",
    )
    dns_port: int = setting(53, "Port of DNS, TCP and UDP.", "DNS 端口（TCP 与 UDP）。", low=0, high=65535)
    workers: int = setting(
        0,
        "Processes that answer, each with a cache of its own; 0 is one for each core.",
        "解析进程数，各有自己的缓存；0 表示每个核一个。",
        low=0,
        high=256,
    )
    cache_megabytes: int = setting(
        256,
        "Memory for the answers that each process keeps, in MiB.",
        "每个进程用于缓存解析结果的内存（MiB）。",
        low=1,
        high=1 << 20,
    )
    missing_entries: int = setting(
        100_000,
        "Names known not to be registered that each process keeps.",
        "每个进程缓存的未注册标识数上限。",
        low=1,
        high=100_000_000,
    )
    missing_ttl: float = setting(
        30.0,
        "Seconds for which a name known not to be registered is kept at most; a registration ends it at once.",
        "未注册结果最长缓存秒数；一经注册立即失效。",
        low=0,
        high=3600,
    )
    found_ttl: float = setting(
        300.0,
        "Seconds for which an answer is kept at most; a change ends it at once.",
        "解析结果最长缓存秒数；一经变更立即失效。",
        low=0,
        high=86_400,
    )
    max_staleness: float = setting(
        2.0,
        "Seconds without news of changes after which kept answers are marked stale.",
        "超过此秒数未读到变更日志时，缓存结果标记为陈旧。",
        low=0.1,
        high=3600,
    )
    stale_limit: float = setting(
        86_400.0,
        "Seconds without news of changes after which kept answers are no longer given.",
        "超过此秒数未读到变更日志时，不再使用缓存结果。",
        low=1,
        high=86_400 * 31,
    )
    quarantine: float = setting(
        0.0,
        "Seconds for which a changed name is read anew for each question and not kept. 2 on a Citus cluster, where a "
        "change may be heard before it can be read; 0 elsewhere.",
        "标识变更后不缓存其结果的秒数。Citus 集群设为 2（变更日志可能先于数据可见），其他情况为 0。",
        low=0,
        high=60,
    )
    poll_interval: float = setting(
        0.03, "Seconds between two looks at the change log.", "读取变更日志的间隔秒数。", low=0.005, high=10
    )
    readers: int = setting(
        2,
        "Connections to Postgres over which each process reads what it does not hold.",
        "每个进程用于读取未缓存标识的数据库连接数。",
        low=1,
        high=64,
    )
    miss_queue: int = setting(
        10_000,
        "Names that may wait to be read in each process; more are refused as busy.",
        "每个进程等待读取的标识数上限，超出则返回繁忙。",
        low=1,
        high=1_000_000,
    )
    miss_deadline: float = setting(
        2.0,
        "Seconds after which a read is given up and refused as busy.",
        "读取的超时秒数，超时返回繁忙。",
        low=0.1,
        high=60,
    )
    overload_wait: float = setting(
        0.5,
        "Seconds that names may wait to be read, or a process be late; beyond them those not kept are refused at once.",
        "标识等待读取或进程滞后超过此秒数时，未缓存的标识立即返回繁忙。",
        low=0.01,
        high=60,
    )
    certificate: str = setting(
        "",
        "File of the certificate chain (PEM). Empty: a self-made one in the data directory.",
        "证书链文件（PEM）；留空则使用数据目录中的自签证书。",
    )
    private_key: str = setting("", "File of the certificate's private key (PEM).", "证书私钥文件（PEM）。")
    client_ca: str = setting(
        "",
        "File of client certificates that are accepted, or of their issuers (PEM). Empty: none is asked for.",
        "接受的客户端证书或其签发者（PEM）；留空则不请求客户端证书。",
    )
    description: str = setting(
        "Filament", "How the node calls itself in its service information.", "服务信息中的节点说明。"
    )
    public_address: str = setting(
        "127.0.0.1",
        "IP address at which the public reaches the node, for its service information.",
        "公众访问本节点的 IP 地址，写入服务信息。",
    )
    similar_names: tuple[str, ...] = setting(
        (),
        "Prefixes whose names are no secret: the page of one that is not registered shows similar ones. One that ends "
        "in '.' stands for all prefixes below it.",
        "标识名称可公开的前缀：未注册标识的页面会列出相近标识；以“.”结尾表示其下的全部前缀。",
    )
    redirect_schemes: tuple[str, ...] = setting(
        ("http", "https", "ftp", "mailto"),
        "Schemes of the addresses that the proxy redirects to.",
        "允许跳转的地址协议。",
    )
    redirect_private: bool = setting(
        False,
        "Whether visitors are sent to hosts that exist only inside a network, such as 10.1.2.3; for a node inside one.",
        "是否允许跳转到仅在内网存在的主机（如 10.1.2.3）；用于内网节点。",
    )
    request_octets: int = setting(
        1 << 20, "Longest body of a request, in octets.", "请求体的最大字节数。", low=1024, high=1 << 30
    )
    keepalive: float = setting(
        75.0, "Seconds for which an idle connection of HTTP is kept.", "HTTP 空闲连接保持的秒数。", low=1, high=3600
    )
    http_connections: int = setting(
        20_000,
        "Connections of HTTP to each process; beyond them the longest idle ones are closed.",
        "每个进程的 HTTP 连接数上限；超出时关闭空闲最久的连接。",
        low=1,
        high=1_000_000,
    )
    native_idle: float = setting(
        300.0,
        "Seconds for which an idle connection of the native protocol is kept.",
        "原生协议空闲连接保持的秒数。",
        low=1,
        high=86_400,
    )
    native_connections: int = setting(
        20_000,
        "Connections of the native protocol to each process; beyond them the longest idle ones are closed.",
        "每个进程的原生协议连接数上限；超出时关闭空闲最久的连接。",
        low=1,
        high=1_000_000,
    )
    native_udp_rate: int = setting(
        16 << 20,
        "Octets a second that each process sends over UDP to one network of requesters (an IPv4 /24, an IPv6 /56).",
        "每个进程每秒经 UDP 向同一来源网段（IPv4 /24、IPv6 /56）发送的字节数上限。",
        low=1024,
        high=1 << 34,
    )


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """[status]: what the operator sees."""

    listen: str = setting(
        "127.0.0.1", "Address of health, readiness and metrics.", "健康检查、就绪检查与指标的监听地址。"
    )
    port: int = setting(
        8002, "Port of health, readiness and metrics.", "健康检查、就绪检查与指标的端口。", low=0, high=65535
    )
    log_level: str = setting("info", "Least level that is logged: debug, info, warning or error.", "日志级别。")
    log_format: str = setting("text", "Form of the log: text or json.", "日志格式：text 或 json。")


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a node."""

    registry: RegistrySettings = field(default_factory=RegistrySettings)
    resolver: ResolverSettings = field(default_factory=ResolverSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    status: StatusSettings = field(default_factory=StatusSettings)
    recursion: RecursionSettings = field(default_factory=RecursionSettings)
    edge: EdgeSettings = field(default_factory=EdgeSettings)

    @property
    def is_edge(self) -> bool:
        """Whether the node has no book, and keeps the answers of another."""
        return bool(self.edge.upstream)


SECTIONS: Final[Mapping[str, type[Any]]] = {
    "registry": RegistrySettings,
    "resolver": ResolverSettings,
    "limits": LimitSettings,
    "recursion": RecursionSettings,
    "edge": EdgeSettings,
    "status": StatusSettings,
}
TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "registry": ("The book and its programs.", "注册库及其程序。"),
    "resolver": ("What answers the public.", "对外解析服务。"),
    "limits": ("What may be asked of the resolvers; 0 is without a limit.", "对外解析服务的限流；0 表示不限。"),
    "edge": ("The upstream of a node that has no book.", "无注册库的边缘节点的上游。"),
    "recursion": ("What is asked of other nodes for who wants that.", "代为查询其他节点。"),
    "status": ("What the operator sees.", "运维接口。"),
}


CONTRADICTIONS: Final[Catalogue] = {
    "no_address": ("{name}: {value!r} is no IP address", "{name}：{value!r} 不是 IP 地址"),
    "no_zone": ("{name}: {value!r} is no name of a zone", "{name}：{value!r} 不是有效的区域名"),
    "nowhere": ("{name}: names no address", "{name}：未写任何地址"),
    "one_of_two": (
        "{name}: a certificate and its private_key are given together",
        "{name}：证书 certificate 与私钥 private_key 须同时给出",
    ),
    "no_openid": ("{name}: needed beside openid_issuer", "{name}：设置 openid_issuer 时必须给出"),
    "for_edge": ("{name}: is needed where edge.upstream is set", "{name}：设置了 edge.upstream 时必须填写"),
    "no_file": ("{name}: {value!r} cannot be read", "{name}：无法读取文件 {value!r}"),
    "no_level": (
        f"{{name}}: {{value!r}} is none of {', '.join(LOG_LEVELS)}",
        f"{{name}}：{{value!r}} 不在 {'、'.join(LOG_LEVELS)} 之中",
    ),
    "no_format": (
        f"{{name}}: {{value!r}} is none of {', '.join(LOG_FORMATS)}",
        f"{{name}}：{{value!r}} 不在 {'、'.join(LOG_FORMATS)} 之中",
    ),
    "no_identity": ("{name}: {value!r} is not written index:handle", "{name}：{value!r} 应写作 索引:标识"),
}


def load(
    path: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[Settings, dict[str, str]]:
    """The settings, and where each came from, by "section.name" as `overrides` are. Raises InvalidSettings."""
    tables = read_file(path)
    source = "" if path is None else str(path)
    given = dict(overrides or {})
    faults = [Fault(source, "no_table", {"section": name}) for name in tables if name not in SECTIONS]
    faults += [Fault("command line", "unknown", {"name": name}) for name in given if not _exists(name)]
    sections: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, kind in SECTIONS.items():
        table = tables.get(name, {})
        if not isinstance(table, dict):
            faults.append(Fault(source, "value_for_table", {"section": name}))
            table = {}
        ours = {key.partition(".")[2]: value for key, value in given.items() if key.startswith(f"{name}.")}
        try:
            section, found, wrong = read_section(
                kind, name, table, source, os.environ if environment is None else environment, ours
            )
        except InvalidSettings as error:
            faults += error.faults
            continue
        sections[name] = section
        origins |= {f"{name}.{key}": origin for key, origin in found.items()}
        faults += wrong
    settings = Settings(**sections)
    faults += [
        Fault(origins.get(name, ""), rule, {"name": name, "value": value}, CONTRADICTIONS)
        for name, rule, value in _contradictions(settings)
    ]
    if faults:
        raise InvalidSettings(faults)
    return settings, origins


def _exists(name: str) -> bool:
    section, _, key = name.partition(".")
    return section in SECTIONS and key in {entry.name for entry in dataclasses.fields(SECTIONS[section])}


def _contradictions(settings: Settings) -> Iterator[tuple[str, str, object]]:
    """Setting, rule and culprit of what no single field can know."""
    resolver, status = settings.resolver, settings.status
    for name, addresses in (
        ("resolver.listen", resolver.listen),
        ("resolver.public_address", (resolver.public_address,)),
        ("registry.listen", (settings.registry.listen,)),
        ("status.listen", (status.listen,)),
    ):
        yield from ((name, "no_address", address) for address in addresses if not _is_address(address))
    if resolver.dns_zone and not _ZONE.fullmatch(resolver.dns_zone):
        yield "resolver.dns_zone", "no_zone", resolver.dns_zone
    if not resolver.listen:
        yield "resolver.listen", "nowhere", ""
    yield from _certificate_contradictions("resolver", resolver.certificate, resolver.private_key)
    for name, file in (("resolver.client_ca", resolver.client_ca), ("registry.client_ca", settings.registry.client_ca)):
        if file and not os.access(file, os.R_OK):
            yield name, "no_file", file
    if status.log_level not in LOG_LEVELS:
        yield "status.log_level", "no_level", status.log_level
    if status.log_format not in LOG_FORMATS:
        yield "status.log_format", "no_format", status.log_format
    yield from _registry_contradictions(settings.registry)
    yield from edge_contradictions(settings.edge)


def _certificate_contradictions(section: str, certificate: str, private_key: str) -> Iterator[tuple[str, str, object]]:
    if bool(certificate) != bool(private_key):
        yield f"{section}.certificate", "one_of_two", ""
    for name, file in (("certificate", certificate), ("private_key", private_key)):
        if file and not os.access(file, os.R_OK):
            yield f"{section}.{name}", "no_file", file


def _registry_contradictions(registry: RegistrySettings) -> Iterator[tuple[str, str, object]]:
    yield from _certificate_contradictions("registry", registry.certificate, registry.private_key)
    for name in ("client", "roles"):
        if registry.openid_issuer and not getattr(registry, f"openid_{name}"):
            yield f"registry.openid_{name}", "no_openid", ""
    for address in registry.trusted_proxies:
        if not _is_address(address):
            yield "registry.trusted_proxies", "no_address", address
    for identity in registry.administrators:
        index, _, handle = identity.partition(":")
        if not index.isdecimal() or not _is_handle(handle):
            yield "registry.administrators", "no_identity", identity


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_handle(text: str) -> bool:
    try:
        Handle.from_text(text)
    except InvalidHandle:
        return False
    return True
