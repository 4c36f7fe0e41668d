import hashlib
import json
import os
import shutil
import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
from distributed import LocalCluster

from digits import corruptions, data, evaluation, paths
from digits.checkpoints import cards, recognizer
from digits.corruptions import CORRUPTIONS, select
from digits.robustness import plan as sweep_plan
from digits.robustness import report, sweep
from digits.robustness.analysis import Robustness
from tools import readme

MODELS = ("mnist_cnn", "mnist_logistic")


def plan_of(digits, **changes) -> sweep_plan.Plan:
    models, problems = sweep_plan.find_models(MODELS, paths.MODELS)
    assert not problems
    chosen, indices = data.evenly_spaced(digits, 60)
    settings = {
        "digits": chosen,
        "indices": indices,
        "source": "validation digits",
        "models": tuple(models),
        "corruptions": select(["gaussian_noise", "rotate", "fog"]),
        "severities": (1, 4),
        "seed": 0,
    }
    return sweep_plan.Plan(**settings | changes)


def test_ensembles_and_local_models_are_evaluated_only_when_named(tmp_path):
    for name in ("mnist_ensemble", "mnist_mlp"):
        shutil.copy(paths.MODELS / f"{name}.json", tmp_path)
    text = (paths.MODELS / "mnist_mlp.json").read_text()
    (tmp_path / "demo_mlp.json").write_text(text.replace("mnist_mlp", "demo_mlp"))
    personal = json.loads(text.replace("mnist_mlp", "mine")) | {"base": {"name": "mnist_mlp", "sha256": "of it"}}
    (tmp_path / "mine.json").write_text(json.dumps(personal))
    assert cards.available(tmp_path) == ["demo_mlp", "mine", "mnist_ensemble", "mnist_mlp"]
    assert {card["name"] for card in readme.shipped_cards(tmp_path)} == {"mnist_ensemble", "mnist_mlp"}
    (tmp_path / "broken.json").write_text("{")
    assert sweep_plan.default_models(tmp_path) == ["broken", "mnist_mlp"]
    models, _ = sweep_plan.find_models(["mnist_ensemble"], paths.MODELS)
    assert models[0].name == "mnist_ensemble"


def outcome(results: sweep.Results) -> tuple[list, list]:
    """Everything in a sweep except times."""
    hashes = [cell.images_sha256 for cell in results.cells]
    rows = [{name: row[name] for name in row if "seconds" not in name} for row in results.rows()]
    return hashes, rows


@pytest.fixture
def plan(some_digits) -> sweep_plan.Plan:
    return plan_of(some_digits)


@pytest.fixture
def expected(plan, tmp_path_factory):
    return outcome(sweep.run(plan, tmp_path_factory.mktemp("expected"), batch_size=500))


@pytest.mark.parametrize(("batch_size", "workers"), [(7, 1), (60, 2)])
def test_batch_size_and_workers_change_nothing(plan, expected, batch_size, workers, tmp_path):
    assert outcome(sweep.run(plan, tmp_path, batch_size, workers)) == expected


def test_rows_are_those_of_a_plain_evaluation_of_the_corrupted_digits(plan, expected):
    rows = {(row["model"], row["corruption"], row["severity"]): row for row in expected[1]}
    assert len(rows) == 2 * (1 + 3 * 2)
    for name in MODELS:
        for corruption, severity in plan.cells():
            images = corruptions.corrupt(plan.digits.images, corruption, severity, plan.seed, plan.indices)
            whole = evaluation.evaluate(recognizer.load(name), data.Digits(images, plan.digits.labels)).scores()
            row = rows[name, corruption, severity]
            assert (row["n"], row["correct"]) == (60, whole["correct"])
            assert [row["accuracy_low"], row["accuracy_high"]] == whole["interval"]
            for score in ("nll", "brier", "ece", "mean_confidence"):
                assert row[score] == pytest.approx(whole[score], rel=1e-5)
    assert rows["mnist_cnn", "rotate", 4]["parameter"] == 45
    assert rows["mnist_cnn", "rotate", 4]["unit"] == "degrees"


