"""Learning-rate schedules: one warmed cosine, several with restarts, or a reduction on each plateau."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from digits.training.recipe import Recipe

PLATEAU_EPOCHS, PLATEAU_FACTOR = 3, 0.5
Schedule = keras.optimizers.schedules.LearningRateSchedule


def warmed_cosine(recipe: Recipe, steps_per_epoch: int) -> Schedule:
    """One epoch of linear warm-up from a tenth of the learning rate, then cosine decay to 0."""
    return keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 10,
        decay_steps=max(1, recipe.epochs - 1) * steps_per_epoch,
        warmup_target=recipe.learning_rate,
        warmup_steps=steps_per_epoch,
    )


def on_plateaus(learning_rate: float, val_losses: Sequence[float]) -> float:
    """The learning rate after these epochs: halved at the end of each three without a lower validation loss.

    The same as Keras's `ReduceLROnPlateau` with `min_delta=0`, but it depends only on the history, so a resumed
    training goes on with the same rate.
    """
    lowest, waited = math.inf, 0
    for loss in val_losses:
        lowest, waited = (loss, 0) if loss < lowest else (lowest, waited + 1)
        if waited == PLATEAU_EPOCHS:
            learning_rate, waited = learning_rate * PLATEAU_FACTOR, 0
    return learning_rate


@keras.saving.register_keras_serializable("digits")
class WarmRestarts(Schedule):
    """Cosine decay to 0 with restarts, each cycle twice as long as the last (Loshchilov and Hutter 2017).

    Each cycle warms up from a tenth of the learning rate: without that, a network without BatchNorm fell back to chance
    at a restart.

    Args:
        learning_rate: peak of each cycle.
        steps: in all cycles together.
        cycles: number of cycles.
        warmup_steps: in each cycle.

    Raises:
        ValueError: the first cycle would end before its warm-up.
    """

    def __init__(self, learning_rate: float, steps: int, cycles: int, warmup_steps: int) -> None:
        self._config = {
            "learning_rate": learning_rate,
            "steps": steps,
            "cycles": cycles,
            "warmup_steps": warmup_steps,
        }
        self._first = steps / (2**cycles - 1)
        if self._first <= warmup_steps:
            raise ValueError(f"expected more epochs or fewer cycles: the first of {cycles} has no time to warm up")
        self._restarts = [self._first * (2**cycle - 1) for cycle in range(1, cycles)]

    def __call__(self, step):
        """Learning rate of a step, counted from 0."""
        now: Any = keras.ops.cast(step, "float32")
        restarted: Any = [keras.ops.cast(now >= restart, "float32") for restart in self._restarts]
        scale = 2.0 ** sum(restarted)
        since, length = now - self._first * (scale - 1), self._first * scale
        highest, warmup = self._config["learning_rate"], self._config["warmup_steps"]
        done: Any = keras.ops.clip((since - warmup) / (length - warmup), 0, 1)
        cosine: Any = keras.ops.cos(np.pi * done)
        return keras.ops.minimum(highest * (1 + cosine) / 2, highest * (0.1 + 0.9 * since / warmup))

    def get_config(self) -> dict:
        """Arguments that make an equal schedule."""
        return self._config
