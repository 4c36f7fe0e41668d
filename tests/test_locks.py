"""Two processes that would write to one folder or one checkpoint: one does, and the other is refused in a sentence."""

import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from digits import files, paths
from digits.checkpoints import recognizer
from tests.support import assert_one_line_error, wait_until

HOLD = """
import sys
from pathlib import Path
from digits import files
with files.locked(Path(sys.argv[1]), "--name", *sys.argv[2:]):
    print("held", flush=True)
    sys.stdin.read()
"""
STUDY = """
description = "One network"
scored_on = "validation"
seeds = [0]

[variants.plain]
trainer = "train_mlp"
"""


@pytest.fixture
def start(tmp_path):
    """Start Python with arguments in the background; what still runs at the end is killed."""
    processes = []

    def start(*arguments: object) -> subprocess.Popen:
        command = [sys.executable, *map(str, arguments)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        environment = os.environ | {"PYTHONPATH": str(paths.ROOT / "src")}
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@contextmanager
def held(folder: Path, name: str = "") -> Iterator[Path]:
    """A lock that another thread holds, as another process might."""
    with ThreadPoolExecutor(1) as holder:
        lock = files.locked(folder, "--name", name)
        try:
            yield holder.submit(lock.__enter__).result()
        finally:
            holder.submit(lock.__exit__, None, None, None).result()


def take(folder: Path, name: str = "") -> None:
    with files.locked(folder, "--name", name) as locked:
        assert locked == folder


def test_a_folder_is_refused_until_its_process_is_killed(tmp_path, start):
    holder = start("-c", HOLD, tmp_path / "run")
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ValueError, match=r"another process is writing to .*run; wait .* or choose another --name"):
        take(tmp_path / "run")
    take(tmp_path / "another")
    take(tmp_path / "run", "checkpoint")
    holder.kill()
    holder.wait()
    take(tmp_path / "run")


def test_of_many_at_once_one_gets_the_checkpoint(tmp_path, start):
    holders = [start("-c", HOLD, tmp_path, "checkpoint") for _ in range(5)]
    assert sorted(holder.stdout.readline() for holder in holders) == ["", "", "", "", "held\n"]


def test_a_thread_takes_its_own_lock_again_and_another_thread_is_refused(tmp_path):
    with ThreadPoolExecutor(1) as pool, files.locked(tmp_path, "--name"):
        take(tmp_path)
        with pytest.raises(ValueError, match="another process is writing"):
            pool.submit(take, tmp_path).result()
    take(tmp_path)


def test_a_lock_file_that_cannot_be_opened_is_one_sentence(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(ValueError, match=r"can't lock .*; choose another --name"):
        take(tmp_path)


@pytest.mark.parametrize(
    ("script", "arguments", "locked"),
    [
        ("evaluate", ["--output-dir", "out"], ("out", "")),
        ("visualize_features", ["--output-dir", "out"], ("out", "")),
        ("evaluate_robustness", ["--output-dir", "out", "--restart"], ("out", "")),
        ("evaluate_robustness", ["--output-dir", "out", "--image", "7.png"], ("out", "")),
        ("finetune_on_custom", ["--report-dir", "out"], ("out", "")),
        ("finetune_on_custom", ["--report-dir", "out", "--output-dir", "models"], ("models", "mnist_finetuned")),
        ("train_baseline", ["--output-dir", "models"], ("models", "mnist_linear_svm")),
    ],
)
def test_scripts_leave_alone_what_another_process_writes(script, arguments, locked, run_script, tmp_path):
    folder, name = locked
    with held(tmp_path / folder, name):
        process = run_script(script, *arguments, check=False)
    assert_one_line_error(process, f"another process is writing to {Path(folder, name)}", "choose another --")


def test_a_sweep_is_alone_in_its_folder_and_goes_on_after_a_kill(run_script, start, tmp_path):
    few = ["--quick", "--limit", "50", "--no-worst-case", "--corruptions", "fog", "rotate", "zigzag"]
    sweep = [*few, "--models", "mnist_logistic", "--output-dir", "out"]
    first = start(paths.ROOT / "src" / "evaluate_robustness.py", *sweep)
    wait_until(lambda: any((tmp_path / "out" / "cells").glob("[!.]*.npz")), seconds=60)
    # It holds its folder for as long as it takes to try the others.
    first.send_signal(signal.SIGSTOP)
    assert first.poll() is None
    assert_one_line_error(run_script("evaluate_robustness", *sweep, "--restart", check=False), "is writing to out")
    (tmp_path / "study.toml").write_text(STUDY)
    assert_one_line_error(
        run_script("run_study", "study.toml", "--output-dir", "out", check=False), "is writing to out"
    )
    first.kill()
    first.wait()
    run_script("evaluate_robustness", *sweep)
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_study_is_not_restarted_while_a_trainer_of_it_is_left(run_script, tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    with held(tmp_path / "out" / "runs" / "plain-0" / "plain") as trained:
        (trained / "history.json").write_text("{}")
        (trained.parent / "run.json").write_text("{}")
        process = run_script("run_study", "study.toml", "--output-dir", "out", "--restart", check=False)
    assert_one_line_error(process, "another process is writing to out/runs/plain-0/plain")
    assert (trained / "history.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("during", ["digits.training.loop.fit", "digits.checkpoints.publishing.publish"])
def test_two_trainings_of_one_name_never_mix(during, run_script, few_digits, monkeypatch, tmp_path):
    """The second begins while the first trains or publishes, in another thread, as another process might."""
    arguments = ["train_mlp", "--name", "twice", "--limit", 300, "--no-score-test", "--output-dir", "models"]
    original, others = pkgutil.resolve_name(during), []

    def beside_another(*options, **named):
        with ThreadPoolExecutor(1) as thread:
            second = [*arguments, "--epochs", 2, "--report-dir", "elsewhere"]
            others.append(thread.submit(run_script, *second, check=False).result())
        return original(*options, **named)

    monkeypatch.setattr(during, beside_another)
    run_script(*arguments, "--epochs", 1, "--report-dir", "reports")
    (refused,) = others
    assert_one_line_error(refused, "another process is writing to models/twice; wait")
    card = recognizer.load("twice", tmp_path / "models").card
    assert card["recipe"]["epochs"] == 1
    history = tmp_path / "reports" / "twice" / "history.json"
    assert json.loads(history.read_text()) == card["training"]["history"]
