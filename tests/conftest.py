"""What the tests share: real digits, and a script run as a user runs it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from digits import data, paths

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# There is a test on each core: more threads would only wait for each other.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(threads, "1")

NO_BROWSER = "no Chromium was found"
SKIPPED = (
    f"The browser tests of the app were SKIPPED: {NO_BROWSER}.",
    "To run them, install it (Debian: apt-get install chromium) or name another: CHROMIUM=/path/to/chrome make test",
)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the very last lines what was left out."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if any(NO_BROWSER in str(report.longrepr) for report in skipped):
        reporter.write_line("\n".join(SKIPPED), yellow=True)


def wait_until(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait for what another process or thread does; an error if it doesn't happen."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def splits() -> data.Splits:
    return data.load_splits()


@pytest.fixture(scope="session")
def some_digits(splits) -> data.Digits:
    """A thousand real validation digits."""
    return splits.validation.first(1000)


@pytest.fixture
def run_script(tmp_path):
    """Run `src/NAME.py` with arguments in a folder of its own; give the finished process."""

    def run(name: str, *arguments: object, check: bool = True, as_module: bool = False) -> subprocess.CompletedProcess:
        target = ["-m", f"src.{name}"] if as_module else [str(paths.ROOT / "src" / f"{name}.py")]
        process = subprocess.run(
            [sys.executable, *target, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(paths.ROOT) if as_module else ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or process.returncode == 0, process.stderr
        return process

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def assert_one_line_error(process: subprocess.CompletedProcess, *words: str) -> None:
    """The process failed with status 2 and one line that holds all of `words`."""
    assert process.returncode == 2, process.stderr
    (line,) = [line for line in process.stderr.splitlines() if line.strip()]
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its content."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