def test_hashes_are_of_the_corrupted_images_in_order(plan, expected, some_digits):
    whole = corruptions.corrupt(some_digits.images, "fog", 4, plan.seed)
    assert hashlib.sha256(whole[plan.indices].tobytes()).hexdigest() in expected[0]
    assert len(set(expected[0])) == len(plan.cells())


def test_another_seed_corrupts_differently(some_digits, expected, tmp_path):
    hashes, _ = outcome(sweep.run(plan_of(some_digits, seed=1), tmp_path, 500))
    assert hashes[0] == expected[0][0]
    assert not set(hashes[1:]) & set(expected[0])


def test_an_interrupted_sweep_resumes(plan, expected, tmp_path):
    sweep.run(plan, tmp_path, 500)
    cells = sorted((tmp_path / "cells").iterdir())
    before = {cell: cell.stat().st_mtime_ns for cell in cells[::2]}
    for cell in cells[1::2]:
        cell.unlink()
    assert outcome(sweep.run(plan, tmp_path, 500)) == expected
    assert {cell: cell.stat().st_mtime_ns for cell in before} == before


def test_corruptions_can_be_added_to_a_finished_sweep(some_digits, expected, tmp_path):
    fewer = plan_of(some_digits, corruptions=select(["rotate"]), severities=(4,))
    sweep.run(fewer, tmp_path, 500)
    assert outcome(sweep.run(plan_of(some_digits), tmp_path, 500)) == expected
    sweep.run(fewer, tmp_path, 500)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert len(manifest["corrupted_images_sha256"]) == 7


def test_a_new_corruption_leaves_earlier_sweeps_valid_and_a_changed_one_does_not(some_digits, tmp_path, monkeypatch):
    rotated, foggy = (plan_of(some_digits, corruptions=select([name]), severities=(4,)) for name in ("rotate", "fog"))
    sweep.run(rotated, tmp_path, 500)
    before = (tmp_path / "cells" / "rotate-4.npz").stat().st_mtime_ns
    monkeypatch.setitem(CORRUPTIONS, "smear", replace(CORRUPTIONS["fog"], name="smear"))
    monkeypatch.setitem(CORRUPTIONS, "jpeg", replace(CORRUPTIONS["jpeg"], levels=(9, 8, 7, 6, 5)))
    sweep.run(rotated, tmp_path, 500)
    sweep.run(foggy, tmp_path, 500)
    sweep.run(rotated, tmp_path, 500)
    assert (tmp_path / "cells" / "rotate-4.npz").stat().st_mtime_ns == before
    levels = json.loads((tmp_path / "manifest.json").read_text())["levels"]
    assert levels.keys() == {"rotate", "fog"}

    thicker = replace(CORRUPTIONS["fog"], levels=(1, 2, 3, 4, 5))
    with pytest.raises(ValueError, match="other levels"):
        sweep.run(replace(foggy, corruptions=(thicker,)), tmp_path, 500)


@pytest.mark.parametrize("content", ["", "[]", "[1]", "{}", "3", "null", '{"levels": 3}', "[" * 99_999])
def test_a_damaged_manifest_is_named(content, plan, tmp_path):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        sweep.run(plan, tmp_path, 500)


@pytest.mark.parametrize("what", ["seed", "versions", "models", "labels_sha256"])
def test_a_folder_of_another_sweep_is_refused(plan, what, tmp_path):
    sweep.run(plan, tmp_path, 500)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {what: "other"}))
    with pytest.raises(ValueError, match=f"other {what}.*--restart"):
        sweep.run(plan, tmp_path, 500)
    sweep.clear(tmp_path)
    sweep.run(plan, tmp_path, 500)


def test_models_in_another_order_are_refused(some_digits, plan, tmp_path):
    sweep.run(plan, tmp_path, 500)
    with pytest.raises(ValueError, match="other models"):
        sweep.run(plan_of(some_digits, models=plan.models[::-1]), tmp_path, 500)


def test_cells_without_a_manifest_are_refused(plan, tmp_path):
    sweep.run(plan, tmp_path, 500)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(ValueError, match="no manifest"):
        sweep.run(plan, tmp_path, 500)


