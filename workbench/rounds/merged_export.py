"""Export of a round's adapter merged into its base, in a child process, as this one must not load torch."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from trainer.files import write_json
from trainer.running.children import module_command, start
from trainer.running.progress import reason_of
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import head_of, record
from workbench.errors import InputError, RoundError
from workbench.project import Project
from workbench.rounds import lifecycle

SCHEMA = 1


def export_merged(
    project: Project, account: Account, number: int, out: Path, *, is_onnx: bool = False
) -> str:
    """Merge the adapter of a round into its base, in a new folder with a receipt; returns the last line of the trainer's
    output.

    Raises RoundError if the round has no adapter or the merge fails, InputError if `out` exists.
    """
    with reading(project, account, Right.EXPORT) as session:
        lifecycle.find(session, number)
    folder = project.round_folder(number)
    if not folder.exists():
        raise RoundError("Round {number} has no adapter to export.", number=number)
    if out.exists():
        raise InputError("{file} already exists. Name another with --out.", file=out)
    onnx = ["--onnx"] if is_onnx else []
    with TemporaryDirectory() as scratch:
        progress = Path(scratch) / "progress.jsonl"
        command = module_command(
            "trainer.merge", "--model", folder, "--out", out.resolve(), *onnx, "--progress", progress
        )
        with start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            assert child.stdout is not None
            output = child.stdout.read().decode("utf-8", "replace")
        if child.returncode:
            reason = reason_of(progress, output, child.returncode)
            raise RoundError("Round {number} was not exported: {reason}", number=number, reason=reason)
    write_json(
        out / "receipt.json",
        {
            "schema": SCHEMA,
            "round": number,
            "onnx": is_onnx,
            "created": project.now().isoformat(),
            "by": account.name,
            "audit_head": str(head_of(project)),
        },
    )
    with acting(project, account, Right.EXPORT) as session:
        record(session, project, account.id, "export adapter", f"round {number}", onnx=is_onnx)
    return output.strip().rpartition("\n")[2]
