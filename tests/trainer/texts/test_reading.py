import pytest

from trainer.errors import DatasetError
from trainer.texts.reading import read_texts


def write(path, content):
    path.write_bytes(content.encode())
    return path


def test_tsv_takes_quotes_as_plain_characters(tmp_path):
    path = write(tmp_path / "pool.tsv", 'id\ttext\tboard\np1\t"open\tmain\np2\tb"c\tmain\n')
    assert list(read_texts(path)) == [("p1", '"open'), ("p2", 'b"c')]


def test_tsv_without_ids_counts_lines(tmp_path):
    path = write(tmp_path / "pool.tsv", "\ufefftext\r\none\r\n\r\nthree\r\n")
    assert list(read_texts(path)) == [("2", "one"), ("4", "three")]


def test_jsonl_needs_no_labels(tmp_path):
    path = write(tmp_path / "pool.jsonl", '{"text": "a\u2028b"}\n{"id": 7, "text": "c"}\n')
    assert list(read_texts(path)) == [("1", "a\u2028b"), ("7", "c")]


def test_plain_lines_are_texts(tmp_path):
    path = write(tmp_path / "posts.txt", "one\n\na\u2028b\n")
    assert list(read_texts(path)) == [("1", "one"), ("3", "a\u2028b")]


def test_an_empty_file_holds_nothing(tmp_path):
    assert list(read_texts(write(tmp_path / "empty.tsv", "\n"))) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\tbody\n1\tx\n", "expected one `text` column, found id, body"),
        ("text\ttext\nx\ty\n", "expected one `text` column"),
        ("id\ttext\n1\tx\ty\n", "line 2: expected 2 columns, found 3"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(tmp_path, content, message):
    with pytest.raises(DatasetError, match=message):
        list(read_texts(write(tmp_path / "pool.tsv", content)))
