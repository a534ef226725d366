"""Search posts: filters on top, results below, page by page."""

from collections.abc import Sequence
from contextlib import nullcontext
from operator import itemgetter
from typing import Literal

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.accounts import Account, Right
from workbench.posts import search
from workbench.posts.history import number_of
from workbench.posts.query import excerpt, places
from workbench.posts.search import UNLABELLED, Choices, Filter, Hits, ListedPost, SearchPage
from workbench.web.current_project import project
from workbench.web.elements.cache import cached
from workbench.web.elements.markup import NOTHING, each, html
from workbench.web.elements.visible import post_html, post_text
from workbench.web.elements.widgets import note, pager, quiet
from workbench.web.views.posts.bulk_label import bulk_label
from workbench.web.wording.i18n import _
from workbench.web.wording.words import LANE_WORDS, label_html, label_word, lane_word, person_word

COLUMNS = (12, 1)
ANY = ""
FIELDS = ("search", "label", "board", "lane", "person", "round", "certainty")
LEAST_CERTAIN = 33
TEXT_SHOWN = 240
"""Characters of a post, more than two lines hold."""
SURELY_SHOWN = 44
"""Characters that two lines hold on a phone."""
ROW, CELL = Markup('<div class="hit">{}{}</div>'), Markup("<span>{}</span>")


def post_search(account: Account) -> None:
    is_lead = account.may(Right.REVIEW)
    wanted = _filter(_choices(account), is_lead)
    cursors = _cursors(wanted)
    page = search.find(project(), account, wanted, before=cursors[-1])
    if is_lead and wanted.text:
        _post_of_this_id(account, wanted.text)
    _show_notices(page)
    if page.posts:
        if wanted != Filter():
            quiet(_count_line(account, wanted, page, cursors))
        _table(page.posts, wanted.words, is_lead)
    pager("", page.after, cursors)
    if is_lead and wanted != Filter():
        bulk_label(account, wanted)


@cached(60)
def _choices_of(_account: Account, person: int, role: str, home: str) -> Choices:  # noqa: ARG001 - the cache's key
    return search.choices(project(), _account)


def _choices(account: Account) -> Choices:
    return _choices_of(account, account.id, account.role, str(project().home))


def _filter(choices: Choices, is_lead: bool) -> Filter:
    text = st.text_input(
        _("Search"),
        key="search",
        placeholder=_("Words that all stand in the post: 微信 红包, or a phrase: “加 微信”"),
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
    chosen = st.selectbox(
        title,
        (ANY, *options),
        format_func=lambda option: post_text(options.get(option, "")) or _("any"),
        key=key,
        placeholder=_("any"),
        disabled=not options,
        width=width,
    )
    return chosen or None


def _cursors(wanted: Filter) -> list[int | None]:
    """Start of each page so far, the current one last. Another filter resets them."""
    if "pages" not in st.session_state or st.session_state["pages"][0] != wanted:
        st.session_state["pages"] = (wanted, [None])
    cursors: list[int | None] = st.session_state["pages"][1]
    return cursors


def keep_filter() -> None:
    for key in FIELDS:
        if key in st.session_state:
            # Streamlit drops the state of widgets that a run does not draw.
            st.session_state[key] = st.session_state[key]


def _show_notices(page: SearchPage) -> None:
    if page.is_partial:
        note(_("The worker is still storing posts or making them searchable; the newest come last."))
    if page.is_short:
        note(
            _(
                "One character alone is looked for among the newest posts, step by step. Two are found at once."
            )
        )
    if page.is_cut:
        text = _(
            "{count} posts were looked through for this page. Older ones may fit too: go on with “Older”."
        )
        note(text.format(count=f"{page.looked_at:,}"))
    elif not page.posts and not page.is_partial:
        note(_("No post fits."), is_done=True)


def _count_line(account: Account, wanted: Filter, page: SearchPage, cursors: Sequence[int | None]) -> str:
    is_whole = len(cursors) == 1 and page.after is None
    hits = Hits(len(page.posts), True) if is_whole else search.count(project(), account, wanted)
    line = _("Posts found: {count}") if hits.is_exact else _("Posts found: {count} or more")
    return line.format(count=f"{hits.posts:,}")


def _table(posts: Sequence[ListedPost], words: Sequence[str], is_lead: bool) -> None:
    with st.container(key="found-lead" if is_lead else "found", gap=None):
        names = (
            [_("text"), _("model"), _("label"), _("why"), _("who")] if is_lead else [_("text"), _("label")]
        )
        with st.columns(COLUMNS)[0] if is_lead else nullcontext():
            html(Markup('<div class="hit head">{}</div>').format(each(CELL, names)))
        for post in posts:
            _row(post, words, is_lead)


def _row(post: ListedPost, words: Sequence[str], is_lead: bool) -> None:
    if not is_lead:
        html(ROW.format(_text(post, words), CELL.format(_labels(post))))
        return
    cells = (
        scores_html(post.probabilities) if post.probabilities else "",
        _labels(post),
        lane_word(post.lane) if post.lane else "",
        ", ".join(map(person_word, post.people)),
    )
    row, beside = st.columns(COLUMNS, vertical_alignment="center")
    with row:
        html(ROW.format(_text(post, words), each(CELL, cells)))
    with beside:
        _history_button(_("History"), post.post_id, f"history-{post.post_id}")


def _post_of_this_id(account: Account, text: str) -> None:
    """Verdicts and exports name a post by its id, which is in no text."""
    number = number_of(project(), account, text)
    if number is not None:
        _history_button(_("A post has this id: its history"), number, "history-of-id")


def _history_button(title: str, number: int, key: str) -> None:
    if st.button(title, key=key, type="tertiary", width="content"):
        st.query_params["post"] = str(number)
        st.rerun()


def _text(post: ListedPost, words: Sequence[str]) -> Markup:
    text = excerpt(post.text, words, TEXT_SHOWN, ahead=SURELY_SHOWN)
    return Markup('<div><p dir="auto" lang="zh">{}</p><small>{}</small></div>').format(
        post_html(text, places(text, words)), " · ".join(filter(None, (post.external_id, post.board)))
    )


def _labels(post: ListedPost) -> Markup:
    labels = Markup(" / ").join(map(label_html, post.standing))
    return labels + Markup("<small>{}</small>").format(_("settled by a lead")) if post.decided else labels


def scores_html(probabilities: Sequence[float]) -> Markup:
    of_labels = [*zip(LABELS, probabilities, strict=True)]
    words = " · ".join(f"{label_word(name)} {value:.2f}" for name, value in of_labels)
    part = Markup('<i class="{}" style="flex: {:.4f} 0 0"></i>')
    top, share = max(of_labels, key=itemgetter(1))
    return Markup(
        '<div class="thin" title="{words}" role="img" aria-label="{words}">{parts}</div>'
        "<small>{top} {share:.2f}</small>"
    ).format(
        words=words,
        parts=NOTHING.join(part.format(*one) for one in of_labels),
        top=label_word(top),
        share=share,
    )
