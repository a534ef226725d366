"""How files with one header are imported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from trainer.reading.columns import Choice
from workbench.web.views.posts.importing.files import ReadFile


@dataclass(frozen=True)
class Plan:
    """`choice` names the columns; encoding, quotes and sheet are those of each file."""

    files: Sequence[ReadFile]
    choice: Choice
    source: str | None = None
    """Which labels the files hold: those of "people" or of a "log"; None without labels."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0

    @property
    def has_posts(self) -> bool:
        """Without a text column the files hold labels of posts that are here."""
        return self.choice.text_column is not None

    def choice_for(self, file: ReadFile) -> Choice:
        own = file.choice
        return replace(self.choice, encoding=own.encoding, is_quoted=own.is_quoted, sheet=own.sheet)
