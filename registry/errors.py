"""Outcomes of the Handle protocol (RFC 3652, section 2.2.2.3) and the refusals that carry them.

    HandleError
    ├── ProtocolFault            4    a request that contradicts itself
    ├── OperationNotSupported    5
    ├── RecursionLimit           6    aliases of aliases, or too many servers have passed the question on
    ├── ServerBusy               3    try again: the database is away or too much is waiting
    ├── HandleNotFound         100    ├── HandleAlreadyExists    101    ├── InvalidHandle        102
    ├── ValuesNotFound         200    ├── ValueAlreadyExists     201    ├── InvalidValue         202
    ├── PrefixNotHomed         301    the prefix lives elsewhere
    ├── HandleElsewhere        302    this node only keeps answers: another one is asked for that
    ├── InvalidAdministrator   400    ├── InsufficientPermission 401    ├── AuthenticationNeeded 402
    ├── AuthenticationFailed   403    ├── InvalidCredential      404    ├── AuthenticationTimeout 405
    ├── UnableToAuthenticate   406    ├── LogInExpired           407    ├── LogInNeeded          408
    ├── SessionUnknown         500    ├── SessionFailed          501    ├── InvalidSessionKey      502
    ├── InvalidSessionSetup    504    ├── SessionMessageRejected 505
    └── TooManyRequests        603    └── TooManyHandles         604    └── TooManyPrefixes      605

A refusal is a rule of `registry.rules` and its culprit. `str(error)` is the English sentence, `error.text("zh")` the
Chinese one.
"""

from enum import IntEnum
from typing import ClassVar

from registry.language import Refused
from registry.rules import RULES


class ResponseCode(IntEnum):
    """Response codes as the reference server uses them; a superset of RFC 3652, table 2.3."""

    SUCCESS = 1
    ERROR = 2
    SERVER_BUSY = 3
    PROTOCOL_ERROR = 4
    OPERATION_NOT_SUPPORTED = 5
    RECURSION_LIMIT = 6
    SERVER_READ_ONLY = 7
    HANDLE_NOT_FOUND = 100
    HANDLE_ALREADY_EXISTS = 101
    INVALID_HANDLE = 102
    VALUES_NOT_FOUND = 200
    VALUE_ALREADY_EXISTS = 201
    INVALID_VALUE = 202
    SITE_INFO_STALE = 300
    SERVER_NOT_RESPONSIBLE = 301
    SERVICE_REFERRAL = 302
    PREFIX_REFERRAL = 303
    INVALID_ADMINISTRATOR = 400
    INSUFFICIENT_PERMISSION = 401
    AUTHENTICATION_NEEDED = 402
    AUTHENTICATION_FAILED = 403
    INVALID_CREDENTIAL = 404
    AUTHENTICATION_TIMEOUT = 405
    UNABLE_TO_AUTHENTICATE = 406
    LOG_IN_EXPIRED = 407  # The national SDKs' own, as is the next.
    LOG_IN_NEEDED = 408
    SESSION_TIMEOUT = 500
    SESSION_FAILED = 501
    INVALID_SESSION_KEY = 502
    NEED_RSA_KEY = 503
    INVALID_SESSION_SETUP = 504
    SESSION_MESSAGE_REJECTED = 505
    TOO_MANY_REQUESTS = 603  # The national systems' own, as are the next two.
    TOO_MANY_HANDLES = 604
    TOO_MANY_PREFIXES = 605


class HandleError(Refused):
    """A refusal of one who asked."""

    catalogue = RULES
    code: ClassVar[ResponseCode] = ResponseCode.ERROR


class ProtocolFault(HandleError):
    code = ResponseCode.PROTOCOL_ERROR


class OperationNotSupported(HandleError):
    code = ResponseCode.OPERATION_NOT_SUPPORTED


class HandleElsewhere(HandleError):
    """What only another node can say or do: the address of its HTTP interface, and its site record."""

    code = ResponseCode.SERVICE_REFERRAL

    def __init__(self, address: str, site: bytes) -> None:
        super().__init__("edge.elsewhere", address=address)
        self.address = address
        self.site = site


class RecursionLimit(HandleError):
    code = ResponseCode.RECURSION_LIMIT


class ServerBusy(HandleError):
    code = ResponseCode.SERVER_BUSY


class ServerReadOnly(HandleError):
    code = ResponseCode.SERVER_READ_ONLY


class HandleNotFound(HandleError):
    code = ResponseCode.HANDLE_NOT_FOUND


class HandleAlreadyExists(HandleError):
    code = ResponseCode.HANDLE_ALREADY_EXISTS


class InvalidHandle(HandleError):
    code = ResponseCode.INVALID_HANDLE


class ValuesNotFound(HandleError):
    code = ResponseCode.VALUES_NOT_FOUND


class ValueAlreadyExists(HandleError):
    code = ResponseCode.VALUE_ALREADY_EXISTS


class InvalidValue(HandleError):
    code = ResponseCode.INVALID_VALUE


class PrefixNotHomed(HandleError):
    code = ResponseCode.SERVER_NOT_RESPONSIBLE


class InvalidAdministrator(HandleError):
    code = ResponseCode.INVALID_ADMINISTRATOR


class InsufficientPermission(HandleError):
    code = ResponseCode.INSUFFICIENT_PERMISSION


class AuthenticationNeeded(HandleError):
    code = ResponseCode.AUTHENTICATION_NEEDED


class AuthenticationFailed(HandleError):
    code = ResponseCode.AUTHENTICATION_FAILED


class InvalidCredential(HandleError):
    code = ResponseCode.INVALID_CREDENTIAL


class AuthenticationTimeout(HandleError):
    code = ResponseCode.AUTHENTICATION_TIMEOUT


class UnableToAuthenticate(HandleError):
    code = ResponseCode.UNABLE_TO_AUTHENTICATE


class LogInExpired(HandleError):
    code = ResponseCode.LOG_IN_EXPIRED


class LogInNeeded(HandleError):
    code = ResponseCode.LOG_IN_NEEDED


class SessionUnknown(HandleError):
    code = ResponseCode.SESSION_TIMEOUT


class SessionFailed(HandleError):
    code = ResponseCode.SESSION_FAILED


class InvalidSessionKey(HandleError):
    code = ResponseCode.INVALID_SESSION_KEY


class InvalidSessionSetup(HandleError):
    code = ResponseCode.INVALID_SESSION_SETUP


class SessionMessageRejected(HandleError):
    code = ResponseCode.SESSION_MESSAGE_REJECTED


class TooManyRequests(HandleError):
    code = ResponseCode.TOO_MANY_REQUESTS

    @property
    def seconds(self) -> int:
        """After how many it may be asked again; limits that do not say it are those of a minute."""
        seconds = self.culprit.get("seconds")
        return seconds if isinstance(seconds, int) else 60


class TooManyHandles(HandleError):
    code = ResponseCode.TOO_MANY_HANDLES


class TooManyPrefixes(HandleError):
    code = ResponseCode.TOO_MANY_PREFIXES
