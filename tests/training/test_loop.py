"""Training on a few real digits: it learns, repeats itself, and goes on after a kill as if nothing had happened."""

import json
import shutil

import keras
import numpy as np
import pytest

import train_cnn
from digits import data
from digits.augmentation import STRONG
from digits.images import to_input
from digits.training import architectures, loop, recipe, run_state


@pytest.fixture
def few(splits) -> data.Splits:
    return data.Splits(splits.train.first(1024), splits.validation.first(500), splits.test)


def options(folder, **changes) -> recipe.TrainingOptions:
    return train_cnn.Options(
        **({"report_dir": folder, "output_dir": folder, "epochs": 3, "batch_size": 32, "averaging": 0.8} | changes)
    )


def fit(few, chosen: recipe.TrainingOptions, build=architectures.cnn) -> loop.Trained:
    return loop.fit(build, loop.warmed_cosine, few, chosen)


def answers(model, few) -> np.ndarray:
    return model.predict(to_input(few.validation.images), verbose=0)


class KilledError(Exception):
    pass


def test_training_learns_repeats_and_resumes(few, tmp_path, monkeypatch, capsys):
    whole = fit(few, options(tmp_path / "whole"))
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
        fit(few, options(tmp_path / "cut"))
    monkeypatch.setattr(run_state.Log, "on_epoch_begin", begin)
    resumed = fit(few, options(tmp_path / "cut", resume=True))
    np.testing.assert_allclose(answers(resumed.model, few), answers(whole.model, few), atol=1e-5)
    np.testing.assert_allclose(resumed.history["val_loss"], whole.history["val_loss"], rtol=1e-5)
    assert resumed.best_epoch == whole.best_epoch
    # Before it was killed it was the same training once more.
    assert resumed.history["loss"][:2] == whole.history["loss"][:2]
    written = json.loads((tmp_path / "cut" / "mnist_cnn" / "history.json").read_text())
    assert written["loss"] == resumed.history["loss"]
    capsys.readouterr()


def test_the_best_epoch_is_kept_not_the_last(few, tmp_path, capsys):
    # A rate that wrecks the model after its first epoch: its losses are NaN.
    def schedule(_, steps):
        return keras.optimizers.schedules.PiecewiseConstantDecay([steps], [1e-3, 100.0])

    chosen = options(tmp_path, averaging=0, patience=2, epochs=6, precision="float32")
    trained = loop.fit(architectures.mlp, schedule, few, chosen)
    assert trained.best_epoch == 1
    assert np.isfinite(trained.history["val_loss"]).tolist() == [True, False, False]
    assert len(trained.history["loss"]) == 3, "patience of 2 stops after two worse epochs"
    right = np.mean(answers(trained.model, few).argmax(axis=1) == few.validation.labels)
    assert right == pytest.approx(trained.history["val_accuracy"][0], abs=1e-6)
    final = keras.saving.load_model(tmp_path / "mnist_cnn" / "final.keras")
    assert np.mean(answers(final, few).argmax(axis=1) == few.validation.labels) < right
    capsys.readouterr()


def test_the_rate_warms_up_for_an_epoch_then_falls_along_half_a_cosine(tmp_path):
    chosen = options(tmp_path, epochs=5, learning_rate=0.01)
    rates = [float(loop.warmed_cosine(chosen, 100)(step)) for step in (0, 50, 100, 300, 500, 600)]
    np.testing.assert_allclose(rates, [0.001, 0.0055, 0.01, 0.005, 0, 0], atol=1e-8)


