"""The same classifier in 8 bits on a CPU, through ONNX Runtime: about twice as fast, and not quite the same."""

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn
from transformers import PreTrainedTokenizerBase

from trainer.adapters.encoder import Encoder, quiet
from trainer.scoring.scorer import Network

SCOPES = "pkg.torch.onnx.name_scopes"
"""Where the exporter writes which module a node comes from."""
EXAMPLE = ("今天天气真好", "加我微信领红包，名额有限！")


def write_onnx(network: nn.Module, tokenizer: PreTrainedTokenizerBase, file: Path) -> None:
    """A classifier of transformers as ONNX, for batches and lengths of any size; its output is `logits`."""
    # Two rows of several tokens: a size of one would be taken for fixed.
    example = dict(tokenizer(list(EXAMPLE), padding=True, return_tensors="pt"))
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens", max=tokenizer.model_max_length)
    with _silent():
        torch.onnx.export(
            _Logits(network, list(example)).eval(),
            tuple(example.values()),
            file,
            input_names=list(example),
            output_names=["logits"],
            dynamic_shapes=(tuple({0: rows, 1: tokens} for _ in example),),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def quantise(encoder: Encoder, folder: Path) -> Path:
    """Write the network of `encoder`, on the CPU in fp32, with its layers in 8 bits but the last; returns the file."""
    plain, file = folder / "network.onnx", folder / "eight-bit.onnx"
    write_onnx(encoder.model, encoder.tokenizer, plain)
    with _silent():
        quantize_dynamic(
            plain,
            file,
            # Not the embeddings: one scale for all of them moves one label in a hundred.
            op_types_to_quantize=["MatMul", "Gemm"],
            nodes_to_exclude=_last_layer(plain),
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    plain.unlink()
    return file


def eight_bit_network(file: Path) -> Network:
    """What `quantise` wrote, as a network that scores, on as many threads as torch has here."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64] | None) -> torch.Tensor:
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids) if mask is None else mask}
        # What is left is the kind of each token: in one text alone they are all of the first.
        feed = {name: given[name] if name in given else np.zeros_like(ids) for name in names}
        return torch.from_numpy(session.run(["logits"], feed)[0])

    return forward


def _last_layer(file: Path) -> list[str]:
    """The products in the last layer and in the head above it, where rounding goes straight into the label."""
    layers = {}
    for node in onnx.load(file).graph.node:
        if node.op_type in ("MatMul", "Gemm"):
            told = " ".join(fact.value for fact in node.metadata_props if fact.key == SCOPES)
            found = re.search(r"\blayers?\.(\d+)", told)
            layers[node.name] = int(found[1]) if found else None
    last = max((layer for layer in layers.values() if layer is not None), default=None)
    return [name for name, layer in layers.items() if last is not None and layer in (None, last)]


@contextmanager
def _silent() -> Iterator[None]:
    """The exporter and the quantiser talk about how they go about it."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class _Logits(nn.Module):
    """A network that takes its inputs in order and returns nothing but logits."""

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.network(**dict(zip(self.names, inputs, strict=True))).logits
