"""Find posts: what to look for on top, what was found below, a page at a time."""

from collections.abc import Sequence
from contextlib import nullcontext
from html import escape
from typing import Literal

import streamlit as st

from trainer.labels import LABELS
from workbench.accounts import Account, Right
from workbench.posts import search
from workbench.posts.search import UNLABELLED, Choices, Filter, Found, ListedPost
from workbench.web.elements.kept import kept
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import note, one_line
from workbench.web.opened import project
from workbench.web.views.posts.bulk_label import bulk_label
from workbench.web.wording.i18n import _
from workbench.web.wording.words import LANE_WORDS, label_html, label_word, lane_word, person_word

COLUMNS = (12, 1)
ANY = ""
FIELDS = ("search", "label", "board", "lane", "person", "round", "certainty")
LEAST_CERTAIN = 33
TEXT_SHOWN = 240
"""Characters of a post: two lines hold fewer."""


def post_search(account: Account) -> None:
    """Filters, results, and what a lead may do with all of them."""
    is_lead = account.may(Right.REVIEW)
    wanted = _filter(_choices(account), is_lead)
    cursors = _cursors(wanted)
    found = search.find(project(), account, wanted, before=cursors[-1])
    _say(found)
    if found.posts:
        _table(found.posts, is_lead)
    _pager(found, cursors)
    if is_lead and wanted != Filter():
        bulk_label(account, wanted)


@kept(60)
def _choices_of(_account: Account, person: int, role: str, home: str) -> Choices:  # noqa: ARG001 - the cache's key
    return search.choices(project(), _account)


def _choices(account: Account) -> Choices:
    return _choices_of(account, account.id, account.role, str(project().home))


