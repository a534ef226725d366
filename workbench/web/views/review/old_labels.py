"""Labels from before a ruling: one by one, or many together; and the rulings themselves."""

from collections.abc import Sequence
from functools import partial

import pandas
import streamlit as st
from markupsafe import Markup, escape

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.review import old_labels, resolutions
from workbench.review.bulk_labels import AT_MOST
from workbench.review.old_labels import OldLabel
from workbench.web.current_project import project
from workbench.web.elements.choice import chooser
from workbench.web.elements.markup import html
from workbench.web.elements.visible import post_html, post_text
from workbench.web.elements.widgets import attempt, note, require_account, shortened, show_notice
from workbench.web.views.review import layout, rulings
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word

NAME = "old-labels"
TEXT_SHOWN = 100


@st.fragment
def show() -> None:
    account = require_account()
    state = chooser(NAME)
    waiting = old_labels.old_labels(project(), account, most=AT_MOST)
    shown = state.choose({one.post_id: one for one in waiting})
    state.listen(_keys(shown), _act)
    card, rail = layout.columns()
    with card:
        if shown is None:
            layout.empty(
                _("No label contradicts a ruling."),
                _("When a ruling settles a kind of post, the older labels that it touches come here."),
            )
        else:
            html(layout.post_card(shown.text) + _contradiction(shown))
        show_notice()
        if state.notice:
            note(state.notice)
        layout.dock(state, _docked(shown), _act)
    with rail:
        if shown is not None:
            count = old_labels.count_old_labels(project(), account)
            layout.rail_lines(_("labels from before a ruling: {count}").format(count=f"{count:,}"))
    _many(waiting)
    rulings.show(account)


def _contradiction(shown: OldLabel) -> Markup:
    line = escape(_("labelled {label}; the ruling “{title}” says {ruled}")).format(
        label=Markup(" · ").join(map(label_html, shown.labels)),
        title=post_html(shown.title),
        ruled=label_html(shown.ruled),
    )
    return Markup('<p class="last">{}</p>').format(line)


def _docked(shown: OldLabel | None) -> list[layout.Choice]:
    if shown is None:
        return []
    keep = _("keep {label}")
    return [
        (
            key,
            keep.format(label=label_word(label)) if key == "k" else label_word(label),
            _action(label, shown),
        )
        for key, label in _choices(shown)
    ]


def _choices(shown: OldLabel) -> list[tuple[str, str]]:
    """Keys and their labels. A post with several labels has none to keep."""
    kept = list(shown.labels) if len(shown.labels) == 1 else []
    others = zip(project().settings.label_keys, LABELS, strict=True)
    return [*(("k", label) for label in kept), *((key, label) for key, label in others if label not in kept)]


def _action(label: str, shown: OldLabel) -> str:
    """Names the decision and the ruling that were seen."""
    return f"answer {label} {shown.decision_id or 0} {shown.ruling_id}"


def _keys(shown: OldLabel | None) -> dict[str, str]:
    if shown is None:
        return {"u": "undo"}
    return {"u": "undo", "s": "later"} | {key: _action(label, shown) for key, label in _choices(shown)}


def _act(account: Account, shown: int | None, action: str) -> None:
    state = chooser(NAME)
    if action == "undo":
        state.bring_back(resolutions.undo(project(), account, "ruling"))
        state.notice = _("Taken back. Here is the post again.")
    elif shown is not None and action == "later":
        state.postpone(shown)
    elif shown is not None:
        _command, label, decision, ruling = action.split()
        old_labels.settle(
            project(), account, shown, label, ruling_id=int(ruling), instead_of=int(decision) or None
        )


def _many(waiting: Sequence[OldLabel]) -> None:
    """Those of one ruling: the newest with any."""
    may_be_many = [one for one in waiting if one.may_be_many]
    if not may_be_many:
        return
    rows = [one for one in may_be_many if one.ruling_id == may_be_many[0].ruling_id]
    with st.expander(_("Settle many together"), key="old-labels-many"):
        html(Markup("<div>{} → {}</div>").format(post_html(rows[0].title), label_html(rows[0].ruled)))
        # A second press must not count for the rows that come after these.
        of_rows = hash(tuple(one.post_id for one in rows))
        ticked = _tick(rows, key=f"old-labels-ticks-{of_rows}")
        change = _("Change {count} to {label}").format(
            count=f"{len(ticked):,}", label=label_word(rows[0].ruled)
        )
        ruling_id = rows[0].ruling_id
        keep = _("Keep {count} as they are").format(count=f"{len(ticked):,}")
        with st.container(horizontal=True):
            for text, keeps in ((change, False), (keep, True)):
                key = f"many-{'keep' if keeps else 'change'}-{of_rows}"
                if st.button(text, key=key, disabled=not ticked):
                    attempt(partial(_settle_many, ruling_id=ruling_id, post_ids=ticked, keeps=keeps))
                    st.rerun()


def _tick(rows: Sequence[OldLabel], key: str) -> frozenset[int]:
    names = (_("include"), _("id"), _("text"), _("now"))
    values = [
        (
            True,
            post_text(one.external_id),
            post_text(shortened(one.text, TEXT_SHOWN)),
            label_word(one.labels[0]),
        )
        for one in rows
    ]
    edited = st.data_editor(
        pandas.DataFrame(values, columns=list(names)),
        hide_index=True,
        disabled=names[1:],
        column_config={names[0]: st.column_config.CheckboxColumn(width="small")},
        # Ticks are stored by position.
        key=key,
    )
    return frozenset(one.post_id for one, is_ticked in zip(rows, edited[names[0]], strict=True) if is_ticked)


def _settle_many(account: Account, ruling_id: int, post_ids: frozenset[int], *, keeps: bool) -> None:
    count = old_labels.settle_many(project(), account, ruling_id, post_ids, keeps=keeps)
    st.session_state["notice"] = _(
        "{count} posts are settled. The Posts page lists the step, to take it back."
    ).format(count=f"{count:,}")
