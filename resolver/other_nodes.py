"""Settings of what is asked of other nodes: [recursion]."""

from dataclasses import dataclass

from registry.setting_rules import check_networks, check_servers
from registry.settings import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RecursionSettings:
    """[recursion]: what is asked of other nodes on behalf of who asks for it."""

    networks: tuple[str, ...] = setting(
        (),
        "Networks in which nodes of enterprises are asked on behalf of who wants that, such as 10.0.0.0/8; "
        "elsewhere he is referred to them.",
        "代为查询的企业节点所在网段,如 10.0.0.0/8;其他节点只给出转引。",
        check=check_networks,
    )
    servers: tuple[str, ...] = setting(
        (),
        "Servers of the top node, as HOST:PORT: asked for handles of prefixes that nothing is known of here.",
        "国家顶级节点的服务器,写作 主机:端口;用于查询本节点一无所知的前缀。",
        check=check_servers,
    )
    deadline: float = setting(
        3.0,
        "Seconds after which a question that was passed on is given up.",
        "代为查询的超时秒数。",
        low=0.1,
        high=60,
    )
