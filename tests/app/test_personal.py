"""Fine-tuning, without a browser and without a training: it is queued, watched, and what it changed is shown."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digits import files, paths
from digits.checkpoints import recognizer
from digits.handwriting import collection, dataset
from digits.jobs.queue import UNDER_WAY, Queue
from panels import cache
from panels.handwriting import finetuning
from tests.app.apptest import FakeQueue, Page, borrow_models, cells, enlarged, paths_in, rows, words
from tests.support import wait_until

BUTTON = "Fine-tune on my digits"
OWN = {
    "folder": "my_digits",
    "sha256": "of an earlier collection",
    "counts": [12] * 10,
    "before": {"n": 120, "correct": 103, "accuracy": 103 / 120, "interval": [0.785, 0.91]},
    "after": {"n": 120, "correct": 110, "accuracy": 110 / 120, "interval": [0.853, 0.954]},
    "right_by_class": {
        "before": [11, 6, 11, 11, 12, 12, 11, 12, 9, 8],
        "after": [11, 10, 11, 11, 12, 12, 11, 12, 10, 10],
    },
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where the collection is for this test."""
    monkeypatch.setattr(paths, "MY_DIGITS", tmp_path / "my_digits")
    return tmp_path / "my_digits"


@pytest.fixture
def kept(folder, splits) -> None:
    """Three digits of each class in the collection, and a 5 that the base doubts and misreads."""
    for digit in range(10):
        for image in splits.train.images[splits.train.labels == digit][:3]:
            collection.save(255 - enlarged(image), digit, folder)
    fives = splits.train.images[splits.train.labels == 5][:100]
    said = recognizer.load("mnist_logistic").predict_proba(fives)
    misread = np.where(said.argmax(axis=1) == 5, 1, said.max(axis=1))
    collection.save(255 - enlarged(fives[misread.argmin()]), 5, folder)


@pytest.fixture
def queue(monkeypatch) -> FakeQueue:
    made = FakeQueue()
    monkeypatch.setattr(cache, "queue", lambda: made)
    return made


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    """A folder of its own with two models, so that a personal one may come into it."""
    (tmp_path / "checkout").mkdir()
    folder = borrow_models(monkeypatch, tmp_path / "checkout", "mnist_logistic", "mnist_random_forest")
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "reports")
    return folder


@pytest.fixture
def at(folder, queue, models, monkeypatch):
    finetuning.jobs.clear()
    yield Page(monkeypatch).set(model="mnist_logistic", panel="My handwriting")
    finetuning.jobs.clear()


def publish(models: Path, own: dict | None = None) -> None:
    """Put a personal model made from `mnist_logistic` there, with what its card would say."""
    card = json.loads((models / "mnist_logistic.json").read_text())
    base = {"name": "mnist_logistic", "sha256": card["checkpoint"]["sha256"]}
    test = card["scores"]["test"] | {"correct": 9190, "accuracy": 0.919, "interval": [0.9135, 0.9242]}
    for kind in ("checkpoint", "export"):
        file = models / card[kind]["file"]
        card[kind]["file"] = f"mnist_finetuned{file.suffix}"
        shutil.copyfile(file, models / card[kind]["file"])
    card |= {"name": "mnist_finetuned", "base": base, "own_digits": own or OWN}
    card["scores"]["test"] = test
    files.write_text(models / "mnist_finetuned.json", json.dumps(card))


def buttons(at: Page) -> dict[str, bool]:
    """Whether each button can be clicked."""
    return {each.label: not each.disabled for each in at.app.button}


def infos(at: Page) -> list[str]:
    return [each.value for each in at.app.info]


def test_too_few_digits_are_refused_with_advice(at, folder, splits):
    assert not buttons(at)[BUTTON]
    collection.save(255 - enlarged(splits.test.images[0]), 7, folder)
    assert not buttons(at.run())[BUTTON]
    (advice,) = infos(at)
    assert advice.startswith("Not yet: expected at least 3 pictures of every digit in my_digits")
    assert "6 (0), 7 (1), 8 (0)" in advice
    assert not paths_in(advice)


