"""Models, without a browser: accuracy under corruptions as it was measured, and a sweep queued from the page."""

import subprocess
import sys

import pandas as pd
import pytest

from digits import paths
from digits.corruptions import CORRUPTIONS
from panels import cache
from panels.models import sweeps
from tests.app.apptest import FakeQueue, Page, borrow_models, chart, open_at_once, paths_in

SWEPT = pd.read_csv(paths.ROOT / "docs" / "robustness" / "results.csv")


@pytest.fixture
def at(monkeypatch, few_test_digits) -> Page:
    return Page(monkeypatch).show("Models")


@pytest.fixture
def queue(monkeypatch) -> FakeQueue:
    made = FakeQueue()
    monkeypatch.setattr(cache, "queue", lambda: made)
    return made


@pytest.mark.parametrize("kind", ["mean over corruptions", "fog", "rotate"])
def test_robustness_curves_are_the_committed_results(at, kind):
    names = ["mnist_advanced", "mnist_logistic"]
    at.set(compared_models=names, corruption=kind)
    found = {
        (row["model"], row["severity"]): (row["accuracy"], row["low"], row["high"])
        for row in chart(at, "Accuracy by severity")
    }
    some = SWEPT[SWEPT.model.isin(names)]
    if kind == "mean over corruptions":
        means = some.groupby(["model", "severity"]).accuracy.mean()
        assert found == {place: (pytest.approx(mean),) * 3 for place, mean in means.items()}
        return
    some = some[some.corruption.isin(["clean", kind])]
    assert found == {
        (row.model, row.severity): (row.accuracy, row.accuracy_low, row.accuracy_high) for row in some.itertuples()
    }
    assert len(found) == 12


def test_every_corruption_has_its_curve():
    curves = sweeps.known(cache.open_model("mnist_cnn")).curves
    assert list(curves) == ["mean over corruptions", *CORRUPTIONS]
    assert all([point[0] for point in curve] == [0, 1, 2, 3, 4, 5] for curve in curves.values())


def test_sweep_of_another_file_of_that_name_does_not_count(tmp_path, monkeypatch):
    folder = borrow_models(monkeypatch, tmp_path, "mnist_logistic")
    (folder / "mnist_logistic.json").unlink()
    (folder / "mnist_logistic.keras").write_bytes(b"trained anew")
    open_at_once(monkeypatch)
    assert sweeps.known(cache.open_model("mnist_logistic")) is None


@pytest.mark.parametrize("summary", [None, "{", "{}", '{"models": {}}'])
def test_broken_report_counts_as_none(summary, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "COMMITTED", tmp_path)
    monkeypatch.setattr(paths, "REPORTS", tmp_path)
    if summary:
        (tmp_path / "summary.json").write_text(summary)
    assert sweeps.known(cache.open_model("mnist_cnn")) is None


@pytest.fixture
def unswept(at, tmp_path, monkeypatch, queue) -> Page:
    """The panel with one model that no report speaks of."""
    monkeypatch.setattr(sweeps, "COMMITTED", tmp_path)
    monkeypatch.setattr(paths, "REPORTS", tmp_path)
    return at.set(compared_models=["mnist_cnn"])


def test_quick_sweep_is_queued_with_a_command_that_the_script_understands(unswept, queue, tmp_path):
    assert "mnist_cnn has no corruption sweep yet." in unswept.captions
    unswept.click("Run a quick sweep of mnist_cnn")
    (job,) = queue.jobs
    assert job.title == "Quick sweep of mnist_cnn"
    script, *options = job.arguments
    code = (
        "import sys, tyro, evaluate_robustness as script\n"
        "found = tyro.cli(script.Options, args=sys.argv[1:])\n"
        "print(found.quick, found.restart, found.worst_case, *found.models, found.output_dir, sep='|')"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *options], cwd=paths.ROOT / "src", capture_output=True, text=True, check=True
    )
    folder = tmp_path / "app" / "sweeps" / "mnist_cnn"
    assert process.stdout.strip() == f"True|True|False|{paths.MODELS / 'mnist_cnn.keras'}|{folder}"
    assert script == str(paths.ROOT / "src" / "evaluate_robustness.py")
    assert "Quick sweep of mnist_cnn: 2 ahead of it" in str(unswept.app.get("progress")[0].proto)


def test_progress_counts_the_cells_of_a_quick_sweep(unswept, queue, tmp_path):
    unswept.click("Run a quick sweep of mnist_cnn")
    (job,) = queue.jobs
    assert job.ask() == 0
    cells_folder = tmp_path / "app" / "sweeps" / "mnist_cnn" / "cells"
    cells_folder.mkdir(parents=True)
    for number in range(17):
        (cells_folder / f"{number}.npz").touch()
    (cells_folder / ".half-written.npz").touch()
    assert job.ask() == pytest.approx(17 / (1 + 3 * 28))


def test_job_can_be_watched_and_tried_again_when_it_failed(unswept, queue):
    unswept.click("Run a quick sweep of mnist_cnn")
    (job,) = queue.jobs
    job.state, job.progress = "running", 0.25
    assert "Quick sweep of mnist_cnn: 25%" in str(unswept.run().app.get("progress")[0].proto)
    assert [each.label for each in unswept.app.button if each.label.startswith("Run")] == []
    job.state, job.error = "failed", "no space left"
    assert unswept.run().errors == ["The sweep failed: no space left"]
    unswept.click("Run a quick sweep of mnist_cnn")
    assert len(queue.jobs) == 2
    assert not unswept.errors


def test_failure_of_a_sweep_gives_no_folder_away(unswept, queue):
    unswept.click("Run a quick sweep of mnist_cnn")
    queue.jobs[0].state, queue.jobs[0].error = "failed", f"no checkpoint {paths.ROOT}/models/mnist_cnn.keras"
    assert not paths_in(unswept.run().everything())


def test_job_whose_report_has_gone_does_not_keep_the_page_busy(unswept, queue):
    unswept.click("Run a quick sweep of mnist_cnn")
    queue.jobs[0].state = "done"
    unswept.app.default_timeout = 5
    unswept.run()
    assert [each.label for each in unswept.app.button if each.label == "Run a quick sweep of mnist_cnn"]


def test_full_queue_says_so(unswept, monkeypatch, queue):
    def full(*_arguments, **_options):
        raise ValueError("the server is busy: 4 jobs are waiting; try again later")

    monkeypatch.setattr(queue, "submit", full)
    unswept.click("Run a quick sweep of mnist_cnn")
    assert unswept.errors == ["the server is busy: 4 jobs are waiting; try again later"]


def test_public_page_starts_no_sweep(unswept, monkeypatch):
    monkeypatch.setattr(cache, "IS_PUBLIC", True)
    unswept.run()
    assert "mnist_cnn has no corruption sweep yet." in unswept.captions
    assert not [each for each in unswept.app.button if "sweep" in each.label]
