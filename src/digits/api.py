"""The functions of the library that most programs need; `digits` itself exposes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

import numpy as np

from digits import preprocess
from digits.checkpoints.recognizer import Recognizer, load
from digits.corruptions import CORRUPTIONS
from digits.data import Digits, load_labelled, load_splits, load_test
from digits.evaluation import evaluate
from digits.explanations import attribution
from digits.explanations.attribution import METHODS, Attribution
from digits.images import SIDE
from digits.preprocess import Prepared
from digits.recognition.picture import judge_looks, look_at
from digits.recognition.verdict import Verdict, judge

__all__ = [
    "CORRUPTIONS",
    "METHODS",
    "Digits",
    "evaluate",
    "explain",
    "load",
    "load_labelled",
    "load_splits",
    "load_test",
    "predict",
    "prepare",
]

Picture = str | Path | bytes | np.ndarray


def prepare(picture: Picture) -> Prepared:
    """Find the digit on a picture and turn it into an image as MNIST has them.

    Args:
        picture: the path of an image file, the bytes of one, or grey levels, uint8 (height, width). The digit may be
            dark on a light background or light on a dark one, and its sheet of paper may lie on a desk.

    Returns:
        The image, uint8 (28, 28), ink 255 on paper 0, and the steps that led to it, in words.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it isn't a picture, is too large to decode safely, or is blank.
    """
    with _named(picture):
        return preprocess.prepare(_grey(picture))


def predict(model: Recognizer, picture: Picture) -> Verdict:
    """A model's verdict on the digit on a picture.

    Args:
        model: from `load`.
        picture: what `prepare` takes, which then prepares it; or an image, uint8 (28, 28), ink 255 on paper 0, which is
            used as it is. Pass a 28×28 picture with dark ink to `prepare` first.

    Returns:
        The verdict: `answer`, `confidence`, calibrated `probabilities`, float64 (10,), and `state`, which is "sure",
        "not sure", "looks like no digit" or "several digits". A picture that lies on its side is turned first.

    Raises:
        FileNotFoundError: there is no such file, or no MNIST to compare the first image with.
        ValueError: it isn't a picture, is too large to decode safely, or is blank.
    """
    if _is_image(picture):
        return judge(model, picture[None])[0]
    with _named(picture):
        look = look_at(_grey(picture))
    ((_, verdict),) = judge_looks(model, [look])
    return verdict


def explain(
    model: Recognizer,
    picture: Picture,
    method: str | None = None,
    target: int | None = None,
    versus: int | None = None,
    layer: str | None = None,
    seed: int = 0,
    **parameters,
) -> Attribution:
    """Show which parts of a picture support a digit, as a heat map.

    Args:
        model: from `load`.
        picture: as for `predict`.
        method: one of `METHODS`; one that suits the model if left out. Some need TensorFlow.
        target: the digit to explain; the model's answer if left out.
        versus: explain why it is rather `target` than this digit.
        layer: the layer that Grad-CAM and its variants look at; the last convolutional one if left out.
        seed: for the methods that draw random numbers.
        parameters: the method's own, such as `steps` of integrated gradients.

    Returns:
        Maps of one image: `heat`, float (1, 28, 28) in [0, 1], has the evidence for the digit, `signed`, float
        (1, 28, 28), also the evidence against it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it isn't a picture, or the model has no such digit or layer, or can't be explained by the method.
    """
    image = _image(picture)
    opened = attribution.open_model(model, method, layer)
    return attribution.explain(opened, image[None], method, target, versus, layer, seed, **parameters)


def _image(picture: Picture) -> np.ndarray:
    return picture if _is_image(picture) else prepare(picture).image


def _is_image(picture: Picture) -> TypeGuard[np.ndarray]:
    return isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape == (SIDE, SIDE)


def _grey(picture: Picture) -> np.ndarray:
    """A picture's grey levels, uint8 (height, width)."""
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 2 or not picture.size:
            raise ValueError(f"expected grey levels as uint8 (height, width), got {picture.dtype} {picture.shape}")
        return picture
    if not isinstance(picture, str | Path | bytes):
        raise ValueError(f"expected a path, the bytes of an image file or a NumPy array, got {type(picture).__name__}")
    return preprocess.read_grey(Path(picture) if isinstance(picture, str) else picture)


@contextmanager
def _named(picture: Picture) -> Iterator[None]:
    """Name the file in what is said about it."""
    try:
        yield
    except ValueError as error:
        if not isinstance(picture, str | Path | bytes):
            raise
        raise ValueError(f"{'the image' if isinstance(picture, bytes) else picture}: {error}") from error
