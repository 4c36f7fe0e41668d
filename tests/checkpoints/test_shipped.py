"""The shipped checkpoints are what their cards say, and reach what they must."""

import csv
import json

import keras
import numpy as np
import pytest

from digits import corruptions, data, paths
from digits.checkpoints import cards, recognizer
from digits.explanations import attribution, faithfulness
from digits.images import to_input
from tools import readme

NAMES = sorted(card["name"] for card in readme.shipped_cards(paths.MODELS))
LEAST_TEST_ACCURACY = {
    "mnist_logistic": 0.923,
    "mnist_linear_svm": 0.915,
    "mnist_random_forest": 0.965,
    "mnist_mlp": 0.978,
    "mnist_cnn": 0.996,
    "mnist_advanced": 0.996,
    "mnist_ensemble": 0.997,
}


def test_every_family_is_shipped():
    assert set(NAMES) == {*LEAST_TEST_ACCURACY, "digits_8x8_logistic"}


@pytest.mark.parametrize("name", NAMES)
def test_card_matches_the_file_and_the_answers(name, splits):
    recogniser = recognizer.load(name)
    card = recogniser.card
    # An ensemble answers as slowly as its members together, so it has a test of its own.
    for part in () if "members" in card else ("validation", "test"):
        digits = getattr(splits, part)
        right = int(np.sum(recogniser.predict_proba(digits.images).argmax(axis=1) == digits.labels))
        assert right == card["scores"][part]["correct"]
    assert card["scores"]["test"]["accuracy"] >= LEAST_TEST_ACCURACY.get(name, 0)
    assert card["split"] == {"seed": 20_260_101, "train": 55_000, "validation": 5_000, "test": 10_000}
    assert card["circumstances"]["commit"]
    assert (paths.MODELS / card["checkpoint"]["file"]).stat().st_size <= 15_000_000


def test_ensemble_answers_as_its_card_says(splits):
    """Where all members are right, the mean of their logits is, too: the other test digits decide."""
    recogniser = recognizer.load("mnist_ensemble")
    members_answers = []
    for member in recogniser.card["members"]:
        run = paths.ROOT / "docs" / "studies" / "shipped" / "runs" / f"mnist_advanced-{member['seed']}"
        assert cards.read(run / "mnist_advanced.json")["checkpoint"]["sha256"] == member["sha256"]
        members_answers.append(np.load(run / "answers.npz")["correct"][0])
    all_right = np.all(members_answers, axis=0)
    disputed, undisputed = splits.test.at(np.flatnonzero(~all_right)), splits.test.at(np.flatnonzero(all_right)[::50])
    right, surely_right = (
        recogniser.predict_proba(digits.images).argmax(axis=1) == digits.labels for digits in (disputed, undisputed)
    )
    assert surely_right.all()
    assert all_right.sum() + right.sum() == recogniser.card["scores"]["test"]["correct"]


@pytest.mark.parametrize("name", [name for name in NAMES if (paths.MODELS / f"{name}.keras").is_file()])
def test_export_answers_as_the_checkpoint_does(name, some_digits):
    model = keras.saving.load_model(paths.MODELS / f"{name}.keras")
    card = cards.read(paths.MODELS / f"{name}.json")
    assert model.count_params() == card["parameters"] <= 500_000 * len(card.get("members", [name]))
    images = some_digits.images[: 300 if "members" in card else 1000]
    expected = model.predict(to_input(images), verbose=0)
    np.testing.assert_allclose(recognizer.load(name).predict_proba(images), expected, atol=1e-5)


def test_8x8_logistic_reaches_its_own_goal():
    assert cards.read(paths.MODELS / "digits_8x8_logistic.json")["own_held_out"]["accuracy"] >= 0.95


def test_the_committed_sweep_is_of_the_shipped_checkpoints():
    summary = json.loads((paths.ROOT / "docs" / "robustness" / "summary.json").read_text(encoding="utf-8"))
    shipped = {name: cards.read(paths.MODELS / f"{name}.json") for name in NAMES}
    assert summary["models"] == {
        name: card["checkpoint"]["sha256"] for name, card in shipped.items() if "members" not in card
    }
    assert summary["images"] == 10_000


@pytest.mark.parametrize(("model", "corruption", "severity"), [("mnist_cnn", "rotate", 4), ("mnist_mlp", "fog", 1)])
def test_the_committed_sweep_can_be_repeated(model, corruption, severity, splits):
    with (paths.ROOT / "docs" / "robustness" / "results.csv").open(encoding="utf-8") as file:
        rows = {(row["model"], row["corruption"], int(row["severity"])): row for row in csv.DictReader(file)}
    damaged = corruptions.corrupt(splits.test.images, corruption, severity, seed=0)
    right = np.sum(recognizer.load(model).predict_proba(damaged).argmax(axis=1) == splits.test.labels)
    # Another processor may round otherwise, which can turn an answer on the edge.
    assert right == pytest.approx(int(rows[model, corruption, severity]["correct"]), abs=3)


@pytest.fixture(scope="module")
def study() -> dict:
    return json.loads((paths.ROOT / "docs" / "explanations" / "benchmark.json").read_text(encoding="utf-8"))


def test_the_committed_study_is_of_the_shipped_checkpoints_and_decides_the_default(study):
    for name, found in study["models"].items():
        assert found["checkpoint"] == cards.read(paths.MODELS / f"{name}.json")["checkpoint"]["sha256"]
    assert study["digits"] == 1000
    for kind, models in (
        ("convolutional", ("mnist_cnn", "mnist_advanced")),
        ("dense", ("mnist_mlp", "mnist_logistic")),
    ):
        best = study["ranking"][kind]["methods"][0]["method"]
        assert {attribution.default_method(attribution.ExportedModel(recognizer.load(name))) for name in models} == {
            best
        }


def test_the_committed_study_can_be_repeated(study, splits):
    # Ties are broken at random, differently from the study's own draw.
    digits, _ = data.evenly_spaced(splits.validation, 1000)
    model = attribution.open_model(recognizer.load("mnist_mlp"), "input_x_gradient")
    why = attribution.explain(model, digits.images, "input_x_gradient")
    places = faithfulness.ranks(why.signed, np.random.default_rng(0))
    deletion, _ = faithfulness.curves(model, digits.images, why.target, places, "ink")
    expected = study["models"]["mnist_mlp"]["methods"]["input_x_gradient"]["deletion ink"]["value"]
    assert faithfulness.area(deletion).mean() == pytest.approx(expected, abs=0.002)
