"""What the tests share: real digits, and a script run as a user runs it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digits import data, paths
from tests.support import NO_BROWSER, run_in_this_process

SKIPPED = (
    f"The browser tests of the app were SKIPPED: {NO_BROWSER}.",
    "To run them, install it (Debian: apt-get install chromium) or name another: CHROMIUM=/path/to/chrome make test",
)

# Slow, besides what is marked so: the tests of the page and the scripts, and those that import what takes seconds to
# load or need what takes seconds to make.
SLOW_FOLDERS = {"app", "scripts"}
SLOW_IMPORTS = re.compile("^(import|from) (keras|tensorflow|nbformat|distributed)", re.MULTILINE)
SLOW_FIXTURES = {"run_script", "found"}


def is_slow(path: Path) -> bool:
    folders = set(path.relative_to(paths.ROOT).parts)
    return bool(SLOW_FOLDERS & folders or (path.is_file() and SLOW_IMPORTS.search(path.read_text("utf-8"))))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without the slow tests, what they import isn't loaded either."""
    return True if config.option.markexpr == "not slow" and is_slow(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_slow(item.path) or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")


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
def few_digits(monkeypatch, splits) -> None:
    """A small MNIST for the scripts: with all of it, scoring a model takes longer than a short training."""
    few = data.Splits(splits.train.first(3000), splits.validation.first(500), splits.test.first(500))
    monkeypatch.setattr(data, "load_splits", lambda _: few)


@pytest.fixture
def run_script(tmp_path):
    """Run `src/NAME.py` with arguments in a folder of its own; give its exit status and what it printed.

    It runs in this process, where the libraries are loaded already. `in_new_process` is for tests of the process
    itself, as of what it imports or what TensorFlow's libraries print; `as_module` starts it as `python -m src.NAME`.
    """

    def run(
        name: str, *arguments: object, check: bool = True, in_new_process: bool = False, as_module: bool = False
    ) -> subprocess.CompletedProcess:
        script = paths.ROOT / "src" / f"{name}.py"
        if in_new_process or as_module:
            target = ["-m", f"src.{name}"] if as_module else [script]
            command = [sys.executable, *map(str, (*target, *arguments))]
            process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        else:
            process = run_in_this_process(script, *map(str, arguments), folder=tmp_path)
        assert not check or process.returncode == 0, process.stderr
        return process

    return run


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
