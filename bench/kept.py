"""What a kept result holds, wherever its program put it: measurements with a histogram, and plain figures."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

# What tells the turns of one thing from those of another; what else a list holds is turns of the same.
LABELS: Final = ("program", "attack", "way", "transport", "state", "registered", "rows", "size", "asked_rate")
MOST: Final = 300  # Plain figures of a report: enough for every program that measures no single answers.
OF_A_MEASUREMENT: Final = "histogram"


def measurements(kept: Any, name: str = "") -> Iterator[dict[str, Any]]:
    """Everything with a histogram, under its own name or the one of its place."""
    if isinstance(kept, Mapping) and OF_A_MEASUREMENT in kept:
        own = str(kept.get("name") or name)
        yield {**kept, "name": own}
        kinds = kept.get("kinds")
        if isinstance(kinds, Mapping):  # as far as the kinds have names
            for kind, tally in kinds.items():
                chinese = f"{kept['name_zh']} · {kind}" if "name_zh" in kept else ""
                yield {"name": f"{own} · {kind}", "name_zh": chinese, **_with_rate(tally, kept)}
        return
    for place, one in _parts(kept, name):
        yield from measurements(one, place)


def plain(kept: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All that is no measurement and no list of them: its place and its value."""
    if isinstance(kept, Mapping) and OF_A_MEASUREMENT in kept:
        return
    if not isinstance(kept, Mapping) and not _has_parts(kept):
        yield name, kept
        return
    for place, one in _parts(kept, name):
        yield from plain(one, place)


def _parts(kept: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(kept, Mapping):
        for key, one in kept.items():
            yield f"{name} · {key}" if name else str(key), one
    elif _has_parts(kept):
        for one in kept:
            label = ", ".join(f"{key} {one[key]}" for key in LABELS if key in one)
            yield f"{name} · {label}" if label else name, one


def _has_parts(kept: Any) -> bool:
    return isinstance(kept, list) and bool(kept) and all(isinstance(one, Mapping) for one in kept)


def _with_rate(tally: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    seconds = whole.get("seconds")
    return {**tally, "rate": tally.get("answered", 0) / seconds} if seconds else dict(tally)
