"""The pages that people see: whole without a script, a font or any request to elsewhere, in English and Chinese.

Every text that comes from outside passes `html.escape`; the policy header allows this module's own style and nothing
else, so that a value can never become a program.
"""

import base64
import hashlib
import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import orjson

from registry.data_forms import data_to_json
from registry.language import Catalogue, Language, text
from registry.rest import time_to_text
from registry.value import HandleValue
from resolver.listeners.http.target import path_of

MAX_SHOWN: Final = 8_000  # Characters of one value; the JSON has the rest.

TEXTS: Final[Catalogue] = {
    "front.title": ("Identifier resolution", "标识解析"),
    "front.lead": (
        "Type an identifier to see what is registered for it.",
        "输入标识,查看其登记的内容。",
    ),
    "front.label": ("Identifier", "标识"),
    "front.show": ("Show values", "查看"),
    "front.go": ("Go to its address", "前往网址"),
    "docs": ("Interface documentation", "接口文档"),
    "home": ("Start page", "首页"),
    "other": ("中文", "English"),
    "record.values": ("Values of {handle}", "{handle} 的值"),
    "record.index": ("Index", "索引"),
    "record.type": ("Type", "类型"),
    "record.data": ("Data", "数据"),
    "record.ttl": ("TTL", "有效期"),
    "record.timestamp": ("Written", "写入时间"),
    "record.seconds": ("{seconds} s", "{seconds} 秒"),
    "record.empty": ("No value that may be shown.", "没有可公开显示的值。"),
    "record.json": ("JSON", "JSON"),
    "record.cut": ("… cut; the JSON has all of it", "……已截断,完整内容见 JSON"),
    "record.unsafe": (
        "The registered address is not one that this node sends visitors to, so it is only shown.",
        "登记的网址不在本节点允许跳转的范围内,仅供显示。",
    ),
    "record.stale": (
        "The registry has not been heard from for {seconds} s: what you see may be out of date.",
        "已有 {seconds} 秒未与注册库同步,以下内容可能不是最新。",
    ),
    "record.successor": ("Its successor: {handle}", "后继标识:{handle}"),
    "refusal.410": ("No longer in use", "已停用"),
    "refusal.404": ("Not found", "未找到"),
    "refusal.400": ("Cannot be resolved here", "本节点无法解析"),
    "refusal.500": ("Cannot be answered", "无法应答"),
    "refusal.503": ("Try again in a moment", "请稍后重试"),
}

