"""An outcome in words: counts, as twelve cases of a kind are too few for percentages."""

from collections.abc import Iterator

from trainer.behaviour.outcome import KindOutcome, Outcome

OR = " or "


def summary(outcome: Outcome) -> str:
    line = f"written cases labelled as expected: {outcome.passed} of {outcome.cases}"
    before = outcome.champion_passed
    return line if before is None else f"{line} (the champion: {before})"


def terminal_lines(outcome: Outcome, *, has_failures: bool) -> Iterator[str]:
    width = max(len(kind.kind) for kind in outcome.kinds)
    yield summary(outcome)
    for kind in outcome.kinds:
        yield f"{kind.kind:<{width}}  {' -> '.join(_counts(kind)):>20}  expected {OR.join(kind.expected)}"
        if has_failures:
            yield from (
                f"    {failure.label} ({failure.confidence:.2f}): {failure.text}" for failure in kind.failures
            )


def markdown_lines(outcome: Outcome) -> Iterator[str]:
    """A section of a README. It holds no texts of cases, which could be taken for markup."""
    has_champion = outcome.champion_passed is not None
    headings = ["kind", "expected", *(["the champion"] if has_champion else []), "the adapter"]
    yield from ("## Behaviour on written cases", "", f"{summary(outcome).capitalize()}.", "")
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for kind in outcome.kinds:
        yield f"| {' | '.join((kind.titles['en'], OR.join(kind.expected), *_counts(kind)))} |"
    yield from (
        "",
        "A kind has few cases: a difference of one or two says nothing. No case decides the gate.",
        "",
    )


def _counts(kind: KindOutcome) -> Iterator[str]:
    """That of the champion first, if there is one."""
    if kind.champion_passed is not None:
        yield f"{kind.champion_passed} of {kind.cases}"
    yield f"{kind.passed} of {kind.cases}"
