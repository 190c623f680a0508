"""[limits]: how much may be asked of a node each second; `registry.limits` says how it is counted."""

from dataclasses import dataclass

from registry.setting_rules import check_networks
from registry.settings import setting


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """[limits]: what may be asked of the resolvers; 0 is without a limit."""

    client_rate: int = setting(
        0,
        "Requests a second of one client (an address, an IPv6 /64, or who shows a token) to all processes of a "
        "machine.",
        "同一客户端（IPv4 地址、IPv6 /64 或令牌持有者）每秒的请求数，一台机器上的各进程合计。",
        low=0,
        high=1_000_000,
    )
    prefix_rate: int = setting(
        0,
        "Questions a second for names below one prefix to all processes of a machine.",
        "同一前缀每秒的解析请求数，一台机器上的各进程合计。",
        low=0,
        high=10_000_000,
    )
    enterprise_rate: int = setting(
        0,
        "Questions a second for names of one enterprise to all processes of a machine.",
        "同一企业每秒的解析请求数，一台机器上的各进程合计。",
        low=0,
        high=10_000_000,
    )
    unlimited_clients: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1"),
        "Addresses and networks of clients that client_rate is not for.",
        "不受 client_rate 限制的客户端地址与网段。",
        check=check_networks,
    )
