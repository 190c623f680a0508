"""The status port in a browser: is the node ready, does it keep its promises this month, what happened.

Availability is counted in minutes, by the rule of 51 in 100 (`registry.promises`), and times are those of China.
"""

import html
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from registry.language import Catalogue, Language, text
from registry.promises import LATELY, Standing
from registry.statistics import ZONE
from resolver.listeners.http.pages.layout import STYLE

MOST_INCIDENTS: Final = 50  # The newest; a node that fails every other minute shows thousands in a month.
TEXTS: Final[Catalogue] = {
    "title": ("Status of the node", "节点状态"),
    "ready": ("The node is ready.", "节点已就绪。"),
    "unready": ("The node is not ready:", "节点未就绪："),
    "promises": ("Promises this month", "本月服务承诺"),
    "away": ("The book is away: nothing can be said of promises.", "注册库不可用，暂无承诺数据。"),
    "unmeasured": (
        "Nobody has measured yet: run `filament probe`, or the unit filament-prober.",
        "尚无测量数据：请运行 `filament probe` 或启用 filament-prober 服务。",
    ),
    "newest": ("Newest minute that was probed: {at}", "最近一次探测：{at}"),
    "service": ("service", "服务"),
    "availability": ("availability", "可用率"),
    "minutes": ("minutes probed", "探测分钟数"),
    "down": ("minutes down", "中断分钟数"),
    "lately": ("Probes of the last {minutes} minutes", "最近 {minutes} 分钟的探测"),
    "probe": ("probe", "探测项"),
    "asked": ("asked", "次数"),
    "answered": ("succeeded", "成功"),
    "mean": ("mean, ms", "平均（毫秒）"),
    "slowest": ("slowest, ms", "最慢（毫秒）"),
    "incidents": ("Exceptions and recoveries this month", "本月异常与恢复"),
    "none": ("None.", "无。"),
    "began": ("exception", "异常时间"),
    "ended": ("recovery", "恢复时间"),
    "goes_on": ("goes on", "尚未恢复"),
    "cause": ("cause", "原因"),
    "resolve": ("resolution", "解析"),
    "register": ("registration", "注册"),
    "visible": ("from write to visible", "写入到可见"),
}
_PAGE: Final = """<!DOCTYPE html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><style>{style}</style></head>
<body><main>
<h1>{title}</h1>
{main}
</main></body>
</html>
"""


def status_page(reasons: Sequence[str], notices: Sequence[str], seen: Standing | None, language: Language) -> str:
    """The page; `reasons` say why the node is not ready, `notices` what else there is, in this language."""
    page = _Page(language)
    main = (*page.readiness(reasons), *page.notices(notices), *page.promises(seen))
    return _PAGE.format(language=language, title=page.say("title"), style=STYLE, main="\n".join(main))


class _Page:
    def __init__(self, language: Language) -> None:
        self._language = language

    def say(self, rule: str, **culprit: object) -> str:
        return html.escape(text(TEXTS, rule, self._language, **culprit))

    def readiness(self, reasons: Sequence[str]) -> Iterable[str]:
        if not reasons:
            yield f"<p>{self.say('ready')}</p>"
            return
        yield f"<p>{self.say('unready')}</p>"
        yield from self.notices(reasons)

    def notices(self, sentences: Sequence[str]) -> Iterable[str]:
        rows = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
        yield f"<ul>{rows}</ul>" if rows else ""

    def promises(self, seen: Standing | None) -> Iterable[str]:
        yield f"<h2>{self.say('promises')}</h2>"
        if seen is None:
            yield f"<p>{self.say('away')}</p>"
            return
        if seen.newest is None:
            yield f"<p>{self.say('unmeasured')}</p>"
            return
        accounts = [
            (self._named(one.service), _percent(one.availability), str(one.minutes), str(one.down))
            for one in seen.accounts
        ]
        yield self._table(("service", "availability", "minutes", "down"), accounts)
        yield f"<p>{self.say('newest', at=_clock(seen.newest))}</p>"
        yield f"<h2>{self.say('lately', minutes=int(LATELY.total_seconds() // 60))}</h2>"
        probes = [
            (self._named(one.probe), str(one.asked), str(one.answered), _ms(one.mean), _ms(one.slowest))
            for one in seen.lately
        ]
        yield self._table(("probe", "asked", "answered", "mean", "slowest"), probes)
        yield from self._incidents(seen)

    def _incidents(self, seen: Standing) -> Iterable[str]:
        yield f"<h2>{self.say('incidents')}</h2>"
        rows = [
            (
                self._named(one.service),
                _clock(one.began_at),
                self.say("goes_on") if one.ended_at is None else _clock(one.ended_at),
                html.escape(one.cause),
            )
            for one in seen.incidents[: -MOST_INCIDENTS - 1 : -1]
        ]
        yield self._table(("service", "began", "ended", "cause"), rows)

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Cells are escaped already."""
        if not rows:
            return f"<p>{self.say('none')}</p>"
        head = "".join(f"<th>{self.say(column)}</th>" for column in columns)
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _named(self, name: str) -> str:
        return self.say(name) if name in TEXTS else html.escape(name.upper())


def _percent(availability: float | None) -> str:
    return "–" if availability is None else f"{availability:.3%}"


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.1f}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M}"
