"""Training on a few real digits: it learns, is reproducible, and resumes after a kill as if nothing had happened."""

import itertools
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import train_cnn
from digits import data, training
from digits.augmentation import STRONG
from digits.images import to_input
from digits.training import Recipe, Trained, loop, run_state, schedules


@pytest.fixture(scope="module")
def few(splits) -> data.Splits:
    return data.Splits(splits.train.first(1024), splits.validation.first(500), splits.test)


def small_cnn() -> keras.Model:
    """One convolution and two layers of dropout: tracing the graph of more takes longer than training it."""
    ink = keras.Input((28, 28, 1), name="ink")
    hidden = keras.layers.Conv2D(16, 5, strides=2, activation="relu", name="convolution")(ink)
    hidden = keras.layers.Dropout(0.1, name="dropout_1")(keras.layers.MaxPooling2D()(hidden))
    hidden = keras.layers.Dropout(0.1, name="dropout_2")(keras.layers.Flatten()(hidden))
    logits = keras.layers.Dense(10, name="logits", dtype="float32")(hidden)
    return keras.Model(ink, keras.layers.Softmax(name="probabilities", dtype="float32")(logits))


def short(**changes) -> Recipe:
    """The CNN's recipe, shortened."""
    return replace(train_cnn.RECIPE, **({"epochs": 3, "batch_size": 32, "ema_momentum": 0.8} | changes))


def fit(few, recipe: Recipe, folder: Path | None = None, resume: bool = False) -> Trained:
    return loop.fit(small_cnn, few, recipe, folder=folder, resume=resume)


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def finished(few, tmp_path_factory, request) -> tuple[Recipe, Trained, Path]:
    """A training of two epochs in either precision, and its folder."""
    recipe, folder = short(epochs=2, precision=request.param), tmp_path_factory.mktemp(request.param)
    return recipe, fit(few, recipe, folder), folder


def answers(model, few) -> np.ndarray:
    return model.predict(to_input(few.validation.images), verbose=0)


class KilledError(Exception):
    pass