STYLE: Final = """
:root{color-scheme:light dark;--line:#8884;--tint:#8881}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1rem;font:1rem/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif}
nav{display:flex;flex-wrap:wrap;gap:1rem;align-items:baseline}
nav b{flex:1}
h1{font-size:1.3rem;overflow-wrap:anywhere}
form{display:flex;flex-wrap:wrap;gap:.5rem;margin:1rem 0}
label{flex-basis:100%}
input{flex:1 1 16rem;min-width:0}
input,button{font:inherit;padding:.6rem .8rem;border:1px solid var(--line);border-radius:.4rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.5rem;border-bottom:1px solid var(--line)}
td.data{overflow-wrap:anywhere;white-space:pre-wrap;width:100%}
td.data code{font-size:.85rem}
.note{padding:.6rem .8rem;border-left:.3rem solid #c80;background:var(--tint)}
@media(max-width:40rem){
thead{display:none}
tr{display:block;padding:.5rem 0;border-bottom:2px solid var(--line)}
td{display:flex;gap:.75rem;border:0;padding:.15rem 0}
td::before{content:attr(data-label);flex:0 0 5rem;opacity:.7}
td.data{display:block}
td.data::before{display:block}
}
@media print{nav a,form{display:none}}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

_LAYOUT: Final = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="{robots}">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<nav><b>{name}</b><a href="/?lang={language}">{home}</a><a href="/docs?lang={language}">{docs}</a>
<a href="{other_address}" hreflang="{other_language}" lang="{other_language}">{other}</a></nav>
<main>
<h1>{title}</h1>
{main}
</main>
</body>
</html>
"""
_FORM: Final = """<form action="/" method="get">
<label for="handle">{label}</label>
<input id="handle" name="handle" value="{handle}" placeholder="88.168.1/…" required autocapitalize="off"
 autocomplete="off" spellcheck="false" maxlength="2048">
<input type="hidden" name="lang" value="{language}">
<button name="noredirect" value="true">{show}</button>
<button>{go}</button>
</form>"""
_TABLE: Final = """<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>"""
_REDIRECT: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Handle Redirect</title></head>
<body><a href="{target}">{target}</a></body></html>
"""
_COLUMNS: Final = ("index", "type", "data", "ttl", "timestamp")
_ELSEWHERE: Final = 'rel="nofollow noopener noreferrer"'


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages in one language, on the path where the reader is. `link_of` finds the address that a line names."""

    name: str
    language: Language
    path: str
    link_of: Callable[[str], str | None]

    def front(self) -> str:
        """The page that asks for an identifier."""
        lead = f"<p>{self._text('front.lead')}</p>"
        return self._page(self._text("front.title"), lead + self._form(""), robots="index,follow")

    def record(self, handle: str, values: Iterable[HandleValue], *, staleness: float, unsafe: bool = False) -> str:
        """The values of a handle, with what a reader should know about them."""
        notes = []
        if staleness:
            notes.append(self._note("record.stale", seconds=round(staleness)))
        if unsafe:
            notes.append(self._note("record.unsafe"))
        address = f"/api/handles{path_of(handle)}"
        link = f'<p><a href="{html.escape(address)}">{self._text("record.json")}</a></p>'
        main = "\n".join((*notes, self._table(values), link, self._form(handle)))
        return self._page(self._text("record.values", handle=handle), main, robots="noarchive")

    def refusal(self, status: int, message: str, handle: str, successor: str = "") -> str:
        """Why there is no record, what came in its place, and the form to try another."""
        rule = f"refusal.{status}" if f"refusal.{status}" in TEXTS else "refusal.400"
        main = f'<p class="note">{html.escape(message)}</p>\n{self._successor(successor)}{self._form(handle)}'
        return self._page(self._text(rule), main, robots="noindex")

    def _successor(self, handle: str) -> str:
        if not handle:
            return ""
        address = html.escape(f"{path_of(handle)}?noredirect&lang={self.language}")
        return f'<p><a href="{address}">{self._text("record.successor", handle=handle)}</a></p>\n'

    def _page(self, title: str, main: str, *, robots: str) -> str:
        other: Language = "en" if self.language == "zh" else "zh"
        query = "?lang=" if self.path == "/" else "?noredirect&lang="
        return _LAYOUT.format(
            language=self.language,
            other_language=other,
            other_address=html.escape(self.path + query + other),
            title=title,
            name=html.escape(self.name),
            style=STYLE,
            robots=robots,
            main=main,
            home=self._text("home"),
            docs=self._text("docs"),
            other=self._text("other"),
        )

    def _form(self, handle: str) -> str:
        return _FORM.format(
            language=self.language,
            handle=html.escape(handle),
            label=self._text("front.label"),
            show=self._text("front.show"),
            go=self._text("front.go"),
        )

    def _table(self, values: Iterable[HandleValue]) -> str:
        rows = "\n".join(self._row(value) for value in values)
        if not rows:
            return self._note("record.empty")
        heads = "".join(f'<th scope="col">{self._text(f"record.{column}")}</th>' for column in _COLUMNS)
        return _TABLE.format(heads=heads, rows=rows)

    def _row(self, value: HandleValue) -> str:
        ttl = time_to_text(value.ttl) if value.ttl_absolute else self._text("record.seconds", seconds=value.ttl)
        written = time_to_text(value.timestamp)
        cells = (
            str(value.index),
            html.escape(value.type),
            self._data(value),
            ttl,
            f'<time datetime="{written}">{written}</time>',
        )
        return f"<tr>{''.join(self._cell(column, cell) for column, cell in zip(_COLUMNS, cells, strict=True))}</tr>"

    def _cell(self, column: str, content: str) -> str:
        return f'<td class="{column}" data-label="{self._text(f"record.{column}")}">{content}</td>'

    def _data(self, value: HandleValue) -> str:
        form = data_to_json(value.type, value.data)
        plain = form["format"] == "string"
        shown = form["value"] if plain else orjson.dumps(form["value"], option=orjson.OPT_INDENT_2).decode()
        rest = f" <i>{self._text('record.cut')}</i>" if len(shown) > MAX_SHOWN else ""
        shown = shown[:MAX_SHOWN]
        return ("\n".join(map(self._line, shown.split("\n"))) if plain else f"<code>{html.escape(shown)}</code>") + rest

    def _line(self, line: str) -> str:
        address = self.link_of(line)
        if address is None:
            return html.escape(line)
        return f'<a href="{html.escape(address)}" {_ELSEWHERE}>{html.escape(line)}</a>'

    def _note(self, rule: str, **culprit: object) -> str:
        return f'<p class="note">{self._text(rule, **culprit)}</p>'

    def _text(self, rule: str, **culprit: object) -> str:
        return html.escape(text(TEXTS, rule, self.language, **culprit))


def redirect_body(target: str) -> str:
    """What a client that does not follow redirects shows."""
    return _REDIRECT.format(target=html.escape(target))
