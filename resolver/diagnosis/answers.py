"""The running node as others see it: its status port, what its figures say of the change log, and its answers."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

import aiohttp
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from registry.language import Language
from resolver.diagnosis.finding import BAD, GOOD, Finding
from resolver.questions import PROTOCOLS, Place, Questioner
from resolver.settings import Settings

TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
UNREGISTERED: Final = "0.NA/0.doctor"  # Asked for where nothing is registered: that it is missing is an answer, too.
SHOWN: Final = {"http": "HTTP", "https": "HTTPS", "tcp": "Handle/TCP", "udp": "Handle/UDP"}


async def status(settings: Settings, language: Language) -> list[Finding]:
    """What the status port says: who is not ready and why, and how late changes are heard."""
    host = f"[{settings.status.listen}]" if ":" in settings.status.listen else settings.status.listen
    url = f"http://{host}:{settings.status.port}"
    try:
        async with aiohttp.ClientSession(timeout=TIMEOUT, headers={"Accept-Language": language}) as session:
            async with session.get(f"{url}/readyz") as response:
                readiness = await response.json()
            async with session.get(f"{url}/metrics") as response:
                families = {family.name: family for family in text_string_to_metric_families(await response.text())}
    except (OSError, ValueError, TimeoutError, aiohttp.ClientError) as error:
        return [Finding("processes", BAD, "processes.silent", {"reason": str(error) or type(error).__name__})]
    return [*_processes(readiness), change_log(families, settings.resolver.max_staleness)]


def _processes(readiness: Any) -> Iterator[Finding]:
    for reason in readiness["reasons"]:
        yield Finding("processes", BAD, "processes.unready", {"reason": reason["message"]})
    if readiness["ready"]:
        yield Finding("processes", GOOD, "processes.ready", {"names": ", ".join(readiness["processes"])})


def change_log(families: dict[str, Metric], max_staleness: float) -> Finding:
    """How far resolvers are behind the change log, from their own figures."""
    staleness = families.get("filament_staleness_seconds")
    late = max((sample.value for sample in staleness.samples), default=0.0) if staleness else 0.0
    if late > max_staleness:
        return Finding("change_log", BAD, "change_log.late", {"seconds": late})
    delay = _median(families.get("filament_change_delay_seconds"))
    if delay is None:
        return Finding("change_log", GOOD, "change_log.quiet")
    return Finding("change_log", GOOD, "change_log.heard", {"delay": delay})


def _median(histogram: Metric | None) -> float | None:
    """The upper bound of the bucket that holds the middle; None while nothing was counted."""
    buckets = [sample for sample in (histogram.samples if histogram else ()) if sample.name.endswith("_bucket")]
    counted = sorted((float(sample.labels["le"]), sample.value) for sample in buckets)
    if not counted or not counted[-1][1]:
        return None
    return next(bound for bound, count in counted if count * 2 >= counted[-1][1])


async def resolve(place: Place, handle: str | None) -> Sequence[Finding]:
    """One question over each protocol, from here to the database and back."""
    asked = handle or UNREGISTERED
    questioner = Questioner(place)
    answers = await asyncio.gather(*(questioner.ask(protocol, asked, authoritative=True) for protocol in PROTOCOLS))
    findings = []
    for answer in answers:
        told = {
            "handle": asked,
            "protocol": SHOWN[answer.protocol],
            "code": answer.code,
            "milliseconds": answer.seconds * 1000,
            "reason": answer.reason,
        }
        if answer.answered and (handle is None or answer.code == 1):
            findings.append(Finding("answers", GOOD, "answers.came", told))
        else:
            findings.append(Finding("answers", BAD, "answers.none" if answer.code is None else "answers.wrong", told))
    return findings
