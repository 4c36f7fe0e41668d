"""Labelled digits, and the three parts of a data set."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Digits:
    """Labelled digits.

    Attributes:
        images: uint8 (N, 28, 28), ink 255 on paper 0.
        labels: uint8 (N,), 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, indices: np.ndarray) -> "Digits":
        """The digits at these indices, int (M,), or where a mask is true, bool (N,)."""
        return Digits(self.images[indices], self.labels[indices])

    def first(self, count: int | None) -> "Digits":
        """The first `count` digits, or all for None.

        Raises:
            ValueError: `count` is below 1.
        """
        if count is not None and count < 1:
            raise ValueError(f"expected at least 1 digit to train on, got {count}")
        return Digits(self.images[:count], self.labels[:count])


@dataclass(frozen=True)
class Splits:
    """MNIST in its fixed split: 55,000 digits to train on, 5,000 for every choice, 10,000 for the final test."""

    train: Digits
    validation: Digits
    test: Digits
