"""Explaining by examples: the training digits that are nearest to an image, and those that taught the answer."""

from dataclasses import dataclass

import numpy as np

from digits.checkpoints.recognizer import Recognizer, blocks_of
from digits.data import Digits
from digits.images import to_input


@dataclass(frozen=True)
class Related:
    """How every training digit relates to some images.

    Attributes:
        distances: Euclidean distances of what the last layer sees, (images, training digits).
        influence: the dot products of the gradients of their losses with respect to the last layer, likewise. Above 0
            learning from the training digit lowers the image's loss (helpful), below 0 it raises it (harmful).
    """

    distances: np.ndarray
    influence: np.ndarray

    def nearest(self, count: int) -> np.ndarray:
        """Places of the nearest training digits, (images, count), the nearest first."""
        return np.argsort(self.distances, axis=1, kind="stable")[:, :count]

    def helpful(self, count: int) -> np.ndarray:
        """Places of the most helpful training digits, (images, count), the most helpful first."""
        return np.argsort(-self.influence, axis=1, kind="stable")[:, :count]

    def harmful(self, count: int) -> np.ndarray:
        """Places of the most harmful training digits, (images, count), the most harmful first."""
        return np.argsort(self.influence, axis=1, kind="stable")[:, :count]


def relate(recogniser: Recognizer, training: Digits, digits: Digits) -> Related:
    """Compare digits with all training digits in the space that the last dense layer sees.

    The gradient of digit i's cross-entropy with respect to that layer's weights and biases is (p_i - y_i) ⊗ (h_i, 1),
    so the dot product of two is (p_i - y_i)·(p_j - y_j) × (h_i·h_j + 1) (the last layer's part of TracIn, Pruthi et
    al. 2020): p the probabilities, y the label, h what the layer sees. The training digits go by in blocks, because
    what the layer sees of all of them may fill half a gigabyte.

    Args:
        digits: the images with the labels that they are judged by.

    Raises:
        ValueError: the model has no last dense layer.
    """
    seen, residuals = _last_layer(recogniser, digits.images, digits.labels)
    squares = _squares(seen)[:, None]
    distances, influence = [], []
    for images, labels in zip(blocks_of(training.images), blocks_of(training.labels), strict=True):
        block, block_residuals = _last_layer(recogniser, images, labels)
        products = seen @ block.T
        distances.append(np.sqrt(np.maximum(squares + _squares(block) - 2 * products, 0)))
        influence.append((residuals @ block_residuals.T) * (products + 1))
    return Related(np.concatenate(distances, axis=1), np.concatenate(influence, axis=1))


def features(recogniser: Recognizer, images: np.ndarray) -> np.ndarray:
    """What the last dense layer sees of images, float32 (N, d).

    Raises:
        ValueError: the model has no last dense layer.
    """
    return np.concatenate([recogniser.run(to_input(block), "features")[0] for block in blocks_of(images)])


def likeness(seen: np.ndarray, others: np.ndarray, count: int, skip: int = 0) -> np.ndarray:
    """How like some others each image is to the last layer: its mean cosine, (N,), with the most similar of them.

    Args:
        seen: what the last layer sees of the images, (N, d).
        others: likewise of the others, (M, d).
        count: of how many the mean is taken.
        skip: how many are left out, the most similar first: 1 where each is itself among the others.
    """
    # Divided afterwards, because a copy of all others at unit length may take as much memory as the server has left.
    lengths = np.sqrt(np.outer(_squares(seen), _squares(others)))
    cosines = np.sort(seen @ others.T / np.maximum(lengths, np.finfo(np.float32).tiny), axis=1)[:, ::-1]
    return cosines[:, skip : skip + count].mean(axis=1)


def _squares(seen: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", seen, seen)


def plane(recogniser: Recognizer, images: np.ndarray, seed: int = 0) -> np.ndarray:
    """Images on a plane, (N, 2), where neighbours in the last layer's space stay neighbours: PCA, then t-SNE.

    t-SNE (van der Maaten and Hinton 2008) keeps neighbourhoods; distances between far groups mean nothing.

    Raises:
        ValueError: there are fewer than three images, or the model has no last dense layer.
    """
    if len(images) < 3:
        raise ValueError(f"expected at least 3 digits to lay out on a plane, got {len(images)}")
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    seen = features(recogniser, images)
    components = min(50, *seen.shape)
    # Each digit's neighbourhood; it must be smaller than the set.
    perplexity = min(30, len(images) / 4)
    # Where other work keeps the cores busy, threads that wait for each other took three times as long as one alone.
    with threadpool_limits(1):
        reduced = PCA(components, random_state=seed).fit_transform(seen)
        return TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(reduced)


def _last_layer(recogniser: Recognizer, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the last layer sees, (N, d), and the probabilities minus the labels, (N, 10)."""
    blocks = [recogniser.run(to_input(block), "features", "probabilities") for block in blocks_of(images)]
    seen, probabilities = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    return seen, probabilities - np.eye(10, dtype=np.float32)[labels]
