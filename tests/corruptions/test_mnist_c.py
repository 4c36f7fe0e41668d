"""The corruptions at MNIST-C's level, in statistics, against MNIST-C's definitions as its generator executes them."""

import numpy as np
import pytest

from digits.corruptions import CORRUPTIONS
from tests.corruptions import published
from tests.corruptions.pages import COLUMNS, ROWS

LEVELS = {name: each.mnist_c for name, each in CORRUPTIONS.items() if each.mnist_c is not None}
# Up to a sign, which the tests of geometry count, these leave nothing to chance.
FIXED = {"rotate", "shear", "scale", "translate", "brightness", "stripe", "canny_edges"}


def at_mnist_c_level(name: str, images: np.ndarray) -> np.ndarray:
    return CORRUPTIONS[name](images, LEVELS[name], np.random.default_rng(0))


@pytest.mark.parametrize("name", sorted(FIXED))
def test_fixed_corruption_is_mnist_c_s(name, some_digits, rng):
    ours = at_mnist_c_level(name, some_digits.images)[:, None]
    theirs = np.stack([getattr(published, name)(image / 255, rng) for image in some_digits.images])
    different = np.abs(ours - 255 * theirs) > 2
    # One pixel in 100,000: a tie between gradients that rounding decides.
    assert different.mean(axis=(2, 3)).min(axis=1).mean() <= 1e-5


def statistics(images: np.ndarray) -> np.ndarray:
    """Of each image: mean ink, its variance, its moments along both axes, its power by frequency along both axes."""
    ink = images / 255
    moments = [ink.mean((1, 2)), ink.var((1, 2)), (ink * ROWS).mean((1, 2)), (ink * COLUMNS).mean((1, 2))]
    spectra = [np.square(np.abs(np.fft.rfft(ink, axis=axis))).mean(3 - axis)[:, 1:] for axis in (1, 2)]
    return np.column_stack([*moments, *spectra])


@pytest.mark.parametrize("name", sorted(set(LEVELS) - FIXED))
def test_random_corruption_is_distributed_as_mnist_c_s(name, some_digits, rng):
    """If ours and theirs have one distribution, the sign of their difference on a digit is a coin's.

    So tossing it for all digits, 4,000 times, shows how far apart the most different statistic may be by chance.
    """
    theirs = np.stack([getattr(published, name)(image / 255, rng) for image in some_digits.images])
    rounded = np.round(255 * np.clip(theirs, 0, 1))
    difference = statistics(at_mnist_c_level(name, some_digits.images)) - statistics(rounded)
    difference /= np.sqrt(np.square(difference).sum(axis=0))
    tosses = rng.choice([-1.0, 1.0], (4000, len(difference)))
    by_chance = np.abs(tosses @ difference).max(axis=1)
    assert np.mean(by_chance >= np.abs(difference.sum(axis=0)).max()) > 0.002
