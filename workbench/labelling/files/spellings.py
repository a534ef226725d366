"""How a label file spells its labels, before it is imported."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from trainer.reading.columns import Choice
from trainer.reading.rows import Row
from workbench.imports.tsv import open_file
from workbench.labelling.files.mapping import label_key, parse_map

MOST = 12
"""Different labels of a column that a person is asked about; a column with more holds no labels."""


def spellings(path: Path, choice: Choice, column: str) -> Counter[str]:
    """The labels of a column as they are written, with their rows; no more than MOST + 1 of them."""
    found: Counter[str] = Counter()
    choice = replace(choice, label_column=column, is_text_needed=False, is_id_needed=False, renamed=())
    with open_file(path, choice) as source:
        for row in source:
            label = row.facts.get(column, "").strip() if isinstance(row, Row) else ""
            if label and (label in found or len(found) <= MOST):
                found[label] += 1
    return found


def unknown(found: Collection[str]) -> Sequence[str]:
    """Those that are no label of ours in any spelling."""
    ours = parse_map(None)
    return [label for label in found if label_key(label) not in ours]
