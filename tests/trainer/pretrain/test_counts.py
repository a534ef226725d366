"""Token vectors from counting alone."""

import numpy as np
import torch

from tests.trainer.pretrain.test_corpus import corpus_of
from trainer.pretrain.corpus import Corpus
from trainer.pretrain.counts import count_pairs, count_vectors, inform

CPU = torch.device("cpu")


def test_pairs_are_counted_both_ways_and_within_a_segment_only():
    counts = count_pairs(corpus_of([5, 6, 5], [6, 6]))[5:7, 5:7]
    assert counts.tolist() == [[2, 2], [2, 2]]  # 5-6, 6-5 and 5..5, then 6-6; nothing across


def test_held_out_text_is_not_counted():
    whole = corpus_of([5, 6], [7, 8])
    held = Corpus(whole.ids, whole.starts, whole.ends, whole.files, np.array([False, True]), whole.size)
    counts = count_pairs(held)
    assert counts[5, 6] == counts[6, 5] == 1
    assert counts.sum() == 2


def test_information_is_never_below_zero_and_zero_for_special_tokens():
    counts = np.random.default_rng(0).poisson(2, (30, 30)).astype(np.float32)
    information = inform(counts + counts.T)
    assert information.min() == 0
    assert information.max() > 0
    assert information[:5].sum() == information[:, :5].sum() == 0


def test_tokens_with_like_neighbours_get_like_vectors():
    counts = np.random.default_rng(0).poisson(3, (40, 40)).astype(np.float32)
    counts[11] = counts[10] + 1
    vectors = torch.nn.functional.normalize(count_vectors(counts, 8, seed=0, device=CPU))
    others = torch.cat([vectors[5:10], vectors[12:]])
    assert vectors[10] @ vectors[11] > (vectors[10] @ others.T).max()


def test_tokens_never_seen_get_random_vectors():
    vectors = count_vectors(np.zeros((9, 9), dtype=np.float32), 4, seed=0, device=CPU)
    assert vectors.shape == (9, 4)
    assert vectors.std() > 0
