"""Labels of several annotators for one post, of which an import takes one."""

from collections.abc import Sequence
from typing import Any

from trainer.messages import Message
from workbench.labelling.files.mapping import label_key, label_name, quoted
from workbench.labelling.files.rows import Names


def agreed(labels: Sequence[Any]) -> Any:
    """The label on which all agree, None without labels, else a Message: annotators who disagree cannot be one vote."""
    names = [label_name(label) for label in labels]
    if problem := next((name for name in names if isinstance(name, Message)), None):
        return problem
    spellings = {label_key(name): name for name in names if isinstance(name, str)}
    if len(spellings) < 2:
        return next(iter(spellings.values()), None)
    return Message(
        "its annotators disagree: {labels}; settle it there, and export again",
        labels=", ".join(quoted(name) for name in spellings.values()),
    )


def chosen(fields: Sequence[str], wanted: str) -> str | Message | None:
    """The field that holds the label: the wanted one, else the only one unless another is wanted by name; None without."""
    if wanted in fields or not fields:
        return wanted if fields else None
    if wanted != Names().label:
        return None
    if len(set(fields)) == 1:
        return fields[0]
    return Message(
        "several questions were answered: {names}; name one with --label-column",
        names=", ".join(sorted(set(fields)))[:200],
    )
