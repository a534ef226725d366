import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trainer.fitting.adapter_trainer import (
    Collator,
    _without_autocast,
    classification_loss,
    release,
    share_of_rate,
)
from trainer.fitting.processes import Processes

CPU = torch.device("cpu")


def rows_of(*lengths):
    return [
        {"input_ids": list(range(1, length + 1)), "length": length, "targets": [float(length), 0.0, 0.0]}
        for length in lengths
    ]


def test_a_batch_is_padded_to_its_longest_row_and_masked():
    batch = Collator(0, Processes(CPU))(rows_of(1, 3))
    assert batch["input_ids"].tolist() == [[1, 0, 0], [1, 2, 3]]
    assert batch["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]


def test_a_batch_without_padding_has_no_mask():
    assert Collator(0, Processes(CPU))(rows_of(2, 2)).keys() == {"input_ids", "targets"}


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(1, 4))
def test_shares_of_several_processes_are_the_whole_batch(lengths, count):
    """Also where a process is left without a row: losses add up to the mean of the batch."""
    rows = rows_of(*lengths)
    shares = [Collator(0, Processes(CPU, index, count))(rows)["targets"] for index in range(count)]
    assert sorted(torch.cat(shares)[:, 0].tolist()) == pytest.approx([n / len(rows) for n in sorted(lengths)])


def test_the_rate_climbs_to_its_peak_and_falls_to_zero():
    shares = [share_of_rate(step, 20, 0.2) for step in range(21)]
    assert shares[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert shares[4:] == pytest.approx(np.linspace(1, 0, 17))
    assert share_of_rate(0, 1, 0.0) == 1


def test_focal_loss_is_cross_entropy_at_gamma_0_and_forgives_what_is_known():
    scores, targets = torch.tensor([[4.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), torch.eye(3)[:2]
    by_row = nn.functional.cross_entropy(scores, targets, reduction="none")
    assert classification_loss(scores, targets, 0.0).item() == pytest.approx(by_row.sum().item())
    focal = by_row * torch.tensor([(1 - scores[0].softmax(0)[0]) ** 2, (2 / 3) ** 2])
    assert classification_loss(scores, targets, 2.0).item() == pytest.approx(focal.sum().item())


def test_validation_and_scoring_leave_the_autocast_of_training_aside():
    model = nn.Identity()
    model.forward = model._original_forward = lambda x: x + 1
    with _without_autocast(model):
        assert model(1) == 1
    assert model(1) == 2
    release(model)
    assert model(1) == 1
    assert "_original_forward" not in vars(model)
