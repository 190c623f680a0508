"""Logging of a node's programs to standard error: a line for people, or a JSON object for a collector."""

import logging
import time
from typing import Final

import orjson

from resolver.settings import StatusSettings

LINE: Final = "%(asctime)s %(levelname)-7s %(processName)s %(name)s: %(message)s"


def set_up(settings: StatusSettings, process: str = "filament") -> None:
    """Once, when a program starts; `process` names it in every line."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json(process) if settings.log_format == "json" else _Text(process))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


class _Text(logging.Formatter):
    converter = staticmethod(time.gmtime)  # the same hour on every machine, and twice in no autumn night
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, process: str) -> None:
        super().__init__(LINE)
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        record.processName = self._process
        return super().format(record)


class _Json(_Text):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()
