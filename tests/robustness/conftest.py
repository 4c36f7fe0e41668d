"""A finished sweep of three models with chosen answers."""

import numpy as np
import pytest

from digits.robustness import analysis
from tests.robustness.sweeps import CARDS, IMAGES, KINDS, NAMES, RIGHT, sweep_of


@pytest.fixture(scope="module")
def correct() -> dict[tuple[str, int], np.ndarray]:
    """Which answers of the three models are correct, bool (3, 200) for each cell, with the counts of `RIGHT`."""
    rng = np.random.default_rng(5)
    return {cell: np.stack([rng.permutation(IMAGES) < count for count in counts]) for cell, counts in RIGHT.items()}


@pytest.fixture(scope="module")
def three(correct) -> analysis.Robustness:
    return analysis.Robustness(sweep_of(NAMES, KINDS, (1, 3, 5), correct), CARDS, "plain")
