"""The encoder, its initial weights and its training objective.

Masked tokens are predicted twice: from their own place, and with a small weight from the pooled [CLS] vector,
which has to predict them from the whole text, rare tokens most of all. Only the second objective trains [CLS]
and the pooler, from which a classifier starts. Replaced-token detection was worse: `docs/starter.md`.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from trainer.files import new_folder
from trainer.pretrain.config import PAD, SPECIAL, PretrainConfig
from trainer.pretrain.counts import SPREAD

DROPOUT_OF_THE_SAVED_MODEL = 0.1
LARGEST_FILE = "14MB"
RARE = 1e-3
"""At this frequency a token weighs half as much in the second objective as a rare one (Arora, Liang and Ma, 2017)."""
POSITION_WIDTH = 32
"""The last dimensions of a token vector, which initially encode only the position."""
SHARPNESS = 1.3
"""Initial attention of a head to its neighbour: about nine tenths at a quarter of the width."""


class Pretraining(nn.Module):
    """An encoder like BERT with the heads of both objectives; the token embedding is also the output layer.

    An encoder without a pooler states the gist in the vector of its first token. `pad` is the id of padding.
    """

    content: Tensor

    def __init__(self, bert: PreTrainedModel, summary_weight: float, pad: int = PAD) -> None:
        super().__init__()
        width = bert.config.hidden_size
        self.bert = bert
        self.pad = pad
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(bert.config.vocab_size))
        self.summary_norm = nn.LayerNorm(width)
        self.summary_weight = summary_weight
        self.register_buffer("content", torch.ones(bert.config.vocab_size))

    def forward(self, ids: Tensor, places: Tensor, masked: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The training loss; then the loss (nats) and accuracy at the places, all scalars.

        `ids` and `masked` are (rows, length), `places` flat positions. These are gathered first: scoring the
        vocabulary at every position would cost more than the encoder.
        """
        states = self.bert(input_ids=masked, attention_mask=(ids != self.pad).long())
        last, pooled = states.last_hidden_state, getattr(states, "pooler_output", None)
        return self.losses(last, last[:, 0] if pooled is None else pooled, ids, places)

    def losses(
        self, states: Tensor, pooled: Tensor, ids: Tensor, places: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `forward`, from the encoder's states (rows, length, width) and pooled [CLS] (rows, width)."""
        answers = ids.flatten()[places]
        asked = self.norm(functional.gelu(self.dense(states.flatten(0, 1)[places])))
        table = self.bert.get_input_embeddings().get_parameter("weight")
        logits = functional.linear(asked, table, self.bias).float()
        loss = functional.cross_entropy(logits, answers)
        gist = functional.linear(self.summary_norm(pooled), table).float().log_softmax(1)
        weights = self.content[answers]
        from_gist = -(gist[places // ids.shape[1], answers] * weights).sum() / weights.sum().clamp(min=1e-6)
        right = (logits.argmax(1) == answers).float().mean()
        return loss + self.summary_weight * from_gist, loss, right


def shape_encoder(config: PretrainConfig, size: int) -> BertConfig:
    return BertConfig(
        vocab_size=size,
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=4 * config.width,
        max_position_embeddings=config.positions,
        hidden_dropout_prob=0.0,  # so short a training does not over-fit
        attention_probs_dropout_prob=0.0,
        pad_token_id=PAD,
    )


def build(config: PretrainConfig, size: int, device: torch.device) -> Pretraining:
    torch.manual_seed(config.seed)
    # On a CPU the backward pass of fused attention is slower.
    attention = "eager" if device.type == "cpu" else "sdpa"
    shape = shape_encoder(config, size)
    shape._attn_implementation = attention
    bert = BertModel(shape)
    return Pretraining(bert, config.summary_weight).to(device)


def position_width(config: PretrainConfig) -> int:
    return min(POSITION_WIDTH, config.width // config.heads)


@torch.no_grad()
def begin_from_counts(model: Pretraining, vectors: Tensor, shares: Tensor) -> None:
    """Initialise from token vectors (size, width - position width) and the tokens' shares of the text (size,).

    The pooler starts as identity. Heads of the first two layers start attending one or two tokens back or
    ahead. Without that, a starter had learned nothing beyond the bag of tokens after three million tokens;
    with it, it had after one.
    """
    bert = model.bert
    part = bert.config.hidden_size - vectors.shape[1]
    words = bert.get_parameter("embeddings.word_embeddings.weight")
    words.zero_()
    words[:, :-part] = vectors
    positions = bert.get_parameter("embeddings.position_embeddings.weight")
    positions.zero_()
    positions[:, -part:] = position_code(len(positions), part)
    bert.get_parameter("embeddings.token_type_embeddings.weight").zero_()
    bert.get_parameter("pooler.dense.weight").copy_(torch.eye(bert.config.hidden_size))
    bert.get_parameter("pooler.dense.bias").zero_()
    model.content.copy_(RARE / (RARE + shares))
    for rows, layer, step in neighbour_heads(bert.config):
        for name, turned in (("query", step_matrix(step, part)), ("key", torch.eye(part))):
            weight = bert.get_parameter(f"encoder.layer.{layer}.attention.self.{name}.weight")
            weight[rows] = 0
            weight[rows.start : rows.start + part, -part:] = turned * SHARPNESS


def neighbour_heads(config: PreTrainedConfig) -> Iterator[tuple[slice, int, int]]:
    """The rows of a head's query and key, its layer, and the offset that it attends to initially."""
    size = config.hidden_size // config.num_attention_heads
    for layer, steps in enumerate([(-1, 1, -2, 2), (-1, 1)][: config.num_hidden_layers]):
        for head, step in enumerate(steps[: config.num_attention_heads]):
            yield slice(head * size, (head + 1) * size), layer, step


def turn_rates(pairs: int) -> Tensor:
    """(pairs,) angles per position, 0 to pi, spaced by the golden ratio so that all codes differ."""
    return torch.pi * ((torch.arange(pairs) + 1) * 0.6180339887 % 1)


def position_code(count: int, size: int) -> Tensor:
    """(count, size): each position as points on size / 2 circles, scaled like the token vectors."""
    angles = torch.arange(count)[:, None] * turn_rates(size // 2)
    return torch.stack([angles.cos(), angles.sin()], dim=2).flatten(1) * SPREAD * 2**0.5


def step_matrix(step: int, size: int) -> Tensor:
    """(size, size) rotation from the code of a position to that of the position `step` further."""
    angles = step * turn_rates(size // 2)
    turns = torch.stack(
        [torch.stack([angles.cos(), -angles.sin()]), torch.stack([angles.sin(), angles.cos()])]
    )
    rotation: Tensor = torch.block_diag(*turns.permute(2, 0, 1))  # type: ignore[no-untyped-call]
    return rotation


def save_encoder(bert: PreTrainedModel, tokenizer: Tokenizer, folder: Path) -> None:
    """A plain `BertModel` and its tokenizer, for `AutoModel` and `AutoTokenizer`, in files of at most 14 MB.

    Weights are stored in half precision; the config asks for float32, because a CPU would otherwise train in
    float16.
    """
    config = BertConfig.from_dict(bert.config.to_dict())
    config.architectures, config.dtype = ["BertModel"], "float32"
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = DROPOUT_OF_THE_SAVED_MODEL
    halves = {name: tensor.half() for name, tensor in bert.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "new", ignore_errors=True)
    with new_folder(folder / "new") as partial:
        bert.save_pretrained(partial, state_dict=halves, max_shard_size=LARGEST_FILE)
        config.save_pretrained(partial)
        PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=tokenizer,
            model_max_length=config.max_position_embeddings,
            **{f"{name.strip('[]').lower()}_token": name for name in SPECIAL},
        ).save_pretrained(partial)
    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    for path in (folder / "new").iterdir():
        path.chmod(0o644)  # safetensors makes files private
        path.replace(folder / path.name)
    (folder / "new").rmdir()
