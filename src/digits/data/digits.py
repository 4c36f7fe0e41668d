"""Labelled digits, and MNIST's three parts of them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Digits:
    """Labelled digits: images uint8 (N, 28, 28) with ink 255 on paper 0, labels uint8 (N,)."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, places: np.ndarray) -> "Digits":
        """The digits at these places, indices or a mask."""
        return Digits(self.images[places], self.labels[places])

    def first(self, count: int | None) -> "Digits":
        """The first `count` digits; all of them for None.

        Raises:
            ValueError: `count` is below 1.
        """
        if count is not None and count < 1:
            raise ValueError(f"expected at least 1 digit to train on, got {count}")
        return Digits(self.images[:count], self.labels[:count])


@dataclass(frozen=True)
class Splits:
    """MNIST in the project's fixed parts: 55,000 to learn from, 5,000 to choose by, 10,000 to look at once."""

    train: Digits
    validation: Digits
    test: Digits
