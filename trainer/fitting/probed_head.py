"""The first weights of a classifier: logistic regression on the vectors that it reads.

Fine-tuning from a random head distorts the features of the base before the head fits them; linear probing first
avoids that (LP-FT: Kumar et al. 2022, arXiv 2202.10054).
"""

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from trainer.adapters.encoder import Encoder
from trainer.fitting.processes import Processes
from trainer.labels import LABELS
from trainer.linear.frozen import STRENGTH
from trainer.scoring.scorer import logits
from trainer.texts.tokens import Tokens

MOST_ROWS = 5_000
"""More rows hardly change a probe and delay the first step."""
LARGEST_SPREAD = 0.1
"""Largest root mean square of the weights. A step of Adam moves the vectors by the rate, however small they are: with
larger weights it would move the scores far, and the first epochs would undo the probe."""

Floats = NDArray[np.floating]


def probe_head(encoder: Encoder, rows: Dataset, *, processes: Processes, seed: int) -> None:
    """Replace the random weights of the classifier, equal in all processes.

    `rows` have `input_ids` and weighted `targets` (3,). The weights stay if the classifier is not linear in one vector
    a text, if a value is not finite, or if the rows that are read have one label only.
    """
    layer = last_layer(encoder.model)
    if layer is None:
        return
    chosen = rows.select(np.random.default_rng(seed).permutation(len(rows))[:MOST_ROWS])
    vectors = vectors_into(layer, encoder, Tokens.of(chosen["input_ids"]))
    targets = np.array(chosen["targets"])
    if not _can_be_probed(vectors, targets):
        return
    with torch.no_grad():
        head = moderate(*probe(vectors, targets))
        for parameter, values in zip((layer.weight, layer.bias), head, strict=True):
            parameter.copy_(processes.tensor_of_first(torch.from_numpy(values).to(parameter)))


def last_layer(model: nn.Module) -> nn.Linear | None:
    """The trained linear layer with an output and a bias for each label; None unless there is exactly one."""
    layers = [layer for layer in model.modules() if _is_classifier(layer)]
    return layers[0] if len(layers) == 1 and isinstance(layers[0], nn.Linear) else None


def vectors_into(layer: nn.Linear, encoder: Encoder, tokens: Tokens) -> Floats:
    """What the layer reads for each text, (n, width), without dropout."""
    batches: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0].float().cpu()))
    encoder.model.eval()
    try:
        logits(encoder.model, encoder, tokens)
    finally:
        hook.remove()
    _, which = tokens.distinct(np.arange(len(tokens)))
    vectors: Floats = torch.cat(batches).numpy()[which]
    return vectors


def probe(vectors: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """Weight (3, width) and bias (3,) for vectors (n, width) and weighted targets (n, 3), at least two labels of them.

    A label without rows gets no weight and the bias of one row among all.
    """
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
    row, label = np.nonzero(targets)
    model = LogisticRegression(C=STRENGTH, max_iter=1000)
    model.fit(((vectors - mean) / scale)[row], label, sample_weight=targets[row, label])
    weight, bias = np.zeros((len(LABELS), vectors.shape[1])), np.full(len(LABELS), -np.log(len(vectors)))
    weight[model.classes_], bias[model.classes_] = _both_sides(model.coef_), _both_sides(model.intercept_)
    weight /= scale
    return weight, bias - weight @ mean


def moderate(weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """Smaller weights if they are large; every vector has its scores in the order as before."""
    factor = min(1.0, LARGEST_SPREAD / max(1e-12, float(np.sqrt(np.mean(weight**2)))))
    return weight * factor, bias * factor


def _both_sides(values: Floats) -> Floats:
    """One value or row a label; scikit-learn has a single one for two labels."""
    return np.concatenate([-values / 2, values / 2]) if len(values) == 1 else values


def _is_classifier(layer: nn.Module) -> bool:
    if not isinstance(layer, nn.Linear) or layer.bias is None:
        return False
    return layer.out_features == len(LABELS) and layer.weight.requires_grad


def _can_be_probed(vectors: Floats, targets: Floats) -> bool:
    is_finite = np.isfinite(vectors).all() and np.isfinite(targets).all()
    return bool(is_finite) and vectors.ndim == 2 and int(targets.any(axis=0).sum()) > 1
