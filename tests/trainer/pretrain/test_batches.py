"""The order of segments, and the tokens to predict."""

from itertools import islice

import numpy as np
import pytest
import torch

from tests.trainer.pretrain.test_corpus import corpus_of
from trainer.errors import DatasetError
from trainer.pretrain.batches import draw_pool, group_by_length, make_batch, mix_files, walk_batches
from trainer.pretrain.config import CLS, MASK, PAD, SEP, PretrainConfig
from trainer.pretrain.corpus import Corpus


@pytest.fixture
def three_files() -> Corpus:
    """Three files of 1,000 segments of 10 tokens, the first of them held out by a tenth."""
    starts = np.arange(3000) * 10
    held_out = np.arange(3000) < 100
    ids = np.full(30_000, 7, dtype=np.uint16)
    return Corpus(ids, starts, starts + 10, np.arange(3000) // 1000, held_out, 10)


def test_no_file_passes_the_cap_while_others_can_take_the_rest(three_files):
    assert mix_files(three_files, [8, 1, 1], 0.5) == pytest.approx([0.5, 0.25, 0.25])


def test_shares_follow_the_weights_below_the_cap(three_files):
    assert mix_files(three_files, [1, 2, 1], 0.9) == pytest.approx([0.25, 0.5, 0.25])


def test_a_cap_that_cannot_be_kept_means_equal_shares(three_files):
    assert mix_files(three_files, [8, 1, 1], 0.1) == pytest.approx([1 / 3] * 3)


def test_no_weight_above_zero_is_refused(three_files):
    with pytest.raises(DatasetError, match="too small"):
        mix_files(three_files, [0, 0, 0], 0.5)


def test_pools_follow_the_shares_and_never_hold_held_out_text(three_files):
    pool = draw_pool(three_files, np.array([0.5, 0.25, 0.25]), 400, 3, seed=0)
    assert np.bincount(three_files.files[pool]).tolist() == [200, 100, 100]
    assert not three_files.held_out[pool].any()


def test_every_segment_is_seen_once_before_any_is_seen_twice(three_files):
    shares = np.array([0.0, 1.0, 0.0])
    drawn = np.concatenate([draw_pool(three_files, shares, 250, n, seed=0) for n in range(4)])
    assert sorted(drawn) == list(range(1000, 2000))


def test_batches_hold_every_segment_and_no_more_tokens_than_asked():
    lengths = np.array([5, 30, 7, 7, 100, 3, 12])
    batches = group_by_length(lengths, 64)
    assert sorted(np.concatenate(batches)) == list(range(7))
    assert all(len(b) == 1 or len(b) * (lengths[b].max() + 2) <= 64 for b in batches)


def test_rows_hold_the_segments_between_special_tokens():
    corpus = corpus_of([7, 8, 9], [10])
    batch = make_batch(corpus, np.array([1, 0]), PretrainConfig().mask_rate, np.random.default_rng(0))
    assert batch.ids.tolist() == [[CLS, 10, SEP, PAD, PAD], [CLS, 7, 8, 9, SEP]]


def test_a_share_of_the_tokens_is_asked_for_and_most_of_those_are_hidden():
    corpus = corpus_of(*[[7, 8, 9, 10, 11, 12]] * 500)
    config = PretrainConfig(mask_rate=0.3)
    batch = make_batch(corpus, np.arange(500), config.mask_rate, np.random.default_rng(0))
    assert len(batch.places) / 3000 == pytest.approx(0.3, abs=0.03)
    assert not torch.isin(batch.answers, torch.tensor([CLS, SEP, PAD])).any()
    hidden = batch.masked.flatten()[batch.places]
    assert (hidden == MASK).float().mean() == pytest.approx(0.8, abs=0.05)
    untouched = torch.ones(batch.ids.numel(), dtype=torch.bool)
    untouched[batch.places] = False
    assert torch.equal(batch.masked.flatten()[untouched], batch.ids.flatten()[untouched])


def test_a_batch_always_asks_something():
    batch = make_batch(corpus_of([7]), np.array([0]), 0.0, np.random.default_rng(0))
    assert batch.answers.tolist() == [7]


def test_several_processes_share_the_same_batches_out_among_themselves(three_files):
    config = PretrainConfig(corpus={"a": 1.0, "b": 1.0, "c": 1.0}, batch_tokens=100, pool=50)

    def walk(first: int, stride: int, count: int) -> list[list[list[int]]]:
        return [
            batch.masked.tolist() for batch in islice(walk_batches(three_files, config, first, stride), count)
        ]

    alone = walk(0, 1, 12)
    assert walk(0, 2, 6) == alone[0::2]
    assert walk(1, 2, 6) == alone[1::2]
    assert walk(5, 1, 7) == alone[5:]
