import numpy as np
import pyarrow.parquet as pq

from tests.trainer.toy import toy_examples
from trainer.labels import LABELS
from trainer.score import main
from trainer.scoring.scorer import Scorer

TEXTS = [example.text for example in toy_examples(40, 3)]


def test_scores_a_pool_from_the_command_line(trained, adapter, tmp_path):
    pool = tmp_path / "pool.tsv"
    pool.write_text("id\ttext\n" + "".join(f"p{at}\t{text}\n" for at, text in enumerate(TEXTS)), "utf-8")
    assert main([f"--model={trained}", f"--pool={pool}", f"--out={tmp_path / 'out'}"]) == 0
    table = pq.read_table(tmp_path / "out" / "scores.parquet")
    assert table.column_names == ["id", *LABELS, "label", "confidence", "margin"]
    assert table["id"].to_pylist() == [f"p{at}" for at in range(len(TEXTS))]
    probabilities = Scorer(adapter).probabilities(TEXTS)
    np.testing.assert_array_equal(table["violation"], probabilities[:, 2])
    np.testing.assert_array_equal(table["confidence"], probabilities.max(axis=1))
    assert table["label"].to_pylist() == [LABELS[at] for at in probabilities.argmax(axis=1)]
    assert (np.asarray(table["margin"]) >= 0).all()
