"""The labels of a column, before it is known what they mean."""

from pathlib import Path

from tests.trainer.reading.workbooks.making import write_workbook
from tests.workbench.making import write_tsv
from trainer.reading.columns import Choice
from workbench.labelling.files.spellings import MOST, spellings, unknown


def test_labels_are_counted_as_they_are_written(tmp_path: Path) -> None:
    rows = [("text", "结果"), ("一", "删除"), ("二", "违规"), ("三", None), ("四", "删除")]
    file = write_workbook(tmp_path / "a.xlsx", rows)
    found = spellings(file, Choice(text_column="text"), "结果")
    assert found == {"删除": 2, "违规": 1}
    assert unknown(found) == ["删除"]


def test_a_column_of_other_values_is_not_kept_in_memory(tmp_path: Path) -> None:
    file = write_tsv(tmp_path / "a.tsv", [{"text": f"{n}", "label": f"value {n}"} for n in range(100)])
    assert len(spellings(file, Choice(), "label")) == MOST + 1
