"""What a network has learned: its weights and filters as images, and its feature maps."""

from math import isqrt

import numpy as np

from digits.explanations.attribution import KerasModel
from digits.images import to_input


def input_weights(model: KerasModel) -> np.ndarray | None:
    """The weights from the ink to each unit of the first dense layer, float (units, side, side).

    None if there are convolutions before it, or its input isn't a square image.
    """
    import keras

    dense = next((layer for layer in model.network.layers if isinstance(layer, keras.layers.Dense)), None)
    if model.graph.convolutions or dense is None:
        return None
    kernel = dense.get_weights()[0]
    side = isqrt(len(kernel))
    return kernel.T.reshape(-1, side, side) if side**2 == len(kernel) else None


def filters(model: KerasModel, layer: str) -> np.ndarray:
    """A convolution's filters as images, float (filters, rows, columns), in falling order of their norm.

    A filter with several input channels is shown by its slice with the largest norm.
    """
    kernel = model.graph.convolution_kernels[layer]
    strongest = np.linalg.norm(kernel, axis=(0, 1)).argmax(axis=0)
    slices = np.stack([kernel[:, :, channel, unit] for unit, channel in enumerate(strongest)])
    return slices[np.argsort(-np.linalg.norm(slices, axis=(1, 2)), kind="stable")]


def feature_maps(model: KerasModel, images: np.ndarray, layer: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The strongest feature maps of a convolution, after its normalisation and activation.

    Args:
        images: uint8 (N, 28, 28).

    Returns:
        The maps, float (N, count, h, w), and the indices of their channels, (count,): those with the largest mean
        magnitude over the images.
    """
    _, maps = model.logits_and_maps(to_input(images), model.graph.convolutions[layer])
    channels = np.argsort(-np.abs(maps).mean(axis=(0, 1, 2)), kind="stable")[:count]
    return maps[..., channels].transpose(0, 3, 1, 2), channels
