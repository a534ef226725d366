"""Commands start fast: they import nothing that only pages and the worker need."""

import subprocess
import sys

HEAVY = ("pandas", "sklearn", "streamlit", "torch", "transformers")


def test_a_command_starts_without_what_pages_and_the_worker_need() -> None:
    code = f"import sys, workbench.cli; print(*sorted(set({HEAVY}) & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
