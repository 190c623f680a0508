"""What went wrong, as an exit code and lines in the reader's language.

Imported only once something has: the classes of errors come from modules that are heavy to import.
"""

import logging
import ssl
from pathlib import Path
from typing import Final

import asyncpg

from registry.backups import BackupFailed
from registry.database import DATABASE_AWAY
from registry.language import Language, Refused, text
from registry.settings import InvalidSettings
from resolver.cli.catalogues import MESSAGES
from resolver.cli.invocation import FAILED, USAGE, Failed

log = logging.getLogger(__name__)

# A node waits for these too; who types a command is told what the database said.
NOT_LET_IN: Final = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)


def code_and_lines(error: Exception, language: Language) -> tuple[int, list[str]]:
    """The exit code, and what to say: a sentence and perhaps its particulars."""
    if isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        return code_and_lines(error.exceptions[0], language)
    if isinstance(error, Failed):
        return error.exit_code, [error.text(language)]
    if isinstance(error, InvalidSettings):
        return USAGE, [text(MESSAGES, "settings.faults", language, count=len(error.faults)), *error.texts(language)]
    if isinstance(error, BackupFailed):
        return FAILED, [text(MESSAGES, "backup.failed", language, reason=str(error))]
    if isinstance(error, Refused):
        return FAILED, [error.text(language)]
    return FAILED, [_text(error, language)]


def _text(error: Exception, language: Language) -> str:
    if isinstance(error, ssl.SSLError) or (isinstance(error, OSError) and error.filename is not None):
        path = getattr(error, "filename", None)
        reason = error.strerror or str(error)
        return text(MESSAGES, "file", language, path=Path(path) if path else "TLS", reason=reason)
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
        return text(MESSAGES, "dsn", language, reason=str(error))
    if isinstance(error, DATABASE_AWAY) and not isinstance(error, NOT_LET_IN):
        return text(MESSAGES, "away", language, reason=str(error) or type(error).__name__)
    if isinstance(error, asyncpg.PostgresError):
        return text(MESSAGES, "refused", language, reason=str(error))
    log.error("unexpected", exc_info=error)
    return text(MESSAGES, "unexpected", language, kind=type(error).__name__, reason=str(error))
