"""The sidebar without a browser: models that come, go and are broken, one's own model, downloads, history."""

import json
import os
import shutil
import subprocess
import sys
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from digits import files, paths, preprocess
from digits.reporting import thumbnails
from panels import cache, sidebar
from tests.app.apptest import (
    SHIPPED,
    Page,
    borrow_models,
    enlarged,
    in_percent,
    open_at_once,
    paths_in,
    pixels,
    prepared,
    words,
)


@pytest.fixture
def at(monkeypatch) -> Page:
    """The page with its quickest panel in view."""
    return Page(monkeypatch).show("My handwriting")


@pytest.fixture
def models(tmp_path, monkeypatch):
    return borrow_models(monkeypatch, tmp_path, "mnist_logistic", "mnist_mlp")


def options(at: Page) -> list[str]:
    return at.app.selectbox(key="model").options


def test_models_can_be_chosen_by_accuracy_and_the_default_one_answers(at):
    cards = {name: json.loads((paths.MODELS / f"{name}.json").read_text()) for name in SHIPPED}
    best_first = sorted(cards, key=lambda name: (-cards[name]["scores"]["test"]["accuracy"], name))
    assert [name for name in options(at) if name in SHIPPED] == best_first
    assert at.app.selectbox(key="model").value == "mnist_advanced"
    assert cards["mnist_advanced"]["description"] in at.captions
    assert any(each.startswith("Best on damaged pages · 99.63 % · ") for each in at.captions)


def test_new_files_appear(models, at, monkeypatch):
    assert options(at) == ["mnist_mlp", "mnist_logistic"]
    for suffix in ("keras", "onnx"):
        shutil.copy(models / f"mnist_mlp.{suffix}", models / f"tuned.{suffix}")
    open_at_once(monkeypatch)
    assert options(at.run()) == ["mnist_mlp", "mnist_logistic", "tuned"]
    at.set(model="tuned")
    assert "No card yet: evaluate it with python src/evaluate.py --models models/tuned.keras" in at.captions
    assert not at.errors


def test_retrained_model_answers_anew(models, at, splits):
    at.set(model="mnist_mlp").draw(splits.test.images[0])
    before = at.verdict
    for suffix in ("keras", "onnx", "json"):
        content = (models / f"mnist_logistic.{suffix}").read_bytes().replace(b"mnist_logistic.", b"mnist_mlp.")
        (models / f"mnist_mlp.{suffix}").write_bytes(content)
    card = json.loads((models / "mnist_mlp.json").read_text()) | {"name": "mnist_mlp"}
    for kind in ("checkpoint", "export"):
        card[kind]["sha256"] = files.sha256(models / card[kind]["file"])
    (models / "mnist_mlp.json").write_text(json.dumps(card))
    assert at.run().verdict != before
    assert at.verdict == at.set(model="mnist_logistic").verdict


def test_model_that_is_deleted_while_it_answers_is_replaced_with_a_sentence(models, at, splits):
    at.set(model="mnist_mlp").draw(splits.test.images[0])
    for file in models.glob("mnist_mlp.*"):
        file.unlink()
    assert at.run().warnings == ["mnist_mlp has been removed, so mnist_logistic answers now."]
    assert "sure" in at.verdict
    assert not at.errors
    assert len(at.run().warnings) == 1


def test_no_models_at_all_are_a_sentence(models, at, splits):
    for file in models.iterdir():
        file.unlink()
    for panel in ("Why", "Compare", "Stress", "Models", "My handwriting"):
        at.show(panel)
        assert "There are no models in `models/`: `git checkout models` restores the shipped ones." in at.errors
        assert len(at.errors) == 1
    models.rmdir()
    assert len(at.run().errors) == 1


def test_without_a_model_a_drawing_is_not_called_nothing(models, at, splits):
    (models / "mnist_mlp.keras").unlink()
    at.set(model="mnist_mlp").draw(splits.test.images[0])
    assert len(at.errors) == 1
    assert "Nothing drawn" not in at.everything()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("mnist_mlp.json", b"{", "is not a model card"),
        ("mnist_mlp.json", b"[1, 2]", "is not a model card"),
        ("mnist_mlp.json", b"\xff\xfe", "is not a model card"),
        ("mnist_mlp.onnx", b"rubbish", "is not the file that its card describes"),
        ("mnist_mlp.keras", None, "which its card names"),
    ],
)
def test_broken_checkpoint_gets_a_sentence_without_a_path(models, at, name, content, sentence):
    (models / name).unlink() if content is None else (models / name).write_bytes(content)
    at.set(model="mnist_mlp")
    (error,) = at.errors
    assert sentence in error
    assert not paths_in(error)
    assert not at.set(model="mnist_logistic").errors


def test_file_names_are_never_html(models, at, splits, monkeypatch):
    name = "<img src=x onerror=alert(1)>"
    for suffix in ("keras", "onnx"):
        shutil.copy(models / f"mnist_mlp.{suffix}", models / f"{name}.{suffix}")
    open_at_once(monkeypatch)
    at.run().set(model=name).draw(splits.test.images[0])
    for panel in ("Why", "Compare", "Stress", "Models"):
        at.show(panel)
        assert not [each for each in at.html.iter() if "onerror" in each.attrib or each.get("src") == "x"]
    assert not at.errors


