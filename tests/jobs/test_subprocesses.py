"""No Python process that the project starts imports what lies in the current folder; the runner's log and limits."""

import subprocess
import sys
from pathlib import Path

import pytest

from digits import paths
from digits.jobs import subprocesses

# A stranger's folder may hold files with these names; the last is a module of this project.
NAMES = ("pickle", "json", "numpy", "joblib", "keras", "onnxruntime", "tqdm", "digits")


@pytest.fixture
def trap(tmp_path, monkeypatch) -> Path:
    """The current folder, with modules in it that leave a mark when they are imported."""
    folder = tmp_path / "trap"
    folder.mkdir()
    for name in NAMES:
        (folder / f"{name}.py").write_text(f"open(__file__ + '.ran', 'w').close()\nraise ImportError({name!r})")
    monkeypatch.chdir(folder)
    return folder


def assert_untouched(folder: Path) -> None:
    assert sorted(path.name for path in folder.glob("*.ran")) == []


@pytest.mark.parametrize("python_path", [None, "", ":", ":/nowhere"])
def test_child_and_grandchild_import_nothing_from_the_current_folder(trap, monkeypatch, python_path):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if python_path is not None:
        monkeypatch.setenv("PYTHONPATH", python_path)
    imports = "import digits, json, joblib"
    grandchild = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {imports!r}], check=True)"
    for code in (imports, grandchild):
        assert subprocesses.run_python(["-c", code]) == subprocesses.Result("done", 0)
    assert subprocesses.run_python(["-m", "digits.jobs.subprocesses"]) == subprocesses.Result("done", 0)
    assert_untouched(trap)


def test_joblib_workers_import_nothing_from_the_current_folder(trap):
    # In a process of its own, because joblib keeps workers that it has.
    code = (
        "import os; from joblib import Parallel, delayed; from digits.jobs import parallel\n"
        "with parallel.backend(2, None):\n"
        "    workers = set(Parallel()(delayed(os.getpid)() for _ in range(4)))\n"
        "assert workers and os.getpid() not in workers\n"
        "with parallel.backend(1, None): pass\n"
        "assert 'PYTHONSAFEPATH' not in os.environ"
    )
    environment = {"PYTHONPATH": str(paths.ROOT / "src"), "PATH": ""}
    subprocess.run([sys.executable, "-P", "-c", code], env=environment, check=True)
    assert_untouched(trap)


def test_scripts_import_nothing_from_the_current_folder(trap):
    script, picture = paths.ROOT / "src" / "predict.py", next(paths.MY_DIGITS.glob("sample/7/*.png"))
    process = subprocess.run([sys.executable, script, picture], capture_output=True, text=True, check=True)
    assert f"{picture}: 7" in process.stdout
    assert_untouched(trap)


def test_output_is_appended_to_the_log_and_its_last_line_is_the_reason(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("before\n")
    code = "import sys; print('printed', flush=True); sys.exit('error: the disk is full')"
    assert subprocesses.run_python(["-c", code], log=log) == subprocesses.Result("failed", 1, "the disk is full")
    assert log.read_text() == "before\nprinted\nerror: the disk is full\n"
    with pytest.raises(FileNotFoundError, match=r"nowhere/log\.txt"):
        subprocesses.run_python(["-c", "pass"], log=tmp_path / "nowhere" / "log.txt")


def test_the_time_limit_has_no_status():
    result = subprocesses.run_python(["-c", "import time; time.sleep(60)"], time_limit=0.2)
    assert result == subprocesses.Result("failed", None, "it took longer than 0.2 seconds and was ended")


def test_a_given_environment_and_folder_are_all_that_a_child_gets(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    code = "import os, sys; sys.exit(f\"{os.getcwd()} {os.environ.get('SECRET_TOKEN')} {os.environ['GIVEN']}\")"
    result = subprocesses.run_python(["-c", code], environment={"GIVEN": "1"}, folder=tmp_path)
    assert result.reason == f"{tmp_path} None 1"


def test_only_one_module_starts_python():
    using = {path for path in (paths.ROOT / "src").rglob("*.py") if "sys.executable" in path.read_text("utf-8")}
    assert using == {Path(subprocesses.__file__)}
