"""Compare query strategies on a labelled set, which answers in place of annotators.

    python -m trainer.simulate --pool FILE --test FILE --strategy default,random --seeds 3 --out DIR

Pool and test set are tables or JSON with a text, a label and optionally an id. The output folder gets
`points.jsonl` (one model per line), `curves.csv`, `curves.png` and `summary.json`. A repeated command resumes
after a kill and adds strategies and seeds to the folder.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.config import TrainConfig
from trainer.errors import TrainerError
from trainer.files import sha256_of, write_json
from trainer.reading.columns import Choice
from trainer.running import command
from trainer.running.progress import Progress, reporting
from trainer.selection.lanes import Band, Composition
from trainer.simulation.curves import draw, summary, write_csv
from trainer.simulation.replay import DEFAULT, FULL, Chooser, Learner, Plan, Point, Post, Simulation, choosers
from trainer.texts.copies import near_copies
from trainer.texts.dataset import LABELLED
from trainer.texts.normalisation import group_key
from trainer.texts.reading import choice_of, read_labelled

START = 100


@dataclass(frozen=True)
class Runs:
    strategies: Sequence[str]
    seeds: Sequence[int]
    has_full: bool


def simulate(
    simulation: Simulation, runs: Runs, out: Path, inputs: Mapping[str, Any], progress: Progress
) -> list[Point]:
    """Compute the missing points; returns all points of these strategies and seeds in the folder.

    Raises TrainerError if the folder holds another simulation, or for an unknown strategy.
    """
    _refuse_unknown(runs.strategies, simulation.choosers)
    _refuse_other(out, inputs)
    _drop_half_line(out / "points.jsonl")
    points = read_points(out)
    for seed in runs.seeds:
        for strategy in runs.strategies:
            done = [point for point in points if (point.strategy, point.seed) == (strategy, seed)]

            def keep(point: Point) -> None:
                _append(out, point)
                progress.step(
                    _labels(read_points(out), runs),
                    _labels_in_all(runs, simulation),
                    macro_f1=point.macro_f1,
                )

            simulation.run(strategy, seed, done, keep)
    if runs.has_full and not any(point.strategy == FULL for point in points):
        _append(out, simulation.full(runs.seeds[0]))
    wanted = {(strategy, seed) for strategy in runs.strategies for seed in runs.seeds}
    return [
        point
        for point in read_points(out)
        if point.strategy == FULL or (point.strategy, point.seed) in wanted
    ]


def write_curves(out: Path, points: Sequence[Point], copies: int = 0) -> dict[str, Any]:
    totals = summary(points) | {"copies_left_out": copies}
    write_csv(out / "curves.csv", points)
    draw(out / "curves.png", points)
    write_json(out / "summary.json", totals)
    return totals


def read_points(out: Path) -> list[Point]:
    file = out / "points.jsonl"
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    return [_point(json.loads(line)) for line in lines]


def read_posts(file: Path, choice: Choice = LABELLED) -> list[Post]:
    return [Post(name, text, label) for name, text, label in read_labelled(file, choice)]


def apart(pool: Sequence[Post], test: Sequence[Post]) -> tuple[list[Post], int]:
    """The posts of the pool without copies of test posts, and the number of these."""
    is_copy = near_copies([post.text for post in pool], [post.text for post in test])
    kept = [post for post, is_left_out in zip(pool, is_copy, strict=True) if not is_left_out]
    return kept, len(pool) - len(kept)


def notes(pool: Sequence[Post], copies: int, plan: Plan, runs: Runs) -> Iterator[str]:
    """What a reader of the curves should know."""
    if copies:
        yield f"{copies:,} posts of the pool are copies of test posts: they are left out, {len(pool):,} remain."
    different = len({group_key(post.text) for post in pool})
    if len(runs.strategies) < 2:
        return
    if plan.start >= min(plan.budget, different):
        yield (
            f"the first {plan.start:,} labels are chosen before there is a model, alike for all strategies, and they "
            "are the whole budget: the strategies cannot differ. Give a greater --budget, and a pool that is larger."
        )
    elif plan.budget >= different:
        yield (
            f"the budget of {plan.budget:,} labels covers the whole pool ({different:,} different posts): the "
            "strategies differ only in the order, and end alike."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.simulate", "Replay a labelled set: learning curves by query strategy.")
    add = parser.add_argument
    add("--pool", type=Path, required=True, metavar="FILE", help="labelled posts to choose from")
    add("--test", type=Path, required=True, metavar="FILE", help="labelled posts to measure on")
    add("--strategy", default=f"{DEFAULT},random", metavar="A,B", help="default is the queue as it is served")
    add("--seeds", type=int, default=3, help="repetitions (default 3)")
    add("--budget", type=int, default=500, help="labels a run ends with (default 500)")
    add("--batch", type=int, default=50, help="labels between two models (default 50)")
    add("--start", type=int, help="labels before the first model (default 100, or the budget)")
    add("--candidates", type=int, default=3000, help="posts scored for each choice (default 3000)")
    add("--learner", choices=("lora", "frozen"), default="lora", help="frozen: seconds instead of minutes")
    add("--base", default="starter", metavar="NAME_OR_PATH")
    add("--composition", type=json.loads, default={}, metavar="JSON", help="shares of the lanes")
    add("--band", type=json.loads, default={}, metavar="JSON", help="low and high of the band")
    add("--no-full", action="store_true", help="do not measure what the whole pool is worth")
    add(
        "--out", type=Path, required=True, metavar="DIR", help="folder for points and curves; it may be there"
    )
    add("--json", action="store_true", help="print the summary as JSON")
    command.add_reading_arguments(parser)
    command.add_child_arguments(parser)
    return command.run(_simulate, parser.parse_args(arguments))


def _simulate(options: argparse.Namespace) -> None:
    choice = choice_of(options, LABELLED)
    pool, test = read_posts(options.pool, choice), read_posts(options.test, choice)
    _refuse_unfit(options.pool, pool)
    _refuse_unfit(options.test, test)
    pool, copies = apart(pool, test)
    if not pool:
        raise TrainerError(
            "every post of {pool} is also in {test}, or a near-copy of one: give other posts to choose from",
            pool=options.pool,
            test=options.test,
        )
    start = min(START, options.budget) if options.start is None else options.start
    plan = Plan(options.budget, options.batch, start, options.candidates)
    runs = Runs(options.strategy.split(","), range(options.seeds), not options.no_full)
    may_choose = choosers(Composition(**options.composition), Band(**options.band))
    _refuse_unknown(runs.strategies, may_choose)
    inputs: dict[str, Any] = {
        "pool": sha256_of(options.pool),
        "test": sha256_of(options.test),
        "plan": asdict(plan),
        "learner": options.learner,
        "base": options.base,
        "composition": options.composition,
        "band": options.band,
        "settings": TrainConfig(base=options.base).to_dict(),
    }
    if copies:  # absent without them, so that folders of earlier versions go on
        inputs["copies"] = copies
    for note in notes(pool, copies, plan, runs):
        print(f"note: {note}", file=sys.stderr)
    learner = _learner(options.learner, pool, test, options.base)
    progress = reporting(options.progress, "simulating")
    try:
        points = simulate(Simulation(pool, learner, plan, may_choose), runs, options.out, inputs, progress)
    finally:
        progress.close()
    totals = write_curves(options.out, points, copies)
    print(json.dumps(totals) if options.json else table(totals))


def table(totals: Mapping[str, Any]) -> str:
    lines = [
        "strategy          area under macro-F1        against random     labels to 90, 95, 99%  violations"
    ]
    rows = sorted(totals["strategies"].items(), key=lambda item: -item[1]["auc"])
    for name, facts in rows:
        gain = facts["against_random"]
        against = "" if gain is None else f"{100 * gain['mean']:+.2f} {_range(gain['interval'])}"
        reached = ", ".join("-" if count is None else str(count) for count in facts["labels_to"].values())
        area = f"{100 * facts['auc']:.2f} {_range(facts['auc_interval'])}"
        lines.append(f"{name:<17} {area:<26} {against:<18} {reached:<22} {facts['violations']:.0f}")
    if totals["full"] is not None:
        lines.append(f"the whole pool: {100 * totals['full']:.2f}")
    return "\n".join(lines)


def _range(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f"[{100 * bounds[0]:.2f}, {100 * bounds[1]:.2f}]"


def _learner(name: str, pool: Sequence[Post], test: Sequence[Post], base: str) -> Learner:
    # Imported here: reading curves needs no torch.
    from trainer.running.device import leave_a_core  # noqa: PLC0415
    from trainer.simulation.learners import FrozenLearner, LoraLearner  # noqa: PLC0415

    leave_a_core()
    if name == "frozen":
        return FrozenLearner(pool, test, base)
    return LoraLearner(pool, test, TrainConfig(base=base))


def _refuse_unfit(file: Path, posts: Sequence[Post]) -> None:
    labels = {post.label for post in posts}
    if not labels:
        raise TrainerError("{path} holds no posts", path=file)
    if len(labels) == 1:
        raise TrainerError(
            "{path}: all posts are labelled {label}; a simulation needs posts of two labels or more",
            path=file,
            label=min(labels),
        )


def _refuse_unknown(strategies: Sequence[str], available: Mapping[str, Chooser]) -> None:
    if unknown := [name for name in strategies if name not in available]:
        raise TrainerError(
            "there is no strategy {name}; known are {known}",
            name=repr(unknown[0]),
            known=", ".join(sorted(available)),
        )


def _refuse_other(out: Path, inputs: Mapping[str, Any]) -> None:
    file, text = out / "simulation.json", json.dumps(inputs, indent=2, sort_keys=True) + "\n"
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise TrainerError(
            "{out} holds another simulation (see simulation.json); name another folder with --out", out=out
        )
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _append(out: Path, point: Point) -> None:
    with (out / "points.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(point)) + "\n")


def _drop_half_line(file: Path) -> None:
    """An incomplete line of a killed process would corrupt the next one."""
    if file.exists():
        whole = file.read_bytes()
        with file.open("r+b") as stream:
            stream.truncate(whole.rfind(b"\n") + 1)


def _point(values: dict[str, Any]) -> Point:
    return Point(**values | {name: tuple(values[name]) for name in ("positions", "lanes")})


def _labels(points: Sequence[Point], runs: Runs) -> int:
    wanted = {(strategy, seed) for strategy in runs.strategies for seed in runs.seeds}
    return sum(len(point.positions) for point in points if (point.strategy, point.seed) in wanted)


def _labels_in_all(runs: Runs, simulation: Simulation) -> int:
    return len(runs.strategies) * len(runs.seeds) * simulation.labels_of_a_run


if __name__ == "__main__":
    sys.exit(main())
