"""Open cases for a lead: opinions side by side, a decision by key, then the names and the model's view."""

import streamlit as st
from markupsafe import Markup, escape

from trainer.labels import LABELS
from workbench.accounts import Account, Right
from workbench.review import resolutions
from workbench.review.cases import LISTED, OpenCase, Opinion, ResolvedCase, open_cases, resolved_case
from workbench.review.comments import discussion_of
from workbench.web.current_project import project
from workbench.web.elements.choice import answer_action, chooser, parse_answer
from workbench.web.elements.comments import discussion
from workbench.web.elements.comments.waiting import count_now, renew_if_changed
from workbench.web.elements.markup import NOTHING, QUIET, each, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import note, quiet, require_account, shortened, show_notice
from workbench.web.views.review import layout, settle_kind
from workbench.web.views.review.agreement import PAIR
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word, lane_word, person_word, reason_word


@st.fragment
def show() -> None:
    account = require_account()
    state = chooser("cases")
    cases = _limited(open_cases(project(), account))
    case = state.choose({case.post_id: case for case in cases})
    state.listen(_keys(case), _act)
    card, rail = layout.columns()
    with card:
        if case is None:
            layout.empty(
                _("Nothing waits here."),
                _("Posts that annotators ask about, and posts that two people judge differently, come here."),
            )
        else:
            _card(account, case, cases)
        show_notice()
        if state.notice:
            note(state.notice)
        layout.dock(state, _choices(case), _act, reason_key=_reason_key(case.post_id) if case else None)
    with rail:
        html(_counts(cases))
        if (
            state.last is not None
            and not state.notice
            and (done := resolved_case(project(), account, state.last))
        ):
            html(_resolved(done))
    renew_if_changed(count_now(account))


def _card(account: Account, case: OpenCase, cases: list[OpenCase]) -> None:
    opinions = Markup('<div class="opinions">{}</div>').format(NOTHING.join(map(_opinion, case.opinions)))
    html(layout.post_card(case.text) + opinions)
    if case.is_flagged:
        _comments(account, case)
    if account.may(Right.SET_GUIDELINES):
        settle_kind.show(case, [one for one in cases if one.post_id != case.post_id])


def _comments(account: Account, case: OpenCase) -> None:
    one = discussion_of(project(), account, case.post_id)
    title = _("Comments: {count}").format(count=len(one.remarks)) if one.remarks else _("Ask the annotator")
    with st.expander(title, expanded=bool(one.waits_from), key=f"comments-{case.post_id}"):
        discussion.show(one)


def _limited(cases: list[OpenCase]) -> list[OpenCase]:
    """The cases of the pair of labels that was chosen under Agreement."""
    pair: tuple[str, str] | None = st.session_state.get(PAIR)
    if pair is None:
        return cases
    one, other = map(label_word, pair)
    quiet(_("Only posts judged “{one}” and “{other}”.").format(one=one, other=other))
    st.button(_("Show all"), key="all-cases", type="tertiary", on_click=st.session_state.pop, args=(PAIR,))
    return [case for case in cases if set(pair) <= {opinion.label for opinion in case.opinions}]


def _choices(case: OpenCase | None) -> list[layout.Choice]:
    if case is None:
        return []
    labels = zip(project().settings.label_keys, LABELS, strict=True)
    return [(key, label_word(label), answer_action(label, case.decision_id)) for key, label in labels]


def _keys(case: OpenCase | None) -> dict[str, str]:
    keys = {"u": "undo"}
    if case is not None:
        keys |= {"s": "later"} | {key: action for key, _words, action in _choices(case)}
    return keys


def _act(account: Account, shown: int | None, action: str) -> None:
    state = chooser("cases")
    if action == "undo":
        state.bring_back(resolutions.undo(project(), account, "review"))
        state.notice = _("Taken back. Here is the post again.")
    elif shown is None:
        return
    elif action == "later":
        state.postpone(shown)
    else:
        label, instead_of = parse_answer(action)
        reason = st.session_state.get(_reason_key(shown))
        resolutions.resolve(
            project(), account, shown, label, occasion="review", reason=reason, instead_of=instead_of
        )
        state.last = shown


def _reason_key(post_id: int) -> str:
    return f"case-reason-{post_id}"


def _counts(cases: list[OpenCase]) -> Markup:
    asked = sum(case.is_flagged for case in cases)
    counts = ((asked, _("asked of a lead")), (len(cases) - asked, _("judged differently")))
    cell = Markup("<div><b>{}</b><span>{}</span></div>")
    return Markup('<div class="figures">{}</div>').format(
        NOTHING.join(cell.format(listed(count), name) for count, name in counts)
    )


def listed(count: int) -> str:
    """A full list may have left some out."""
    return f"{count}+" if count >= LISTED else str(count)


def _opinion(opinion: Opinion) -> Markup:
    parts = [
        label_html(opinion.label) if opinion.label else Markup("<b>{}</b>").format(_("asks the lead")),
    ]
    if opinion.reason:
        parts.append(Markup('<span class="quiet">{}</span>').format(reason_word(opinion.reason)))
    if opinion.note:
        parts.append(Markup("<p>{}</p>").format(post_html(opinion.note)))
    return Markup("<div>{}</div>").format(Markup(" ").join(parts))


def _resolved(case: ResolvedCase) -> Markup:
    line = escape(_("{label} on “{text}”")).format(
        label=label_html(case.label), text=post_html(shortened(case.text))
    )
    opinions = each(Markup("<p>{}</p>"), map(_named, case.opinions))
    view = NOTHING
    if case.is_held_out:
        view = QUIET.format(lane_word("held_out"))
    elif case.suggestion is not None:
        view = layout.model_view(case.suggestion, _("What the model had thought"))
    return Markup('<div class="decided" role="status"><h2>{}</h2><p>{}</p>{}{}</div>').format(
        _("Last decision"), line, opinions, view
    )


def _named(opinion: Opinion) -> Markup:
    return escape(_("{name}: {said}")).format(
        name=person_word(opinion.name or ""),
        said=label_html(opinion.label) if opinion.label else _("asks the lead"),
    )
