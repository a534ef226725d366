"""The second step: how the files are read, with the first rows under the guessed headings."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from trainer.reading.columns import TEXT_NAMES, Choice, guess_id, guess_label, guess_text, plain
from trainer.reading.encoding import ENCODINGS
from trainer.reading.rejects import Reject
from trainer.reading.rows import Row
from workbench.errors import InputError
from workbench.imports import tsv
from workbench.imports.columns import FIELDS, guess_facts, renamed
from workbench.imports.facts import Meaning
from workbench.labelling.files.mapping import LEFT_OUT
from workbench.labelling.files.spellings import MOST, spellings, unknown
from workbench.web.elements.markup import html
from workbench.web.elements.tables import table
from workbench.web.elements.upload import stored
from workbench.web.elements.visible import post_html, post_text
from workbench.web.elements.widgets import note, quiet, refusal, shortened
from workbench.web.views.posts.importing.files import (
    DETECTED,
    ReadFile,
    alike,
    count_rows,
    named,
    read_file,
)
from workbench.web.views.posts.importing.plan import Plan
from workbench.web.views.posts.importing.result import import_all
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.messages import shown
from workbench.web.wording.words import FACT_WORDS, facts_word, label_word

ROWS_SHOWN = 5
LONGEST_SHOWN = 120
NO_COLUMN = ""
COLUMN = Markup('<div class="quiet">{} <b>{}</b></div>')
SOURCES = {
    "people": N_("Careful labels by people: they train and judge the model"),
    "log": N_("Chosen cases, such as a moderation log: they train only"),
    "none": N_("Not labels: leave the column as it is"),
}
LABEL_SOURCES = ("people", "log")
"""Of a file that holds nothing but labels."""


def columns_step(back: Callable[[], None], go_on: Callable[[], None]) -> None:
    groups = alike([read_file(upload) for upload in stored()])
    plans = [_group(files) for files in groups]
    ready = [plan for plan in plans if plan is not None]
    is_ready = len(ready) == len(plans)
    with st.container(horizontal=True, vertical_alignment="center", key="import-actions"):
        if st.button(_("Back"), key="import-back"):
            back()
        title = _("Import {rows} rows").format(rows=f"{sum(plan.rows for plan in ready):,}")
        if st.button(title if is_ready else _("Import"), type="primary", key="import", disabled=not is_ready):
            import_all(ready)
            go_on()


def _group(files: Sequence[ReadFile]) -> Plan | None:
    """None while something has to be chosen or corrected."""
    first = files[0]
    names = Markup(", ").join(post_html(file.upload.name) for file in files)
    html(Markup("<h2>{}</h2>").format(names))
    if not first.names:
        _ask_how(files, is_open=True)
        if first.problem is not None:
            refusal(first.problem)
        elif first.sheets:
            note(_("Choose the sheet that holds the posts."))
        return None
    plan = None
    try:
        chosen = _ask_for_columns(files)
        if chosen is not None:
            plan = _checked(*chosen)
    except InputError as error:
        refusal(named(error, first.upload))
    _ask_how(files)
    return plan


def _checked(plan: Plan, label: str | None) -> Plan | None:
    plan = replace(plan, rows=sum(count_rows(file, plan.choice_for(file)) for file in plan.files))
    _first_rows(plan)
    return plan if label is None else _ask_for_labels(plan, label, plan.files[0].upload.id)


def _ask_for_columns(files: Sequence[ReadFile]) -> tuple[Plan, str | None] | None:
    """The plan without labels, and the column that may hold some; None while the columns are not clear."""
    names, key = files[0].names, files[0].upload.id
    guessed = guess_facts(names)
    with st.container(horizontal=True, key=f"import-columns-{key}"):
        text = _choose(_("Text"), f"text-{key}", names, guess_text(names))
        identity = _choose_or_none(
            _("Id"), f"id-{key}", names, guess_id(names), _("none: the text stands for it")
        )
        facts: dict[Meaning, str | None] = {
            meaning: _choose_or_none(_(FACT_WORDS[meaning]), f"{meaning}-{key}", names, guessed.get(meaning))
            for meaning in FIELDS
        }
        label = _choose_or_none(_("label"), f"label-{key}", names, guess_label(names))
    is_of_labels = text is None and _may_be_labels(names, identity, label)
    if text is None and not is_of_labels:
        note(_("Choose the column that holds the text."))
        return None
    taken = [*filter(None, (text, identity, *facts.values(), label))]
    if len(set(taken)) < len(taken):
        note(_("One column cannot be two things. Choose another one, or none."))
        return None
    if is_of_labels:
        note(_("Labels of posts that are here. If the file holds posts, choose the column of their text."))
        return Plan(files, Choice(None, identity, None, is_text_needed=False)), label
    choice = Choice(text, identity or "", None, renamed=renamed(names, facts))
    return Plan(files, choice), label


def _may_be_labels(names: Sequence[str], identity: str | None, label: str | None) -> bool:
    """Ids and labels, and no column that is usually a text."""
    return bool(identity and label) and not any(plain(name) in TEXT_NAMES for name in names)


def _ask_for_labels(plan: Plan, label: str, key: str) -> Plan | None:
    # The name comes from the file: in the title of a field it would be Markdown.
    html(COLUMN.format(_("Column"), post_html(label)))
    source = st.radio(
        _("What are its values?"),
        tuple(SOURCES) if plan.has_posts else LABEL_SOURCES,
        index=None,
        format_func=lambda name: _(SOURCES[name]),
        key=f"source-{key}",
    )
    if source is None:
        return None
    if source == "none":
        return plan
    found = set().union(*(spellings(file.upload.path, plan.choice_for(file), label) for file in plan.files))
    if len(found) > MOST:
        note(
            _("Column {name} holds more than {most} different values: it is no column of labels.").format(
                name=post_text(label), most=MOST
            )
        )
        return None
    mapping = _ask_for_spellings(sorted(unknown(found)), key)
    if mapping is None:
        return None
    return replace(plan, choice=replace(plan.choice, label_column=label), source=source, mapping=mapping)


def _ask_for_spellings(names: Sequence[str], key: str) -> dict[str, str] | None:
    """The label that each name stands for; None until all are chosen."""
    if not names:
        return {}
    options = (*LABELS, LEFT_OUT)
    mapping: dict[str, str | None] = {}
    with st.container(horizontal=True):
        for number, name in enumerate(names, start=1):
            with st.container(width=180):
                html(COLUMN.format(_("Value"), post_html(shortened(name))))
                mapping[name] = st.selectbox(
                    _("What value {number} means").format(number=number),
                    options,
                    label_visibility="collapsed",
                    index=None,
                    format_func=lambda option: _("leave out") if option == LEFT_OUT else label_word(option),
                    placeholder=_("not chosen"),
                    filter_mode=None,
                    key=f"means-{name}-{key}",
                )
    chosen = {name: label for name, label in mapping.items() if label is not None}
    return chosen if len(chosen) == len(names) else None


def _choose(title: str, key: str, names: Sequence[str], guessed: str | None) -> str | None:
    chosen: str | None = st.selectbox(
        title,
        names,
        index=None if guessed is None else names.index(guessed),
        format_func=post_text,
        placeholder=_("not chosen"),
        filter_mode=None,
        key=key,
    )
    return chosen


def _choose_or_none(
    title: str, key: str, names: Sequence[str], guessed: str | None, none: str = ""
) -> str | None:
    options = (NO_COLUMN, *names)
    chosen = st.selectbox(
        title,
        options,
        index=options.index(guessed or NO_COLUMN),
        format_func=lambda name: post_text(name) or none or "–",
        filter_mode=None,
        key=key,
    )
    return chosen or None


def _first_rows(plan: Plan) -> None:
    first = plan.files[0]
    choice = plan.choice_for(first)
    with tsv.open_file(first.upload.path, choice) as source:
        entries = list(islice(source, ROWS_SHOWN))
    facts = list(dict.fromkeys(name for entry in entries if isinstance(entry, Row) for name in entry.facts))
    headings = [
        _("line"),
        _heading(_("id"), choice.id_column or ""),
        *([_heading(_("text"), choice.text_column or "")] if plan.has_posts else []),
    ]
    cells = (_cells(entry, facts, has_text=plan.has_posts) for entry in entries)
    html(table(cells, [*headings, *map(_fact_heading, facts)]))
    if not choice.id_column:
        quiet(_("No id column: the text stands for it."))


def _heading(word: str, column: str) -> str:
    """The meaning of a column, with its name in the file."""
    name = Markup("<small>{}</small>").format(post_html(column)) if column != word else ""
    return Markup(" ").join(filter(None, (word, name)))


def _fact_heading(column: str) -> str:
    return _heading(facts_word(column) or "", column)


def _cells(entry: Row | Reject, facts: Sequence[str], *, has_text: bool) -> list[str | int]:
    if isinstance(entry, Reject):
        reason = _("unreadable: {reason}").format(reason=shown(entry.reason))
        return [entry.line, *(["", reason] if has_text else [reason]), *("" for _one in facts)]
    texts = [entry.text] if has_text else []
    return [
        entry.line,
        *map(_cell, (entry.id or "", *texts, *(entry.facts.get(name, "") for name in facts))),
    ]


def _cell(text: str) -> Markup:
    """The beginning of a foreign text; invisible characters are marks."""
    return post_html(shortened(text, LONGEST_SHOWN))


def _ask_how(files: Sequence[ReadFile], *, is_open: bool = False) -> None:
    """Encoding, quotes and sheet, as detected until the person chooses others."""
    encodings = ", ".join(dict.fromkeys(filter(None, (file.choice.encoding for file in files))))
    title = _("Read as {encoding}.").format(encoding=encodings) if encodings else _("How it is read")
    with st.expander(title, expanded=is_open, key=f"how-{files[0].upload.id}"):
        for file in files:
            with st.container(horizontal=True):
                _ask_how_one(file)


def _ask_how_one(file: ReadFile) -> None:
    key = file.upload.id
    if len(file.sheets) > 1:
        st.selectbox(
            _("Sheet"),
            file.sheets,
            index=None,
            format_func=post_text,
            placeholder=_("not chosen"),
            filter_mode=None,
            key=f"sheet-{key}",
        )
        return
    if file.sheets:
        quiet(_("The only sheet that holds something: {name}").format(name=post_text(file.sheets[0])))
        return
    st.selectbox(
        _("Encoding"),
        (DETECTED, *ENCODINGS),
        format_func=lambda name: name or _("as found"),
        filter_mode=None,
        key=f"encoding-{key}",
    )
    st.selectbox(
        _("Quotes"),
        (DETECTED, "quoted", "plain"),
        format_func=lambda name: {"quoted": _("enclose cells"), "plain": _("part of the text")}.get(
            name, _("as found")
        ),
        filter_mode=None,
        key=f"quotes-{key}",
    )
