"""What raters say of suspicious labels of MNIST's test digits (Northcutt, Athalye and Mueller 2021)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from digits.data.mnist import load_mnist

# Of five raters.
MAJORITY = 3


@dataclass(frozen=True)
class Raters:
    """Verdicts on the labels of MNIST's 10,000 test digits.

    Attributes:
        is_contested: bool (10000,), whether fewer than three of five raters confirm the label.
        labels: int (10000,), the labels, corrected where three raters agree on another digit; -1 where they don't.
    """

    is_contested: np.ndarray
    labels: np.ndarray


def load_raters(path: Path) -> Raters:
    """Read `mnist_mturk.json` of the label-errors project, in which raters judge 100 digits.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is another file, or its labels aren't MNIST's.
    """
    given = load_mnist(names=["y_test"])["y_test"].astype(int)
    is_contested, labels = np.zeros(len(given), bool), given.copy()
    try:
        rows = [
            (row["id"], row["given_original_label"], row["our_guessed_label"], row["mturk"])
            for row in json.loads(path.read_text(encoding="utf-8"))
        ]
        for index, label, guessed, votes in rows:
            if given[index] != label:
                raise ValueError(f"expected MNIST's label {given[index]} for test digit {index}, got {label}")
            is_contested[index] = votes["given"] < MAJORITY
            if is_contested[index]:
                labels[index] = guessed if votes["guessed"] >= MAJORITY else -1
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(f"{path} is not the label-errors project's mnist_mturk.json: {error!r}") from error
    return Raters(is_contested, labels)
