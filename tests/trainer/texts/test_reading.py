import gzip

import pytest

from trainer.errors import DatasetError
from trainer.running import command
from trainer.texts.dataset import LABELLED, read_jsonl
from trainer.texts.reading import choice_of, read_labelled, read_texts


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


def test_an_empty_table_is_refused_and_an_empty_file_of_objects_holds_nothing(tmp_path):
    with pytest.raises(DatasetError, match="is empty"):
        list(read_texts(write(tmp_path / "empty.tsv", "\n")))
    assert list(read_texts(write(tmp_path / "empty.jsonl", "\n"))) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id\tstory\n1\tx\n", "has no column text; its columns are: id, story"),
        ("text\ttext\nx\ty\n", "two columns called text"),
        ("id\ttext\n1\tx\ty\n", "line 2 cannot be used: expected 2 columns, found 3"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(tmp_path, content, message):
    with pytest.raises(DatasetError, match=message):
        list(read_texts(write(tmp_path / "pool.tsv", content)))


def test_each_row_of_a_table_has_an_answer_and_other_faults_are_named(tmp_path):
    path = write(tmp_path / "pool.tsv", "id\ttext\na\tone\nb\t \n")
    assert list(read_texts(path)) == [("a", "one"), ("b", "")]
    with pytest.raises(DatasetError, match="line 3 cannot be used: expected 2 columns, found 1"):
        list(read_texts(write(path, "id\ttext\na\tone\nb\n")))


def test_each_object_has_an_answer_and_other_faults_are_named(tmp_path):
    path = write(tmp_path / "pool.jsonl", '{"id": "a", "text": "one"}\n{"text": null}\n{"text": "NULL"}\n')
    assert list(read_texts(path)) == [("a", "one"), ("2", ""), ("3", "")]
    for value, problem in (("5", "a number, a list"), (f'"{"x" * 100_001}"', "text of 100001 characters")):
        with pytest.raises(DatasetError, match=f"line 1 cannot be used: .*{problem}"):
            list(read_texts(write(path, f'{{"text": {value}}}\n')))


def test_a_table_for_the_trainer_needs_no_ids(tmp_path):
    path = write(tmp_path / "pool.tsv", "id\ttext\tlabel\n\tone\tnormal\nb\ttwo\tnormal\n")
    assert list(read_texts(path)) == [("2", "one"), ("b", "two")]
    assert [example.id for example in read_jsonl(path)] == ["2", "b"]


@pytest.mark.parametrize("name", ["test.csv", "test.CSV.gz"])
def test_labelled_rows_of_a_table_are_examples(tmp_path, name):
    content = '编号,正文,标签\n7,"他说""好""\n就走了",normal\n'.encode("gb18030")
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert list(read_labelled(path)) == [("7", '他说"好"\n就走了', "normal")]
    (example,) = read_jsonl(path)
    assert (example.id, example.text, example.label) == ("7", '他说"好"\n就走了', "normal")


def test_objects_with_other_usual_names_are_examples(tmp_path):
    path = write(tmp_path / "test.json", '[{"content": "one", "Label": "normal", "pid": 3}]')
    (example,) = read_jsonl(path)
    assert (example.id, example.text, example.label) == ("3", "one", "normal")


def test_the_options_of_a_command_name_the_columns(tmp_path):
    parser = command.parser("trainer.test", "")
    command.add_reading_arguments(parser)
    options = ["--text-column=a", "--id-column=b", "--label-column=c"]
    choice = choice_of(parser.parse_args(options), LABELLED)
    path = write(tmp_path / "test.tsv", "a\tb\tc\ttext\tid\tlabel\none\t7\tnormal\tx\ty\tz\n")
    assert list(read_labelled(path, choice)) == [("7", "one", "normal")]
