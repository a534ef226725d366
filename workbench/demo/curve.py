"""The learning curve of the demo's rounds, as text."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

Entry = Mapping[str, Any]
"""A round as `lifecycle.describe` gives it."""


def is_rising(entries: Sequence[Entry]) -> bool:
    scores = [entry["metrics"]["macro_f1"] for entry in entries]
    return all(before < after for before, after in pairwise(scores))


def table_of(entries: Sequence[Entry]) -> Iterator[str]:
    yield "round  labels  macro-F1  95% interval    linear  test posts  violations among them"
    for entry in entries:
        metrics = entry["metrics"]
        low, high = metrics["macro_f1_interval"]
        yield (
            f"{entry['number']:>5}  {entry['train']['n']:>6}     {metrics['macro_f1']:.3f}  {low:.3f} to {high:.3f}"
            f"   {metrics['linear_macro_f1']:.3f}  {metrics['n']:>10}  {metrics['per_label']['violation']['support']:>21}"
        )
    last = entries[-1]["metrics"]
    margin = 100 * (last["macro_f1"] - last["linear_macro_f1"])
    yield f"The last round is {margin:+.1f} points from the linear baseline."
