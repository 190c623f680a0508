"""The OpenAPI 3.1 description of an interface, made from the table of routes that serves it.

Nothing is described by hand twice: paths, parameters and bodies come from the routes, and the forms of bodies from
the msgspec types that read them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from registry.language import Catalogue, Language, text
from registry.rest import RecordForm, ValueForm
from registry.routes import Parameter, Route

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_REFERENCE: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"


class Resolution(msgspec.Struct, rename="camel"):
    """A handle with the values that were asked for, in ascending order of index."""

    response_code: int
    handle: str
    values: list[ValueForm]


class Refusal(msgspec.Struct, rename="camel"):
    """What was refused and why."""

    response_code: int
    message: str = ""
    handle: str = ""


# A PUT body: an array of values, an object that holds them, or one value.
Values = list[ValueForm] | RecordForm

TEXTS: Final[Catalogue] = {
    "about": (
        "GET also serves HEAD. A name in a path is everything up to the '?', percent-decoded once: write '%2F', '%23' "
        "and '%3F' for '/', '#' and '?' where they are ambiguous; '+' is a plus sign.",
        "GET 同时支持 HEAD。路径中的标识是“?”之前的全部内容，只做一次百分号解码：有歧义时“/”“#”“?”"
        "分别写作“%2F”“%23”“%3F”；“+”就是加号。",
    ),
    "handle": ("The handle, prefix/suffix, percent-encoded.", "标识，写作 前缀/后缀，需百分号编码。"),
    "prefix": ("The prefix, or its handle 0.NA/prefix.", "前缀，或其标识 0.NA/前缀。"),
    "placeholder": ("Part of the path.", "路径的一部分。"),
    "basic": (
        "User: index:handle of an HS_SECKEY value, percent-encoded because of the colon; password: the secret key.",
        "用户名为 HS_SECKEY 值的 索引:标识（其中冒号需百分号编码），密码为密钥。",
    ),
    "bearer": (
        "A token: of a program, or of a person who logged in. It is good for its scopes and prefixes, and no more.",
        "令牌：由程序持有，或由用户登录取得；仅在其权限与前缀范围内有效。",
    ),
    "handle_scheme": (
        "Challenge and response with an HS_PUBKEY or HS_SECKEY value, over the session that a 401 offers.",
        "以 HS_PUBKEY 或 HS_SECKEY 值应答 401 给出的会话质询。",
    ),
    "certificate": (
        "A client certificate whose subject names index:handle and whose key is that HS_PUBKEY value.",
        "客户端证书：主题写明 索引:标识，公钥与该 HS_PUBKEY 值一致。",
    ),
}
# The phrases of HTTP in Chinese; English ones are the standard library's.
_CHINESE_STATUS: Final[Mapping[int, str]] = {
    200: "成功",
    201: "已创建",
    202: "已受理",
    204: "成功，无内容",
    300: "请转至其他服务",
    301: "已永久移动",
    302: "重定向",
    303: "请查看其他地址",
    304: "未变更",
    400: "请求有误",
    401: "需要身份认证",
    403: "禁止访问",
    404: "不存在",
    405: "方法不允许",
    409: "冲突",
    410: "已停用",
    412: "前提条件不成立",
    413: "请求体过大",
    414: "地址过长",
    415: "不支持的媒体类型",
    429: "请求过多",
    500: "内部错误",
    501: "不支持该操作",
    503: "暂时不可用",
}
_SECURITY: Final[tuple[Mapping[str, list[str]], ...]] = (
    {"basic": []},
    {"bearer": []},
    {"handle": []},
    {"certificate": []},
)


def describe(routes: Sequence[Route], *, title: str, version: str, language: Language) -> dict[str, Any]:
    """The description of the documented routes, in one language."""
    documented = [route for route in routes if route.documented]
    forms = [Refusal, *_forms(documented)]
    schemas, components = msgspec.json.schema_components(forms, ref_template=_REFERENCE)
    # Type expressions such as list[ValueForm] need not be hashable by value: each is known by its place.
    schema_of = {id(form): schema for form, schema in zip(forms, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in documented:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of, language)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": text(TEXTS, "about", language)},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _security_schemes(language)},
    }


def _forms(routes: Iterable[Route]) -> Iterator[Any]:
    for route in routes:
        for form in (*route.request.values(), *route.answers.values()):
            if not isinstance(form, Mapping):
                yield form


def _operation(route: Route, schema_of: Mapping[int, Any], language: Language) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.chinese if language == "zh" else route.english,
        "parameters": [
            *(_placeholder(name, language) for name in _PLACEHOLDER.findall(route.path)),
            *(_parameter(parameter, language) for parameter in route.parameters),
        ],
        "responses": {
            str(status): _response(route, status, media_types, schema_of, language)
            for status, media_types in sorted(_responses(route).items())
        },
    }
    if route.request:
        content = {media_type: {"schema": _schema(form, schema_of)} for media_type, form in route.request.items()}
        operation["requestBody"] = {"required": route.body_required, "content": content}
    if route.authenticated:
        operation["security"] = list(_SECURITY)
    return operation


def _responses(route: Route) -> Mapping[int, str]:
    """What a route answers; whatever can be refused at all can be too much for the limit of its client."""
    return {429: route.responses[400], **route.responses} if 400 in route.responses else route.responses


def _response(
    route: Route, status: int, media_types: str, schema_of: Mapping[int, Any], language: Language
) -> dict[str, Any]:
    english = HTTPStatus(status).phrase
    response: dict[str, Any] = {"description": _CHINESE_STATUS.get(status, english) if language == "zh" else english}
    refusal: Any = Refusal if status >= HTTPStatus.BAD_REQUEST else {}
    forms = {kind: route.answers.get(status, refusal) if kind == _JSON else {} for kind in media_types.split(", ")}
    if media_types:
        response["content"] = {kind: {"schema": _schema(form, schema_of)} for kind, form in forms.items()}
    return response


def _schema(form: Any, schema_of: Mapping[int, Any]) -> Any:
    return dict(form) if isinstance(form, Mapping) else schema_of[id(form)]


def _placeholder(name: str, language: Language) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": text(TEXTS, name if name in TEXTS else "placeholder", language),
        "schema": {"type": "string", "minLength": 1},
    }


def _parameter(parameter: Parameter, language: Language) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.chinese if language == "zh" else parameter.english,
        "schema": dict(parameter.schema),
    }


def _security_schemes(language: Language) -> dict[str, Any]:
    return {
        "basic": {"type": "http", "scheme": "basic", "description": text(TEXTS, "basic", language)},
        "bearer": {"type": "http", "scheme": "bearer", "description": text(TEXTS, "bearer", language)},
        "handle": {"type": "http", "scheme": "Handle", "description": text(TEXTS, "handle_scheme", language)},
        "certificate": {"type": "mutualTLS", "description": text(TEXTS, "certificate", language)},
    }
