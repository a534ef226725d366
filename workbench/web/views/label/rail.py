"""The rail beside the post: today's progress and the person's last answers, as the desk's component draws them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from workbench.accounts import Account
from workbench.labelling import explanations, pace
from workbench.labelling.answers import count_left
from workbench.labelling.cards import Copy, Saved
from workbench.queue.claims import BLIND_LANES
from workbench.web.current_project import project
from workbench.web.elements.desk import as_lists, suggestion_bar
from workbench.web.elements.visible import segments
from workbench.web.elements.widgets import shortened
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_word, lane_word, reason_word

PREVIEWED = 5
"""Near-copies listed before an answer is propagated to them; the rest are counted."""
SHOWN_CHARACTERS = 60


def progress(
    session: Session, account: Account, midnight: datetime, *, days_before: int, waiting: int
) -> dict[str, Any]:
    day = pace.today(session, account.id, project().now(), midnight)
    days = days_before + pace.has_answered(session, account.id, midnight)
    given, goal = day.labelled + day.checked, pace.daily_goal(session, project(), account.id)
    return {
        "today": _today(given, goal),
        "share": min(given / goal, 1) if goal else None,
        "facts": [[name, text] for name, text in _facts(day, count_left(session), days, waiting) if text],
    }


def recent(session: Session, answers: Sequence[Saved], preview: Sequence[Copy]) -> list[dict[str, Any]]:
    """The answers as drawn, the latest act first. `preview` are near-copies that the first may be given to."""
    drawn = [_answer(saved) for saved in answers]
    if drawn:
        words = (shortened(word) for word in _influential_words(session, answers[0]))
        drawn[0] |= {
            "because": [as_lists(segments(word)) for word in words],
            "preview": [as_lists(segments(shortened(copy.text, 80))) for copy in preview[:PREVIEWED]],
            "more": _("and {count} more").format(count=len(preview) - PREVIEWED)
            if len(preview) > PREVIEWED
            else "",
            "copiesWord": _copies_word(answers[0], preview),
        }
    return drawn


def _today(given: int, goal: int) -> list[str]:
    """The number of answers, and what stands beside it in small print."""
    return [f"{given:,}", _("of {goal}").format(goal=f"{goal:,}") if goal else ""]


def _facts(day: pace.Day, left: int, days: int, waiting: int) -> Iterable[tuple[str, str]]:
    pace_word = _("{seconds} s each")
    yield "pace", "" if day.seconds_each is None else pace_word.format(seconds=f"{day.seconds_each:.0f}")
    yield "left", _("left for the team: {count}").format(count=f"{left:,}")
    yield "days", _("day {number} in a row").format(number=days) if days > 1 else ""
    yield "replies", _("answers for you: {count}").format(count=waiting) if waiting else ""
    rest = _("{minutes} minutes in a row: time for a short break?")
    yield "break", rest.format(minutes=day.minutes_in_a_row) if day.wants_break else ""


def _answer(saved: Saved) -> dict[str, Any]:
    return {
        "post": saved.post_id,
        "label": saved.label,
        "word": _word(saved),
        "segments": as_lists(segments(shortened(saved.text, SHOWN_CHARACTERS))),
        "remarks": list(_remarks(saved)),
        "reason": saved.reason,
        "isFlagged": saved.is_flagged,
        "thought": None if saved.suggestion is None else suggestion_bar(saved.suggestion),
    }


def _word(saved: Saved) -> str:
    if saved.label is not None:
        return label_word(saved.label)
    return _("asked the lead") if saved.is_flagged else _("skipped")


def _remarks(saved: Saved) -> Iterable[str]:
    if saved.reason:
        yield reason_word(saved.reason)
    if saved.label and saved.is_flagged:
        yield _("on the lead's list")
    if saved.note:
        yield _("with a note")
    if saved.propagated:
        yield _("and {count} near-copies").format(count=saved.propagated)
    if saved.is_late:
        yield _("your time for it had run out and another annotator had it: kept as a second opinion")
    elif saved.is_second_opinion and saved.lane != "second_opinion":
        yield _("another annotator has labelled it too")
    elif saved.lane is not None:
        yield _lane_word(saved.lane)


def _lane_word(lane: str) -> str:
    # A held-out post is a random one. What names it as held out would tell which posts measure the model.
    return lane_word("random" if lane in BLIND_LANES else lane)


def _copies_word(saved: Saved, preview: Sequence[Copy]) -> str:
    if preview and saved.label:
        word = _("Once more: {label} for all {count}")
        return word.format(label=label_word(saved.label), count=len(preview))
    return _("the same for {count} near-copies").format(count=saved.copies) if saved.copies else ""


def _influential_words(session: Session, saved: Saved) -> Sequence[str]:
    if saved.suggestion is None or saved.suggestion.round_number is None:
        return ()
    # None until the worker has explained the post.
    spans = explanations.influential_words(session, saved.post_id, saved.suggestion.round_number) or ()
    return [saved.text[start:end] for start, end, _drop in spans]