def test_training_learns_repeats_and_resumes(few, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    whole = fit(few, short())
    assert not list(tmp_path.iterdir()), "without a folder nothing is written"
    assert whole.history["val_accuracy"][-1] > 0.5
    assert len(whole.history["seconds"]) == 3
    assert whole.history["learning_rate"][0] > whole.history["learning_rate"][-1]

    def kill(self, epoch, logs=None):
        begin(self, epoch, logs)
        if epoch == 2:
            raise KilledError

    begin = run_state.Log.on_epoch_begin
    monkeypatch.setattr(run_state.Log, "on_epoch_begin", kill)
    with pytest.raises(KilledError):
        fit(few, short(), tmp_path / "cut")
    monkeypatch.setattr(run_state.Log, "on_epoch_begin", begin)
    resumed = fit(few, short(), tmp_path / "cut", resume=True)
    np.testing.assert_allclose(answers(resumed.model, few), answers(whole.model, few), atol=1e-5)
    np.testing.assert_allclose(resumed.history["val_loss"], whole.history["val_loss"], rtol=1e-5)
    assert resumed.best_epoch == whole.best_epoch
    # Before it was killed it was the same training once more.
    assert resumed.history["loss"][:2] == whole.history["loss"][:2]
    written = json.loads((tmp_path / "cut" / "history.json").read_text())
    assert written["loss"] == resumed.history["loss"]
    # What is finished isn't trained any further.
    again = fit(few, short(), tmp_path / "cut", resume=True)
    np.testing.assert_array_equal(answers(again.model, few), answers(resumed.model, few))
    # Hard-example mining leaves plain networks behind.
    for name in ("best", "final", "state"):
        with zipfile.ZipFile(tmp_path / "cut" / f"{name}.keras") as archive:
            assert json.loads(archive.read("config.json"))["class_name"] == "Functional"
    capsys.readouterr()


def test_a_resumed_training_goes_on_with_the_rate_of_its_plateaus(few, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(schedules, "PLATEAU_EPOCHS", 1)
    recipe = short(schedule="plateau", epochs=4, learning_rate=0.05, ema_momentum=0.0, precision="float32")
    whole = fit(few, recipe, tmp_path).history
    expected = [schedules.on_plateaus(0.05, whole["val_loss"][:epoch]) for epoch in range(4)]
    assert whole["learning_rate"] == pytest.approx(expected)
    assert expected[3] < 0.05, "there was a plateau"
    # The last state that was saved is that of the last epoch's beginning.
    resumed = fit(few, recipe, tmp_path, resume=True).history
    assert resumed["learning_rate"] == whole["learning_rate"]
    assert resumed["loss"] == pytest.approx(whole["loss"], rel=1e-5)


def test_the_best_epoch_is_kept_not_the_last(few, tmp_path, capsys):
    # A rate that wrecks the model after its first epoch: its losses are NaN.
    def schedule(_, steps):
        return keras.optimizers.schedules.PiecewiseConstantDecay([steps], [1e-3, 100.0])

    recipe = short(ema_momentum=0.0, patience=2, epochs=6, precision="float32")
    trained = loop.fit(small_cnn, few, recipe, schedule, tmp_path)
    assert trained.best_epoch == 1
    assert np.isfinite(trained.history["val_loss"]).tolist() == [True, False, False]
    assert len(trained.history["loss"]) == 3, "patience of 2 stops after two worse epochs"
    right = np.mean(answers(trained.model, few).argmax(axis=1) == few.validation.labels)
    assert right == pytest.approx(trained.history["val_accuracy"][0], abs=1e-6)
    final = keras.saving.load_model(tmp_path / "final.keras")
    assert np.mean(answers(final, few).argmax(axis=1) == few.validation.labels) < right
    capsys.readouterr()


def test_the_average_of_the_weights_grows_as_in_tensorflow():
    import tensorflow as tf

    optimizer = loop.AveragingAdamW(0.1, use_ema=True, ema_momentum=0.6)
    weight, averaged = keras.Variable([3.0, -1.0]), tf.Variable([0.0, 0.0])
    oracle, steps = None, tf.Variable(0.0)
    for step in range(16):
        optimizer.apply([2 * weight.value], [weight])
        averaged.assign(weight.value)
        steps.assign(step)
        # Keras's average begins with the first step's weights.
        oracle = oracle or tf.train.ExponentialMovingAverage(0.6, num_updates=steps)
        oracle.apply([averaged])
    optimizer.finalize_variable_values([weight])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weight), oracle.average(averaged), rtol=1e-5)
    assert optimizer.get_config()["ema_momentum"] == 0.6


def test_batches_cover_every_digit_once_an_epoch(few):
    stream = loop.batches(few.train, 128, seed=3, augment_in=lambda _: None)
    epoch = [next(stream) for _ in range(8)]
    inks = np.concatenate([ink for ink, _ in epoch])
    expected = to_input(few.train.images)
    order = np.lexsort(inks.reshape(1024, -1).T), np.lexsort(expected.reshape(1024, -1).T)
    np.testing.assert_array_equal(inks[order[0]], expected[order[1]])
    assert (
        np.concatenate([labels for _, labels in epoch]).sum(axis=0).tolist() == np.bincount(few.train.labels).tolist()
    )


