"""What refusals say of enterprises, of the people and programs that act for them, and of their limits."""

from registry.language import Catalogue

RULES: Catalogue = {
    "enterprise.name": (
        "the name of an enterprise has 1 to {limit} characters that can be shown, got {name!r}",
        "企业名称须为 1 到 {limit} 个可显示字符，实际为 {name!r}",
    ),
    "enterprise.exists": ("there is an enterprise named {name!r} already", "已有名为 {name!r} 的企业"),
    "enterprise.not_found": ("there is no enterprise {enterprise!r}", "没有企业 {enterprise!r}"),
    "enterprise.state": ("the enterprise is {state}", "企业状态为 {state}"),
    "enterprise.step": ("{name!r} is {state}: no step {step}", "{name!r} 状态为 {state}，不能执行 {step}"),
    "enterprise.credit_code": (
        "{code!r} is no unified social credit code: 18 characters, the last one a check character",
        "{code!r} 不是有效的统一社会信用代码（18 位，末位为校验码）",
    ),
    "application.not_found": ("there is no application {application}", "没有编号为 {application} 的申请"),
    "application.state": (
        "application {application} is {state}: no step {step}",
        "申请 {application} 状态为 {state}，不能执行 {step}",
    ),
    "application.evidence": (
        "application {application} has no evidence yet",
        "申请 {application} 尚无证明材料",
    ),
    "application.personal": (
        "{field} must be 1 to {limit} characters that can be shown",
        "{field} 须为 1 到 {limit} 个可显示字符",
    ),
    "evidence.kind": (
        "evidence must be one of {kinds}, of at most {limit} octets",
        "证明材料须为 {kinds} 之一，且不超过 {limit} 字节",
    ),
    "evidence.many": ("an application has at most {limit} files", "一份申请最多 {limit} 个文件"),
    "evidence.not_found": (
        "application {application} has no file {number}",
        "申请 {application} 没有编号为 {number} 的文件",
    ),
    "decision.reason": (
        "a reason of 1 to {limit} characters must be given",
        "须填写理由（1 到 {limit} 个字符）",
    ),
    "personal.key": (
        "{place} was encrypted with another key than this node has",
        "{place} 是用其他密钥加密的，本节点无法解密",
    ),
    "person.name": (
        "{name!r} is no name to log in with: 3 to 64 of a-z, 0-9 and . _ @ -",
        "登录名 {name!r} 无效：须为 3 到 64 个 a-z、0-9 或 . _ @ -",
    ),
    "person.role": ("there is no role {role!r} here; there are {roles}", "此处没有角色 {role!r}，可用角色：{roles}"),
    "person.password": (
        "a password must have {shortest} to {longest} characters",
        "密码须为 {shortest} 到 {longest} 个字符",
    ),
    "person.exists": ("the name {name!r} is taken", "登录名 {name!r} 已被使用"),
    "person.not_found": ("there is nobody named {name!r}", "没有名为 {name!r} 的用户"),
    "person.log_in": ("name or password is wrong, or may not be used now", "用户名或密码错误，或暂时不可用"),
    "openid.none": ("nobody logs in at an OpenID provider here", "本节点未启用 OpenID 登录"),
    "openid.away": ("the OpenID provider cannot be used now: {reason}", "OpenID 提供方暂不可用：{reason}"),
    "openid.token": ("the OpenID provider does not vouch for this log-in: {reason}", "OpenID 登录未通过验证：{reason}"),
    "openid.role": (
        "the claim {claim!r} of the OpenID provider stands for no role here",
        "OpenID 提供方的声明 {claim!r} 在本节点没有对应的角色",
    ),
    "token.unknown": ("the token is unknown, revoked or has expired", "令牌不存在、已吊销或已过期"),
    "token.scope": ("{name} is not good for this: it needs {scope}", "{name} 无此权限，需要 {scope}"),
    "token.scope_given": (
        "scope {scope!r} cannot be given; {allowed} can",
        "不能授予权限 {scope!r}，可授予：{allowed}",
    ),
    "token.prefix_given": (
        "prefix {prefix!r} is not one of the enterprise's",
        "前缀 {prefix!r} 不属于该企业",
    ),
    "token.source": ("token {token} is not accepted from {source}", "令牌 {token} 不能在 {source} 使用"),
    "token.not_found": ("there is no token {token} in use", "没有使用中的令牌 {token}"),
    "token.no_session": ("a token opens no session", "令牌不能用于建立会话"),
    "quota.handles": (
        "{enterprise!r} may have {limit} handles registered, and no more",
        "{enterprise!r} 最多可注册 {limit} 个标识",
    ),
    "quota.rate": (
        "{enterprise!r} may register {limit} handles a minute",
        "{enterprise!r} 每分钟最多注册 {limit} 个标识",
    ),
    "quota.prefixes": ("{enterprise!r} may have {limit} prefixes", "{enterprise!r} 最多可有 {limit} 个前缀"),
    "limit.client": (
        "you ask more than {limit} times a second; ask again in {seconds} s",
        "您的请求超过每秒 {limit} 次，请 {seconds} 秒后重试",
    ),
    "limit.prefix": (
        "handles of this prefix are asked for more than {limit} times a second; ask again in {seconds} s",
        "该前缀的解析请求超过每秒 {limit} 次，请 {seconds} 秒后重试",
    ),
    "limit.enterprise": (
        "handles of this enterprise are asked for more than {limit} times a second; ask again in {seconds} s",
        "该企业的解析请求超过每秒 {limit} 次，请 {seconds} 秒后重试",
    ),
    "quota.limit": ("the limit {name} cannot be {limit}", "{name} 的限额不能为 {limit}"),
    "log_in.needed": ("log in first", "请先登录"),
    "log_in.expired": ("the log-in has expired; log in again", "登录已过期，请重新登录"),
    "log_in.transport": ("a log-in needs a connection that stays", "登录需要保持的连接"),
    "log_in.other_key": ("the log-in was asked for with another key", "登录请求使用的是另一密钥"),
}
