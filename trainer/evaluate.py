"""Evaluate an adapter on test rows: report.json, test_probabilities.parquet, behaviour.json, and a README.md with plots.

    python -m trainer.evaluate --model DIR --test FILE --out DIR [--train FILE] [--champion DIR]

The measures are in `trainer.statistics` and `trainer.linear.baseline`; the written cases in `trainer.behaviour`.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer.adapters.card import read_card
from trainer.behaviour.table import markdown_lines, summary
from trainer.errors import DatasetError
from trainer.files import new_folder, refuse_existing, sha256_of, write_json
from trainer.labels import LABELS
from trainer.linear.baseline import linear_baseline
from trainer.linear.folded import read_judged
from trainer.messages import Message
from trainer.reading.columns import Choice
from trainer.running import command
from trainer.running.progress import Progress, Silent, reporting
from trainer.running.terminal import printable
from trainer.statistics.comparison import compare
from trainer.statistics.evidence import evidence
from trainer.statistics.metrics import calibration_error, metrics
from trainer.statistics.table import interval, metrics_table
from trainer.statistics.vector_scaling import apply_calibration
from trainer.texts.copies import without_copies
from trainer.texts.dataset import LABELLED, Example, group_weights, read_jsonl
from trainer.texts.reading import choice_of

RIVALS = {"linear": "the linear baseline", "champion": "the champion"}


def evaluate(
    model: Path,
    test: Path,
    *,
    rng: np.random.Generator,
    train: Path | None = None,
    champion: Path | None = None,
    progress: Progress | None = None,
    choice: Choice = LABELLED,
) -> tuple[dict[str, Any], pa.Table]:
    """The report, and a table with the probabilities of the test rows.

    `train` adds the linear baseline trained on those rows, `champion` the comparison with that adapter.
    Without test rows the report has a warning and no metrics. `evidence` is what speaks for the adapter beside the
    simplest alternatives: of the test rows, and of the folds that it was calibrated with.
    """
    examples = read_jsonl(test, choice)
    given = [] if train is None else read_jsonl(train, choice)
    learned = without_copies(given, examples)
    if given and not learned:
        raise DatasetError(
            "every text of {train} is also in {other}: nothing is left to train on", train=train, other=test
        )
    report: dict[str, Any] = {"rows": len(examples), "test_sha256": sha256_of(test)}
    warnings = [*_about(examples), *_about_training(model, report["test_sha256"], len(given) - len(learned))]
    report |= {"metrics": None, "warnings": [warning.to_dict() for warning in warnings]}
    report["evidence"] = {"test": None, "out_of_fold": read_judged(model)}
    raw = _score(model, examples, progress or Silent())
    probabilities = _calibrate(model, raw)
    if not examples:
        return report, _table(examples, probabilities)
    labels, groups = [example.label for example in examples], [example.group for example in examples]
    weights = group_weights(examples)
    report["metrics"] = metrics(probabilities, labels, weights, groups, rng=rng)
    error, interval = calibration_error(raw, labels, weights, groups, rng=rng)
    report["uncalibrated"] = {"ece": error, "intervals": {"ece": interval}}
    linear = _linear(learned, examples)
    predicted = None if linear is None else linear.argmax(axis=1)
    report["evidence"]["test"] = evidence(
        probabilities.argmax(axis=1), predicted, labels, weights, groups, rng=rng
    ).to_dict()
    if linear is not None:
        report["linear"] = metrics(linear, labels, weights, groups, rng=rng)
    if champion is not None:
        rival = _calibrate(champion, _score(champion, examples, progress or Silent()))
        report["champion"] = metrics(rival, labels, weights, groups, rng=rng)
        report["comparison"] = compare(
            rival, probabilities, labels, groups, rng=rng, weights=weights
        ).to_dict()
    return report, _table(examples, probabilities)


def _linear(learned: Sequence[Example], examples: Sequence[Example]) -> NDArray[np.float64] | None:
    if not learned:
        return None
    labels = [example.label for example in learned]
    texts = [[example.text for example in some] for some in (learned, examples)]
    return linear_baseline(texts[0], labels, texts[1])


def _about(examples: Sequence[Example]) -> Iterator[Message]:
    labels = {example.label for example in examples}
    if not labels:
        yield Message("no test rows: nothing could be measured")
    if len(labels) == 1:
        yield Message(
            "all test rows are labelled {label}: the other labels could not be measured", label=min(labels)
        )


def _about_training(model: Path, test_sha256: str, shared: int) -> Iterator[Message]:
    if any(file.sha256 == test_sha256 and file.rows for file in read_card(model).data.values()):
        yield Message(
            "the adapter was trained with this very test file: its figures say nothing of other posts"
        )
    if shared:
        yield Message(
            "{count} training rows have the text of a test row: the linear baseline is trained without them",
            count=shared,
        )


def _score(model: Path, examples: Sequence[Example], progress: Progress) -> NDArray[np.float32]:
    """(n, 3) probabilities before calibration."""
    # These import torch, which the measures do not need.
    from trainer.running.device import leave_a_core  # noqa: PLC0415
    from trainer.scoring.scorer import Scorer  # noqa: PLC0415

    leave_a_core()
    scorer = Scorer.load(model)
    texts = [example.text for example in examples]
    return scorer.probabilities(texts, calibrated=False, on_progress=progress.step)


def _calibrate(model: Path, raw: NDArray[np.float32]) -> NDArray[np.float32]:
    logits = np.log(np.maximum(raw, np.finfo(np.float32).tiny))
    return apply_calibration(logits, read_card(model).calibration).astype(np.float32)


def _table(examples: Sequence[Example], probabilities: NDArray[np.float32]) -> pa.Table:
    names = {
        "id": pa.array([example.id for example in examples], pa.string()),
        "group": pa.array([example.group for example in examples], pa.string()),
        "label": pa.array([example.label for example in examples], pa.string()),
        "weight": pa.array(group_weights(examples), pa.float64()),
    }
    return pa.table(names | {f"p_{label}": probabilities[:, at] for at, label in enumerate(LABELS)})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.evaluate", "Measure an adapter on labelled test posts.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="adapter folder")
    parser.add_argument("--test", type=Path, required=True, metavar="FILE", help="labelled posts")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the report")
    parser.add_argument("--train", type=Path, metavar="FILE", help="training JSONL: adds the linear baseline")
    parser.add_argument("--champion", type=Path, metavar="DIR", help="adapter to compare with")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default 0)")
    command.add_reading_arguments(parser)
    command.add_child_arguments(parser)
    return command.run(_evaluate, parser.parse_args(arguments))


def _evaluate(options: argparse.Namespace) -> None:
    # torch and matplotlib, for the command alone
    from trainer.behaviour.examination import examine  # noqa: PLC0415
    from trainer.report import write_report  # noqa: PLC0415

    refuse_existing(options.out)
    with closing(reporting(options.progress, "evaluating")) as progress:
        report, table = evaluate(
            options.model,
            options.test,
            rng=np.random.default_rng(options.seed),
            train=options.train,
            champion=options.champion,
            progress=progress,
            choice=choice_of(options, LABELLED),
        )
    outcome = examine(options.model, options.champion)
    with new_folder(options.out) as folder:
        pq.write_table(table, folder / "test_probabilities.parquet")
        write_json(folder / "report.json", report)
        write_json(folder / "behaviour.json", outcome.to_dict())
        write_report(folder, report, table, read_card(options.model), [*markdown_lines(outcome)])
    print(printable("\n".join((*_summary(options.out, report), summary(outcome)))))


def _summary(out: Path, report: Mapping[str, Any]) -> Iterator[str]:
    yield f"{out}: measured on {report['rows']:,} posts."
    yield from (f"warning: {Message.from_dict(warning)}" for warning in report["warnings"])
    if report["metrics"] is None:
        return
    yield metrics_table(report["metrics"])
    for name, title in RIVALS.items():
        if name in report:
            yield f"macro-F1 of {title}: {interval(report[name], 'macro_f1')}"


if __name__ == "__main__":
    sys.exit(main())
