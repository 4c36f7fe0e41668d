"""The sanity check of Adebayo et al. (2018): an explanation of a model must change when the model's weights do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digits.explanations.attribution import KerasModel, explain
from digits.metrics import intervals


@dataclass(frozen=True)
class Cascade:
    """How alike maps stay while a network's layers lose what they learned, from the logits down.

    Attributes:
        stages: the last layer randomised at each stage.
        similarity: by method, Spearman's correlation with the trained network's map, (stages, seeds, N).
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
    """Randomise layers from the logits down to the ink, and compare maps of the same classes at some `stages`.

    A layer is randomised by permuting each of its weight arrays, which keeps their distribution. The model's weights
    are put back at the end.

    Args:
        images: uint8 (N, 28, 28).
        methods: names of attribution methods.
        seeds: one permutation of all layers each.
        stages: how many sets of randomised layers are looked at, evenly spaced; the last is all layers.
        parameters: methods' own parameters by method.
    """
    parameters = parameters or {}
    trained = model.network.get_weights()
    layers = [layer for layer in reversed(model.network.layers) if layer.weights]
    looked_at = sorted(set(np.linspace(len(layers), 1, stages).round().astype(int)))
    original = {name: explain(model, images, name, **parameters.get(name, {})) for name in methods}
    similarity = {name: np.empty((len(looked_at), len(seeds), len(images))) for name in methods}
    try:
        for place, seed in enumerate(seeds):
            rng = np.random.default_rng(seed)
            model.network.set_weights(trained)
            for count, layer in enumerate(layers, start=1):
                layer.set_weights(
                    [rng.permutation(array.ravel()).reshape(array.shape) for array in layer.get_weights()]
                )
                if count not in looked_at:
                    continue
                for name, trained_map in original.items():
                    randomised = explain(model, images, name, trained_map.target, **parameters.get(name, {}))
                    similarity[name][looked_at.index(count), place] = intervals.correlations(
                        trained_map.signed, randomised.signed, of_ranks=True
                    )
    finally:
        model.network.set_weights(trained)
    return Cascade(tuple(layers[count - 1].name for count in looked_at), similarity)
