"""Lines with a teacher's vectors, on disk and in batches."""

from itertools import islice

import numpy as np
import pytest
import torch

from tests.trainer.pretrain.conftest import make_lines
from trainer.errors import DatasetError
from trainer.pretrain.config import CLS, MASK, PAD, SEP, DistilConfig, PretrainConfig
from trainer.pretrain.run import prepare_text
from trainer.pretrain.taught import load_taught, make_taught_batch, read_taught, save_taught, walk_taught


@pytest.fixture
def taught(corpus, tmp_path):
    lines = make_lines(120, seed=1)
    vectors = np.arange(240, dtype=np.float16).reshape(120, 2)
    save_taught(lines, vectors, tmp_path / "taught.safetensors", {})
    tokenizer = prepare_text(PretrainConfig(corpus={str(corpus): 1.0}), lambda _: None).tokenizer
    return load_taught(tmp_path / "taught.safetensors", tokenizer, 12)


def test_lines_and_vectors_come_back_as_they_were(tmp_path):
    lines, vectors = ["你好", "a\tb", "😂"], np.eye(3, dtype=np.float16)
    save_taught(lines, vectors, tmp_path / "t.safetensors", {"teacher": "t"})
    found, found_vectors = read_taught(tmp_path / "t.safetensors")
    assert found == lines
    assert np.array_equal(found_vectors, vectors)


def test_every_line_is_one_segment_cut_at_the_length(taught):
    assert len(taught.corpus.starts) == 120
    assert taught.corpus.lengths.max() == 10


def test_rows_keep_their_vectors_and_every_second_row_is_read_whole(taught):
    config = DistilConfig(batch_tokens=200, pool=64)
    for batch in islice(walk_taught(taught, config, 0), 20):
        for row, ids in enumerate(batch.ids):
            number = int(batch.vectors[row, 0]) // 2
            start, end = taught.corpus.starts[number], taught.corpus.ends[number]
            assert [i for i in ids.tolist() if i not in (CLS, SEP, PAD)] == taught.corpus.ids[
                start:end
            ].tolist()
        assert torch.equal(batch.masked[1::2], batch.ids[1::2])
        assert set((batch.places // batch.ids.shape[1] % 2).tolist()) == {0}


def test_a_batch_always_asks_something(taught):
    config, random = DistilConfig(mask_rate=0.0), np.random.default_rng(0)
    batch = make_taught_batch(taught, np.arange(3), config, random)
    assert batch.places.tolist() == [1]
    assert batch.masked[0, 1] == MASK


def test_a_resumed_walk_goes_on_with_the_same_batches(taught):
    config = DistilConfig(batch_tokens=200, pool=64)
    whole = [batch.masked.tolist() for batch in islice(walk_taught(taught, config, 0), 12)]
    assert [batch.masked.tolist() for batch in islice(walk_taught(taught, config, 5), 7)] == whole[5:]


def test_held_out_lines_are_not_walked(taught):
    taught.corpus.held_out[:100] = True
    batches = islice(walk_taught(taught, DistilConfig(batch_tokens=200, pool=64), 0), 10)
    assert {int(number) // 2 for batch in batches for number in batch.vectors[:, 0]} == set(range(100, 120))


def test_vectors_of_another_number_of_lines_are_refused(tmp_path):
    save_taught(["a", "b"], np.zeros((3, 2), dtype=np.float16), tmp_path / "t.safetensors", {})
    with pytest.raises(DatasetError, match="2 lines, but vectors of 3"):
        read_taught(tmp_path / "t.safetensors")


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "t.safetensors").write_bytes(b"no")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_taught(tmp_path / "t.safetensors")
