"""/api/transactions and /api/check: many handles written as one, and looked at before they are written."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from aiohttp import web

from registry.changes import Change, ChangeKind
from registry.checking import Checked, Checking, Purpose
from registry.errors import AuthenticationNeeded, HandleError, ProtocolFault
from registry.handle import Handle
from registry.language import Language, preferred
from registry.rest import ValueForm, form_from_json, values_from_forms
from registry.several import MAX_OPERATIONS, Kind, Operation, OperationRefused, make
from registry.writing import Written
from resolver.listeners.http.authorization import Authorization
from resolver.listeners.http.batch_forms import MAX_HANDLES
from resolver.listeners.http.body import expect_json, read_body
from resolver.listeners.http.conditional import private_headers
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.places import Places
from resolver.listeners.http.responses import json_response, refusal_form, refusal_head

MAX_BODY: Final = 8 << 20  # Octets; four kilobytes for each of the most operations.
MAX_REQUESTS: Final = 8  # In one process: each holds a connection to the database, or reads ten thousand rows.


class OperationForm(msgspec.Struct, forbid_unknown_fields=True):
    """One write of a transaction, made only of `version` where that is given; with `same`, creating what is there and
    says the same is fine."""

    operation: Kind
    handle: str
    values: list[ValueForm] = []
    indexes: list[int] = []
    version: int | None = None
    same: bool = False


class TransactionForm(msgspec.Struct, forbid_unknown_fields=True):
    """Writes that are made all, or not at all."""

    operations: list[OperationForm]


class CheckForm(msgspec.Struct, forbid_unknown_fields=True):
    """Names, and what somebody would do with all of them."""

    handles: list[str]
    operation: Literal["create", "replace", "upsert", "delete"] = "upsert"


class Several:
    """Answers for many handles that are to be written."""

    def __init__(self, parts: Parts, authorization: Authorization) -> None:
        self._resolver = parts.resolver
        self._registration = parts.registration
        self._authorization = authorization
        self._places = Places(MAX_REQUESTS)

    async def write(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        expect_json(request, anonymous=self._authorization.is_anonymous(request))
        form = form_from_json(TransactionForm, await read_body(request, MAX_BODY))
        by = await self._authorization.administrator(request)
        if by is None:
            raise AuthenticationNeeded("authentication.needed")
        if not 0 < len(form.operations) <= MAX_OPERATIONS:
            rule = f"has 1 to {MAX_OPERATIONS} operations"
            raise ProtocolFault("json.field", path="$.operations", rule=rule, value=len(form.operations))
        try:
            operations = self._read(form)
            with self._places.one():
                every = await make(self._resolver.store, self._registration, operations, by)
        except OperationRefused as refused:
            return _refusal(request, refused, form)
        self._forget(every)
        results = [_result(one.handle, written) for one, written in zip(form.operations, every, strict=True)]
        return json_response(request, {"responseCode": 1, "results": results}, headers=private_headers())

    async def check(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        expect_json(request, anonymous=self._authorization.is_anonymous(request))
        form = form_from_json(CheckForm, await read_body(request, MAX_BODY))
        by = await self._authorization.administrator(request, "registry.write", "bulk", "read")
        if by is None:
            raise AuthenticationNeeded("authentication.needed")
        if len(form.handles) > MAX_HANDLES:
            raise ProtocolFault("batch.too_many", limit=MAX_HANDLES)
        with self._places.one():
            handles = [self._handle(name) for name in form.handles]
            checked = await self._check(form.operation, handles, by)
        language = preferred(request.headers.get("Accept-Language"))
        results = [_outcome(name, one, language) for name, one in zip(form.handles, checked, strict=True)]
        return json_response(request, {"responseCode": 1, "results": results}, headers=private_headers())

    async def _check(self, purpose: Purpose, handles: list[Handle | HandleError], by: Any) -> list[Checked]:
        return await Checking(self._resolver.store, self._registration.rights, purpose, by).check(handles)

    def _handle(self, name: str) -> Handle | HandleError:
        try:
            return self._resolver.names.handle_of(name)
        except HandleError as refused:
            return refused

    def _read(self, form: TransactionForm) -> list[Operation]:
        operations = []
        for place, one in enumerate(form.operations):
            try:
                handle, values = self._resolver.names.handle_of(one.handle), values_from_forms(one.values)
            except HandleError as error:
                raise OperationRefused(place, error) from None
            operations.append(Operation(one.operation, handle, values, tuple(one.indexes), one.version, one.same))
        return operations

    def _forget(self, every: list[Written]) -> None:
        """What this process wrote it shows at once; the others hear of it in the change log."""
        store = self._resolver.store
        changes = [Change(ChangeKind.HANDLE, store.key_of(written.handle.octets)) for written in every]

        def forget() -> None:
            for change in changes:
                self._resolver.forget(change)

        store.afterwards(forget)


def _result(name: str, written: Written) -> dict[str, Any]:
    return {"responseCode": 1, "handle": name, "created": written.created, "version": written.record.version}


def _outcome(name: str, checked: Checked, language: Language) -> dict[str, Any]:
    state = None if checked.state is None else checked.state.word
    form: dict[str, Any] = {
        "handle": name,
        "exists": state is not None,
        "state": state,
        "version": checked.version,
        "allowed": checked.refusal is None,
    }
    if checked.refusal is not None:
        form |= {"responseCode": int(checked.refusal.code), "message": checked.refusal.text(language)}
    return form


def _refusal(request: web.Request, refused: OperationRefused, form: TransactionForm) -> web.Response:
    """What one operation was refused for, and which one that is: none was made."""
    language = preferred(request.headers.get("Accept-Language"))
    status, headers = refusal_head(refused.error, language)
    told = refusal_form(refused.error, language, form.operations[refused.place].handle)
    told |= {"message": refused.error.text(language), "operation": refused.place}
    return json_response(request, told, status, headers)