def test_batches_of_an_epoch_do_not_depend_on_the_start(few):
    from_zero = loop.batches(few.train, 256, seed=3, augment_in=lambda _: STRONG)
    for _ in range(4):
        next(from_zero)
    from_one = loop.batches(few.train, 256, seed=3, augment_in=lambda _: STRONG, first_epoch=1)
    for _ in range(2):
        for mine, theirs in zip(next(from_zero), next(from_one), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_fraction_of_each_batch_is_in_other_styles(few, tmp_path, monkeypatch):
    def capture(self, stream, steps_per_epoch, **_):
        batches.extend(ink for ink, _ in itertools.islice(stream, steps_per_epoch))
        raise KilledError

    batches: list[np.ndarray] = []
    monkeypatch.setattr(keras.Model, "fit", capture)
    recipe = short(epochs=1, batch_size=64, augmentation="none", calm_fraction=0.0, style_fraction=0.25)
    with pytest.raises(KilledError):
        fit(few, recipe, tmp_path)
    own, styles, held_out = (
        {image.tobytes() for image in to_input(digits.images)}
        for digits in (few.train, data.load_styles().digits, data.load_styles(held_out=True).digits)
    )
    seen = [[image.tobytes() for image in batch] for batch in batches]
    everything = set().union(*seen)
    assert [sum(image in styles for image in batch) for batch in seen] == [16] * 21
    assert [sum(image in own for image in batch) for batch in seen] == [48] * 21
    assert len(own.intersection(everything)) == 21 * 48, "no own digit twice in an epoch"
    assert not held_out.intersection(everything)
    written = json.loads((tmp_path / "recipe.json").read_text())
    assert written["styles_sha256"] == data.STYLES_SHA256
    assert "styles_sha256" not in loop.describe(short())


def test_either_precision_gives_a_float32_model(few, finished):
    recipe, trained, folder = finished
    assert {layer.compute_dtype for layer in trained.model.layers} == {"float32"}
    kept = keras.saving.load_model(folder / "best.keras", compile=False)
    assert kept.get_layer("convolution").compute_dtype == recipe.precision
    # Eight bits of mantissa, through two layers.
    np.testing.assert_allclose(
        answers(trained.model, few), answers(kept, few), atol=1e-6 if recipe.precision == "float32" else 0.05
    )
    assert keras.config.dtype_policy().name == "float32"


def test_best_weights_of_another_training_are_refused(few, finished, tmp_path, capsys):
    recipe, _, folder = finished
    mine = shutil.copytree(folder, tmp_path / "mine")
    # As of a run that was interrupted in its second epoch, and whose best was the first, with other weights than these.
    history = json.loads((mine / "history.json").read_text())
    history["val_loss"][0] = 0.01
    (mine / "history.json").write_text(json.dumps(history))
    with pytest.raises(ValueError, match=r"to have its validation loss, [0-9.]*, got [0-9.]*: .*another name"):
        fit(few, recipe, mine, resume=True)
    capsys.readouterr()


def test_resuming_nothing_or_something_else_is_refused(few, finished, tmp_path):
    recipe, _, folder = finished
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        fit(few, recipe, tmp_path, resume=True)
    with pytest.raises(ValueError, match="expected the folder of the run to resume"):
        fit(few, recipe, resume=True)
    with pytest.raises(ValueError, match="had another learning_rate"):
        fit(few, replace(recipe, learning_rate=1.0), folder, resume=True)


def test_a_step_learns_from_the_digits_with_the_largest_losses(few, capsys):
    """Softmax regression from zeros but for a bias: its losses and its gradient are closed forms."""
    inputs, labels = to_input(few.train.images[:20]), few.train.labels[:20]
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
    bias = np.linspace(0, 3, 10)
    model.set_weights([np.zeros((784, 10)), bias])
    learner = loop.HardExampleMining(model, 4)
    learner.compile(keras.optimizers.SGD(1.0), "categorical_crossentropy", jit_compile=False)
    learner.train_on_batch(inputs, loop.one_hot(labels))
    probabilities = np.exp(bias) / np.exp(bias).sum()
    # The smaller the bias of the true class, the larger the loss.
    hardest = np.argsort(labels)[:4]
    assert labels[hardest[-1]] < np.sort(labels)[4], "no tie at the limit"
    errors = probabilities - loop.one_hot(labels[hardest])
    kernel, moved = model.get_weights()
    np.testing.assert_allclose(moved, bias - errors.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(kernel, -inputs[hardest].reshape(4, 784).T @ errors / 4, atol=1e-6)


def test_recipes_load_no_keras():
    code = (
        "import sys; from digits import training; training.Recipe(epochs=3); training.Run(name='mine')\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert training.fit is loop.fit
