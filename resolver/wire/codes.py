"""The numbers of the Handle protocol: operations, flags of a message and flags of an operation (RFC 3652, section 2.2).

Messages carry plain integers: an operation that has no name here is still read, echoed and refused with a code of
its own. Response codes are the registry's (`registry.errors.ResponseCode`).
"""

from enum import IntEnum, IntFlag


class OpCode(IntEnum):
    """Operations of RFC 3652, of the reference server, of the national SDKs (from 2000 on) and our own (from 7001)."""

    RESOLUTION = 1
    GET_SITE_INFO = 2
    CREATE_HANDLE = 100
    DELETE_HANDLE = 101
    ADD_VALUES = 102
    REMOVE_VALUES = 103
    MODIFY_VALUES = 104
    LIST_HANDLES = 105
    LIST_DERIVED_PREFIXES = 106
    CHALLENGE_ANSWER = 200
    VERIFY_CHALLENGE_ANSWER = 201
    HOME_PREFIX = 300
    UNHOME_PREFIX = 301
    LIST_HOMED_PREFIXES = 302
    SESSION_SETUP = 400
    SESSION_TERMINATE = 401
    SESSION_KEY_EXCHANGE = 402
    NEXT_TRANSACTION_ID = 1000
    TRANSACTION_LOG = 1001
    DUMP_HANDLES = 1002
    BACKUP_SERVER = 1003
    LOG_IN_BY_PASSWORD = 2000
    LOG_IN_BY_KEY = 2001
    EDGE_RECORDS = 7001  # Our own: for nodes that keep our answers. No other is known to use the number.


class MessageFlag(IntFlag):
    """The upper bits of an envelope's third octet; its lower two are the suggested major version."""

    COMPRESSED = 0x80  # Defined by RFC 3652 and never used by anybody.
    ENCRYPTED = 0x40
    TRUNCATED = 0x20  # One datagram of several.


class OpFlag(IntFlag):
    """What a requester asks for besides the operation, and what an answer says of itself."""

    AUTHORITATIVE = 0x80000000
    CERTIFY = 0x40000000
    ENCRYPT = 0x20000000
    RECURSIVE = 0x10000000
    CACHE_CERTIFY = 0x08000000
    CONTINUOUS = 0x04000000  # More messages of this answer follow.
    KEEP_CONNECTION = 0x02000000
    PUBLIC_ONLY = 0x01000000
    REQUEST_DIGEST = 0x00800000
    OVERWRITE = 0x00400000
    MINT_SUFFIX = 0x00200000
    DO_NOT_REFER = 0x00100000
    RECURSION_AUTHENTICATED = 0x00000004  # The national SDKs' own, as are the next two.
    TRUSTED_QUERY = 0x00000002
    TRUSTED_RESULT = 0x00000001
