"""One value as people read it: a number with its unit, a time, lines that lead on. The rest stays text."""

import html
import re
from datetime import datetime
from typing import Final

import orjson

from registry.data_forms import data_to_json
from registry.value import HandleValue
from resolver.listeners.http.pages.attributes import Attribute, Kind
from resolver.listeners.http.pages.layout import Reader, time_element

MAX_SHOWN: Final = 8_000  # Characters of one value; the JSON has the rest.
_ELSEWHERE: Final = 'rel="nofollow noopener noreferrer"'
_NUMBER: Final = re.compile(r"(-?)(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.{0,20}")


def shown(value: HandleValue, attribute: Attribute, reader: Reader) -> str:
    """A value among the details of a page."""
    if attribute.kind is Kind.OPTION and (named := attribute.options.get(value.text, value.text)) != value.text:
        return f"{html.escape(named)} <small>{html.escape(value.text)}</small>"
    if attribute.kind is Kind.QUANTITY and (number := _NUMBER.fullmatch(value.text)):
        sign, whole, part = number.groups(default="")
        return f"{sign}{int(whole):,}{part} <small>{html.escape(attribute.unit)}</small>".rstrip()
    if attribute.kind is Kind.TIME and _TIME.fullmatch(value.text):
        try:
            at = datetime.fromisoformat(value.text)
        except ValueError:
            return whole_data(value, reader)
        if at.tzinfo is not None:
            return time_element(at)
    return whole_data(value, reader)


def whole_data(value: HandleValue, reader: Reader) -> str:
    """The data of a value as it is registered, up to a length that a page can bear."""
    form = data_to_json(value.type, value.data)
    plain = form["format"] == "string"
    data = form["value"] if plain else orjson.dumps(form["value"], option=orjson.OPT_INDENT_2).decode()
    rest = f" <i>{reader.say('record.cut')}</i>" if len(data) > MAX_SHOWN else ""
    data = data[:MAX_SHOWN]
    if not plain:
        return f"<code>{html.escape(data)}</code>{rest}"
    return "\n".join(_line(line, reader) for line in data.split("\n")) + rest


def _line(line: str, reader: Reader) -> str:
    address = reader.address_of(line)
    if address is not None:
        return f'<a href="{html.escape(address)}" {_ELSEWHERE}>{html.escape(line)}</a>'
    page = reader.page_of(line)
    return html.escape(line) if page is None else f'<a href="{html.escape(page)}">{html.escape(line)}</a>'
