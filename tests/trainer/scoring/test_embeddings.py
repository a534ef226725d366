"""A vector is the mean over a text's own tokens, independent of the rest of its batch."""

from pathlib import Path

import numpy as np
import pytest

from trainer.errors import EncoderError
from trainer.scoring.embeddings import Embedder

TEXTS = ["你好吗", "加微信低价代开发票", "天气真好", "你好吗", ""]


def test_a_vector_does_not_hang_on_what_else_is_asked(tiny_base: Path) -> None:
    embedder = Embedder.load(str(tiny_base))
    together = embedder.vectors(TEXTS)
    assert together.shape == (5, embedder.width)
    alone = np.concatenate([embedder.vectors([text]) for text in TEXTS])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(together[0], together[3])
    assert not np.allclose(together[0], together[1])
    assert np.abs(together[4]).max() == 0  # nothing but the marks at both ends


def test_no_texts_have_no_vectors(tiny_base: Path) -> None:
    assert Embedder.load(str(tiny_base)).vectors([]).shape == (0, 32)


def test_a_base_that_is_not_here_is_refused() -> None:
    with pytest.raises(EncoderError, match="no such folder"):
        Embedder.load("./nowhere")
