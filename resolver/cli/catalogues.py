"""All that `filament` says: the texts of its commands, put together."""

from typing import Final

from registry.language import Catalogue
from resolver.cli import template_texts, texts

HELP: Final[Catalogue] = {**texts.HELP, **template_texts.HELP}
MESSAGES: Final[Catalogue] = {**texts.MESSAGES, **template_texts.MESSAGES}
COLUMNS: Final[Catalogue] = {**texts.COLUMNS, **template_texts.COLUMNS}
