"""Explaining by examples: the training digits nearest to an image, and those that influenced the answer most."""

from dataclasses import dataclass

import numpy as np

from digits.checkpoints.recognizer import Recognizer, blocks_of
from digits.data import Digits
from digits.images import to_input
from digits.recognition.familiarity import features


@dataclass(frozen=True)
class Related:
    """How every training digit relates to some images.

    Attributes:
        distances: Euclidean distances between the inputs of the last layer, (images, training digits).
        influence: dot products of the gradients of their losses with respect to the last layer, of the same shape.
            Above 0, learning from the training digit lowers the image's loss (helpful), below 0 it raises it (harmful).
    """

    distances: np.ndarray
    influence: np.ndarray

    def nearest(self, count: int) -> np.ndarray:
        """Indices of the nearest training digits, (images, count), the nearest first."""
        return np.argsort(self.distances, axis=1, kind="stable")[:, :count]

    def helpful(self, count: int) -> np.ndarray:
        """Indices of the most helpful training digits, (images, count), the most helpful first."""
        return np.argsort(-self.influence, axis=1, kind="stable")[:, :count]

    def harmful(self, count: int) -> np.ndarray:
        """Indices of the most harmful training digits, (images, count), the most harmful first."""
        return np.argsort(self.influence, axis=1, kind="stable")[:, :count]


def relate(recogniser: Recognizer, training: Digits, digits: Digits) -> Related:
    """Compare digits with all training digits by the input of the last dense layer.

    The gradient of digit i's cross-entropy with respect to that layer's weights and biases is (p_i - y_i) ⊗ (h_i, 1),
    so the dot product of two is (p_i - y_i)·(p_j - y_j) × (h_i·h_j + 1) (the last layer's part of TracIn, Pruthi et
    al. 2020): p are the probabilities, y is the label, h the layer's input. The training digits are processed in
    blocks, because the layer's inputs for all of them may take half a gigabyte.

    Args:
        training: the training digits.
        digits: the images, with the labels that their losses are computed for.

    Raises:
        ValueError: the model has no last dense layer.
    """
    inputs, residuals = _last_layer(recogniser, digits.images, digits.labels)
    squares = _squares(inputs)[:, None]
    distances, influence = [], []
    for images, labels in zip(blocks_of(training.images), blocks_of(training.labels), strict=True):
        block, block_residuals = _last_layer(recogniser, images, labels)
        products = inputs @ block.T
        distances.append(np.sqrt(np.maximum(squares + _squares(block) - 2 * products, 0)))
        influence.append((residuals @ block_residuals.T) * (products + 1))
    return Related(np.concatenate(distances, axis=1), np.concatenate(influence, axis=1))


def _squares(inputs: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", inputs, inputs)


def plane(recogniser: Recognizer, images: np.ndarray, seed: int = 0) -> np.ndarray:
    """Images as points on a plane, (N, 2), where neighbours by their features stay neighbours: PCA, then t-SNE.

    t-SNE (van der Maaten and Hinton 2008) keeps neighbourhoods; distances between far groups mean nothing.

    Raises:
        ValueError: there are fewer than three images, or the model has no last dense layer.
    """
    if len(images) < 3:
        raise ValueError(f"expected at least 3 digits to lay out on a plane, got {len(images)}")
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    inputs = features(recogniser, images)
    components = min(50, *inputs.shape)
    # Each digit's neighbourhood; it must be smaller than the set.
    perplexity = min(30, len(images) / 4)
    # Where other work keeps the cores busy, threads that wait for each other took three times as long as one alone.
    with threadpool_limits(1):
        reduced = PCA(components, random_state=seed).fit_transform(inputs)
        return TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(reduced)


def _last_layer(recogniser: Recognizer, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last layer's inputs, (N, d), and the probabilities minus the one-hot labels, (N, 10)."""
    blocks = [recogniser.run(to_input(block), "features", "probabilities") for block in blocks_of(images)]
    inputs, probabilities = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return inputs, probabilities - np.eye(10, dtype=np.float32)[labels]
