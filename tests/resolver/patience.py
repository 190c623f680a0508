"""Bounds of a node in tests that are not about them: a machine that stalls for seconds must not fail one."""

from typing import Final

PATIENT: Final = {"max_staleness": 20.0, "miss_deadline": 20.0, "overload_wait": 20.0}
