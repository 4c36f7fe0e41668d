"""Labelled digits, and the three parts of a data set."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

# SHA-256 of the four uncompressed IDX files that LeCun, Cortes and Burges published.
OFFICIAL_SHA256 = {
    "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


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

    @property
    def sha256(self) -> str:
        """SHA-256 of the images' bytes, then the labels'."""
        return hashlib.sha256(self.images.tobytes() + self.labels.tobytes()).hexdigest()

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
    """Digits to train on, to make every choice on, and for the final test; of MNIST 55,000, 5,000 and 10,000.

    Attributes:
        name: of the data set.
        idx_sha256: of the data set's arrays, as `idx_sha256` computes them.
        how_read: what to say of how other digits than MNIST were read, in lines.
    """

    train: Digits
    validation: Digits
    test: Digits
    name: str = "MNIST"
    idx_sha256: Mapping[str, str] = field(default_factory=lambda: OFFICIAL_SHA256)
    how_read: tuple[str, ...] = ()

    @property
    def are_mnist(self) -> bool:
        """Whether these are MNIST's digits."""
        return self.idx_sha256 == OFFICIAL_SHA256
