"""A round's rows as one archive that can be trained on any machine.

The archive holds texts and labels without authors and annotators, the trainer, its pinned requirements, and the
base encoder if that is a local folder. `data/bundles/` keeps a copy of the rows, by which `adoption` recognises
a returning adapter.
"""

import json
import re
import shutil
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import files
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any

from packaging.requirements import Requirement
from sqlalchemy import func, select

import trainer
from db.queries.preparing import prepared_texts
from db.tables import Post
from trainer.adapters.folders import STARTER, base_files, base_fingerprint, resolve_base
from trainer.config import TrainConfig
from trainer.files import new_file, new_folder, write_json
from trainer.texts.dataset import read_objects
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import head_of, record
from workbench.errors import InputError, RoundError
from workbench.exports.jsonl import SPLITS, LabelledPost, labelled_posts, write_export
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.rounds.base import next_base, place_of

SENT_ROWS = ("train", "validation")
"""The test labels stay here, so that training cannot see them. The texts to be scored are of every post."""
SENT_FIELDS = ("text", "label", "group", "weight", "labels", "inclusion_probability")
PACKAGES = (
    "accelerate", "confusable-homoglyphs", "datasets", "datasketch", "defusedxml", "huggingface_hub", "matplotlib", "numpy", "onnx",
    "onnxruntime", "onnxscript", "openpyxl", "peft", "pyarrow", "pypinyin", "rjieba", "safetensors", "scikit-learn", "scipy",
    "torch", "tqdm", "transformers",
)  # fmt: skip
LOCAL_BASE = "base"
PACKING = ".packing-"
STALE_SECONDS = 24 * 3600

Tick = Callable[[int, int], None]


@dataclass(frozen=True)
class Bundle:
    file: Path
    train: int
    validation: int
    pool: int
    base: str
    size: int
    """Bytes."""


def bundle(
    project: Project,
    account: Account,
    out: Path | None = None,
    *,
    number: int | None = None,
    has_pool: bool = False,
    on_progress: Tick = lambda _done, _total: None,
) -> Bundle:
    """Pack the rows of round `number`, or all current labels; `has_pool` adds every post, to be scored.

    Raises RoundError if there is nothing to train on, InputError if `out` exists or its folder does not,
    EncoderError if the base encoder is not on this machine.
    """
    name = "bundle-now" if number is None else f"bundle-round-{number:04d}"
    out = out or Path(f"{name}.tar.gz")
    if out.exists():
        raise InputError("{file} already exists. Name another with --out.", file=out)
    if not out.parent.is_dir():
        raise InputError(
            "There is no folder {folder}. Make it, or name another file with --out.", folder=out.parent
        )
    with project.database.read() as session:
        base = next_base(project, session)
    resolve_base(
        place_of(project, base)
    )  # checked first: without the base, a returning adapter could not be evaluated
    with reading(project, account, Right.EXPORT) as session:
        if number is None:
            lifecycle.refuse_too_few_labels(session)
    with _work_folder(project) as work:
        rows = work / "rows"
        receipt = _write_rows(project, account, number, base, rows)
        count = _fill(project, work / name, rows, base, receipt, has_pool, on_progress)
        _pack(work / name, out, name)
        rows.rename(project.data / "bundles" / f"{project.now():%Y%m%dT%H%M%S%f}")
    with acting(project, account, Right.EXPORT) as session:
        record(session, project, account.id, "bundle round", name, pool=has_pool)
    sizes = {split: receipt["files"][f"{split}.jsonl"]["rows"] for split in SENT_ROWS}
    return Bundle(out, sizes["train"], sizes["validation"], count, base, out.stat().st_size)


def sent_rows(project: Project) -> Iterator[Path]:
    receipts = sorted(project.data.glob("bundles/[0-9]*/receipt.json"), reverse=True)
    return (file.parent for file in receipts)


@contextmanager
def _work_folder(project: Project) -> Iterator[Path]:
    """A temporary folder. Also removes old folders of killed processes, as they hold texts of posts."""
    bundles = project.data / "bundles"
    bundles.mkdir(parents=True, exist_ok=True)
    for left in bundles.glob(f"{PACKING}*"):
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=PACKING, dir=bundles) as work:
        yield Path(work)


def _write_rows(
    project: Project, account: Account, number: int | None, base: str, folder: Path
) -> dict[str, Any]:
    now = project.now()
    posts = [_without_people(post) for post in _rows(project, number)]
    if not any(post.split == "train" for post in posts):
        raise RoundError("There are no labelled posts to train on yet. Label some first.")
    receipt = write_export(
        folder,
        posts,
        round_number=number or 0,
        by=account.name,
        now=now,
        audit_head=head_of(project),
    )
    receipt |= {"base": base, "fingerprint": base_fingerprint(resolve_base(place_of(project, base)))}
    write_json(folder / "receipt.json", receipt)
    return receipt


