"""A folder for temporary files of a test's own, and no child processes."""

import subprocess
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder for temporary files, for this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def no_child(monkeypatch):
    """Starting a process fails the test."""

    def fail(*_, **__):
        pytest.fail("a child was started")

    monkeypatch.setattr(subprocess, "Popen", fail)
