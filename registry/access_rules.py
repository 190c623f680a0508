"""What refusals say of who asks: how he proves who he is, his sessions, and what he may do and read."""

from registry.language import Catalogue

RULES: Catalogue = {
    "authentication.needed": (
        "authentication needed: a token, key or certificate, given by the operator or an administrator of the prefix",
        "需要身份认证：请使用由节点运营方或前缀管理员提供的令牌、密钥或证书",
    ),
    "authentication.and_media_type": (
        "two things are missing: a token, key or certificate (given by the operator or an administrator of the prefix, "
        "sent over HTTPS), and a body that says it is application/json, not {media_type}",
        "缺少两项：由节点运营方或前缀管理员提供的令牌、密钥或证书（经 HTTPS 发送）；"
        "声明为 application/json 的请求体（现为 {media_type}）",
    ),
    "authentication.plain_http": (
        "authentication is refused over plain HTTP; use HTTPS, or on this machine the setting plain_authentication",
        "不接受明文 HTTP 上的身份认证，请使用 HTTPS；在本机上也可启用设置 plain_authentication",
    ),
    "authentication.malformed": ("Authorization: {reason}", "Authorization 头有误：{reason}"),
    "authentication.identity": (
        "{identity!r} names no key; write index:handle",
        "{identity!r} 不是密钥标识，请写成 索引:标识",
    ),
    "authentication.failed": ("Identity not verified", "身份未通过验证"),
    "authentication.no_key": ("{identity} is not a key this node can read", "本节点无法读取密钥 {identity}"),
    "authentication.algorithm": ("algorithm {algorithm!r} is not accepted", "不接受算法 {algorithm!r}"),
    "authentication.sm2": (
        "SM2 signatures cannot be checked here: the extra 'gm' is not installed",
        "此处无法验证 SM2 签名：未安装扩展 gm",
    ),
    "authentication.iterations": (
        "{iterations} iterations; between 1 and {limit} are accepted",
        "迭代次数 {iterations}，允许 1 到 {limit}",
    ),
    "authentication.key_length": (
        "a derived key of {length} bits; whole octets up to {limit} bits are accepted",
        "派生密钥长 {length} 位，须为整字节且不超过 {limit} 位",
    ),
    "authentication.late": ("the challenge was answered too late", "应答质询超时"),
    "session.unknown": ("the session is unknown or over; set up a new one", "会话不存在或已超时，请重新建立"),
    "session.old_version": (
        "sessions need version 2.4 of the protocol; go on without one",
        "会话要求协议版本不低于 2.4，请不使用会话",
    ),
    "session.key": ("the message was not written with the session's key", "消息不是用该会话的密钥生成的"),
    "session.mode": ("no session is set up in mode {mode}", "不支持会话建立方式 {mode}"),
    "session.exchanged": ("the session has its key already", "会话密钥已交换"),
    "session.public_key": ("the key cannot set up a session: {reason}", "该密钥无法建立会话：{reason}"),
    "session.repeated": ("the session has had a message {counter} already", "会话已收到过序号为 {counter} 的消息"),
    "message.response_code": ("a request with response code {code}", "请求中带有响应码 {code}"),
    "message.malformed": (
        "the body of operation {operation} cannot be read: {reason}",
        "无法读取操作 {operation} 的消息体：{reason}",
    ),
    "message.unreadable": ("the message cannot be read: {reason}", "无法读取消息：{reason}"),
    "message.over_udp": (
        "operation {operation} is not accepted over UDP; use TCP",
        "不接受通过 UDP 执行操作 {operation}，请使用 TCP",
    ),
    "authorization.not_administrator": (
        "{identity} is no administrator of {handle!r} with the right to {right}",
        "{identity} 没有对 {handle!r} 的“{right_zh}”权限",
    ),
    "authorization.node": (
        "{identity} is no administrator of this node",
        "{identity} 不是本节点的管理员",
    ),
    "authorization.enterprise": (
        "{identity} may not act for enterprise {enterprise}",
        "{identity} 不能代表企业 {enterprise} 操作",
    ),
    "authorization.read_only": ("value {index} of {handle!r} is read-only", "{handle!r} 索引 {index} 的值只读"),
    "authorization.unreadable": (
        "value {index} of {handle!r} may be read by nobody",
        "{handle!r} 索引 {index} 的值不可读",
    ),
}
