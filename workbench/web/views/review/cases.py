"""Open cases for a lead: opinions side by side, a decision by key, then the names and the model's view."""

import streamlit as st
from markupsafe import Markup, escape

from trainer.labels import LABELS
from workbench.accounts import Account, Right
from workbench.review import resolutions
from workbench.review.cases import OpenCase, Opinion, ResolvedCase, open_cases, resolved_case
from workbench.review.comments import discussion_of
from workbench.web.current_project import project
from workbench.web.elements.choice import answer_action, chooser, parse_answer
from workbench.web.elements.comments import discussion
from workbench.web.elements.comments.waiting import count_now, renew_if_changed
from workbench.web.elements.last_answer import thought_html
from workbench.web.elements.markup import NOTHING, QUIET, each, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import note, quiet, require_account, shortened, show_notice
from workbench.web.views.review import settle_kind
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
    html(Markup('<div class="bar">{}</div>').format(_counts(cases)))
    if case is None:
        note(_("Nothing waits here."), is_done=True)
    else:
        post = Markup('<div class="post small" dir="auto" lang="zh">{}</div><div class="opinions">{}</div>')
        html(post.format(post_html(case.text), NOTHING.join(map(_opinion, case.opinions))))
        with st.container(horizontal=True):
            for key, label in zip(project().settings.label_keys, LABELS, strict=True):
                state.button(
                    f"{key.upper()}  {label_word(label)}", answer_action(label, case.decision_id), _act
                )
        st.text_input(_("Reason, never required"), key=_reason_key(case.post_id), max_chars=200)
    with st.container(horizontal=True):
        if case is not None:
            state.button(_("S later"), "later", _act, is_quiet=True)
        state.button(_("U undo"), "undo", _act, is_quiet=True)
    show_notice()
    if state.notice:
        note(state.notice)
    elif state.last is not None and (resolved := resolved_case(project(), account, state.last)):
        html(_resolved(resolved))
    if case is not None and case.is_flagged:
        _comments(account, case)
    if case is not None and account.may(Right.SET_GUIDELINES):
        settle_kind.show(case, [one for one in cases if one.post_id != case.post_id])
    renew_if_changed(count_now(account))


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


def _keys(case: OpenCase | None) -> dict[str, str]:
    keys = {"u": "undo"}
    if case is not None:
        labels = zip(project().settings.label_keys, LABELS, strict=True)
        keys |= {"s": "later"} | {key: answer_action(label, case.decision_id) for key, label in labels}
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
    lines = (
        _("asked of a lead: {count}").format(count=f"{asked:,}"),
        _("judged differently: {count}").format(count=f"{len(cases) - asked:,}"),
    )
    return each(Markup("<span>{}</span>"), lines)


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
    line = escape(_("last: decided {label} on “{text}” saved ✓")).format(
        label=label_html(case.label), text=post_html(shortened(case.text))
    )
    opinions = Markup(" · ").join(
        escape(_("{name}: {said}")).format(
            name=person_word(opinion.name or ""),
            said=label_html(opinion.label) if opinion.label else _("asks the lead"),
        )
        for opinion in case.opinions
    )
    view = NOTHING
    if case.is_held_out:
        view = QUIET.format(lane_word("held_out"))
    elif case.suggestion is not None:
        view = thought_html(case.suggestion, ())
    return Markup('<div class="last" role="status">{}</div>{}{}').format(line, QUIET.format(opinions), view)
