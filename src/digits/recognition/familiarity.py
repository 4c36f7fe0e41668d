"""Whether an image looks like a digit to a model: like digits in its features, and unlike other drawings.

Deep nearest neighbours (Sun et al. 2022), by the cosine of whitened features in place of the distance. Similarity to
letters and shapes counts against an image: outlier exposure (Hendrycks et al. 2019), but without training.
"""

from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from digits.checkpoints.recognizer import Recognizer, blocks_of
from digits.images import to_input
from digits.recognition import stored

if TYPE_CHECKING:
    from digits.data import Digits

# Every 11th of the 55,000 training digits and every 4th in another style: enough to find similar ones, and quick.
SAMPLE_STEP, STYLE_STEP = 11, 4
SAMPLE_SIZE = 5_000
# Letters with the form of a digit are left out of the comparison: every reader takes an O for a 0.
LETTERS_LIKE_DIGITS = "DIOSZbglqosz"
# Features are whitened by this many principal components of every 8th reference image.
COMPONENTS, COMPONENTS_STEP = 96, 8
# Components that vary less than this share of the first one are as good as constant.
LEAST_DEVIATION = 1e-3
# Likeness: the mean cosine with this many nearest digits, minus this share of that with the nearest non-digits.
NEIGHBOURS, NON_DIGITS_WEIGHT = 5, 0.5
# An image is familiar if its likeness reaches that of all but this share of the training digits.
UNLIKE_SHARE = 0.01
# Raised when any of the above, or the file's format, changes.
VERSION = 2
TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Reference:
    """What one model's features are compared with.

    Attributes:
        mean: of features, float32 (d,).
        whitening: from features to principal components of unit variance, float32 (d, k).
        digits: whitened features of the training sample, then of digits in other styles, float32 (N, k).
        non_digits: whitened features of letters, symbols, shapes, scribbles and taps, float32 (M, k).
        least: the likeness from which an image is familiar, float32 ().
    """

    mean: np.ndarray
    whitening: np.ndarray
    digits: np.ndarray
    non_digits: np.ndarray
    least: np.ndarray

    def likeness(self, features: np.ndarray) -> np.ndarray:
        """How like digits images with these features, float32 (N, d), are: at most 1.5, float32 (N,)."""
        return _contrast(self._whitened(features), self.digits, self.non_digits)

    def most_similar(self, features: np.ndarray, count: int) -> np.ndarray:
        """Indices of the digits of the training sample most similar to an image, the most similar first, (count,)."""
        alike = cosines(self._whitened(features), self.digits[:SAMPLE_SIZE])[0]
        return np.argsort(-alike, kind="stable")[:count]

    def _whitened(self, features: np.ndarray) -> np.ndarray:
        return (features - self.mean) @ self.whitening


def can_judge(recogniser: Recognizer) -> bool:
    """Whether a model has convolutions; the features of others hardly tell digits from anything else."""
    return "features" in recogniser.outputs and "feature_layer" in recogniser.metadata


def features(recogniser: Recognizer, images: np.ndarray) -> np.ndarray:
    """The input of the last dense layer, float32 (N, d), for images, uint8 (N, 28, 28).

    Raises:
        ValueError: the model has no last dense layer.
    """
    return np.concatenate([recogniser.run(to_input(block), "features")[0] for block in blocks_of(images)])


def likeness(features: np.ndarray, others: np.ndarray, count: int, skip: int = 0) -> np.ndarray:
    """The mean cosine of each image with those most similar to it among others, float32 (N,).

    Args:
        features: of the images, float32 (N, d).
        others: features of the others, float32 (M, d).
        count: how many of the others the mean is taken over.
        skip: how many are left out first, the most similar ones: 1 where each image is itself among the others.
    """
    found = cosines(features, others)
    most = min(count + skip, found.shape[1])
    highest = np.sort(np.partition(found, -most, axis=1)[:, -most:], axis=1)[:, ::-1]
    return highest[:, skip:].mean(axis=1)


