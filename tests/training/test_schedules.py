"""Learning rates, step by step."""

import keras
import numpy as np
import pytest

from digits.training import Recipe, WarmRestarts, warmed_cosine
from digits.training.schedules import on_plateaus


def test_the_rate_warms_up_for_an_epoch_then_falls_along_half_a_cosine():
    recipe = Recipe(epochs=5, learning_rate=0.01)
    rates = [float(warmed_cosine(recipe, 100)(step)) for step in (0, 50, 100, 300, 500, 600)]
    np.testing.assert_allclose(rates, [0.001, 0.0055, 0.01, 0.005, 0, 0], atol=1e-8)


def test_every_restart_warms_up_and_falls_along_a_cosine_of_its_own():
    """Two epochs, then four, each as Keras's own warmed cosine of that length; saved and read it is the same."""
    once, twice = (Recipe(epochs=epochs, learning_rate=0.01) for epochs in (2, 4))
    steps = sorted({*range(0, 600, 12), *(edge + beside for edge in (100, 200, 300) for beside in (-1, 0, 1)), 599})
    cosines = [(warmed_cosine(once, 100), 0), (warmed_cosine(twice, 100), 200)]
    expected = [float(cosine(step - start)) for step in steps for cosine, start in cosines[step >= 200 :][:1]]
    schedule = WarmRestarts(0.01, 600, cycles=2, warmup_steps=100)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    for rates in (schedule, again):
        np.testing.assert_allclose([float(rates(step)) for step in steps], expected, rtol=1e-4, atol=1e-8)
    with pytest.raises(ValueError, match="expected more epochs or fewer cycles"):
        WarmRestarts(0.01, 300, cycles=2, warmup_steps=100)


@pytest.mark.parametrize("seed", range(5))
def test_the_rate_falls_on_plateaus_as_by_kerass_callback(seed):
    losses = np.random.default_rng(seed).random(30).tolist()
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile("adam", loss="mse")
    network.optimizer.learning_rate = 0.01
    callback = keras.callbacks.ReduceLROnPlateau(patience=3, factor=0.5, min_delta=0)
    callback.set_model(network)
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        assert on_plateaus(0.01, losses[: epoch + 1]) == pytest.approx(float(network.optimizer.learning_rate))
    assert on_plateaus(0.01, losses) < 0.01
