"""How to give a stranger's model its digits: the shape, scale, polarity and axes in which it knows them best.

Our own models take ink, float32 (N, 28, 28, 1) in [0, 1]. Others were trained on 0 to 255, on dark ink, on flat rows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from digits.images import SIDE, to_input

# From what an `InputFormat` makes of ink to a model's own answers, (N, 10).
Run = Callable[[np.ndarray], np.ndarray]
# Numbers that stand for paper and ink, in the order in which a tie is decided. MNIST's mean is 0.1307, its standard
# deviation 0.3081; with dark ink on light paper the mean is one minus that.
SCALES = {
    "0 to 1": (0.0, 1.0),
    "0 to 255": (0.0, 255.0),
    "-1 to 1": (-1.0, 1.0),
    "standardised": (-0.1307 / 0.3081, 0.8693 / 0.3081),
    "-0.5 to 0.5": (-0.5, 0.5),
    "0 to 1, dark ink": (1.0, 0.0),
    "0 to 255, dark ink": (255.0, 0.0),
    "-1 to 1, dark ink": (1.0, -1.0),
    "standardised, dark ink": (0.1307 / 0.3081, -0.8693 / 0.3081),
}
SIDES = (SIDE, 32)
# What a model may return: a softmax, ten sigmoids, or what comes before either.
ANSWERS = ("probabilities", "sigmoids", "logits")
ROUNDING = 1e-3
# Known digits per class, and how many more of them all another format must read to be the better one.
PER_CLASS, CLEARLY_MORE = 10, 5
# A probability below this costs no more, so that one confident error isn't all that counts.
SMALLEST_PROBABILITY = 1e-3
# A format that reads as many digits is the better one, too, if its mean negative log-likelihood is lower by this much.
CLEARLY_SURER = 1.0
# The best of 18 formats reads more of 100 digits than this by chance once in a thousand models.
CHANCE = 22


@dataclass(frozen=True)
class InputFormat:
    """What a model is given.

    Attributes:
        shape: of one digit, in 28×28 or 32×32 pixels of one or three channels.
        scale: one of `SCALES`.
        transposed: whether rows and columns are exchanged.
    """

    shape: tuple[int, ...] = (SIDE, SIDE, 1)
    scale: str = "0 to 1"
    transposed: bool = False

    @property
    def paper_and_ink(self) -> tuple[float, float]:
        """The numbers for paper and ink."""
        return SCALES[self.scale]

    @property
    def side(self) -> int:
        """Rows and columns, 28 or 32."""
        return next(side for side in SIDES if math.prod(self.shape) in (side * side, 3 * side * side))

    @property
    def channel_axis(self) -> int | None:
        """The axis of three equal channels, counted with the batch axis; None for one channel."""
        return self.shape.index(3) + 1 if math.prod(self.shape) == 3 * self.side**2 else None

    def apply(self, ink: np.ndarray) -> np.ndarray:
        """What the model is given for `ink`, float32 (N, 28, 28, 1) in [0, 1]."""
        paper, full = self.paper_and_ink
        margin = (self.side - SIDE) // 2
        pixels = np.pad(ink[..., 0], [(0, 0), (margin, margin), (margin, margin)])
        pixels = (pixels * np.float32(full - paper) + np.float32(paper)).astype(np.float32)
        if self.transposed:
            pixels = pixels.swapaxes(1, 2)
        if self.channel_axis is None:
            return pixels.reshape(len(ink), *self.shape)
        return np.repeat(np.expand_dims(pixels, self.channel_axis), 3, axis=self.channel_axis)

    def describe(self) -> str:
        """The format in a few words."""
        return self.scale + (", rows and columns exchanged" if self.transposed else "")


def accepted_shape(shape: Sequence[int | None]) -> tuple[int, ...]:
    """The shape of one digit that fits a model's input shape, in which None is any extent.

    Raises:
        ValueError: a digit doesn't have such a shape.
    """
    known = [
        accepted
        for side in SIDES
        for accepted in (
            (side, side, 1), (side, side), (side * side,), (1, side, side), (side, side, 3), (3, side, side),
            (side * side, 1), (1, side * side),
        )
    ]  # fmt: skip
    for accepted in known:
        if len(accepted) == len(shape) and all(
            given in (None, extent) for given, extent in zip(shape, accepted, strict=True)
        ):
            return accepted
    raise ValueError(f"expected a model of 28×28 or 32×32 pixels, got an input of shape {tuple(shape)}")


def choose(run: Run, shape: tuple[int, ...]) -> tuple[InputFormat, str]:
    """Try a model on known digits, and choose the format in which it reads them clearly best.

    Args:
        run: from what an `InputFormat.apply` returns to probabilities or logits, float (N, 10).

    Returns:
        The format, and a sentence to tell the user; empty if the model reads ink well as our own models get it.

    Raises:
        ValueError: an answer isn't ten finite numbers.
        FileNotFoundError: MNIST isn't in the data folder.
    """
    ink, labels = known_digits()
    formats = [InputFormat(shape, scale, transposed) for transposed in (False, True) for scale in SCALES]
    scores = {each: _score(run(each.apply(ink)), labels) for each in formats}
    usual, best = formats[0], max(formats, key=lambda each: (scores[each][0], -scores[each][1]))
    (right, loss), (most, least) = scores[usual], scores[best]
    # Among those that read about as many, the first that isn't clearly less sure.
    best = next(each for each in formats if scores[each][0] > most - 2 and scores[each][1] < least + CLEARLY_SURER / 2)
    is_better = most >= right + CLEARLY_MORE or (most >= right - 1 and least < loss - CLEARLY_SURER)
    chosen = best if is_better else usual
    reads = f"of {len(labels)} known digits it reads"
    if max(right, most) <= CHANCE:
        return usual, f"{reads} {max(right, most)} however they are given, as by chance: don't rely on its answers"
    if chosen == usual:
        return usual, f"{reads} only {right}" if right < len(labels) // 2 else ""
    return chosen, f"it gets digits as {chosen.describe()}: {reads} {scores[chosen][0]} so, {right} as 0 to 1"


@cache
def known_digits() -> tuple[np.ndarray, np.ndarray]:
    """Ten training digits of each class: ink, float32 (100, 28, 28, 1) in [0, 1], and labels."""
    from digits import data

    mnist = data.load_mnist(names=("x_train", "y_train"))
    indices = np.concatenate([np.flatnonzero(mnist["y_train"] == digit)[:PER_CLASS] for digit in range(10)])
    return to_input(mnist["x_train"][indices]), mnist["y_train"][indices]


def kind_of_answers(answers: np.ndarray) -> str:
    """What a model's answers to known digits, (N, 10), are: one of `ANSWERS`.

    Raises:
        ValueError: they aren't ten finite numbers for each digit.
    """
    if answers.ndim != 2 or answers.shape[1] != 10 or answers.dtype.kind not in "fiu":
        raise ValueError(f"expected ten numbers for a digit, got {answers.dtype} {answers.shape}")
    if not np.isfinite(answers).all():
        raise ValueError("its answers aren't finite numbers")
    if (answers < -ROUNDING).any() or (answers > 1 + ROUNDING).any():
        return "logits"
    return "probabilities" if np.allclose(answers.sum(axis=1), 1, atol=ROUNDING) else "sigmoids"


def as_probabilities(answers: np.ndarray, kind: str) -> np.ndarray:
    """Probabilities, float32 (N, 10), from a model's answers of that kind."""
    answers = answers.astype(np.float64)
    if kind == "sigmoids":
        # If only one class can be true, its probability is proportional to its odds.
        clipped = np.clip(answers, ROUNDING**2, 1 - ROUNDING**2)
        answers = np.log(clipped / (1 - clipped))
    if kind != "probabilities":
        powers = np.exp(answers - answers.max(axis=1, keepdims=True))
        answers = powers / powers.sum(axis=1, keepdims=True)
    return answers.astype(np.float32)


def as_function(run: Run, given: InputFormat, kind: str) -> Callable[[np.ndarray, tuple[str, ...]], list[np.ndarray]]:
    """The function of a `Recognizer`: `probabilities`, or `logits` if those are what the model returns.

    Args:
        kind: what it returns, one of `ANSWERS`.
    """

    def function(ink: np.ndarray, names: tuple[str, ...]) -> list[np.ndarray]:
        answers = run(given.apply(ink))
        return [
            as_probabilities(answers, kind) if name == "probabilities" else answers.astype(np.float32) for name in names
        ]

    return function


def _score(answers: np.ndarray, labels: np.ndarray) -> tuple[int, float]:
    """How many digits are read, and the mean negative log-likelihood."""
    probabilities = as_probabilities(answers, kind_of_answers(answers))
    given = np.maximum(probabilities[np.arange(len(labels)), labels], SMALLEST_PROBABILITY)
    return int(np.sum(probabilities.argmax(axis=1) == labels)), float(-np.log(given).mean())
