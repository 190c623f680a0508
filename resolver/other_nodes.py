"""Settings of what is asked of other nodes: [edge] and [recursion]."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from registry.setting_rules import check_address, check_networks, check_servers
from registry.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """[edge]: the node whose answers are kept by one that has no book of its own."""

    upstream: tuple[str, ...] = setting(
        (),
        "Native servers of the upstream node, as HOST:PORT. Empty: this node has a book of its own and is no edge.",
        "上游节点的原生协议服务器，写作 主机:端口；留空表示本节点有自己的注册库，不是边缘节点。",
        check=check_servers,
    )
    address: str = setting(
        "",
        "Address of the upstream's HTTP interface, such as https://node.example:8000: for what is not done here.",
        "上游节点 HTTP 接口的地址，如 https://node.example:8000；本节点不办理的请求转到此处。",
        check=check_address,
    )
    registry: str = setting(
        "",
        "Address of the upstream's registry, such as https://node.example:8001: for the change feed.",
        "上游节点注册接口的地址，如 https://node.example:8001；用于变更流。",
        check=check_address,
    )
    token: str = setting(
        "",
        "Token of the upstream with the scope 'read' for all prefixes.",
        "上游节点的令牌，须有全部前缀的 read 权限。",
        secret=True,
    )
    authorities: str = setting(
        "",
        "File of the upstream's certificate, or of its issuer (PEM). Empty: what the system trusts.",
        "上游证书或其签发者（PEM）；留空则采用系统信任的证书。",
    )
    interval: float = setting(
        0.5,
        "Seconds between two looks at the change feed of the upstream.",
        "读取上游变更流的间隔秒数。",
        low=0.05,
        high=60,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecursionSettings:
    """[recursion]: what is asked of other nodes on behalf of who asks for it."""

    networks: tuple[str, ...] = setting(
        (),
        "Networks in which nodes of enterprises are asked on behalf of who wants that, such as 10.0.0.0/8; "
        "elsewhere he is referred to them.",
        "代为查询的企业节点所在网段，如 10.0.0.0/8；其他节点只给出转引。",
        check=check_networks,
    )
    servers: tuple[str, ...] = setting(
        (),
        "Servers of the top node, as HOST:PORT: asked for handles of prefixes that nothing is known of here.",
        "国家顶级节点的服务器，写作 主机:端口；用于查询本节点一无所知的前缀。",
        check=check_servers,
    )
    deadline: float = setting(
        3.0,
        "Seconds after which a question that was passed on is given up.",
        "代为查询的超时秒数。",
        low=0.1,
        high=60,
    )


def edge_contradictions(edge: EdgeSettings) -> Iterator[tuple[str, str, object]]:
    """Setting, rule and culprit of what no single setting can know."""
    if edge.upstream:
        for name in ("address", "registry", "token"):
            if not getattr(edge, name):
                yield f"edge.{name}", "for_edge", ""
    if edge.authorities and not os.access(edge.authorities, os.R_OK):
        yield "edge.authorities", "no_file", edge.authorities
