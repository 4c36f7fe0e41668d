"""Compare, without a browser: a row a model, those that disagree marked, those that can't be opened named."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest

from digits.checkpoints import recognizer
from digits.explanations import attribution
from digits.reporting import thumbnails
from tests.app.apptest import (
    SHIPPED,
    Page,
    borrow_models,
    calibrated,
    cells,
    certainty,
    in_percent,
    open_at_once,
    paths_in,
    pixels,
    rows,
    words,
)


@pytest.fixture
def at(monkeypatch) -> Page:
    return Page(monkeypatch).show("Compare")


@pytest.fixture(scope="module")
def answers(splits) -> dict[str, np.ndarray]:
    """Every shipped model's answers to the first thousand test digits."""
    images = splits.test.images[:1000]
    return {name: recognizer.load(name).predict_proba(images).argmax(axis=1) for name in SHIPPED}


def table(at: Page) -> dict[str, list[str]]:
    """The row of each model, by its name."""
    return {each[0].removesuffix(" disagrees"): each for each in map(cells, rows(at.find("table", "compare")))}


def test_every_model_has_a_row_with_its_answer_confidence_next_and_heat(at, splits):
    image = splits.test.images[4]
    at.sample(4)
    found = rows(at.find("table", "compare"))
    assert sorted(words(row[0]) for row in found) == SHIPPED
    for row in found:
        recogniser = recognizer.load(name := words(row[0]))
        expected = calibrated(recogniser, image)
        first, second = np.argsort(-expected)[:2]
        assert cells(row)[1:4] == [
            f"{first}", certainty(recogniser, image), f"{second} {in_percent(expected[second])}"
        ]  # fmt: skip
        (heat,) = attribution.explain(attribution.ExportedModel(recogniser), image[None], "occlusion", int(first)).heat
        (picture,) = row.iter("img")
        np.testing.assert_array_equal(pixels(picture), (thumbnails.overlay(image, heat) * 255).round())
        assert picture.get("alt") == f"where {name} sees the evidence for {first}"


def test_unanimous_models_are_said_to_agree(at, answers):
    place = next(place for place in range(1000) if len({each[place] for each in answers.values()}) == 1)
    at.sample(place)
    assert f"**All {len(SHIPPED)} models answer {answers['mnist_cnn'][place]}.**" in [
        each.value for each in at.app.markdown
    ]
    assert not at.find_all("tr", "disagrees")


@pytest.mark.parametrize("dissenters", [1, 2, 3])
def test_models_that_disagree_with_most_are_marked_and_named(at, answers, dissenters):
    for place in range(1000):
        said = {name: int(each[place]) for name, each in answers.items()}
        (most, count), *others = Counter(said.values()).most_common()
        if count == len(SHIPPED) - dissenters and (not others or others[0][1] < count):
            break
    at.sample(place)
    dissent = {name: answer for name, answer in said.items() if answer != most}
    assert {words(row[0]).removesuffix(" disagrees") for row in at.find_all("tr", "disagrees")} == set(dissent)
    (headline,) = [each.value for each in at.app.markdown if "models answer" in each.value]
    assert headline.startswith(f"**{count} of {len(SHIPPED)} models answer {most}**; ")
    assert all(f"{name} says {answer}" in headline for name, answer in dissent.items())


def test_without_explanations_there_is_no_heat(at):
    at.sample(0).set(explain=False)
    assert all(len(row) == 4 for row in rows(at.find("table", "compare")))
    assert not [each for each in at.html.iter("img") if "evidence" in each.get("alt")]


def break_card(folder):
    (folder / "mnist_mlp.json").write_text("{")


def break_export(folder):
    (folder / "mnist_mlp.onnx").write_bytes(b"no network")


def lose_checkpoint(folder):
    (folder / "mnist_mlp.keras").unlink()


def swap_checkpoint(folder):
    (folder / "mnist_mlp.keras").write_bytes(b"another file")


@pytest.mark.parametrize("damage", [break_card, break_export, lose_checkpoint, swap_checkpoint])
def test_broken_checkpoints_are_left_out_with_a_sentence_and_the_others_stay(at, damage, tmp_path, monkeypatch):
    folder = borrow_models(monkeypatch, tmp_path, "mnist_cnn", "mnist_mlp", "mnist_logistic")
    at.set(model="mnist_cnn").sample(0)
    assert len(table(at)) == 3
    damage(folder)
    at.run()
    assert sorted(table(at)) == ["mnist_cnn", "mnist_logistic"]
    (warning,) = at.warnings
    assert warning.startswith("mnist_mlp is left out: ")
    assert not paths_in(warning)
    assert not at.errors


def test_a_file_without_a_card_is_run_only_for_those_who_choose_it(at, tmp_path, monkeypatch):
    folder = borrow_models(monkeypatch, tmp_path, "mnist_cnn", "mnist_mlp")
    for suffix in ("keras", "onnx"):
        shutil.copy(folder / f"mnist_mlp.{suffix}", folder / f"stray.{suffix}")
    open_at_once(monkeypatch)
    at.set(model="mnist_cnn").sample(0)
    assert sorted(table(at)) == ["mnist_cnn", "mnist_mlp"]
    at.set(model="stray")
    assert sorted(table(at)) == ["mnist_cnn", "mnist_mlp", "stray"]


def test_no_model_that_works_leaves_a_sentence(at, tmp_path, monkeypatch):
    folder = borrow_models(monkeypatch, tmp_path, "mnist_cnn")
    at.sample(0)
    (folder / "mnist_cnn.json").write_text("[]")
    at.run()
    assert any("is not a model card" in each for each in at.errors)


def test_card_with_odd_contents_hurts_only_its_own_model(at, tmp_path, monkeypatch):
    folder = borrow_models(monkeypatch, tmp_path, "mnist_cnn", "mnist_mlp")
    card = json.loads((folder / "mnist_mlp.json").read_text())
    (folder / "mnist_mlp.json").write_text(json.dumps(card | {"temperature": "warm"}))
    at.set(model="mnist_cnn").sample(0)
    assert "mnist_cnn" in table(at)
