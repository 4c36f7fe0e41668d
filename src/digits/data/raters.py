"""People's verdicts on suspicious labels of MNIST's test digits (Northcutt, Athalye and Mueller 2021)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from digits import errors
from digits.data.mnist import load_mnist

Votes = Annotated[int, Field(ge=0)]
Class = Annotated[int, Field(ge=0, le=9)]


class Verdicts(TypedDict):
    """How many raters see the given label, the guessed one, or neither."""

    given: Votes
    guessed: Votes
    neither: Votes


class Judged(TypedDict):
    """A test digit and the raters' verdicts on it."""

    id: Annotated[int, Field(ge=0, lt=10_000)]
    given_original_label: Class
    our_guessed_label: Class
    mturk: Verdicts


FILE = TypeAdapter(Annotated[list[Judged], Field(min_length=1)])

# Of five raters.
MAJORITY = 3


@dataclass(frozen=True)
class Raters:
    """Verdicts on the labels of MNIST's 10,000 test digits.

    Attributes:
        is_contested: bool (10000,), whether fewer than three of five raters confirm the label.
        labels: int (10000,), the labels, corrected where three raters agree on another digit; -1 where they
            don't agree.
    """

    is_contested: np.ndarray
    labels: np.ndarray


def load_raters(path: Path) -> Raters:
    """Read `mnist_mturk.json` of the label-errors project, in which raters judge 100 digits.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it isn't that file, or its labels aren't MNIST's.
    """
    given = load_mnist(names=["y_test"])["y_test"].astype(int)
    is_contested, labels = np.zeros(len(given), bool), given.copy()
    if not path.is_file():
        raise FileNotFoundError(f"expected the label-errors project's mnist_mturk.json, got {path}, which is no file")
    try:
        rows = FILE.validate_json(path.read_bytes())
    except ValidationError as error:
        wrong = errors.sentence(error)
        raise ValueError(f"{path} is not the label-errors project's mnist_mturk.json: {wrong}") from error
    for row in rows:
        index, label, votes = row["id"], row["given_original_label"], row["mturk"]
        if given[index] != label:
            raise ValueError(f"expected MNIST's label {given[index]} for test digit {index} in {path}, got {label}")
        is_contested[index] = votes["given"] < MAJORITY
        if is_contested[index]:
            labels[index] = row["our_guessed_label"] if votes["guessed"] >= MAJORITY else -1
    return Raters(is_contested, labels)
