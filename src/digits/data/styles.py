"""Digits in styles that MNIST's writers rarely use, from a file that is verified like MNIST's."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from digits import files, paths
from digits.data.digits import Digits
from digits.data.numpy_files import read_npz
from digits.data.sampling import even_probabilities

PATH = paths.DATA / "styles.npz"
STYLES_SHA256 = "15fea10d1f32d55d6970eb4327ccaa740e8e59b4b04d8e83ec86ea10f2d4533c"


@dataclass(frozen=True)
class Styles:
    """Digits and where each is from.

    Attributes:
        source: str (N,), its kind and name, such as `font/kalam`, `written/03`, `form/4-open` or `edit/1-flag`.
    """

    digits: Digits
    source: np.ndarray

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Sampling probabilities, (N,): even over classes, over kinds in a class, and over sources in a kind."""
        kind = np.array([source.split("/")[0] for source in self.source])
        return even_probabilities(self.digits.labels, kind, self.source)

    def draw(self, rng: np.random.Generator, count: int) -> Digits:
        """Digits at random, by `probabilities`."""
        return self.digits.at(rng.choice(len(self.digits), count, p=self.probabilities))


def load_styles(held_out: bool = False) -> Styles:
    """Load the digits to train on, or the held-out ones, which are of other fonts, writers, forms and hands.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it isn't the expected one.
    """
    stored = style_arrays("images", "labels", "source", "held_out")
    chosen = stored["held_out"] == held_out
    return Styles(Digits(stored["images"][chosen], stored["labels"][chosen]), stored["source"][chosen])


def style_arrays(*names: str) -> dict[str, np.ndarray]:
    """Arrays of `styles.npz`, which data/README.md describes, once the file is verified.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it isn't the expected one.
    """
    if not PATH.is_file():
        raise FileNotFoundError(f"no {PATH}; `git checkout data/styles.npz` restores it")
    if files.sha256(PATH) != STYLES_SHA256:
        raise ValueError(f"{PATH} doesn't have the expected SHA-256; `git checkout data/styles.npz` restores it")
    return read_npz(PATH, names)
