"""The initial weights of an encoder."""

import pytest
import torch

from trainer.pretrain.config import PretrainConfig
from trainer.pretrain.model import begin_from_counts, build, position_width


@pytest.fixture
def model():
    config = PretrainConfig(layers=3)
    made = build(config, 500, torch.device("cpu"))
    vectors = torch.randn(500, 256 - position_width(config), generator=torch.manual_seed(0)) * 0.04
    begin_from_counts(made, vectors, torch.full((500,), 1 / 500))
    return made


def test_heads_of_the_first_layers_look_at_their_neighbours(model):
    ids = torch.randint(5, 500, (4, 100), generator=torch.manual_seed(0))
    attentions = model.bert(input_ids=ids, output_attentions=True).attentions
    for layer, steps in enumerate([(-1, 1, -2, 2), (-1, 1)]):
        for head, step in enumerate(steps):
            looked = attentions[layer][:, head].mean(0)
            assert torch.diagonal(looked, step).mean() > 0.3
    assert attentions[2].max() < 0.1


def test_the_pooler_passes_the_first_vector_on(model):
    found = model.bert(input_ids=torch.tensor([[2, 7, 8, 3]]))
    assert torch.allclose(found.pooler_output, found.last_hidden_state[:, 0].tanh(), atol=1e-5)


def test_rare_tokens_count_most_in_the_gist():
    config = PretrainConfig(layers=1)
    made = build(config, 6, torch.device("cpu"))
    shares = torch.tensor([0, 0, 0, 0, 0.999, 0.001])
    begin_from_counts(made, torch.zeros(6, 256 - position_width(config)), shares)
    assert made.content[5] == pytest.approx(0.5)
    assert made.content[4] < 0.01
