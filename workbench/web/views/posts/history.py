"""One post and all that ever happened to it."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.posts.history import Event, History, RoundScore, history_of, post_number
from workbench.posts.thread import Neighbour
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import clock, heading, note, one_line, refusal
from workbench.web.opened import project
from workbench.web.views.posts.search import scores_html
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import (
    facts_word,
    label_html,
    label_word,
    lane_word,
    person_word,
    reason_word,
)

KIND_WORDS = {
    "labelled": N_("labelled it"),
    "skipped": N_("skipped it"),
    "took back": N_("took the answer back"),
    "changed": N_("changed the answer"),
    "added to": N_("added to the answer"),
    "given": N_("gave it the answer to a near-copy"),
    "brought in": N_("brought a label in"),
    "decided": N_("settled it"),
    "withdrew": N_("took the decision back"),
}
OCCASION_WORDS = {
    "review": N_("on the Review page"),
    "doubt": N_("as a doubtful label"),
    "bulk": N_("with many others, no. {number}"),
}


def post_history(account: Account, number: str) -> None:
    """In place of the list; the way back leads to it."""
    if st.button(_("Back to the posts"), key="back", type="tertiary"):
        del st.query_params["post"]
        st.rerun()
    try:
        history = history_of(project(), account, post_number(number) or number)
    except WorkbenchError as error:
        refusal(error)
        return
    st.html(f'<div class="post" dir="auto" lang="zh">{post_html(history.text)}</div>')
    st.html(_facts(history))
    if history.is_set_aside:
        note(_("Set aside: its near-copies stand on two sides of a split."))
    heading(_("What happened"))
    _events(history.events)
    heading(_("What the models made of it"))
    _scores(history)
    if history.copies:
        heading(_("Near-copies ({count})").format(count=f"{history.copies_in_all:,}"))
        st.html(
            f'<div class="copies">{"".join(_copy(one.external_id, one.text) for one in history.copies)}</div>'
        )
    if history.around.before or history.around.after:
        heading(_("Before and after it in its thread"))
        before, after = (
            "".join(map(_neighbour, side)) for side in (history.around.before, history.around.after)
        )
        st.html(f'<div class="copies">{before}<p class="quiet">{escape(_("this post"))}</p>{after}</div>')


def _facts(history: History) -> str:
    came = history.came_with
    parts = [one_line(history.external_id)]
    parts += [
        f"{escape(word)} {one_line(value)}"
        for name, value in history.facts.items()
        if (word := facts_word(name)) is not None
    ]
    told = _("came with {file}, {when}").format(file=came.file_name, when=clock(came.started_at))
    parts.append(one_line(told) + (f" ({one_line(person_word(came.by))})" if came.by else ""))
    if history.split is None:
        parts.append(escape(_("being prepared")))
    elif history.split != "pool":
        parts.append(escape(_("kept for checking the model")))
    return f'<div class="facts">{"".join(f"<span>{part}</span>" for part in parts)}</div>'


def _events(events: Sequence[Event]) -> None:
    if not events:
        note(_("Nobody has answered it yet."), is_done=True)
        return
    rows = "".join(
        f"<tr><td>{clock(event.at)}</td><td>{one_line(person_word(event.who or ''))}</td><td>{_told(event)}</td></tr>"
        for event in events
    )
    st.html(f'<table class="rows"><tbody>{rows}</tbody></table>')


def _told(event: Event) -> str:
    parts = [escape(_(KIND_WORDS[event.kind]))]
    if event.was and event.label:
        parts.append(f"{label_html(event.was)} → {label_html(event.label)}")
    elif label := event.label or event.was:
        parts.append(label_html(label))
    told = " ".join(parts)
    return "; ".join([told, *_circumstances(event)])


def _circumstances(event: Event) -> list[str]:
    found = [
        _("asks the lead") if event.is_flagged else "",
        _("a second opinion") if event.is_second_opinion else "",
        lane_word(event.lane) if event.lane and not event.is_second_opinion else "",
        reason_word(event.reason) if event.reason else "",
        _("from {source}").format(source=event.source) if event.source else "",
        _("of post {id}").format(id=event.from_post) if event.from_post else "",
        _("the model had said {label}").format(label=label_word(event.suggestion))
        if event.suggestion
        else "",
        _(OCCASION_WORDS[event.occasion]).format(number=event.bulk) if event.occasion else "",
    ]
    note_html = [f"“{post_html(event.note)}”"] if event.note else []
    return [*(one_line(part) for part in found if part), *note_html]


def _scores(history: History) -> None:
    if history.is_blind:
        note(
            _(
                "Kept for checking the model: its scores and who said what are told once it is answered and decided."
            )
        )
    elif not history.scores:
        note(_("No model has scored it yet."), is_done=True)
    else:
        st.html(f'<table class="rows"><tbody>{"".join(map(_score, history.scores))}</tbody></table>')


def _score(score: RoundScore) -> str:
    used = _("in use") if score.is_in_use else ""
    if not used and score.first_used:
        used = _("first in use {when}").format(when=clock(score.first_used))
    cells = (
        escape(_("Round {number}").format(number=score.number)),
        f'<div class="wide">{scores_html(score.probabilities)}</div>',
        " ".join(
            f"{escape(label_word(name))} {value:.2f}"
            for name, value in zip(LABELS, score.probabilities, strict=True)
        ),
        escape(used),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _copy(external_id: str, text: str) -> str:
    return f'<p dir="auto" lang="zh"><small>{one_line(external_id)}</small> {post_html(" ".join(text.split()))}</p>'


def _neighbour(one: Neighbour) -> str:
    beside = " · ".join(one_line(part) for part in (one.author, one.time) if part)
    return f'<p dir="auto" lang="zh"><small>{beside}</small> {post_html(" ".join(one.text.split()))}</p>'