def _filter(choices: Choices, is_lead: bool) -> Filter:
    text = st.text_input(
        _("Search"),
        key="search",
        placeholder=_("Any two characters or more, such as 微信"),
        label_visibility="collapsed",
        max_chars=200,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.pills(
            _("Labelled as"),
            (UNLABELLED, *LABELS),
            format_func=lambda value: _("not labelled") if value == UNLABELLED else label_word(value),
            key="label",
        )
        board = _choice(_("Board"), "board", {board.name: board.name for board in choices.boards}, 260)
    if not is_lead:
        return Filter(text=text.strip(), label=label, board=board)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        lanes = {lane: _(word) for lane, word in LANE_WORDS.items()}
        lane = _choice(_("Why it was asked about"), "lane", lanes)
        person = _choice(
            _("Answered by"), "person", {str(key): person_word(name) for key, name in choices.people.items()}
        )
        rounds = {str(number): _("Round {number}").format(number=number) for number in choices.rounds}
        number = _choice(_("Model at the time"), "round", rounds)
        low, high = st.slider(
            _("Certainty of the model in use, %"),
            LEAST_CERTAIN,
            100,
            (LEAST_CERTAIN, 100),
            key="certainty",
            disabled=not choices.rounds,
        )
    is_open = (low, high) == (LEAST_CERTAIN, 100)
    return Filter(
        text=text.strip(),
        label=label,
        board=board,
        certainty=None if is_open else (low / 100, high / 100),
        lane=lane,
        round_number=int(number) if number else None,
        annotator=int(person) if person else None,
    )


def _choice(
    title: str, key: str, options: dict[str, str], width: int | Literal["stretch"] = "stretch"
) -> str | None:
    """One of the options, or none of them."""
    chosen = st.selectbox(
        title,
        (ANY, *options),
        format_func=lambda option: options.get(option) or _("any"),
        key=key,
        disabled=not options,
        width=width,
    )
    return chosen or None


def _cursors(wanted: Filter) -> list[int | None]:
    """Where each page so far begins, the one to show last; another filter begins anew."""
    if "pages" not in st.session_state or st.session_state["pages"][0] != wanted:
        st.session_state["pages"] = (wanted, [None])
    cursors: list[int | None] = st.session_state["pages"][1]
    return cursors


def keep_filter() -> None:
    """Streamlit forgets the fields that a run does not draw; these are wanted when the reader comes back."""
    for key in FIELDS:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def _say(found: Found) -> None:
    if found.is_partial:
        note(_("The worker is still storing posts or making them searchable; the newest come last."))
    if found.is_short:
        note(
            _(
                "One character alone is looked for among the newest posts, step by step. Two are found at once."
            )
        )
    if found.is_cut:
        text = _(
            "{count} posts were looked through for this page. Older ones may fit too: go on with “Older”."
        )
        note(text.format(count=f"{found.looked_at:,}"))
    elif not found.posts and not found.is_partial:
        note(_("No post fits."), is_done=True)


def _table(found: Sequence[ListedPost], is_lead: bool) -> None:
    with st.container(key="found-lead" if is_lead else "found", gap=None):
        names = (
            [_("text"), _("model"), _("label"), _("why"), _("who")] if is_lead else [_("text"), _("label")]
        )
        cells = "".join(f"<span>{escape(name)}</span>" for name in names)
        with st.columns(COLUMNS)[0] if is_lead else nullcontext():
            st.html(f'<div class="hit head">{cells}</div>')
        for post in found:
            _row(post, is_lead)


def _row(post: ListedPost, is_lead: bool) -> None:
    if not is_lead:
        st.html(f'<div class="hit">{_text(post)}<span>{_labels(post)}</span></div>')
        return
    cells = (
        _text(post),
        f"<span>{scores_html(post.probabilities)}</span>" if post.probabilities else "<span></span>",
        f"<span>{_labels(post)}</span>",
        f"<span>{escape(lane_word(post.lane)) if post.lane else ''}</span>",
        f"<span>{', '.join(one_line(person_word(name)) for name in post.people)}</span>",
    )
    row, beside = st.columns(COLUMNS, vertical_alignment="center")
    row.html(f'<div class="hit">{"".join(cells)}</div>')
    with beside:
        if st.button(_("History"), key=f"history-{post.post_id}", type="tertiary", width="content"):
            st.query_params["post"] = str(post.post_id)
            st.rerun()


def _text(post: ListedPost) -> str:
    text = post.text if len(post.text) <= TEXT_SHOWN else f"{post.text[:TEXT_SHOWN]}…"
    beside = " · ".join(one_line(part) for part in (post.external_id, post.board) if part)
    return (
        f'<div><p dir="auto" lang="zh">{post_html(" ".join(text.split()))}</p><small>{beside}</small></div>'
    )


def _labels(post: ListedPost) -> str:
    labels = " / ".join(map(label_html, post.standing))
    return f"{labels}<small>{escape(_('settled by a lead'))}</small>" if post.decided else labels


def scores_html(probabilities: Sequence[float]) -> str:
    """Three probabilities as one thin bar, the likeliest in words below; all of them for whoever points at it."""
    told = " · ".join(
        f"{label_word(name)} {value:.2f}" for name, value in zip(LABELS, probabilities, strict=True)
    )
    parts = "".join(
        f'<i class="{name}" style="flex: {value:.4f} 0 0"></i>'
        for name, value in zip(LABELS, probabilities, strict=True)
    )
    top = max(range(len(LABELS)), key=probabilities.__getitem__)
    return (
        f'<div class="thin" title="{escape(told)}" role="img" aria-label="{escape(told)}">{parts}</div>'
        f"<small>{escape(label_word(LABELS[top]))} {probabilities[top]:.2f}</small>"
    )


def _pager(found: Found, cursors: list[int | None]) -> None:
    if len(cursors) == 1 and found.after is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        # The place is part of the key: a press that comes late turns no other page.
        if st.button(_("Newer"), key=f"newer-{len(cursors)}", disabled=len(cursors) == 1):
            cursors.pop()
            st.rerun()
        if st.button(_("Older"), key=f"older-{len(cursors)}", disabled=found.after is None):
            cursors.append(found.after)
            st.rerun()
        page = _("Page {number}").format(number=len(cursors))
        st.html(f'<span class="quiet">{escape(page)}</span>')
