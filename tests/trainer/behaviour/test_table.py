"""An outcome in words gives counts, and its README holds no text of a case."""

from trainer.behaviour.outcome import Failure, KindOutcome, Outcome
from trainer.behaviour.table import markdown_lines, summary, terminal_lines

FAILURE = Failure("k-01", "<b>|坏|</b>", "normal", 0.9)
WORDS = {"en": "a kind", "zh": "一类"}


def outcome(champion: int | None) -> Outcome:
    return Outcome(
        (KindOutcome("k", WORDS, WORDS, ("suspicious", "violation"), 12, 9, champion, (FAILURE,)),)
    )


def test_the_summary_names_the_champion_if_there_is_one() -> None:
    assert summary(outcome(None)) == "written cases labelled as expected: 9 of 12"
    assert summary(outcome(7)) == "written cases labelled as expected: 9 of 12 (the champion: 7)"


def test_a_readme_has_a_column_for_each_adapter_and_no_texts() -> None:
    assert "| a kind | suspicious or violation | 9 of 12 |" in [*markdown_lines(outcome(None))]
    lines = [*markdown_lines(outcome(7))]
    assert "| a kind | suspicious or violation | 7 of 12 | 9 of 12 |" in lines
    assert FAILURE.text not in "\n".join(lines)


def test_failures_are_listed_on_request() -> None:
    assert len([*terminal_lines(outcome(None), has_failures=False)]) == 2
    *_, last = terminal_lines(outcome(7), has_failures=True)
    assert last.strip() == "normal (0.90): <b>|坏|</b>"
