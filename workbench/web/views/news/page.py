"""What is new, for those who use the pages; CHANGELOG.md has all of it."""

from markupsafe import Markup

from workbench.web.elements.markup import each, html
from workbench.web.elements.widgets import heading, require_account
from workbench.web.frame.title import title
from workbench.web.wording.i18n import N_, _

NEWS: dict[str, tuple[str, ...]] = {
    N_("December 2026"): (
        N_("The keys of the Label page stay where they are. Your last ten answers stand beside the post, each to be changed."),
        N_("Light or dark, Chinese or English: choose in the header, and every browser of yours follows."),
        N_("Files from spreadsheets (XLSX) can be imported, several at once, after a look at the columns."),
        N_("Rounds are one table: a click opens one, and two of them can be compared."),
        N_("Thresholds show what they would have decided in the last weeks before they apply."),
        N_("Radar: watch a term, or dismiss it for good."),
        N_("The command line speaks Chinese."),
    ),
    N_("November 2026"): (
        N_("Accounts with passwords, invitations by link, sign-in by your organisation."),
        N_("Boards, groups and daily goals on the Team page; agreement, and how you are doing on My work."),
        N_("Rulings: decide a question once, and old answers come back to be looked at again."),
        N_("Rounds that start by themselves, and an encoder adapted to your forum."),
    ),
}  # fmt: skip


def show() -> None:
    require_account()
    title(_("What is new"))
    for month, lines in NEWS.items():
        heading(_(month))
        html(Markup('<ul class="news">{}</ul>').format(each(Markup("<li>{}</li>"), map(_, lines))))
