"""The posts picked by a scoring pass, stored until it ends so that a resumed pass scores the same ones."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer.files import new_file
from workbench.scores.round_scores import Coverage

FILE = "picked.parquet"
COVERAGE = b"coverage"


@dataclass(frozen=True)
class Pick:
    """Numbers of the posts to score (n,), ascending. `coverage` is None if no post is left out."""

    numbers: NDArray[np.int64]
    coverage: Coverage | None


def save_pick(folder: Path, pick: Pick) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    coverage = json.dumps(None if pick.coverage is None else asdict(pick.coverage))
    table = pa.table({"post_id": pick.numbers}).replace_schema_metadata({COVERAGE: coverage.encode()})
    with new_file(folder / FILE) as part:
        pq.write_table(table, part)


def load_pick(folder: Path) -> Pick | None:
    if not (folder / FILE).exists():
        return None
    table = pq.read_table(folder / FILE)
    coverage = json.loads(table.schema.metadata[COVERAGE])
    return Pick(table["post_id"].to_numpy(), None if coverage is None else Coverage(**coverage))
