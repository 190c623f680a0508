"""A book with one prefix, 88.118.1, and the keys that the captured exchanges were made with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from registry.admin import ALL_PERMISSIONS, AdminRecord, value_list_to_wire
from registry.authentication import Administrator
from registry.handle import Handle
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue, Reference

PREFIX = "88.118.1"
PREFIX_HANDLE = "0.NA/88.118.1"
SECRET = b"s3cret-key"
ADMIN_PUBLIC_KEY = bytes.fromhex(
    # kind, flags, e, n and the four zero octets that the reference leaves behind
    "0000000b 5253415f5055425f4b4559 0000 00000003 010001 00000101"
    "00a5ff3fb2b4a2cb224964f764afeea17c4bf1e7af50441cd6f8ddf8c1565e5efcae2f9590b187ebebf06738de052fed5c2b2a491f3a96bd"
    "e2877d0f713c24db52bb1ddd9aa7e4b83c02fae2e344cec51836a1da6bca502b5ce8762c1036ad45bbdc7b22b8d820f6f01dd79f30224130"
    "207086bece81a3d01e8c135b01630c69ad5e7cd37d3f649159b196fe17df29371c7529018f6bdc8fc8986eaf774306d95177bb0052b7e8b9"
    "32a5d235be5ade4ac08ae49028de6415d53252699e7d5d42448eec0c7073376d8ebfce587e15ab8ef33adb6e1f109c5973fb90e109a115a8"
    "ba1e1db2553ff03a51ac9a3f76cd46dbed5fee6141514386b384b2daebfac4bdbb 00000000"
)

OWNER = Administrator(Reference(PREFIX_HANDLE, 301))  # every right, through the group at index 200
STRANGER = Administrator(Reference("0.NA/88.118.2", 300))  # has a key, and no right here
NODE = Administrator(Reference("0.NA/0.NA", 300))  # named in the settings

URL = HandleValue(1, "URL", b"http://example.org/1")
DESC = HandleValue(2, "DESC", "说明".encode())


def admin(index: int, permissions: int, who: Administrator | Reference) -> HandleValue:
    """An HS_ADMIN value that grants these permissions."""
    reference = who.identity if isinstance(who, Administrator) else who
    return HandleValue(index, "HS_ADMIN", AdminRecord(permissions, reference.handle, reference.index).to_wire())


def group(index: int, *members: Reference) -> HandleValue:
    return HandleValue(index, "HS_VLIST", value_list_to_wire(members))


def name(text: str) -> Handle:
    return Handle.from_text(text)


@asynccontextmanager
async def open_book(dsn: str) -> AsyncIterator[Store]:
    """The store of a database that holds the prefix and its handle."""
    store = Store(RegistrySettings(dsn=dsn), "test")
    await store.open()
    try:
        async with begin(store, "test") as transaction:
            await transaction.home(PREFIX)
            await transaction.create(
                name(PREFIX_HANDLE),
                (
                    admin(100, ALL_PERMISSIONS, Reference(PREFIX_HANDLE, 200)),
                    group(200, Reference(PREFIX_HANDLE, 300), Reference(PREFIX_HANDLE, 301)),
                    HandleValue(300, "HS_PUBKEY", ADMIN_PUBLIC_KEY),
                    HandleValue(301, "HS_SECKEY", SECRET, permissions=0b1100),
                ),
            )
        await store.load_prefixes()
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def reading(dsn: str) -> AsyncIterator[Store]:
    """The store of a database that is as it is."""
    store = Store(RegistrySettings(dsn=dsn), "test")
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def register(store: Store, text: str, *values: HandleValue) -> None:
    async with begin(store, "test") as transaction:
        await transaction.create(name(text), sorted(values, key=lambda value: value.index))


HX = name("88.118.1/HX")
CHANGED = HandleValue(1, "URL", b"http://example.org/changed")
ADMIN = admin(100, ALL_PERMISSIONS, OWNER)


async def read(store, handle=HX):
    return await store.fetch(store.key_of(handle.octets))


async def indexes(store, handle=HX):
    return [value.index for value in (await read(store, handle)).values]