def test_every_restart_warms_up_and_falls_along_a_cosine_of_its_own(tmp_path):
    """Two epochs, then four, each as Keras's own warmed cosine of that length; saved and read it is the same."""
    once, twice = (options(tmp_path, epochs=epochs, learning_rate=0.01) for epochs in (2, 4))
    expected = [float(loop.warmed_cosine(once, 100)(step)) for step in range(200)]
    expected += [float(loop.warmed_cosine(twice, 100)(step)) for step in range(400)]
    schedule = loop.WarmRestarts(0.01, 600, cycles=2, warmup_steps=100)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    for rates in (schedule, again):
        np.testing.assert_allclose([float(rates(step)) for step in range(600)], expected, rtol=1e-4, atol=1e-8)
    with pytest.raises(ValueError, match="expected more epochs or fewer --cycles"):
        loop.WarmRestarts(0.01, 300, cycles=2, warmup_steps=100)


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


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_either_precision_gives_a_float32_model(few, tmp_path, capsys, precision):
    trained = fit(few, options(tmp_path, epochs=1, precision=precision))
    assert {layer.compute_dtype for layer in trained.model.layers} == {"float32"}
    kept = keras.saving.load_model(tmp_path / "mnist_cnn" / "best.keras", compile=False)
    assert kept.get_layer("convolution_2").compute_dtype == precision
    # Eight bits of mantissa, through five layers.
    np.testing.assert_allclose(
        answers(trained.model, few), answers(kept, few), atol=1e-6 if precision == "float32" else 0.05
    )
    assert keras.config.dtype_policy().name == "float32"
    capsys.readouterr()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_weights_of_another_training_are_refused(few, tmp_path, monkeypatch, capsys, precision):
    fit(few, options(tmp_path / "other", epochs=2, precision=precision), architectures.mlp)
    keep = run_state.Log.on_epoch_end

    def keep_and_lose(self, epoch, logs=None):
        keep(self, epoch, logs)
        shutil.copyfile(tmp_path / "other" / "mnist_cnn" / "best.keras", self.folder / "best.keras")

    monkeypatch.setattr(run_state.Log, "on_epoch_end", keep_and_lose)
    with pytest.raises(ValueError, match=r"expected .* validation loss, [0-9.]*, got [0-9.]*: .*another --name"):
        fit(few, options(tmp_path, epochs=1, precision=precision), architectures.mlp)
    capsys.readouterr()


def test_resuming_nothing_or_something_else_is_refused(few, tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="nothing to resume"):
        fit(few, options(tmp_path, resume=True))
    fit(few, options(tmp_path, epochs=2), architectures.mlp)
    with pytest.raises(ValueError, match="had another learning_rate"):
        fit(few, options(tmp_path, epochs=2, learning_rate=1.0, resume=True))
    capsys.readouterr()


def test_a_step_learns_from_the_digits_with_the_largest_losses(few, tmp_path, capsys):
    """Softmax regression from zeros but for a bias: its losses and its gradient are closed forms."""
    inputs, labels = to_input(few.train.images[:20]), few.train.labels[:20]
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
    bias = np.linspace(0, 3, 10)
    model.set_weights([np.zeros((784, 10)), bias])
    model.compile(keras.optimizers.SGD(1.0), "categorical_crossentropy", jit_compile=False)
    loop.learn_from_hardest(model, 4)
    model.train_on_batch(inputs, loop.one_hot(labels))
    probabilities = np.exp(bias) / np.exp(bias).sum()
    # The smaller the bias of the true class, the larger the loss.
    hardest = np.argsort(labels)[:4]
    assert labels[hardest[-1]] < np.sort(labels)[4], "no tie at the limit"
    errors = probabilities - loop.one_hot(labels[hardest])
    kernel, moved = model.get_weights()
    np.testing.assert_allclose(moved, bias - errors.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(kernel, -inputs[hardest].reshape(4, 784).T @ errors / 4, atol=1e-6)


def test_training_from_the_hardest_digits_resumes(few, tmp_path, capsys):
    chosen = {"hardest": 0.5, "epochs": 2}
    whole = fit(few, options(tmp_path / "whole", **chosen), architectures.mlp)
    fit(few, options(tmp_path / "cut", **chosen), architectures.mlp)
    resumed = fit(few, options(tmp_path / "cut", **chosen, resume=True), architectures.mlp)
    np.testing.assert_allclose(answers(resumed.model, few), answers(whole.model, few), atol=1e-5)
    capsys.readouterr()
