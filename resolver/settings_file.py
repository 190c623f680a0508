"""The settings file that is shipped: every setting, with its default and its meaning in both languages."""

import dataclasses
import json
from typing import Any

from resolver.settings import SECTIONS, TITLES


def node_toml() -> str:
    """A settings file that names every setting, with its default and its meaning in both languages."""
    lines = [
        "# Every setting of a Filament node, with its default.",
        "# Overlaid by FILAMENT_<TABLE>_<SETTING> in the environment.",
        "# Filament 节点的全部设置及默认值；可用环境变量 FILAMENT_<表名>_<设置名> 覆盖。",
    ]
    for name, kind in SECTIONS.items():
        english, chinese = TITLES[name]
        lines += ["", f"# {english}", f"# {chinese}", f"[{name}]"]
        for entry in dataclasses.fields(kind):
            lines += ["", f"# {entry.metadata['en']}", f"# {entry.metadata['zh']}"]
            lines.append(f"{entry.name} = {_toml(entry.default)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    # JSON writes these the way TOML does: quoted text, true and false, numbers, arrays of one line.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
