"""The import itself, and the third step: what became of each file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account
from workbench.errors import InputError, WorkbenchError
from workbench.imports import intake, tsv
from workbench.imports.intake import Receipt
from workbench.labelling import label_files
from workbench.labelling.files.mapping import label_key, parse_map
from workbench.labelling.label_files import LabelReceipt
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import note, quiet, refusal, shortened
from workbench.web.identity import current_account
from workbench.web.views.posts.importing.files import ReadFile, named
from workbench.web.views.posts.importing.plan import Plan
from workbench.web.wording.i18n import _
from workbench.web.wording.messages import shown

REJECTS_SHOWN = 10
LONGEST_SHOWN = 200
RESULTS = "import-results"


@dataclass(frozen=True)
class Result:
    name: str
    receipt: Receipt | None = None
    labels: LabelReceipt | None = None
    problem: WorkbenchError | None = None


def import_all(plans: Sequence[Plan]) -> None:
    """Each file is imported whole or not at all; one that is refused holds up no other."""
    account = current_account()
    if account is not None:
        # Posts first: labels of the same upload may be theirs.
        ordered = sorted(plans, key=lambda plan: not plan.has_posts)
        st.session_state[RESULTS] = [_import(account, plan, file) for plan in ordered for file in plan.files]


def result_step(again: Callable[[], None], done: Callable[[], None]) -> None:
    results: list[Result] = st.session_state.get(RESULTS, [])
    receipts = [result.receipt for result in results if result.receipt is not None]
    only_labels = [
        (result.name, result.labels)
        for result in results
        if result.receipt is None and result.labels is not None
    ]
    _summary(receipts)
    _summary_of_labels([labels for _name, labels in only_labels])
    for result in results:
        if result.problem is not None:
            refusal(result.problem)
    if receipts:
        posts = [result for result in results if result.receipt is not None or result.labels is None]
        html(table(map(_row, posts), _headings(posts)))
    if only_labels:
        html(table((_row_of_labels(*pair) for pair in only_labels), _headings_of_labels()))
    _rejects([*receipts, *(labels.rejects for _name, labels in only_labels if labels.rejects is not None)])
    if any(receipt.accepted for receipt in receipts):
        quiet(_("New posts are served once the worker has prepared them."))
    with st.container(horizontal=True, key="import-actions"):
        if st.button(_("Import more"), key="import-again"):
            again()
        if st.button(_("Finish"), type="primary", key="import-done"):
            done()


def _summary(receipts: Sequence[Receipt]) -> None:
    if not receipts:
        return
    text = _("{rows} rows: {accepted} new, {duplicates} known already, {rejected} unreadable.")
    names = ("rows", "accepted", "duplicates", "rejected")
    counts = {name: f"{sum(getattr(receipt, name) for receipt in receipts):,}" for name in names}
    note(text.format(**counts), is_done=True)


def _summary_of_labels(receipts: Sequence[LabelReceipt]) -> None:
    if not receipts:
        return
    text = _(
        "{labelled} labels came in, {unchanged} were known already; "
        "{not_found} of no post here, {unreadable} unreadable, {left_out} left out or repeated."
    )
    counts = (sum(numbers) for numbers in zip(*map(_counts, receipts), strict=True))
    names = ("labelled", "unchanged", "not_found", "unreadable", "left_out")
    note(text.format(**{name: f"{count:,}" for name, count in zip(names, counts, strict=True)}), is_done=True)


def _counts(receipt: LabelReceipt) -> tuple[int, int, int, int, int]:
    """Lines: their label saved, known, of no post here, unreadable, left out or repeated."""
    rejected = 0 if receipt.rejects is None else receipt.rejects.rejected
    passed_over = receipt.left_out + receipt.repeated + receipt.superseded
    return (
        receipt.labelled,
        receipt.unchanged,
        receipt.not_found,
        rejected - receipt.not_found,
        passed_over,
    )


def _headings_of_labels() -> list[str]:
    return [
        _("file"),
        _("labels"),
        _("known already"),
        _("of no post here"),
        _("unreadable"),
        _("left out or repeated"),
    ]


def _row_of_labels(name: str, receipt: LabelReceipt) -> Sequence[Cell]:
    return [post_html(name), *_counts(receipt)]


def _headings(results: Sequence[Result]) -> list[str]:
    labels = [_("labels")] if any(result.labels for result in results) else []
    return [_("file"), _("new"), _("known already"), _("unreadable"), *labels]


def _row(result: Result) -> Sequence[Cell]:
    receipt = result.receipt
    if receipt is None:
        return [post_html(result.name), "–", "–", "–"]
    unreadable: Cell = receipt.rejected
    if receipt.rejected:
        link = Markup('<a href="/download/imports/{}/unreadable.tsv" download>{:,}</a>')
        unreadable = link.format(receipt.import_id, receipt.rejected)
    labels: list[Cell] = [] if result.labels is None else [result.labels.labelled]
    return [post_html(result.name), receipt.accepted, receipt.duplicates, unreadable, *labels]


def _rejects(receipts: Sequence[Receipt]) -> None:
    rows = [
        (row.line, shown(row.reason), post_html(shortened(row.content, LONGEST_SHOWN)))
        for receipt in receipts
        for row in receipt.rejects
    ]
    if not rows:
        return
    html(Markup("<h2>{}</h2>").format(_("Unreadable rows")))
    html(table(rows[:REJECTS_SHOWN], (_("line"), _("reason"), _("content"))))
    link = Markup('<a href="/download/imports/{}/unreadable.tsv" download>{}</a>')
    for receipt in receipts:
        if receipt.rejected:
            html(link.format(receipt.import_id, _("Download all unreadable rows")))


def _import(account: Account, plan: Plan, file: ReadFile) -> Result:
    name = file.upload.name
    receipt = None
    try:
        receipt = _import_posts(account, plan, file) if plan.has_posts else None
        labels = None if plan.source is None else _import_labels(account, plan, file)
    except InputError as error:
        return Result(name, receipt, problem=named(error, file.upload))
    except WorkbenchError as error:
        return Result(name, receipt, problem=error)
    return Result(name, receipt, labels)


def _import_posts(account: Account, plan: Plan, file: ReadFile) -> Receipt:
    bar = st.progress(0.0)
    with tsv.open_file(file.upload.path, plan.choice_for(file)) as source:
        source.path = Path(file.upload.name)  # shown in the list of imports

        def show(rows: int, read: int) -> None:
            bar.progress(
                min(1.0, read / max(1, source.size)), text=_("{count} rows").format(count=f"{rows:,}")
            )

        return intake.import_rows(project(), account, source, on_progress=show)


def _import_labels(account: Account, plan: Plan, file: ReadFile) -> LabelReceipt:
    choice = plan.choice_for(file)
    ours = {label_key(theirs): label for theirs, label in plan.mapping.items()}
    return label_files.import_labels(
        project(),
        account,
        file.upload.path,
        label_column=choice.label_column,
        text_column=choice.text_column,
        id_column=choice.id_column,
        encoding=choice.encoding if not file.sheets else None,
        is_quoted=choice.is_quoted,
        sheet=choice.sheet,
        mapping=parse_map(None) | ours,
        source="modlog" if plan.source == "log" else None,
        name=file.upload.name,
        is_partial=not plan.has_posts,
    )
