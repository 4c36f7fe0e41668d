"""The process that converts a stranger's file can do no harm, however it ends."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from digits import paths, untrusted
from tests.support import wait_until
from tests.untrusted.keras_files import CNN, external, refused, with_weights


def test_child_looks_at_the_weights_before_it_imports_keras(temporary, monkeypatch):
    started = []
    popen = subprocess.Popen

    def watch(command, **options):
        started.append((command, options))
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", watch)
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    # Keras with another backend would fail with another message, if it were imported.
    monkeypatch.setitem(untrusted.ENVIRONMENT, "KERAS_BACKEND", "nothing")
    reason = refused(with_weights(external))
    assert reason == "the model can't be used: its weights are stored in a way that Keras doesn't use, or not at all"
    ((_, options),) = started
    assert "hunter2" not in str(options["env"])
    assert str(options["cwd"]).startswith(str(temporary))
    assert list(temporary.iterdir()) == []


def test_child_that_needs_too_much_memory_is_ended(temporary, monkeypatch):
    monkeypatch.setattr(untrusted, "MEMORY_BYTES", 300_000_000)
    reason = refused(CNN)
    assert "memory" in reason.lower()
    assert list(temporary.iterdir()) == []


RUNAWAY = """
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(grandchild.pid))
time.sleep(60)
"""


def runs(pid: str) -> bool:
    status = Path("/proc", pid, "stat")
    return status.exists() and status.read_text().split(")")[1].split()[0] != "Z"


def test_child_that_takes_too_long_is_ended_with_all_that_it_started(temporary, tmp_path, monkeypatch):
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda _, **options: popen([sys.executable, "-c", RUNAWAY, str(tmp_path / "pid")], **options),
    )
    monkeypatch.setattr(untrusted, "SECONDS", 1.5)
    assert refused(CNN) == "the model's conversion took longer than 1.5 seconds and was ended"
    grandchild = (tmp_path / "pid").read_text()
    # The system ends a process soon, not at once.
    wait_until(lambda: not runs(grandchild), seconds=20)
    assert list(temporary.iterdir()) == []


def with_child(monkeypatch, code: str) -> None:
    """Let this code run in the place of the conversion."""
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **options: popen([sys.executable, "-c", code], **options))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "crashed the conversion"),
        ("import sys; sys.exit(1)", "crashed the conversion"),
        ("import sys; sys.exit('x' * 10**7)", "crashed the conversion"),
        (
            "import sys; print('error: ' + 'x' * 10**7, file=sys.stderr); sys.exit(2)",
            "the model can't be used: xxx",
        ),
        (
            "import os, sys; print('error: in', os.getcwd(), file=sys.stderr); sys.exit(2)",
            "the model can't be used: in",
        ),
        ("open('model.onnx', 'wb').write(bytes(31_000_000))", "crashed the conversion"),
        ("open('model.onnx', 'wb').write(b'no export')", "model.onnx can't be opened as an ONNX digit classifier"),
        ("", "crashed the conversion"),
    ],
)
def test_odd_child_ends_in_a_sentence(code, reason, temporary, monkeypatch):
    with_child(monkeypatch, code)
    assert reason in (said := refused(CNN))
    assert str(temporary) not in said
    assert list(temporary.iterdir()) == []


def test_only_one_model_is_converted_at_a_time(monkeypatch):
    with_child(monkeypatch, "import sys; sys.exit(1)")
    monkeypatch.setattr(untrusted, "SECONDS", 0.2)
    holder = threading.Thread(target=untrusted._turn.acquire)
    holder.start()
    holder.join()
    assert "try again in a minute" in refused(CNN)
    untrusted._turn.release()
    monkeypatch.setattr(untrusted, "SECONDS", 10)
    assert "crashed the conversion" in refused(CNN)
    assert not untrusted._turn.locked()


@pytest.mark.skipif(sys.platform != "linux", reason="macOS heeds only some limits, Windows has none")
@pytest.mark.parametrize(
    ("code", "error"),
    [("bytearray(400_000_000)", "MemoryError"), ("open('big', 'wb').write(bytes(31_000_000))", "File too large")],
)
def test_confined_process_can_take_no_more(code, error, tmp_path):
    program = f"from digits.untrusted import worker; worker.confine(300_000_000); {code}"
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT / "src")}
    command = [sys.executable, "-c", program]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert error in process.stderr
