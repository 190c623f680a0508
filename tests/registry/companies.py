"""A registry with its office: people, tokens, applications and the standing of enterprises, over a fresh database."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from registry.applications import Application, Applications
from registry.credit_code import check_character
from registry.enterprise_standing import EnterpriseStanding
from registry.evidence import EvidenceFiles
from registry.passwords import Passwords
from registry.people import People
from registry.personal import Personal, Vault
from registry.settings import RegistrySettings
from registry.store import Store
from registry.tokens import Tokens

PASSWORD = "correct horse battery"
PDF = b"%PDF-1.7 a licence"
LEGAL_PERSON, ID_NUMBER, PHONE = "沈建国", "330483197001011234", "13857300001"
PERSONAL = Personal(LEGAL_PERSON, ID_NUMBER, "王芳", PHONE, "wang@lansi.example")

_numbers = itertools.count(1)


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **difference: float) -> None:
        self.now += timedelta(**difference)


@dataclass
class Office:
    store: Store
    vault: Vault
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.tokens = Tokens(self.store, self.clock)
        self.passwords = Passwords()
        self.people = People(self.store, self.tokens, self.passwords, self.clock)
        self.applications = Applications(self.store, self.vault, self.passwords)
        self.evidence = EvidenceFiles(self.store, self.vault)
        self.standing = EnterpriseStanding(self.store, self.vault)

    async def apply(self, prefix: str = "88.168.9", name: str = "浙江澜丝化纤有限公司", **more: object) -> int:
        """An application with evidence; its account is `applicant-<number>`."""
        account = f"applicant-{next(_numbers)}"
        number = await self.applications.apply(application(prefix, name, **more), account, PASSWORD)
        await self.evidence.add(number, "营业执照.pdf", PDF, by="test")
        return number

    async def value(self, query: str, *arguments: object) -> object:
        async with self.store.connection() as connection:
            return await connection.fetchval(query, *arguments)


def application(prefix: str = "88.168.9", name: str = "浙江澜丝化纤有限公司", **more: object) -> Application:
    return Application(name, "Lansi", "2822", credit_code(), prefix, bool(more.get("hosted", True)), PERSONAL)


def credit_code() -> str:
    body = f"91330483{next(_numbers):09d}"
    return body + check_character(body)


@asynccontextmanager
async def open_office(dsn: str, directory: Path) -> AsyncIterator[Office]:
    store = Store(RegistrySettings(dsn=dsn, data_directory=str(directory)), "test")
    await store.open()
    try:
        yield Office(store, Vault(directory))
    finally:
        await store.close()