def test_file_names_are_never_html_in_my_handwriting(models, at, splits, monkeypatch, tmp_path):
    from digits.handwriting import collection

    name = "<img src=x onerror=alert(1)>"
    for suffix in ("keras", "onnx"):
        shutil.copy(models / f"mnist_mlp.{suffix}", models / f"{name}.{suffix}")
    open_at_once(monkeypatch)
    monkeypatch.setattr(paths, "MY_DIGITS", tmp_path / "mine")
    collection.save(255 - enlarged(splits.test.images[0]), 7, tmp_path / "mine")
    at.show("My handwriting")
    assert not [each for each in at.html.iter() if "onerror" in each.attrib]


def test_half_written_files_are_no_models(models, at):
    (models / ".mnist_cnn.0a1b2c3d.keras").write_bytes(b"half")
    assert options(at.run()) == ["mnist_mlp", "mnist_logistic"]


def test_public_page_takes_no_models(at, monkeypatch):
    monkeypatch.setattr(cache, "IS_PUBLIC", True)
    at.run()
    assert not [each for each in at.app.file_uploader if each.key == "own_file"]


@pytest.mark.parametrize(("value", "is_public"), [("1", True), ("0", False), ("", False)])
def test_environment_makes_the_page_public(value, is_public):
    code = "from panels import cache; print(cache.IS_PUBLIC)"
    environment = os.environ | {"DIGITS_PUBLIC": value}
    command = [sys.executable, "-c", code]
    process = subprocess.run(
        command, cwd=paths.ROOT / "src", env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == f"{is_public}"


# What is kept and given away


@pytest.fixture
def downloads(monkeypatch) -> dict[str, bytes | str]:
    """What the download buttons would give, by the names of the files."""
    found = {}
    original = DeltaGenerator.download_button

    def noted(self, label, content, name, kind, **more):
        found[name] = content()
        return original(self, label, content, name, kind, **more)

    monkeypatch.setattr(DeltaGenerator, "download_button", noted)
    return found


def test_drawing_and_verdict_can_be_downloaded(at, downloads, splits):
    at.draw(splits.test.images[0])
    grey = preprocess.read_grey(at.drawing)
    np.testing.assert_array_equal(preprocess.read_grey(downloads["drawing.png"]), grey)
    content = json.loads(downloads["verdict.json"])
    expected = preprocess.prepare(grey)
    assert content["image"] == expected.image.tolist()
    assert content["preprocessing"] == list(expected.steps)
    assert content["model"] == "mnist_advanced"
    assert (
        content["model_sha256"]
        == json.loads((paths.MODELS / "mnist_advanced.json").read_text())["checkpoint"]["sha256"]
    )
    assert (content["prediction"], content["verdict"], content["true_digit"]) == (7, "sure", None)
    assert content["confidence"] == max(content["probabilities"])
    assert content["source"] == "drawn on the canvas"
    shown = {int(words(bar).split()[0]): words(bar).split(" ", 1)[1] for bar in at.find_all("div", "bar")}
    assert shown == {digit: in_percent(value) for digit, value in enumerate(content["probabilities"])}
    assert sum(content["probabilities"]) == pytest.approx(1, abs=1e-5)


def test_download_of_a_sample_has_its_label(at, downloads, splits):
    at.sample(8)
    content = json.loads(downloads["verdict.json"])
    assert (content["true_digit"], content["source"]) == (5, "MNIST test digit 8")
    assert content["image"] == splits.test.images[8].tolist()


def test_nothing_to_download_without_a_drawing(at, downloads):
    assert not downloads


def history(at: Page) -> list[tuple[str, np.ndarray]]:
    return [(each["caption"], pixels(Element("img", src=each["uri"]))) for each in at.galleries["recent"]]


def test_history_keeps_the_last_twelve_drawings_the_newest_first(at, splits):
    for place in range(15):
        at.sample(place)
    found = history(at)
    assert len(found) == sidebar.LONGEST_HISTORY == 12
    for (caption, picture), place in zip(found, range(14, 2, -1), strict=True):
        np.testing.assert_array_equal(picture, thumbnails.on_paper(splits.test.images[place]))
        assert caption.endswith(", mnist_advanced")
    at.sample(5)
    assert len(history(at)) == 12
    np.testing.assert_array_equal(history(at)[0][1], 255 - splits.test.images[5])


def test_strokes_of_one_drawing_are_one_entry(at, splits):
    ink = enlarged(splits.test.images[0])
    for top in (0, 90, 180):
        part = np.zeros_like(ink)
        part[top : top + 90] = ink[top : top + 90]
        at.stroke(part)
        np.testing.assert_array_equal(history(at)[0][1], 255 - prepared(at.drawing).image)
    assert len(history(at)) == 1
    at.undo()
    assert len(history(at)) == 1
    assert len(history(at.clear())) == 1
    at.draw(splits.test.images[1])
    assert len(history(at)) == 2


def test_drawing_that_is_undone_and_redone_is_one_entry(at, splits):
    at.draw(splits.test.images[0]).undo().redo()
    assert len(history(at)) == 1


def test_history_shows_what_the_model_said(at, splits):
    at.sample(0)
    assert history(at)[0][0] == "7, > 99.9 %, mnist_advanced"
    at.set(model="mnist_logistic")
    assert [caption.split(", ")[-1] for caption, _ in history(at)] == ["mnist_logistic"]


def test_downloaded_picture_opens_anywhere(at, downloads, tmp_path, splits):
    at.sample(0)
    (tmp_path / "drawing.png").write_bytes(downloads["drawing.png"])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "drawing.png")), splits.test.images[0])