def test_fine_tuning_is_queued_with_a_command_that_the_script_understands(at, kept, queue, models, tmp_path):
    report = tmp_path / "reports" / "app" / "finetuning"
    report.mkdir(parents=True)
    for earlier in ("progress.json", "result.json"):
        (report / earlier).write_text("1.0")
    at.run().click(BUTTON)
    (job,) = queue.jobs
    script, *options = job.arguments
    assert script == str(paths.ROOT / "src" / "finetune_on_custom.py")
    code = (
        "import sys, tyro, finetune_on_custom as script\n"
        "found = tyro.cli(script.Options, args=sys.argv[1:])\n"
        "print(found.digits_dir, found.base, found.name, found.output_dir, found.report_dir, sep='|')"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *options],
        cwd=Path(finetuning.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [tmp_path / "my_digits", models / "mnist_logistic.keras", finetuning.NAME, models, report]
    assert process.stdout.strip() == "|".join(map(str, expected))
    assert "Fine-tuning mnist_logistic: 2 ahead of it" in str(at.app.get("progress")[0].proto)
    # What an earlier one has written is gone.
    assert not (report / "result.json").exists()
    with pytest.raises(FileNotFoundError):
        job.ask()
    (report / "progress.json").write_text('{"share": 0.25, "seconds_left": null}')
    assert job.ask() == 0.25


def test_every_session_watches_it_and_may_cancel(at, kept, queue, monkeypatch):
    at.run().click(BUTTON)
    (job,) = queue.jobs
    job.state, job.progress, job.seconds = "running", 0.5, 41.6
    job.cancel = lambda: setattr(job, "state", "cancelled")
    other = Page(monkeypatch).set(model="mnist_logistic", panel="My handwriting")
    assert "Fine-tuning mnist_logistic: 42 s so far; TensorFlow is starting" in str(other.app.get("progress")[0].proto)
    report = paths.REPORTS / "app" / "finetuning"
    report.mkdir(parents=True)
    (report / finetuning.PROGRESS).write_text('{"share": 0.5, "seconds_left": 38.4}')
    told = "Fine-tuning mnist_logistic: 50%, 42 s so far, about 38 s left"
    assert told in str(other.run().app.get("progress")[0].proto)
    assert BUTTON not in buttons(other)
    other.click("Cancel")
    for each in (other.run(), at.run()):
        assert infos(each) == ["Fine-tuning was cancelled; no model has changed."]
        assert buttons(each)[BUTTON]


def finished(at: Page, queue: FakeQueue, state: str, error: str = "", model: str | None = None) -> Page:
    """Start one, and let it end so, with this model or none."""
    at.run().click(BUTTON)
    queue.jobs[-1].state, queue.jobs[-1].error = state, error
    result = paths.REPORTS / "app" / "finetuning" / "result.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_text(json.dumps({"base": "mnist_logistic", "model": model, "seconds": 250}))
    return at.run()


def test_failure_is_told_and_it_can_be_tried_again(at, kept, queue, tmp_path):
    finished(at, queue, "failed", f"can't write to the output folder {tmp_path}/models: no space")
    assert at.errors == ["Fine-tuning failed: can't write to the output folder models: no space"]
    at.click(BUTTON)
    assert len(queue.jobs) == 2
    assert not at.errors


def test_base_that_was_kept_is_no_failure(at, kept, queue, models):
    finished(at, queue, "done")
    assert infos(at) == ["Fine-tuning mnist_logistic gains nothing on these digits, so no new model was kept."]
    publish(models)
    finished(at, queue, "done")
    assert infos(at)[0].endswith("no new model was kept. The earlier mnist_finetuned stays as it was.")
    assert not at.errors


def test_new_model_is_announced_and_can_answer_at_once(at, kept, queue, models):
    publish(models)
    (success,) = finished(at, queue, "done", model="mnist_finetuned").app.success
    assert success.value.startswith("mnist_finetuned is ready")
    assert "mnist_finetuned" in at.app.selectbox(key="model").options
    at.click("Use mnist_finetuned")
    assert at.app.selectbox(key="model").value == "mnist_finetuned"
    assert "Use mnist_finetuned" not in buttons(at)
    assert not at.errors


def test_change_is_what_the_cards_say(at, kept, models):
    publish(models)
    at.run()
    base = json.loads((models / "mnist_logistic.json").read_text())["scores"]["test"]
    low, high = base["interval"]
    own, test = [cells(row) for row in rows(at.find("table", "change"))]
    assert own == ["Your 120 digits", "85.8% 103 correct 78.5% – 91.0%", "91.7% 110 correct 85.3% – 95.4%"]
    assert test[1] == f"{base['accuracy']:.2%} {base['correct']:,} correct {low:.2%} – {high:.2%}"
    change = f"{100 * (0.919 - base['accuracy']):+.2f}".replace("-", "−")
    assert test[2] == f"91.90% 9,190 correct 91.35% – 92.42% {change} points"
    gains = [words(row) for row in at.find_all("div", "gain")]
    assert gains[:3] == ["0 11 → 11 of 12", "1 6 → 10 of 12", "2 11 → 11 of 12"]
    widths = [bar.get("style") for bar in at.find_all("div", "gain")[1].iter("i")]
    assert widths == ["width:50%", "width:83%"]
    assert "Your collection has changed since; fine-tune again to use all of it." in at.captions


def test_change_speaks_of_these_digits_and_of_that_base_alone(at, kept, folder, models):
    publish(models, OWN | {"sha256": dataset.load(folder).sha256})
    card = json.loads((models / "mnist_finetuned.json").read_text())
    card["base"]["sha256"] = "of a base that was trained anew"
    (models / "mnist_finetuned.json").write_text(json.dumps(card))
    at.run()
    _, before, after = cells(rows(at.find("table", "change"))[1])
    assert before == "–"
    assert "points" not in after
    assert not [each for each in at.captions if "has changed since" in each]


def test_base_that_left_the_test_digits_alone_has_a_dash(at, kept, models):
    publish(models)
    base = json.loads((models / "mnist_logistic.json").read_text())
    del base["scores"]["test"]
    (models / "mnist_logistic.json").write_text(json.dumps(base))
    at.run()
    assert cells(rows(at.find("table", "change"))[1])[1] == "–"
    assert not at.errors


def test_personal_model_is_not_taught_twice(at, kept, queue, models):
    publish(models)
    at.run().set(model="mnist_finetuned").click(BUTTON)
    arguments = queue.jobs[0].arguments
    assert arguments[arguments.index("--base") + 1] == str(models / "mnist_logistic.keras")


def test_forest_gets_a_sentence(at, kept):
    at.set(model="mnist_random_forest")
    (sentence,) = infos(at)
    assert sentence.startswith("mnist_random_forest can't be fine-tuned")
    assert BUTTON not in buttons(at)


def test_what_should_be_looked_at_is_shown_before(at, kept, folder, splits):
    for image in splits.train.images[splits.train.labels == 1][3:11]:
        collection.save(255 - enlarged(image), 1, folder)
    (folder / "4" / "notes.txt").write_text("not a picture")
    (wrong,) = splits.train.images[splits.train.labels == 0][4:5]
    collection.save(255 - enlarged(wrong), 6, folder)
    (warning,) = at.run().warnings
    assert warning.splitlines() == [
        "- Few of 0, 2, 3, 4, 7, 8, 9 compared with the others: write some more",
        "- Left out: 4/notes.txt: not an image",
    ]
    (suspect,) = [words(each) for each in at.find("div", "doubts").findall("figure")]
    assert re.fullmatch(r"saved as a 6, but mnist_logistic is (> )?\d\d\.\d % sure that it is a 0", suspect)


def test_sample_can_be_tried_while_the_collection_is_empty(at, folder, queue):
    shutil.copytree(Path(finetuning.__file__).parents[3] / "my_digits" / "sample", folder / "sample")
    at.run().click("Try it with the sample digits")
    arguments = queue.jobs[0].arguments
    assert arguments[arguments.index("--digits-dir") + 1] == str(folder)


def test_base_that_reads_everything_says_so_and_offers_no_training(at, folder, splits):
    read = np.flatnonzero(recognizer.load("mnist_logistic").predict_proba(splits.train.images[:500]).argmax(axis=1)
                          == splits.train.labels[:500])  # fmt: skip
    for digit in range(10):
        for place in [place for place in read if splits.train.labels[place] == digit][:3]:
            collection.save(255 - enlarged(splits.train.images[place]), digit, folder)
    told = "mnist_logistic already reads all 30 of your digits, so fine-tuning has nothing to gain. "
    assert infos(at.run())[-1].startswith(told)
    assert BUTTON not in buttons(at)


def test_time_of_the_last_training_is_told(at, kept, queue):
    finished(at, queue, "done")
    assert any(each.endswith(" The last one took 4 min on this computer.") for each in at.captions)


def test_full_queue_says_so(at, kept, queue, monkeypatch):
    def full(*_arguments, **_options):
        raise ValueError("the server is busy: 4 jobs are waiting; try again later")

    monkeypatch.setattr(queue, "submit", full)
    assert at.run().click(BUTTON).errors == ["the server is busy: 4 jobs are waiting; try again later"]


def test_command_that_fails_is_told_by_its_last_line(at, kept, monkeypatch):
    """Through the real queue, with a script in the place of ours."""
    script = paths.ROOT / "src" / "finetune_on_custom.py"
    script.parent.mkdir()
    script.write_text("import sys\nsys.exit('error: the base is broken')")
    real = Queue()
    monkeypatch.setattr(cache, "queue", lambda: real)
    at.run().click(BUTTON)
    (job,) = finetuning.jobs()
    wait_until(lambda: job.state not in UNDER_WAY, seconds=20)
    real.close()
    assert at.run().errors == ["Fine-tuning failed: the base is broken"]


def test_public_page_teaches_nothing(at, kept, monkeypatch):
    monkeypatch.setattr(cache, "IS_PUBLIC", True)
    at.run()
    assert BUTTON not in buttons(at)
    assert "Teach a model" not in at.everything()
