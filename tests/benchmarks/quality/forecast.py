"""Coverage of the interval of `trainer.selection.forecast` for the gain of the next 100 labels.

Run as: python -m tests.benchmarks.quality.forecast --curves docs/next-hundred.jsonl

Generated curves of four families, one of them the forecast's own, with the noise of 300 or 1,000 test posts and of
training; and the real ones of `tests.benchmarks.quality.curves`, where one seed's measurements make the forecast and
the mean of the other seeds, on other posts, is the truth. `docs/next-hundred.md` has the table.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.quality.curves import SIZES, Curve, read
from trainer.selection import forecast
from trainer.selection.forecast import Gain, expected_gain

Shape = Callable[[np.ndarray], np.ndarray]
MORE = 100
PREFIXES = (1, 2, 3, 4, 6, 8, 10)
ROWS = (300, 1000)
STEPS = (50, 100)


@dataclass(frozen=True)
class Case:
    source: str
    points: int
    rows: int
    true: float
    gain: Gain


def power(rng: np.random.Generator) -> Shape:
    top, first, bend = rng.uniform(0.55, 0.95), rng.uniform(0.3, 0.6), rng.uniform(0.2, 1.2)
    return lambda labels: top - max(top - first, 0.0) * (labels / 50) ** -bend


def logarithm(rng: np.random.Generator) -> Shape:
    first, slope = rng.uniform(0.3, 0.6), rng.uniform(0.0, 0.09)
    return lambda labels: first + slope * np.log(labels / 50)


def exponential(rng: np.random.Generator) -> Shape:
    top, first, reach = (
        rng.uniform(0.55, 0.95),
        rng.uniform(0.3, 0.6),
        np.exp(rng.uniform(*np.log([60, 1500]))),
    )
    return lambda labels: top - max(top - first, 0.0) * np.exp(-(labels - 50) / reach)


def logistic(rng: np.random.Generator) -> Shape:
    top, first, middle = rng.uniform(0.55, 0.95), rng.uniform(0.3, 0.55), rng.uniform(100, 800)
    width = middle * rng.uniform(0.2, 0.5)
    return lambda labels: first + max(top - first, 0.0) / (1 + np.exp(-(labels - middle) / width))


FAMILIES: Mapping[str, Callable[[np.random.Generator], Shape]] = {
    "power law": power,
    "logarithm": logarithm,
    "exponential": exponential,
    "logistic": logistic,
}


def invented(repeats: int) -> Iterator[Case]:
    for number, (name, family) in enumerate(FAMILIES.items()):
        for points in PREFIXES:
            for rows in ROWS:
                rng = np.random.default_rng([number, points, rows])
                yield from (invented_case(name, family(rng), points, rows, rng) for _ in range(repeats))


def invented_case(name: str, shape: Shape, points: int, rows: int, rng: np.random.Generator) -> Case:
    """A team that starts with 50 to 300 labels and trains again after every 50, 100 or 200.

    Test rows are equal in all rounds, so part of the measurement error is common to them.
    """
    start, step, common = rng.integers(50, 301), rng.choice([50, 100, 200]), rng.uniform(0.5, 0.9)
    labels = start + step * np.arange(points)
    level = shape(labels.astype(float))
    errors = 1.1 * np.sqrt(level * (1 - level) / rows)
    wobble = np.exp(rng.uniform(*np.log([0.003, 0.015])))
    noise = errors * (np.sqrt(common) * rng.normal() + np.sqrt(1 - common) * rng.normal(size=points))
    scores = level + noise + wobble * rng.normal(size=points)
    before, after = shape(labels[-1] + np.array([0.0, MORE]))
    return _case(f"invented: {name}", rows, after - before, labels, scores, errors)


def real(curves: Sequence[Curve]) -> Iterator[Case]:
    for name in sorted({curve.set for curve in curves}):
        of_set = [curve for curve in curves if curve.set == name]
        shared = np.array([curve.shared for curve in of_set])
        for place, curve in enumerate(of_set):
            truth = np.delete(shared, place, axis=0).mean(axis=0)
            yield from real_cases(curve, truth)


def real_cases(curve: Curve, truth: np.ndarray) -> Iterator[Case]:
    for rows in ROWS:
        scores, errors = np.array(curve.own[str(rows)]), np.array(curve.errors[str(rows)])
        for step in STEPS:
            places = np.flatnonzero(np.array(SIZES) % step == 0)
            for points in PREFIXES:
                seen = places[:points]
                if len(seen) < points or SIZES[seen[-1]] + MORE > SIZES[-1]:
                    continue
                true = truth[SIZES.index(SIZES[seen[-1]] + MORE)] - truth[seen[-1]]
                labels = np.array(SIZES)[seen]
                yield _case(f"real: {curve.set.upper()}", rows, true, labels, scores[seen], errors[seen])


def _case(
    source: str, rows: int, true: float, labels: np.ndarray, scores: np.ndarray, errors: np.ndarray
) -> Case:
    gain = expected_gain(labels.tolist(), scores.tolist(), errors.tolist(), more=MORE)
    return Case(source, len(labels), rows, float(true), gain)


def table(cases: Sequence[Case]) -> str:
    titles = ["curves", "rounds so far", "forecasts", "95% interval holds", "80% holds", "width of the 95%"]
    lines = [header([*titles, "off by", "off by, had one said nothing"])]
    for kind in ("invented", "real"):
        for points in PREFIXES:
            selected = [case for case in cases if case.source.startswith(kind) and case.points == points]
            lines.append(row(kind, points, selected))
    return "\n".join(lines)


def row(kind: str, points: int, cases: Sequence[Case]) -> str:
    true = 100 * np.array([case.true for case in cases])
    mean = 100 * np.array([case.gain.mean for case in cases])
    width = 100 * np.median([case.gain.interval[1] - case.gain.interval[0] for case in cases])
    wide, likely = coverage(cases, lambda gain: gain.interval), coverage(cases, lambda gain: gain.likely)
    return (
        f"| {kind} | {points} | {len(cases):,} | {wide:.1f} | {likely:.1f} | {width:.1f} "
        f"| {np.abs(mean - true).mean():.2f} | {np.abs(true).mean():.2f} |"
    )


def table_of_sources(cases: Sequence[Case]) -> str:
    lines = [header(["95% / 80% interval holds, after so many rounds", *map(str, PREFIXES)])]
    for source in dict.fromkeys(case.source for case in cases):
        parts = [[case for case in cases if (case.source, case.points) == (source, k)] for k in PREFIXES]
        cells = [
            f"{coverage(part, lambda gain: gain.interval):.0f} / {coverage(part, lambda gain: gain.likely):.0f}"
            for part in parts
        ]
        lines.append(f"| {source} | {' | '.join(cells)} |")
    return "\n".join(lines)


def header(titles: Sequence[str]) -> str:
    return f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|"


def coverage(cases: Sequence[Case], interval: Callable[[Gain], tuple[float, float]]) -> float:
    """Percent."""
    held = [low <= case.true <= high for case in cases for low, high in [interval(case.gain)]]
    return 100 * float(np.mean(held))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.quality.forecast")
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--rigid", action="store_true", help="power laws whose slope never drifts")
    options = parser.parse_args()
    if options.rigid:
        forecast.DRIFTS = np.geomspace(1e-6, 1e-5, 2)
    cases = [*invented(options.repeats), *real(list(read(options.curves)))]
    print(table(cases), table_of_sources(cases), sep="\n\n")


if __name__ == "__main__":
    main()
