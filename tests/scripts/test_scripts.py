"""Every script, run as a user runs it, with what a user gets wrong."""

import csv
import hashlib
import json
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from digits import corruptions, data, paths, preprocess
from digits.checkpoints import recognizer
from digits.corruptions import CORRUPTIONS
from digits.recognition.verdict import judge
from tests.support import assert_one_line_error, folder_bytes


@pytest.fixture
def pictures(tmp_path, some_digits):
    """A folder of six pictures of test-like digits, two of them in a folder of its own."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for index in range(6):
        large = 255 - cv2.resize(some_digits.images[index], (140, 140), interpolation=cv2.INTER_CUBIC)
        Image.fromarray(large).save(folder / ("more" if index > 3 else ".") / f"{index}.png")
    return folder


def test_predict_reads_files_folders_and_globs_in_order(run_script, pictures, some_digits):
    names = (pictures / "3.png", pictures / "more", f"{pictures}/[01].png")
    process = run_script("predict", "--json", *names, in_new_process=True)
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    assert [line["path"].rsplit("/", 1)[1] for line in lines] == ["3.png", "4.png", "5.png", "0.png", "1.png"]
    assert [line["prediction"] for line in lines] == some_digits.labels[[3, 4, 5, 0, 1]].tolist()
    counts = {"digits_found", "other_marks"}
    recognized = {"prediction", "confidence", "prediction_set", "verdict", "probabilities"} | counts
    for line in lines:
        assert set(line) == {"path", "turned", "reading"} | recognized
        assert sum(line["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert line["confidence"] == max(line["probabilities"])


def test_predict_goes_on_past_what_it_cannot_read(run_script, pictures):
    odd = "two\nlines, \x1b[31m.png"
    (pictures / odd).write_text("not an image")
    Image.new("L", (50, 50), 255).save(pictures / "blank.png")
    names = [pictures / name for name in ("0.png", odd, "missing.png", "blank.png", "1.png")]
    process = run_script("predict", "--json", *names, check=False)
    assert process.returncode == 2
    lines = [json.loads(line) for line in process.stdout.splitlines()]
    assert [line["path"] for line in lines] == [str(name) for name in names]
    assert ["error" in line for line in lines] == [False, True, True, True, False]
    assert "nothing is drawn" in lines[3]["error"]
    assert all(set(line) == {"path", "error"} for line in lines[1:4])
    plain = run_script("predict", *names, check=False)
    assert plain.returncode == 2
    assert [line[:7] for line in plain.stderr.splitlines()] == ["error: "] * 3
    assert r"two lines, \x1b[31m.png" in plain.stderr


def test_predict_ends_quietly_when_nobody_reads_on(pictures):
    command = f"'{sys.executable}' '{paths.ROOT}/src/predict.py' '{pictures}' --model mnist_cnn | true"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert process.stderr == ""


def test_predict_writes_what_it_saw_and_how_sure_it_is(run_script, pictures, tmp_path):
    process = run_script(
        "predict",
        pictures / "2.png",
        "--show-input",
        tmp_path / "seen.png",
        "--save-plot",
        tmp_path / "plots",
        "--top=2",
    )
    assert "dark ink on light paper" in process.stdout
    assert np.asarray(Image.open(tmp_path / "seen.png")).shape == (28, 28)
    (plot,) = (tmp_path / "plots").iterdir()
    assert np.asarray(Image.open(plot)).std() > 10
    assert process.stdout.splitlines()[0].count("%") == 2


def test_predict_names_the_pictures_that_it_writes_without_a_path(run_script, pictures, tmp_path):
    one = run_script("predict", pictures / "2.png", "--show-input", "--save-plot", "--output-dir", "out").stdout
    found = run_script("predict", "--many", "--save-plot", "--json", pictures / "2.png", "--output_dir", "all")
    assert json.loads(found.stdout)["number"]
    for line in [*one.splitlines()[2:], found.stderr]:
        kind, path = line.split(": ")
        height, width = cv2.imread(str(tmp_path / path.strip())).shape[:2]
        assert (height, width) == (28, 28) if kind.strip() == "input" else width > 100
    assert len(list((tmp_path / "out").rglob("*.png"))) == 2


def test_predict_writes_a_picture_each_and_overwrites_none(run_script, pictures, tmp_path):
    (pictures / "sub").mkdir()
    names = ["a.png", "a.bmp", "a.webp", "sub/a.png", "sub-a.png", "A.png", "../pictures/a.png", "é" * 120 + ".png"]
    for name in names:
        Image.open(pictures / "0.png").save(pictures / name)
    given = [f"pictures/{name}" for name in names]
    run_script("predict", *given, given[0], "--show-input", "seen")
    assert len(list((tmp_path / "seen").iterdir())) == len(names)
    before = folder_bytes(pictures)
    (tmp_path / "a.png").write_bytes((pictures / "a.png").read_bytes())
    for target in ("a.png", ".", "pictures/..", "pictures/../a.png", str(tmp_path)):
        process = run_script("predict", "a.png", "--save-plot", target, check=False)
        assert_one_line_error(process, "a.png is one of the pictures to read; choose another path")
    assert folder_bytes(pictures) == before
    assert_one_line_error(run_script("predict", *given[:2], "--save-plot", "one.png", check=False), "name a folder")


def test_the_shell_calibrates_a_forest_as_the_verdict_does(run_script, pictures):
    line = json.loads(run_script("predict", "--json", pictures / "0.png", "--model", "mnist_random_forest").stdout)
    recogniser = recognizer.load("mnist_random_forest")
    image = preprocess.prepare_file(pictures / "0.png").image[None]
    assert line["confidence"] == judge(recogniser, image)[0].confidence > recogniser.predict_proba(image).max()


def test_predict_reads_samples_with_any_model(run_script, tmp_path):
    for model in ("mnist_random_forest", "mnist_cnn", "digits_8x8_logistic"):
        process = run_script("predict", "--samples", 9, "--model", model, "--output_dir", tmp_path / model)
        assert "of 9 right" in process.stdout
        assert (tmp_path / model / "samples.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["nothing to read"]),
        (["x.png", "--model", "mnist_best"], ["no model called mnist_best", "mnist_cnn", "mnist_mlp"]),
        (["x.png", "--model", "gone.keras"], ["no checkpoint gone.keras"]),
        (["x.png"], ["no image x.png"]),
        (["*.png"], ["no image *.png"]),
        (["--samples", "3", "--data-dir", "nowhere"], ["no nowhere/mnist.npz"]),
    ],
)
def test_predict_explains_mistakes_in_one_line(run_script, arguments, words):
    assert_one_line_error(run_script("predict", *arguments, check=False), *words)


def test_evaluate_compares_models_on_a_folder(run_script, tmp_path, some_digits):
    for index in range(60):
        folder = tmp_path / "digits" / str(some_digits.labels[index])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(some_digits.images[index]).save(folder / f"{index}.png")
    process = run_script(
        "evaluate", "--models", "mnist_cnn", "mnist_logistic", "--images", tmp_path / "digits", "--output-dir", "out"
    )
    assert "60 digits" in process.stdout
    assert "mnist_cnn minus mnist_logistic" in process.stdout
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["models"]["mnist_cnn"]["scores"]["accuracy"] > 0.9
    assert (tmp_path / "out" / "mnist_logistic" / "confusion.png").is_file()


def test_evaluate_on_mnist_gives_the_accuracy_on_the_card(run_script, tmp_path):
    run_script("evaluate", "--models", "mnist_mlp", "--output-dir", "out")
    measured = json.loads((tmp_path / "out" / "results.json").read_text())["models"]["mnist_mlp"]["scores"]
    card = json.loads((paths.MODELS / "mnist_mlp.json").read_text())["scores"]["test"]
    assert measured["correct"] == card["correct"]
    assert measured["interval"] == pytest.approx(card["interval"])


def test_evaluate_explains_mistakes_in_one_line(run_script, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for arguments, words in (
        (["--images", "nowhere"], ["no folder or file nowhere"]),
        (["--images", "empty"], ["pictures in folders 0 to 9"]),
        (["--models", "mnist_cnn", "typo"], ["no model called typo"]),
        (["--models", "mnist_cnn", "mnist_cnn"], ["two of the models are called mnist_cnn"]),
        (["--output-dir", "file/out"], ["can't write to the output folder file/out"]),
    ):
        assert_one_line_error(run_script("evaluate", *arguments, check=False), *words)


def test_prepare_data_writes_its_pictures_and_reuses_its_cache(run_script, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = run_script("prepare_data", "--output-dir", "out")
    assert "verified, split and cached" in first.stdout
    assert "55,000 digits" in first.stdout
    samples = sorted((tmp_path / "out" / "samples").iterdir())
    assert [sample.name for sample in samples] == [f"{digit}_{rank}.png" for digit in range(10) for rank in range(10)]
    for name in ("samples.png", "classes.png", "augmented.png"):
        assert np.asarray(Image.open(tmp_path / "out" / name)).std() > 10
    before = folder_bytes(tmp_path / "out")
    assert "loaded from the cache" in run_script("prepare_data", "--output-dir", "out").stdout
    assert folder_bytes(tmp_path / "out") == before


SMALL = ("--name", "quick", "--limit", 512, "--epochs", 1, "--output-dir", "models", "--report-dir", "reports")


def test_a_training_is_quiet_and_ends_with_its_scores(run_script, tmp_path):
    process = run_script("train_mlp", *SMALL, in_new_process=True)
    assert process.stderr == ""
    assert "of 5,000 validation digits" in process.stdout
    assert "of 10,000 test digits" in process.stdout


@pytest.mark.parametrize(
    ("trainer", "architecture", "schedule"),
    [
        ("train_cnn", "cnn", "cosine"),
        ("train_cnn", "classic", "plateau"),
        ("train_advanced", "residual_cnn", "cosine"),
    ],
)
def test_trainer_makes_a_model_that_can_be_used(
    trainer, architecture, schedule, run_script, few_digits, tmp_path, some_digits
):
    printed = run_script(trainer, *SMALL, "--no-score-test", "--architecture", architecture).stdout
    assert "of 500 validation digits" in printed
    assert "test digits" not in printed
    assert sorted(file.name for file in (tmp_path / "models").glob("[!.]*")) == [
        "quick.json",
        "quick.keras",
        "quick.onnx",
    ]
    assert (tmp_path / "reports" / "quick" / "curves.png").is_file()
    card = json.loads((tmp_path / "models" / "quick.json").read_text())
    assert card["architecture"] == architecture
    assert card["recipe"]["limit"] == 512
    assert card["recipe"]["schedule"] == schedule
    assert card["training"]["epochs"] == 1
    probabilities = recognizer.load("quick", tmp_path / "models").predict_proba(some_digits.images[:5])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_network_is_trained_on_digits_of_ones_own_and_its_card_says_so(run_script, tmp_path, some_digits):
    np.savez(tmp_path / "mine.npz", X=some_digits.images / 255, y=some_digits.labels)
    process = run_script("train_mlp", *SMALL, "--data-dir", "mine.npz")
    assert "mine.npz: 1,000 digits, .npz, pixels from 0 to 1" in process.stdout
    card = json.loads((tmp_path / "models" / "quick.json").read_text())
    assert card["data"]["name"] == "mine.npz"
    assert card["data"]["idx_sha256"]["x"] == data.idx_sha256(some_digits.images)
    assert card["scores"]["test"]["n"] == card["split"]["test"] == 101


def test_resuming_what_never_began_is_one_line(run_script):
    process = run_script("train_mlp", "--report-dir", "reports", "--output-dir", "models", "--resume", check=False)
    assert_one_line_error(process, "nothing to resume")


def test_baselines_need_all_ten_classes(run_script):
    process = run_script("train_baseline", "--limit", 5, "--output-dir", "models", check=False)
    assert_one_line_error(process, "aren't of all ten classes")


def test_trainers_explain_a_damaged_mnist_in_one_line(run_script, tmp_path):
    (tmp_path / "mnist.npz").write_bytes((paths.DATA / "mnist.npz").read_bytes()[:100_000])
    process = run_script("train_baseline", "--data-dir", tmp_path, "--output-dir", "out", check=False)
    assert_one_line_error(process, "mnist.npz is not a valid .npz file")
    assert not (tmp_path / "out").exists()


def test_baselines_are_trained_compared_and_shipped_as_plain_files(run_script, few_digits, tmp_path):
    folders = ("--output-dir", "models", "--report-dir", "reports")
    process = run_script("train_baseline", "--limit", 2000, "--trees", 5, *folders)
    assert process.stdout.count("test digits") == 4
    assert "| `mnist_random_forest` |" in process.stdout
    assert (tmp_path / "reports" / "comparison.png").is_file()
    card = json.loads((tmp_path / "models" / "digits_8x8_logistic.json").read_text())
    assert card["own_held_out"]["accuracy"] >= 0.95
    assert card["own_held_out"]["n"] == 360


def test_evaluate_robustness_writes_tables_pictures_and_a_page(run_script, tmp_path):
    arguments = ["--models", "mnist_mlp", "mnist_logistic", "--corruptions", "rotate", "scale", "fog"]
    arguments += ["--severities", 1, 3, "--limit", 50, "--output-dir", tmp_path / "sweep"]
    process = run_script("evaluate_robustness", *arguments)
    assert "`mnist_mlp`" in process.stdout
    rows = list(csv.DictReader((tmp_path / "sweep" / "results.csv").read_text().splitlines()))
    assert len(rows) == 2 * (1 + 3 * 2)
    assert len((tmp_path / "sweep" / "comparisons.csv").read_text().splitlines()) == 1 + 7
    summary = json.loads((tmp_path / "sweep" / "summary.json").read_text())
    assert summary["models"].keys() == {"mnist_mlp", "mnist_logistic"}
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert page.count("<img ") == page.count('src="data:image/') > 6
    assert all(found in page for found in (*summary["models"].values(), "Seeds: 0"))
    # Of MNIST-C's corruptions there are too few for a mean.
    assert ">MNIST-C levels<" not in page
    for name in ("samples", "curves", "heat_map", "calibration", "surprising_errors_mnist_logistic", "pairs_mnist_mlp"):
        assert cv2.imread(str(tmp_path / "sweep" / f"{name}.png")).shape[1] > 400
    assert_one_line_error(run_script("evaluate_robustness", *arguments, "--random-seed", 1, check=False), "other seed")


def test_evaluate_robustness_goes_on_without_a_broken_checkpoint(run_script, tmp_path):
    (tmp_path / "torn.onnx").write_bytes(b"torn")
    arguments = ["--corruptions", "fog", "--limit", 20, "--no-worst-case", "--output-dir", tmp_path / "sweep"]
    process = run_script(
        "evaluate_robustness", "--models", "torn.onnx", "mnist_nope", "mnist_cnn", *arguments, check=False
    )
    assert process.returncode == 1
    assert process.stderr.count("error: ") == 2
    assert "skipped mnist_nope" in process.stderr
    assert "skipped torn.onnx: torn.onnx can't be used" in process.stderr
    assert "skipped mnist_nope" in (tmp_path / "sweep" / "report.html").read_text()
    assert "`mnist_cnn`" in process.stdout


def test_a_killed_sweep_goes_on_where_it_was(run_script, tmp_path):
    arguments = ["--models", "mnist_cnn", "--limit", "200", "--severities", "2", "5", "--no-worst-case"]
    arguments += ["--output-dir", tmp_path / "sweep"]
    script = [sys.executable, paths.ROOT / "src" / "evaluate_robustness.py"]
    killed = subprocess.Popen([*script, *arguments], stderr=subprocess.DEVNULL)
    while len(list((tmp_path / "sweep").glob("cells/[!.]*.npz"))) < 10:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "sweep").glob("cells/[!.]*.npz")}
    assert len(kept) < 57
    run_script("evaluate_robustness", *arguments)
    assert {file: file.stat().st_mtime_ns for file in kept} == kept

    test = data.load_test()
    indices = data.evenly_spaced(test, 200)[1]
    manifest = json.loads((tmp_path / "sweep" / "manifest.json").read_text())
    for name in ("rotate", "occlusion"):
        whole = corruptions.corrupt(test.images, name, 5, seed=0)
        assert manifest["corrupted_images_sha256"][f"{name}-5"] == hashlib.sha256(whole[indices].tobytes()).hexdigest()


def test_evaluate_robustness_says_what_flips_one_picture(run_script, pictures, tmp_path):
    process = run_script(
        "evaluate_robustness",
        "--models",
        "mnist_logistic",
        "--image",
        pictures / "0.png",
        "--output-dir",
        tmp_path / "one",
    )
    assert "corruptions that change the answer" in process.stdout
    assert "fog from" in process.stdout
    assert cv2.imread(str(tmp_path / "one" / "mnist_logistic.png")).shape[1] > 1000


def test_evaluate_robustness_reads_the_original_mnist_c(run_script, tmp_path, some_digits):
    damaged = CORRUPTIONS["fog"](some_digits.images[:100], 5, np.random.default_rng(3))
    folder = tmp_path / "mnist_c" / "fog"
    folder.mkdir(parents=True)
    np.save(folder / "test_images.npy", damaged[..., None])
    np.save(folder / "test_labels.npy", some_digits.labels[:100].astype(np.int64))
    arguments = ["--models", "mnist_cnn", "--corruptions", "fog", "--limit", 20, "--no-worst-case"]
    arguments += ["--output-dir", tmp_path / "sweep", "--mnist-c"]
    run_script("evaluate_robustness", *arguments, folder.parent)
    summary = json.loads((tmp_path / "sweep" / "summary.json").read_text())
    answers = recognizer.load("mnist_cnn").predict_proba(damaged).argmax(axis=1)
    assert summary["external"]["fog"]["mnist_cnn"]["value"] == np.mean(answers == some_digits.labels[:100])

    assert_one_line_error(run_script("evaluate_robustness", *arguments, tmp_path, check=False), "test_images.npy")
    (folder / "test_labels.npy").write_bytes(b"")
    assert_one_line_error(run_script("evaluate_robustness", *arguments, folder.parent, check=False), "test_labels.npy")
    np.save(folder / "test_images.npy", damaged.astype(np.float32))
    np.save(folder / "test_labels.npy", some_digits.labels[:100])
    assert_one_line_error(run_script("evaluate_robustness", *arguments, folder.parent, check=False), "float32")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--corruptions", "fogg"], ["fogg", "impulse_noise"]),
        (["--severities", "6"], ["from 1 to 5", "6"]),
        (["--baseline", "mnist_mlp"], ["mnist_mlp", "mnist_cnn"]),
        (["--image", "missing.png"], ["missing.png"]),
        (["--images", "missing"], ["missing"]),
        (["--scheduler", "nowhere"], ["tcp://HOST:PORT", "nowhere"]),
        (["--scheduler", "tcp://127.0.0.1:9"], ["tcp://127.0.0.1:9", "dask scheduler"]),
    ],
)
def test_evaluate_robustness_says_what_is_wrong(run_script, tmp_path, arguments, words):
    process = run_script(
        "evaluate_robustness", "--models", "mnist_cnn", "--output-dir", tmp_path / "sweep", *arguments, check=False
    )
    assert_one_line_error(process, *words)