def test_a_damaged_cell_is_named(plan, tmp_path):
    sweep.run(plan, tmp_path, 500)
    (tmp_path / "cells" / "fog-4.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(ValueError, match=r"fog-4\.npz is not a valid cell"):
        sweep.run(plan, tmp_path, 500)


def test_invalid_plans_are_refused(some_digits, plan):
    with pytest.raises(ValueError, match="at least one image"):
        replace(plan, digits=data.Digits(some_digits.images[:0], some_digits.labels[:0]))
    for severities in ((), (0, 1), (1, 6)):
        with pytest.raises(ValueError, match="from 1 to 5"):
            plan_of(some_digits, severities=severities)
    with pytest.raises(ValueError, match="ascend"):
        plan_of(some_digits, severities=(2, 1))
    for batch_size, workers in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            sweep.run(plan, paths.REPORTS, batch_size, workers)


def test_evenly_spaced_digits_cover_the_data_set(some_digits):
    chosen, indices = data.evenly_spaced(some_digits, 4)
    np.testing.assert_array_equal(indices, [0, 333, 666, 999])
    np.testing.assert_array_equal(chosen.images, some_digits.images[indices])
    assert len(data.evenly_spaced(some_digits, 5000)[0]) == 1000


def test_a_model_file_that_changed_is_refused(tmp_path):
    copy = tmp_path / "mine.onnx"
    copy.write_bytes((paths.MODELS / "mnist_logistic.onnx").read_bytes())
    model = sweep_plan.Model("mine", str(copy), "0" * 64)
    with pytest.raises(ValueError, match="differs from the file"):
        sweep_plan.open_model(model)


def test_what_to_know_of_a_model_is_said_once_and_not_by_every_worker(tmp_path, monkeypatch, caplog):
    copy = tmp_path / "mine.onnx"
    copy.write_bytes((paths.MODELS / "mnist_logistic.onnx").read_bytes())
    opened = replace(recognizer.load("mnist_logistic"), path=copy, note="it gets digits as 0 to 255")
    monkeypatch.setattr(recognizer, "_stranger", lambda *_: opened)
    (model,), _ = sweep_plan.find_models([str(copy)], paths.MODELS)
    assert [record.getMessage() for record in caplog.records] == ["mine.onnx: it gets digits as 0 to 255"]
    # As in another process.
    sweep_plan.open_model.cache_clear()
    sweep_plan.open_model(model)
    assert len(caplog.records) == 1


def test_a_dask_cluster_gives_the_same_and_survives_the_loss_of_its_workers(some_digits, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(paths.ROOT / "src"))
    # So many digits that joblib would rather leave their indices with one worker than send them with every task.
    plan = plan_of(some_digits, corruptions=tuple(CORRUPTIONS.values())[::3])
    plan = replace(plan, digits=some_digits.first(200), indices=np.arange(200))
    cells = tmp_path / "cluster" / "cells"
    finished_at_loss = []
    has_ended = threading.Event()

    def kill(workers: list[int]) -> None:
        while not has_ended.wait(0.001):
            if finished := len(list(cells.glob("[!.]*.npz"))):
                finished_at_loss.append(finished)
                for worker in workers:
                    os.kill(worker, signal.SIGKILL)
                return

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="CRITICAL") as cluster:
        killer = threading.Thread(target=kill, args=[[worker.pid for worker in cluster.workers.values()]])
        killer.start()
        try:
            results = sweep.run(plan, tmp_path / "cluster", 500, scheduler=cluster.scheduler_address)
        finally:
            has_ended.set()
            killer.join()
    assert finished_at_loss[0] < len(plan.cells())
    assert outcome(results) == outcome(sweep.run(plan, tmp_path / "local", 500))


def test_a_summary_is_the_same_json_for_the_same_sweep(plan, tmp_path):
    texts = []
    for run in range(2):
        results = sweep.run(plan, tmp_path / str(run), 500).best_first()
        found = Robustness(results, {name: recognizer.load(name).card for name in MODELS}, "mnist_logistic")
        texts.append(json.dumps(report.summarise(found, {}, {}), allow_nan=False))
    assert texts[0] == texts[1]


def test_every_corruption_is_found_by_its_own_name():
    assert all(name == corruption.name for name, corruption in CORRUPTIONS.items())
