"""Doubtful labels, one at a time: keep or change. No label changes without a decision."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup, escape

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.labelling.cards import Suggestion
from workbench.review import resolutions
from workbench.review.doubts import LISTED, DoubtfulLabel, count_doubtful_labels, doubtful_labels
from workbench.web.current_project import project
from workbench.web.elements.choice import answer_action, chooser, parse_answer
from workbench.web.elements.markup import html
from workbench.web.elements.widgets import note, require_account
from workbench.web.views.review import layout
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word


@st.fragment
def show() -> None:
    account = require_account()
    state = chooser("doubts")
    labels = doubtful_labels(project(), account)
    shown = state.choose({one.post_id: one for one in labels})
    state.listen(_keys(shown), _act)
    card, rail = layout.columns()
    with card:
        if shown is None:
            layout.empty(
                _("No label is in doubt."),
                _(
                    "After each round the labels it learned from are looked at. Those that posts like them contradict come here."
                ),
            )
        else:
            html(layout.post_card(shown.text) + _doubt(shown))
        if state.notice:
            note(state.notice)
        layout.dock(state, _choices(shown), _act)
    with rail:
        if shown is not None:
            layout.rail_lines(_count(account, labels))
            likeliest = Suggestion(shown.other, shown.probabilities[shown.other], shown.probabilities)
            html(layout.model_view(likeliest, _("What posts like it speak for")))


def _count(account: Account, labels: Sequence[DoubtfulLabel]) -> str:
    """The list is cut, its count is not."""
    count = len(labels) if len(labels) < LISTED else count_doubtful_labels(project(), account)
    return _("labels in doubt: {count}, of round {number}").format(
        count=f"{count:,}", number=labels[0].round_number
    )


def _doubt(one: DoubtfulLabel) -> Markup:
    line = escape(_("labelled {label}; posts like it speak for {other}")).format(
        label=label_html(one.label), other=label_html(one.other)
    )
    return Markup('<p class="last">{}</p>').format(line)


def _choices(shown: DoubtfulLabel | None) -> list[layout.Choice]:
    if shown is None:
        return []
    labels = zip(project().settings.label_keys, LABELS, strict=True)
    keep = _("keep {label}").format(label=label_word(shown.label))
    return [
        ("k", keep, answer_action(shown.label, shown.decision_id)),
        *(
            (key, label_word(label), answer_action(label, shown.decision_id))
            for key, label in labels
            if label != shown.label
        ),
    ]


def _keys(shown: DoubtfulLabel | None) -> dict[str, str]:
    if shown is None:
        return {"u": "undo"}
    labels = zip(project().settings.label_keys, LABELS, strict=True)
    return {"u": "undo", "s": "later", "k": answer_action(shown.label, shown.decision_id)} | {
        key: answer_action(label, shown.decision_id) for key, label in labels
    }


def _act(account: Account, shown: int | None, action: str) -> None:
    state = chooser("doubts")
    if action == "undo":
        state.bring_back(resolutions.undo(project(), account, "doubt"))
        state.notice = _("Taken back. Here is the post again.")
    elif shown is not None and action == "later":
        state.postpone(shown)
    elif shown is not None:
        label, instead_of = parse_answer(action)
        resolutions.resolve(project(), account, shown, label, occasion="doubt", instead_of=instead_of)
