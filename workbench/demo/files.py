"""The files of the sample: posts as weekly exports of a forum, the people's opinions, and the trained rounds."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from workbench.errors import WorkbenchError

MINUTE = "%Y-%m-%d %H:%M"
Row = Mapping[str, str]


@dataclass(frozen=True)
class Opinion:
    """What a person makes of a post: a label, "skip" or "ask"; `is_first` while the first guidelines are in force."""

    says: str
    note: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Opinions:
    """The labels that a careful moderator gives, the opinions that differ from them, and the lead's explanations."""

    labels: Mapping[str, str]
    others: Mapping[tuple[str, str], Row]
    explanations: Mapping[str, str]

    @classmethod
    def read(cls, sample: Path) -> "Opinions":
        rows = list(read_rows(sample / "opinions.tsv"))
        return cls(
            {row["id"]: row["label"] for row in read_rows(sample / "labels.tsv")},
            {(row["id"], row["who"]): row for row in rows},
            {row["id"]: row["lead"] for row in rows if row["lead"]},
        )

    def of(self, post: str, who: str, *, is_first: bool) -> Opinion:
        """`is_first`: the first guidelines are in force; some readings end with them."""
        row = self.others.get((post, who))
        if row is None or (row["until"] and not is_first):
            return Opinion(self.labels[post])
        return Opinion(row["says"], row["note"], row["reason"])


def sample_folder() -> Path:
    """In the source tree, or in the wheel. Raises WorkbenchError if it is in neither."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "data" / "sample", package / "_sample"):
        if (folder / "posts.tsv").is_file():
            return folder
    raise WorkbenchError("The sample posts are not installed. Reinstall the package.")


def history_folder(sample: Path) -> Path:
    return sample / "history"


def read_rows(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)


def write_exports(sample: Path, out: Path, mornings: Sequence[date]) -> list[Path]:
    """One file for each of the `mornings`, with the posts since the one before.

    The posts keep their hours: their days are moved so that the last post precedes the last morning.
    """
    rows = list(read_rows(sample / "posts.tsv"))
    times = [datetime.strptime(row["time"], MINUTE) for row in rows]  # noqa: DTZ007 - as the forum writes it
    shift = timedelta(days=(mornings[-1] - times[-1].date()).days)
    files = [out / f"posts-{morning.isoformat()}.tsv" for morning in mornings]
    written: list[list[Row]] = [[] for _ in files]
    for row, moment in zip(rows, times, strict=True):
        moved = moment + shift
        place = next(at for at, morning in enumerate(mornings) if _is_before(moved, morning))
        written[place].append({**row, "time": moved.strftime(MINUTE)})
    for file, some in zip(files, written, strict=True):
        _write(file, list(rows[0]), some)
    return files


def _is_before(moment: datetime, morning: date) -> bool:
    return moment.date() < morning or (moment.date() == morning and moment.hour < 8)


def _write(file: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    lines = ["\t".join(columns), *("\t".join(row[name] for name in columns) for row in rows)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
