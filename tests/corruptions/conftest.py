"""Digits to corrupt."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def digits_100(some_digits) -> np.ndarray:
    return some_digits.images[:100]
