"""The tool that kills whatever writes files finds code that tears them, and none in the project."""

import subprocess
import sys

import pytest

from digits import paths

pytestmark = pytest.mark.slow
TORN = """
from pathlib import Path
import tempfile, time
import numpy as np
from digits import files
from tools.chaos.__main__ import kill
from tools.chaos.scenarios import Scenario

def in_place(path, text):
    path.unlink(missing_ok=True)
    path.write_text(text)

def torn(write):
    def work(folder, turn):
        write(folder / "file", str(turn % 10) * 500)

    def check(folder):
        text = (folder / "file").read_text()
        assert text == text[:1] * 500
        return True

    scenario, folder = Scenario(work, check, starts_empty=False), Path(tempfile.mkdtemp())
    return len(kill("", scenario, 20, folder, np.random.default_rng(0), time.monotonic() + 60).failures)

print(torn(in_place), torn(files.write_text))
"""


def run(*arguments: str) -> subprocess.CompletedProcess:
    # In a process of its own, without the threads of the one that runs the tests, which a fork could deadlock on.
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True, check=False)


def test_a_file_torn_by_a_kill_is_a_failure_and_an_atomic_write_is_none():
    process = run("-c", TORN)
    assert process.stdout == "1 0\n", process.stderr


def test_chaos_counts_what_it_did_and_finds_nothing():
    none = [f"--{name}=0" for name in ("saving", "sweeping", "training", "fine-tuning", "sessions", "environments")]
    process = run("-m", "tools.chaos", *none, "--collecting", "4", "--others", "1")
    assert process.returncode == 0, process.stdout
    assert "\n4 kills\n" in process.stdout
