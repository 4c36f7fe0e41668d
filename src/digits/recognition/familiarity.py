"""Whether an image looks like a digit to a model: how similar its features are to those of training digits.

Deep nearest neighbours (Sun et al. 2022), with the mean cosine in place of the distance.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from digits.checkpoints.recognizer import Recognizer, blocks_of
from digits.images import to_input
from digits.recognition import stored

if TYPE_CHECKING:
    from digits.data import Digits

# Every 11th of the 55,000 training digits: enough to find similar ones, and quick to search.
SAMPLE_STEP = 11
SAMPLE_SIZE = 5_000
# An image is familiar if its mean cosine with this many neighbours reaches that of all but this share of the sample.
NEIGHBOURS, UNLIKE_SHARE = 5, 0.01
# Raised when any of the above, or the file's format, changes.
VERSION = 1
# A cosine of 1 in single precision.
ROUNDED_ONE = 1 + 1e-5


@dataclass(frozen=True)
class Reference:
    """What one model's features are compared with.

    Attributes:
        features: of the sample of training digits, float32 (5000, d).
        least: the likeness from which an image is familiar.
    """

    features: np.ndarray
    least: float

    def likeness(self, features: np.ndarray) -> np.ndarray:
        """The likeness of images with these features, float32 (N, d), to the sample, float32 (N,)."""
        return likeness(features, self.features, NEIGHBOURS)


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
    # Divided afterwards, because a copy of all others at unit length may take as much memory as the server has left.
    lengths = np.sqrt(np.outer(_squares(features), _squares(others)))
    cosines = features @ others.T / np.maximum(lengths, np.finfo(np.float32).tiny)
    most = min(count + skip, cosines.shape[1])
    highest = np.sort(np.partition(cosines, -most, axis=1)[:, -most:], axis=1)[:, ::-1]
    return highest[:, skip:].mean(axis=1)


@lru_cache(maxsize=8)
def reference(recogniser: Recognizer) -> Reference:
    """What a model's features are compared with: from the user's cache folder, or computed in a few seconds.

    Raises:
        FileNotFoundError: it has to be computed, and MNIST isn't in the data folder.
        ValueError: the model has no last dense layer, or MNIST is damaged.
    """
    rows = stored.rows(recogniser, f"{VERSION}.familiarity", _is_whole, lambda: _compute(recogniser))
    return Reference(rows[:, :-1], float(np.quantile(rows[:, -1], UNLIKE_SHARE)))


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


def _compute(recogniser: Recognizer) -> np.ndarray:
    """A row for each digit of the sample, float32 (5000, d + 1): its features and its likeness to the others."""
    sample = features(recogniser, training_sample().images)
    # In parts, because all cosines together would be 100 MB. Each digit is the most similar to itself, and left out.
    parts = [likeness(part, sample, NEIGHBOURS, skip=1) for part in np.array_split(sample, 10)]
    return np.column_stack([sample, np.concatenate(parts)])


def _is_whole(rows: np.ndarray) -> bool:
    has_their_shape = len(rows) == SAMPLE_SIZE and rows.shape[1] > 1
    return has_their_shape and bool((np.abs(rows[:, -1]) <= ROUNDED_ONE).all())


def _squares(features: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", features, features)
