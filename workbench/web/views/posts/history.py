"""One post and its whole history."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup, escape

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.posts.history import Event, History, RoundScore, history_of, post_number
from workbench.posts.thread import Neighbour
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, each, html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import clock, heading, note, refusal
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
    "ruling": N_("after a ruling"),
}


COPIES = Markup('<div class="copies">{}</div>')


def post_history(account: Account, number: str) -> None:
    if st.button(_("Close"), key="back", type="tertiary", icon=":material/close:"):
        del st.query_params["post"]
        st.rerun()
    try:
        history = history_of(project(), account, post_number(number) or number)
    except WorkbenchError as error:
        refusal(error)
        return
    html(Markup('<div class="post" dir="auto" lang="zh">{}</div>').format(post_html(history.text)))
    html(_facts(history))
    if history.is_set_aside:
        note(_("Set aside: its near-copies stand on two sides of a split."))
    heading(_("What happened"))
    _events(history.events)
    heading(_("What the models made of it"))
    _scores(history)
    if history.copies:
        heading(_("Near-copies ({count})").format(count=f"{history.copies_in_all:,}"))
        copies = NOTHING.join(_beside_it(one.external_id, one.text) for one in history.copies)
        html(COPIES.format(copies))
    if history.around.before or history.around.after:
        heading(_("Before and after it in its thread"))
        before, after = (
            NOTHING.join(map(_neighbour, side)) for side in (history.around.before, history.around.after)
        )
        html(COPIES.format(before + Markup('<p class="quiet">{}</p>').format(_("this post")) + after))


def _facts(history: History) -> Markup:
    came = history.came_with
    parts = [history.external_id]
    parts += [
        f"{word} {value}" for name, value in history.facts.items() if (word := facts_word(name)) is not None
    ]
    origin = _("came with {file}, {when}").format(file=came.file_name, when=clock(came.started_at))
    parts.append(f"{origin} ({person_word(came.by)})" if came.by else origin)
    if history.split is None:
        parts.append(_("being prepared"))
    elif history.split != "pool":
        parts.append(_("kept for checking the model"))
    return Markup('<div class="facts whole">{}</div>').format(each(Markup("<span>{}</span>"), parts))


def _events(events: Sequence[Event]) -> None:
    if not events:
        note(_("It has no answer yet."), is_done=True)
        return
    html(table((clock(event.at), person_word(event.who or ""), _event_html(event)) for event in events))


def _event_html(event: Event) -> Markup:
    parts = [escape(_(KIND_WORDS[event.kind]))]
    if event.was and event.label:
        parts.append(Markup("{} → {}").format(label_html(event.was), label_html(event.label)))
    elif label := event.label or event.was:
        parts.append(label_html(label))
    return Markup("; ").join([Markup(" ").join(parts), *_circumstances(event)])


def _circumstances(event: Event) -> list[str]:
    circumstances = [
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
    if event.note:
        circumstances.append(Markup("“{}”").format(post_html(event.note)))
    return [*filter(None, circumstances)]


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
        html(table(map(_score_row, history.scores)))


def _score_row(score: RoundScore) -> Sequence[Cell]:
    used = _("in use") if score.is_in_use else ""
    if not used and score.first_used:
        used = _("first in use {when}").format(when=clock(score.first_used))
    return (
        _("Round {number}").format(number=score.number),
        Markup('<div class="wide">{}</div>').format(scores_html(score.probabilities)),
        " ".join(
            f"{label_word(name)} {value:.2f}" for name, value in zip(LABELS, score.probabilities, strict=True)
        ),
        used,
    )


def _neighbour(one: Neighbour) -> Markup:
    return _beside_it(" · ".join(filter(None, (one.author, one.time))), one.text)


def _beside_it(origin: str, text: str) -> Markup:
    line = Markup('<p dir="auto" lang="zh"><small>{}</small> {}</p>')
    return line.format(origin, post_html(" ".join(text.split())))
