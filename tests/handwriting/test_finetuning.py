"""Fine-tuning on a simulated hand, with few steps: what is learnt, what is kept, and what is refused."""

import json

import keras
import numpy as np
import pytest

from digits import files, paths
from digits.checkpoints import recognizer
from digits.corruptions import CORRUPTIONS
from digits.data import Digits, Splits
from digits.handwriting import dataset, finetuning, personal_model
from digits.robustness import analysis
from tests.support import assert_one_line_error

# Where it doesn't matter which network is tuned, the one that is quickest.
BASE = paths.MODELS / "mnist_mlp.keras"
QUICK = {"warm_up_steps": 20, "rounds": 2, "steps_per_round": 20}
# Of the thousand validation digits that these tests guard with, two may be lost.
LARGEST_DROP = 0.002


@pytest.fixture(scope="module")
def mine() -> dataset.Handwriting:
    return dataset.load(paths.MY_DIGITS / "sample")


@pytest.fixture(scope="module")
def small(splits) -> Splits:
    """MNIST with fewer digits to guard and to test with."""
    return Splits(splits.train, splits.validation.first(1000), splits.test.first(1000))


def weights_by_layer(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def wrong(model: keras.Model, digits: Digits) -> int:
    return int(np.sum(finetuning.predictions(model, digits) != digits.labels))


@pytest.fixture(scope="module")
def tuner(small) -> finetuning.FineTuner:
    return finetuning.FineTuner(BASE, small, finetuning.Recipe(**QUICK, largest_accuracy_drop=LARGEST_DROP))


@pytest.fixture(scope="module")
def tuned(tuner, mine) -> finetuning.Tuned:
    """Of the classes' first eight digits."""
    return tuner.tune(eight(mine))


def eight(mine: dataset.Handwriting, rest: bool = False) -> Digits:
    places = [np.flatnonzero(mine.digits.labels == digit) for digit in range(10)]
    return mine.digits.at(np.concatenate([each[8:] if rest else each[:8] for each in places]))


def test_what_was_learnt_is_read_better_and_mnist_hardly_worse(tuned, mine, small):
    base = finetuning.tunable(BASE)
    assert tuned.share > 0
    assert tuned.rounds >= 1
    assert wrong(tuned.model, eight(mine)) < wrong(base, eight(mine))
    assert wrong(tuned.model, eight(mine, rest=True)) <= wrong(base, eight(mine, rest=True))
    lost = (wrong(tuned.model, small.validation) - wrong(base, small.validation)) / len(small.validation)
    assert lost <= LARGEST_DROP


def test_early_layers_and_batch_statistics_stay_to_the_bit(mine, small, tmp_path):
    block = [keras.layers.Conv2D(8, 3, strides=2), keras.layers.BatchNormalization(name="norm"), keras.layers.ReLU()]
    middle = [keras.layers.Conv2D(8, 3, name=name) for name in ("second", "third")]
    last = [keras.layers.Flatten(), keras.layers.Dense(10, "softmax", name="last")]
    base = tmp_path / "normalised.keras"
    keras.Sequential([keras.Input((28, 28, 1)), *block, *middle, *last]).save(base)
    tuned = finetuning.FineTuner(base, small, finetuning.Recipe(**QUICK)).tune(mine.digits)
    before, after = (weights_by_layer(model) for model in (finetuning.tunable(base), tuned.model))
    for name, weights in before.items():
        is_same = [np.array_equal(*pair) for pair in zip(weights, after[name], strict=True)]
        assert set(is_same) == {name not in ("second", "third", "last")}, name


def test_where_nothing_is_read_better_the_base_comes_back(small):
    """A learning rate far too high, on digits that the base reads well already."""
    ruinous = finetuning.Recipe(
        warm_up_steps=2, warm_up_learning_rate=1.0, rounds=1, steps_per_round=2, learning_rate=1.0
    )
    tuned = finetuning.FineTuner(BASE, small, ruinous).tune(small.validation.first(100))
    assert (tuned.share, tuned.rounds) == (0, 0)
    for before, after in zip(finetuning.tunable(BASE).get_weights(), tuned.model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_what_forgets_too_much_goes_back_towards_the_base(mine, small):
    """Where nothing may be lost, the mixture reads MNIST's validation digits no worse than the base."""
    fast = finetuning.Recipe(**QUICK | {"learning_rate": 5e-3, "rehearsal_size": 1}, largest_accuracy_drop=0)
    tuned = finetuning.FineTuner(BASE, small, fast).tune(eight(mine))
    assert tuned.share < finetuning.SHARES[0]
    assert wrong(tuned.model, small.validation) <= wrong(finetuning.tunable(BASE), small.validation)


def test_the_same_seed_gives_the_same_weights_whatever_was_tuned_before(tuner, tuned, mine):
    tuner.tune(mine.digits)
    again = tuner.tune(eight(mine))
    assert (again.share, again.rounds) == (tuned.share, tuned.rounds)
    for a, b in zip(tuned.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_recipe_out_of_range_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        finetuning.Recipe(rounds=0)
    with pytest.raises(ValueError, match="above 0"):
        finetuning.Recipe(learning_rate=0)


def test_a_model_without_a_dense_layer_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Conv2D(10, 28), keras.layers.Flatten()])
    model.save(tmp_path / "odd.keras")
    with pytest.raises(ValueError, match="the base can't be fine-tuned"):
        finetuning.tunable(tmp_path / "odd.keras")


def test_a_personal_model_is_published_with_what_it_gained(tuner, mine, small, tmp_path):
    done = []
    base = recognizer.load(BASE.stem)
    made = personal_model.make(base, tuner, mine, 2, "mine", tmp_path, lambda: done.append(1))
    assert len(done) == 3
    published = recognizer.load("mine", tmp_path)
    card = json.loads((tmp_path / "mine.json").read_text())
    assert card["base"] == {"name": BASE.stem, "sha256": files.sha256(BASE)}
    # As its MNIST digits were augmented; the base had only clean ones.
    assert [analysis.exposure(card, CORRUPTIONS[kind]) for kind in ("rotate", "fog")] == ["seen", "related"]
    assert card["own_digits"]["sha256"] == mine.sha256
    assert card["own_digits"]["after"]["correct"] == made.assessment.after.sum() > made.assessment.before.sum()
    right = published.predict_proba(small.test.images).argmax(axis=1) == small.test.labels
    assert card["scores"]["test"]["correct"] == right.sum()
    before = base.predict_proba(small.test.images).argmax(axis=1) == small.test.labels
    assert made.forgetting
    assert made.forgetting.difference == pytest.approx(right.mean() - before.mean())
    text = personal_model.describe(made, mine, "mine")
    assert f"before  {made.assessment.before.sum()} of 120" in text
    assert "MNIST's test digits:" in text


def test_a_learning_curve_reads_the_same_digits_after_more_and_more_others(tuner, mine):
    done = []
    curve = personal_model.learning_curve(tuner, mine.digits, lambda: done.append(1))
    # Of twelve, eight may be learnt.
    assert [point["samples"] for point in curve] == personal_model.curve_sizes(mine.digits) == [1, 3, 5]
    assert len(done) == 3
    assert all(point["before"] == curve[0]["before"] for point in curve)
    assert {point["after"]["n"] for point in curve} == {70}
    assert curve[-1]["after"]["correct"] > curve[0]["before"]["correct"]


def test_where_nothing_is_gained_nothing_is_published(tuner, mine, tmp_path, monkeypatch):
    same = np.ones(len(mine.digits), bool)
    monkeypatch.setattr(personal_model, "assess", lambda *_: personal_model.Assessment(same, same))
    made = personal_model.make(recognizer.load(BASE.stem), tuner, mine, 2, "mine", tmp_path, lambda: None)
    assert made.card is None
    assert not list(tmp_path.iterdir())
    assert "no new model was kept, mine is unchanged" in personal_model.describe(made, mine, "mine")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--base", "mnist_random_forest"], ["mnist_random_forest can't be fine-tuned", "--base"]),
        (["--base", "nobody"], ["no model called nobody"]),
        (["--digits-dir", "none"], ["no folder none"]),
        (["--folds", 99], ["expected --folds of at most ", ", the pictures of the rarest digit, got 99"]),
        (["--base", "mnist_mlp", "--name", "mnist_mlp"], ["expected another --name than that of the base, mnist_mlp"]),
        (["--name", "../mine"], ["expected a --name of", "../mine"]),
    ],
)
def test_the_script_refuses_at_once(run_script, arguments, words):
    assert_one_line_error(run_script("finetune_on_custom", *arguments, check=False), *words)