@lru_cache(maxsize=8)
def reference(recogniser: Recognizer) -> Reference:
    """What a model's features are compared with: from the user's cache folder, or computed in a few seconds.

    Raises:
        FileNotFoundError: it has to be computed, and MNIST or the other styles aren't in the data folder.
        ValueError: the model has no last dense layer, or a data file is damaged.
    """
    names = [field.name for field in fields(Reference)]
    return Reference(**stored.arrays(recogniser, f"{VERSION}.familiarity", names, lambda: asdict(_compute(recogniser))))


def training_sample() -> "Digits":
    """The 5,000 training digits that images are compared with.

    Raises:
        FileNotFoundError: MNIST isn't in the data folder.
        ValueError: MNIST is damaged.
    """
    from digits import data

    arrays = data.load_mnist(names=("x_train", "y_train"))
    indices = data.split_indices()[0][::SAMPLE_STEP]
    return data.Digits(arrays["x_train"][indices], arrays["y_train"][indices])


def compared_images() -> tuple[np.ndarray, np.ndarray]:
    """The reference images: digits, of which the first are the training sample, and other drawings.

    Raises:
        FileNotFoundError: MNIST or the other styles aren't in the data folder.
        ValueError: their files are damaged.
    """
    from digits import data

    styles = data.load_styles().digits.images[::STYLE_STEP]
    drawings = data.style_arrays("nondigit_images", "nondigit_name", "nondigit_held_out")
    is_compared = ~drawings["nondigit_held_out"] & ~np.isin(drawings["nondigit_name"], list(LETTERS_LIKE_DIGITS))
    return np.concatenate([training_sample().images, styles]), drawings["nondigit_images"][is_compared]


def _compute(recogniser: Recognizer) -> Reference:
    images = compared_images()
    mean, whitening = _whitening(features(recogniser, np.concatenate(images)[::COMPONENTS_STEP]))
    # In blocks: some networks' features of all images at once would take more memory than the server has left.
    digits, non_digits = (
        np.concatenate([(features(recogniser, block) - mean) @ whitening for block in blocks_of(some)])
        for some in images
    )
    # Each digit is most similar to itself, which is skipped.
    sample = [_contrast(block, digits, non_digits, skip=1) for block in blocks_of(digits[:SAMPLE_SIZE])]
    least = np.quantile(np.concatenate(sample), UNLIKE_SHARE)
    return Reference(mean, whitening, digits, non_digits, np.asarray(least, np.float32))


def _whitening(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean, and the first principal components, each divided by its standard deviation, by subspace iteration.

    Source: Halko, Martinsson and Tropp 2011, with a few more directions than wanted.
    """
    mean = features.mean(axis=0)
    centred = features - mean
    width = centred.shape[1]
    basis = np.random.default_rng(0).normal(size=(width, min(width, COMPONENTS + 32))).astype(np.float32)
    for _ in range(5):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    _, lengths, axes = np.linalg.svd(centred @ basis, full_matrices=False)
    deviations = np.maximum(lengths, max(LEAST_DEVIATION * lengths[0], TINY)) * len(centred) ** -0.5
    return mean, (basis @ axes.T / deviations)[:, :COMPONENTS]


def _contrast(whitened: np.ndarray, digits: np.ndarray, non_digits: np.ndarray, skip: int = 0) -> np.ndarray:
    alike = likeness(whitened, digits, NEIGHBOURS, skip)
    return alike - NON_DIGITS_WEIGHT * likeness(whitened, non_digits, NEIGHBOURS)


def cosines(features: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The cosine of each image's features, (N, d), with each of the others', (M, d): (N, M)."""
    lengths = np.outer(np.linalg.norm(features, axis=1), np.linalg.norm(others, axis=1))
    return features @ others.T / np.maximum(lengths, TINY)
