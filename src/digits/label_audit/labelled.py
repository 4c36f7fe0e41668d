"""Labelled digits, and where each came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from digits import data
from digits.data import labelled


@dataclass(frozen=True)
class Labelled:
    """Digits, and where each of them is.

    Attributes:
        source: a readable description of where they are from.
        paths: the picture of each digit; empty if they aren't from a folder of pictures.
        how_read: what to say of how they were read, in lines.
    """

    digits: data.Digits
    source: str
    paths: Sequence[Path] = ()
    how_read: Sequence[str] = ()

    def name(self, index: int) -> str:
        """Where a digit is: its picture's path, or its index."""
        return str(self.paths[index]) if self.paths else str(index)


def load(source: Path | None, part: Literal["test", "train"] = "test") -> Labelled:
    """Load labelled digits from a folder or file; or, for None, a part of MNIST.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: it contains no digits, or something else than expected.
    """
    if source is None:
        arrays = data.load_mnist(names=(f"x_{part}", f"y_{part}"))
        return Labelled(data.Digits(arrays[f"x_{part}"], arrays[f"y_{part}"]), f"MNIST's {part} digits")
    digits, how_read, paths = labelled.read_with_paths(source)
    return Labelled(digits, str(source), paths, how_read)
