"""Four digits to be explained."""

import numpy as np
import pytest

from digits.images import to_input


@pytest.fixture(scope="module")
def images(some_digits) -> np.ndarray:
    """Four digits that nobody may write to."""
    images = some_digits.images[:4]
    images.flags.writeable = False
    return images


@pytest.fixture(scope="module")
def ink(images) -> np.ndarray:
    return to_input(images)
