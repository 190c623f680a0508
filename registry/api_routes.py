"""The table of routes of the registry's own interface: what serves a request, and what describes it."""

from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

from registry.bulk_api import BulkHandlers, ReportForm
from registry.documentation import LANGUAGE_PARAMETER, VIEW_PARAMETER
from registry.enterprise_api import EnterpriseForm, Enterprises, GrantedForm
from registry.http_files import MEDIA_TYPES
from registry.routes import Parameter, Route
from registry.search_api import FoundForm, SearchHandlers
from registry.statistics_api import ASPECTS, PERIODS, BusiestForm, CountForm, StatisticsHandlers

_PROBLEM: Final = "application/problem+json"
_REFUSED: Final = dict.fromkeys((400, 401, 403, 503), _PROBLEM)
_MISSING: Final = _REFUSED | {404: _PROBLEM}


_SPAN: Final = (
    Parameter("from", "Date or time at which to begin (ISO 8601); today.", "起始日期或时间（ISO 8601），默认为今天。"),
    Parameter("to", "Date or time before which to end; now.", "截止日期或时间（不含），默认为现在。"),
    LANGUAGE_PARAMETER,
)


def routes(
    bulk: BulkHandlers, enterprises: Enterprises, statistics: StatisticsHandlers, search: SearchHandlers
) -> tuple[Route, ...]:
    """Every route but those of the documentation."""
    return (*_bulk_routes(bulk), _search_route(search), *_statistics_routes(statistics), *_other_routes(enterprises))


def _bulk_routes(bulk: BulkHandlers) -> tuple[Route, ...]:
    return (
        Route(
            "POST",
            "/api/bulk",
            bulk.load,
            "load",
            "Load a file of handles: NDJSON, CSV or XLSX, of any length.",
            "批量导入标识文件（NDJSON、CSV 或 XLSX），长度不限。",
            (
                Parameter("source", "Name of the file, for people.", "文件名，供查看。"),
                Parameter(
                    "Idempotency-Key",
                    "Makes a second sending the same load: a broken one goes on where it ended.",
                    "相同的键表示同一次导入；中断后从断点继续。",
                    place="header",
                ),
                LANGUAGE_PARAMETER,
            ),
            request={media_type: {"type": "string"} for media_type in MEDIA_TYPES},
            responses=_REFUSED | {200: "application/json", 408: _PROBLEM, 415: _PROBLEM},
            authenticated=True,
            answers={200: ReportForm},
            on_terms=False,  # Chunk by chunk in transactions of their own, under a key of its own.
        ),
        Route(
            "GET",
            "/api/bulk/{batch}",
            bulk.show,
            "showLoad",
            "What a load did, and its first refusals.",
            "一次导入的结果与前若干条拒绝记录。",
            (LANGUAGE_PARAMETER,),
            responses=_MISSING | {200: "application/json"},
            authenticated=True,
            answers={200: ReportForm},
        ),
        Route(
            "GET",
            "/api/bulk/{batch}/refused",
            bulk.show_refused,
            "showRefused",
            "The refused rows as a file of the same form, each with the reason.",
            "被拒绝的行，格式与原文件相同，并附原因。",
            (LANGUAGE_PARAMETER,),
            responses=_MISSING | {200: ", ".join(MEDIA_TYPES)},
            authenticated=True,
        ),
    )


def _statistics_routes(statistics: StatisticsHandlers) -> tuple[Route, ...]:
    return (
        Route(
            "GET",
            "/api/statistics",
            statistics.show,
            "showStatistics",
            "How many identifiers were asked for, and how many had content to show.",
            "解析请求数与成功数。",
            (
                Parameter("by", "What to tell apart.", "统计维度。", {"type": "string", "enum": list(ASPECTS)}),
                Parameter(
                    "per",
                    "Period of each row; sources are counted by day.",
                    "统计周期；来源只按天统计。",
                    {"type": "string", "enum": list(PERIODS)},
                ),
                Parameter(
                    "prefix",
                    "Only this prefix; administrators of a prefix must name theirs.",
                    "只统计该前缀；企业管理员须填写自己的前缀。",
                ),
                *_SPAN,
            ),
            responses=_MISSING | {200: "application/json"},
            authenticated=True,
            answers={200: list[CountForm]},
        ),
        Route(
            "GET",
            "/api/statistics/busiest",
            statistics.show_busiest,
            "showBusiest",
            "The busiest second of each day.",
            "每天解析量最大的一秒。",
            _SPAN,
            responses=_REFUSED | {200: "application/json"},
            authenticated=True,
            answers={200: list[BusiestForm]},
        ),
    )


def _search_route(search: SearchHandlers) -> Route:
    return Route(
        "GET",
        "/api/search",
        search.find,
        "search",
        "Handles of a prefix by a value of a type that was declared searchable: all cakes of a batch.",
        "按值检索某前缀下的标识（类型须先声明为可检索），例如某批号的全部丝饼。",
        (
            Parameter("prefix", "The prefix.", "前缀。", required=True),
            Parameter("type", "Type of the value.", "值的类型。", required=True),
            Parameter("value", "The whole value.", "完整的值。", required=True),
            Parameter("cursor", "Where a page begins: of the page before.", "起始位置，取自上一页。"),
            Parameter("limit", "Handles of a page; 100.", "每页标识数，默认 100。", {"type": "integer"}),
            VIEW_PARAMETER,
            LANGUAGE_PARAMETER,
        ),
        responses=_REFUSED | {200: "application/json", 404: _PROBLEM},
        authenticated=True,
        answers={200: FoundForm},
    )


def _other_routes(enterprises: Enterprises) -> tuple[Route, ...]:
    return (
        Route(
            "GET",
            "/api/enterprises",
            enterprises.list,
            "listEnterprises",
            "Every enterprise with each of its prefixes and the number of its handles.",
            "全部企业及其前缀和标识数量。",
            responses=_REFUSED | {200: "application/json"},
            authenticated=True,
            answers={200: {"type": "array", "items": {"type": "object"}}},
        ),
        Route(
            "POST",
            "/api/enterprises",
            enterprises.add,
            "addEnterprise",
            "Give an enterprise a prefix and a key for it.",
            "为企业分配前缀和密钥。",
            request={"application/json": EnterpriseForm},
            responses=_REFUSED | {201: "application/json", 409: _PROBLEM, 413: _PROBLEM},
            authenticated=True,
            answers={201: GrantedForm},
        ),
        Route("GET", "/healthz", _healthz, "health", "Whether the process is alive.", "进程是否存活。",
              answers={200: {"type": "object"}}),
    )  # fmt: skip


async def _healthz(_request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
    return web.Response(body=orjson.dumps({"status": "ok"}), content_type="application/json")
