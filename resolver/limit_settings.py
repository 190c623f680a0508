"""[limits]: how much may be asked, each second and in each process; `limits` says how it is counted."""

from dataclasses import dataclass

from registry.setting_rules import check_networks
from registry.settings import setting


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """[limits]: what may be asked of the resolvers; 0 is without a limit."""

    client_rate: int = setting(
        0,
        "Requests a second of one client (an address, an IPv6 /64, or who shows a token) to each process.",
        "每个进程每秒接受同一客户端（IPv4 地址、IPv6 /64 或令牌持有者）的请求数。",
        low=0,
        high=1_000_000,
    )
    prefix_rate: int = setting(
        0,
        "Questions a second for names below one prefix to each process.",
        "每个进程每秒接受的同一前缀的解析请求数。",
        low=0,
        high=10_000_000,
    )
    enterprise_rate: int = setting(
        0,
        "Questions a second for names of one enterprise to each process.",
        "每个进程每秒接受的同一企业的解析请求数。",
        low=0,
        high=10_000_000,
    )
    unlimited_clients: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1"),
        "Addresses and networks of clients that client_rate is not for.",
        "不受 client_rate 限制的客户端地址与网段。",
        check=check_networks,
    )
