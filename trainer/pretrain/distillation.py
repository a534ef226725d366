"""The objective of distillation: a text's vector stands where the teacher's vector stands.

Two vectors of a text are trained: the mean over its tokens, which frozen uses of the encoder read, and the pooled
[CLS], from which a classifier starts. Each goes through a linear map of its own to the teacher's vector (cosine
distance), and likenesses within the batch are those of the teacher, measured on the mean vectors themselves (Park et
al., Relational Knowledge Distillation, 2019). Masked words go on beside it, or the encoder forgets what single words
are for.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertModel, PreTrainedModel

from trainer.pretrain.config import CLS, PAD, SEP, DistilConfig
from trainer.pretrain.model import Pretraining


class Distilling(nn.Module):
    """An encoder with the heads of masked training and the two maps to the teacher's vectors."""

    def __init__(self, bert: BertModel, size: int, config: DistilConfig) -> None:
        super().__init__()
        width = bert.config.hidden_size
        self.words = Pretraining(bert, config.summary_weight)
        self.from_mean = nn.Linear(width, size)
        self.from_summary = nn.Linear(width, size)
        self.config = config

    @property
    def bert(self) -> PreTrainedModel:
        return self.words.bert

    def forward(
        self, ids: Tensor, places: Tensor, masked: Tensor, taught: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The training loss; then the masked loss (nats) and the cosine distance of the mean vectors, all scalars."""
        states = self.bert(input_ids=masked, attention_mask=(ids != PAD).long())
        loss_of_words, masked_loss, _ = self.words.losses(
            states.last_hidden_state, states.pooler_output, ids, places
        )
        means = mean_vectors(states.last_hidden_state, ids).float()
        distance = cosine_distance(self.from_mean(means), taught)
        from_summary = cosine_distance(self.from_summary(states.pooler_output).float(), taught)
        likeness = functional.mse_loss(likenesses(means), likenesses(taught))
        loss = distance + from_summary + self.config.likeness_weight * likeness
        return loss + self.config.masked_weight * loss_of_words, masked_loss, distance


def mean_vectors(states: Tensor, ids: Tensor) -> Tensor:
    """(rows, width) means of (rows, length, width) over the tokens of `ids` that are not special."""
    inner = ((ids != PAD) & (ids != CLS) & (ids != SEP)).to(states.dtype)[:, :, None]
    return (states * inner).sum(1) / inner.sum(1).clamp(min=1)


def cosine_distance(found: Tensor, wanted: Tensor) -> Tensor:
    return 1 - functional.cosine_similarity(found.float(), wanted, dim=1).mean()


def likenesses(vectors: Tensor) -> Tensor:
    """(rows, rows) cosines."""
    units = functional.normalize(vectors, dim=1)
    return units @ units.T


@torch.no_grad()
def begin_heads(model: Distilling) -> None:
    """The prediction head of masked words starts as identity, since an encoder is saved without its own."""
    model.words.dense.weight.copy_(torch.eye(len(model.words.dense.weight)))
    model.words.dense.bias.zero_()
