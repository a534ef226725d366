"""Headings of files for people, and files with Chinese headings that come back."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from db.tables import Annotation, Post
from tests.workbench.making import different_texts, import_texts, write_tsv
from trainer.reading.columns import guess_id, guess_label, guess_text
from workbench.accounts import Account, command_line
from workbench.auditing import export as audit_export
from workbench.cli import load
from workbench.exports import labelled_posts
from workbench.exports.labelled_posts import export_labels
from workbench.imports.preparing import prepare
from workbench.labelling import timesheet
from workbench.labelling.files.formats.own_export import OUR_HEADINGS, source_column
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.project import Project, init_project
from workbench.web.wording.headings import HEADING_WORDS, headings_in

FILES: dict[str, Sequence[str]] = {
    "labels": labelled_posts.COLUMNS,
    "timesheet": timesheet.COLUMNS,
    "audit": audit_export.COLUMNS,
    "unreadable": ("line", "reason", "content"),
    "posts": ("id", "text", "board", "label"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_column_has_a_chinese_heading_of_its_own(name: str) -> None:
    columns = FILES[name]
    headings = headings_in(columns, "zh")
    assert len(set(headings)) == len(columns)
    assert all(any("\u4e00" <= character <= "\u9fff" for character in heading) for heading in headings)
    assert headings_in(columns, "en") == tuple(columns)


def test_no_heading_is_unused() -> None:
    assert set(HEADING_WORDS) == {column for columns in FILES.values() for column in columns}


def test_the_guess_of_the_columns_knows_the_headings() -> None:
    headings = headings_in(labelled_posts.COLUMNS, "zh")
    assert (guess_text(headings), guess_id(headings), guess_label(headings)) == ("正文", "编号", "标签")
    assert tuple(headings_in([*OUR_HEADINGS[0]], language) for language in ("en", "zh")) == OUR_HEADINGS
    assert source_column(headings) == "来源"
    assert source_column(["来源", "正文", "标签"]) is None


def answers(project: Project) -> list[tuple[str, str | None, str | None]]:
    with project.database.read() as session:
        query = (
            select(Post.external_id, Annotation.label, Annotation.source)
            .join(Annotation, Annotation.post_id == Post.id)
            .order_by(Post.external_id)
        )
        return [(row.external_id, row.label, row.source) for row in session.execute(query)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_export_comes_back_with_labels_and_their_sources(
    project: Project, lead: Account, tmp_path: Path, language: str
) -> None:
    texts = different_texts(40)
    import_texts(project, lead, texts)
    prepare(project)
    rows = [
        {"id": f"p{number}", "text": text, "label": "违规" if number % 3 else "正常"}
        for number, text in enumerate(texts, start=1)
    ]
    careful, log = write_tsv(tmp_path / "a.tsv", rows[:30]), write_tsv(tmp_path / "b.tsv", rows[30:])
    import_labels(project, lead, careful, mapping=parse_map(None))
    import_labels(project, lead, log, mapping=parse_map(None), source="modlog")
    headings = headings_in(labelled_posts.COLUMNS, language)
    out = export_labels(project, lead, tmp_path / "out", form="csv", has_audit=True, headings=headings).folder
    other = init_project(tmp_path / "other")
    receipt = import_labels(other, command_line(other), out / "labels.csv", mapping=parse_map(None))
    assert receipt.labelled == receipt.new_posts == len(answers(other)) > 30
    assert set(answers(other)) <= set(answers(project))
    assert {source for *_, source in answers(other)} == {None, "modlog"}
    other.database.dispose()


@pytest.mark.parametrize("command", ["export", "timesheet"])
def test_a_flag_names_the_language(command: str) -> None:
    (option,) = (one for one in load(command).params if "--headings" in one.opts)
    assert option.default == "en"