def _rows(project: Project, number: int | None) -> Iterable[LabelledPost]:
    if number is None:
        with project.database.read() as session:
            return labelled_posts(session, 0)
    exported = project.export_folder(number)
    if not (exported / "receipt.json").exists():
        raise RoundError(
            "Round {number} has exported nothing. Leave the number out to pack what is labelled now.",
            number=number,
        )
    return [
        LabelledPost(split, int(line["group"], 16), line)
        for split in SPLITS
        for _, _, line in read_objects(exported / f"{split}.jsonl")
    ]


def _without_people(post: LabelledPost) -> LabelledPost:
    """The line without annotators; after a lead's decision also without the votes, which do not count."""
    line = {name: post.line[name] for name in SENT_FIELDS if name in post.line}
    if "resolved_by" in post.line:
        line.pop("labels", None)
    return LabelledPost(post.split, post.group_id, line)


def _fill(
    project: Project,
    folder: Path,
    rows: Path,
    base: str,
    receipt: Mapping[str, Any],
    has_pool: bool,
    on_progress: Tick,
) -> int:
    with new_folder(folder) as part:
        for split in SENT_ROWS:
            shutil.copyfile(rows / f"{split}.jsonl", part / f"{split}.jsonl")
        count = _write_pool(project, part / "pool.jsonl", on_progress) if has_pool else 0
        package = Path(trainer.__file__).parent
        shutil.copytree(
            package,
            part / "trainer",
            ignore=shutil.ignore_patterns("__pycache__", "_starter", "pretrain", "adapting", "adapt.py"),
        )
        named = _copy_base(place_of(project, base), part)
        write_json(part / "config.json", TrainConfig(base=named).to_dict())
        sent = {f"{split}.jsonl": receipt["files"][f"{split}.jsonl"] for split in SENT_ROWS}
        contents = {name: receipt[name] for name in ("created", "audit_head", "fingerprint")} | {
            "files": sent
        }
        write_json(part / "receipt.json", contents)
        lines = "".join(f"{line}\n" for line in pinned(PACKAGES))
        (part / "requirements.txt").write_text(lines, encoding="utf-8")
        _write_readmes(part, receipt, count, named)
    return count


def _write_pool(project: Project, file: Path, on_progress: Tick) -> int:
    """Every prepared post with its internal number as id: the forum's ids are not sent."""
    with project.database.read() as session, file.open("w", encoding="utf-8") as stream:
        total = session.scalar(select(func.count()).select_from(Post).where(Post.group_id.is_not(None))) or 0
        done = 0
        for done, (number, text) in enumerate(session.execute(prepared_texts()).yield_per(10_000), start=1):
            stream.write(json.dumps({"id": str(number), "text": text}, ensure_ascii=False) + "\n")
            if done % 10_000 == 0 or done == total:
                on_progress(done, total)
    return done


def _copy_base(base: str, part: Path) -> str:
    folder = resolve_base(base)
    if base != STARTER and not Path(base).expanduser().is_dir():
        return base
    target = part / "models" / STARTER if base == STARTER else part / LOCAL_BASE
    target.mkdir(parents=True)
    for file in base_files(folder):
        shutil.copyfile(file, target / file.name)
    return STARTER if base == STARTER else LOCAL_BASE


def _write_readmes(part: Path, receipt: Mapping[str, Any], pool: int, base: str) -> None:
    facts = {
        "train": receipt["files"]["train.jsonl"]["rows"],
        "validation": receipt["files"]["validation.jsonl"]["rows"],
        "pool": pool,
        "base": base,
    }
    for name in ("README.md", "README.zh-CN.md"):
        text = files("workbench.rounds").joinpath("bundle", name).read_text(encoding="utf-8")
        whole = "\n".join(line for line in text.split("\n") if pool or "pool" not in line)
        (part / name).write_text(Template(whole).substitute(facts), encoding="utf-8")


def _pack(folder: Path, out: Path, name: str) -> None:
    with new_file(out) as part, tarfile.open(part, "w:gz", compresslevel=6) as archive:
        archive.add(folder, arcname=name, filter=_without_owner)


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def pinned(packages: Iterable[str]) -> list[str]:
    versions: dict[str, str] = {}
    waiting = list(packages)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        # Accelerator packages are dependencies of torch and differ between machines.
        if name in versions or name.startswith(("nvidia-", "cuda-", "triton")):
            continue
        try:
            versions[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue  # for another operating system
        needed = map(Requirement, requires(name) or ())
        waiting += [
            need.name for need in needed if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    return [f"{name}=={versions[name]}" for name in sorted(versions)]
