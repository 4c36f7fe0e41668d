"""Training networks and baselines: recipes, architectures, the training loop, ensembles.

In: `data.Splits` and a `Recipe`. Out: a Keras model and its history. In a notebook:

    from digits import data, training
    from digits.training import architectures

    recipe = training.Recipe(epochs=3, augmentation="light")
    trained = training.fit(architectures.cnn, data.load_splits(), recipe)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from digits.training.recipe import Recipe, Run

if TYPE_CHECKING:
    from digits.training.loop import Trained, fit
    from digits.training.schedules import WarmRestarts, warmed_cosine

# Keras is loaded when one of these is first used.
_HOMES = {"Trained": "loop", "fit": "loop", "WarmRestarts": "schedules", "warmed_cosine": "schedules"}

__all__ = ["Recipe", "Run", "Trained", "WarmRestarts", "fit", "warmed_cosine"]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f"digits.training.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
