"""The process that opens a stranger's file can do no harm, however it ends."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from digits import paths
from digits.untrusted import confinement
from tests.support import wait_until


def refused(folder: Path) -> str:
    """The message with which a process that failed is reported."""
    with pytest.raises(ValueError, match=r"\w") as raised:
        confinement.run("digits.checkpoints.convert", "stranger.onnx", folder, "model")
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600
    return str(raised.value)


def test_child_sees_nothing_of_this_process(tmp_path, monkeypatch):
    started = []
    popen = subprocess.Popen

    def watch(command, **options):
        started.append(options)
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", watch)
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    (tmp_path / "stranger.onnx").write_bytes(b"not a model")
    assert "isn't a whole ONNX model" in refused(tmp_path)
    (options,) = started
    assert "hunter2" not in str(options["env"])
    assert options["env"]["HOME"] == str(options["cwd"]) == str(tmp_path)


def test_child_that_needs_too_much_memory_is_ended(tmp_path, monkeypatch):
    monkeypatch.setitem(confinement.LIMITS, "model", (20, 60_000_000, 10**6))
    (tmp_path / "stranger.onnx").write_bytes((paths.MODELS / "mnist_cnn.onnx").read_bytes())
    assert "memory" in refused(tmp_path).lower()


RUNAWAY = """
import subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(grandchild.pid))
time.sleep(60)
"""


def runs(pid: str) -> bool:
    status = Path("/proc", pid, "stat")
    return status.exists() and status.read_text().split(")")[1].split()[0] != "Z"


def test_child_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path, monkeypatch):
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda _, **options: popen([sys.executable, "-c", RUNAWAY, str(tmp_path / "pid")], **options),
    )
    monkeypatch.setattr(confinement, "SECONDS", 1.5)
    with pytest.raises(TimeoutError, match=r"wasn't opened within 1.5 seconds"):
        confinement.run("digits.checkpoints.convert", "stranger.onnx", tmp_path, "model")
    grandchild = (tmp_path / "pid").read_text()
    # The system ends a process soon, not at once.
    wait_until(lambda: not runs(grandchild), seconds=20)


def with_child(monkeypatch, code: str) -> None:
    """Let this code run in the place of the conversion."""
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **options: popen([sys.executable, "-c", code], **options))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "crashed while it was opened"),
        ("import sys; sys.exit(1)", "crashed while it was opened"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "took too long to open"),
        ("import sys; sys.exit('x' * 10**7)", "crashed while it was opened"),
        ("import sys; print('error: ' + 'x' * 10**7, file=sys.stderr); sys.exit(2)", "xxx"),
        ("import os, sys; print('error: in', os.getcwd(), file=sys.stderr); sys.exit(2)", "in "),
    ],
)
def test_odd_child_ends_in_a_sentence(code, reason, tmp_path, monkeypatch):
    with_child(monkeypatch, code)
    assert reason in (said := refused(tmp_path))
    assert str(tmp_path) not in said


def test_only_one_model_is_opened_at_a_time(tmp_path, monkeypatch):
    with_child(monkeypatch, "import sys; sys.exit(1)")
    monkeypatch.setattr(confinement, "SECONDS", 0.2)
    holder = threading.Thread(target=confinement._turn.acquire)
    holder.start()
    holder.join()
    with pytest.raises(TimeoutError, match="try again in a minute"):
        confinement.run("digits.checkpoints.convert", "stranger.onnx", tmp_path, "model")
    confinement._turn.release()
    monkeypatch.setattr(confinement, "SECONDS", 10)
    assert "crashed" in refused(tmp_path)
    assert not confinement._turn.locked()


@pytest.mark.skipif(sys.platform != "linux", reason="macOS heeds only some limits, Windows has none")
@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("bytearray(400_000_000)", 1, "MemoryError"),
        ("open('big', 'wb').write(bytes(61_000_000))", 1, "File too large"),
        ("while True: pass", -24, ""),
    ],
)
def test_confined_process_can_take_no_more(code, status, error, tmp_path):
    program = f"from digits.untrusted import confinement; confinement.confine(1, 300_000_000, 60_000_000)\n{code}"
    environment = os.environ | {"PYTHONPATH": str(paths.ROOT / "src")}
    command = [sys.executable, "-c", program]
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == status
    assert error in process.stderr
