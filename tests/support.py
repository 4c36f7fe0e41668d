"""What tests share besides fixtures: scripts without a process of their own, waiting, errors in one line, folders."""

import io
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest

from digits.handwriting import collection

NO_BROWSER = "no Chromium was found"


def run_in_this_process(script: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a script as `__main__`, with its arguments, in `folder`; restore the environment after it."""
    output, errors, status = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, mock.patch.dict(os.environ):
        patch.chdir(folder)
        patch.setattr(sys, "argv", [str(script), *arguments])
        with redirect_stdout(output), redirect_stderr(errors):
            try:
                runpy.run_path(str(script), run_name="__main__")
            except SystemExit as ended:
                status = ended.code or 0
    return subprocess.CompletedProcess([str(script), *arguments], status, output.getvalue(), errors.getvalue())


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
    """Every file below `folder` with its content, except the locks, which stay."""
    found = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".lock" and file.name != ".lock")
    return {str(file.relative_to(folder)): file.read_bytes() for file in found}


def digit_counts(folder: Path) -> list[int]:
    """How many pictures of each digit, 0 to 9, a collection of handwriting has."""
    digits = [entry.digit for entry in collection.entries(folder)]
    return [digits.count(digit) for digit in range(10)]
