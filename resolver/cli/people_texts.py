"""What `filament person`, `token`, `application` and the states of enterprises say, in English and Chinese."""

from typing import Final

from registry.language import Catalogue

HELP: Final[Catalogue] = {
    "login": (
        "Log in at the node's OpenID provider with a browser, for a token of twelve hours.",
        "用浏览器通过节点的 OpenID 提供方登录，换取 12 小时令牌。",
    ),
    "login.browser": (
        "Open the browser of this machine, or only show where to go.",
        "打开本机浏览器，或仅显示网址。",
    ),
    "login.port": (
        "Port of this machine to which the browser comes back; any free one otherwise.",
        "浏览器返回本机时使用的端口；默认任选空闲端口。",
    ),
    "person": ("The people who may log in: of the node and of its enterprises.", "管理可登录的用户（节点与企业）。"),
    "person.add": (
        "Add somebody. His password is made and shown once.",
        "新增用户，自动生成密码，只显示一次。",
    ),
    "person.role": (
        "Role: operator, reviewer or regulator of the node; administrator or member of an enterprise.",
        "角色：节点为 operator（运营）、reviewer（审核）、regulator（监管，只读）；"
        "企业为 administrator（管理员）、member（成员）。",
    ),
    "person.enterprise": (
        "Name of the enterprise; without one, the node itself.",
        "企业名称；不写则为节点自身。",
    ),
    "person.list": ("List people, with their roles.", "列出用户与角色。"),
    "person.password": (
        "Give somebody a new password, shown once; he is logged out everywhere.",
        "重置密码（只显示一次），该用户的登录全部失效。",
    ),
    "person.disable": ("Let somebody in no more.", "停用用户。"),
    "person.enable": ("Let somebody in again.", "恢复用户。"),
    "token": ("The tokens of programs.", "管理程序使用的令牌。"),
    "token.add": ("Issue a token; it is shown once.", "签发令牌，只显示一次。"),
    "token.scope": (
        "What it is good for: registry.write, bulk, read, stats, administer; may be repeated.",
        "权限：registry.write（登记）、bulk（批量）、read（查询）、stats（统计）、administer（管理前缀），可重复。",
    ),
    "token.prefix": ("Only this prefix; may be repeated.", "仅限该前缀，可重复。"),
    "token.from": (
        "Only from this address or network; may be repeated.",
        "仅限该来源地址或网段，可重复。",
    ),
    "token.days": ("Days until it ends.", "有效天数。"),
    "token.list": ("List tokens, with their scopes and last use.", "列出令牌、权限与最近使用时间。"),
    "token.rotate": (
        "Another token in its place; the former one goes on for ten minutes.",
        "轮换令牌，旧令牌十分钟后失效。",
    ),
    "token.revoke": ("Revoke a token.", "吊销令牌。"),
    "application": ("The applications of enterprises for a prefix.", "管理企业的前缀申请。"),
    "application.list": ("List applications.", "列出申请。"),
    "application.state": ("Only those in this state.", "只列出该状态的申请。"),
    "application.step": (
        "Review an application: approve, reject or return it.",
        "审核申请：approve（通过）、reject（驳回）、return（退回补充）。",
    ),
    "reason": ("Why; it is kept with the decision.", "理由，与处理记录一并保存。"),
    "enterprise.step": (
        "Suspend an enterprise, let it resume, or let it leave.",
        "暂停（suspend）、恢复（resume）企业，或办理退出（leave）。",
    ),
    "enterprise.recycle": (
        "Take a prefix back from an enterprise that has left.",
        "回收已退出企业的前缀。",
    ),
    "enterprise.limit": (
        "Set the limits of an enterprise; what is left out is without limit.",
        "设置企业限额，不写的项不限。",
    ),
    "enterprise.limit.handles": ("Identifiers it may have registered.", "标识总数上限。"),
    "enterprise.limit.rate": ("Identifiers it may register a minute.", "每分钟登记数上限。"),
    "enterprise.limit.prefixes": ("Prefixes it may have.", "前缀数上限。"),
}

MESSAGES: Final[Catalogue] = {
    "person.added": (
        "{name} may log in. Keep the password: it is not shown again.",
        "{name} 已可登录。请保存密码，之后不再显示。",
    ),
    "person.changed": ("{name} is changed.", "{name} 已更新。"),
    "login.where": ("Log in with a browser at {url}", "请用浏览器登录：{url}"),
    "login.done": ("You may close this page.", "可关闭此页面。"),
    "login.stranger": ("No log-in waits for this.", "没有对应的登录请求。"),
    "login.refused": ("the log-in was refused: {reason}", "登录被拒绝：{reason}"),
    "login.late": ("nobody logged in within {minutes} minutes", "{minutes} 分钟内未完成登录"),
    "login.port": ("port {port} cannot be listened on: {reason}", "无法监听端口 {port}：{reason}"),
    "token.added": ("Keep the token: it is not shown again.", "请保存令牌，之后不再显示。"),
    "token.revoked": ("Token {token} is revoked.", "令牌 {token} 已吊销。"),
    "application.moved": ("Application {application} is {state}.", "申请 {application} 状态：{state}。"),
    "enterprise.moved": ("{name} is {state}.", "{name} 状态：{state}。"),
    "enterprise.recycled": ("Prefix {prefix} is free.", "前缀 {prefix} 已回收。"),
    "enterprise.limited": ("The limits of {name} are set.", "{name} 的限额已设置。"),
}

COLUMNS: Final[Catalogue] = {
    "role": ("Role", "角色"),
    "password": ("Password", "密码"),
    "active": ("Active", "启用"),
    "token_id": ("Token", "令牌"),
    "token": ("Token", "令牌"),
    "label": ("For", "用途"),
    "scopes": ("Scopes", "权限"),
    "prefixes": ("Prefixes", "前缀"),
    "sources": ("From", "来源"),
    "expires_at": ("Ends", "到期时间"),
    "last_used_at": ("Last used", "最近使用"),
    "last_source": ("From", "最近来源"),
    "revoked_at": ("Revoked", "吊销时间"),
    "application_id": ("Application", "申请"),
    "applicant": ("Applicant", "申请账号"),
    "credit_code": ("Credit code", "统一社会信用代码"),
    "created_at": ("Made", "创建时间"),
}
