import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainer.fitting.length_batches import LengthGroupedBatches


def drawn(lengths, batch_size, seed):
    batches = LengthGroupedBatches(lengths, batch_size)
    batches.draw(np.random.default_rng(seed))
    return batches


@given(st.lists(st.integers(1, 300), min_size=1, max_size=200), st.integers(1, 40), st.integers(0, 2**32))
def test_an_epoch_visits_every_row_once(lengths, batch_size, seed):
    batches = drawn(lengths, batch_size, seed)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert max(map(len, batches)) <= batch_size
    assert len(list(batches)) == len(batches)


def test_batches_hardly_pad_and_follow_their_generator(rng):
    lengths = rng.integers(3, 128, size=800).tolist()
    batches = drawn(lengths, 16, 1).batches
    padded = sum(max(lengths[row] for row in batch) * len(batch) for batch in batches)
    assert padded < 1.05 * sum(lengths)
    assert batches == drawn(lengths, 16, 1).batches
    assert batches != drawn(lengths, 16, 2).batches
