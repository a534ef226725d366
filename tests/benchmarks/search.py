"""Search latency in a large project: time to the page's first hits, by how common the words are.

Run as: python -m tests.benchmarks.search --texts FILE.tsv [--posts 1000000] [--queries 300]

Real texts, each repeated with two characters changed and a few appended, so that the frequencies of pairs stay real.
Posts are stored as the import stores them, each a group of its own, and indexed by the worker's code. Prints
milliseconds; `docs/benchmarks.md` has the last table.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
from sqlalchemy import insert, update

from db.tables import Import, Post, PostFacts, PostGroup, PostText
from trainer.reading.rows import Row
from trainer.texts.normalisation import normalise
from workbench import accounts
from workbench.accounts import Account
from workbench.imports import search_index
from workbench.imports.tsv import open_tsv
from workbench.posts import search
from workbench.posts.search import Filter
from workbench.project import Project, init_project

CHUNK = 10_000
COMMON = (
    "的一是不了人我在有他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
)
BOARDS = [f"版块{number}" for number in range(40)]


def perturbed(texts: Sequence[str], count: int, rng: Random) -> Iterator[str]:
    """The texts, then changed copies of them, up to `count`."""
    for number in range(count):
        text = texts[number % len(texts)]
        if number >= len(texts):
            for at in rng.choices(range(len(text)), k=2):
                text = text[:at] + rng.choice(COMMON) + text[at + 1 :]
            text += "".join(rng.choices(COMMON, k=3))
        yield text


def fill(project: Project, texts: Sequence[str], count: int) -> None:
    rng, number = Random(1), 0
    every = perturbed(texts, count, rng)
    with project.database.write() as session:
        session.add(
            Import(
                id=1,
                file_name="made",
                state="prepared",
                encoding="utf-8",
                columns={},
                started_at=project.now(),
            )
        )
    while chunk := [text for text, _ in zip(every, range(CHUNK), strict=False)]:
        ids = range(number + 1, number + len(chunk) + 1)
        number += len(chunk)
        with project.database.write() as session:
            tables: dict[type, list[dict[str, object]]] = {
                PostGroup: [{"id": at, "key": at.to_bytes(16), "split": "pool"} for at in ids],
                Post: [
                    {
                        "id": at,
                        "external_id": str(at),
                        "text_hash": b"",
                        "import_id": 1,
                        "group_id": at,
                        "is_quarantined": False,
                    }
                    for at in ids
                ],
                PostText: [{"post_id": at, "text": text} for at, text in zip(ids, chunk, strict=True)],
                PostFacts: [{"post_id": at, "facts": {"board": rng.choice(BOARDS)}} for at in ids],
            }
            for table, values in tables.items():
                session.connection().execute(insert(table), values)
    with project.database.write() as session:
        session.execute(update(Import).values(accepted=count))


def queries(texts: Sequence[str], each: int, rng: Random) -> dict[str, list[str]]:
    counts: dict[str, int] = {}
    for text in texts:
        for pair in search_index.pairs(normalise(text)):
            counts[pair] = counts.get(pair, 0) + 1
    ranked = sorted(counts, key=lambda pair: (-counts[pair], pair))
    pieces = [
        text[at : at + 6] for text in rng.choices(texts, k=each) for at in [rng.randrange(len(text) - 6)]
    ]
    shuffled = ["".join(rng.sample(piece, len(piece))) for piece in pieces]
    return {
        "the commonest pairs": ranked[:each],
        "pairs of middling rank": rng.sample(ranked[1_000:20_000], each),
        "pairs that occur once or twice in the texts": rng.sample(
            [p for p in ranked if counts[p] <= 2], each
        ),
        "pieces of six characters": pieces,
        "six characters in shuffled order": shuffled,
        "two of the commonest pairs": [one + other for one, other in pairwise(ranked[: each + 1])],
    }


def timed(project: Project, account: Account, asked: Sequence[str]) -> tuple[list[float], float]:
    """Milliseconds per query, and mean hits on the first page."""
    took, hits = [], 0
    for query in asked:
        began = time.perf_counter()
        hits += len(search.find(project, account, Filter(text=query)).posts)
        took.append(1000 * (time.perf_counter() - began))
    return took, hits / len(asked)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.search")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=300)
    options = parser.parse_args()
    with open_tsv(options.texts) as source:
        texts = [row.text for row in source if isinstance(row, Row) and len(row.text) > 12]
    with tempfile.TemporaryDirectory() as folder:
        project = init_project(Path(folder) / "project")
        lead = accounts.command_line(project)
        fill(project, texts, options.posts)
        file = project.data / "workbench.db"
        before, began = size(project), time.perf_counter()
        search_index.index_missing(project)
        took = time.perf_counter() - began
        print(
            f"{options.posts:,} posts: {before / 1e6:,.0f} MB without the index, {size(project) / 1e6:,.0f} MB with"
        )
        print(
            f"indexed at {options.posts / took:,.0f} posts/s ({took:.0f} s), {file.stat().st_size / 1e6:,.0f} MB"
        )
        print("| query | p50, ms | p95, ms | worst | hits on the first page |\n|---|---|---|---|---|")
        for name, asked in queries(texts, options.queries, Random(2)).items():
            times, hits = timed(project, lead, asked)
            p50, p95 = np.percentile(times, [50, 95])
            print(f"| {name} | {p50:.1f} | {p95:.1f} | {max(times):.0f} | {hits:.1f} |", flush=True)


def size(project: Project) -> int:
    """Bytes of the database after a checkpoint of its journal."""
    with project.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return (project.data / "workbench.db").stat().st_size


if __name__ == "__main__":
    main()
