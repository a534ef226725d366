"""One label a post, whatever the order of the lines."""

import random

from hypothesis import given
from hypothesis import strategies as st

from workbench.labelling.files.verdicts import Line, Verdict, by_subject, other_texts, verdict_of


def line(number: int, label: str = "normal", **values: object) -> Line:
    return Line(
        **{
            "number": number,
            "label": label,
            "post": None,
            "id": "p1",
            "key": b"k",
            "time": None,
            "annotator": None,
        }
        | values
    )  # type: ignore[arg-type]


def test_lines_meet_by_post_by_id_and_by_text() -> None:
    lines = [
        line(2, id=None, key=b"a"),
        line(3, id="p1", key=b"a"),
        line(4, id="p2", key=b"a"),
        line(5, id="x", key=b"b", post=9),
        line(6, id=None, key=b"c", post=9),
    ]
    assert [[one.number for one in group] for group in by_subject(lines)] == [[2, 3], [4], [5, 6]]


def test_equal_labels_are_one_verdict_on_the_line_that_names_the_post_best() -> None:
    assert verdict_of([line(2, key=None), line(3), line(4)]) == Verdict(3, "normal", 2)


@given(st.randoms(use_true_random=False))
def test_the_last_action_counts_in_any_order(rng: random.Random) -> None:
    lines = [
        line(2, "violation", time="2026-03-01 09:00"),
        line(3, "normal", time="2026-03-01 10:00"),
        line(4, "suspicious", time="2026-03-01T17:30:00+08:00"),
    ]
    rng.shuffle(lines)
    assert verdict_of(lines) == Verdict(2, "normal", 2, is_last_of_several=True)


def test_equal_times_a_time_that_cannot_be_read_and_none_are_problems_by_line() -> None:
    for times, words in (
        (("2026-03-01", "2026-03-01"), "at the same time"),
        (("2026-03-01", "soon"), "time soon cannot be read"),
        (("2026-03-01", None), "a line about it has no time"),
        ((None, None), "no column says which came last"),
    ):
        problems = verdict_of([line(2, "violation", time=times[0]), line(3, "normal", time=times[1])])
        assert isinstance(problems, list)
        ((number, message),) = problems
        assert number == 3
        assert words in str(message)


def test_two_annotators_are_not_one_action_after_the_other() -> None:
    problems = verdict_of(
        [
            line(2, "violation", time="2026-03-01", annotator="1"),
            line(3, "normal", time="2026-03-02", annotator="2"),
        ]
    )
    assert isinstance(problems, list)
    assert "another annotator says violation" in str(problems[0][1])


def test_an_id_with_another_text_is_named_with_the_earlier_line() -> None:
    lines = [line(2), line(3, key=None), line(4, key=b"other"), line(5, id=None, key=b"z")]
    assert [(number, str(problem)) for number, problem in other_texts(lines)] == [
        (4, "id p1 has another text than line 2")
    ]
