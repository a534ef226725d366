"""Import a file: upload, preview, import, receipt."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import streamlit as st
from markupsafe import Markup
from streamlit.delta_generator import DeltaGenerator

from trainer.reading.columns import Choice, guess_id, guess_text
from trainer.reading.encoding import ENCODINGS
from trainer.reading.formats import SUFFIXES
from trainer.reading.posts import Source
from trainer.reading.rejects import Reject
from trainer.reading.rows import Row
from workbench.accounts import Account
from workbench.errors import InputError
from workbench.imports import intake, tsv
from workbench.imports.intake import Receipt
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.tables import table
from workbench.web.elements.upload import StoredUpload, refuse_unfit, store
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import attempt, note, quiet, refusal, shortened
from workbench.web.wording.i18n import _
from workbench.web.wording.messages import shown

ROWS_SHOWN = 5
REJECTS_SHOWN = 50
LONGEST_SHOWN = 200
NO_COLUMN = DETECTED = ""
KINDS = tuple(suffix.removeprefix(".") for suffix in SUFFIXES)
MOST_MB = 200
"""No more than `server.maxUploadSize`: an upload is in memory."""


def import_file() -> None:
    _translate_uploader()
    uploader = f"upload-{st.session_state.get('imported', 0)}"  # a new key empties the field after an import
    # Without `type`, so that a file of another kind is refused here, in the reader's language.
    upload = st.file_uploader(
        _("A table with a header row (TSV, CSV), or JSON"), key=uploader, max_upload_size=MOST_MB
    )
    if upload is None:
        _show_receipt()
        return
    try:
        refuse_unfit(upload, KINDS)
    except InputError as error:
        refusal(error)
        return
    stored = store(upload)
    try:
        _preview(stored)
    except InputError as error:
        refusal(_named(error, stored))


def _translate_uploader() -> None:
    """Streamlit writes its button and its refusals in English; style.css shows these texts instead."""
    failed = _(
        "The upload failed: the file is larger than {most} MB, or the connection broke. A large file is imported by command: workbench import FILE"
    )
    texts = (_("Choose a file"), failed.format(most=MOST_MB))
    html(Markup('<style>.stFileUploader {{ --upload: "{}"; --failed: "{}"; }}</style>').format(*texts))


def _preview(upload: StoredUpload) -> None:
    choice = _ask_how(upload)
    if not choice.text_column:
        note(_("Choose the column that holds the text."))
    else:
        with tsv.open_file(upload.path, choice) as source:
            _first_rows(source)
        quiet(_("Read as {encoding}.").format(encoding=choice.encoding))
        if not choice.id_column:
            quiet(_("No id column: the text stands for it."))
    if st.button(_("Import"), type="primary", key="import", disabled=not choice.text_column):
        attempt(lambda account: _import(account, upload, choice))
        st.rerun()


def _ask_how(upload: StoredUpload) -> Choice:
    """Encoding, columns and quotes, as detected until the person chooses others; no text column where that is unsure."""
    with st.container(horizontal=True):
        encoding = st.selectbox(
            _("Encoding"),
            (DETECTED, *ENCODINGS),
            format_func=lambda name: name or _("as found"),
            filter_mode=None,
            key=f"encoding-{upload.id}",
        )
        columns, quotes = st.container(horizontal=True), st.container()
        is_quoted = _ask_for_quotes(quotes, upload)
        found, names = tsv.read_names(upload.path, Choice(encoding=encoding or None, is_quoted=is_quoted))
        with columns:
            text, identity = _ask_for_columns(upload, names)
    return Choice(text, identity, None, found, is_quoted)


def _ask_for_columns(upload: StoredUpload, names: Sequence[str]) -> tuple[str | None, str]:
    """The text column, None if not chosen, and the id column, empty for none."""
    guessed_text, guessed_id = guess_text(names), guess_id(names) or NO_COLUMN
    text = st.selectbox(
        _("Text column"),
        names,
        index=None if guessed_text is None else names.index(guessed_text),
        placeholder=_("not chosen"),
        filter_mode=None,
        key=f"text-{upload.id}",
    )
    identity = st.selectbox(
        _("Id column"),
        (NO_COLUMN, *names),
        index=(NO_COLUMN, *names).index(guessed_id),
        format_func=lambda column: column or _("none: the text stands for it"),
        filter_mode=None,
        key=f"id-{upload.id}",
    )
    return text, identity


def _ask_for_quotes(place: DeltaGenerator, upload: StoredUpload) -> bool | None:
    choice = place.selectbox(
        _("Quotes"),
        (DETECTED, "quoted", "plain"),
        format_func=lambda name: {"quoted": _("enclose cells"), "plain": _("part of the text")}.get(
            name, _("as found")
        ),
        filter_mode=None,
        key=f"quotes-{upload.id}",
    )
    return {"quoted": True, "plain": False}.get(choice)


def _first_rows(source: Source) -> None:
    rows = [_as_read(entry) for entry in islice(source, ROWS_SHOWN)]
    _table(rows, (_("line"), _("id"), _("text"), _("kept beside it")))


def _as_read(entry: Row | Reject) -> tuple[int, str, str, str]:
    if isinstance(entry, Reject):
        return entry.line, "", _("unreadable: {reason}").format(reason=shown(entry.reason)), ""
    return (
        entry.line,
        entry.id or "",
        entry.text,
        "  ".join(f"{name}: {value}" for name, value in entry.facts.items()),
    )


def _import(account: Account, upload: StoredUpload, choice: Choice) -> None:
    bar = st.progress(0.0)
    with tsv.open_file(upload.path, choice) as source:
        source.path = Path(upload.name)  # shown in the list of imports

        def show(rows: int, read: int) -> None:
            bar.progress(
                min(1.0, read / max(1, source.size)), text=_("{count} rows").format(count=f"{rows:,}")
            )

        try:
            st.session_state["receipt"] = intake.import_rows(project(), account, source, on_progress=show)
        except InputError as error:
            raise _named(error, upload) from error
    st.session_state["imported"] = st.session_state.get("imported", 0) + 1


def _named(error: InputError, upload: StoredUpload) -> InputError:
    """The refusal with the uploaded file name in place of the temporary one."""
    values = error.message.values
    file_name = {"file": upload.name} if "file" in values else {}
    return InputError(error.message.template, **{**values, **file_name})


def _show_receipt() -> None:
    receipt: Receipt | None = st.session_state.get("receipt")
    if receipt is None:
        return
    text = _("{rows} rows: {accepted} new, {duplicates} known already, {rejected} unreadable.")
    counts = {name: f"{getattr(receipt, name):,}" for name in ("rows", "accepted", "duplicates", "rejected")}
    note(text.format(**counts), is_done=True)
    if not receipt.rejects:
        return
    rejects = receipt.rejects[:REJECTS_SHOWN]
    rows = [(row.line, shown(row.reason), row.content) for row in rejects]
    _table(rows, (_("line"), _("reason"), _("content")))
    link = f"/download/imports/{receipt.import_id}/unreadable.tsv"
    html(Markup('<a href="{}" download>{}</a>').format(link, _("Download all unreadable rows")))


def _table(rows: Iterable[tuple[int, *tuple[str, ...]]], columns: Sequence[str]) -> None:
    """Rows of a file, the first cell a line number. Streamlit's grid would write them to a CSV that runs formulas."""
    html(table(((line, *map(_cell, texts)) for line, *texts in rows), columns))


def _cell(text: str) -> Markup:
    """The beginning of a foreign text; invisible characters are marks."""
    return post_html(shortened(text, LONGEST_SHOWN))
