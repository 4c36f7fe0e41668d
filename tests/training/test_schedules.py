"""Learning rates, step by step."""

import keras
import numpy as np
import pytest

from digits.training import Recipe, WarmRestarts, warmed_cosine


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
