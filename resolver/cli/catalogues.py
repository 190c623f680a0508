"""All that `filament` says: the texts of its families of commands, put together."""

from typing import Final

from registry.language import Catalogue
from resolver.cli import (
    columns,
    issuer_texts,
    job_texts,
    people_texts,
    range_texts,
    template_texts,
    texts,
    texts_by_family,
    texts_of_care,
    texts_of_registration,
    texts_of_running,
    texts_of_trust,
)

HELP: Final[Catalogue] = {
    **texts.HELP,
    **texts_of_running.HELP,
    **texts_of_registration.HELP,
    **texts_of_care.HELP,
    **texts_by_family.HELP,
    **texts_of_trust.HELP,
    **people_texts.HELP,
    **template_texts.HELP,
    **range_texts.HELP,
    **job_texts.HELP,
    **issuer_texts.HELP,
}
MESSAGES: Final[Catalogue] = {
    **texts.MESSAGES,
    **texts_of_running.MESSAGES,
    **texts_of_registration.MESSAGES,
    **texts_of_care.MESSAGES,
    **texts_by_family.MESSAGES,
    **texts_of_trust.MESSAGES,
    **people_texts.MESSAGES,
    **template_texts.MESSAGES,
    **range_texts.MESSAGES,
    **job_texts.MESSAGES,
    **issuer_texts.MESSAGES,
}
COLUMNS: Final[Catalogue] = {
    **columns.COLUMNS,
    **texts_by_family.COLUMNS,
    **texts_of_care.COLUMNS,
    **texts_of_trust.COLUMNS,
    **people_texts.COLUMNS,
    **template_texts.COLUMNS,
    **range_texts.COLUMNS,
    **job_texts.COLUMNS,
    **issuer_texts.COLUMNS,
}
