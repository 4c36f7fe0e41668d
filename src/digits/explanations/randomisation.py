"""Parameter randomisation (Adebayo et al. 2018): maps that explain a model must change when its weights do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digits.explanations.attribution import KerasModel, explain
from digits.metrics import intervals


@dataclass(frozen=True)
class Cascade:
    """How similar maps stay while a network's layers are randomised, from the logits down.

    Attributes:
        stages: the name of the last layer randomised at each stage.
        similarity: by method, Spearman's correlation with the trained network's map, float (stages, seeds, N).
    """

    stages: tuple[str, ...]
    similarity: dict[str, np.ndarray]


def cascading_randomisation(
    model: KerasModel,
    images: np.ndarray,
    methods: Sequence[str],
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    stages: int = 6,
    parameters: dict[str, dict] | None = None,
) -> Cascade:
    """Randomise layers from the logits down to the ink, and compare the maps of the same classes at each stage.

    A layer is randomised by permuting each of its weight arrays, which keeps their distribution. The model's weights
    are restored at the end.

    Args:
        images: uint8 (N, 28, 28).
        methods: names of attribution methods.
        seeds: each gives one permutation of all layers.
        stages: the number of evenly spaced stages at which maps are compared; at the last, all layers are randomised.
        parameters: by method, its own parameters.
    """
    parameters = parameters or {}
    trained = model.network.get_weights()
    layers = [layer for layer in reversed(model.network.layers) if layer.weights]
    compared_at = sorted(set(np.linspace(len(layers), 1, stages).round().astype(int)))
    original = {name: explain(model, images, name, **parameters.get(name, {})) for name in methods}
    similarity = {name: np.empty((len(compared_at), len(seeds), len(images))) for name in methods}
    try:
        for column, seed in enumerate(seeds):
            rng = np.random.default_rng(seed)
            model.network.set_weights(trained)
            for count, layer in enumerate(layers, start=1):
                layer.set_weights(
                    [rng.permutation(array.ravel()).reshape(array.shape) for array in layer.get_weights()]
                )
                if count not in compared_at:
                    continue
                for name, trained_map in original.items():
                    randomised = explain(model, images, name, trained_map.target, **parameters.get(name, {}))
                    similarity[name][compared_at.index(count), column] = intervals.correlations(
                        trained_map.signed, randomised.signed, of_ranks=True
                    )
    finally:
        model.network.set_weights(trained)
    return Cascade(tuple(layers[count - 1].name for count in compared_at), similarity)
