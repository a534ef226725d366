"""The classifier in 8 bits on a CPU through ONNX Runtime: about twice as fast, with slightly different outputs."""

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
"""Metadata key under which the exporter records the module of a node."""
EXAMPLE = ("今天天气真好", "加我微信领红包，名额有限！")


def write_onnx(network: nn.Module, tokenizer: PreTrainedTokenizerBase, file: Path) -> None:
    """Export a transformers classifier with dynamic batch and length; its output is `logits`."""
    # Two rows of several tokens: the exporter treats a size of one as fixed.
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
    """Write the network of `encoder` (CPU, fp32) with all layers but the last in 8 bits; returns the file."""
    plain, file = folder / "network.onnx", folder / "eight-bit.onnx"
    write_onnx(encoder.model, encoder.tokenizer, plain)
    with _silent():
        quantize_dynamic(
            plain,
            file,
            # Not the embeddings: their single scale would change one label in a hundred.
            op_types_to_quantize=["MatMul", "Gemm"],
            nodes_to_exclude=_last_layer(plain),
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    plain.unlink()
    return file


def eight_bit_network(file: Path) -> Network:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]

    def forward(ids: NDArray[np.int64], mask: NDArray[np.int64] | None) -> torch.Tensor:
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids) if mask is None else mask}
        # The remaining input is token types, all zero for a single text.
        feed = {name: given[name] if name in given else np.zeros_like(ids) for name in names}
        return torch.from_numpy(session.run(["logits"], feed)[0])

    return forward


def _last_layer(file: Path) -> list[str]:
    """Products in the last layer and in the head, where rounding directly affects the label."""
    layers = {}
    for node in onnx.load(file).graph.node:
        if node.op_type in ("MatMul", "Gemm"):
            scopes = " ".join(fact.value for fact in node.metadata_props if fact.key == SCOPES)
            match = re.search(r"\blayers?\.(\d+)", scopes)
            layers[node.name] = int(match[1]) if match else None
    last = max((layer for layer in layers.values() if layer is not None), default=None)
    return [name for name, layer in layers.items() if last is not None and layer in (None, last)]


@contextmanager
def _silent() -> Iterator[None]:
    """Suppresses the logs of the exporter and the quantiser."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


class _Logits(nn.Module):
    """Takes the inputs by position and returns only the logits."""

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.network(**dict(zip(self.names, inputs, strict=True))).logits
