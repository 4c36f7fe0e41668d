"""What tests share besides fixtures: waiting, errors in one line, the content of folders."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

NO_BROWSER = "no Chromium was found"


def wait_until(holds: Callable[[], object], seconds: float = 10) -> None:
    """Wait for what another process or thread does; an error if it doesn't happen."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


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
