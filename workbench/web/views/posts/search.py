"""The posts found: a row each, in an order that the headings change, page by page."""

from collections.abc import Sequence
from operator import itemgetter

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.accounts import Account, Right
from workbench.posts import search
from workbench.posts.history import number_of
from workbench.posts.query import excerpt, places
from workbench.posts.search import Filter, Hits, ListedPost, SearchPage
from workbench.posts.sorting import Order, find_sorted
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, each, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import note, pager
from workbench.web.views.posts.filters import ask_filter, conditions
from workbench.web.views.posts.selection import selection, tick, tick_all
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import label_html, label_word, lane_word, person_word

TEXT_SHOWN = 240
"""Characters of a post, more than two lines hold."""
SURELY_SHOWN = 44
"""Characters that two lines hold on a phone."""
ROW, CELL = Markup('<div class="hit">{}{}</div>'), Markup("<span>{}</span>")
HEADINGS: Sequence[tuple[str, str, Sequence[Order]]] = (
    ("text", N_("text"), (Order.NEWEST, Order.BOARD)),
    ("model", N_("model"), (Order.UNSURE, Order.SURE)),
    ("label", N_("label"), (Order.SEVERE, Order.MILD)),
    ("why", N_("why"), ()),
    ("who", N_("who"), ()),
)
"""Key, word, and the orders that a press goes through."""
ORDER_WORDS = {
    Order.NEWEST: N_("newest first"),
    Order.BOARD: N_("by board"),
    Order.UNSURE: N_("least certain first"),
    Order.SURE: N_("most certain first"),
    Order.SEVERE: N_("violations first"),
    Order.MILD: N_("normal first"),
}


def post_search(account: Account, posts_in_all: int) -> None:
    is_lead = account.may(Right.REVIEW)
    wanted = ask_filter(account)
    order: Order = st.session_state.setdefault("order", Order.NEWEST) if is_lead else Order.NEWEST
    cursors = _cursors((wanted, order))
    page, among = _page(account, wanted, order, cursors[-1])
    if is_lead and wanted.text:
        _post_of_this_id(account, wanted.text)
    _show_notices(page)
    hits = Hits(posts_in_all, is_exact=True) if wanted == Filter() else _hits(account, wanted, page, cursors)
    with st.container(horizontal=True, key="hits-line", vertical_alignment="center"):
        html(_count_line(wanted, hits, order, among))
        if is_lead and page.posts and wanted != Filter():
            tick_all(account, wanted)
    if page.posts:
        _table(page.posts, wanted.words, order, is_lead=is_lead)
    pager("", page.after, cursors)
    if is_lead:
        selection(account, wanted)


def _page(account: Account, wanted: Filter, order: Order, cursor: int | None) -> tuple[SearchPage, int]:
    """The page, and the number of posts that are sorted; 0 in the order of the search itself."""
    if order is Order.NEWEST:
        return search.find(project(), account, wanted, before=cursor), 0
    return find_sorted(project(), account, wanted, order, start=cursor or 0)


def _cursors(shown: tuple[Filter, Order]) -> list[int | None]:
    """Start of each page so far, the current one last. Another filter or order resets them."""
    if "pages" not in st.session_state or st.session_state["pages"][0] != shown:
        st.session_state["pages"] = (shown, [None])
    cursors: list[int | None] = st.session_state["pages"][1]
    return cursors


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


def _hits(account: Account, wanted: Filter, page: SearchPage, cursors: Sequence[int | None]) -> Hits:
    is_whole = len(cursors) == 1 and page.after is None
    return Hits(len(page.posts), True) if is_whole else search.count(project(), account, wanted)


def _count_line(wanted: Filter, hits: Hits, order: Order, among: int) -> Markup:
    text = _("Posts found: {count}") if hits.is_exact else _("Posts found: {count} or more")
    words = conditions(wanted)
    if among and not hits.is_exact:
        words.append(
            _("{order}, of the newest {count}").format(order=_(ORDER_WORDS[order]), count=f"{among:,}")
        )
    else:
        words.append(_(ORDER_WORDS[order]))
    count = Markup("<b>{}</b>").format(text.format(count=f"{hits.posts:,}"))
    return Markup('<div class="facts" role="status">{}{}</div>').format(count, each(CELL, words))


def _table(posts: Sequence[ListedPost], words: Sequence[str], order: Order, *, is_lead: bool) -> None:
    with st.container(key="found-lead" if is_lead else "found", gap=None):
        if is_lead:
            _sortable_head(order)
        else:
            html(Markup('<div class="hit head">{}</div>').format(each(CELL, (_("text"), _("label")))))
        for post in posts:
            _row(post, words, is_lead)


def _sortable_head(order: Order) -> None:
    with st.container(horizontal=True, key="found-head"):
        html(CELL.format(""))
        for key, word, orders in HEADINGS:
            if not orders:
                html(Markup('<span class="quiet">{}</span>').format(_(word)))
                continue
            # The order of no column: the line above the list says it.
            is_own = order in orders and key != "text"
            sign = "" if not is_own else " ↑" if orders.index(order) else " ↓"
            following = orders[(orders.index(order) + 1) % len(orders)] if order in orders else orders[0]
            st.button(
                _(word) + sign,
                key=f"sort-{key}",
                type="tertiary",
                help=_(ORDER_WORDS[following]),
                on_click=_sort,
                args=(following,),
            )


def _sort(order: Order) -> None:
    st.session_state["order"] = order


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
    is_open = st.query_params.get("post") == str(post.post_id)
    with st.container(horizontal=True, key=f"row-{'open' if is_open else 'of'}-{post.post_id}", gap=None):
        tick(post.post_id)
        html(ROW.format(_text(post, words), each(CELL, cells)))
        # Stretched over the row, so that a press anywhere on it opens the history.
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
