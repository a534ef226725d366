"""Import files in three steps: files, columns, result."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from trainer.reading.formats import SUFFIXES
from workbench.errors import InputError
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.upload import Upload, refuse_unfit, store_all
from workbench.web.elements.widgets import quiet, refusal
from workbench.web.views.posts.importing.columns import columns_step
from workbench.web.views.posts.importing.result import result_step
from workbench.web.wording.i18n import N_, _

STEP = "import-step"
STEPS = {"files": N_("Files"), "columns": N_("Columns"), "result": N_("Result")}
KINDS = tuple(suffix.removeprefix(".") for suffix in SUFFIXES)
MOST_MB = 200
"""No more than `server.maxUploadSize`: an upload is in memory."""


def import_button() -> None:
    if st.button(_("Import posts"), key="import-open", type="primary", width="content"):
        st.session_state[STEP] = "files"


def import_dialog() -> None:
    """Drawn by every run while it is open."""
    if STEP in st.session_state:
        st.dialog(_("Import posts"), width="large", on_dismiss=close)(_step)()


def close() -> None:
    """Forgets the files, and empties the field of the uploads by another key."""
    for key in (STEP, "import-results", "read-files"):
        st.session_state.pop(key, None)
    store_all([])
    st.session_state["imports-made"] = st.session_state.get("imports-made", 0) + 1


def _step() -> None:
    step = st.session_state.get(STEP, "files")
    with st.container(key="import-dialog"):
        html(_stepper(step))
        if step == "files":
            _files_step()
        elif step == "columns":
            columns_step(lambda: _go("files"), lambda: _go("result"))
        else:
            result_step(_again, _done)


def _stepper(now: str) -> Markup:
    step = Markup("<li{}><b>{}</b> {}</li>")
    current = Markup(' aria-current="step"')
    parts = (
        step.format(current if name == now else NOTHING, number, _(word))
        for number, (name, word) in enumerate(STEPS.items(), start=1)
    )
    return Markup('<ol class="steps">{}</ol>').format(NOTHING.join(parts))


def _files_step() -> None:
    _translate_uploader()
    # Without `type`, so that a file of another kind is refused here, in the reader's language.
    uploads = st.file_uploader(
        _("Tables with a header row, or JSON"),
        accept_multiple_files=True,
        key=f"upload-{st.session_state.get('imports-made', 0)}",
        max_upload_size=MOST_MB,
    )
    quiet(
        _("XLSX, CSV, TSV, JSON and JSONL; several files at once, each up to {most} MB.").format(most=MOST_MB)
    )
    problems = list(filter(None, map(_problem, uploads)))
    for problem in problems:
        refusal(problem)
    is_ready = bool(uploads) and not problems
    if is_ready:
        store_all(uploads)
    if st.button(_("Next"), type="primary", key="import-next", disabled=not is_ready):
        _go("columns")


def _problem(upload: Upload) -> InputError | None:
    try:
        refuse_unfit(upload, KINDS)
    except InputError as error:
        return error
    return None


def _go(step: str) -> None:
    st.session_state[STEP] = step
    st.rerun(scope="app")


def _again() -> None:
    close()
    _go("files")


def _done() -> None:
    close()
    st.rerun(scope="app")


def _translate_uploader() -> None:
    """Streamlit writes its button and its refusals in English; posts.css shows these texts instead."""
    failed = _(
        "The upload failed: the file is larger than {most} MB, or the connection broke. A large file is imported by command: workbench import FILE"
    )
    texts: Sequence[str] = (_("Choose files"), failed.format(most=MOST_MB))
    html(Markup('<style>.stFileUploader {{ --upload: "{}"; --failed: "{}"; }}</style>').format(*texts))
