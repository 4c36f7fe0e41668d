"""What the tests share: real digits, and a script run as a user runs it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from digits import data, paths
from tests.support import NO_BROWSER

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# There is a test on each core: more threads would only wait for each other.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(threads, "1")

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
            env=os.environ | {"PYTHONPATH": ""},
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
